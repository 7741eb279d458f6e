"""Who reaches the agent and its files, and what happens when too many come."""

from __future__ import annotations

import grp
import json
import pwd
import signal
import subprocess
from pathlib import Path

import pytest
from rowmaker import domain, key, mailbox, send


def owner(path: Path) -> tuple[str, str, str]:
    about = path.stat()
    return (
        pwd.getpwuid(about.st_uid).pw_name, grp.getgrgid(about.st_gid).gr_name, oct(about.st_mode & 0o777),
    )  # fmt: skip


def test_case_079_files_belong_to_who_may_read_them(agent) -> None:
    send(agent, domain(), mailbox(7, "info"), key(1))
    for name, group in (("lookup", "postfix"), ("auth", "dovecot"), ("private", "pk-agent")):
        for ending in ("", "-wal", "-shm"):
            path = agent.state / name / f"{name}.sqlite{ending}"
            assert owner(path) == ("pk-agent", group, "0o640"), path
    assert owner(agent.state / "private") == ("pk-agent", "pk-agent", "0o700")
    assert owner(agent.socket_path)[2] == "0o660"
    assert owner(agent.socket_path)[1] == agent.settings.panel_group


@pytest.mark.parametrize(
    ("user", "name", "reads"),
    [
        ("postfix", "lookup", True), ("dovecot", "auth", True), ("postfix", "auth", False),
        ("dovecot", "private", False), ("pk-vmail", "lookup", False), ("nobody", "auth", False),
    ],
)  # fmt: skip
def test_case_078_users_read_their_own_file_and_write_none(agent, user, name, reads) -> None:
    code = (
        "import sqlite3, sys\nc = sqlite3.connect('file:' + sys.argv[1] + '?mode=' + sys.argv[2], uri=True)\n"
        "print(c.execute('SELECT count(*) FROM meta').fetchone()[0])\n"
        "c.execute('UPDATE meta SET generation = 0')\n"
    )  # fmt: skip
    path = agent.state / name / f"{name}.sqlite"
    done = subprocess.run(
        ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups", "/usr/bin/python3", "-c", code, path, "rw"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode != 0 and "readonly" in done.stderr) or not reads
    assert done.stdout.strip() == ("1" if reads else "")


def test_readers_go_on_after_the_agent_has_left(own_agent) -> None:
    send(own_agent, domain())
    own_agent.kill(signal.SIGTERM)
    for name in ("lookup", "auth"):
        for ending in ("-wal", "-shm"):
            assert (own_agent.state / name / f"{name}.sqlite{ending}").exists()


def test_one_too_many_is_told_so_and_room_is_given_back(own_agent) -> None:
    held = [own_agent.connect() for _ in range(64)]
    for stream in held:
        stream.sendall(b'{"v": 3, "id": 1, "verb": "status"}\n')
        assert stream.recv(65536)
    with own_agent.connect() as stream, stream.makefile("rb") as answers:
        assert json.loads(answers.readline())["code"] == "busy"
    for stream in held:
        stream.close()
    for _ in range(100):
        if own_agent.raw(b'{"v": 3, "id": 1, "verb": "hello"}\n').get("ok"):
            return
    raise AssertionError("no room was given back")


def test_answers_come_in_the_order_of_the_requests(agent) -> None:
    with agent.connect() as stream, stream.makefile("rb") as answers:
        stream.sendall(b"".join(b'{"v":3,"id":%d,"verb":"hello"}\n' % n for n in range(200)))
        assert [json.loads(answers.readline())["id"] for _ in range(200)] == list(range(200))
