// Links to a <dialog> open it over the page; without JavaScript they jump to it (dialog.css).
function openDialog(dialog) {
  if (!dialog.open) dialog.showModal();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  const closer = event.target.closest("[data-close]");
  if (opener) {
    event.preventDefault();
    openDialog(document.getElementById(opener.dataset.dialog));
  } else if (closer && closer.closest("dialog")) {
    event.preventDefault();
    closer.closest("dialog").close();
  }
});
