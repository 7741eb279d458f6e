"""Rows: each field checked again, bad ones refused alone, the rest taken."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest
from agentproc import AgentProcess

HASH = "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo"
DOMAIN = {
    "kind": "domain", "key": "1", "domain_id": 1, "name": "example.test", "state": "active",
    "canonical_id": None, "catch_all": None, "postmaster": "a@outside.example", "elsewhere": False,
    "account_id": 1, "rates": {"mailbox": None, "domain": None, "account": None},
}  # fmt: skip
MAILBOX = {
    "kind": "address", "key": "7", "domain_id": 1, "local_part": "info", "type": "mailbox",
    "state": "active", "storage_id": "0" * 32, "quota_mib": 10, "keep_copy": True, "targets": [],
    "send_as": ["info@example.test"],
    "credentials": [{"prefix": "", "hash": HASH, "protocols": ["imap"], "expires": None}],
}  # fmt: skip


@pytest.fixture(scope="module")
def agent():
    process = AgentProcess()
    yield process
    process.close()


def send(agent, *rows: Any, **more: Any) -> dict[str, Any]:
    here = agent.call("hello")
    base = {name: here[name] for name in ("epoch", "generation", "batch")}
    to = {
        "epoch": base["epoch"] or "e",
        "generation": base["generation"] + 1,
        "batch": str(uuid.uuid4()),
    }
    return agent.call("apply", token=1, base=base, to=to, rows=list(rows), **more)


def changed(row: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**copy.deepcopy(row), **fields}


def test_good_rows_are_taken_and_stand_in_the_files(agent) -> None:
    answer = send(agent, DOMAIN, MAILBOX)
    assert [result["ok"] for result in answer["results"]] == [True, True]
    assert agent.rows("auth", "SELECT hash FROM credential") == [(HASH,)]
    assert agent.call("rows", domain_id=1)["rows"]


@pytest.mark.parametrize(
    "row",
    [
        None, [], "x", {}, {"kind": "domain"}, changed(DOMAIN, kind="shell"),
        changed(DOMAIN, name="example.test\n"), changed(DOMAIN, name="Example.test"), changed(DOMAIN, name="a b.test"),
        changed(DOMAIN, name="localhost"), changed(DOMAIN, catch_all="|cmd"), changed(DOMAIN, catch_all="/etc/passwd"),
        changed(DOMAIN, catch_all=":include:/x@y.de"), changed(DOMAIN, state="trash"), changed(DOMAIN, key="2"),
        changed(DOMAIN, key="1 OR 1=1"), changed(DOMAIN, extra=1), changed(DOMAIN, key="-1"),
        changed(DOMAIN, account_id=0), changed(DOMAIN, account_id="1"), changed(DOMAIN, rates=None), changed(DOMAIN, rates={}),
        changed(DOMAIN, rates={"mailbox": -1, "domain": None, "account": None}), changed(DOMAIN, rates={"mailbox": True, "domain": None, "account": None}),
        changed(DOMAIN, elsewhere=1), changed(DOMAIN, elsewhere=None), changed(DOMAIN, elsewhere="false"),
        {name: value for name, value in DOMAIN.items() if name != "elsewhere"}, changed(MAILBOX, elsewhere=True),
        changed(MAILBOX, local_part="a..b"), changed(MAILBOX, local_part="Info"), changed(MAILBOX, local_part="a" * 65),
        changed(MAILBOX, local_part="a\x00b"), changed(MAILBOX, local_part="../x"), changed(MAILBOX, local_part="|x"),
        changed(MAILBOX, local_part="%u"), changed(MAILBOX, storage_id="../../etc"), changed(MAILBOX, storage_id="A" * 32),
        changed(MAILBOX, quota_mib=0), changed(MAILBOX, quota_mib=True), changed(MAILBOX, quota_mib="10"),
        changed(MAILBOX, targets=["|cmd@x.de"]), changed(MAILBOX, targets=["a@x.de\nb@y.de"]), changed(MAILBOX, targets="a@x.de"),
        changed(MAILBOX, targets=["a@x.de,b@x.de"]), changed(MAILBOX, send_as=["victim"]), changed(MAILBOX, type="list"),
        changed(MAILBOX, credentials=[{"prefix": "", "hash": "{PLAIN}secret-secret-secret", "protocols": [], "expires": None}]),
        changed(MAILBOX, credentials=[{"prefix": "", "hash": HASH + ":x", "protocols": ["imap"], "expires": None}]),
        changed(MAILBOX, credentials=[{"prefix": "", "hash": HASH, "protocols": ["root"], "expires": None}]),
        {"kind": "dkim", "key": "1", "domain_id": 1, "domain": "example.test", "selector": "a\nvictim", "algorithm": "rsa", "private_key": "", "signing": False},
        {"kind": "dkim", "key": "1", "domain_id": 1, "domain": "example.test", "selector": "a", "algorithm": "rsa", "private_key": "x", "signing": True},
        {"kind": "purge", "key": "../../../etc", "domain_id": 0, "storage_id": "../../../etc"},
    ],
)  # fmt: skip
def test_case_027_032_bad_row_is_refused_and_its_neighbour_taken(agent, row) -> None:
    number = agent.call("hello")["generation"]
    good = changed(MAILBOX, quota_mib=number + 100)
    answer = send(agent, row, good)
    refused = [result for result in answer["results"] if not result["ok"]]
    assert len(refused) == 1 and refused[0]["code"] == "bad_row"
    assert agent.rows("lookup", "SELECT quota_mib FROM address WHERE id = 7") == [(number + 100,)]


def test_address_of_an_unknown_domain_is_refused(agent) -> None:
    answer = send(agent, changed(MAILBOX, key="8", domain_id=99, storage_id="1" * 32))
    assert answer["results"][0]["code"] == "unknown_domain"


def test_place_that_another_row_has_is_refused(agent) -> None:
    answer = send(agent, changed(MAILBOX, key="9", storage_id="2" * 32))
    assert answer["results"][0]["code"] == "conflict"
    answer = send(agent, changed(MAILBOX, key="9", local_part="zwei"))
    assert answer["results"][0]["facts"]["field"] == "storage_id"


def test_purge_of_a_living_storage_is_refused(agent) -> None:
    row = {"kind": "purge", "key": "0" * 32, "domain_id": 0, "storage_id": "0" * 32}
    answer = send(agent, row)
    assert answer["results"][0]["code"] == "storage_in_use"


def test_batch_on_another_base_is_a_fork_and_changes_nothing(agent) -> None:
    before = agent.rows("lookup", "SELECT * FROM address")
    answer = agent.call(
        "apply", token=1, base={"epoch": "other", "generation": 5, "batch": "x"},
        to={"epoch": "other", "generation": 6, "batch": "y"},
        rows=[{"kind": "address", "key": "7", "domain_id": 1, "remove": True}],
    )  # fmt: skip
    assert answer["code"] == "fork"
    assert agent.rows("lookup", "SELECT * FROM address") == before


def test_replace_is_nothing_until_it_is_committed(agent) -> None:
    to = {"epoch": "new", "generation": 50, "batch": "r"}
    assert agent.call("replace", token=1, phase="begin", **to)["ok"]
    assert agent.call("replace", token=1, phase="rows", rows=[DOMAIN], **to)["ok"]
    assert agent.rows("lookup", "SELECT count(*) FROM address") == [(1,)]
    assert agent.call("replace", token=1, phase="commit", allow_mass_removal=True, **to)["ok"]
    assert agent.rows("lookup", "SELECT count(*) FROM address") == [(0,)]
    assert agent.call("hello")["epoch"] == "new"
