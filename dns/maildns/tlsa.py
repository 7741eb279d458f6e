"""TLSA records of mail hosts: DANE for SMTP (RFC 6698, 7671 and 7672)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from maildns.answers import Answer, Outcome
from maildns.errors import BadRecord
from maildns.findings import Finding, Severity
from maildns.records import Record

_VALUE = re.compile(r"([0-9]{1,3})\s+([0-9]{1,3})\s+([0-9]{1,3})\s+([0-9A-Fa-f\s]+)", re.ASCII)
_DIGESTS = {1: hashlib.sha256, 2: hashlib.sha512}  # RFC 6698, 2.1.3; 0 is no digest
_TRUST_ANCHOR, _END_ENTITY = 2, 3  # RFC 6698, 2.1.1
_CERTIFICATE, _PUBLIC_KEY = 0, 1  # RFC 6698, 2.1.2


@dataclass(frozen=True)
class Association:
    """The four fields of a record (RFC 6698, 2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes

    @property
    def is_usable(self) -> bool:
        """Whether a sender of mail can use it (RFC 7672, 3.1.3: usages 0 and 1 it cannot)."""
        return (
            self.usage in (_TRUST_ANCHOR, _END_ENTITY)
            and self.selector in (_CERTIFICATE, _PUBLIC_KEY)
            and self.matching in (0, *_DIGESTS)
        )


def tlsa_records(
    host: str, certificate: str, next_certificate: str = "", *, port: int = 25
) -> tuple[Record, ...]:
    """The records 3 1 1 of a mail host; both certificates are PEM.

    The next one is published well before it is used (RFC 7671, 8.1); a renewal that keeps the key
    needs no second record. Raises BadRecord.
    """
    values = [tlsa_value(pem) for pem in (certificate, next_certificate) if pem]
    return tuple(Record(f"_{port}._tcp.{host}", "TLSA", value) for value in dict.fromkeys(values))


def tlsa_value(certificate: str) -> str:
    """`3 1 1` and the SHA-256 of the public key of a certificate in PEM. Raises BadRecord."""
    return f"3 1 1 {hashlib.sha256(_selected(_loaded(certificate), _PUBLIC_KEY)).hexdigest()}"


def parse_tlsa(value: str) -> Association:
    """Read a value; the data may have blanks in it (RFC 6698, 2.2). Raises BadRecord."""
    match = _VALUE.fullmatch(value.strip())
    if not match:
        raise BadRecord("syntax")
    try:
        data = bytes.fromhex(match[4])
    except ValueError as error:
        raise BadRecord("syntax") from error
    found = Association(int(match[1]), int(match[2]), int(match[3]), data)
    digest = _DIGESTS.get(found.matching)
    if not data or (digest and len(data) != digest().digest_size):
        raise BadRecord("length")
    return found


def matches(association: Association, certificate: str) -> bool:
    """Whether the certificate of a host, in PEM, is the one meant. Raises BadRecord.

    Says nothing about usage 2, which is about another certificate of the chain.
    """
    if association.usage != _END_ENTITY or not association.is_usable:
        return False
    octets = _selected(_loaded(certificate), association.selector)
    digest = _DIGESTS.get(association.matching)
    return association.data == (digest(octets).digest() if digest else octets)


def _loaded(certificate: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate.encode())
    except ValueError as error:
        raise BadRecord("certificate") from error


def _selected(certificate: x509.Certificate, selector: int) -> bytes:
    if selector == _CERTIFICATE:
        return certificate.public_bytes(Encoding.DER)
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadRecord("certificate") from error
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def lint_tlsa(values: Sequence[str], certificate: str = "") -> tuple[Finding, ...]:
    """Check the TLSA records at one name, and whether they mean the certificate shown there.

    Raises BadRecord for a certificate that is none; without one the records alone are checked.
    """
    found: list[Finding] = []
    usable: list[Association] = []
    for value in values:
        try:
            association = parse_tlsa(value)
        except BadRecord as error:
            found.append(Finding(error.reason, value, "6698 2.2", Severity.ERROR))
            continue
        found += _association_findings(association)
        usable += [association] if association.is_usable else []
    if values and not usable:
        found.append(Finding("none_usable", str(len(values)), "7672 3.1.3", Severity.ERROR))
    if certificate and usable and not _may_match(usable, certificate):
        found.append(Finding("no_match", str(len(usable)), "7672 3.2", Severity.ERROR))
    return tuple(found)


def _may_match(usable: Sequence[Association], certificate: str) -> bool:
    return any(one.usage == _TRUST_ANCHOR or matches(one, certificate) for one in usable)


def _association_findings(one: Association) -> list[Finding]:
    where = f"{one.usage} {one.selector} {one.matching}"
    if not one.is_usable:
        return [Finding("unusable", where, "7672 3.1.3", Severity.WARNING)]
    if (one.usage, one.selector) == (_END_ENTITY, _CERTIFICATE):
        # It is stale after every renewal, even of the same key.
        return [Finding("whole_certificate", where, "7672 3.1.1", Severity.WARNING)]
    if one.matching == 0:
        return [Finding("no_digest", where, "7671 10.1.2", Severity.NOTE)]
    return []


def judge_dane(answer: Answer, certificate: str, *, is_signed: bool) -> tuple[Finding, ...]:
    """Check what DANE means for mail to a host, from the answer for its TLSA records.

    `is_signed` says whether the answer was proven by DNSSEC: without, senders ignore it.
    """
    if answer.outcome is Outcome.UNREACHABLE:
        # RFC 7672, 2.1: senders must then keep the mail back.
        return (Finding("mail_deferred", answer.name, "7672 2.1", Severity.ERROR),)
    if answer.values and not is_signed:
        return (Finding("unsigned", answer.name, "7672 2.1", Severity.NOTE),)
    return lint_tlsa(answer.values, certificate)
