"""Places that only one row may have, in batches whose rows come in any order."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator

from .errors import Refused
from .validate import Row

Place = tuple[object, ...]
Name = tuple[str, str]

_HOLDERS = {
    "name": "SELECT id FROM domain WHERE name = ?",
    "local_part": "SELECT id FROM address WHERE domain_id = ? AND local_part = ?",
    "storage_id": "SELECT id FROM address WHERE storage_id = ?",
}


def without_conflicts(
    lookup: sqlite3.Connection, rows: Iterable[Row], doomed: set[str]
) -> tuple[list[Row], list[tuple[Row, Refused]]]:
    """Part the rows into those that fit together with what stays, and those that do not.

    What the batch itself takes away or moves frees its place, in whatever order it is named; a
    refused row stays where it was, so a row that counted on its place is refused with it.
    `doomed` are storage ids that are being removed.
    """
    batch = _Batch(lookup, list(rows), doomed)
    for row in batch.rows:
        if not row.get("remove"):
            batch.try_to_place(row)
    good = [row for row in batch.rows if _name(row) not in batch.refused]
    bad = [row for row in batch.rows if _name(row) in batch.refused]
    return good, [(row, batch.refused[_name(row)]) for row in bad]


class _Batch:
    def __init__(self, lookup: sqlite3.Connection, rows: list[Row], doomed: set[str]) -> None:
        self.lookup = lookup
        self.rows = rows
        self.doomed = doomed
        self.own = {_name(row) for row in rows}
        self.gone = {_name(row) for row in rows if row.get("remove")}
        self.coming = {
            row["domain_id"] for row in rows if row["kind"] == "domain" and not row.get("remove")
        }
        self.taken: dict[Place, Row] = {}
        self.placed: dict[int, list[Row]] = defaultdict(list)
        self.refused: dict[Name, Refused] = {}

    def try_to_place(self, row: Row) -> None:
        if _name(row) in self.refused:
            return
        if refusal := self._refusal(row):
            self._refuse(row, refusal)
            return
        for place in _places(row):
            self.taken[place] = row
        if row["kind"] == "address":
            self.placed[row["domain_id"]].append(row)

    def _refusal(self, row: Row) -> Refused | None:
        if row["kind"] == "address" and not self._has_domain(row["domain_id"]):
            return Refused("unknown_domain", domain_id=row["domain_id"])
        if row.get("storage_id") in self.doomed:
            return Refused("storage_in_purge")
        kind = row["kind"]
        for place in _places(row):
            holder = self._holder(place)
            stays = (kind, holder) not in self.own or (kind, holder) in self.refused
            if holder and stays and holder != row["key"]:
                return Refused("conflict", field=place[0], with_key=holder)
            other = self.taken.get(place)
            if other and _name(other) not in self.refused:
                return Refused("conflict", field=place[0], with_key=other["key"])
        return None

    def _has_domain(self, domain_id: int) -> bool:
        name = ("domain", str(domain_id))
        if domain_id in self.coming and name not in self.refused:
            return True
        known = self.lookup.execute("SELECT 1 FROM domain WHERE id = ?", (domain_id,)).fetchone()
        return known is not None and name not in self.gone

    def _holder(self, place: Place) -> str:
        found = self.lookup.execute(_HOLDERS[str(place[0])], place[1:]).fetchone()
        return str(found[0]) if found else ""

    def _refuse(self, row: Row, refusal: Refused) -> None:
        """Refuse a row, and with it those that had been given what it does not leave now."""
        waiting = [(row, refusal)]
        while waiting:
            row, refusal = waiting.pop()
            self.refused[_name(row)] = refusal
            for place in self._old_places(row):
                other = self.taken.get(place)
                if other and other is not row and _name(other) not in self.refused:
                    no = Refused("conflict", field=place[0], with_key=row["key"])
                    waiting.append((other, no))
            if row["kind"] == "domain" and not self._has_domain(row["domain_id"]):
                no = Refused("unknown_domain", domain_id=row["domain_id"])
                waiting += [(each, no) for each in self.placed.pop(row["domain_id"], [])]

    def _old_places(self, row: Row) -> Iterator[Place]:
        if row["kind"] == "domain":
            query = "SELECT name FROM domain WHERE id = ?"
            for (name,) in self.lookup.execute(query, (int(row["key"]),)):
                yield ("name", name)
        elif row["kind"] == "address":
            query = "SELECT domain_id, local_part, storage_id FROM address WHERE id = ?"
            for domain_id, local_part, storage_id in self.lookup.execute(query, (int(row["key"]),)):
                yield ("local_part", domain_id, local_part)
                if storage_id:
                    yield ("storage_id", storage_id)


def _name(row: Row) -> Name:
    return row["kind"], row["key"]


def _places(row: Row) -> Iterator[Place]:
    if row["kind"] == "domain":
        yield ("name", row["name"])
    elif row["kind"] == "address":
        yield ("local_part", row["domain_id"], row["local_part"])
        if row["type"] == "mailbox":
            yield ("storage_id", row["storage_id"])
