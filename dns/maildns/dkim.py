"""DKIM keys and their records: RFC 6376, 8301 and 8463."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from maildns.errors import BadRecord, NoSelectorLeft
from maildns.findings import Finding, Severity
from maildns.records import Record
from maildns.tags import BLANK, split_tags, version_fault

RSA_BITS = 2048  # RFC 8301, 3.2: what signers should use
MIN_RSA_BITS = 1024  # and below which a key is void
ED25519_OCTETS = 32  # RFC 8463, 4.2: the raw key, not a SubjectPublicKeyInfo

# RFC 8410, 4: what stands before the raw key in a SubjectPublicKeyInfo.
_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")

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
    return _pair(rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))


def generate_ed25519_key() -> KeyPair:
    """Make an Ed25519 pair, for a second signature: many receivers do not know it yet.

    Never one of the 1.6 % whose seed begins with "/" in base64: Rspamd 3.4 takes that for the path
    of a file, and signs nothing.
    """
    while (key := ed25519.Ed25519PrivateKey.generate()).private_bytes_raw()[0] >= 0xFC:
        continue
    return _pair(key)


def _pair(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> KeyPair:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    return KeyPair(pem, public_record(pem))


def public_record(private_pem: str) -> str:
    """Return the value of the DNS record that belongs to a private key. Raises BadRecord."""
    try:
        key = load_pem_private_key(private_pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadRecord("private_key") from error
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm, octets = "rsa", _spki(key.public_key())
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        algorithm, octets = "ed25519", key.public_key().public_bytes_raw()
    else:
        raise BadRecord("private_key")
    return f"v=DKIM1; k={algorithm}; p={base64.b64encode(octets).decode('ascii')}"


def signer_form(private_pem: str) -> str:
    """The private key as Rspamd takes it: RSA as it is, Ed25519 as its seed in base64."""
    key = load_pem_private_key(private_pem.encode(), password=None)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.private_bytes_raw()).decode("ascii")
    return private_pem


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


def revoked_record(zone: str, selector: str) -> Record:
    """The record that stands where a key was: RFC 6376, 3.6.1, an empty p. Raises BadRecord."""
    return key_record(zone, selector, "v=DKIM1; p=")


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
    for name, content in split_tags(value):
        if content is None or not _TAG_NAME.fullmatch(name) or name in tags:
            raise BadRecord("tag_list")
        tags[name] = content
    return tags


def _listed(content: str) -> set[str]:
    return {part.strip(BLANK) for part in content.split(":")}


def _public_key(algorithm: str, content: str) -> bytes:
    """The octets of a p tag, in one form for one key."""
    try:
        octets = base64.b64decode(_FOLDING.sub("", content), validate=True)
    except ValueError as error:
        raise BadRecord("key") from error
    if algorithm == "ed25519":
        if len(octets) not in (0, ED25519_OCTETS):
            raise BadRecord("key_is_spki" if octets.startswith(_ED25519_SPKI) else "key")
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


# Why a record cannot be read: the code of the refusal, and the paragraph it comes from.
_RFC_OF_REASON = {
    "tag_list": "6376 3.2",
    "version": "6376 3.6.1",
    "no_key": "6376 3.6.1",
    "hash": "8301 3.1",
    "service": "6376 3.6.1",
    "key": "6376 3.6.1",
    "key_type": "8463 3",
    "key_is_spki": "8463 4.2",
    "key_too_short": "8301 3.2",
}


def lint_dkim(texts: Sequence[str]) -> tuple[Finding, ...]:
    """Check all TXT values at <selector>._domainkey.<domain>."""
    found: list[Finding] = []
    if len(texts) > 1:
        found.append(Finding("several", str(len(texts)), "6376 3.6.2.2", Severity.ERROR))
    for text in texts:
        try:
            found += _key_findings(parse_key_record(text))
        except BadRecord as error:
            found.append(_broken(text, error.reason))
    return tuple(found)


def _key_findings(key: KeyRecord) -> list[Finding]:
    if key.is_revoked:
        return [Finding("revoked", "p", "6376 3.6.1", Severity.WARNING)]
    found = []
    if "y" in key.flags:
        found.append(Finding("testing", "t=y", "6376 3.6.1", Severity.NOTE))
    bits = _rsa_bits(key)
    if bits and bits < RSA_BITS:
        found.append(Finding("short_key", str(bits), "8301 3.2", Severity.WARNING))
    return found


def _rsa_bits(key: KeyRecord) -> int:
    """0 for a key of another kind."""
    if key.algorithm != "rsa":
        return 0
    public_key = load_der_public_key(key.public_key)
    return public_key.key_size if isinstance(public_key, rsa.RSAPublicKey) else 0


def _broken(text: str, reason: str) -> Finding:
    wrong_start = reason == "version" or "\\;" in text
    code = version_fault(text, "DKIM1") if wrong_start else reason
    return Finding(code, text, _RFC_OF_REASON[reason], Severity.ERROR)
