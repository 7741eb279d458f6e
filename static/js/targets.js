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
