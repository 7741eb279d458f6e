"""Rows as tables: written from the wire's form, and read back into it for the digests."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from .errors import Refused
from .validate import Row

Files = Mapping[str, sqlite3.Connection]


def check_conflicts(files: Files, rows: Iterable[Row]) -> Iterator[tuple[Row, Refused]]:
    """Yield the rows that would take what another row, not among these, already has."""
    rows = list(rows)
    # What these rows themselves take out or move is no conflict.
    own_addresses = {int(row["key"]) for row in rows if row["kind"] == "address"}
    own_domains = {int(row["key"]) for row in rows if row["kind"] == "domain"}
    rows = [row for row in rows if not row.get("remove")]
    lookup = files["lookup"]
    taken: set[tuple[object, ...]] = set()
    coming = {int(row["key"]) for row in rows if row["kind"] == "domain"}
    for row in rows:
        places: list[tuple[object, ...]] = []
        if row["kind"] == "domain":
            found = lookup.execute(
                "SELECT id FROM domain WHERE name = ?", (row["name"],)
            ).fetchone()
            places = [("domain", row["name"])]
            if found and found["id"] not in own_domains:
                yield row, Refused("conflict", field="name", with_key=str(found["id"]))
                continue
        elif row["kind"] == "address":
            if row["domain_id"] not in coming and not _knows_domain(lookup, row["domain_id"]):
                yield row, Refused("unknown_domain", domain_id=row["domain_id"])
                continue
            places = [("address", row["domain_id"], row["local_part"])]
            found = lookup.execute(
                "SELECT id FROM address WHERE domain_id = ? AND local_part = ?",
                (row["domain_id"], row["local_part"]),
            ).fetchone()
            if found and found["id"] not in own_addresses:
                yield row, Refused("conflict", field="local_part", with_key=str(found["id"]))
                continue
            if row["type"] == "mailbox":
                places.append(("storage", row["storage_id"]))
                found = lookup.execute(
                    "SELECT id FROM address WHERE storage_id = ?", (row["storage_id"],)
                ).fetchone()
                if found and found["id"] not in own_addresses:
                    yield row, Refused("conflict", field="storage_id", with_key=str(found["id"]))
                    continue
        if taken & set(places):
            yield row, Refused("conflict", field="batch")
            continue
        taken |= set(places)


def _knows_domain(lookup: sqlite3.Connection, domain_id: int) -> bool:
    return lookup.execute("SELECT 1 FROM domain WHERE id = ?", (domain_id,)).fetchone() is not None


def delete(files: Files, rows: Iterable[Row]) -> None:
    """Take the rows out of all tables; their new form, if any, is inserted afterwards."""
    keys: dict[str, list[tuple[int]]] = {"domain": [], "address": [], "dkim": []}
    for row in rows:
        if row["kind"] in keys:
            keys[row["kind"]].append((int(row["key"]),))
    lookup, auth, private = files["lookup"], files["auth"], files["private"]
    lookup.executemany("DELETE FROM domain WHERE id = ?", keys["domain"])
    auth.executemany("DELETE FROM domain WHERE id = ?", keys["domain"])
    for table, column in (("route", "address_id"), ("sender", "address_id"), ("address", "id")):
        lookup.executemany(f"DELETE FROM {table} WHERE {column} = ?", keys["address"])  # noqa: S608
    for table in ("login", "credential", "probe"):
        auth.executemany(f"DELETE FROM {table} WHERE address_id = ?", keys["address"])  # noqa: S608
    private.executemany("DELETE FROM dkim WHERE id = ?", keys["dkim"])


def insert(files: Files, row: Row) -> None:
    {"domain": _insert_domain, "address": _insert_address, "dkim": _insert_dkim}[row["kind"]](
        files, row
    )


def _insert_domain(files: Files, row: Row) -> None:
    files["lookup"].execute(
        "INSERT INTO domain VALUES (?, ?, ?, ?, ?, ?)",
        (
            int(row["key"]),
            row["name"],
            row["state"],
            row["canonical_id"],
            row["catch_all"],
            row["postmaster"],
        ),
    )
    files["auth"].execute(
        "INSERT INTO domain VALUES (?, ?, ?)", (int(row["key"]), row["name"], row["state"])
    )


def _insert_address(files: Files, row: Row) -> None:
    key, lookup, auth = int(row["key"]), files["lookup"], files["auth"]
    lookup.execute(
        "INSERT INTO address VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key,
            row["domain_id"],
            row["local_part"],
            row["type"],
            row["state"],
            row.get("storage_id"),
            row.get("quota_mib"),
            int(row.get("keep_copy", True)),
        ),
    )
    lookup.executemany(
        "INSERT INTO route VALUES (?, ?, ?)",
        [(key, position, target) for position, target in enumerate(row["targets"])],
    )
    if row["type"] != "mailbox":
        return
    lookup.executemany("INSERT INTO sender VALUES (?, ?)", [(each, key) for each in row["send_as"]])
    auth.execute(
        "INSERT INTO login VALUES (?, ?, ?, ?, ?)",
        (key, row["domain_id"], row["local_part"], row["state"], row["storage_id"]),
    )
    auth.executemany(
        "INSERT INTO credential VALUES (?, ?, ?, ?, ?)",
        [
            (key, each["prefix"], each["hash"], ",".join(each["protocols"]), each["expires"])
            for each in row["credentials"]
        ],
    )


def _insert_dkim(files: Files, row: Row) -> None:
    files["private"].execute(
        "INSERT INTO dkim VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            int(row["key"]),
            row["domain_id"],
            row["domain"],
            row["selector"],
            row["algorithm"],
            row["private_key"],
            int(row["signing"]),
        ),
    )


def domain_ids(files: Files) -> set[int]:
    found: set[int] = set()
    for name, query in (
        ("lookup", "SELECT id FROM domain UNION SELECT domain_id FROM address"),
        ("auth", "SELECT id FROM domain UNION SELECT domain_id FROM login"),
        ("private", "SELECT domain_id FROM dkim"),
    ):
        found |= {row[0] for row in files[name].execute(query)}
    return found


def read_domain(files: Files, domain_id: int) -> Iterator[Row]:
    """Yield all rows of one domain, in the wire's form, from what really stands in the files.

    What auth holds otherwise than lookup makes a row that no panel has ever sent.
    """
    lookup, auth = files["lookup"], files["auth"]
    logins = {
        row["address_id"]: row
        for row in auth.execute("SELECT * FROM login WHERE domain_id = ?", (domain_id,))
    }
    in_auth = auth.execute("SELECT name, state FROM domain WHERE id = ?", (domain_id,)).fetchone()
    for row in lookup.execute("SELECT * FROM domain WHERE id = ?", (domain_id,)):
        domain: Row = {
            "kind": "domain",
            "key": str(domain_id),
            "domain_id": domain_id,
            "name": row["name"],
            "state": row["state"],
            "canonical_id": row["canonical_id"],
            "catch_all": row["catch_all"],
            "postmaster": row["postmaster"],
        }
        if in_auth is None or (in_auth["name"], in_auth["state"]) != (row["name"], row["state"]):
            domain["auth"] = "differs"
        yield domain
    for row in lookup.execute("SELECT * FROM address WHERE domain_id = ?", (domain_id,)):
        yield _read_address(files, row, logins.pop(row["id"], None))
    for key in logins:
        yield {"kind": "address", "key": str(key), "domain_id": domain_id, "auth": "alone"}
    for row in files["private"].execute("SELECT * FROM dkim WHERE domain_id = ?", (domain_id,)):
        yield {
            "kind": "dkim",
            "key": str(row["id"]),
            "domain_id": domain_id,
            "domain": row["domain"],
            "selector": row["selector"],
            "algorithm": row["algorithm"],
            "private_key": row["private_key"],
            "signing": bool(row["signing"]),
        }


def _read_address(files: Files, row: sqlite3.Row, login: sqlite3.Row | None) -> Row:
    lookup, key = files["lookup"], row["id"]
    address: Row = {
        "kind": "address",
        "key": str(key),
        "domain_id": row["domain_id"],
        "local_part": row["local_part"],
        "type": row["type"],
        "state": row["state"],
        "targets": [
            each["target"]
            for each in lookup.execute(
                "SELECT target FROM route WHERE address_id = ? ORDER BY position", (key,)
            )
        ],
    }
    if row["type"] != "mailbox":
        return address
    expected = (row["local_part"], row["state"], row["storage_id"])
    if login is None or (login["local_part"], login["state"], login["storage_id"]) != expected:
        address["auth"] = "differs"
    return address | {
        "storage_id": row["storage_id"],
        "quota_mib": row["quota_mib"],
        "keep_copy": bool(row["keep_copy"]),
        "send_as": sorted(
            each["address"]
            for each in lookup.execute("SELECT address FROM sender WHERE address_id = ?", (key,))
        ),
        "credentials": [
            {
                "prefix": each["prefix"],
                "hash": each["hash"],
                "protocols": each["protocols"].split(",") if each["protocols"] else [],
                "expires": each["expires"],
            }
            for each in files["auth"].execute(
                "SELECT * FROM credential WHERE address_id = ? ORDER BY prefix", (key,)
            )
        ],
    }


def digest(row: Row) -> str:
    """SHA-256 of the row in canonical JSON; the panel computes the same."""
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def domain_digest(digests: Mapping[tuple[str, str], str]) -> str:
    lines = "".join(f"{kind}:{key}:{digests[kind, key]}\n" for kind, key in sorted(digests))
    return hashlib.sha256(lines.encode("ascii")).hexdigest()
