"""The agent's socket: whatever comes, it answers with a code, logs, and lives."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BASE = {"epoch": "", "generation": 0, "batch": ""}


def alive(agent) -> bool:
    return agent.process.poll() is None and agent.call("hello")["ok"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\n", "bad_json"),
        (b"garbage\n", "bad_json"),
        (b"[]\n", "bad_json"),
        (b"null\n", "bad_json"),
        (b"\xff\xfe\n", "bad_json"),
        (b'{"v":3,"verb":"hello"\n', "bad_json"),
        (b'{"v":3,"v":3,"verb":"hello"}\n', "bad_json"),
        (b'{"v":NaN}\n', "bad_json"),
        (b"[" * 100_000 + b"\n", "bad_json"),
        (b'{"v":' + b"9" * 5000 + b"}\n", "bad_json"),
        (b"{}\n", "bad_version"),
        (b'{"v":2,"verb":"hello"}\n', "bad_version"),
        (b'{"v":"1","verb":"hello"}\n', "bad_version"),
        (b'{"v":3}\n', "unknown_verb"),
        (b'{"v":3,"verb":"shell"}\n', "unknown_verb"),
        (b'{"v":3,"verb":["hello"]}\n', "unknown_verb"),
        (b'{"v":3,"verb":"apply"}\n', "bad_request"),
        (b'{"v":3,"verb":"prove","rows":7}\n', "bad_request"),
        (b'{"v":3,"verb":"reload","what":"reboot"}\n', "bad_request"),
    ],
)
def test_case_081_garbage_gets_a_code(agent, line: bytes, code: str) -> None:
    answer = agent.raw(line)
    assert (answer["ok"], answer["code"]) == (False, code)
    assert alive(agent)


def test_f33_version_is_agreed_at_the_greeting(agent) -> None:
    hello = agent.call("hello")
    assert hello["protocols"] == [3]
    assert (hello["epoch"], hello["generation"], hello["batch"]) == ("", 0, "")


def test_gigabyte_without_a_newline_is_refused_in_little_memory(agent) -> None:
    piece, sent = b"x" * 1_048_576, 0
    with agent.connect() as stream:
        stream.settimeout(10)
        try:
            for _ in range(1024):
                stream.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
    assert sent < 64 * 1_048_576, "cut off early"
    status = Path(f"/proc/{agent.process.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0])
    assert peak < 120_000, f"{peak} KiB"
    assert "line_too_long" in agent.log.read_text()
    assert alive(agent)


def test_half_a_line_and_a_hang_up_do_no_harm(agent) -> None:
    for data in (b'{"v":3,"verb":"app', b""):
        with agent.connect() as stream:
            stream.sendall(data)
    assert alive(agent)


def test_many_idle_connections_do_not_shut_others_out_for_ever(agent) -> None:
    streams = [agent.connect() for _ in range(60)]
    for stream in streams:
        stream.close()
    time.sleep(0.1)
    assert alive(agent)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5)
    ),
    max_leaves=15,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    verb=st.sampled_from(
        ["apply", "replace", "prove", "digest", "rows", "purge", "kick", "queue_action"]
    ),
    rest=st.dictionaries(
        st.sampled_from(
            [
                "token",
                "base",
                "to",
                "rows",
                "domains",
                "domain_id",
                "phase",
                "storage_id",
                "login",
                "action",
                "queue_id",
                "generation",
                "epoch",
                "batch",
            ]
        ),
        JSON,
    ),
)
def test_random_requests_change_nothing_and_kill_nothing(agent, verb, rest) -> None:
    rest.pop("generation", None)
    answer = agent.raw(json.dumps({"v": 2, "id": 1, "verb": verb, **rest}).encode() + b"\n")
    assert isinstance(answer["ok"], bool)
    assert answer.get("code") != "agent_fault", (verb, rest)
    assert agent.rows("lookup", "SELECT count(*) FROM address") == [(0,)]


def test_rspamd_door_wants_the_token(agent) -> None:
    with socket.create_connection(("127.0.0.1", agent.settings.ports.agent_http)) as stream:
        stream.sendall(
            b"GET /v1/dkim/example.test HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert b" 403 " in stream.recv(1000)
