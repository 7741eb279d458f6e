"""Taking batches: base and token checked, bad rows refused alone, the rest made true at once."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from . import rows as tables
from . import validate
from .errors import Refused
from .helperclient import Helper
from .logs import log
from .store import Position, Store
from .validate import Row

# Below this many removals no share of a small host is alarming.
FEW_REMOVALS = 10


class Applier:
    """The verbs `apply` and `replace`."""

    def __init__(self, store: Store, helper: Helper, scratch: Path) -> None:
        self.store = store
        self.helper = helper
        self.stage = scratch / "stage.jsonl"
        self._staged: Position | None = None

    def apply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take one batch on top of the position that the panel names."""
        base, to = _position(request, "base"), _position(request, "to")
        token = _whole(request, "token")
        sent = request.get("rows")
        if not isinstance(sent, list):
            raise Refused("bad_request", field="rows")
        started = time.monotonic()
        with self.store.write_lock:
            self.store.fence(token)
            here = self.store.position()
            if here != base:
                raise Refused("fork", **here.as_dict())
            good, results = _validated(sent)
            outcome = self._write(
                to,
                good,
                results,
                share=float(request.get("removal_share", 0.2)),
                allow=request.get("allow_mass_removal") is True,
            )
        return {**outcome, "took_ms": round((time.monotonic() - started) * 1000, 1)}

    def _write(
        self,
        to: Position,
        good: list[Row],
        results: list[dict[str, Any]],
        *,
        share: float,
        allow: bool,
    ) -> dict[str, Any]:
        purges = [row for row in good if row["kind"] == "purge"]
        changes = [row for row in good if row["kind"] != "purge"]
        with self.store.transaction(to) as files:
            for row, refusal in list(tables.check_conflicts(files, changes)):
                changes.remove(row)
                good.remove(row)
                results.append(_no(row, refusal))
            if not allow:
                _guard_removals(files, changes, share)
            news = _new_names(files, changes)
            ended = _ended_sessions(files, changes)
            tables.delete(files, changes)
            for row in changes:
                if not row.get("remove"):
                    tables.insert(files, row)
        reload = self._reload(news)
        self._kick(ended)
        for row in purges:
            try:
                self._purge(row["storage_id"])
            except Refused as refusal:
                good.remove(row)
                results.append(_no(row, refusal))
        results += [{"kind": row["kind"], "key": row["key"], "ok": True} for row in good]
        log("applied", generation=to.generation, batch=to.batch, rows=len(good))
        return {"results": results, "reload": reload}

    def _reload(self, news: set[str]) -> str:
        """A running smtpd keeps the refusal it gave before a domain existed: one reload a batch."""
        if not news:
            return "none"
        try:
            self.helper.call("reload_postfix")
        except Refused as refusal:
            log("reload_failed", code=refusal.code)
            return "failed"
        return "done"

    def _kick(self, ended: set[str]) -> None:
        """End the sessions whose log-in no longer stands; nobody waits for it."""
        if ended:
            threading.Thread(target=self._kick_each, args=(sorted(ended),), daemon=True).start()

    def _kick_each(self, logins: list[str]) -> None:
        for login in logins:
            try:
                self.helper.call("kick", login=login)
            except Refused as refusal:
                log("kick_failed", code=refusal.code)

    def _purge(self, storage_id: str) -> None:
        owner = (
            self.store.writers["lookup"]
            .execute("SELECT id FROM address WHERE storage_id = ?", (storage_id,))
            .fetchone()
        )
        if owner:
            raise Refused("storage_in_use", address_key=str(owner["id"]))
        self.helper.call("purge", storage_id=storage_id)

    def purge(self, request: dict[str, Any]) -> dict[str, Any]:
        self.store.fence(_whole(request, "token"))
        row = validate.row(
            {"kind": "purge", "key": request.get("storage_id"), "domain_id": 0,
             "storage_id": request.get("storage_id")}
        )  # fmt: skip
        with self.store.write_lock:
            self._purge(row["storage_id"])
        return {}

    def replace(self, request: dict[str, Any]) -> dict[str, Any]:
        """A full resync: rows are staged aside, then become the files' content as a difference."""
        to = Position(
            str(request.get("epoch")), _whole(request, "generation"), str(request.get("batch"))
        )
        phase = request.get("phase")
        with self.store.write_lock:
            self.store.fence(_whole(request, "token"))
            if phase == "begin":
                self.stage.write_bytes(b"")
                self._staged = to
            elif self._staged != to:
                raise Refused("not_begun")
            elif phase == "rows":
                return {"results": self._stage(request.get("rows"))}
            elif phase == "commit":
                return self._commit(to, allow=request.get("allow_mass_removal") is True)
            elif phase == "abort":
                self._forget_stage()
            else:
                raise Refused("bad_request", field="phase")
        return {}

    def _stage(self, sent: object) -> list[dict[str, Any]]:
        if not isinstance(sent, list):
            raise Refused("bad_request", field="rows")
        good, results = _validated(sent)
        with self.stage.open("a", encoding="ascii") as stage:
            stage.writelines(json.dumps(row) + "\n" for row in good)
        return results

    def _forget_stage(self) -> None:
        self.stage.unlink(missing_ok=True)
        self._staged = None

    def _commit(self, to: Position, *, allow: bool) -> dict[str, Any]:
        changes = list(self._differences())
        outcome = self._write(to, changes, [], share=0.2, allow=allow)
        self._forget_stage()
        outcome["results"] = [result for result in outcome["results"] if not result["ok"]]
        outcome["changed"] = len(changes)
        return outcome

    def _differences(self) -> Iterator[Row]:
        """What must be written for the files to hold just the staged rows."""
        here: dict[tuple[str, str], tuple[str, int]] = {}
        for domain_id in tables.domain_ids(self.store.writers):
            for row in tables.read_domain(self.store.writers, domain_id):
                here[row["kind"], row["key"]] = (tables.digest(row), row["domain_id"])
        with self.stage.open(encoding="ascii") as stage:
            for line in stage:
                row = json.loads(line)
                known = here.pop((row["kind"], row["key"]), None)
                if known is None or known[0] != tables.digest(row):
                    yield row
        for (kind, key), (_digest, domain_id) in here.items():
            yield {"kind": kind, "key": key, "domain_id": domain_id, "remove": True}


