"""Names of sending addresses: PTR records and HELO (RFC 1912, 2.1; RFC 5321; RFC 8601, 3)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from maildns.answers import Answer, Ask, Outcome
from maildns.errors import BadRecord
from maildns.findings import Finding, Severity
from maildns.names import is_address, is_host_name
from maildns.records import Record

_MAX_NAMES = 10  # RFC 7208, 4.6.4 has the same limit: anybody can list hundreds
# Words by which providers name access lines; each stands alone in a label or beside a number.
_GENERIC_WORD = re.compile(
    r"(?:\A|[.\-_\d])(?:dyn|dynamic|dynip|dhcp|dialup|[av]?dsl|pppoe?|pool|cable|broadband)"
    r"(?:[.\-_\d]|\Z)"
)
_DIGITS = re.compile(r"\d+")


def reverse_name(address: str) -> str:
    """The name in in-addr.arpa or ip6.arpa (RFC 1035, 3.5; RFC 3596, 2.5). Raises BadRecord."""
    try:
        return ipaddress.ip_address(address).reverse_pointer
    except ValueError as error:
        raise BadRecord("address") from error


def ptr_record(address: str, host: str) -> Record:
    """The wanted PTR record of a sending address; its provider sets it. Raises BadRecord."""
    if not is_host_name(host):
        raise BadRecord("host")
    return Record(reverse_name(address), "PTR", host)


def looks_generic(name: str, address: str) -> bool:
    """Whether a name looks like one that a provider gives to every address.

    It does if it holds a word such as dyn or dsl; or the four numbers of an IPv4 address, in order
    or backwards, also with zeros in front or as eight hexadecimal digits; or an IPv6 address with
    hyphens for colons, or 16 of its digits, in order or backwards.
    """
    ip, name = ipaddress.ip_address(address), name.lower()
    if _GENERIC_WORD.search(name):
        return True
    if isinstance(ip, ipaddress.IPv6Address):
        return _holds_ipv6(name, ip)
    octets = list(ip.packed)
    numbers = [int(run) for run in _DIGITS.findall(name) if len(run) <= 3]
    runs = [numbers[place : place + 4] for place in range(len(numbers))]
    padded = "".join(f"{octet:03}" for octet in octets)
    return octets in runs or octets[::-1] in runs or ip.packed.hex() in name or padded in name


def _holds_ipv6(name: str, ip: ipaddress.IPv6Address) -> bool:
    if ip.compressed.replace(":", "-") in name:
        return True
    digits, bare = ip.packed.hex(), re.sub(r"[.-]", "", name)
    return any(half in bare for half in (digits[:16], digits[16:], digits[::-1][:16]))


def lint_helo(name: str) -> tuple[Finding, ...]:
    """Check a name that a host gives itself in HELO (RFC 5321, 2.3.5 and 4.1.1.1)."""
    if is_address(name):
        return (Finding("helo_address", name, "5321 4.1.1.1", Severity.ERROR),)
    lower = name.lower()
    if lower in ("localhost", "localhost.localdomain") or lower.endswith(".local"):
        return (Finding("helo_local", name, "5321 2.3.5", Severity.ERROR),)
    if "." not in lower:
        return (Finding("helo_not_full", name, "5321 2.3.5", Severity.ERROR),)
    if not is_host_name(lower):
        return (Finding("helo_bad_name", name, "5321 2.3.5", Severity.ERROR),)
    return ()


async def check_ptr(
    address: str, helo: str, ask: Ask, *, tenant_zones: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Ask whether a sending address has a name that leads back to it, and whether HELO is it.

    A PTR record that is an alias (RFC 2317) is followed by whoever asks. A name within one of
    `tenant_zones` would show one tenant's name to the receivers of all others' mail.
    """
    found = list(lint_helo(helo))
    answer = await ask(reverse_name(address), "PTR")
    if answer.outcome is Outcome.UNREACHABLE:
        return (*found, _dns_error(answer))
    if not answer.values:
        return (*found, Finding("no_ptr", address, "1912 2.1", Severity.ERROR))
    names = [value.lower().removesuffix(".") for value in answer.values]
    if len(names) > 1:
        found.append(Finding("several", " ".join(names), "1912 2.1", Severity.WARNING))
    found += _name_findings(names, address, helo, tenant_zones)
    return (*found, *await _way_back(names, address, helo, ask))


def _name_findings(
    names: list[str], address: str, helo: str, tenant_zones: Collection[str]
) -> list[Finding]:
    found = [
        Finding("generic", name, "8601 3", Severity.WARNING)
        for name in names
        if looks_generic(name, address)
    ]
    found += [
        Finding("tenant_name", name, "8601 3", Severity.WARNING)
        for name in names
        if any(name == zone or name.endswith(f".{zone}") for zone in tenant_zones)
    ]
    if helo.lower() not in names:
        found.append(Finding("helo_differs", helo, "5321 4.1.1.1", Severity.WARNING))
    return found


async def _way_back(names: list[str], address: str, helo: str, ask: Ask) -> tuple[Finding, ...]:
    """RFC 8601, 3: one of the names must have the address; and so should that of HELO."""
    rdtype = "AAAA" if ":" in address else "A"
    found = []
    answers = [await ask(name, rdtype) for name in names[:_MAX_NAMES]]
    silent = [answer for answer in answers if answer.outcome is Outcome.UNREACHABLE]
    if not any(_has(answer, address) for answer in answers):
        not_confirmed = Finding("not_confirmed", names[0], "8601 3", Severity.ERROR)
        found.append(_dns_error(silent[0]) if silent else not_confirmed)
    if helo.lower() not in names and is_host_name(helo.lower()):
        answer = await ask(helo.lower(), rdtype)
        if answer.outcome is Outcome.UNREACHABLE:
            found.append(_dns_error(answer))
        elif not _has(answer, address):
            found.append(Finding("helo_elsewhere", helo, "5321 4.1.4", Severity.WARNING))
    return tuple(found)


def _has(answer: Answer, address: str) -> bool:
    wanted = ipaddress.ip_address(address)
    return any(ipaddress.ip_address(value) == wanted for value in answer.values)


def _dns_error(answer: Answer) -> Finding:
    return Finding("dns_error", answer.name, "2308 7", Severity.WARNING)
