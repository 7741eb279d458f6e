"""Names of hosts: what may be one (RFC 1123, 2.1), whether it has addresses, aliases to ours."""

from __future__ import annotations

import functools
import ipaddress
import re

from maildns.answers import Ask, Outcome
from maildns.findings import Finding, Severity
from maildns.records import Record

# At least two labels, the last not of digits alone: RFC 5321, 2.3.5 and RFC 1123, 2.1.
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


def is_host_name(name: str) -> bool:
    """Whether it can be the full name of a host: lower-case A-labels without a final dot."""
    return bool(_HOST.fullmatch(name))


def is_address(text: str) -> bool:
    """Whether it is an IP address where a name should be, also as `[192.0.2.1]`."""
    bare = text.removesuffix(".").strip("[]")
    try:
        ipaddress.ip_address(bare.removeprefix("IPv6:").removeprefix("ipv6:"))
    except ValueError:
        return False
    return True


def fits(name: str, pattern: str) -> bool:
    """Whether a host is meant by a pattern: a name where # is a number of at most four digits.

    A pattern with a dot in front means all hosts below that name. Only whole labels are equal:
    evil-example.com is not below .example.com.
    """
    return name.isascii() and bool(_pattern(pattern).fullmatch(name.lower().removesuffix(".")))


@functools.lru_cache(512)
def _pattern(pattern: str) -> re.Pattern[str]:
    rest = re.escape(pattern.removeprefix(".")).replace(r"\#", "[0-9]{1,4}")
    return re.compile(rf"(?:[a-z0-9_-]+\.)+{rest}" if pattern.startswith(".") else rest)


def autoconfig_records(zone: str, host: str) -> tuple[Record, Record]:
    """The aliases under which mail programs look for their settings, `host` being ours."""
    return (
        Record(f"autoconfig.{zone}", "CNAME", host),
        Record(f"autodiscover.{zone}", "CNAME", host),
    )


def lint_cname(values: tuple[str, ...], other_types: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    """Check the CNAME records at one name, where records of `other_types` were found too."""
    found = []
    if len(values) > 1:
        found.append(Finding("several", " ".join(values), "2181 10.1", Severity.ERROR))
    if values and other_types:
        found.append(Finding("alias_and_data", " ".join(other_types), "1034 3.6.2", Severity.ERROR))
    found += [
        Finding("address", value, "1035 3.3.1", Severity.ERROR)
        for value in values
        if is_address(value)
    ]
    return tuple(found)


async def check_host(host: str, ask: Ask, *, alias_rfc: str) -> tuple[Finding, ...]:
    """Ask whether a host that others are sent to has addresses of its own.

    `alias_rfc` is the paragraph that forbids it to be an alias.
    """
    four, six = await ask(host, "A"), await ask(host, "AAAA")
    if Outcome.UNREACHABLE in (four.outcome, six.outcome):
        return (Finding("dns_error", host, "2308 7", Severity.WARNING),)
    found = []
    if four.aliases or six.aliases:
        found.append(Finding("alias", host, alias_rfc, Severity.ERROR))
    if not four.values and not six.values:
        found.append(Finding("no_address", host, "5321 5.1", Severity.ERROR))
    elif not four.values:
        found.append(Finding("only_ipv6", host, "5321 5.2", Severity.WARNING))
    return tuple(found)
