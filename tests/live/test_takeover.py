"""The take-over of a domain whose zone a real name server holds. Nothing else is started."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from knot import Knot, free_port, zone_text

from maildns.check import Mode, Wanted, check_zone
from maildns.inventory import Inventory, read_zone
from maildns.resolver import Resolver, Settings
from maildns.takeover import KeepReason, StepCode, mx_seen_everywhere, plan_takeover

pytestmark = pytest.mark.live

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ZONE = "verein.example"
KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
KEY_NAME = f"pk2026a._domainkey.{ZONE}"

HEAD = "$TTL 86400\n@ SOA ns1.host.example. hostmaster.host.example. {serial} 3600 600 86400 3600\n"
FOREIGN = """
@ NS ns1.host.example.
@ NS ns2.host.example.
@ A 192.0.2.80
@ AAAA 2001:db8::80
@ MX 1 aspmx.l.google.com.
@ MX 5 alt1.aspmx.l.google.com.
@ 3600 TXT "v=spf1 include:_spf.google.com include:servers.mcsv.net ~all"
@ 3600 TXT "google-site-verification=rXOxyZounn"
@ CAA 0 issue "letsencrypt.org"
www CNAME verein.example.
* A 192.0.2.80
* 7200 TXT "nobody in particular"
_dmarc TXT "v=DMARC1; p=quarantine; rua=mailto:postmaster@verein.example"
google._domainkey TXT "v=DKIM1; k=rsa; p=MIGf"
k1._domainkey CNAME dkim.mcsv.example.
autodiscover CNAME autodiscover.host.example.
_imaps._tcp SRV 0 1 993 imap.gmail.com.
imap A 192.0.2.25
"""
OURS = FOREIGN.replace(
    "@ MX 1 aspmx.l.google.com.\n@ MX 5 alt1.aspmx.l.google.com.",
    "@ 300 MX 10 mx1.post.example.\n@ 300 MX 20 mx2.post.example.",
)


def is_spf(value: str) -> bool:
    return value.lower().split(" ")[0] == "v=spf1"


MX = Wanted("mx", ZONE, "MX", ("10 mx1.post.example", "20 mx2.post.example"))
WANTED = (
    MX,
    Wanted("spf", ZONE, "TXT", ("v=spf1 include:_spf.post.example ~all",), is_of_kind=is_spf),
    Wanted("proof", f"_postkontor.{ZONE}", "TXT", ("token",), Mode.AMONG_OTHERS),
    Wanted("dkim", KEY_NAME, "TXT", (KEY,)),
    Wanted("autodiscover", f"autodiscover.{ZONE}", "CNAME", ("mail.post.example",)),
)


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knot]:
    zones = {
        ZONE: HEAD.format(serial=1) + FOREIGN,
        "mcsv.example": zone_text("mcsv.example", {"dkim.mcsv.example": {"TXT": [KEY]}}),
        "texts.example": zone_text(
            "texts.example",
            {
                "texts.example": {
                    "TXT": [*(f"t{n}={'x' * 40}" for n in range(999)), "v=spf1 mx -all"]
                }
            },
        ),
        "moved.example": HEAD.format(serial=2) + OURS.replace(ZONE, "moved.example"),
    }
    server = Knot(tmp_path_factory.mktemp("takeover"), ["127.0.0.1"], zones)
    yield server
    server.stop()


def settings(knot: Knot, *servers: tuple[str, int]) -> Settings:
    at = list(servers) or [("127.0.0.1", knot.port)]
    zones = (ZONE, "mcsv.example", "texts.example", "moved.example")
    others = [("127.0.0.1", knot.port)]
    overrides = {**dict.fromkeys(zones, others), ZONE: at}
    # What nobody serves here, as the target of an alias, is refused at once.
    return Settings(
        recursive=(("127.0.0.1", knot.port),),
        timeout_seconds=0.5,
        tries=1,
        private_allowed=True,
        overrides=overrides,
    )


def read(given: Settings, zone: str = ZONE, seconds: float = 10.0) -> Inventory:
    also = [each.question for each in WANTED]
    return asyncio.run(read_zone(zone, Resolver(given), also=also, deadline_seconds=seconds))


def test_realistic_zone_is_read_and_planned(knot: Knot) -> None:
    plan = plan_takeover(read(settings(knot)), WANTED, now=NOW)
    assert not plan.is_blocked
    assert plan.provider == "google"
    assert plan.mx_ttl_seconds == 86_400
    assert plan.switch_not_before == NOW + timedelta(days=1)
    assert plan.old_system_until == NOW + timedelta(days=7)
    changes = {(each.kind, each.type): each for each in plan.changes}
    assert set(changes) == {
        ("mx", "MX"), ("spf", "TXT"), ("proof", "TXT"), ("dkim", "TXT"), ("autodiscover", "CNAME")
    }  # fmt: skip
    assert changes["spf", "TXT"].after == (
        "v=spf1 include:_spf.google.com include:servers.mcsv.net include:_spf.post.example ~all",
    )
    assert changes["spf", "TXT"].ttl_seconds == 3600
    assert changes["mx", "MX"].before == ("1 aspmx.l.google.com", "5 alt1.aspmx.l.google.com")
    assert changes["autodiscover", "CNAME"].before == ("autodiscover.host.example",)
    assert plan.steps[0].code is StepCode.LOWER_TTL
    codes = {each.code for each in plan.findings}
    assert {"dmarc_enforced", "sender"} <= codes


def test_everything_that_is_not_mail_stays(knot: Knot) -> None:
    plan = plan_takeover(read(settings(knot)), WANTED, now=NOW)
    stays = {(each.name.removesuffix(f".{ZONE}"), each.type): each for each in plan.keeps}
    assert {key: each.reason for key, each in stays.items()} == {
        (ZONE, "A"): KeepReason.WEB,
        (ZONE, "AAAA"): KeepReason.WEB,
        (ZONE, "NS"): KeepReason.NAME_SERVERS,
        (ZONE, "TXT"): KeepReason.TEXT,
        (ZONE, "CAA"): KeepReason.CAA,
        ("www", "CNAME"): KeepReason.WEB,
        ("imap", "A"): KeepReason.OLD_HOST,
        ("_dmarc", "TXT"): KeepReason.OTHER,
        ("_imaps._tcp", "SRV"): KeepReason.OLD_CLIENTS,
        ("google._domainkey", "TXT"): KeepReason.OLD_SELECTOR,
        ("k1._domainkey", "CNAME"): KeepReason.OLD_SELECTOR,
        ("*", "A"): KeepReason.WILDCARD,
        ("*", "TXT"): KeepReason.WILDCARD,
    }
    assert stays[ZONE, "TXT"].values == ("google-site-verification=rXOxyZounn",)
    assert stays["k1._domainkey", "CNAME"].values == ("dkim.mcsv.example",)


def test_dead_server_is_passed_over(knot: Knot) -> None:
    dead = ("127.0.0.1", free_port(["127.0.0.1"]))
    started = time.monotonic()
    inventory = read(settings(knot, dead, ("127.0.0.1", knot.port)))
    assert time.monotonic() - started < 5
    assert inventory.asked == (f"127.0.0.1:{knot.port}",)
    assert not plan_takeover(inventory, WANTED, now=NOW).is_blocked


def test_silence_of_all_servers_blocks_in_time(knot: Knot) -> None:
    # Bound, but nobody reads: the question is lost, as behind a firewall.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        started = time.monotonic()
        inventory = read(settings(knot, ("127.0.0.1", mute.getsockname()[1])))
        assert time.monotonic() - started < 3
    plan = plan_takeover(inventory, WANTED, now=NOW)
    assert plan.is_blocked
    assert plan.changes == ()
    assert plan.keeps == ()


def test_spf_is_found_among_a_thousand_texts(knot: Knot) -> None:
    seen = read(settings(knot), "texts.example").at("texts.example", "TXT")
    assert seen is not None
    assert seen.values[0] == "v=spf1 mx -all"
    assert len(seen.values) + seen.left_out == 1000


def test_switch_is_over_when_every_server_shows_it(knot: Knot) -> None:
    async def seen(zone: str) -> bool:
        wanted = Wanted("mx", zone, "MX", MX.values)
        return mx_seen_everywhere(await check_zone(zone, [wanted], Resolver(settings(knot))))

    assert not asyncio.run(seen(ZONE))
    assert asyncio.run(seen("moved.example"))


def test_plan_after_lowering_remembers_the_long_ttl(knot: Knot) -> None:
    first = plan_takeover(read(settings(knot)), WANTED, now=NOW)
    later = NOW + timedelta(hours=3)
    moved = [Wanted("mx", "moved.example", "MX", ("10 mx.other.example",))]
    second = plan_takeover(read(settings(knot), "moved.example"), moved, now=later, earlier=first)
    assert second.mx_ttl_seconds == 300
    assert second.switch_not_before == later + timedelta(days=1)
