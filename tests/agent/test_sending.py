"""Rates: counted by the agent for mailbox, domain and account, and what was sent is kept."""

from __future__ import annotations

import http.client
import json
import sqlite3
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from agentproc import AgentProcess
from rowmaker import domain, mailbox, send, verdicts

INFO, CHEF, THERE = "info@example.test", "chef@example.test", "info@zweite.test"


@pytest.fixture
def agent():
    process = AgentProcess()
    rates = {"mailbox": 10, "domain": 15, "account": 18}
    answer = send(
        process,
        domain(rates=rates), domain(2, "zweite.test", rates=rates),
        domain(3, "frei.test", account_id=2),
        mailbox(7, "info", send_as=[INFO]), mailbox(8, "chef", send_as=[CHEF]),
        mailbox(9, "info", 2, send_as=[THERE]), mailbox(10, "info", 3, send_as=["info@frei.test"]),
    )  # fmt: skip
    assert set(verdicts(answer).values()) == {"ok"}
    yield process
    process.close()


def hand_in(agent, login: str, count: int, **fields: str) -> str:
    """Ask as Rspamd does; what is full, or ""."""
    token = (agent.state / "etc/vault.token").read_text().strip()
    recipients = [("rcpt", f"r{number}@outside.example") for number in range(count)]
    body = urllib.parse.urlencode([
        ("login", login), ("from", login), *recipients, *fields.items(),
    ])  # fmt: skip
    link = http.client.HTTPConnection("127.0.0.1", agent.settings.ports.agent_http, timeout=20)
    link.request("POST", "/v1/sender", body, {"X-Vault-Token": token})
    answer = link.getresponse()
    found = json.loads(answer.read())
    link.close()
    assert answer.status == 200 and found["allowed"]
    return found["full"]


def test_mailbox_domain_and_account_are_counted_apart(agent) -> None:
    assert hand_in(agent, INFO, 10) == ""
    assert hand_in(agent, INFO, 1) == "mailbox"
    assert hand_in(agent, CHEF, 5) == ""
    assert hand_in(agent, CHEF, 1) == "domain"
    assert hand_in(agent, THERE, 3) == ""
    assert hand_in(agent, THERE, 1) == "account"
    assert hand_in(agent, "info@frei.test", 3000) == ""


def test_what_may_not_go_is_not_counted_and_rings_once(agent) -> None:
    for _ in range(3):
        assert hand_in(agent, INFO, 11) == "mailbox"
    assert hand_in(agent, INFO, 10) == ""
    alarms = agent.call("alarms", after=0)["alarms"]
    assert [(each["login"], each["what"], each["count"], each["allowed"]) for each in alarms] == [
        (INFO, "mailbox", 11, 10)
    ]
    assert agent.call("alarms", after=alarms[0]["id"])["alarms"] == []


def test_an_hour_later_it_goes_on(agent) -> None:
    assert hand_in(agent, INFO, 10) == ""
    assert hand_in(agent, INFO, 1) == "mailbox"
    with sqlite3.connect(agent.state / "private" / "sent.sqlite") as file:
        file.execute("UPDATE sent SET at = at - 3600")
    assert hand_in(agent, INFO, 10) == ""


def test_new_rates_hold_for_the_next_mail_and_counts_outlive_a_restart(agent) -> None:
    assert hand_in(agent, INFO, 10) == ""
    agent.restart()
    assert hand_in(agent, INFO, 1) == "mailbox"
    send(agent, domain(rates={"mailbox": 11, "domain": None, "account": None}))
    assert hand_in(agent, INFO, 1) == ""
    send(agent, domain(rates={"mailbox": 0, "domain": None, "account": None}))
    assert hand_in(agent, CHEF, 1) == "mailbox"


def test_parallel_mails_do_not_get_past_the_limit(agent) -> None:
    with ThreadPoolExecutor(8) as pool:
        full = list(pool.map(lambda _: hand_in(agent, INFO, 1), range(30)))
    assert full.count("") == 10


def test_what_went_out_is_shown_newest_first(agent) -> None:
    for number in range(3):
        hand_in(agent, INFO, 1, size=str(100 + number), id=f"<{number}@example.test>")
    hand_in(agent, CHEF, 1)
    answer = agent.call("sent", login=INFO, before=0)
    assert answer["hour"] == 3
    assert [mail["bytes"] for mail in answer["mails"]] == [102, 101, 100]
    assert answer["mails"][0] | {"id": 0, "at": 0} == {
        "id": 0, "at": 0, "sender": INFO, "recipients": ["r0@outside.example"], "count": 1,
        "bytes": 102, "message_id": "<2@example.test>",
    }  # fmt: skip
    older = agent.call("sent", login=INFO, before=answer["mails"][1]["id"])
    assert [mail["bytes"] for mail in older["mails"]] == [100]


def test_of_a_mail_to_many_fifty_are_named(agent) -> None:
    hand_in(agent, "info@frei.test", 80)
    (mail,) = agent.call("sent", login="info@frei.test", before=0)["mails"]
    assert (len(mail["recipients"]), mail["count"]) == (50, 80)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("sent", {"login": "", "before": 0}), ("sent", {"login": ["x"], "before": 0}),
        ("sent", {"login": INFO, "before": -1}), ("sent", {"login": INFO, "before": "0"}),
        ("alarms", {"after": None}), ("loose", {"login": INFO, "action": "purge"}),
        ("loose", {"login": INFO}), ("sent", {"login": INFO, "before": 0, "extra": 1}),
    ],
)  # fmt: skip
def test_case_081_bad_requests_are_refused(agent, verb, arguments) -> None:
    assert agent.call(verb, **arguments)["code"] == "bad_request"


@pytest.mark.parametrize("body", ["", "login=x", "login=%00@example.test&from=a", "=" * 1000])
def test_garbage_is_not_allowed(agent, body) -> None:
    token = (agent.state / "etc/vault.token").read_text().strip()
    link = http.client.HTTPConnection("127.0.0.1", agent.settings.ports.agent_http, timeout=20)
    link.request("POST", "/v1/sender", body, {"X-Vault-Token": token})
    assert json.loads(link.getresponse().read()) == {"allowed": False, "full": ""}
    link.close()
