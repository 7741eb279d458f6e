"""MX records: RFC 5321, 5.1, and the null MX of RFC 7505."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from maildns.answers import Ask, Outcome
from maildns.errors import BadRecord
from maildns.findings import Finding, Severity
from maildns.names import check_host, is_address, is_host_name
from maildns.records import Record

_LONG_TTL_SECONDS = 86_400  # longer than this, a move takes more than a day
_MAX_PREFERENCE = 65_535  # RFC 1035, 3.3.9: 16 bits


def mx_records(zone: str, hosts: Sequence[str]) -> tuple[Record, ...]:
    """The MX records of a zone, `hosts` with the preferred one first. Raises BadRecord."""
    if not hosts or not all(is_host_name(host) for host in hosts):
        raise BadRecord("host")
    return tuple(
        Record(zone, "MX", f"{place * 10} {host}") for place, host in enumerate(hosts, start=1)
    )


def null_mx(zone: str) -> Record:
    """The record of a zone that takes no mail (RFC 7505, 3)."""
    return Record(zone, "MX", "0 .")


def parse_mx(value: str) -> tuple[int, str]:
    """Preference and host, in lower case without a final dot; "." for the null MX.

    Raises BadRecord. The host may still be no name of one.
    """
    preference, _blank, host = value.strip().partition(" ")
    host = host.strip().lower()
    if not (preference.isascii() and preference.isdigit()) or len(preference) > 5:
        raise BadRecord("preference")
    if int(preference) > _MAX_PREFERENCE:
        raise BadRecord("preference")
    if not host or " " in host:
        raise BadRecord("host")
    return int(preference), host if host == "." else host.removesuffix(".")


def lint_mx(values: Sequence[str], *, ours: Collection[str] = ()) -> tuple[Finding, ...]:
    """Check the MX records at one name; with `ours`, hosts that are not ours are told too."""
    found: list[Finding] = []
    for value in values:
        try:
            preference, host = parse_mx(value)
        except BadRecord:
            found.append(Finding("syntax", value, "1035 3.3.9", Severity.ERROR))
            continue
        if host == ".":
            found += _null_mx_findings(preference, alone=len(values) == 1)
        else:
            found += _host_findings(host, ours)
    return tuple(found)


def _null_mx_findings(preference: int, *, alone: bool) -> list[Finding]:
    if not alone:
        return [Finding("null_mx_mixed", ".", "7505 3", Severity.ERROR)]
    found = [Finding("null_mx", ".", "7505 3", Severity.NOTE)]
    if preference:
        found.append(Finding("null_mx_preference", str(preference), "7505 3", Severity.WARNING))
    return found


def _host_findings(host: str, ours: Collection[str]) -> list[Finding]:
    if is_address(host):
        return [Finding("address", host, "5321 5.1", Severity.ERROR)]
    if not is_host_name(host):
        return [Finding("bad_host", host, "5321 2.3.5", Severity.ERROR)]
    if ours and host not in ours:
        return [Finding("foreign_host", host, "5321 5.1", Severity.WARNING)]
    return []


async def check_mx(zone: str, ask: Ask, *, ours: Collection[str] = ()) -> tuple[Finding, ...]:
    """Ask for the MX records of a zone and for the addresses of the hosts they name."""
    answer = await ask(zone, "MX")
    if answer.outcome is Outcome.UNREACHABLE:
        return (Finding("dns_error", zone, "2308 7", Severity.WARNING),)
    if answer.is_absent:
        return await _without_mx(zone, ask)
    found = list(lint_mx(answer.values, ours=ours))
    if answer.ttl_seconds > _LONG_TTL_SECONDS:
        found.append(Finding("long_ttl", str(answer.ttl_seconds), "1912 2.2", Severity.NOTE))
    for host in dict.fromkeys(value.rpartition(" ")[2].lower() for value in answer.values):
        if is_host_name(host):
            found += await check_host(host, ask, alias_rfc="2181 10.3")
        if host == zone:
            found.append(Finding("apex_host", host, "5321 5.1", Severity.NOTE))
    return tuple(found)


async def _without_mx(zone: str, ask: Ask) -> tuple[Finding, ...]:
    """RFC 5321, 5.1: without MX records mail goes to the addresses of the name itself."""
    for rdtype in ("A", "AAAA"):
        answer = await ask(zone, rdtype)
        if answer.outcome is Outcome.UNREACHABLE:
            return (Finding("dns_error", zone, "2308 7", Severity.WARNING),)
        if answer.values:
            return (Finding("implicit_mx", zone, "5321 5.1", Severity.WARNING),)
    return (Finding("no_mx", zone, "5321 5.1", Severity.ERROR),)
