"""A mail host looked at through a real name server, with real SMTP and time servers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from certificates import Authority
from fakedns import Data
from knot import Knot, free_port, zone_text
from liars import Behaviour, answer, liar, rrset, wire
from smtphost import says, smtp_host, tcp_host
from timeserver import packet, time_server

from maildns.dkim import generate_rsa_key
from maildns.ptr import reverse_name
from maildns.readiness import facts as readiness
from maildns.readiness.facts import BlockList, HostFacts, ListKind
from maildns.readiness.report import Check, ReadinessReport, State
from maildns.readiness.reverse import ReverseZone, provider_letter_facts, reverse_zone
from maildns.readiness.run import check_host_readiness
from maildns.readiness.sntp import utc_now
from maildns.resolver import Resolver, Settings
from maildns.tlsa import tlsa_records

pytestmark = pytest.mark.live

HOST, INCLUDE, LISTS = "mail.host.example", "_spf.host.example", "list.host.example"
KEY = generate_rsa_key().public_record
GOOD, LISTED, POLICY = "127.0.0.9", "127.0.0.10", "127.0.0.11"
CLASSLESS, SIX = "192.0.2.7", "2001:db8::25"
LIST = BlockList(LISTS, codes={"127.0.0.10": ListKind.POLICY}, six=True)


def at_list(address: str) -> str:
    return f"{reverse_name(address).rsplit('.', 2)[0]}.{LISTS}"


def data(tlsa: str) -> Data:
    return {
        HOST: {"A": [GOOD, LISTED, POLICY, CLASSLESS], "AAAA": [SIX], "TXT": ["v=spf1 a -all"]},
        INCLUDE: {"TXT": ["v=spf1 ip4:127.0.0.8/30 ip4:192.0.2.7 ip6:2001:db8::/32 -all"]},
        "pk1._domainkey.host.example": {"TXT": [KEY]},
        f"_25._tcp.{HOST}": {"TLSA": [tlsa]},
        at_list("127.0.0.2"): {"A": ["127.0.0.2"]},
        at_list(LISTED): {"A": ["127.0.0.2"], "TXT": ["see https://list.host.example/"]},
        at_list(POLICY): {"A": ["127.0.0.10"]},
        at_list(SIX): {"A": ["127.0.0.4"]},
        **{reverse_name(each): {"PTR": [HOST]} for each in (GOOD, LISTED, POLICY, SIX)},
        reverse_name(CLASSLESS): {"CNAME": ["7.0-15.2.0.192.in-addr.arpa"]},
        "7.0-15.2.0.192.in-addr.arpa": {"PTR": [HOST]},
    }


ZONES = (
    "host.example", LISTS, "0.0.127.in-addr.arpa", "2.0.192.in-addr.arpa",
    "0-15.2.0.192.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa",
)  # fmt: skip


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pem(authority: Authority) -> Path:
    return authority.issue("host", HOST)[0]


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory, pem: Path) -> Iterator[Knot]:
    (record,) = tlsa_records(
        HOST, "-----BEGIN CERT" + pem.read_text().partition("-----BEGIN CERT")[2]
    )
    folder = tmp_path_factory.mktemp("knot")
    zones = {zone: zone_text(zone, data(record.value)) for zone in ZONES}
    server = Knot(folder, ["127.0.0.1"], zones)
    yield server
    server.stop()


@pytest.fixture
def resolver(knot: Knot) -> Resolver:
    at = [("127.0.0.1", knot.port)]
    return asking(dict.fromkeys(ZONES, at))


def asking(overrides: dict[str, list[tuple[str, int]]]) -> Resolver:
    options = Settings(timeout_seconds=1.0, tries=1, private_allowed=True, overrides=overrides)
    return Resolver(options)


def host(*addresses: str, **given: object) -> HostFacts:
    options: dict = {
        "name": HOST, "helo": HOST, "addresses": addresses, "spf_include": INCLUDE,
        "dkim_domain": "host.example", "dkim_selector": "pk1", "dkim_record": KEY,
    }  # fmt: skip
    return HostFacts(**{**options, **given})


def settings(**given: object) -> readiness.Settings:
    options: dict = {
        "block_lists": (LIST,), "port_25_names": (), "time_servers": (),
        "connect_seconds": 2.0, "time_seconds": 0.5, "private_allowed": True,
    }  # fmt: skip
    return readiness.Settings(**{**options, **given})


def looked(resolver: Resolver, about: HostFacts, how: readiness.Settings) -> ReadinessReport:
    asked = check_host_readiness(about, resolver.recursive(), settings=how, now=utc_now())
    return asyncio.run(asked)


def codes(report: ReadinessReport, check: Check) -> list[tuple[str, str]]:
    return [(each.state.value, each.code) for each in report.of(check)]


def test_good_host_is_green_through_and_through(
    resolver: Resolver, authority: Authority, pem: Path
) -> None:
    async def run() -> ReadinessReport:
        async with (
            smtp_host(pem, GOOD) as port,
            time_server(lambda request: [packet(request)]) as time_port,
        ):
            how = settings(
                port_25_hosts=((GOOD, port),),
                time_servers=(("127.0.0.1", time_port),),
                ca_file=str(authority.file),
            )
            about = host(GOOD, smtp_port=port)
            return await check_host_readiness(
                about, resolver.recursive(), settings=how, now=utc_now()
            )

    report = asyncio.run(run())
    assert {each.check: (each.state.value, each.code) for each in report.items} == {
        Check.STATIC_ADDRESS: ("ok", "private_trial"),
        Check.HOST_NAME: ("ok", "resolves"),
        Check.PTR: ("ok", "confirmed"),
        Check.BLOCK_LISTS: ("ok", "not_listed"),
        Check.SPF: ("ok", "include_pass"),
        Check.DKIM: ("ok", "same"),
        Check.PORT_25: ("ok", "open"),
        Check.CERTIFICATE: ("ok", "valid"),
        Check.TLSA: ("ok", "match"),
        Check.CLOCK: ("ok", "right"),
    }
    assert {each.state for each in report.items} == {State.OK}


@pytest.mark.parametrize(
    ("names", "options", "certificate", "tlsa"),
    [
        (("other.example",), {}, [("bad", "wrong_name")], [("bad", "no_match")]),
        ((HOST,), {"days": -3}, [("bad", "expired")], [("bad", "no_match")]),
        ((HOST,), {"days": 20}, [("warning", "ends_soon")], [("bad", "no_match")]),
        ((HOST,), {"self_signed": True}, [("bad", "self_signed")], [("bad", "no_match")]),
    ],
)
def test_wrong_certificate_is_named_by_its_fault(
    resolver: Resolver,
    authority: Authority,
    names: tuple[str, ...],
    options: dict[str, int],
    certificate: list[tuple[str, str]],
    tlsa: list[tuple[str, str]],
) -> None:
    file, _made = authority.issue("other", *names, **options)

    async def run() -> ReadinessReport:
        async with smtp_host(file, GOOD) as port:
            return await check_host_readiness(
                host(GOOD, smtp_port=port), resolver.recursive(), now=utc_now(),
                settings=settings(ca_file=str(authority.file)),
            )  # fmt: skip

    report = asyncio.run(run())
    assert codes(report, Check.CERTIFICATE) == certificate
    assert codes(report, Check.TLSA) == tlsa


def test_closed_port_of_the_host_is_unknown(resolver: Resolver) -> None:
    report = looked(resolver, host(GOOD, smtp_port=free_port([GOOD])), settings())
    assert codes(report, Check.CERTIFICATE) == [("unknown", "unreachable")]
    assert codes(report, Check.TLSA) == [("unknown", "no_certificate")]


# --- block lists --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [(GOOD, "not_listed"), (LISTED, "listed"), (POLICY, "listed_policy"), (SIX, "listed")],
)
def test_own_list_tells_who_is_in_it(resolver: Resolver, address: str, expected: str) -> None:
    (found,) = looked(resolver, host(address), settings()).of(Check.BLOCK_LISTS)
    assert found.code == expected
    if address == LISTED:
        assert ("text", "see https://list.host.example/") in found.evidence


def foreign(question: dns.message.Message, _tcp: bool) -> list[bytes]:
    """An answer that lists somebody else, under the id of our question."""
    reply = answer(question, rrset(f"1.2.3.4.{LISTS}", "A", "127.0.0.2"))
    reply.question = [dns.rrset.from_text(f"1.2.3.4.{LISTS}.", 0, "IN", "A")]
    return [wire(reply)]


def beside(question: dns.message.Message, _tcp: bool) -> list[bytes]:
    """The right question, and a record of another name."""
    return [wire(answer(question, rrset(f"1.2.3.4.{LISTS}", "A", "127.0.0.2")))]


def everything(question: dns.message.Message, _tcp: bool) -> list[bytes]:
    name = question.question[0].name.to_text(omit_final_dot=True)
    return [wire(answer(question, rrset(name, "A", "127.0.0.2")))]


def sold(question: dns.message.Message, _tcp: bool) -> list[bytes]:
    name = question.question[0].name.to_text(omit_final_dot=True)
    return [wire(answer(question, rrset(name, "A", "203.0.113.80")))]


def cross(question: dns.message.Message, _tcp: bool) -> list[bytes]:
    name = question.question[0].name.to_text(omit_final_dot=True)
    return [wire(answer(question, rrset(name, "A", "127.255.255.254")))]


def thousand(question: dns.message.Message, tcp: bool) -> list[bytes]:
    name = question.question[0].name.to_text(omit_final_dot=True)
    if not tcp:
        reply = answer(question)
        reply.flags |= dns.flags.TC
        return [wire(reply)]
    values = [f"127.0.{number // 250}.{2 + number % 250}" for number in range(1000)]
    return [wire(answer(question, rrset(name, "A", *values)))]


def refusing(question: dns.message.Message, _tcp: bool) -> list[bytes]:
    return [wire(answer(question, rcode=dns.rcode.REFUSED))]


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (foreign, "dns_error"),
        (beside, "no_test_entry"),
        (everything, "lists_everything"),
        (sold, "strange_answer"),
        (cross, "refused"),
        (thousand, "strange_answer"),
        (refusing, "dns_error"),
        (lambda question, tcp: [], "dns_error"),
        (lambda question, tcp: [b"\x00" * 40], "dns_error"),
    ],
)
def test_lying_list_is_unknown_and_never_red(
    knot: Knot, behaviour: Behaviour, expected: str
) -> None:
    async def run() -> ReadinessReport:
        async with liar(behaviour) as port:
            overrides = {zone: [("127.0.0.1", knot.port)] for zone in ZONES}
            resolver = asking({**overrides, LISTS: [("127.0.0.1", port)]})
            return await check_host_readiness(
                host(GOOD), resolver.recursive(), settings=settings(), now=utc_now()
            )

    report = asyncio.run(run())
    assert codes(report, Check.BLOCK_LISTS) == [("unknown", expected)]
    assert report.state(Check.PTR) is State.OK


# --- port 25 and clock --------------------------------------------------------------------------


def test_one_receiver_that_answers_is_enough(resolver: Resolver) -> None:
    async def run() -> ReadinessReport:
        async with tcp_host(says(b"220 mx.test\r\n")) as port:
            how = settings(port_25_hosts=((GOOD, free_port([GOOD])), ("127.0.0.1", port)))
            return await check_host_readiness(
                host(GOOD), resolver.recursive(), settings=how, now=utc_now()
            )

    (found,) = asyncio.run(run()).of(Check.PORT_25)
    assert (found.state, found.code) == (State.OK, "open")
    assert [seen.rpartition(": ")[2] for _label, seen in found.evidence] == [
        "refused",
        "220 mx.test",
    ]


def test_no_receiver_that_answers_is_a_blocked_port(resolver: Resolver) -> None:
    how = settings(port_25_hosts=((GOOD, free_port([GOOD])), (HOST, free_port([GOOD]))))
    assert codes(looked(resolver, host(GOOD), how), Check.PORT_25) == [("bad", "blocked")]


def test_port_is_not_judged_from_another_machine(resolver: Resolver) -> None:
    how = settings(port_25_hosts=(("127.0.0.1", free_port(["127.0.0.1"])),))
    assert codes(looked(resolver, host(CLASSLESS), how), Check.PORT_25) == [("unknown", "not_here")]


@pytest.mark.parametrize(
    ("aheads", "expected"),
    [
        ((0,), ("ok", "right")),
        ((60,), ("warning", "off")),
        ((-4000,), ("bad", "wrong")),
        ((0, 0, 9000), ("ok", "right")),
        ((0, 9000), ("unknown", "disagree")),
        ((0, 9000, -9000), ("unknown", "disagree")),
        ((None,), ("unknown", "unreachable")),
        ((None, 0), ("ok", "right")),
    ],
)
def test_clock_is_judged_by_the_many(
    resolver: Resolver, aheads: tuple[int | None, ...], expected: tuple[str, str]
) -> None:
    def saying(ahead: int | None):
        return lambda request: [] if ahead is None else [packet(request, ahead_seconds=ahead)]

    async def run() -> ReadinessReport:
        async with contextlib.AsyncExitStack() as stack:
            servers = [
                ("127.0.0.1", await stack.enter_async_context(time_server(saying(each))))
                for each in aheads
            ]
            how = settings(time_servers=tuple(servers))
            return await check_host_readiness(
                host(GOOD), resolver.recursive(), settings=how, now=utc_now()
            )

    assert codes(asyncio.run(run()), Check.CLOCK) == [expected]


# --- the reverse zone ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "zone", "written_at"),
    [
        (GOOD, "0.0.127.in-addr.arpa", "9.0.0.127.in-addr.arpa"),
        (SIX, "8.b.d.0.1.0.0.2.ip6.arpa", reverse_name(SIX)),
        (CLASSLESS, "0-15.2.0.192.in-addr.arpa", "7.0-15.2.0.192.in-addr.arpa"),
        ("192.0.2.200", "2.0.192.in-addr.arpa", "200.2.0.192.in-addr.arpa"),
    ],
)
def test_reverse_zone_is_where_the_record_is_written(
    resolver: Resolver, address: str, zone: str, written_at: str
) -> None:
    found = asyncio.run(reverse_zone(address, resolver))
    assert (found.zone, found.written_at, found.reason) == (zone, written_at, "")
    assert found.is_alias == (address == CLASSLESS)
    assert found.seen == ((HOST,) if address != "192.0.2.200" else ())
    letter = provider_letter_facts("new.host.example", found)
    assert (letter.wanted, letter.zones) == ("new.host.example", (zone,))
    assert letter.record == f"{written_at}. IN PTR new.host.example."


def test_letter_names_what_the_provider_may_hold_when_nobody_answers() -> None:
    resolver = asking({"arpa": [("127.0.0.1", free_port(["127.0.0.1"]))]})
    four = asyncio.run(reverse_zone("192.0.2.7", resolver))
    assert four == ReverseZone(
        "192.0.2.7", reverse_name("192.0.2.7"), reverse_name("192.0.2.7"), reason="refused"
    )
    letter = provider_letter_facts(HOST, four)
    assert letter.zones == ("2.0.192.in-addr.arpa", "0.192.in-addr.arpa")
    six = provider_letter_facts(HOST, asyncio.run(reverse_zone("2001:db8:1:2::25", resolver)))
    assert six.zones[0] == "2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    assert six.zones[-1] == "8.b.d.0.1.0.0.2.ip6.arpa"
