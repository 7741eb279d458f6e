// Copy buttons: take the text of the element they name, and say so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  const text = "value" in source ? source.value : source.textContent.trim();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text);
  }
  const label = button.querySelector("span") || button;
  const word = button.dataset.word || label.textContent;
  button.dataset.word = word;
  label.textContent = button.dataset.copied;
  document.getElementById("announcer").textContent = button.dataset.copied;
  setTimeout(() => {
    label.textContent = word;
    document.getElementById("announcer").textContent = "";
  }, 1600);
});

// Plain HTTP has no clipboard to write to.
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
