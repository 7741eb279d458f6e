"""What a batch means beyond its rows: names that need a reload, sessions that end, mass removal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from .errors import Refused
from .validate import Row

Files = Mapping[str, sqlite3.Connection]

# Below this many removals no share of a small host is alarming.
FEW_REMOVALS = 10


def guard_removals(lookup: sqlite3.Connection, rows: Iterable[Row], share: float) -> None:
    """Raise mass_removal when the rows take away more than `share` of the host's mailboxes."""
    removed = sum(_removals(lookup, list(rows)))
    if removed <= FEW_REMOVALS:
        return
    total = _count(lookup, "SELECT count(*) FROM address WHERE type = 'mailbox'")
    if removed > share * total:
        raise Refused("mass_removal", removes=removed, of=total)


def _removals(lookup: sqlite3.Connection, rows: list[Row]) -> Iterator[int]:
    """Yield how many mailboxes each row takes away: itself, or those left without a domain."""
    is_mailbox = "SELECT count(*) FROM address WHERE id = ? AND type = 'mailbox'"
    domains = {row["key"] for row in rows if row["kind"] == "domain" and row.get("remove")}
    named = [row for row in rows if row["kind"] == "address"]
    for row in named:
        if row.get("remove") or row["type"] != "mailbox":
            yield _count(lookup, is_mailbox, int(row["key"]))
    for key in domains:
        query = "SELECT id FROM address WHERE domain_id = ? AND type = 'mailbox'"
        inside = {str(each["id"]) for each in lookup.execute(query, (int(key),))}
        yield len(inside - {row["key"] for row in named})


def _count(lookup: sqlite3.Connection, query: str, *values: object) -> int:
    return int(lookup.execute(query, values).fetchone()[0])


def changes_names(lookup: sqlite3.Connection, rows: Iterable[Row]) -> bool:
    """Whether mail to a name begins or ceases to be taken here.

    A running smtpd keeps what it once found out about a domain: that it is relaying to it, or
    that it is ours. An alias domain is what its domain is.
    """
    query = "SELECT name, canonical_id, elsewhere FROM domain WHERE id = ?"
    for row in rows:
        if row["kind"] == "domain":
            before = lookup.execute(query, (int(row["key"]),)).fetchone()
            if (tuple(before) if before else None) != _decides(row):
                return True
    return False


def _decides(row: Row) -> tuple[object, ...] | None:
    if row.get("remove"):
        return None
    return row["name"], row["canonical_id"], row.get("elsewhere", False)


def taken_back(lookup: sqlite3.Connection, rows: Iterable[Row]) -> set[str]:
    """Names whose mail went elsewhere until now; what waits for them was addressed to the outside.

    It would be delivered as it stands: to an alias that nobody has resolved, or round in circles.
    """
    query = (
        "SELECT n.name FROM domain d JOIN domain n ON d.id IN (n.id, n.canonical_id)"
        " WHERE d.id = ? AND d.elsewhere"
    )
    names: set[str] = set()
    for row in rows:
        if row["kind"] == "domain" and not row.get("remove") and not row.get("elsewhere", False):
            names |= {each["name"] for each in lookup.execute(query, (int(row["key"]),))}
    return names


def ended_sessions(files: Files, rows: Iterable[Row]) -> set[str]:
    """Log-ins whose name, password or right to log in changes with these rows."""
    ended: set[str] = set()
    for row in rows:
        if row["kind"] == "domain":
            before = (
                files["auth"]
                .execute("SELECT name, state FROM domain WHERE id = ?", (int(row["key"]),))
                .fetchone()
            )
            stays = ("active", before["name"]) if before else None
            if before and before["state"] == "active" and _now(row, "name") != stays:
                ended.add(f"*@{before['name']}")
        elif row["kind"] == "address":
            ended |= _ended_login(files["auth"], row)
    return ended


def _ended_login(auth: sqlite3.Connection, row: Row) -> set[str]:
    key = int(row["key"])
    before = auth.execute(
        "SELECT l.local_part, l.state, d.name FROM login l JOIN domain d ON d.id = l.domain_id"
        " WHERE l.address_id = ?",
        (key,),
    ).fetchone()
    if before is None or before["state"] != "active":
        return set()
    query = "SELECT hash, protocols FROM credential WHERE address_id = ?"
    had = {(each["hash"], each["protocols"]) for each in auth.execute(query, (key,))}
    has = {(each["hash"], ",".join(each["protocols"])) for each in row.get("credentials", [])}
    stays = _now(row, "local_part") == ("active", before["local_part"])
    return set() if stays and had <= has else {f"{before['local_part']}@{before['name']}"}


def _now(row: Row, field: str) -> tuple[object, object]:
    return row.get("state"), row.get(field)
