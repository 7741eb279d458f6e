"""What a sweep over many domains costs: two real name servers, ten records for each domain."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from fakedns import Data
from knot import Knot, zone_text

from maildns.check import RecordState, Wanted, check_many, check_zone
from maildns.resolver import Resolver, Settings

DOMAINS = int(os.environ.get("BENCH_DOMAINS", "10000"))
ZONES = 200
WARM = 500
KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
CONDITIONS = (
    f"two Knot on loopback, 10 records a domain; {DOMAINS} checks of {ZONES} zones, all right"
)


def measure() -> dict[str, float]:
    """Domains a second, the most questions that one domain took, and MiB grown meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        texts = {zone: zone_text(zone, data_of(zone)) for zone in map(zone_name, range(ZONES))}
        texts["empty.example"] = zone_text("empty.example", {})
        servers: list[Knot] = []
        try:
            for name in ("first", "second"):
                servers.append(Knot(Path(folder) / name, ["127.0.0.1"], texts))
            at = [("127.0.0.1", each.port) for each in servers]
            settings = Settings(overrides=dict.fromkeys(texts, at), private_allowed=True)
            return asyncio.run(sweep(Resolver(settings)))
        finally:
            for server in servers:
                server.stop()


async def sweep(resolver: Resolver) -> dict[str, float]:
    questions = []
    for zone in (zone_name(0), "empty.example"):
        before = resolver.questions_sent
        await check_zone(zone, wanted_of(zone), resolver)
        questions.append(resolver.questions_sent - before)
    zones = all_zones()
    await run(islice(zones, WARM), resolver)
    memory, begun = resident_mib(), time.monotonic()
    await run(zones, resolver)
    return {
        "dns_domains_per_second": (DOMAINS - WARM) / (time.monotonic() - begun),
        "dns_queries_per_domain": max(questions),
        "dns_check_memory_growth_mib": resident_mib() - memory,
    }


async def run(zones: Iterator[tuple[str, list[Wanted]]], resolver: Resolver) -> None:
    async for report in check_many(zones, resolver):
        wrong = [each for each in report.records if each.state is not RecordState.OK]
        assert not wrong, wrong


def all_zones() -> Iterator[tuple[str, list[Wanted]]]:
    for number in range(DOMAINS):
        zone = zone_name(number % ZONES)
        yield zone, wanted_of(zone)


def zone_name(number: int) -> str:
    return f"domain{number}.example"


def wanted_of(zone: str) -> list[Wanted]:
    return [
        Wanted("x", name, kind, tuple(values))
        for name, sets in data_of(zone).items()
        for kind, values in sets.items()
    ]


def data_of(zone: str) -> Data:
    """What a domain with all that the panel offers has."""
    return {
        zone: {"MX": ["10 mail.host.example"], "TXT": ["v=spf1 include:_spf.host.example -all"]},
        f"s202611a._domainkey.{zone}": {"TXT": [KEY]},
        f"_dmarc.{zone}": {"TXT": [f"v=DMARC1; p=none; rua=mailto:r@{zone}"]},
        f"_mta-sts.{zone}": {"TXT": ["v=STSv1; id=20261124"]},
        f"mta-sts.{zone}": {"CNAME": ["sts.host.example"]},
        f"_smtp._tls.{zone}": {"TXT": [f"v=TLSRPTv1; rua=mailto:t@{zone}"]},
        f"autoconfig.{zone}": {"CNAME": ["mail.host.example"]},
        f"_imaps._tcp.{zone}": {"SRV": ["0 1 993 mail.host.example"]},
        f"_submissions._tcp.{zone}": {"SRV": ["0 1 465 mail.host.example"]},
    }


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
