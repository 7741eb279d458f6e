"""TLSA records of mail hosts (RFC 6698, 7671, 7672)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from maildns.answers import Answer, Outcome
from maildns.errors import BadRecord
from maildns.records import parse_zone_line
from maildns.tlsa import judge_dane, lint_tlsa, matches, parse_tlsa, tlsa_records, tlsa_value

HOST = "mx1.panel.example"


def make_certificate(key: ec.EllipticCurvePrivateKey, serial: int = 1) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


KEY, NEXT_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
CURRENT, NEXT = make_certificate(KEY), make_certificate(NEXT_KEY)
SPKI = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
DER = CURRENT.public_bytes(Encoding.DER)
ONE_ONE = f"3 1 1 {hashlib.sha256(SPKI).hexdigest()}"
OTHER = f"3 1 1 {'00' * 32}"


def codes(*values: str, certificate: str = "") -> list[str]:
    return [finding.code for finding in lint_tlsa(values, certificate)]


def test_record_is_the_digest_of_the_public_key() -> None:
    (record,) = tlsa_records(HOST, pem(CURRENT))
    assert (record.name, record.type, record.value) == (f"_25._tcp.{HOST}", "TLSA", ONE_ONE)
    assert parse_zone_line(record.zone_line()) == record


def test_next_key_is_published_beside_the_current_one() -> None:
    assert [record.value for record in tlsa_records(HOST, pem(CURRENT), pem(NEXT))] == [
        ONE_ONE,
        tlsa_value(pem(NEXT)),
    ]
    renewed = make_certificate(KEY, serial=2)
    assert len(tlsa_records(HOST, pem(CURRENT), pem(renewed))) == 1


@pytest.mark.parametrize(
    "text", ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\ud800"]
)
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(BadRecord):
        tlsa_value(text)


@pytest.mark.parametrize(
    "value",
    [
        ONE_ONE, ONE_ONE.upper(), f"{ONE_ONE[:30]} {ONE_ONE[30:]}", f"3 1 2 {hashlib.sha512(SPKI).hexdigest()}", f"3 1 0 {SPKI.hex()}",
        f"3 0 1 {hashlib.sha256(DER).hexdigest()}", f"3 0 0 {DER.hex()}",
    ],
)  # fmt: skip
def test_certificate_is_recognised_by_every_kind_of_record(value: str) -> None:
    assert matches(parse_tlsa(value), pem(CURRENT))
    assert not matches(parse_tlsa(value), pem(NEXT))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([ONE_ONE], []),
        ([ONE_ONE, OTHER], []),
        ([OTHER], ["no_match"]),
        ([f"3 0 1 {hashlib.sha256(DER).hexdigest()}"], ["whole_certificate"]),
        ([f"3 1 0 {SPKI.hex()}"], ["no_digest"]),
        ([f"1 1 1 {'00' * 32}"], ["unusable", "none_usable"]),
        ([f"0 0 1 {'00' * 32}", ONE_ONE], ["unusable"]),
        ([f"2 1 1 {'00' * 32}"], []),
        ([f"2 0 1 {'00' * 32}"], []),
        ([f"3 2 1 {'00' * 32}"], ["unusable", "none_usable"]),
        ([f"3 1 3 {'00' * 32}"], ["unusable", "none_usable"]),
        (["3 1 1 abcd"], ["length", "none_usable"]),
        (["3 1 1"], ["syntax", "none_usable"]),
        (["3 1 1 xyz"], ["syntax", "none_usable"]),
        (["3 1 1 abc"], ["syntax", "none_usable"]),
        (["3 1 1 ab cd", ONE_ONE], ["length"]),
        ([], []),
    ],
)
def test_fault_of_a_record_is_named(values: list[str], wanted: list[str]) -> None:
    assert codes(*values, certificate=pem(CURRENT)) == wanted


def test_without_a_certificate_only_the_records_are_checked() -> None:
    assert codes(OTHER) == []


def test_stale_record_is_found_after_a_change_of_the_key() -> None:
    assert codes(ONE_ONE, certificate=pem(NEXT)) == ["no_match"]
    assert codes(ONE_ONE, certificate=pem(make_certificate(KEY, serial=2))) == []


def judged(
    outcome: Outcome, *values: str, is_signed: bool = True, aliases: tuple[str, ...] = ()
) -> list[str]:
    answer = Answer(f"_25._tcp.{HOST}", "TLSA", outcome, values, aliases=aliases)
    return [finding.code for finding in judge_dane(answer, pem(CURRENT), is_signed=is_signed)]


def test_what_dane_means_for_a_host() -> None:
    assert judged(Outcome.FOUND, ONE_ONE) == []
    assert judged(Outcome.FOUND, ONE_ONE, aliases=("tlsa.panel.example",)) == []
    assert judged(Outcome.FOUND, OTHER) == ["no_match"]
    assert judged(Outcome.FOUND, OTHER, is_signed=False) == ["unsigned"]
    assert judged(Outcome.NO_NAME) == []
    assert judged(Outcome.NO_DATA, is_signed=False) == []
    assert judged(Outcome.UNREACHABLE) == ["mail_deferred"]


@given(st.text(max_size=80) | st.text("0123 abcdefg", max_size=80).map("3 1 0 {}".format))
def test_any_text_brings_findings_or_none(value: str) -> None:
    assert all(finding.rfc for finding in lint_tlsa([value, value], pem(CURRENT)))
