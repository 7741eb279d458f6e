"""SRV records by which mail programs find a host: RFC 6186, 8314 and 5804."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum

from maildns.answers import Ask
from maildns.errors import BadRecord
from maildns.findings import Finding, Severity
from maildns.names import check_host, is_address, is_host_name
from maildns.records import Record

_MAX_FIELD = 65_535  # RFC 2782: 16 bits each


class Service(StrEnum):
    """A service, named as in its record."""

    SUBMISSIONS = "submissions"
    IMAPS = "imaps"
    POP3S = "pop3s"
    SUBMISSION = "submission"
    IMAP = "imap"
    POP3 = "pop3"
    SIEVE = "sieve"
    AUTODISCOVER = "autodiscover"


_PORTS = {
    Service.SUBMISSIONS: 465,
    Service.IMAPS: 993,
    Service.POP3S: 995,
    Service.SUBMISSION: 587,
    Service.IMAP: 143,
    Service.POP3: 110,
    Service.SIEVE: 4190,
    Service.AUTODISCOVER: 443,
}
# RFC 6186, 4: the protocol wanted more has the lower priority; that is IMAP.
_PRIORITIES = {Service.POP3S: 10, Service.POP3: 10}
# Of RFC 6186 and 8314: what is off is said to be off; the other two are simply left out.
_DENIED = frozenset(Service) - {Service.SIEVE, Service.AUTODISCOVER}


def client_records(zone: str, host: str, offered: Collection[Service]) -> tuple[Record, ...]:
    """The SRV records of a zone whose mail programs shall use `host`. Raises BadRecord.

    What is not offered gets a `0 0 0 .` (RFC 6186, 3.4).
    """
    if not is_host_name(host):
        raise BadRecord("host")
    return tuple(
        Record(f"_{service}._tcp.{zone}", "SRV", _value(service, host, is_on=service in offered))
        for service in Service
        if service in offered or service in _DENIED
    )


def _value(service: Service, host: str, *, is_on: bool) -> str:
    if not is_on:
        return "0 0 0 ."
    return f"{_PRIORITIES.get(service, 0)} 1 {_PORTS[service]} {host}"


def parse_srv(value: str) -> tuple[int, int, int, str]:
    """Priority, weight, port and target, in lower case without a final dot. Raises BadRecord."""
    *numbers, target = value.split(" ")
    if len(numbers) != 3 or not target:
        raise BadRecord("syntax")
    if not all(text.isascii() and text.isdigit() and len(text) <= 5 for text in numbers):
        raise BadRecord("syntax")
    priority, weight, port = map(int, numbers)
    if max(priority, weight, port) > _MAX_FIELD:
        raise BadRecord("syntax")
    target = target.lower()
    return priority, weight, port, target if target == "." else target.removesuffix(".")


def lint_srv(values: Sequence[str], service: Service | None = None) -> tuple[Finding, ...]:
    """Check the SRV records at one name; with `service`, their port too."""
    found: list[Finding] = []
    for value in values:
        try:
            _priority, _weight, port, target = parse_srv(value)
        except BadRecord:
            found.append(Finding("syntax", value, "2782", Severity.ERROR))
            continue
        if target == ".":
            if len(values) > 1:
                found.append(Finding("off_mixed", value, "2782", Severity.ERROR))
            continue
        found += _target_findings(target)
        if service and port != _PORTS[service]:
            found.append(Finding("port", str(port), "6186 3", Severity.WARNING))
    return tuple(found)


def _target_findings(target: str) -> list[Finding]:
    if is_address(target):
        return [Finding("address", target, "2782", Severity.ERROR)]
    if not is_host_name(target):
        return [Finding("bad_host", target, "2782", Severity.ERROR)]
    return []


async def check_srv_hosts(values: Sequence[str], ask: Ask) -> tuple[Finding, ...]:
    """Ask for the addresses of the targets, which must not be aliases (RFC 2782)."""
    targets = dict.fromkeys(value.rpartition(" ")[2].lower() for value in values)
    return tuple(
        [
            finding
            for target in targets
            if is_host_name(target)
            for finding in await check_host(target, ask, alias_rfc="2782")
        ]
    )
