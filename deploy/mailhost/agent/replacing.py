"""A full resync: rows are staged aside, then become the files' content as a difference.

What is staged is not visible. Before its first commit the stage is renamed to a journal; an agent
that was killed between the commits finds it at its next start and finishes, so that no host stays
half replaced.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import requests
from . import rows as tables
from .applying import Batch, Writer, validated
from .errors import Refused
from .logs import log
from .store import Position, Store, storage_faults
from .validate import Row

Name = tuple[str, str]


class Replacer:
    """The verb `replace`, in phases: begin, rows, commit or abort."""

    def __init__(self, store: Store, writer: Writer, folder: Path) -> None:
        self.store = store
        self.writer = writer
        self.stage = folder / "stage.jsonl"
        self.journal = folder / "replace.jsonl"
        self._staged: Position | None = None
        self._begun_at: Position | None = None

    def start(self) -> None:
        """Drop what was only staged, finish what was being committed."""
        self.stage.unlink(missing_ok=True)
        try:
            self.finish()
        except Refused as refusal:
            log("replace_unfinished", code=refusal.code, facts=refusal.facts)

    def finish(self) -> None:
        """Finish a replacement that ended between its commits; no batch comes on top of half of it.

        Raises Refused while that cannot be done.
        """
        if not self.journal.exists():
            return
        with self.store.write_lock, storage_faults():
            to, files = _journal_position(self.journal), self.store.positions()
            if files["private"] == to != files["lookup"]:
                batch = Batch(to, list(self._differences()))
                self.writer.write(batch, share=None)
                self.writer.dues.let_go(batch.dues)
                self.writer.dues.ring()
                log("replace_finished", generation=to.generation, rows=len(batch.rows))
            self.journal.unlink()

    def replace(self, request: dict[str, Any]) -> dict[str, Any]:
        to = requests.position({"to": _fields(request)}, "to")
        token, share = requests.whole(request, "token"), requests.share(request, "removal_share")
        phases = {"begin": self._begin, "rows": self._rows, "abort": self._abort}
        phase = request.get("phase")
        if not isinstance(phase, str) or phase not in {*phases, "commit"} or not to.epoch:
            raise Refused("bad_request", field="phase")
        with self.store.write_lock, storage_faults():
            self.store.fence(token)
            if phase != "begin":
                self._check_begun(to)
            if phase != "commit":
                return phases[phase](to, request)
            batch = self._commit(to, None if request.get("allow_mass_removal") is True else share)
        reload = self.writer.follow_up(batch)
        return {
            "results": batch.results,
            "changed": len(batch.rows),
            "reload": reload,
            "took_ms": batch.took_ms,
        }

    def _begin(self, to: Position, request: dict[str, Any]) -> dict[str, Any]:
        self.stage.write_text(json.dumps(to.as_dict()) + "\n", encoding="ascii")
        self._staged, self._begun_at = to, self.store.position()
        return {}

    def _check_begun(self, to: Position) -> None:
        """A batch that was applied meanwhile would be undone by what was staged before it."""
        if self._staged != to or self._begun_at != self.store.position():
            raise Refused("not_begun")

    def _rows(self, to: Position, request: dict[str, Any]) -> dict[str, Any]:
        good, results = validated(requests.listed(request, "rows"))
        # A refused row fails alone: what the host has of it stays.
        kept = [[each["kind"], each["key"]] for each in results]
        with self.stage.open("a", encoding="ascii") as stage:
            stage.writelines(json.dumps(line) + "\n" for line in [*good, *kept])
        return {"results": results}

    def _abort(self, to: Position, request: dict[str, Any]) -> dict[str, Any]:
        self._forget()
        return {}

    def _forget(self) -> None:
        self.stage.unlink(missing_ok=True)
        self._staged = None

    def _commit(self, to: Position, share: float | None) -> Batch:
        _rename_durably(self.stage, self.journal)
        try:
            batch = Batch(to, list(self._differences()))
            self.writer.write(batch, share=share)
        except Refused:
            self._take_back(to)
            raise
        self.journal.unlink()
        self._staged = None
        log("replaced", generation=to.generation, batch=to.batch, rows=len(batch.rows))
        return batch

    def _take_back(self, to: Position) -> None:
        """Nothing was committed: the panel may ask again, and say that it means it."""
        if self.store.positions()["private"] == to:
            self._staged = None
        else:
            self.journal.rename(self.stage)

    def _differences(self) -> Iterator[Row]:
        """What must be written for the files to hold just the staged rows."""
        here: dict[Name, tuple[str, int]] = {}
        for domain_id in tables.domain_ids(self.store.writers):
            for row in tables.read_domain(self.store.writers, domain_id):
                here[row["kind"], row["key"]] = (tables.digest(row), domain_id)
        for row in _journal_rows(self.journal):
            name = (row["kind"], row["key"])
            known = here.pop(name, None)
            if "keep" not in row and (known is None or known[0] != tables.digest(row)):
                yield row
        for (kind, key), (_digest, domain_id) in here.items():
            yield {"kind": kind, "key": key, "domain_id": domain_id, "remove": True}


def _fields(request: dict[str, Any]) -> dict[str, Any]:
    return {name: request.get(name) for name in ("epoch", "generation", "batch")}


def _rename_durably(old: Path, new: Path) -> None:
    """The journal has to outlive a crash that the first commit outlives."""
    with old.open("rb") as stage:
        os.fsync(stage.fileno())
    old.rename(new)
    folder = os.open(new.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _journal_position(journal: Path) -> Position:
    with journal.open(encoding="ascii") as lines:
        return Position(**json.loads(lines.readline()))


def _journal_rows(journal: Path) -> Iterator[Row]:
    with journal.open(encoding="ascii") as lines:
        next(lines)
        for line in lines:
            found = json.loads(line)
            if isinstance(found, list):
                found = {"kind": found[0], "key": found[1], "keep": True}
            yield found
