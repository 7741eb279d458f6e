// Chips fill the field that they name; without JavaScript they are links that load it filled.
document.addEventListener("click", (event) => {
  const chip = event.target.closest("[data-fill]");
  if (!chip) return;
  const field = document.getElementById(chip.dataset.fill);
  if (!field) return;
  event.preventDefault();
  field.value = chip.dataset.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
});
