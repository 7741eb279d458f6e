// What has just happened stays until it is put away; the button is hidden without JavaScript.
for (const button of document.querySelectorAll("[data-dismiss]")) button.hidden = false;
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-dismiss]");
  if (!button) return;
  button.closest(".toast").remove();
  document.getElementById("main").focus();
});
