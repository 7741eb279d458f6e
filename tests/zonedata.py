"""Zones that hold what the panel wants of them, and less."""

from __future__ import annotations

from fakedns import Data, FakeResolver

from mailadmin.models import Domain
from mailadmin.services import wanted, zones


def right_zone(domain: Domain, *, without: tuple[str, ...] = ()) -> Data:
    """What must stand in the DNS for a domain now, but for the kinds in `without`."""
    data: Data = {domain.name: {"NS": ["ns1.dns.example"]}}
    for each in wanted.of_domain(Domain.objects.get(pk=domain.pk)):
        if each.kind.startswith(without or ("nothing",)):
            continue
        for record in each.records:
            data.setdefault(record.name, {}).setdefault(record.type, []).append(record.value)
    return data


def look(domain: Domain, *data: Data, now=None, **failing: str) -> None:
    """Look at a zone whose servers ns1, ns2 … show `data`."""
    servers = {f"ns{number}": each for number, each in enumerate(data, 1)}
    zones.check([domain], now=now, resolver=FakeResolver(domain.name, servers, failing))
    domain.refresh_from_db()
    domain.zone.refresh_from_db()
