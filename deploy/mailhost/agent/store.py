"""The three SQLite files: opened once, kept open, written in one order.

Postfix and Dovecot read them without the right to write, which works only while -wal and -shm
exist. So a connection stays open from before they start, and is never closed cleanly: the last
clean close would delete those files under the readers.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from .config import Config
from .errors import Refused

NAMES = ("private", "auth", "lookup")  # the order of the commits
SCHEMAS = Path(__file__).parent.parent / "schema"
# Beyond this the log is folded back into the file, so that it does not grow for ever.
MAX_WAL_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Position:
    """Where a file stands."""

    epoch: str
    generation: int
    batch: str

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class Store:
    """All access to the files. Writes come one at a time; reads have connections of their own."""

    def __init__(self, config: Config) -> None:
        self.paths = {"private": config.private, "auth": config.auth, "lookup": config.lookup}
        self.write_lock = threading.RLock()
        self.writers = {name: self._open(name) for name in NAMES}
        self._local = threading.local()

    def _open(self, name: str) -> sqlite3.Connection:
        path = self.paths[name]
        connection = sqlite3.connect(
            path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            schema = (SCHEMAS / f"{name}.sql").read_text(encoding="utf-8")
            connection.executescript(f"BEGIN; {schema} COMMIT;")
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
        return {name: _position(self.reader(name)) for name in NAMES}

    def position(self) -> Position:
        """The host's: that of the file that is written last."""
        return _position(self.reader("lookup"))

    def token(self) -> int:
        return int(self.reader("private").execute("SELECT value FROM token").fetchone()[0])

    def fence(self, token: int) -> None:
        """Refuse a token below the highest one seen; remember a higher one for ever."""
        with self.write_lock:
            changed = self.writers["private"].execute(
                "UPDATE token SET value = ? WHERE value <= ?", (token, token)
            )
            if not changed.rowcount:
                raise Refused("stale_token", highest=self.token())

    @contextmanager
    def transaction(self, to: Position) -> Iterator[dict[str, sqlite3.Connection]]:
        """Write all three files; commit private, auth, lookup, each standing at `to`.

        A crash between the commits leaves lookup behind: the panel sends the batch again, and
        applying it twice changes nothing.
        """
        with self.write_lock:
            try:
                for name in NAMES:
                    self.writers[name].execute("BEGIN IMMEDIATE")
                yield self.writers
                for name in NAMES:
                    self.writers[name].execute(
                        "UPDATE meta SET epoch = ?, generation = ?, batch = ?",
                        (to.epoch, to.generation, to.batch),
                    )
                for name in NAMES:
                    self.writers[name].execute("COMMIT")
            except sqlite3.OperationalError as error:
                self._roll_back()
                if "full" in str(error) or "disk I/O" in str(error):
                    raise Refused("disk_full", detail=str(error)) from error
                raise Refused("storage_fault", detail=str(error)) from error
            except BaseException:
                self._roll_back()
                raise
            self._fold_logs()

    def _roll_back(self) -> None:
        for connection in self.writers.values():
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _fold_logs(self) -> None:
        for name, size in self.wal_bytes().items():
            if size > MAX_WAL_BYTES:
                self.writers[name].execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def wal_bytes(self) -> dict[str, int]:
        logs = {name: Path(f"{path}-wal") for name, path in self.paths.items()}
        return {name: log.stat().st_size if log.exists() else 0 for name, log in logs.items()}


def _position(connection: sqlite3.Connection) -> Position:
    row = connection.execute("SELECT epoch, generation, batch FROM meta").fetchone()
    return Position(row["epoch"], row["generation"], row["batch"])
