"""The operator's page of the mail host, and the plan of a move, against the trial's name servers."""

from __future__ import annotations

import re

import pytest
from trial import Panel, Trial, until

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def ada(trial: Trial) -> Panel:
    return trial.panel("admin")


@pytest.fixture(scope="module")
def page(ada: Panel) -> str:
    """The host's page, as the administration links to it."""
    shown = ada.get("/admin/mailadmin/mailhost/1/change/").text
    found = re.search(r'href="(/hosts/[^"]+/)"', shown)
    assert found, shown
    return found[1]


def states(ada: Panel, page: str) -> dict[str, str]:
    """The state of each check, once the look is over."""
    text = until(
        lambda: (shown := ada.get(page).text) and "Being checked" not in shown and shown,
        seconds=30, what="the look is over",
    )  # fmt: skip
    return dict(re.findall(r'id="check-(\w+)".*?readiness-(\w+)', text, re.DOTALL))


def test_host_of_a_trial_has_all_but_its_ptr_record(ada: Panel, page: str) -> None:
    found = states(ada, page)
    assert found["ptr"] == "bad"
    for check in ("static_address", "host_name", "spf", "port_25", "certificate", "tlsa"):
        assert found[check] == "ok", (check, found)
    assert found["block_lists"] == found["clock"] == "unknown"


def test_ptr_record_is_written_where_we_hold_the_reverse_zone(ada: Panel, page: str) -> None:
    assert "written and read back" in ada.post(f"{page}ptr/").text
    assert states(ada, page)["ptr"] == "ok"


def test_page_is_the_operator_s_alone(alice: Panel, page: str) -> None:
    assert alice.get(page).status == 404
    assert alice.post(f"{page}ptr/").status == 404


def test_plan_of_a_move_names_what_must_stay(alice: Panel) -> None:
    where = "/domains/example.test/takeover/"
    alice.post(f"{where}read/")
    text = until(
        lambda: (shown := alice.get(where).text) and "is being read" not in shown and shown,
        seconds=40, what="the plan",
    )  # fmt: skip
    assert "192.0.2.80" in text and "the website" in text
    assert "10 mail.postkontor.test" in text
