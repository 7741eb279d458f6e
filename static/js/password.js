// One password field: show it, or take the suggestion. The buttons are hidden without JavaScript.
for (const box of document.querySelectorAll("[data-password]")) {
  const field = box.querySelector("input");
  for (const button of box.querySelectorAll("button[hidden]")) button.hidden = false;
  box.addEventListener("click", (event) => {
    const button = event.target.closest("[data-suggest], [data-show]");
    if (!button) return;
    if (button.dataset.suggest) {
      field.value = button.dataset.suggest;
      field.type = "text";
      field.dispatchEvent(new Event("input", { bubbles: true }));
    } else {
      field.type = field.type === "password" ? "text" : "password";
    }
    for (const each of box.querySelectorAll("[data-show]")) {
      each.textContent = field.type === "text" ? each.dataset.hide : each.dataset.show;
    }
    field.focus();
  });
}
// What is shown is hidden again when it is sent: browsers remember text fields, not passwords.
document.addEventListener("submit", (event) => {
  for (const field of event.target.querySelectorAll("[data-password] input")) field.type = "password";
});
