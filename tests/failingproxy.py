"""An HTTP proxy of our own in front of an interface: lets some writes through, then fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests


@dataclass
class FailingProxy:
    """`fails` writes are failed after `passes`: by `status`, or cut off when that is 0.

    With `passed_on` the interface does what is then said to have failed; `reading_fails` too;
    each failure comes after `hangs_seconds`.
    """

    target: str
    passes: int = 0
    fails: int = 1_000_000
    status: int = 500
    passed_on: bool = False
    reading_fails: bool = False
    hangs_seconds: float = 0.0
    writes: list[str] = field(default_factory=list)
    url: str = ""

    def is_failing(self, is_write: bool) -> bool:
        tried = len(self.writes)
        if not is_write:
            return self.reading_fails and tried > self.passes
        return self.passes < tried <= self.passes + self.fails


@contextmanager
def started(proxy: FailingProxy) -> Iterator[FailingProxy]:
    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_write = self.command in ("PATCH", "POST", "DELETE")
            if is_write:
                proxy.writes.append(body.decode())
            failing = proxy.is_failing(is_write)
            if failing and not proxy.passed_on:
                self._fail()
                return
            kept = {"X-API-Key": self.headers["X-API-Key"], "Content-Type": "application/json"}
            answer = requests.request(
                self.command, proxy.target + self.path, data=body, headers=kept, timeout=5
            )
            if failing:
                self._fail()
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def _fail(self) -> None:
            self.close_connection = True
            time.sleep(proxy.hangs_seconds)
            if proxy.status:
                # Some echo what they were sent: that must not get anywhere.
                said = f"wrong key {self.headers['X-API-Key']}".encode()
                self.send_response(proxy.status, said.decode())
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        do_GET = do_PATCH = do_POST = do_DELETE = do_PUT = _pass_on  # noqa: N815

        def log_message(self, *_parts: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
