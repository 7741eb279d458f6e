"""The connection to an agent: JSON lines, one answer per request, kept open between changes."""

from __future__ import annotations

import json
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

PROTOCOL = 3
# The agent refuses a longer line; a batch that would be longer is cut into smaller ones.
MAX_LINE_BYTES = 8 * 1024 * 1024

Answer = dict[str, Any]


class AgentUnreachable(Exception):
    """No answer: the request may or may not have had its effect."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code
        self.detail = detail


class AgentRefused(Exception):
    """The agent answered no; nothing was changed."""

    def __init__(self, code: str, facts: dict[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


class Connection:
    """One stream to one agent. Not for several threads at once."""

    def __init__(self, url: str, *, patience_seconds: float | None = None) -> None:
        scheme, _colon, path = url.partition(":")
        if scheme != "unix":
            raise AgentUnreachable("bad_agent_url", url)
        self._request_id = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(settings.AGENT_CONNECT_TIMEOUT_SECONDS)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise AgentUnreachable("agent_unreachable", error.strerror or str(error)) from error
        self._socket.settimeout(patience_seconds or settings.AGENT_READ_TIMEOUT_SECONDS)
        self._answers = self._socket.makefile("rb")
        self.hello = self.call("hello")
        if PROTOCOL not in self.hello.get("protocols", []):
            self.close()
            raise AgentRefused("bad_version", {"protocols": self.hello.get("protocols")})

    def call(self, verb: str, **arguments: Any) -> Answer:
        """Send one request and return its answer.

        Raises AgentUnreachable when the stream breaks, AgentRefused when the answer is no.
        """
        self._request_id += 1
        request = {"v": PROTOCOL, "id": self._request_id, "verb": verb, **arguments}
        line = json.dumps(request, separators=(",", ":")).encode() + b"\n"
        try:
            self._socket.sendall(line)
            answer_line = self._answers.readline(MAX_LINE_BYTES * 4)
        except OSError as error:
            raise AgentUnreachable("agent_silent", str(error)) from error
        if not answer_line.endswith(b"\n"):
            raise AgentUnreachable("agent_hung_up")
        try:
            answer: Answer = json.loads(answer_line)
        except ValueError as error:
            raise AgentUnreachable("agent_garbled") from error
        if answer.get("id") != self._request_id:
            raise AgentUnreachable("agent_out_of_step")
        if not answer.get("ok"):
            raise AgentRefused(str(answer.get("code", "refused")), answer.get("facts") or {})
        return answer

    def close(self) -> None:
        self._socket.close()


_idle: dict[str, list[Connection]] = defaultdict(list)
_idle_lock = threading.Lock()


@contextmanager
def connected(url: str, *, fresh: bool = False) -> Iterator[Connection]:
    """Lend a kept connection, or make one; a broken one is thrown away.

    With `fresh` the agent is greeted anew, so that `hello` tells where it stands now.
    """
    with _idle_lock:
        connection = _idle[url].pop() if _idle[url] and not fresh else None
    connection = connection or Connection(url)
    try:
        yield connection
    except AgentRefused:
        _keep(url, connection)
        raise
    except BaseException:
        connection.close()
        raise
    else:
        _keep(url, connection)


def _keep(url: str, connection: Connection) -> None:
    with _idle_lock:
        if len(_idle[url]) < 8:
            _idle[url].append(connection)
            return
    connection.close()


def forget(url: str) -> None:
    """Close all idle connections to an agent: after a fault the others are likely dead too."""
    with _idle_lock:
        idle, _idle[url] = _idle[url], []
    for connection in idle:
        connection.close()
