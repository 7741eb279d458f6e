// Light, dark, or as the device: at once here, and in the cookie that the server reads.
const YEAR_SECONDS = 365 * 24 * 3600;
document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-theme-switch]");
  const chosen = event.submitter && event.submitter.value;
  if (!form || !chosen) return;
  event.preventDefault();
  const secure = location.protocol === "https:" ? "; Secure" : "";
  if (chosen === "auto") {
    delete document.documentElement.dataset.theme;
    document.cookie = `theme=; path=/; max-age=0; SameSite=Lax${secure}`;
  } else {
    document.documentElement.dataset.theme = chosen;
    document.cookie = `theme=${chosen}; path=/; max-age=${YEAR_SECONDS}; SameSite=Lax${secure}`;
  }
  for (const button of form.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button === event.submitter));
  }
});