def _validated(sent: list[object]) -> tuple[list[Row], list[dict[str, Any]]]:
    good: list[Row] = []
    results: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    for value in sent:
        try:
            row = validate.row(value)
            if (row["kind"], row["key"]) in seen:
                raise Refused("bad_row", field="doubled")
        except Refused as refusal:
            results.append(_no(value if isinstance(value, dict) else {}, refusal))
            continue
        seen.add((row["kind"], row["key"]))
        good.append(row)
        change = value.get("change") if isinstance(value, dict) else ""
        if len(sent) <= 20:
            log("row", kind=row["kind"], key=row["key"], change=change)
    return good, results


def _no(row: dict[str, Any], refusal: Refused) -> dict[str, Any]:
    kind, key = str(row.get("kind"))[:20], str(row.get("key"))[:40]
    log("row_refused", kind=kind, key=key, code=refusal.code, facts=refusal.facts)
    return {"kind": kind, "key": key, "ok": False, "code": refusal.code, "facts": refusal.facts}


def _guard_removals(
    files: dict[str, sqlite3.Connection], changes: Iterable[Row], share: float
) -> None:
    lookup = files["lookup"]
    gone = [int(row["key"]) for row in changes if row["kind"] == "address" and row.get("remove")]
    if len(gone) <= FEW_REMOVALS:
        return
    mailboxes = sum(
        1
        for key in gone
        if lookup.execute(
            "SELECT 1 FROM address WHERE id = ? AND type = 'mailbox'", (key,)
        ).fetchone()
    )
    total = lookup.execute("SELECT count(*) FROM address WHERE type = 'mailbox'").fetchone()[0]
    if mailboxes > FEW_REMOVALS and mailboxes > share * total:
        raise Refused("mass_removal", removes=mailboxes, of=total)


def _new_names(files: dict[str, sqlite3.Connection], changes: Iterable[Row]) -> set[str]:
    names = {row["name"] for row in changes if row["kind"] == "domain" and not row.get("remove")}
    known = {
        name
        for name in names
        if files["lookup"].execute("SELECT 1 FROM domain WHERE name = ?", (name,)).fetchone()
    }
    return names - known


def _ended_sessions(files: dict[str, sqlite3.Connection], changes: Iterable[Row]) -> set[str]:
    """Log-ins whose password or right to log in changes with these rows."""
    lookup, auth = files["lookup"], files["auth"]
    ended: set[str] = set()
    for row in changes:
        if row["kind"] == "domain":
            before = lookup.execute(
                "SELECT name, state FROM domain WHERE id = ?", (int(row["key"]),)
            ).fetchone()
            if before and before["state"] == "active" and row.get("state") != "active":
                ended.add(f"*@{before['name']}")
        elif row["kind"] == "address":
            before = auth.execute(
                "SELECT l.local_part, l.state, d.name FROM login l JOIN domain d"
                " ON d.id = l.domain_id WHERE l.address_id = ?",
                (int(row["key"]),),
            ).fetchone()
            if before is None:
                continue
            hashes = {
                each["hash"]
                for each in auth.execute(
                    "SELECT hash FROM credential WHERE address_id = ?", (int(row["key"]),)
                )
            }
            kept = {each["hash"] for each in row.get("credentials", [])}
            if row.get("state") != "active" or hashes - kept:
                ended.add(f"{before['local_part']}@{before['name']}")
    return ended


def _position(request: dict[str, Any], field: str) -> Position:
    value = request.get(field)
    if not isinstance(value, dict):
        raise Refused("bad_request", field=field)
    epoch, batch = value.get("epoch"), value.get("batch")
    if not isinstance(epoch, str) or not isinstance(batch, str) or len(epoch + batch) > 100:
        raise Refused("bad_request", field=field)
    return Position(epoch, _whole(value, "generation"), batch)


def _whole(value: dict[str, Any], field: str) -> int:
    number = value.get(field)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**62:
        raise Refused("bad_request", field=field)
    return number
