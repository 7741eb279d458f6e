// After a refusal the first wrong field has the focus; or the summary above, which links to each.
const wrong = document.querySelector("[data-errors]") || document.querySelector("[aria-invalid='true']");
if (wrong) wrong.focus();
