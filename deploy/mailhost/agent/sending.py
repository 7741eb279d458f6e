"""How much each log-in, domain and account sends: counted here, held to the panel's rates.

What was sent is kept for some days, so that after a theft somebody can see what went out. The file
is the agent's own: no panel writes it, and nothing of a batch depends on it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import Any

from . import requests
from .config import Config
from .errors import Refused
from .helperclient import Helper
from .store import Store, storage_faults

HOUR_SECONDS = 3600
KEPT_SECONDS = 14 * 24 * HOUR_SECONDS
# Of a mail to more people than this, the rest is only counted.
KEPT_RECIPIENTS = 50
PAGE = 200
LOOSE = ("hold", "release", "delete")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sent (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, login TEXT NOT NULL, domain INTEGER NOT NULL,
  account INTEGER NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL,
  count INTEGER NOT NULL, bytes INTEGER NOT NULL, message_id TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS sent_by_login ON sent (login, at);
CREATE INDEX IF NOT EXISTS sent_by_domain ON sent (domain, at);
CREATE INDEX IF NOT EXISTS sent_by_account ON sent (account, at);
CREATE INDEX IF NOT EXISTS sent_at ON sent (at);
CREATE TABLE IF NOT EXISTS alarm (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, login TEXT NOT NULL,
  what TEXT NOT NULL, count INTEGER NOT NULL, allowed INTEGER NOT NULL
);
"""


@dataclass(frozen=True)
class Mail:
    """One mail that somebody hands in. `size` is in octets."""

    login: str
    sender: str
    recipients: tuple[str, ...]
    size: int
    message_id: str


@dataclass(frozen=True)
class Rates:
    """Recipients an hour; None is without a limit."""

    domain_id: int
    account_id: int
    mailbox: int | None
    domain: int | None
    account: int | None


class Sending:
    def __init__(self, config: Config, store: Store, helper: Helper) -> None:
        self.store, self.helper = store, helper
        self.lock = threading.Lock()
        with storage_faults():
            self.file = sqlite3.connect(
                config.private.with_name("sent.sqlite"), isolation_level=None,
                check_same_thread=False,
            )  # fmt: skip
            self.file.row_factory = sqlite3.Row
            self.file.execute("PRAGMA journal_mode = WAL")
            # A count that a power cut loses harms nobody.
            self.file.execute("PRAGMA synchronous = NORMAL")
            self.file.executescript(_SCHEMA)

    def take(self, mail: Mail, *, now: int | None = None) -> str:
        """Count a mail; return "" when it may go, else what is full: mailbox, domain or account.

        What may not go is not counted, and rings an alarm once an hour. Raises Refused.
        """
        now = now or int(time.time())
        rates = self._rates(mail.login)
        with self.lock, storage_faults():
            for what, column, key, allowed in (
                ("mailbox", "login", mail.login, rates.mailbox),
                ("domain", "domain", rates.domain_id, rates.domain),
                ("account", "account", rates.account_id, rates.account),
            ):
                count = self._count(column, key, now) + len(mail.recipients)
                if allowed is not None and count > allowed:
                    self._ring(mail.login, what, count, allowed, now)
                    return what
            self._keep(mail, rates, now)
        return ""

    def _rates(self, login: str) -> Rates:
        local_part, _at, name = login.rpartition("@")
        row = (
            self.store.reader("lookup")
            .execute(
                "SELECT d.id, d.account_id, d.rate_mailbox, d.rate_domain, d.rate_account"
                " FROM domain d JOIN address a ON a.domain_id = d.id"
                " WHERE d.name = ? AND a.local_part = ?",
                (name, local_part),
            )
            .fetchone()
        )
        if row is None:
            raise Refused("no_such_login")
        return Rates(*row)

    def _count(self, column: str, key: object, now: int) -> int:
        query = f"SELECT coalesce(sum(count), 0) FROM sent WHERE {column} = ? AND at > ?"  # noqa: S608
        return int(self.file.execute(query, (key, now - HOUR_SECONDS)).fetchone()[0])

    def _ring(self, login: str, what: str, count: int, allowed: int, now: int) -> None:
        query = "SELECT 1 FROM alarm WHERE login = ? AND what = ? AND at > ?"
        if self.file.execute(query, (login, what, now - HOUR_SECONDS)).fetchone() is None:
            self.file.execute(
                "INSERT INTO alarm (at, login, what, count, allowed) VALUES (?, ?, ?, ?, ?)",
                (now, login, what, count, allowed),
            )

    def _keep(self, mail: Mail, rates: Rates, now: int) -> None:
        kept = json.dumps(mail.recipients[:KEPT_RECIPIENTS])
        self.file.execute(
            "INSERT INTO sent (at, login, domain, account, sender, recipients, count, bytes,"
            " message_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                now, mail.login, rates.domain_id, rates.account_id, mail.sender, kept,
                len(mail.recipients), mail.size, mail.message_id,
            ),
        )  # fmt: skip
        self.file.execute("DELETE FROM sent WHERE at < ?", (now - KEPT_SECONDS,))
        self.file.execute("DELETE FROM alarm WHERE at < ?", (now - KEPT_SECONDS,))

    # --- verbs of the panel -----------------------------------------------------------------------

    def sent(self, request: dict[str, Any]) -> dict[str, Any]:
        """What a log-in sent, the newest first, and how much in the last hour."""
        login = _login(request)
        before = requests.whole(request, "before") or requests.MAX_ID
        with self.lock, storage_faults():
            found = self.file.execute(
                "SELECT * FROM sent WHERE login = ? AND id < ? ORDER BY id DESC LIMIT ?",
                (login, before, PAGE),
            ).fetchall()
            count = self._count("login", login, int(time.time()))
        return {
            "hour": count,
            "mails": [
                {
                    "id": row["id"], "at": row["at"], "sender": row["sender"],
                    "recipients": json.loads(row["recipients"]), "count": row["count"],
                    "bytes": row["bytes"], "message_id": row["message_id"],
                }
                for row in found
            ],
        }  # fmt: skip

    def alarms(self, request: dict[str, Any]) -> dict[str, Any]:
        """The alarms since the one with the id `after`."""
        after = requests.whole(request, "after")
        query = "SELECT * FROM alarm WHERE id > ? ORDER BY id LIMIT ?"
        with self.lock, storage_faults():
            found = self.file.execute(query, (after, PAGE)).fetchall()
        return {"alarms": [dict(row) for row in found]}

    def loose(self, request: dict[str, Any]) -> dict[str, Any]:
        """Hold, release or delete what waits in the queue from the addresses of a log-in."""
        login, action = _login(request), requests.word(request, "action")
        if action not in LOOSE:
            raise Refused("bad_request", field="action")
        local_part, _at, name = login.rpartition("@")
        addresses = (
            self.store.reader("lookup")
            .execute(
                "SELECT s.address FROM sender s JOIN address a ON a.id = s.address_id"
                " JOIN domain d ON d.id = a.domain_id WHERE a.local_part = ? AND d.name = ?",
                (local_part, name),
            )
            .fetchall()
        )
        count = sum(
            self.helper.call("queue_of", action=action, sender=row["address"])["count"]
            for row in addresses
        )
        return {"count": count}


def _login(request: dict[str, Any]) -> str:
    login = request.get("login")
    if not isinstance(login, str) or not 3 <= len(login) <= 320:
        raise Refused("bad_request", field="login")
    return login
