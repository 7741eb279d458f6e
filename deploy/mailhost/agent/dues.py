"""What a batch leaves to do outside the files: reloads, waiting mail, sessions, storages.

Written down in the batch's own transaction, so that a crash after the commit, or a helper that is
away, delays it and loses nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import Refused
from .helperclient import Helper
from .logs import log
from .store import Store, storage_faults

ARGUMENTS = {"kick": "login", "purge": "storage_id", "requeue": "domain"}
# The request that makes these waits for their outcome.
AWAITED = {"reload_postfix", "purge"}
# These pass by themselves; all other refusals are final.
PASSING = {"helper_unreachable", "failed", "unfinished", "not_running"}
SOONEST_SECONDS, LATEST_SECONDS = 0.5, 60.0


@dataclass(frozen=True)
class Due:
    due_id: int
    verb: str
    argument: str


class Dues:
    """Things to have done by the helper, until they are done."""

    def __init__(self, store: Store, helper: Helper) -> None:
        self.store = store
        self.helper = helper
        self._bell = threading.Event()
        # In the hands of the request that made them.
        self._in_hand: set[int] = set()

    def start(self) -> None:
        threading.Thread(target=self._work, name="dues", daemon=True).start()

    def note(self, private: sqlite3.Connection, wanted: Iterable[tuple[str, str]]) -> list[Due]:
        """Write them down, as part of the transaction that is open."""
        noted = []
        for verb, argument in wanted:
            query = "INSERT INTO due (verb, argument) VALUES (?, ?) RETURNING id"
            (due_id,) = private.execute(query, (verb, argument)).fetchone()
            noted.append(Due(due_id, verb, argument))
            if verb in AWAITED:
                self._in_hand.add(due_id)
        return noted

    def open_purges(self, private: sqlite3.Connection) -> set[str]:
        return {row[0] for row in private.execute("SELECT argument FROM due WHERE verb = 'purge'")}

    def settle(self, due: Due) -> None:
        """Do one of them now. Raises Refused; what may pass is tried again later."""
        try:
            self._do(due)
        finally:
            self._in_hand.discard(due.due_id)

    def let_go(self, dues: Iterable[Due]) -> None:
        """The batch they belong to came to nothing."""
        for due in dues:
            self._in_hand.discard(due.due_id)

    def ring(self) -> None:
        self._bell.set()

    def _do(self, due: Due) -> None:
        named = ARGUMENTS.get(due.verb)
        try:
            if due.verb == "purge":
                self._check_unused(due.argument)
            self.helper.call(due.verb, **({named: due.argument} if named else {}))
        except Refused as refusal:
            log("due_failed", verb=due.verb, argument=due.argument, code=refusal.code)
            if refusal.code not in PASSING:
                self._strike(due)
            raise
        self._strike(due)

    def _check_unused(self, storage_id: str) -> None:
        query = "SELECT id FROM address WHERE storage_id = ?"
        with self.store.write_lock:
            owner = self.store.writers["lookup"].execute(query, (storage_id,)).fetchone()
        if owner:
            raise Refused("storage_in_use", address_key=str(owner["id"]))

    def _strike(self, due: Due) -> None:
        with self.store.write_lock, storage_faults():
            self.store.writers["private"].execute("DELETE FROM due WHERE id = ?", (due.due_id,))

    def _work(self) -> None:
        """Do what is due, again and again, later and later while the helper is away."""
        wait = SOONEST_SECONDS
        while True:
            failed = self._work_through()
            wait = min(LATEST_SECONDS, wait * 2) if failed else SOONEST_SECONDS
            self._bell.wait(wait if failed else None)
            self._bell.clear()

    def _work_through(self) -> bool:
        try:
            waiting = self._open()
        except Refused:
            return True
        failed = False
        for due in waiting:
            try:
                self._do(due)
            except Refused as refusal:
                failed = failed or refusal.code in PASSING
                if refusal.code == "helper_unreachable":
                    break
        return failed

    def _open(self) -> list[Due]:
        with self.store.write_lock, storage_faults():
            found = (
                self.store.writers["private"]
                .execute("SELECT id, verb, argument FROM due ORDER BY id")
                .fetchall()
            )
            return [Due(*row) for row in found if row["id"] not in self._in_hand]
