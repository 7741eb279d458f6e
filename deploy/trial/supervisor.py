"""Runs services in the foreground, starts again what dies, and stops all it started.

Each service is a session of its own, so that its orphans are found when its first process is
killed: they would keep ports bound. Standard library only: it also runs as root, on the system's
Python.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
READY_SECONDS = 60.0
STOP_SECONDS = 12.0
MAX_LOG_BYTES = 20 * 1024 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class NotStarted(Exception):
    """A service did not become ready; the text says which, and where its log is."""


@dataclass
class Service:
    """A program in the foreground; ready when `port` answers, `socket` exists, or `ready()`."""

    name: str
    argv: tuple[str, ...]
    folder: str = "/"
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    socket: str | None = None
    ready: Callable[[], bool] | None = None
    # Those behind it in the list start only when it is ready.
    first: bool = False
    # The program is told to stop by closing its standard input, as well as by a signal.
    stdin: bool = False
    # False leaves it in our session, with our terminal: sudo asks for its password there.
    session: bool = True

    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started_at: float = 0.0
    restart_at: float = 0.0

    def is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            return False
        if self.ready:
            return self.ready()
        if self.port:
            return answers(self.port)
        return self.socket is None or Path(self.socket).exists()


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class Supervisor:
    """All services of one side; `record` is a file that names their sessions for a clean-up."""

    def __init__(
        self,
        services: list[Service],
        logs: Path,
        record: Path,
        *,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.services = services
        self.logs = logs
        self.record = record
        self.say = say
        self.stopping = False
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        logs.mkdir(parents=True, exist_ok=True)
        end_recorded(record)

    def launch(self, services: list[Service]) -> None:
        """Start these in their order; wait only for those that others need. Raises NotStarted."""
        for service in services:
            if self.stopping:
                return
            self._launch(service)
            if service.first:
                self._wait_ready(service)

    def wait_ready(self) -> None:
        """Wait until all answer. Raises NotStarted."""
        for service in self.services:
            self._wait_ready(service)
            self.say(service.name)

    def _wait_ready(self, service: Service) -> None:
        end = time.monotonic() + READY_SECONDS
        while not service.is_ready():
            if self.stopping:
                return
            dead = service.process is not None and service.process.poll() is not None
            if dead or time.monotonic() > end:
                log = self.log_path(service)
                raise NotStarted(f"{service.name} did not start; see {log}\n{tail(log)}")
            time.sleep(0.02)

    def log_path(self, service: Service) -> Path:
        return self.logs / f"{service.name}.log"

    def _launch(self, service: Service) -> None:
        path = self.log_path(service)
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        if service.socket:
            Path(service.socket).unlink(missing_ok=True)
        with path.open("ab") as log:
            service.process = subprocess.Popen(
                service.argv,
                cwd=service.folder,
                env={**os.environ, **service.environment},
                stdin=subprocess.PIPE if service.stdin else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=service.session,
                preexec_fn=_become(service.user),
            )
        service.started_at = time.monotonic()
        self._write_record()

    def watch(self) -> None:
        """Start again what dies, later and later, until `stop` is asked for."""
        while not self.stopping:
            self.look()
            time.sleep(0.1)

    def look(self) -> None:
        _reap_strangers(
            {service.process.pid for service in self.services if service.process is not None}
        )
        for service in self.services:
            if service.process is None:
                if service.started_at and time.monotonic() >= service.restart_at:
                    self._launch(service)
            elif service.process.poll() is not None:
                self._bury(service, service.process)

    def _bury(self, service: Service, process: subprocess.Popen[bytes]) -> None:
        end_session(process.pid)
        end_orphans({each.process.pid for each in self.services if each.process is not None})
        if time.monotonic() - service.started_at > 30:
            service.failures = 0
        service.failures += 1
        delay = min(10.0, 0.2 * 2 ** (service.failures - 1))
        note = f"{service.name} ended with {process.returncode}; starts again in {delay:.1f} s"
        with self.log_path(service).open("a", encoding="utf-8") as log:
            log.write(f"[supervisor] {note}\n")
        service.process, service.restart_at = None, time.monotonic() + delay

    def stop(self) -> None:
        """Stop all in reverse order, politely first; also what their first processes left."""
        self.stopping = True
        for service in reversed(self.services):
            if service.process is not None:
                _end(service.process, stdin=service.stdin)
                end_session(service.process.pid)
        end_orphans(set())
        self.record.unlink(missing_ok=True)

    def _write_record(self) -> None:
        known = {
            str(service.process.pid): start_time(service.process.pid)
            for service in self.services
            if service.process is not None
        }
        aside = self.record.with_suffix(".new")
        aside.write_text(json.dumps(known), encoding="utf-8")
        aside.replace(self.record)


def _become(user: str | None) -> Callable[[], None]:
    """What the child does before the program: die with its parent, and be its own user."""
    entry = pwd.getpwnam(user) if user else None

    def become() -> None:
        if entry is not None:
            os.setgroups([entry.pw_gid])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
        # After the change of user: the kernel forgets it there.
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    return become


def _end(process: subprocess.Popen[bytes], *, stdin: bool) -> None:
    if process.poll() is None:
        if stdin and process.stdin:
            process.stdin.close()
        else:
            process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_session(session: int) -> None:
    """End every process of a session: asked first, then killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + 2
        while members := session_members(session):
            for pid in members:
                _signal(pid, number)
            if time.monotonic() > end:
                break
            time.sleep(0.05)
            _reap(members)


def end_orphans(own: set[int]) -> None:
    """End what services have left behind outside their sessions: it has become our child."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + 1
        while orphans := _children() - own:
            for pid in orphans:
                _signal(pid, number)
            _reap(sorted(orphans))
            if time.monotonic() > end:
                break
            time.sleep(0.05)


def _children() -> set[int]:
    me, found = os.getpid(), set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            facts = _stat(int(entry))
            if facts and int(facts[1]) == me:
                found.add(int(entry))
    return found


def session_members(session: int) -> list[int]:
    """Living processes whose session is `session`."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            facts = _stat(int(entry))
            if facts and int(facts[3]) == session and facts[0] != "Z":
                found.append(int(entry))
    return found


def start_time(pid: int) -> str:
    """When a process began, in clock ticks since boot; empty when there is none."""
    facts = _stat(pid)
    return facts[19] if facts else ""


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name: state, parent, group, session, …"""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _reap(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _reap_strangers(own: set[int]) -> None:
    """Take in orphans that became ours; our own children are left to their Popen objects."""
    me = os.getpid()
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in own:
            facts = _stat(int(entry))
            if facts and facts[0] == "Z" and int(facts[1]) == me:
                _reap([int(entry)])


def end_recorded(record: Path) -> None:
    """End what an earlier supervisor started and could not stop: known by pid and start time."""
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    for pid, began in known.items():
        if began and start_time(int(pid)) in (began, ""):
            # The first process may be gone while its session lives on; a pid that somebody else
            # has by now would have another start time.
            end_session(int(pid))
    record.unlink(missing_ok=True)


def tail(path: Path, lines: int = 12) -> str:
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def on_signals(stop: Callable[[], None], stdin: int | None = None) -> None:
    """Call `stop` on SIGINT, SIGTERM or SIGHUP; with the descriptor `stdin` also at its end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop())
    if stdin is not None:

        def wait() -> None:
            while os.read(stdin, 4096):
                pass
            stop()

        threading.Thread(target=wait, daemon=True).start()
