"""The bare chain without the panel: what a change costs at the least on this machine."""

from __future__ import annotations

import hashlib
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from pathlib import Path

from celery import Celery

app = Celery("floor", broker=os.environ.get("FLOOR_REDIS", "redis://127.0.0.1:1/0"))
app.conf.task_default_queue = "floor"
app.conf.task_ignore_result = True


@app.task
def started(path: str) -> None:
    """Say when a worker has begun."""
    Path(path).write_text(repr(time.time()))


class Floor:
    """One mailbox through the bare chain, in milliseconds."""

    def __init__(self, state: Path, ports: dict[str, int], folder: Path) -> None:
        self.state, self.ports, self.folder = state, ports, folder
        os.environ["FLOOR_REDIS"] = f"redis://127.0.0.1:{ports['redis']}/0"
        app.conf.broker_url = os.environ["FLOOR_REDIS"]
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "floor", "worker", "-P", "threads", "-c", "2",
             "-Q", "floor", "-l", "ERROR", "--without-gossip", "--without-mingle"],
            cwd=Path(__file__).parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.files = {
            name: sqlite3.connect(
                state / "mailhost" / name / f"{name}.sqlite", timeout=30, isolation_level=None
            )
            for name in ("private", "auth", "lookup")
        }
        for connection in self.files.values():
            connection.execute("PRAGMA synchronous = FULL")
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        self.number = 10**9
        self.domain_id, self.domain = (
            self.files["lookup"].execute("SELECT id, name FROM domain").fetchone()
        )
        for _ in range(5):
            self.run()

    def close(self) -> None:
        self.worker.terminate()
        self.worker.wait(20)
        for name, table, column in (
            ("lookup", "address", "id"), ("auth", "login", "address_id"), ("auth", "credential", "address_id"),
        ):  # fmt: skip
            self.files[name].execute(f"DELETE FROM {table} WHERE {column} > 1000000000")

    def run(self) -> float:
        begun = time.perf_counter()
        self.number += 1
        name = f"floor{self.number}"
        self._fire()
        self._commit(name)
        self._rcpt(name)
        self._log_in(name)
        return (time.perf_counter() - begun) * 1000

    def _fire(self) -> None:
        path = self.folder / f"started-{self.number}"
        started.delay(str(path))
        while not path.exists():
            time.sleep(0.0002)

    def _commit(self, name: str) -> None:
        storage = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        digest = "{SHA256.HEX}" + hashlib.sha256(b"floor-password").hexdigest()
        lookup, auth, private = self.files["lookup"], self.files["auth"], self.files["private"]
        for connection in (private, auth, lookup):
            connection.execute("BEGIN IMMEDIATE")
        private.execute("UPDATE meta SET schema = schema")
        auth.execute(
            "INSERT INTO login VALUES (?, ?, ?, 'active', ?)",
            (self.number, self.domain_id, name, storage),
        )
        auth.execute(
            "INSERT INTO credential VALUES (?, '', ?, 'imap', NULL)", (self.number, digest)
        )
        lookup.execute(
            "INSERT INTO address VALUES (?, ?, ?, 'mailbox', 'active', ?, 10, 1)",
            (self.number, self.domain_id, name, storage),
        )
        for connection in (private, auth, lookup):
            connection.execute("COMMIT")

    def _rcpt(self, name: str) -> None:
        with (
            socket.create_connection(("127.0.0.1", self.ports["probe"])) as stream,
            stream.makefile("rb") as lines,
        ):
            lines.readline()
            stream.sendall(b"EHLO floor.example\r\n")
            while lines.readline()[3:4] == b"-":
                pass
            stream.sendall(
                f"MAIL FROM:<a@floor.example>\r\nRCPT TO:<{name}@{self.domain}>\r\nQUIT\r\n".encode()
            )
            lines.readline()
            answer = lines.readline()
            assert answer.startswith(b"250"), answer

    def _log_in(self, name: str) -> None:
        with (
            socket.create_connection(("127.0.0.1", self.ports["imaps"])) as plain,
            self.tls.wrap_socket(plain) as stream,
            stream.makefile("rb") as lines,
        ):
            lines.readline()
            stream.sendall(f'a LOGIN "{name}@{self.domain}" "floor-password"\r\n'.encode())
            while not (line := lines.readline()).startswith(b"a "):
                pass
            assert line.startswith(b"a OK"), line
            stream.sendall(b"c LOGOUT\r\n")
