"""Proof against servers that are stuck, lie or are not there; the real ones are in tests/live."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from rowmaker import domain, mailbox, send


@pytest.fixture
def port(own_agent):
    """Listen where the agent looks for a service; `serve` says what a connection gets."""
    listeners = []

    def listen(name: str, serve) -> None:
        listener = socket.create_server(
            ("127.0.0.1", getattr(own_agent.settings.ports, name)), backlog=64
        )
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    stream, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(stream,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    yield listen
    for listener in listeners:
        listener.close()


def smtp(replies: dict[str, str]):
    """A server that answers each command by its first word; RCPT by the address."""

    def serve(stream: socket.socket) -> None:
        with stream, stream.makefile("rb") as lines:
            stream.sendall(b"220 here\r\n")
            for line in lines:
                said = line.decode().strip()
                word = said.partition(" ")[0]
                answer = next((replies[each] for each in replies if each in said), "250 2.0.0 ok")
                stream.sendall(answer.encode() + b"\r\n")
                if word == "QUIT":
                    return

    return serve


def expectation(address: str, rcpt: int = 250, **more) -> dict:
    return {"kind": "address", "key": "7", "expect": {"address": address, "rcpt": rcpt, **more}}


def test_what_is_said_at_rcpt_is_shown(own_agent, port) -> None:
    port("probe", smtp({"gone@": "550-5.1.1 not\r\n550 5.1.1 here", "full@": "452 4.2.2 full"}))
    rows = [
        expectation("info@example.test"), expectation("gone@example.test", 550),
        expectation("gone@example.test"), expectation("info@example.test", 550),
        expectation("full@example.test"),
    ]  # fmt: skip
    results = own_agent.call("prove", rows=rows)["results"]
    assert [each.get("code", "ok") for each in results] == [
        "ok", "ok", "rcpt_refused", "rcpt_accepted", "rcpt_refused",
    ]  # fmt: skip
    assert results[4]["facts"]["reply"] == "452 4.2.2 full"


def test_domain_whose_mail_goes_elsewhere_is_shown_to_be_foreign(own_agent, port) -> None:
    port("probe", smtp({"gone@": "550 5.1.1 unknown", "a@fremd": "450 4.3.2 being moved"}))
    rows = [
        expectation("a@fremd.test", 450), expectation("a@fremd.test", 250), expectation("a@fremd.test", 550),
        expectation("gone@example.test", 450), expectation("info@example.test", 450),
    ]  # fmt: skip
    results = own_agent.call("prove", rows=rows)["results"]
    assert [each.get("code", "ok") for each in results] == [
        "ok", "rcpt_refused", "rcpt_refused", "rcpt_not_foreign", "rcpt_accepted",
    ]  # fmt: skip


def test_no_service_at_all_is_told_at_once(own_agent) -> None:
    key = {"kind": "dkim", "key": "1", "expect": {"domain": "example.test", "selector": "s"}}
    started = time.monotonic()
    answer = own_agent.call("prove", rows=[expectation("info@example.test"), key] * 20)
    assert {each["code"] for each in answer["results"]} == {
        "rcpt_unreachable",
        "signer_unreachable",
    }
    assert time.monotonic() - started < 2


def test_stuck_service_is_not_waited_for_once_for_each_row(own_agent, port) -> None:
    port("probe", lambda stream: time.sleep(60))
    started = time.monotonic()
    answer = own_agent.call("prove", rows=[expectation("info@example.test")] * 60)
    assert {each["code"] for each in answer["results"]} == {"rcpt_unreachable"}
    assert time.monotonic() - started < 12, "one time-out, not sixty"


def test_one_time_log_ins_are_gone_after_the_proof(own_agent, port) -> None:
    send(own_agent, domain(), mailbox(7, "info"))
    port("probe", smtp({}))
    seen: list[tuple] = []

    def imaps(stream: socket.socket) -> None:
        seen.extend(own_agent.rows("auth", "SELECT address_id, hash, expires FROM probe"))
        stream.close()

    port("imaps", imaps)
    answer = own_agent.call("prove", rows=[expectation("info@example.test", login=True)])
    assert answer["results"][0]["code"] == "login_unreachable"
    one_time = [row for row in seen if row[2]]
    assert len(one_time) == 1 and one_time[0][1].startswith("{SHA256.HEX}")
    assert one_time[0][2] <= time.time() + 61
    assert own_agent.rows("auth", "SELECT * FROM probe") == []


def test_proof_does_not_wait_for_a_batch_nor_a_batch_for_it(own_agent, port) -> None:
    send(own_agent, domain(), mailbox(7, "info"))
    port("probe", lambda stream: (time.sleep(2), stream.close()))
    prover = threading.Thread(
        target=own_agent.call, args=("prove",), kwargs={"rows": [expectation("info@example.test")]}
    )
    prover.start()
    time.sleep(0.1)
    started = time.monotonic()
    assert send(own_agent, mailbox(7, "info", quota_mib=3))["ok"]
    assert own_agent.call("digest", domains=None)["ok"]
    assert time.monotonic() - started < 1
    prover.join()


STRANGE = [
    None, 7, {}, {"kind": "address"}, {"kind": "shell", "key": "1", "expect": {}},
    expectation("info@example.test", rcpt=None), expectation("a b@example.test"),
    expectation("info@example.test\r\nDATA"), expectation("x@y@example.test"),
    {**expectation("info@example.test", login=True), "key": "9" * 5000},
    {**expectation("info@example.test", login=True), "key": "²"},
    {"kind": "domain", "key": "1", "expect": {"name": "x>\r\n", "local_part": "a", "rcpt": 250}},
    {"kind": "dkim", "key": "1", "expect": {"domain": "example.test", "selector": "../x"}},
]  # fmt: skip


def test_case_032_strange_expectation_fails_alone(own_agent, port) -> None:
    port("probe", smtp({}))
    for row in STRANGE:
        results = own_agent.call("prove", rows=[row, expectation("info@example.test")])["results"]
        assert [each.get("code", "ok") for each in results] == ["bad_expectation", "ok"], row
