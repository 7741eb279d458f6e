// One password field: show it, or take the suggestion. The buttons are hidden without JavaScript.
for (const box of document.querySelectorAll("[data-password]")) {
  const field = box.querySelector("input");
  for (const button of box.querySelectorAll("button[hidden]")) button.hidden = false;
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.suggest) {
      field.value = button.dataset.suggest;
      field.type = "text";
      field.dispatchEvent(new Event("input", { bubbles: true }));
    } else {
      field.type = field.type === "password" ? "text" : "password";
    }
    const shown = field.type === "text";
    for (const each of box.querySelectorAll("[data-show]")) {
      each.setAttribute("aria-pressed", String(shown));
      each.textContent = shown ? each.dataset.hide : each.dataset.show;
    }
    field.focus();
  });
}
