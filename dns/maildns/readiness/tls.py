"""Judges the certificate of a host, and whether its TLSA records mean it."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509

from maildns.answers import Outcome
from maildns.errors import BadRecord
from maildns.findings import Severity
from maildns.readiness.dial import Presented
from maildns.readiness.look import Look
from maildns.readiness.report import Check, Item, State, item
from maildns.tlsa import lint_tlsa, matches, parse_tlsa, tlsa_value

_CHAIN = {"self_signed": "self_signed", "untrusted": "untrusted", "dates": "chain_expired"}


# --- the certificate ----------------------------------------------------------------------------


async def check_certificate(look: Look) -> list[Item]:
    """Whether each address shows, behind STARTTLS, a certificate that programs accept."""
    return await look.at_each_address(_certificate)


async def _certificate(look: Look, address: str) -> list[Item]:
    shown = await look.presented(address)
    if shown.fault:
        detail = ("detail", shown.detail)
        return [item(Check.CERTIFICATE, address, State.BAD, shown.fault, detail, rfc="3207 4")]
    pem = shown.certificate or look.facts.certificate
    unread = [] if shown.certificate else [_unread(address, shown)]
    if not pem:
        return unread
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return [*unread, item(Check.CERTIFICATE, address, State.BAD, "unreadable", rfc="5280 4.1")]
    seen = _evidence(certificate)
    dates = _date_faults(look, address, certificate, seen)
    found = unread + dates + _openssl_faults(shown, address, certificate, seen, bool(dates))
    return found or [item(Check.CERTIFICATE, address, State.OK, "valid", *seen, rfc="9525 6")]


def _unread(address: str, shown: Presented) -> Item:
    codes = {"no_authorities", "no_host_name", "private", "smtp_refused"}
    code = shown.reason if shown.reason in codes else "unreachable"
    seen = [("reason", shown.reason), ("detail", shown.detail)]
    return item(
        Check.CERTIFICATE, address, State.UNKNOWN, code, *(each for each in seen if each[1])
    )


def _evidence(certificate: x509.Certificate) -> list[tuple[str, str]]:
    return [
        ("issuer", certificate.issuer.rfc4514_string()),
        ("not_before", certificate.not_valid_before_utc.isoformat()),
        ("not_after", certificate.not_valid_after_utc.isoformat()),
        *(("name", each) for each in _names(certificate)),
    ]


def _names(certificate: x509.Certificate) -> list[str]:
    """For people to read; OpenSSL reads them by itself."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return []
    return found.value.get_values_for_type(x509.DNSName)


def _date_faults(
    look: Look, address: str, certificate: x509.Certificate, seen: list[tuple[str, str]]
) -> list[Item]:
    ends_at, days = certificate.not_valid_after_utc, look.settings.certificate_warning_days
    state, code = State.OK, ""
    if look.now >= ends_at:
        state, code = State.BAD, "expired"
    elif look.now < certificate.not_valid_before_utc:
        state, code = State.BAD, "not_yet_valid"
    elif look.now >= ends_at - timedelta(days=days):
        state, code = State.WARNING, "ends_soon"
    if not code:
        return []
    left = ("days_left", str((ends_at - look.now).days))
    return [item(Check.CERTIFICATE, address, state, code, left, *seen, rfc="5280 4.1.2.5")]


def _openssl_faults(
    shown: Presented,
    address: str,
    certificate: x509.Certificate,
    seen: list[tuple[str, str]],
    is_dated: bool,
) -> list[Item]:
    """`is_dated` says that the dates of the certificate itself were at fault already."""
    if not shown.certificate:
        return []
    found = []
    if not shown.is_named:
        found.append(item(Check.CERTIFICATE, address, State.BAD, "wrong_name", *seen, rfc="9525 6"))
    if shown.chain_fault and not (shown.chain_fault == "dates" and is_dated):
        detail, code = ("detail", shown.detail), _CHAIN[shown.chain_fault]
        found.append(
            item(Check.CERTIFICATE, address, State.BAD, code, detail, *seen, rfc="5280 6.1")
        )
    return found


# --- TLSA ---------------------------------------------------------------------------------------


async def check_tlsa(look: Look) -> list[Item]:
    """Whether the TLSA records of port 25, if there are any, mean what is shown there."""
    name = _tlsa_name(look)
    answer = await look.ask(name, "TLSA")
    if answer.outcome is Outcome.UNREACHABLE:
        # To senders it is worse: RFC 7672, 2.1 has them keep the mail back.
        seen = ("name", name), ("reason", answer.reason)
        return [item(Check.TLSA, "", State.UNKNOWN, "dns_error", *seen, rfc="7672 2.1")]
    if not answer.values:
        fitting = [("wanted", each) for each in await _fitting(look)]
        return [item(Check.TLSA, "", State.OK, "none", ("name", name), *fitting, rfc="7672 2.2")]
    if look.facts.tlsa_is_signed is False:
        seen = ("name", name), ("seen", answer.values[0])
        return [item(Check.TLSA, "", State.WARNING, "unsigned", *seen, rfc="7672 2.1")]
    return await look.at_each_address(_tlsa)


async def _tlsa(look: Look, address: str) -> list[Item]:
    answer = await look.ask(_tlsa_name(look), "TLSA")
    pem = (await look.presented(address)).certificate or look.facts.certificate
    seen = [("name", answer.name), *(("seen", each) for each in answer.values)]
    try:
        findings = lint_tlsa(answer.values, pem)
        is_matched = bool(pem) and any(_means(each, pem) for each in answer.values)
    except BadRecord:
        return [item(Check.TLSA, address, State.UNKNOWN, "no_certificate", *seen)]
    states = {Severity.ERROR: State.BAD, Severity.WARNING: State.WARNING}
    found = [
        item(Check.TLSA, address, states[each.severity], each.code, *seen, rfc=each.rfc)
        for each in findings
        if each.severity in states
    ]
    if any(each.state is State.BAD for each in found):
        return found
    if not pem:
        return [*found, item(Check.TLSA, address, State.UNKNOWN, "no_certificate", *seen)]
    if not is_matched:
        # Usage 2 means another certificate of the chain, which we have not read.
        return [*found, item(Check.TLSA, address, State.UNKNOWN, "trust_anchor", *seen)]
    return found or [item(Check.TLSA, address, State.OK, "match", *seen, rfc="7672 3.1.1")]


async def _fitting(look: Look) -> list[str]:
    """The records that would pin what is shown today (RFC 7672, 3.1: 3 1 1)."""
    shown = [await look.presented(address) for address in look.facts.addresses]
    pems = [each.certificate or look.facts.certificate for each in shown]
    values = []
    for pem in filter(None, pems):
        try:
            values.append(tlsa_value(pem))
        except BadRecord:
            continue
    return list(dict.fromkeys(values))


def _tlsa_name(look: Look) -> str:
    return f"_25._tcp.{look.facts.name.lower()}"


def _means(value: str, pem: str) -> bool:
    try:
        association = parse_tlsa(value)
    except BadRecord:
        return False
    return matches(association, pem)
