"""Taking batches: base and token checked, bad rows refused alone, the rest made true at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from . import effects, requests, validate
from . import rows as tables
from .conflicts import without_conflicts
from .dues import Due, Dues
from .errors import Refused
from .logs import log
from .store import Position, Store, Writing, storage_faults
from .validate import Row

# Batches of people, not of imports: their rows are logged one by one, with their change ids.
FEW_ROWS = 20

Result = dict[str, Any]


class RowClash(Exception):
    """A row that the tables do not take."""

    def __init__(self, row: Row, detail: str) -> None:
        super().__init__(detail)
        self.row = row
        self.detail = detail


@dataclass
class Batch:
    """Rows on their way into the files, and what has become of them."""

    to: Position
    rows: list[Row]
    results: list[Result] = field(default_factory=list)
    dues: list[Due] = field(default_factory=list)
    took_ms: dict[str, float] = field(default_factory=dict)

    def refuse(self, row: Row, refusal: Refused) -> None:
        self.rows = [each for each in self.rows if each is not row]
        self.results.append(no(row, refusal))


class Writer:
    """Makes a batch true in the files, then sees to what follows from it."""

    def __init__(self, store: Store, dues: Dues) -> None:
        self.store = store
        self.dues = dues

    def write(self, batch: Batch, *, share: float | None) -> None:
        """Write all rows that fit, in one transaction per file.

        `share` is the part of the mailboxes that may go, None when all may.
        """
        while True:
            try:
                with self.store.transaction(batch.to) as writing:
                    self._write_once(writing, batch, share)
            except RowClash as clash:
                self.dues.let_go(batch.dues)
                batch.refuse(clash.row, Refused("conflict", field="row", detail=clash.detail))
                continue
            except BaseException:
                self.dues.let_go(batch.dues)
                raise
            batch.took_ms |= writing.took_ms
            return

    def _write_once(self, writing: Writing, batch: Batch, share: float | None) -> None:
        files = writing.files
        doomed = self.dues.open_purges(files["private"])
        batch.rows, bad = without_conflicts(files["lookup"], batch.rows, doomed)
        batch.results += [no(row, refusal) for row, refusal in bad]
        changes = [row for row in batch.rows if row["kind"] != "purge"]
        if share is not None:
            effects.guard_removals(files["lookup"], changes, share)
        batch.dues = self.dues.note(files["private"], self._wanted(files, batch.rows, changes))
        tables.delete(files, changes)
        for row in changes:
            if not row.get("remove"):
                _insert(files, row)

    def _wanted(
        self, files: dict[str, sqlite3.Connection], rows: list[Row], changes: list[Row]
    ) -> Iterable[tuple[str, str]]:
        if effects.changes_names(files["lookup"], changes):
            yield "reload_postfix", ""
        for name in sorted(effects.taken_back(files["lookup"], changes)):
            yield "requeue", name
        for row in rows:
            if row["kind"] == "purge":
                yield "purge", row["storage_id"]
        for login in sorted(effects.ended_sessions(files, changes)):
            yield "kick", login

    def follow_up(self, batch: Batch) -> str:
        """Reload and remove storages before the answer; sort mail and end sessions beside it.

        Returns what became of the reload: none, done, or failed (it is then tried again).
        """
        reload = "none"
        for due in batch.dues:
            if due.verb == "reload_postfix":
                reload = self._reload(due, batch)
            elif due.verb == "purge":
                self._purge(due, batch)
        if batch.dues:
            self.dues.ring()
        return reload

    def _reload(self, due: Due, batch: Batch) -> str:
        started = time.monotonic()
        try:
            self.dues.settle(due)
        except Refused:
            return "failed"
        batch.took_ms["reload"] = round((time.monotonic() - started) * 1000, 2)
        return "done"

    def _purge(self, due: Due, batch: Batch) -> None:
        try:
            self.dues.settle(due)
        except Refused as refusal:
            for row in batch.rows:
                if row["kind"] == "purge" and row["key"] == due.argument:
                    batch.refuse(row, refusal)


class Applier:
    """The verbs `apply` and `purge`."""

    def __init__(self, store: Store, writer: Writer, finish: Callable[[], None]) -> None:
        self.store = store
        self.writer = writer
        # Finishes a replacement that was cut off; raises Refused while it cannot.
        self.finish = finish

    def apply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take one batch on top of the position that the panel names."""
        base = requests.position(request, "base")
        to = requests.position(request, "to", epoch=base.epoch)
        _check_step(base, to)
        token = requests.whole(request, "token")
        share = requests.share(request, "removal_share")
        good, results = validated(requests.listed(request, "rows"))
        batch = Batch(to, good, results)
        started = time.monotonic()
        with self.store.write_lock:
            self.store.fence(token)
            self.finish()
            here = self.store.position()
            # Where it should come to already: its answer was lost, and it is sent once more.
            if here not in (base, to):
                raise Refused("fork", **here.as_dict())
            allowed = request.get("allow_mass_removal") is True
            self.writer.write(batch, share=None if allowed else share)
        reload = self.writer.follow_up(batch)
        batch.took_ms["total"] = round((time.monotonic() - started) * 1000, 2)
        log("applied", generation=to.generation, batch=to.batch, rows=len(batch.rows))
        taken = [{"kind": row["kind"], "key": row["key"], "ok": True} for row in batch.rows]
        return {"results": batch.results + taken, "reload": reload, "took_ms": batch.took_ms}

    def purge(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remove one mail storage that no address has."""
        storage_id = requests.word(request, "storage_id")
        validate.row({"kind": "purge", "key": storage_id, "domain_id": 0, "storage_id": storage_id})
        with self.store.write_lock, storage_faults():
            self.store.fence(requests.whole(request, "token"))
            (due,) = self.writer.dues.note(self.store.writers["private"], [("purge", storage_id)])
        self.writer.dues.settle(due)
        return {}


def _check_step(base: Position, to: Position) -> None:
    forward = to.generation >= base.generation and base.epoch in ("", to.epoch)
    if not forward or not to.epoch or not to.batch:
        raise Refused("bad_request", field="to")


def _insert(files: dict[str, sqlite3.Connection], row: Row) -> None:
    try:
        tables.insert(files, row)
    except sqlite3.IntegrityError as error:
        raise RowClash(row, str(error)) from error


def validated(sent: list[object]) -> tuple[list[Row], list[Result]]:
    """Part what was sent into good rows and the answers to bad ones."""
    good: list[Row] = []
    results: list[Result] = []
    seen: set[tuple[str, str]] = set()
    for value in sent:
        try:
            row = validate.row(value)
            if (row["kind"], row["key"]) in seen:
                raise Refused("bad_row", field="doubled")
        except Refused as refusal:
            results.append(no(value if isinstance(value, dict) else {}, refusal))
            continue
        seen.add((row["kind"], row["key"]))
        good.append(row)
        if len(sent) <= FEW_ROWS and isinstance(value, dict):
            log("row", kind=row["kind"], key=row["key"], change=value.get("change", ""))
    return good, results


def no(row: dict[str, Any], refusal: Refused) -> Result:
    kind, key = str(row.get("kind"))[:20], str(row.get("key"))[:40]
    log("row_refused", kind=kind, key=key, code=refusal.code, facts=refusal.facts)
    return {"kind": kind, "key": key, "ok": False, "code": refusal.code, "facts": refusal.facts}
