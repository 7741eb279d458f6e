"""DKIM keys and their records: RFC 6376, 8301 and 8463."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Container
from dataclasses import dataclass
from datetime import date

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from maildns.errors import BadRecord, NoSelectorLeft
from maildns.records import Record

RSA_BITS = 2048  # RFC 8301, 3.2: what signers should use
MIN_RSA_BITS = 1024  # and below which a key is void
ED25519_OCTETS = 32  # RFC 8463, 4.2: the raw key, not a SubjectPublicKeyInfo

# No dots, although RFC 6376, 3.1 allows them: a selector is part of names and maps.
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FOLDING = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True)
class KeyPair:
    """`private_pem` is PKCS #8 in PEM; `public_record` is the value of the DNS record."""

    private_pem: str
    public_record: str


@dataclass(frozen=True)
class KeyRecord:
    """What a key record says. Two records with equal fields name the same key.

    `public_key` is a SubjectPublicKeyInfo in DER for RSA, the raw octets for Ed25519, and empty
    for a revoked key. `flags` are those of the t tag: y for testing, s for no subdomains.
    """

    algorithm: str
    public_key: bytes
    flags: frozenset[str] = frozenset()

    @property
    def is_revoked(self) -> bool:
        return not self.public_key


def generate_rsa_key() -> KeyPair:
    """Make an RSA-2048 pair; takes 60 ms and more."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    return KeyPair(pem, public_record(pem))


def public_record(private_pem: str) -> str:
    """Return the value of the DNS record that belongs to an RSA key. Raises BadRecord."""
    try:
        key = load_pem_private_key(private_pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadRecord("private_key") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadRecord("private_key")
    return f"v=DKIM1; k=rsa; p={base64.b64encode(_spki(key.public_key())).decode('ascii')}"


def _spki(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def next_selector(used: Container[str], today: date) -> str:
    """Return s<year><month><letter>, such as s202611a, that was never used in this zone."""
    for first in ("", *string.ascii_lowercase):
        for letter in string.ascii_lowercase:
            selector = f"s{today:%Y%m}{first}{letter}"
            if selector not in used:
                return selector
    raise NoSelectorLeft(f"s{today:%Y%m}")


def key_record(zone: str, selector: str, public_record: str) -> Record:
    """The TXT record at <selector>._domainkey.<zone> (RFC 6376, 3.6.2.1). Raises BadRecord."""
    if not _SELECTOR.fullmatch(selector):
        raise BadRecord("selector")
    return Record(f"{selector}._domainkey.{zone}", "TXT", public_record)


def parse_key_record(value: str) -> KeyRecord:
    """Read a key record as verifiers must (RFC 6376, 3.6.1). Raises BadRecord.

    An empty `p` is a revoked key, and no error; unknown tags and flags are ignored.
    """
    tags = _tags(value)
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise BadRecord("version")
    if "p" not in tags:
        raise BadRecord("no_key")
    if "h" in tags and "sha256" not in _listed(tags["h"]):
        raise BadRecord("hash")
    if not {"*", "email"} & _listed(tags.get("s", "*")):
        raise BadRecord("service")
    algorithm = tags.get("k", "rsa")
    flags = frozenset(_listed(tags.get("t", ""))) & {"y", "s"}
    return KeyRecord(algorithm, _public_key(algorithm, tags["p"]), flags)


def _tags(value: str) -> dict[str, str]:
    """RFC 6376, 3.2: a tag that stands twice makes the whole list void."""
    tags: dict[str, str] = {}
    parts = value.split(";")
    if not parts[-1].strip(" \t\r\n"):
        parts.pop()
    for part in parts:
        name, equals, content = part.partition("=")
        name = name.strip(" \t\r\n")
        if not equals or not _TAG_NAME.fullmatch(name) or name in tags:
            raise BadRecord("tag_list")
        tags[name] = content.strip(" \t\r\n")
    return tags


def _listed(content: str) -> set[str]:
    return {part.strip(" \t\r\n") for part in content.split(":")}


def _public_key(algorithm: str, content: str) -> bytes:
    """The octets of a p tag, in one form for one key."""
    try:
        octets = base64.b64decode(_FOLDING.sub("", content), validate=True)
    except ValueError as error:
        raise BadRecord("key") from error
    if algorithm == "ed25519":
        if len(octets) not in (0, ED25519_OCTETS):
            raise BadRecord("key")
        return octets
    if algorithm != "rsa":
        raise BadRecord("key_type")
    if not octets:
        return b""
    try:
        # Both forms are about: RFC 6376 says RSAPublicKey, its examples are SubjectPublicKeyInfo.
        key = load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadRecord("key") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadRecord("key")
    if key.key_size < MIN_RSA_BITS:
        raise BadRecord("key_too_short")
    return _spki(key)
