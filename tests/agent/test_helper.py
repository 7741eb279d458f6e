"""The root helper: fixed verbs, arguments by pattern, heard only from the agent's user."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agentproc import CHECKOUT, AgentProcess

sys.path.insert(0, str(CHECKOUT / "deploy" / "mailhost"))

from helper.verbs import NotDone, Verbs


@pytest.fixture
def state(tmp_path) -> Path:
    (tmp_path / "mail").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "request_",
    [
        {}, {"verb": "shell"}, {"verb": "ping", "extra": "x"}, {"verb": "queue_action", "action": "delete", "queue_id": "ALL"},
        {"verb": "queue_action", "action": "purge", "queue_id": "4jYL205GxPzCQ70"},
        {"verb": "queue_action", "action": "delete", "queue_id": "-d ALL"},
        {"verb": "queue_action", "action": "delete", "queue_id": "../x"},
        {"verb": "requeue", "domain": "-d"}, {"verb": "requeue", "domain": "a.test\nALL"}, {"verb": "requeue", "domain": ""},
        {"verb": "kick", "login": "a@b; reboot"}, {"verb": "kick", "login": "-A"}, {"verb": "kick", "login": "*"}, {"verb": "usage", "login": "*@example.test"}, {"verb": "usage", "login": "-A"},
        {"verb": "purge", "storage_id": ".."}, {"verb": "purge", "storage_id": "A" * 32}, {"verb": "purge", "storage_id": ""},
        {"verb": "purge", "storage_id": ["x"]},
    ],
)  # fmt: skip
def test_case_081_unknown_verbs_and_bad_arguments_are_refused(state, request_) -> None:
    with pytest.raises(NotDone):
        Verbs(state).call(dict(request_))


def test_purge_removes_one_storage_and_nothing_beside_it(state) -> None:
    mine, other = state / "mail/ab" / ("ab" + "0" * 30), state / "mail/ab" / ("ab" + "1" * 30)
    for place in (mine, other):
        (place / "Maildir/cur").mkdir(parents=True)
        (place / "Maildir/cur/mail").write_text("x")
    Verbs(state).call({"verb": "purge", "storage_id": mine.name})
    assert not mine.exists() and (other / "Maildir/cur/mail").exists()
    Verbs(state).call({"verb": "purge", "storage_id": mine.name})


@pytest.mark.parametrize("where", ["shelf", "storage", "inside"])
def test_case_081_planted_link_is_never_followed(state, where) -> None:
    victim = state / "victim"
    victim.mkdir()
    (victim / "keep").write_text("x")
    storage_id = "cd" + "2" * 30
    shelf = state / "mail/cd"
    if where == "shelf":
        shelf.symlink_to(victim)
        with pytest.raises(NotDone):
            Verbs(state).call({"verb": "purge", "storage_id": storage_id})
    else:
        shelf.mkdir()
        if where == "storage":
            (shelf / storage_id).symlink_to(victim)
        else:
            (shelf / storage_id).mkdir()
            (shelf / storage_id / "link").symlink_to(victim)
            os.mkfifo(shelf / storage_id / "fifo")
        Verbs(state).call({"verb": "purge", "storage_id": storage_id})
        assert not (shelf / storage_id).is_symlink() and not (shelf / storage_id).exists()
    assert (victim / "keep").read_text() == "x"


def test_only_the_agents_user_is_heard() -> None:
    agent = AgentProcess()
    config = agent.state / "etc/agent.json"
    helper = subprocess.Popen(
        ["/usr/bin/python3", "-B", "-m", "helper", "--config", str(config)], cwd=agent.state / "code",
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    path = agent.state / "run/helper/helper.sock"
    try:
        end = time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.1)
        assert path.stat().st_mode & 0o777 == 0o660
        path.parent.chmod(0o755)
        path.chmod(0o666)
        assert ask_as("nobody", path) == {"ok": False, "code": "not_heard"}
        assert ask_as("pk-agent", path)["ok"] is True
    finally:
        helper.terminate()
        helper.wait(10)
        agent.close()
        shutil.rmtree(agent.state, ignore_errors=True)


def ask_as(user: str, path: Path) -> dict:
    code = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        's.sendall(b\'{"verb": "ping"}\\n\'); print(s.recv(1000).decode())'
    )
    gid = pwd.getpwnam(user).pw_gid
    done = subprocess.run(
        ["setpriv", f"--reuid={user}", f"--regid={gid}", "--clear-groups", "/usr/bin/python3", "-c", code, path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)
