"""Showing what is: RCPT on a fresh connection, a log-in by the owner's query, a signed probe."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from typing import Any

from .config import Config
from .errors import Refused
from .logs import log
from .store import Store, storage_faults
from .validate import DOMAIN, KEY, LOCAL_PART, MAX_ID, SELECTOR

TIMEOUT_SECONDS = 8.0
PROBE_LIFE_SECONDS = 60
# The log-in name of the probe that Rspamd signs; without an @ it is never a mailbox's.
PROBE_LOGIN = "postkontor-probe"
MAX_ROWS = 500
# What RCPT for a domain is answered with whose mail is not taken here.
BEING_MOVED = 450

# The public part and the secret of a one-time log-in, for each row that needs one.
OneTime = dict[int, tuple[int, str, str]]


class Prover:
    """The verb `prove`; several rows at once, each on connections of its own."""

    def __init__(self, config: Config, store: Store) -> None:
        self.config = config
        self.store = store
        self.pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="proof")
        # A row's log-in goes beside its RCPT; in a pool of its own, as the other waits for it.
        self.logins = ThreadPoolExecutor(max_workers=8, thread_name_prefix="login")
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Loopback to our own Dovecot: what is proved is the log-in, not the certificate.
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE

    def prove(self, request: dict[str, Any]) -> dict[str, Any]:
        rows = request.get("rows")
        if not isinstance(rows, list) or len(rows) > MAX_ROWS:
            raise Refused("bad_request", field="rows")
        started = time.monotonic()
        attempt = _Attempt(self, self._issue(rows))
        try:
            results = list(self.pool.map(attempt.row, range(len(rows)), rows))
        finally:
            self._withdraw(attempt.one_time)
        return {"results": results, "took_ms": round((time.monotonic() - started) * 1000, 1)}

    # --- one-time log-ins -----------------------------------------------------------------------

    def _issue(self, rows: list[Any]) -> OneTime:
        """Store a one-time log-in for each mailbox among the rows, in one commit."""
        issued: OneTime = {}
        for index, row in enumerate(rows):
            expect = row.get("expect") if isinstance(row, dict) else None
            if isinstance(expect, dict) and "login" in expect:
                key = row.get("key")
                if isinstance(key, str) and KEY.fullmatch(key) and int(key) <= MAX_ID:
                    issued[index] = int(key), "p" + secrets.token_hex(7), secrets.token_hex(16)
        expires = int(time.time()) + PROBE_LIFE_SECONDS
        hashes = [
            (key, prefix, "{SHA256.HEX}" + _sha256(f"{prefix}.{secret}"), expires)
            for key, prefix, secret in issued.values()
        ]
        self._write("INSERT INTO probe VALUES (?, ?, ?, ?)", hashes)
        return issued

    def _withdraw(self, issued: OneTime) -> None:
        places = [(key, prefix) for key, prefix, _secret in issued.values()]
        self._write("DELETE FROM probe WHERE address_id = ? AND prefix = ?", places)

    def _write(self, statement: str, values: list[tuple[Any, ...]]) -> None:
        if not values:
            return
        probes = self.store.probes
        with self.store.write_lock, storage_faults():
            probes.execute("BEGIN IMMEDIATE")
            try:
                probes.executemany(statement, values)
                probes.execute("DELETE FROM probe WHERE expires < ?", (int(time.time()),))
                probes.execute("COMMIT")
            finally:
                if probes.in_transaction:
                    probes.execute("ROLLBACK")


class _Attempt:
    """The rows of one request. A service that does not answer is not asked for each of them."""

    def __init__(self, prover: Prover, one_time: OneTime) -> None:
        self.config = prover.config
        self.tls = prover.tls
        self.logins = prover.logins
        self.one_time = one_time
        self.silent: dict[str, str] = {}

    def row(self, index: int, row: Any) -> dict[str, Any]:
        kind = key = ""
        try:
            kind, key, expect = str(row["kind"])[:20], str(row["key"])[:40], row["expect"]
            show = {"address": self._address, "domain": self._domain, "dkim": self._key}[kind]
            return {"kind": kind, "key": key, "ok": True, "facts": show(index, expect)}
        except Refused as refusal:
            code, facts = refusal.code, refusal.facts
            log("proof_failed", kind=kind, key=key, code=code, facts=facts)
        except (KeyError, TypeError, ValueError, OverflowError):
            code, facts = "bad_expectation", {}
        return {"kind": kind, "key": key, "ok": False, "code": code, "facts": facts}

    @contextmanager
    def _asking(self, code: str) -> Iterator[None]:
        """Refuse with `code` when a service cannot be asked, at once when it was silent before."""
        if code in self.silent:
            raise Refused(code, detail=self.silent[code])
        try:
            yield
        except TimeoutError as error:
            self.silent[code] = str(error)
            raise Refused(code, detail=str(error)) from error
        except (OSError, EOFError, http.client.HTTPException) as error:
            raise Refused(code, detail=str(error)) from error

    # --- what is shown --------------------------------------------------------------------------

    def _address(self, index: int, expect: dict[str, Any]) -> dict[str, Any]:
        local_part, _at, domain = str(expect["address"]).partition("@")
        if not LOCAL_PART.fullmatch(local_part) or not DOMAIN.fullmatch(domain):
            raise Refused("bad_expectation")
        address, rcpt = f"{local_part}@{domain}", int(expect["rcpt"])
        if "login" not in expect:
            return self._rcpt(address, rcpt)
        _key, prefix, secret = self.one_time[index]
        login = self.logins.submit(
            self._log_in, address, f"{prefix}.{secret}", expected=bool(expect["login"])
        )
        try:
            facts = self._rcpt(address, rcpt)
        finally:
            wait([login])
        login.result()
        return facts

    def _domain(self, index: int, expect: dict[str, Any]) -> dict[str, Any]:
        if not LOCAL_PART.fullmatch(expect["local_part"]) or not DOMAIN.fullmatch(expect["name"]):
            raise Refused("bad_expectation")
        return self._rcpt(f"{expect['local_part']}@{expect['name']}", int(expect["rcpt"]))

    def _rcpt(self, address: str, expected: int) -> dict[str, Any]:
        """Ask a smtpd with the restrictions of port 25, on a fresh connection."""
        with self._asking("rcpt_unreachable"):
            reply = self._smtp_reply(address)
        if reply[:3] == str(expected):
            return {"reply": reply[:200]}
        code = "rcpt_accepted" if reply.startswith("250") else "rcpt_refused"
        if expected == BEING_MOVED and code == "rcpt_refused":
            code = "rcpt_not_foreign"
        raise Refused(code, reply=reply[:200], expected=expected)

    def _smtp_reply(self, address: str) -> str:
        place = ("127.0.0.1", self.config.probe_smtp_port)
        with socket.create_connection(place, timeout=TIMEOUT_SECONDS) as stream:
            _without_delay(stream)
            with stream.makefile("rb") as replies:
                _smtp_read(replies.readline)
                stream.sendall(f"EHLO {self.config.hostname}\r\n".encode())
                _smtp_read(replies.readline)
                # Pipelined (RFC 2920): the answers come in the same order.
                sender = f"MAIL FROM:<probe@{self.config.hostname}>\r\n"
                stream.sendall(f"{sender}RCPT TO:<{address}>\r\nQUIT\r\n".encode())
                sender_reply = _smtp_read(replies.readline)
                if not sender_reply.startswith("250"):
                    return sender_reply
                return _smtp_read(replies.readline)

    def _log_in(self, login: str, password: str, *, expected: bool) -> None:
        """Log in over IMAPS and open INBOX, or be refused where that is what is expected."""
        with self._asking("login_unreachable"):
            answer, inbox = self._imap_answers(login, password, inbox=expected)
        if answer.startswith("a OK"):
            if not expected:
                raise Refused("login_accepted")
            if not inbox.startswith("b OK"):
                raise Refused("inbox_failed", reply=inbox[:200])
        elif "UNAVAILABLE" in answer:
            raise Refused("login_unreachable", reply=answer[:200])
        elif expected:
            raise Refused("login_refused", reply=answer[:200])

    def _imap_answers(self, login: str, password: str, *, inbox: bool) -> tuple[str, str]:
        place = ("127.0.0.1", self.config.imaps_port)
        with (
            socket.create_connection(place, timeout=TIMEOUT_SECONDS) as plain,
            self.tls.wrap_socket(plain) as stream,
        ):
            _without_delay(stream)
            with stream.makefile("rb") as answers:
                _line(answers.readline)
                stream.sendall(f'a LOGIN "{login}" "{password}"\r\n'.encode())
                answer = _tagged(answers.readline, "a")
                opened = ""
                if inbox and answer.startswith("a OK"):
                    stream.sendall(b"b SELECT INBOX\r\n")
                    opened = _tagged(answers.readline, "b")
                stream.sendall(b"c LOGOUT\r\n")
                return answer, opened

    def _key(self, index: int, expect: dict[str, Any]) -> dict[str, Any]:
        """Have Rspamd sign a message of the domain; the panel verifies it."""
        domain, selector = str(expect["domain"]), str(expect["selector"])
        if not DOMAIN.fullmatch(domain) or not SELECTOR.fullmatch(selector):
            raise Refused("bad_expectation")
        message = (
            f"From: postmaster@{domain}\r\nTo: postmaster@{domain}\r\n"
            "Subject: signature check\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
            f"Message-ID: <{secrets.token_hex(8)}@{domain}>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain\r\n\r\nThis message is signed and goes nowhere.\r\n"
        )
        for signature in self._signatures(domain, message):
            if re.search(rf"\bs={re.escape(selector)}\s*(;|$)", signature):
                return {"message": message, "dkim_signature": signature}
        raise Refused("not_signed", selector=selector)

    def _signatures(self, domain: str, message: str) -> list[str]:
        link = http.client.HTTPConnection(
            "127.0.0.1", self.config.rspamd_port, timeout=TIMEOUT_SECONDS
        )
        headers = {
            "From": f"postmaster@{domain}",
            "Rcpt": f"postmaster@{domain}",
            "User": PROBE_LOGIN,
            "IP": "127.0.0.1",
            "Helo": self.config.hostname,
        }
        with self._asking("signer_unreachable"), closing(link):
            link.request("POST", "/checkv2", message.encode(), headers)
            body = link.getresponse().read()
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise Refused("signer_unreachable", detail=str(error)) from error
        found = answer.get("dkim-signature") or []
        return [found] if isinstance(found, str) else [str(each) for each in found]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _without_delay(stream: socket.socket) -> None:
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _line(read: Callable[[int], bytes]) -> str:
    line = read(8192)
    if not line.endswith(b"\n"):
        raise EOFError("the server hung up")
    return line.decode("utf-8", "replace").rstrip()


def _smtp_read(read: Callable[[int], bytes]) -> str:
    """Return the last line of one reply (RFC 5321, 4.2.1)."""
    while True:
        line = _line(read)
        if line[3:4] != "-":
            return line


def _tagged(read: Callable[[int], bytes], tag: str) -> str:
    while True:
        line = _line(read)
        if line.startswith(f"{tag} "):
            return line
