"""A real agent as its production user, on files of its own; no mail server behind it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "deploy" / "mailhost"))

import prepare  # noqa: E402
from settings import HostSettings, Ports  # noqa: E402


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class AgentProcess:
    """Start it, talk to it, kill it, read its files."""

    def __init__(self) -> None:
        self.state = Path(tempfile.mkdtemp(prefix="pk-", dir="/tmp"))
        self.state.chmod(0o755)
        ports = {name: free_port() for name in ("agent_http", "probe", "imaps", "scan")}
        self.settings = HostSettings(
            state=str(self.state), hostname="mail.example.net", host_id=str(uuid.uuid4()),
            ports=Ports(**ports),
        )  # fmt: skip
        prepare._users(self.settings)
        prepare._directories(self.settings)
        prepare._code(self.settings)
        prepare._token(self.settings)
        prepare._agent_config(self.settings)
        self.process: subprocess.Popen[bytes] | None = None
        self.log = self.state / "log" / "agent.log"
        self.start()

    @property
    def socket_path(self) -> Path:
        return self.state / "run" / "agent" / "agent.sock"

    @property
    def url(self) -> str:
        return f"unix:{self.socket_path}"

    def start(self) -> None:
        self.socket_path.unlink(missing_ok=True)
        argv = [
            "/usr/bin/python3",
            "-B",
            "-m",
            "agent",
            "--config",
            str(self.state / "etc/agent.json"),
        ]
        user = ["setpriv", "--reuid=pk-agent", "--regid=pk-agent", "--clear-groups"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*user, *argv], cwd=self.state / "code", stderr=log, stdout=log
            )
        end = time.monotonic() + 15
        while not self.socket_path.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, "the agent does not listen"
            time.sleep(0.01)

    def kill(self, number: int = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(10)

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.state, ignore_errors=True)

    def forget_everything(self) -> None:
        """The host is rebuilt empty: the same place, without its files."""
        self.kill()
        for name in ("lookup", "auth", "private"):
            for path in (self.state / name).iterdir():
                path.unlink()
        self.start()

    # --- talking --------------------------------------------------------------------------------

    def connect(self) -> socket.socket:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.settimeout(20)
        stream.connect(str(self.socket_path))
        return stream

    def raw(self, data: bytes) -> dict[str, Any]:
        with self.connect() as stream:
            stream.sendall(data)
            with stream.makefile("rb") as answers:
                return dict(json.loads(answers.readline()))

    def call(self, verb: str, **arguments: Any) -> dict[str, Any]:
        return self.raw(json.dumps({"v": 3, "id": 1, "verb": verb, **arguments}).encode() + b"\n")

    # --- looking --------------------------------------------------------------------------------

    def rows(self, name: str, query: str) -> list[tuple[Any, ...]]:
        """Read a file as a stranger would: not by the agent's word."""
        path = self.state / name / f"{name}.sqlite"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return connection.execute(query).fetchall()

    def write(self, name: str, statement: str) -> None:
        """Tamper with a file by hand."""
        with sqlite3.connect(self.state / name / f"{name}.sqlite", timeout=10) as connection:
            connection.execute(statement)


class UnixProxy:
    """Stands between panel and agent, and breaks the line as it is told.

    `drop_answers`: requests get through, their answers are lost with the connection.
    `drop_after`: so many bytes of the next request get through, then the line is cut.
    """

    def __init__(self, inner: Path) -> None:
        self.inner = inner
        self.folder = Path(tempfile.mkdtemp(prefix="pkp-", dir="/tmp"))
        self.path = self.folder / "agent.sock"
        self.drop_answers = ""
        self.drop_after: int | None = None
        self.seen: list[dict] = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.path))
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"unix:{self.path}"

    def _accept(self) -> None:
        while True:
            try:
                outer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(outer,), daemon=True).start()

    def _serve(self, outer: socket.socket) -> None:
        inner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with outer, inner:
            try:
                inner.connect(str(self.inner))
                requests, answers = outer.makefile("rb"), inner.makefile("rb")
                for line in requests:
                    self.seen.append(json.loads(line))
                    if self.drop_after is not None and b'"verb":"apply"' in line:
                        inner.sendall(line[: self.drop_after])
                        self.drop_after = None
                        return
                    inner.sendall(line)
                    answer = answers.readline()
                    if self.drop_answers and self.drop_answers.encode() in line:
                        return
                    outer.sendall(answer)
            except OSError:
                return

    def close(self) -> None:
        self.listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)


assert os.geteuid() == 0, "these tests start services as their production users: run them as root"
