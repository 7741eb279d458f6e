"""What Rspamd asks over loopback: keys, and who may send as whom."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse

import pytest
from agentproc import AgentProcess
from rowmaker import domain, key, mailbox, send


@pytest.fixture(scope="module")
def agent():
    process = AgentProcess()
    send(
        process, domain(), domain(2, "zweite.test"), domain(3, "aus.test", state="off"),
        key(1), {**key(2), "algorithm": "ed25519"}, {**key(3), "signing": False},
        mailbox(7, "info", send_as=["info@example.test", "kontakt@example.test"]),
        mailbox(8, "aus", state="login_off"),
        mailbox(9, "info", 3, send_as=["info@aus.test"]),
    )  # fmt: skip
    yield process
    process.close()


def ask(agent, path: str, token: str | None = None, *, body: str | None = None) -> tuple[int, dict]:
    token = token or (agent.state / "etc/vault.token").read_text().strip()
    link = http.client.HTTPConnection("127.0.0.1", agent.settings.ports.agent_http, timeout=10)
    link.request("POST" if body is not None else "GET", path, body, {"X-Vault-Token": token})
    answer = link.getresponse()
    found = answer.status, json.loads(answer.read())
    link.close()
    return found


def test_signing_keys_come_in_the_form_of_vault(agent) -> None:
    status, answer = ask(agent, "/v1/dkim/Example.test")
    assert status == 200
    assert answer["data"]["selectors"][0] == {
        "selector": "s1", "domain": "example.test", "key": key(1)["private_key"], "alg": "ed25519",
    }  # fmt: skip
    assert {each["selector"] for each in answer["data"]["selectors"]} == {"s1", "s2"}


@pytest.mark.parametrize(
    "name", ["zweite.test", "nowhere.test", "", "../../etc/passwd", "' OR 1=1 --", "a%00b", "x" * 4000]
)  # fmt: skip
def test_case_031_no_key_is_404(agent, name: str) -> None:
    assert ask(agent, "/v1/dkim/" + urllib.parse.quote(name, safe=""))[0] == 404


def test_case_078_wrong_token_learns_nothing(agent) -> None:
    for path in ("/v1/dkim/example.test", "/v1/sender", "/x"):
        for body in (None, "login=info%40example.test"):
            assert ask(agent, path, "wrong", body=body) == (403, {"errors": ["permission denied"]})


@pytest.mark.parametrize(
    ("login", "addresses", "allowed"),
    [
        ("info@example.test", ["info@example.test"], True),
        ("Info@Example.test", ["KONTAKT@example.test"], True),
        ("info@example.test", ["info+tag@example.test"], True),
        ("info@example.test", ["info@example.test", "chef@example.test"], False),
        ("info@example.test", [], False),
        ("info@example.test", ["victim@zweite.test"], False),
        ("info@example.test", ["'; DROP TABLE sender; --@example.test"], False),
        ("info", ["info@example.test"], False),
        ("", ["info@example.test"], False),
        ("aus@example.test", ["aus@example.test"], False),
        ("info@aus.test", ["info@aus.test"], False),
    ],
)
def test_case_041_who_may_send_as_whom(agent, login, addresses, allowed) -> None:
    query = urllib.parse.urlencode([("login", login), *(("from", each) for each in addresses)])
    assert ask(agent, "/v1/sender", body=query) == (200, {"allowed": allowed, "full": ""})


def test_kept_connection_does_not_wait_for_acknowledgements(agent) -> None:
    token = (agent.state / "etc/vault.token").read_text().strip()
    link = http.client.HTTPConnection("127.0.0.1", agent.settings.ports.agent_http, timeout=10)
    took = []
    for _ in range(15):
        started = time.monotonic()
        link.request("GET", "/v1/dkim/example.test", headers={"X-Vault-Token": token})
        link.getresponse().read()
        took.append(time.monotonic() - started)
    link.close()
    assert sorted(took)[len(took) // 2] < 0.03
