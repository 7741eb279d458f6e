"""Rows as tables: written from the wire's form, and read back into it for the digests."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from .validate import RATES, Row

Files = Mapping[str, sqlite3.Connection]


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
        "INSERT INTO domain VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            int(row["key"]),
            row["name"],
            row["state"],
            row["canonical_id"],
            row["catch_all"],
            row["postmaster"],
            # A resync that was cut off before the upgrade left rows without it.
            int(row.get("elsewhere", False)),
            row.get("account_id", 0),
            *(row.get("rates", {}).get(name) for name in RATES),
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
    yield from _read_name(files, domain_id)
    yield from _read_addresses(files, domain_id)
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


def _read_name(files: Files, domain_id: int) -> Iterator[Row]:
    query = "SELECT name, state FROM domain WHERE id = ?"
    in_auth = files["auth"].execute(query, (domain_id,)).fetchone()
    in_lookup = (
        files["lookup"].execute("SELECT * FROM domain WHERE id = ?", (domain_id,)).fetchone()
    )
    if in_lookup is None and in_auth is None:
        return
    domain: Row = {"kind": "domain", "key": str(domain_id), "domain_id": domain_id}
    if in_lookup is None:
        yield domain | {"auth": "alone"}
        return
    names = ("name", "state", "canonical_id", "catch_all", "postmaster")
    domain |= {name: in_lookup[name] for name in names}
    domain["elsewhere"] = bool(in_lookup["elsewhere"])
    domain["account_id"] = in_lookup["account_id"]
    domain["rates"] = {name: in_lookup[f"rate_{name}"] for name in RATES}
    if in_auth is None or tuple(in_auth) != (in_lookup["name"], in_lookup["state"]):
        domain["auth"] = "differs"
    yield domain


def _read_addresses(files: Files, domain_id: int) -> Iterator[Row]:
    """One query for each table, however many addresses there are."""
    lookup, auth = files["lookup"], files["auth"]
    targets = _by_address(
        lookup,
        "SELECT r.address_id, r.target FROM address a JOIN route r ON r.address_id = a.id"
        " WHERE a.domain_id = ? ORDER BY r.address_id, r.position",
        domain_id,
    )
    senders = _by_address(
        lookup,
        "SELECT s.address_id, s.address FROM address a JOIN sender s ON s.address_id = a.id"
        " WHERE a.domain_id = ? ORDER BY s.address_id, s.address",
        domain_id,
    )
    credentials = _by_address(
        auth,
        "SELECT c.* FROM login l JOIN credential c ON c.address_id = l.address_id"
        " WHERE l.domain_id = ? ORDER BY c.address_id, c.prefix",
        domain_id,
    )
    query = "SELECT * FROM login WHERE domain_id = ?"
    logins = {row["address_id"]: row for row in auth.execute(query, (domain_id,))}
    for row in lookup.execute("SELECT * FROM address WHERE domain_id = ?", (domain_id,)):
        key = row["id"]
        address: Row = {
            "kind": "address",
            "key": str(key),
            "domain_id": domain_id,
            "local_part": row["local_part"],
            "type": row["type"],
            "state": row["state"],
            "targets": [each["target"] for each in targets.get(key, ())],
        }
        login = logins.pop(key, None)
        if row["type"] == "mailbox":
            address |= _read_mailbox(row, senders.get(key, []), credentials.get(key, []))
            if login is None or _login_of(login) != _login_of(row):
                address["auth"] = "differs"
        elif login is not None:
            address["auth"] = "alone"
        yield address
    for key in logins:
        yield {"kind": "address", "key": str(key), "domain_id": domain_id, "auth": "alone"}


def _by_address(
    connection: sqlite3.Connection, query: str, domain_id: int
) -> dict[int, list[sqlite3.Row]]:
    found: dict[int, list[sqlite3.Row]] = {}
    for row in connection.execute(query, (domain_id,)):
        found.setdefault(row["address_id"], []).append(row)
    return found


def _login_of(row: sqlite3.Row) -> tuple[object, ...]:
    return row["local_part"], row["state"], row["storage_id"]


def _read_mailbox(
    row: sqlite3.Row, senders: list[sqlite3.Row], credentials: list[sqlite3.Row]
) -> Row:
    return {
        "storage_id": row["storage_id"],
        "quota_mib": row["quota_mib"],
        "keep_copy": bool(row["keep_copy"]),
        "send_as": [each["address"] for each in senders],
        "credentials": [
            {
                "prefix": each["prefix"],
                "hash": each["hash"],
                "protocols": each["protocols"].split(",") if each["protocols"] else [],
                "expires": each["expires"],
            }
            for each in credentials
        ],
    }


def digest(row: Row) -> str:
    """SHA-256 of the row in canonical JSON; the panel computes the same."""
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def domain_digest(digests: Mapping[tuple[str, str], str]) -> str:
    lines = "".join(f"{kind}:{key}:{digests[kind, key]}\n" for kind, key in sorted(digests))
    return hashlib.sha256(lines.encode("ascii")).hexdigest()
