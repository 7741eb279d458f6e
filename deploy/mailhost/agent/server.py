"""The socket: one JSON line in, one JSON line out, whatever comes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from . import __version__, requests
from . import rows as tables
from .applying import Applier, Writer
from .config import Config
from .dues import Dues
from .errors import Refused
from .helperclient import Helper
from .logs import log
from .proof import Prover
from .replacing import Replacer
from .sending import Sending
from .store import NAMES, Store

PROTOCOL = 3
MAX_LINE_BYTES = 8 * 1024 * 1024
# A request that has begun must be there in this time; between requests a stream may rest longer.
LINE_SECONDS = 60
IDLE_SECONDS = 3600
MAX_CONNECTIONS = 64

Handler = Callable[[dict[str, Any]], dict[str, Any]]


class Agent:
    """All verbs. Each takes the request and returns the answer's content, or raises Refused."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store = Store(config)
        self.helper = Helper(config.helper_socket)
        self.dues = Dues(self.store, self.helper)
        writer = Writer(self.store, self.dues)
        self.replacer = Replacer(self.store, writer, config.private.parent)
        self.applier = Applier(self.store, writer, self.replacer.finish)
        self.prover = Prover(config, self.store)
        self.sending = Sending(config, self.store, self.helper)
        self.versions = _versions()
        batch = {"token", "rows", "removal_share", "allow_mass_removal"}
        # Each verb and the arguments that it takes; what is not known is refused, not guessed.
        self.verbs: dict[str, tuple[Handler, set[str]]] = {
            "hello": (self.hello, set()),
            "status": (self.status, set()),
            "apply": (self.applier.apply, batch | {"base", "to"}),
            "replace": (
                self.replacer.replace,
                batch | {"epoch", "generation", "batch", "phase"},
            ),
            "digest": (self.digest, {"domains"}),
            "rows": (self.rows, {"domain_id"}),
            "prove": (self.prover.prove, {"rows"}),
            "purge": (self.applier.purge, {"token", "storage_id"}),
            "queue": (self.queue, set()),
            "queue_action": (self.queue_action, {"action", "queue_id"}),
            "kick": (self.kick, {"login"}),
            "usage": (self.usage, {"login"}),
            "sent": (self.sending.sent, {"login", "before"}),
            "alarms": (self.sending.alarms, {"after"}),
            "loose": (self.sending.loose, {"login", "action"}),
            "reload": (self.reload, {"what"}),
        }

    def start(self) -> None:
        """Finish what a crash has left behind."""
        self.replacer.start()
        self.dues.start()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Answer one request; garbage gets a code too."""
        request_id: object = None
        try:
            request = _parsed(line)
            request_id = request.get("id")
            if not isinstance(request_id, (int, str)) or isinstance(request_id, bool):
                request_id = None
            content = self._called(request)
        except Refused as refusal:
            log("refused", code=refusal.code, facts=refusal.facts)
            return {"id": request_id, "ok": False, "code": refusal.code, "facts": refusal.facts}
        except Exception as error:  # noqa: BLE001  (a fault of ours must not end the agent)
            log("fault", error=repr(error))
            return {"id": request_id, "ok": False, "code": "agent_fault", "facts": {}}
        return {"id": request_id, "ok": True, **content}

    def _called(self, request: dict[str, Any]) -> dict[str, Any]:
        version, verb = request.get("v"), request.get("verb")
        if not isinstance(version, int) or isinstance(version, bool) or version != PROTOCOL:
            raise Refused("bad_version", protocols=[PROTOCOL])
        if not isinstance(verb, str) or verb not in self.verbs:
            raise Refused("unknown_verb")
        run, known = self.verbs[verb]
        if strange := set(request) - known - {"v", "id", "verb"}:
            raise Refused("bad_request", field=min(strange)[:40])
        return run(request)

    def hello(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "protocols": [PROTOCOL],
            "agent": __version__,
            "host_id": self.config.host_id,
            "token": self.store.token(),
            **self.versions,
            **self.store.position().as_dict(),
        }

    def status(self, request: dict[str, Any]) -> dict[str, Any]:
        files = {name: each.as_dict() for name, each in self.store.positions().items()}
        disk = shutil.disk_usage(self.config.state)
        lookup = self.store.reader("lookup")
        return {
            **self.store.position().as_dict(),
            "files": files,
            "torn": self.store.is_torn(),
            "wal_bytes": self.store.wal_bytes(),
            "disk_free_bytes": disk.free,
            "load": list(os.getloadavg()),
            "domains": lookup.execute("SELECT count(*) FROM domain").fetchone()[0],
            "mailboxes": lookup.execute(
                "SELECT count(*) FROM address WHERE type = 'mailbox'"
            ).fetchone()[0],
            "services": {
                "postfix": _listens(self.config.probe_smtp_port),
                "dovecot": _listens(self.config.imaps_port),
                "rspamd": _listens(self.config.rspamd_port),
                "helper": self._helper_answers(),
            },
        }

    def _helper_answers(self) -> bool:
        try:
            self.helper.call("ping")
        except Refused:
            return False
        return True

    def digest(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = request.get("domains")
        if wanted is not None:
            for domain_id in requests.listed(request, "domains"):
                requests.whole({"domains": domain_id}, "domains")
        readers = self._snapshot()
        try:
            ids = tables.domain_ids(readers) if wanted is None else wanted
            digests = {
                str(domain_id): tables.domain_digest(self._row_digests(readers, domain_id))
                for domain_id in ids
            }
            return {**self.store.position().as_dict(), "digests": digests}
        finally:
            self._end_snapshot(readers)

    def rows(self, request: dict[str, Any]) -> dict[str, Any]:
        domain_id = requests.whole(request, "domain_id")
        readers = self._snapshot()
        try:
            found = self._row_digests(readers, domain_id)
        finally:
            self._end_snapshot(readers)
        return {
            "rows": [
                {"kind": kind, "key": key, "digest": value}
                for (kind, key), value in sorted(found.items())
            ]
        }

    def _snapshot(self) -> dict[str, Any]:
        """One state of all three files: no batch is committed while the reads begin."""
        with self.store.write_lock:
            readers = {name: self.store.reader(name) for name in NAMES}
            for connection in readers.values():
                connection.execute("BEGIN")
                connection.execute("SELECT generation FROM meta").fetchone()
        return readers

    def _end_snapshot(self, readers: dict[str, Any]) -> None:
        for connection in readers.values():
            connection.execute("ROLLBACK")

    def _row_digests(self, readers: dict[str, Any], domain_id: int) -> dict[tuple[str, str], str]:
        return {
            (row["kind"], row["key"]): tables.digest(row)
            for row in tables.read_domain(readers, domain_id)
        }

    def queue(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"entries": self.helper.call("queue_list").get("entries", [])}

    def queue_action(self, request: dict[str, Any]) -> dict[str, Any]:
        action, queue_id = requests.word(request, "action"), requests.word(request, "queue_id")
        self.helper.call("queue_action", action=action, queue_id=queue_id)
        return {}

    def usage(self, request: dict[str, Any]) -> dict[str, Any]:
        """How much a mailbox holds, in KiB."""
        return {"used_kib": self.helper.call("usage", login=str(request.get("login")))["used_kib"]}

    def kick(self, request: dict[str, Any]) -> dict[str, Any]:
        self.helper.call("kick", login=str(request.get("login")))
        return {}

    def reload(self, request: dict[str, Any]) -> dict[str, Any]:
        what = request.get("what")
        if what not in ("postfix", "dovecot", "rspamd"):
            raise Refused("bad_request", field="what")
        self.helper.call(f"reload_{what}")
        return {}


def serve(agent: Agent) -> None:
    """Listen on the agent's socket for ever."""
    path = agent.config.agent_socket
    unheard = path.with_name(f".{path.name}")
    unheard.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        old = os.umask(0o117)
        listener.bind(str(unheard))
        os.umask(old)
        listener.listen(64)
        # Under its name it answers from the first moment on: that it is there tells of readiness.
        unheard.replace(path)
        log("listening", socket=str(path), **agent.store.position().as_dict())
        free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        while True:
            stream, _peer = listener.accept()
            if not free.acquire(blocking=False):
                _turn_away(stream)
                continue
            threading.Thread(target=_converse, args=(agent, stream, free), daemon=True).start()


