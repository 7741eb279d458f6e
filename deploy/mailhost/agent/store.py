"""The three SQLite files: opened once, kept open, written in one order.

Postfix and Dovecot read them without the right to write, which works only while -wal and -shm
exist. So a connection stays open from before they start, and is never closed cleanly: the last
clean close would delete those files under the readers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .config import Config
from .errors import Refused

NAMES = ("private", "auth", "lookup")  # the order of the commits
SCHEMAS = Path(__file__).parent.parent / "schema"
# Beyond this the log is folded back into the file, so that it does not grow for ever.
MAX_WAL_BYTES = 16 * 1024 * 1024
# Readers in the middle of a query hold the folding up; nobody waits for them for longer.
FOLD_WAIT_MS = 200
# Below this nothing is begun: a batch that ends on a full disk would be half of one.
MIN_FREE_BYTES = 32 * 1024 * 1024
BUSY_SECONDS = 30


@dataclass(frozen=True)
class Position:
    """Where a file stands."""

    epoch: str
    generation: int
    batch: str

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass
class Writing:
    """One transaction over all files, and how long each commit took."""

    files: dict[str, sqlite3.Connection]
    took_ms: dict[str, float] = field(default_factory=dict)


class Store:
    """All access to the files. Writes come one at a time; reads have connections of their own."""

    def __init__(self, config: Config) -> None:
        self.state = config.state
        self.paths = {"private": config.private, "auth": config.auth, "lookup": config.lookup}
        self.write_lock = threading.RLock()
        self._alone = _stay_alone(config.private.with_name("agent.lock"))
        self.writers = {name: self._open(name) for name in NAMES}
        # One-time log-ins need no fsync: after a power cut nobody asks for them any more.
        self.probes = self._connect("auth")
        self.probes.execute("PRAGMA synchronous = NORMAL")
        self._local = threading.local()

    def _connect(self, name: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.paths[name], timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _open(self, name: str) -> sqlite3.Connection:
        connection = self._connect(name)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _bring_up_to_date(connection, name)
        # The first read makes -shm, the first write -wal: both before anybody else looks.
        connection.execute("UPDATE meta SET schema = schema")
        return connection

    def reader(self, name: str) -> sqlite3.Connection:
        """This thread's own connection for reading."""
        known: dict[str, sqlite3.Connection] = self._local.__dict__
        if name not in known:
            uri = f"file:{self.paths[name]}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)
            connection.row_factory = sqlite3.Row
            known[name] = connection
        return known[name]

    def close_readers(self) -> None:
        for connection in self._local.__dict__.values():
            connection.close()
        self._local.__dict__.clear()

    def positions(self) -> dict[str, Position]:
        # Against the order of the commits: then a batch that lands meanwhile looks torn at worst.
        return {name: _position(self.reader(name)) for name in reversed(NAMES)}

    def is_torn(self) -> bool:
        """Whether a crash came between the commits of one batch; sending it again mends it."""
        return _is_torn(self.positions(), self._base())

    def position(self) -> Position:
        """The host's: that of lookup, the file written last.

        A file that stands elsewhere for no crash's sake has been restored: then its own position
        is told, which no panel takes for the one it left.
        """
        if at := self._agreed():
            return at
        with self.write_lock:
            strange = [each for each in self.positions().values() if each != self._lookup()]
            return self._agreed() or min(strange, key=lambda each: each.generation)

    def _agreed(self) -> Position | None:
        files = self.positions()
        even = all(each == files["lookup"] for each in files.values())
        return files["lookup"] if even or _is_torn(files, self._base()) else None

    def _lookup(self) -> Position:
        return _position(self.reader("lookup"))

    def _base(self) -> Position:
        return _position(self.reader("private"), "base")

    def token(self) -> int:
        return int(self.reader("private").execute("SELECT value FROM token").fetchone()[0])

    def fence(self, token: int) -> None:
        """Refuse a token below the highest one seen; remember a higher one for ever."""
        with self.write_lock:
            highest = self.token()
            if token < highest:
                raise Refused("stale_token", highest=highest)
            if token > highest:
                with storage_faults():
                    self.writers["private"].execute("UPDATE token SET value = ?", (token,))

    @contextmanager
    def transaction(self, to: Position) -> Iterator[Writing]:
        """Write all three files; commit private, auth, lookup, each standing at `to`.

        A crash between the commits leaves lookup behind: the panel sends the batch again, and
        applying it twice changes nothing. Raises Refused with disk_full or storage_fault.
        """
        with self.write_lock, storage_faults():
            self._check_space()
            writing = Writing(self.writers)
            try:
                for name in NAMES:
                    self.writers[name].execute("BEGIN IMMEDIATE")
                yield writing
                self._move(to)
                for name in NAMES:
                    started = time.monotonic()
                    self.writers[name].execute("COMMIT")
                    writing.took_ms[name] = round((time.monotonic() - started) * 1000, 2)
            except BaseException:
                self._roll_back()
                raise
            self._fold_logs()

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.state).free
        if free < MIN_FREE_BYTES:
            raise Refused("disk_full", free_bytes=free)

    def _move(self, to: Position) -> None:
        here = _position(self.writers["lookup"])
        for name in NAMES:
            _stand(self.writers[name], "meta", to)
        _stand(self.writers["private"], "base", here)

    def _roll_back(self) -> None:
        for connection in self.writers.values():
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _fold_logs(self) -> None:
        for name, size in self.wal_bytes().items():
            if size > MAX_WAL_BYTES:
                self.writers[name].execute(f"PRAGMA busy_timeout = {FOLD_WAIT_MS}")
                self.writers[name].execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self.writers[name].execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")

    def wal_bytes(self) -> dict[str, int]:
        logs = {name: Path(f"{path}-wal") for name, path in self.paths.items()}
        return {name: log.stat().st_size if log.exists() else 0 for name, log in logs.items()}


@contextmanager
def storage_faults() -> Iterator[None]:
    """Turn what SQLite or the file system says into a refusal."""
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        full = any(word in str(error) for word in ("full", "disk I/O", "No space"))
        raise Refused("disk_full" if full else "storage_fault", detail=str(error)) from error


def _stay_alone(path: Path) -> int:
    """Two agents on the same files would each believe in their own order of things."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(f"error: another agent holds {path}") from None
    return lock


def _bring_up_to_date(connection: sqlite3.Connection, name: str) -> None:
    """Run the steps of the schema that this file has not had: NAME.sql, then NAME-2.sql …"""
    steps = [SCHEMAS / f"{name}.sql", *sorted(SCHEMAS.glob(f"{name}-*.sql"))]
    made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
    version = connection.execute("SELECT schema FROM meta").fetchone()[0] if made else 0
    if version > len(steps):
        raise SystemExit(f"error: {name}.sqlite was written by a newer agent (schema {version})")
    for step in steps[version:]:
        connection.executescript(f"BEGIN; {step.read_text(encoding='utf-8')} COMMIT;")


def _is_torn(files: dict[str, Position], base: Position) -> bool:
    private, auth, lookup = (files[name] for name in NAMES)
    return private != lookup and lookup == base and auth in (private, lookup)


def _position(connection: sqlite3.Connection, table: str = "meta") -> Position:
    row = connection.execute(f"SELECT epoch, generation, batch FROM {table}").fetchone()  # noqa: S608
    return Position(row["epoch"], row["generation"], row["batch"])


def _stand(connection: sqlite3.Connection, table: str, at: Position) -> None:
    connection.execute(
        f"UPDATE {table} SET epoch = ?, generation = ?, batch = ?",  # noqa: S608
        (at.epoch, at.generation, at.batch),
    )
