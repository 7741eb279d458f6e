// Small manners of every page: the first wrong field gets the focus, chips fill the address.
const wrong = document.querySelector("[aria-invalid='true']");
if (wrong) wrong.focus();

document.addEventListener("click", (event) => {
  const chip = event.target.closest("[data-fill]");
  if (!chip) return;
  const field = document.getElementById(chip.dataset.fill);
  event.preventDefault();
  field.value = chip.dataset.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
});

// Targets are asked for only where mail is sent on.
const kinds = document.querySelectorAll("input[name='kind']");
const targets = document.getElementById("targets-field");
if (kinds.length && targets) {
  const show = () => {
    const chosen = document.querySelector("input[name='kind']:checked");
    targets.hidden = !chosen || chosen.value !== "forward";
  };
  for (const kind of kinds) kind.addEventListener("change", show);
  show();
}