def _converse(agent: Agent, stream: socket.socket, free: threading.BoundedSemaphore) -> None:
    try:
        with stream:
            buffer = bytearray()
            while (line := _read_line(stream, buffer)) is not None:
                stream.settimeout(LINE_SECONDS)
                stream.sendall(json.dumps(agent.answer(line)).encode() + b"\n")
    except OSError as error:
        log("hung_up", error=str(error))
    finally:
        agent.store.close_readers()
        free.release()


def _turn_away(stream: socket.socket) -> None:
    log("refused", code="busy")
    with stream:
        stream.settimeout(1)
        try:
            stream.sendall(b'{"id": null, "ok": false, "code": "busy", "facts": {}}\n')
        except OSError as error:
            log("hung_up", error=str(error))


def _read_line(stream: socket.socket, buffer: bytearray) -> bytes | None:
    """Return the next line, None at the end; a line without end is answered and cut off."""
    searched = 0
    end_of_time = time.monotonic() + (LINE_SECONDS if buffer else IDLE_SECONDS)
    while (end := buffer.find(b"\n", searched)) < 0:
        if len(buffer) > MAX_LINE_BYTES:
            log("refused", code="line_too_long")
            stream.settimeout(5)
            stream.sendall(b'{"id": null, "ok": false, "code": "line_too_long", "facts": {}}\n')
            return None
        searched = len(buffer)
        stream.settimeout(max(0.001, end_of_time - time.monotonic()))
        piece = stream.recv(262_144)
        if not piece:
            return None
        if not buffer:
            end_of_time = time.monotonic() + LINE_SECONDS
        buffer += piece
    line = bytes(buffer[:end])
    del buffer[: end + 1]
    return line


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(
            line.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise Refused("bad_json") from error
    if not isinstance(request, dict):
        raise Refused("bad_json")
    return request


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def _versions() -> dict[str, str]:
    """Versions of what runs here; empty where a program does not say."""
    asked = {
        "postfix": ["/usr/sbin/postconf", "-h", "-c", "/usr/share/postfix", "-d", "mail_version"],
        "dovecot": ["/usr/sbin/dovecot", "--version"],
        "rspamd": ["/usr/bin/rspamd", "--version"],
    }
    found = {}
    for name, argv in asked.items():
        try:
            output = subprocess.run(
                argv, capture_output=True, text=True, timeout=10, check=False
            ).stdout
        except (OSError, subprocess.TimeoutExpired):
            output = ""
        found[name] = output.strip().splitlines()[0][:60] if output.strip() else ""
    return found
