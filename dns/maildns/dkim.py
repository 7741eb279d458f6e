"""DKIM keys and their records: RFC 6376 and 8301."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Container
from dataclasses import dataclass
from datetime import date

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from maildns.errors import BadRecord
from maildns.records import Record

RSA_BITS = 2048  # RFC 8301, 3.2: below 1024 is void, 2048 is what signers should use


@dataclass(frozen=True)
class KeyPair:
    """`private_pem` is PKCS #8 in PEM; `public_record` is the value of the DNS record."""

    private_pem: str
    public_record: str


def generate_rsa_key() -> KeyPair:
    """Make an RSA-2048 pair; takes 60 ms and more."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(pem, f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode('ascii')}")


def next_selector(used: Container[str], today: date) -> str:
    """Return s<year><month><letter>, such as s202611a, that was never used in this zone."""
    for first in ("", *string.ascii_lowercase):
        for letter in string.ascii_lowercase:
            selector = f"s{today:%Y%m}{first}{letter}"
            if selector not in used:
                return selector
    raise BadRecord("no selector is left in this month")


def key_record(zone: str, selector: str, public_record: str) -> Record:
    """The TXT record at <selector>._domainkey.<zone> (RFC 6376, 3.6.2.1)."""
    return Record(f"{selector}._domainkey.{zone}", "TXT", public_record)


def parse_key_record(value: str) -> dict[str, str]:
    """Return the tags of a key record. Raises BadRecord (RFC 6376, 3.6.1).

    An empty `p` is a revoked key, and no error.
    """
    tags: dict[str, str] = {}
    for position, part in enumerate(value.strip().removesuffix(";").split(";")):
        name, equals, content = part.partition("=")
        name = name.strip()
        if not equals or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in tags:
            raise BadRecord("tag list")
        if name == "v" and (position > 0 or content.strip() != "DKIM1"):
            raise BadRecord("v must come first and be DKIM1")
        tags[name] = content.strip()
    if "p" not in tags:
        raise BadRecord("no public key")
    public = re.sub(r"\s", "", tags["p"])
    try:
        der = base64.b64decode(public, validate=True)
        if der and tags.get("k", "rsa") == "rsa":
            load_der_public_key(der)
        if der and tags.get("k") == "ed25519" and len(der) != 32:
            raise BadRecord("an Ed25519 key has 32 octets")  # RFC 8463, 4.2: raw, not SPKI
    except ValueError as error:
        raise BadRecord("the public key cannot be read") from error
    return {**tags, "p": public}
