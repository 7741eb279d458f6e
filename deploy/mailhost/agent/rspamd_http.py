"""What Rspamd asks over loopback: keys in the form of Vault, who may send as whom, how much."""

from __future__ import annotations

import hmac
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .errors import Refused
from .sending import Mail, Sending
from .store import Store
from .validate import DOMAIN

# Addresses of some thousand recipients.
MAX_BODY_BYTES = 1024 * 1024


class RspamdServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, store: Store, sending: Sending, token: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store = store
        self.sending = sending
        self.token = token


class _Handler(BaseHTTPRequestHandler):
    server: RspamdServer
    protocol_version = "HTTP/1.1"
    timeout = 10
    # Header and body leave together: else the second waits for the first one's acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        if not self._is_known():
            return
        url = urlsplit(self.path)
        try:
            if url.path.startswith("/v1/dkim/"):
                self._keys(url.path.removeprefix("/v1/dkim/").lower())
            else:
                self._answer(404, {"errors": []})
        finally:
            self.server.store.close_readers()

    def do_POST(self) -> None:
        """A mail that somebody hands in: may he send it, and now?"""
        if not self._is_known():
            return
        length = self.headers.get("Content-Length", "")
        if self.path != "/v1/sender" or not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._answer(404, {"errors": []})
            return
        try:
            self._sender(parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace")))
        except Refused as refusal:
            self._answer(503, {"errors": [refusal.code]})
        finally:
            self.server.store.close_readers()

    def _is_known(self) -> bool:
        given = self.headers.get("X-Vault-Token", "")
        if hmac.compare_digest(given.encode(), self.server.token.encode()):
            return True
        self._answer(403, {"errors": ["permission denied"]})
        return False

    def _keys(self, domain: str) -> None:
        """404 has a mail go out unsigned: a domain without a key that signs."""
        found = []
        if DOMAIN.fullmatch(domain):
            found = (
                self.server.store.reader("private")
                .execute(
                    "SELECT selector, algorithm, private_key FROM dkim"
                    " WHERE domain = ? AND signing = 1",
                    (domain,),
                )
                .fetchall()
            )
        if not found:
            self._answer(404, {"errors": []})
            return
        selectors = [
            {
                "selector": row["selector"],
                "domain": domain,
                "key": row["private_key"],
                "alg": row["algorithm"],
            }
            for row in found
        ]
        self._answer(200, {"data": {"selectors": selectors}})

    def _sender(self, query: dict[str, list[str]]) -> None:
        login = query.get("login", [""])[0].lower()
        addresses = [each.lower() for each in query.get("from", [])]
        allowed = bool(addresses) and all(self._may_send(login, each) for each in addresses)
        full = self.server.sending.take(_mail(login, query)) if allowed else ""
        self._answer(200, {"allowed": allowed, "full": full})

    def _may_send(self, login: str, address: str) -> bool:
        local_part, _at, domain = address.rpartition("@")
        own, _at, home = login.rpartition("@")
        row = (
            self.server.store.reader("lookup")
            .execute(
                "SELECT 1 FROM sender s JOIN address a ON a.id = s.address_id"
                " JOIN domain d ON d.id = a.domain_id"
                " WHERE s.address = ? AND a.local_part = ? AND d.name = ?"
                " AND a.state = 'active' AND d.state = 'active'",
                (f"{local_part.partition('+')[0]}@{domain}", own, home),
            )
            .fetchone()
        )
        return row is not None

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: a line per mail would only repeat Rspamd's own log."""


def _mail(login: str, query: dict[str, list[str]]) -> Mail:
    size = query.get("size", ["0"])[0]
    return Mail(
        login,
        query.get("from", [""])[0].lower()[:320],
        tuple(each[:320] for each in query.get("rcpt", [])),
        int(size) if size.isdecimal() and len(size) < 16 else 0,
        query.get("id", [""])[0][:250],
    )
