"""The agent's own whitelist: a row is taken only when every field is what it must be."""

from __future__ import annotations

import re
from typing import Any

from .errors import Refused

Row = dict[str, Any]

DOMAIN = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
LOCAL_PART = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
# A forward's target: Dot-string without what could be a command, a file, a list or routing.
TARGET_LOCAL = re.compile(r"[A-Za-z0-9#&*=?^_~][A-Za-z0-9#&'*+/=?^_~.-]{0,63}")
STORAGE_ID = re.compile(r"[0-9a-f]{32}")
SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
HASH = re.compile(r"\{(?:ARGON2ID|SHA512-CRYPT|BLF-CRYPT)\}[A-Za-z0-9$./+=,_-]{20,230}")
PREFIX = re.compile(r"[a-z0-9]{0,16}")
PEM = re.compile(
    r"-----BEGIN PRIVATE KEY-----\n(?:[A-Za-z0-9+/=]{1,76}\n)+-----END PRIVATE KEY-----\n?"
)
SEED = re.compile(r"[A-Za-z0-9+/]{42,88}={0,2}")
CHANGE = re.compile(r"[0-9a-f-]{0,36}")

KEY = re.compile(r"[1-9][0-9]{0,18}")

PROTOCOLS = {"imap", "pop3", "sieve", "submission"}
KINDS = {"domain", "address", "dkim", "purge"}
MAX_ID = 2**62

_DOMAIN_FIELDS = {
    "name", "state", "canonical_id", "catch_all", "postmaster", "elsewhere", "account_id", "rates",
}  # fmt: skip
RATES = ("mailbox", "domain", "account")
_ROUTE_FIELDS = {"local_part", "type", "state", "targets"}
_MAILBOX_FIELDS = _ROUTE_FIELDS | {
    "storage_id", "quota_mib", "keep_copy", "send_as", "credentials",
}  # fmt: skip
_DKIM_FIELDS = {"domain", "selector", "algorithm", "private_key", "signing"}


def row(value: object) -> Row:
    """Return the row when all of it is right, without its change id. Raises Refused."""
    if not isinstance(value, dict):
        raise Refused("bad_row", field="row")
    content = {key: field for key, field in value.items() if key != "change"}
    _match("change", value.get("change", ""), CHANGE)
    _one_of("kind", content.get("kind"), KINDS)
    key = content.get("key")
    _whole("domain_id", content.get("domain_id"), least=int(content["kind"] != "purge"))
    if content["kind"] == "purge":
        _match("key", key, STORAGE_ID)
        _fields(content, {"storage_id"})
        if content["storage_id"] != key:
            raise Refused("bad_row", field="storage_id")
        return content
    _match("key", key, KEY)
    if int(content["key"]) > MAX_ID:
        raise Refused("bad_row", field="key")
    if content.get("remove") is True:
        _fields(content, {"remove"})
        return content
    {"domain": _domain, "address": _address, "dkim": _dkim}[content["kind"]](content)
    return content


def _fields(content: Row, wanted: set[str]) -> None:
    if set(content) - {"kind", "key", "domain_id"} != wanted:
        raise Refused("bad_row", field="fields")


def _domain(content: Row) -> None:
    _fields(content, _DOMAIN_FIELDS)
    if content["key"] != str(content["domain_id"]):
        raise Refused("bad_row", field="key")
    _match("name", content["name"], DOMAIN)
    _one_of("state", content["state"], {"active", "login_off", "off"})
    if content["canonical_id"] is not None:
        _whole("canonical_id", content["canonical_id"], least=1)
    for field in ("catch_all", "postmaster"):
        if content[field] is not None:
            target(field, content[field])
    _truth("elsewhere", content["elsewhere"])
    _whole("account_id", content["account_id"], least=1)
    rates = content["rates"]
    if not isinstance(rates, dict) or set(rates) != set(RATES):
        raise Refused("bad_row", field="rates")
    for rate in rates.values():
        if rate is not None:
            _whole("rates", rate, least=0)


