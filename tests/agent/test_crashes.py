"""Killed at every boundary: what was sent again makes the files equal, and nothing due is lost."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest
from agentproc import CHECKOUT, AgentProcess
from rowmaker import (
    HASH,
    batch,
    contents,
    domain,
    key,
    mailbox,
    position,
    positions,
    purge,
    send,
    verdicts,
    without,
)

OTHER_HASH = HASH[:-4] + "NNNN"


def put_back(agent: AgentProcess, names: list[str], before: Path) -> None:
    """Give these files the content that they had: that of a crash before their commits."""
    for name in names:
        for path in (agent.state / name).iterdir():
            if path.name.startswith(name):
                path.unlink()
        for path in (before / name).iterdir():
            copy = shutil.copy2(path, agent.state / name)
            shutil.chown(copy, "pk-agent", agent.paths[name])


@pytest.fixture
def halfway(own_agent, tmp_path):
    """An agent, and a way to leave a batch at the boundary after `committed`."""
    own_agent.paths = {"private": "pk-agent", "auth": "dovecot", "lookup": "postfix"}

    def leave(committed: list[str], change) -> None:
        own_agent.kill()
        for name in own_agent.paths:
            shutil.copytree(own_agent.state / name, tmp_path / name)
        own_agent.start()
        change()
        own_agent.kill()
        put_back(own_agent, [name for name in own_agent.paths if name not in committed], tmp_path)

    return own_agent, leave


BOUNDARIES = [["private"], ["private", "auth"], ["private", "auth", "lookup"]]


@pytest.mark.parametrize("committed", BOUNDARIES)
def test_f04_batch_cut_between_two_commits_is_mended_by_a_replay(halfway, committed) -> None:
    agent, leave = halfway
    send(agent, domain(), mailbox(1, "alt"), mailbox(2, "bleibt"), key(1))
    arguments = batch(
        agent, without(mailbox(1, "alt")), mailbox(3, "alt"), domain(2, "neu.test"), key(2),
        mailbox(2, "bleibt", credentials=[{"prefix": "", "hash": OTHER_HASH, "protocols": [], "expires": None}]),
    )  # fmt: skip
    leave(committed, lambda: agent.call("apply", **arguments))
    agent.start()
    done = len(committed) == 3
    assert position(agent) == (arguments["to"] if done else arguments["base"])
    assert agent.call("status")["torn"] is not done
    assert set(verdicts(agent.call("apply", **arguments)).values()) == {"ok"}
    assert contents(agent) == {
        "domains": [(1, "example.test"), (2, "neu.test")],
        "auth domains": [(1, "example.test"), (2, "neu.test")],
        "addresses": [(2, "bleibt", 10), (3, "alt", 10)],
        "logins": [(2, "bleibt"), (3, "alt")],
        "hashes": [(2, OTHER_HASH), (3, HASH)],
        "keys": [(1, "s1"), (2, "s2")],
    }
    assert positions(agent) == {tuple(arguments["to"].values())}


@pytest.mark.parametrize("committed", BOUNDARIES[:2])
def test_f04_batch_sent_again_with_newer_rows_and_another_id(halfway, committed) -> None:
    agent, leave = halfway
    send(agent, domain(), mailbox(1, "info"))
    leave(committed, lambda: send(agent, mailbox(1, "info", quota_mib=20), mailbox(2, "zwei")))
    agent.start()
    answer = send(agent, mailbox(1, "info", quota_mib=30), without(mailbox(2, "zwei")), domain())
    assert set(verdicts(answer).values()) == {"ok"}
    there = contents(agent)
    assert there["addresses"] == [(1, "info", 30)] and there["logins"] == [(1, "info")]
    assert len(positions(agent)) == 1


@pytest.mark.parametrize("name", ["private", "auth"])
def test_f31_file_from_a_backup_is_a_fork_and_no_torn_batch(halfway, name) -> None:
    agent, leave = halfway
    send(agent, domain(), key(1))

    def change() -> None:
        send(agent, key(2))
        send(agent, key(3))

    others = [each for each in agent.paths if each != name]
    leave(others, change)
    last = agent.rows("lookup", "SELECT epoch, generation, batch FROM meta")[0]
    agent.start()
    assert tuple(position(agent).values()) != last
    assert agent.call("status")["torn"] is False
    base = dict(zip(("epoch", "generation", "batch"), last, strict=True))
    answer = agent.call("apply", token=1, base=base, to={**base, "batch": "next"}, rows=[])
    assert answer["code"] == "fork"


def test_f04_killed_at_random_moments_converges(own_agent) -> None:
    send(own_agent, domain())
    torn = 0
    for number in range(16):
        rows = [mailbox(n, f"box{n}", quota_mib=number + 1) for n in range(1, 1200)]
        arguments = batch(own_agent, *rows, key(number + 1))
        killer = threading.Thread(
            target=kill_when_it_writes, args=(own_agent, 0.0004 * (number % 8))
        )
        killer.start()
        with contextlib.suppress(OSError, ValueError):
            own_agent.call("apply", **arguments)
        killer.join()
        assert own_agent.process is not None
        own_agent.process.wait(10)
        own_agent.start()
        torn += own_agent.call("status")["torn"]
        assert position(own_agent) in (arguments["base"], arguments["to"])
        assert own_agent.call("apply", **arguments)["ok"]
        there = contents(own_agent)
        assert {row[2] for row in there["addresses"]} == {number + 1}
        assert len(there["addresses"]) == len(there["logins"]) == 1199
        assert len(there["keys"]) == number + 1 and len(positions(own_agent)) == 1
    print(f"{torn} of 16 kills came between two commits")


def kill_when_it_writes(agent: AgentProcess, delay: float) -> None:
    log = agent.state / "private/private.sqlite-wal"
    before, end = log.stat().st_mtime_ns, time.monotonic() + 5
    while log.stat().st_mtime_ns == before and time.monotonic() < end:
        pass
    time.sleep(delay)
    agent.process.send_signal(signal.SIGKILL)


def test_f02_batch_cut_in_transfer_changes_nothing(own_agent) -> None:
    line = json.dumps({"v": 3, "id": 1, "verb": "apply", **batch(own_agent, domain())}).encode()
    for length in (1, len(line) // 2, len(line)):
        with own_agent.connect() as stream:
            stream.sendall(line[:length])
    time.sleep(0.1)
    assert position(own_agent)["generation"] == 0
    assert contents(own_agent)["domains"] == []


def test_second_agent_on_the_same_files_does_not_start(own_agent) -> None:
    config = str(own_agent.state / "etc/agent.json")
    second = subprocess.run(
        ["setpriv", "--reuid=pk-agent", "--regid=pk-agent", "--clear-groups", "/usr/bin/python3", "-B", "-m", "agent", "--config", config],
        cwd=own_agent.state / "code", capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert second.returncode != 0 and "another agent" in second.stderr
    assert own_agent.call("hello")["ok"]


def test_files_of_a_newer_agent_are_left_alone(own_agent) -> None:
    own_agent.write("lookup", "UPDATE meta SET schema = 99")
    own_agent.kill()
    with pytest.raises(AssertionError, match="newer agent"):
        own_agent.start()


LATER_COLUMNS = ("elsewhere", "account_id", "rate_mailbox", "rate_domain", "rate_account")


def test_files_of_the_first_schema_are_brought_up_to_date(own_agent) -> None:
    """What they hold stays; what they could not hold yet is sent again for its digest."""
    send(own_agent, domain(), mailbox(1, "info"))
    rows = {row["key"]: row["digest"] for row in own_agent.call("rows", domain_id=1)["rows"]}
    digests = own_agent.call("digest")["digests"]
    own_agent.kill()
    path = own_agent.state / "lookup/lookup.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP VIEW receiving; UPDATE meta SET schema = 1;"
            + "".join(f"ALTER TABLE domain DROP COLUMN {name};" for name in LATER_COLUMNS)
        )
    with sqlite3.connect(":memory:") as first:
        first.executescript((CHECKOUT / "deploy/mailhost/schema/lookup.sql").read_text())
        query = "SELECT name FROM pragma_table_info('domain')"
        columns = first.execute(query).fetchall()
    assert own_agent.rows("lookup", query) == columns, "as the first agent made it"
    for _time in range(2):
        own_agent.restart()
        assert own_agent.rows("lookup", "SELECT schema FROM meta") == [(3,)]
        assert own_agent.rows("lookup", "SELECT name, elsewhere FROM receiving") == [
            ("example.test", 0)
        ]
        assert own_agent.call("digest")["digests"] != digests
    assert verdicts(send(own_agent, domain())) == {"1": "ok"}
    assert own_agent.call("digest")["digests"] == digests
    assert {
        row["key"]: row["digest"] for row in own_agent.call("rows", domain_id=1)["rows"]
    } == rows
    assert verdicts(send(own_agent, domain(elsewhere=True))) == {"1": "ok"}
    assert own_agent.rows("lookup", "SELECT * FROM receiving") == []
    assert own_agent.call("digest")["digests"] != digests


# --- what a batch leaves to do ---------------------------------------------------------------------


class Helper:
    """Stands where the root helper stands; answers when it is told to."""

    def __init__(self, agent: AgentProcess) -> None:
        self.path = agent.state / "run/helper/helper.sock"
        self.heard: list[dict] = []
        self.says: dict | None = {"ok": True}
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.path))
        self.path.chmod(0o666)
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        with stream, stream.makefile("rb") as requests:
            self.heard.append(json.loads(requests.readline()))
            if self.says is None:
                requests.read()
            else:
                stream.sendall(json.dumps(self.says).encode() + b"\n")

    def wait_for(self, *wanted: dict, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not all(each in self.heard for each in wanted):
            assert time.monotonic() < end, (wanted, self.heard)
            time.sleep(0.01)

    def close(self) -> None:
        self.listener.close()
        self.path.unlink(missing_ok=True)


@pytest.fixture
def helper(own_agent):
    helper = Helper(own_agent)
    yield helper
    helper.close()


RELOAD = {"verb": "reload_postfix"}
KICK = {"verb": "kick", "login": "info@example.test"}


def test_new_domains_lead_to_one_reload_before_the_answer(own_agent, helper) -> None:
    answer = send(own_agent, domain(), domain(2, "b.test"), domain(3, "c.test"), mailbox(7, "info"))
    assert (answer["reload"], helper.heard) == ("done", [RELOAD])
    assert set(answer["took_ms"]) == {"private", "auth", "lookup", "reload", "total"}
    assert send(own_agent, domain(), mailbox(7, "info", quota_mib=7))["reload"] == "none"
    assert send(own_agent, domain(1, "new.test"))["reload"] == "done"
    assert send(own_agent, without(domain(2)))["reload"] == "done"


def test_domain_whose_mail_goes_elsewhere_or_comes_back_needs_a_reload(own_agent, helper) -> None:
    send(own_agent, domain(), domain(2, "b.test"), mailbox(7, "info"))
    assert send(own_agent, domain(elsewhere=True))["reload"] == "done"
    assert send(own_agent, domain(elsewhere=True, catch_all="x@b.de"))["reload"] == "none"
    assert send(own_agent, domain(2, "b.test", canonical_id=1))["reload"] == "done"
    assert send(own_agent, domain())["reload"] == "done"
    assert send(own_agent, domain(), domain(2, "b.test"))["reload"] == "done"
    again = [{"verb": "requeue", "domain": name} for name in ("b.test", "example.test")]
    helper.wait_for(*again)
    assert sorted(helper.heard, key=str) == [RELOAD] * 5 + again, "and no session ends"


@pytest.mark.parametrize(
    ("row", "kicked"),
    [
        (mailbox(7, "info", state="off"), "info@example.test"),
        (mailbox(7, "info", state="login_off"), "info@example.test"),
        (without(mailbox(7, "info")), "info@example.test"),
        (mailbox(7, "neu"), "info@example.test"),
        (mailbox(7, "info", credentials=[{"prefix": "", "hash": OTHER_HASH, "protocols": ["imap"], "expires": None}]), "info@example.test"),
        (mailbox(7, "info", credentials=[{"prefix": "", "hash": HASH, "protocols": [], "expires": None}]), "info@example.test"),
        (domain(state="login_off"), "*@example.test"),
        (domain(name="neu.test"), "*@example.test"),
    ],
)  # fmt: skip
def test_sessions_end_with_the_right_to_log_in(own_agent, helper, row, kicked) -> None:
    send(own_agent, domain(), mailbox(7, "info"))
    send(own_agent, row)
    helper.wait_for({"verb": "kick", "login": kicked})


def test_sessions_of_unchanged_log_ins_go_on(own_agent, helper) -> None:
    send(own_agent, domain(), mailbox(7, "info"))
    more = {"prefix": "app", "hash": OTHER_HASH, "protocols": ["imap"], "expires": None}
    first = mailbox(7, "info")["credentials"]
    send(own_agent, domain(catch_all="x@b.de"), mailbox(7, "info", credentials=[*first, more]))
    time.sleep(0.2)
    assert helper.heard == [RELOAD]


@pytest.mark.parametrize("end", ["killed", "helper away"])
def test_f03_what_was_due_is_done_after_a_crash(own_agent, helper, end) -> None:
    send(own_agent, domain(), mailbox(7, "info"), mailbox(8, "weg"))
    helper.heard.clear()
    gone = f"{8:032x}"
    rows = [domain(2, "b.test"), mailbox(7, "info", state="off"), without(mailbox(8, "")), purge(gone)]  # fmt: skip
    wanted = [RELOAD, KICK, {"verb": "purge", "storage_id": gone}]
    if end == "killed":
        helper.says = None
        with pytest.raises((OSError, ValueError)):
            threading.Timer(0.3, own_agent.kill).start()
            send(own_agent, *rows)
        helper.says = {"ok": True}
        helper.heard.clear()
        own_agent.start()
    else:
        helper.path.rename(helper.path.with_name("away"))
        answer = send(own_agent, *rows)
        assert answer["reload"] == "failed"
        assert verdicts(answer)[gone] == "helper_unreachable"
        assert verdicts(answer)["2"] == "ok"
        helper.path.with_name("away").rename(helper.path)
    helper.wait_for(*wanted)
    time.sleep(0.1)
    assert own_agent.rows("private", "SELECT * FROM due") == []


def test_purge_waits_for_no_living_address_and_returns_to_none(own_agent, helper) -> None:
    send(own_agent, domain(), mailbox(7, "info", state="trash"))
    storage_id = mailbox(7, "info")["storage_id"]
    assert verdicts(send(own_agent, purge(storage_id))) == {storage_id: "storage_in_use"}
    assert own_agent.call("purge", token=1, storage_id=storage_id)["code"] == "storage_in_use"
    helper.says = {"ok": False, "code": "unfinished", "facts": {}}
    answer = send(own_agent, without(mailbox(7, "")), purge(storage_id))
    assert verdicts(answer)[storage_id] == "unfinished"
    assert verdicts(send(own_agent, mailbox(7, "info"))) == {"7": "storage_in_purge"}
    helper.says = {"ok": True}
    end = time.monotonic() + 10
    while own_agent.rows("private", "SELECT * FROM due"):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert own_agent.call("purge", token=1, storage_id=storage_id)["ok"]
