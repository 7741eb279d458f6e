"""Who can write the PTR record of an address: ourselves, or its provider by a letter."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Protocol

from maildns.answers import Ask, Outcome
from maildns.errors import LookupFailed
from maildns.ptr import ptr_record, reverse_name
from maildns.resolver import Server, shown

MAX_SEEN = 20
# Zones that addresses are handed out by: RIPE NCC and others delegate IPv4 by 16 and 24 bits,
# IPv6 mostly by 32, 48, 56 and 64.
_FOUR_BITS, _SIX_BITS = (24, 16), (64, 56, 48, 32)


class Finder(Protocol):
    """What is needed of `maildns.resolver.Resolver`."""

    async def authoritative_servers(self, zone: str) -> tuple[Server, ...]: ...

    def recursive(self) -> Ask: ...


@dataclass(frozen=True)
class ReverseZone:
    """Where the PTR record of an address is written: at `written_at`, in `zone`.

    That is the reverse name itself, unless its provider has made it an alias for a name in a
    zone of the customer's own (RFC 2317). `seen` are the names that it has now. `reason` says
    why the zone is not known; then it is empty.
    """

    address: str
    name: str
    written_at: str
    zone: str = ""
    servers: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_alias(self) -> bool:
        return self.written_at != self.name


async def reverse_zone(address: str, resolver: Finder) -> ReverseZone:
    """Find the zone that holds the PTR record of an address. Raises BadRecord for no address.

    Whether it is one that we may write, the caller knows.
    """
    name = reverse_name(address)
    answer = await resolver.recursive()(name, "PTR")
    if answer.outcome is Outcome.UNREACHABLE:
        return ReverseZone(address, name, name, reason=answer.reason)
    written_at = answer.aliases[-1] if answer.aliases else name
    seen = tuple(shown(each) for each in answer.values[:MAX_SEEN])
    try:
        servers = await resolver.authoritative_servers(written_at)
    except LookupFailed as failed:
        return ReverseZone(address, name, written_at, seen=seen, reason=failed.reason)
    zone = servers[0].zone if servers else ""
    names = tuple(each.name for each in servers)
    return ReverseZone(address, name, written_at, zone, names, seen)


@dataclass(frozen=True)
class LetterFacts:
    """What a letter to the provider of an address must say.

    `wanted` shall be the only name, in place of `current`. `zones` are the reverse zones that the
    provider may hold the address in, the narrowest first: only one if it was found. `written_at`
    differs from `name` where RFC 2317 is in use.
    """

    address: str
    name: str
    wanted: str
    current: tuple[str, ...]
    written_at: str
    zones: tuple[str, ...]
    record: str  # as a line of a zone file


def provider_letter_facts(host: str, found: ReverseZone) -> LetterFacts:
    """`host` is the name that the address shall have. Raises BadRecord for no host name."""
    record = ptr_record(found.address, host)
    zones = (found.zone,) if found.zone else _candidates(found.address)
    line = f"{found.written_at}. IN PTR {record.value}."
    return LetterFacts(
        found.address, found.name, record.value, found.seen, found.written_at, zones, line
    )


def _candidates(address: str) -> tuple[str, ...]:
    is_six = ipaddress.ip_address(address).version == 6
    bits, per_label = (_SIX_BITS, 4) if is_six else (_FOUR_BITS, 8)
    labels = reverse_name(address).split(".")
    width = 128 if is_six else 32
    return tuple(".".join(labels[(width - each) // per_label :]) for each in bits)