def _address(content: Row) -> None:
    _one_of("type", content.get("type"), {"mailbox", "alias", "forward"})
    mailbox = content["type"] == "mailbox"
    _fields(content, _MAILBOX_FIELDS if mailbox else _ROUTE_FIELDS)
    _local_part("local_part", content["local_part"])
    _one_of("state", content["state"], {"active", "login_off", "off", "trash"})
    _targets(content["targets"], least=0 if mailbox else 1)
    if not mailbox:
        return
    _match("storage_id", content["storage_id"], STORAGE_ID)
    if content["quota_mib"] is not None:
        _whole("quota_mib", content["quota_mib"], least=1)
    _truth("keep_copy", content["keep_copy"])
    if not isinstance(content["send_as"], list) or len(content["send_as"]) > 5000:
        raise Refused("bad_row", field="send_as")
    for address in content["send_as"]:
        _own_address("send_as", address)
    _rising("send_as", content["send_as"])
    if not isinstance(content["credentials"], list) or len(content["credentials"]) > 100:
        raise Refused("bad_row", field="credentials")
    for credential in content["credentials"]:
        _credential(credential)
    _rising("credentials", [credential["prefix"] for credential in content["credentials"]])


def _credential(value: object) -> None:
    if not isinstance(value, dict) or set(value) != {"prefix", "hash", "protocols", "expires"}:
        raise Refused("bad_row", field="credentials")
    _match("prefix", value["prefix"], PREFIX)
    _match("hash", value["hash"], HASH)
    protocols = value["protocols"]
    if (
        not isinstance(protocols, list)
        or not all(isinstance(each, str) for each in protocols)
        or set(protocols) - PROTOCOLS
        or sorted(set(protocols)) != protocols
    ):
        raise Refused("bad_row", field="protocols")
    if value["expires"] is not None:
        _whole("expires", value["expires"], least=0)


def _dkim(content: Row) -> None:
    _fields(content, _DKIM_FIELDS)
    _match("domain", content["domain"], DOMAIN)
    _match("selector", content["selector"], SELECTOR)
    _one_of("algorithm", content["algorithm"], {"rsa", "ed25519"})
    _truth("signing", content["signing"])
    pattern = PEM if content["algorithm"] == "rsa" else SEED
    if content["private_key"] or content["signing"]:
        _match("private_key", content["private_key"], pattern)


def _targets(value: object, *, least: int) -> None:
    if not isinstance(value, list) or not least <= len(value) <= 200:
        raise Refused("bad_row", field="targets")
    for each in value:
        target("targets", each)


def target(field: str, value: object) -> None:
    """An address that mail may be sent on to, ours or anybody's."""
    if not isinstance(value, str) or len(value) > 254 or value.count("@") != 1:
        raise Refused("bad_row", field=field)
    local_part, _at, domain = value.partition("@")
    fits = TARGET_LOCAL.fullmatch(local_part) and DOMAIN.fullmatch(domain)
    if not fits or ".." in local_part or local_part.endswith("."):
        raise Refused("bad_row", field=field)


def _own_address(field: str, value: object) -> None:
    if not isinstance(value, str) or value.count("@") != 1 or len(value) > 254:
        raise Refused("bad_row", field=field)
    local_part, _at, domain = value.partition("@")
    _local_part(field, local_part)
    _match(field, domain, DOMAIN)


def _local_part(field: str, value: object) -> None:
    _match(field, value, LOCAL_PART)
    if ".." in str(value):
        raise Refused("bad_row", field=field)


def _rising(field: str, values: list[str]) -> None:
    """In order and each once: as they are read back for the digests."""
    if sorted(set(values)) != values:
        raise Refused("bad_row", field=field)


def _match(field: str, value: object, pattern: re.Pattern[str]) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Refused("bad_row", field=field)


def _truth(field: str, value: object) -> None:
    if not isinstance(value, bool):
        raise Refused("bad_row", field=field)


def _one_of(field: str, value: object, allowed: set[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise Refused("bad_row", field=field)


def _whole(field: str, value: object, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_ID:
        raise Refused("bad_row", field=field)
