"""A whole mail host without a panel: its services as their users, filled through its agent."""

from __future__ import annotations

import hashlib
import imaplib
import itertools
import json
import os
import pwd
import random
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.append(str(CHECKOUT / "tests" / "live"))
sys.path.append(str(CHECKOUT / "deploy" / "mailhost"))

from settings import Ports  # noqa: E402
from trial import Trial, letter, until  # noqa: E402

__all__ = ["HOSTNAME", "PASSWORD", "MailHost", "Row", "letter", "until"]

HOSTNAME = "mail.host.test"
PASSWORD = "blau-Segel-27-Ofen"
# Dovecot takes a client with its own address for a local one; these clients come from next door.
NEXT_DOOR = ("127.0.0.2", 0)
# The parameters of the panel's own hashes.
ARGON2ID = "{ARGON2ID}" + PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(
    PASSWORD
)
Row = dict[str, Any]
_numbers = itertools.count(1)


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, outside the range from which the system gives its own."""
    found: list[int] = []
    for port in random.sample(range(20000, 32000), 500):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")


class MailHost(Trial):
    """Start it, fill it, send to it, kill its parts. The clients are those of a trial."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="pkh-", dir="/tmp"))
        self.base.chmod(0o755)
        # As in a trial, where the clients look for it.
        self.state = self.base
        self.home = self.base / "mailhost"
        names = list(Ports.__dataclass_fields__)
        numbers = free_ports(len(names) + 1)
        self.ports = dict(zip(names, numbers, strict=False))
        self.sink_port = numbers[-1]
        (self.base / "outside").mkdir()
        self.settings_path = self.base / "mailhost.json"
        self.settings_path.write_text(json.dumps(self.settings()))
        places = ("smtp", "submission", "submissions", "imap", "imaps", "pop3s", "managesieve")
        self.facts = {name: ["127.0.0.1", self.ports[name]] for name in places}
        self.facts |= {
            "ca": str(self.home / "tls" / "ca.pem"),
            "outside": str(self.base / "outside"),
        }
        self.process = None
        self.sink: subprocess.Popen[bytes] | None = None

    def settings(self) -> dict[str, Any]:
        return {
            "state": str(self.home),
            "hostname": HOSTNAME,
            "host_id": str(uuid.uuid4()),
            "ports": self.ports,
            "relay": f"[127.0.0.1]:{self.sink_port}",
            "operator_address": "operator@outside.example",
            "panel_group": "root",
            "name_servers": ["127.0.0.1:9"],
        }

    # --- running --------------------------------------------------------------------------------

    def start(self) -> None:
        if self.sink is None:
            self.start_sink()
        log = self.base / "mailside.out"
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                ["/usr/bin/python3", "-B", "deploy/trial/mailside.py", str(self.settings_path)],
                cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=out, stderr=out,
            )  # fmt: skip

        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, log.read_text()
            return (self.home / "run" / "ready").exists()

        until(ready, seconds=90, what=f"the services; see {log}")

    def start_sink(self) -> None:
        """The outside, which takes all mail; a test may end it for a while."""
        self.sink = subprocess.Popen(
            [sys.executable, "deploy/trial/outside.py", str(self.sink_port), self.facts["outside"]],
            cwd=CHECKOUT,
        )

    def stop(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait(60)
            self.process = None

    def close(self) -> None:
        self.stop()
        if self.sink is not None:
            self.sink.kill()
            self.sink.wait()
        if not os.environ.get("POSTKONTOR_KEEP_STATE"):
            shutil.rmtree(self.base, ignore_errors=True)

    def sessions(self) -> list[int]:
        """The first process of each service."""
        return [int(pid) for pid in json.loads((self.home / "run/services.json").read_text())]

    def pid(self, *needles: str) -> int:
        """The service whose command line holds all of `needles`."""
        for pid in self.sessions():
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if all(needle in line for needle in needles):
                return pid
        raise AssertionError(f"not running: {needles}")

    def agent_pid(self) -> int:
        return self.pid("-m agent")

    def agent_is_back(self, gone: int) -> bool:
        """Whether another agent than this one answers."""
        try:
            return gone not in self.sessions() and bool(self.call("hello")["ok"])
        except (OSError, ValueError):
            return False

    def is_up(self) -> bool:
        """Whether every service that listens does."""
        for port in self.ports.values():
            with socket.socket() as probe:
                probe.settimeout(2)
                if probe.connect_ex(("127.0.0.1", port)):
                    return False
        return (self.home / "run/agent/agent.sock").exists()

    def log(self, name: str) -> str:
        return (self.home / "log" / f"{name}.log").read_text(errors="replace")

    def command(
        self, *argv: str | Path, user: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program, as a user with its own group."""
        become = []
        if user:
            group = pwd.getpwnam(user).pw_gid
            become = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
        return subprocess.run(
            [*become, *map(str, argv)], capture_output=True, text=True, timeout=60, check=False
        )

    def postfix(self, verb: str) -> None:
        done = self.command("postfix", "-c", self.home / "etc/current/postfix", verb)
        assert done.returncode == 0, done.stderr

    def queue(self) -> list[dict[str, Any]]:
        done = self.command("postqueue", "-c", self.home / "etc/current/postfix", "-j")
        return [json.loads(line) for line in done.stdout.splitlines()]

    # --- filling --------------------------------------------------------------------------------

    def call(self, verb: str, **arguments: Any) -> dict[str, Any]:
        request = {"v": 3, "id": 1, "verb": verb, **arguments}
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            stream.settimeout(40)
            stream.connect(str(self.home / "run/agent/agent.sock"))
            stream.sendall(json.dumps(request).encode() + b"\n")
            with stream.makefile("rb") as answers:
                return dict(json.loads(answers.readline()))

    def apply(self, *rows: Row) -> dict[str, Any]:
        here = self.call("hello")
        base = {name: here[name] for name in ("epoch", "generation", "batch")}
        to = {
            "epoch": here["epoch"] or "tests",
            "generation": here["generation"] + 1,
            "batch": str(uuid.uuid4()),
        }
        answer = self.call(
            "apply", token=1, base=base, to=to, rows=list(rows), allow_mass_removal=True
        )
        assert answer["ok"] and all(each["ok"] for each in answer["results"]), answer
        return answer

    def mailbox(self, name: str, **fields: Any) -> tuple[str, str]:
        """Put a mailbox on the host; return its log-in."""
        self.apply(mailbox(name, **fields))
        return f"{name}@example.test", PASSWORD

    def imap_unencrypted(self) -> imaplib.IMAP4:
        return _PlainImap(*self.facts["imap"])

    def rcpt(self, to: str, sender: str = "a@outside.example") -> tuple[int, str]:
        """The answer of port 25 to RCPT, on a fresh connection."""
        with self.smtp() as client:
            client.ehlo()
            client.mail(sender)
            code, text = client.rcpt(to)
            return code, text.decode()

    def refused_data(self, client: smtplib.SMTP, sender: str, data: bytes) -> tuple[int, str]:
        """What the server says to the data of a mail to the outside."""
        client.ehlo_or_helo_if_needed()
        client.docmd("MAIL", f"FROM:<{sender}>")
        code, text = client.rcpt("kunde@outside.example")
        if code != 250:
            return code, text.decode()
        code, text = client.data(data)
        return code, text.decode()

    def settle(self) -> None:
        """Wait until no mail is on its way."""
        until(lambda: not self.queue(), seconds=30, what=lambda: self.queue())


class _PlainImap(imaplib.IMAP4):
    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), 20, source_address=NEXT_DOOR)


# --- rows, as the panel sends them --------------------------------------------------------------


def domain(number: int, name: str, **fields: Any) -> Row:
    return {
        "kind": "domain", "key": str(number), "domain_id": number, "name": name, "state": "active",
        "canonical_id": None, "catch_all": None, "postmaster": "alice@outside.example", "elsewhere": False,
        "account_id": 1, "rates": {"mailbox": None, "domain": None, "account": None}, **fields,
    }  # fmt: skip


def mailbox(
    name: str, *, domain_id: int = 1, at: str = "example.test", send_as: tuple[str, ...] = (), **fields: Any
) -> Row:  # fmt: skip
    number = fields.pop("number", None) or number_of(name, at)
    return {
        "kind": "address", "key": str(number), "domain_id": domain_id, "local_part": name,
        "type": "mailbox", "state": "active",
        "storage_id": hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest(),
        "quota_mib": 100, "keep_copy": True, "targets": [],
        "send_as": sorted({f"{name}@{at}", *send_as}),
        "credentials": [credential()], **fields,
    }  # fmt: skip


def credential(**fields: Any) -> Row:
    return {
        "prefix": "", "hash": ARGON2ID, "protocols": ["imap", "pop3", "sieve", "submission"],
        "expires": None, **fields,
    }  # fmt: skip


def route(
    kind: str, name: str, *targets: str, domain_id: int = 1, at: str = "example.test", **fields: Any
) -> Row:
    return {
        "kind": "address", "key": str(number_of(name, at)), "domain_id": domain_id,
        "local_part": name, "type": kind, "state": "active", "targets": list(targets), **fields,
    }  # fmt: skip


def removal(row: Row) -> Row:
    return {"kind": row["kind"], "key": row["key"], "domain_id": row["domain_id"], "remove": True}


_known: dict[tuple[str, str], int] = {}


def number_of(name: str, at: str) -> int:
    """The same row number for the same address, each time it is sent."""
    return _known.setdefault((name, at), 100 + next(_numbers))
