"""The pages in a real browser: live state, keyboard, accessibility, no console errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PASSWORD
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from trial import Panel, Trial

pytestmark = pytest.mark.live

AXE = Path(__import__("axe_core_python").__file__).parent / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Screenshots are kept where this names a folder, for a person to look at.
SHOTS = os.environ.get("POSTKONTOR_SCREENSHOTS", "")
PAGES = {
    "log-in": "/accounts/login/",
    "reset": "/accounts/password/reset/",
    "dashboard": "/",
    "mailboxes": "/mailboxes/",
    "mailbox": "MAILBOX",
    "sent": "MAILBOXsent/",
    "new": "/mailboxes/new/?local_part=info2",
    "trash": "/trash/",
    "aliases": "/aliases/",
    "alias-new": "/aliases/new/",
    "forwards": "/forwards/",
    "forward-new": "/forwards/new/",
    "domains": "/domains/",
    "domain": "/domains/example.test/",
    "dns": "/domains/example.test/dns/",
    "dns-access": "/domains/example.test/dns/access/?provider=rfc2136",
    "takeover": "/domains/example.test/takeover/",
    "claim-new": "/claims/new/",
    "audit": "/audit/",
    "absent": "/mailboxes/00000000-0000-4000-8000-000000000000/",
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[
                "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
                "--disable-background-networking", "--disable-component-update",
            ],
        )  # fmt: skip
        yield browser
        browser.close()


def context(
    browser: Browser, trial: Trial, *, language: str = "en", theme: str = "light", width: int = 1280
) -> BrowserContext:
    made = browser.new_context(
        locale={"en": "en-GB", "de": "de-DE"}[language],
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": 900},
        base_url=trial.facts["panel"],
        reduced_motion="reduce",
    )
    made.set_default_timeout(15_000)
    return made


def watched(made: BrowserContext) -> tuple[Page, list[str]]:
    """A page, and the list in which its console errors appear."""
    page, errors = made.new_page(), []
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    return page, errors


def log_in(page: Page, trial: Trial, who: str = "customer") -> None:
    person = trial.facts["demo"][who]
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill(person["email"])
    page.locator("input[name=password]").fill(person["password"])
    page.locator("main button.primary").click()


def test_customer_makes_info_and_sees_it_turn_green(trial: Trial, browser: Browser) -> None:
    made = context(browser, trial, language="de")
    page, errors = watched(made)
    log_in(page, trial)
    expect(page.locator("h1")).to_contain_text("Guten Tag")
    page.get_by_role("link", name="Neues Postfach").first.click()
    page.locator("#id_local_part").fill("müller")
    expect(page.locator("#free")).to_contain_text("mueller@")
    page.locator("#id_local_part").fill("gruen")
    expect(page.locator("#free")).to_contain_text("ist frei")
    page.get_by_role("button", name="Weiter").click()
    page.get_by_role("button", name="Vorschlag nehmen").click()
    assert len(page.locator("#id_password").input_value()) >= 10
    page.get_by_role("button", name="Weiter").click()
    page.get_by_role("button", name="Postfach einrichten").click()
    expect(page.locator(".rail")).to_contain_text("bewiesen um", timeout=15_000)
    assert errors == []
    made.close()


def test_address_that_exists_is_named_and_linked_while_typing(
    trial: Trial, browser: Browser, info
) -> None:
    made = context(browser, trial)
    page, errors = watched(made)
    log_in(page, trial)
    page.goto("/mailboxes/new/")
    page.locator("#id_local_part").fill("info")
    expect(page.locator("#free")).to_contain_text("already exists")
    page.locator("#free a").click()
    expect(page.locator("h1")).to_have_text("info@example.test")
    assert errors == []
    made.close()


def test_wizard_works_by_keyboard_alone(trial: Trial, browser: Browser) -> None:
    made = context(browser, trial)
    page, errors = watched(made)
    log_in(page, trial)
    page.goto("/mailboxes/new/")
    page.locator("#id_local_part").focus()
    page.keyboard.type("tasten")
    page.keyboard.press("Enter")
    page.wait_for_url("**/person/")
    page.locator("#id_password").focus()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/")
    page.get_by_role("button", name="Set up the mailbox").press("Enter")
    expect(page.locator("h1")).to_have_text("tasten@example.test")
    assert errors == []
    made.close()


def test_operator_holds_a_domain_in_the_admin(trial: Trial, browser: Browser) -> None:
    made = context(browser, trial)
    page, errors = watched(made)
    log_in(page, trial, "admin")
    page.goto("/admin/mailadmin/mailhost/")
    expect(page.locator("#result_list")).to_contain_text("mail.postkontor.test")
    page.goto("/admin/mailadmin/domain/add/")
    page.locator("#id_name").fill("zweite.test")
    for field, text in (("account", "Müller"), ("host", "mail")):
        page.locator(f"#id_{field} ~ .select2").click()
        page.locator(".select2-search__field").fill(text)
        page.locator(".select2-results__option--highlighted").click()
    page.locator("#id_reason").fill("asked by phone")
    page.locator("input[name=_save]").click()
    expect(page.locator(".messagelist")).to_contain_text("zweite.test")
    html = page.content()
    assert "ARGON2" not in html and "PRIVATE" not in html
    assert [each for each in errors if "favicon" not in each] == []
    made.close()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible(trial: Trial, browser: Browser, info, alice: Panel, name: str) -> None:
    look_at(trial, browser, alice, name, "de", "light", 390)


@pytest.mark.long
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible_everywhere(
    trial: Trial,
    browser: Browser,
    info,
    alice: Panel,
    name: str,
    language: str,
    theme: str,
    width: int,
) -> None:
    look_at(trial, browser, alice, name, language, theme, width)


def look_at(
    trial: Trial, browser: Browser, alice: Panel, name: str, language: str, theme: str, width: int
) -> None:
    made = context(browser, trial, language=language, theme=theme, width=width)
    made.add_cookies([{"name": c.name, "value": c.value or "", "url": trial.facts["panel"]} for c in alice.cookies]
                     if name not in ("log-in", "reset") else [])  # fmt: skip
    page, errors = watched(made)
    path = PAGES[name]
    if path.startswith("MAILBOX"):
        text = alice.get("/mailboxes/").text
        uid = text.split(">info@example.test<")[0].rsplit("/mailboxes/", 1)[1].split('"')[0]
        path = path.replace("MAILBOX", f"/mailboxes/{uid}")
    page.goto(path)
    page.evaluate(AXE.read_text())
    found = page.evaluate(f"axe.run({{runOnly: {RULES}}})")
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}-{language}-{theme}-{width}.png", full_page=True)
    problems = [
        (
            each["id"],
            each["nodes"][0]["html"][:120],
            each["nodes"][0].get("failureSummary", "")[:200],
        )
        for each in found["violations"]
    ]
    assert problems == []
    wide = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0, f"scrolls sideways by {wide} px"
    expected = ["404"] if name == "absent" else []
    assert [each for each in errors if not any(code in each for code in expected)] == []
    made.close()
