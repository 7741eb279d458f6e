"""What is made of the world's answers: a good host, and each thing that can be wrong with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from certificates import Authority
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fakeask import FakeAsk
from hypothesis import given
from hypothesis import strategies as st

from maildns.answers import Answer, Outcome
from maildns.dkim import generate_ed25519_key
from maildns.errors import BadRecord
from maildns.ptr import reverse_name
from maildns.readiness.dial import Banner, Presented
from maildns.readiness.facts import BLOCK_LISTS, BlockList, HostFacts, ListKind, Settings
from maildns.readiness.report import Check, Item, ReadinessReport, State, item
from maildns.readiness.run import check_host_readiness
from maildns.tlsa import tlsa_value

HOST, INCLUDE = "mail.panel.example", "_spf.panel.example"
FOUR, SIX = "11.22.33.44", "2a00:1450::25"
KEY = generate_ed25519_key().public_record
DKIM = "pk1._domainkey.panel.example"
NOW = datetime.now(UTC)
LIST = BlockList("list.example", codes={"127.0.0.10": ListKind.POLICY}, six=True)
TLSA = f"_25._tcp.{HOST}"

Zones = dict[str, dict[str, list[str]]]


def listed_at(address: str, zone: str = LIST.zone) -> str:
    return f"{reverse_name(address).rsplit('.', 2)[0]}.{zone}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> x509.Certificate:
    return Authority(tmp_path_factory.mktemp("authority")).issue("good", HOST, days=90)[1]


def good_zones() -> Zones:
    return {
        HOST: {"A": [FOUR], "AAAA": [SIX], "TXT": ["v=spf1 a -all"]},
        reverse_name(FOUR): {"PTR": [HOST]},
        reverse_name(SIX): {"PTR": [HOST]},
        INCLUDE: {"TXT": [f"v=spf1 ip4:{FOUR} ip6:{SIX} -all"]},
        DKIM: {"TXT": [KEY]},
        listed_at("127.0.0.2"): {"A": ["127.0.0.2"]},
        "big.example": {"MX": ["20 no.big.example", "10 mx.big.example"]},
        "mx.big.example": {"A": ["1.2.3.4"], "AAAA": ["2a00:1450::1"]},
    }


SETTINGS = Settings(block_lists=(LIST,), port_25_names=("big.example",), time_servers=())


def facts(**given: object) -> HostFacts:
    options: dict = {
        "name": HOST, "helo": HOST, "addresses": (FOUR, SIX), "spf_include": INCLUDE,
        "dkim_domain": "panel.example", "dkim_selector": "pk1", "dkim_record": KEY,
    }  # fmt: skip
    return HostFacts(**{**options, **given})


class World:
    """A good host in a good world, of which a test breaks one thing."""

    def __init__(self, certificate: x509.Certificate) -> None:
        pem = certificate.public_bytes(Encoding.PEM).decode()
        self.zones, self.failing = good_zones(), set()
        self.facts, self.settings, self.now = facts(), SETTINGS, NOW
        self.presented = Presented(pem, is_named=True)
        self.banner = Banner("220 mx.big.example")
        self.dialled: list[str] = []
        self.connected: list[tuple[str, int, str]] = []
        self.ask: FakeAsk | None = None

    def look(self) -> ReadinessReport:
        self.ask = FakeAsk(self.zones, self.failing)
        return asyncio.run(
            check_host_readiness(
                self.facts, self.ask, settings=self.settings, now=self.now,
                connect=self._connect, dial=self._dial,
            )
        )  # fmt: skip

    def codes(self, check: Check, address: str = FOUR) -> list[tuple[str, str]]:
        return [(each.state.value, each.code) for each in self.look().of(check, address)]

    async def _connect(self, address: str, port: int, source: str, _seconds: float) -> Banner:
        self.connected.append((address, port, source))
        return self.banner

    async def _dial(
        self, address: str, port: int, host: str, *, ca_file: str, timeout_seconds: float
    ) -> Presented:
        self.dialled.append(address)
        return self.presented


@pytest.fixture
def world(certificate: x509.Certificate) -> World:
    return World(certificate)


def test_good_host_is_all_green(world: World) -> None:
    report = world.look()
    clock = [each for each in report.items if each.check is Check.CLOCK]
    assert [each.code for each in clock] == ["no_servers"]
    assert {each.state for each in report.items if each not in clock} == {State.OK}
    assert all(report.of(check) for check in Check)
    assert all(report.state(check, SIX) is State.OK for check in Check if check is not Check.CLOCK)


def test_each_question_is_asked_once_and_each_address_dialled_once(world: World) -> None:
    world.zones[TLSA] = {"TLSA": [tlsa_value(world.presented.certificate)]}
    world.look()
    assert world.ask is not None
    assert len(world.ask.asked) == len(set(world.ask.asked))
    assert sorted(world.dialled) == sorted([FOUR, SIX])
    assert sorted(world.connected) == [("1.2.3.4", 25, FOUR), ("2a00:1450::1", 25, SIX)]


Break = Callable[[World], None]


def zone(name: str, **records: list[str]) -> Break:
    return lambda world: world.zones.__setitem__(name, records)


def without(name: str) -> Break:
    return lambda world: world.zones.pop(name)


def silent(name: str) -> Break:
    def broken(world: World) -> None:
        world.zones.pop(name, None)
        world.failing.add(name)

    return broken


def settings(**given: object) -> Break:
    return lambda world: setattr(world, "settings", Settings(**{**vars(SETTINGS), **given}))


def told(**given: object) -> Break:
    return lambda world: setattr(world, "facts", facts(**given))


def shown(**given: object) -> Break:
    return lambda world: setattr(
        world, "presented", Presented(**{**vars(world.presented), **given})
    )


def not_shown(**given: object) -> Break:
    return lambda world: setattr(world, "presented", Presented(**given))


def banner(**given: str) -> Break:
    return lambda world: setattr(world, "banner", Banner(**given))


def later(days: float) -> Break:
    return lambda world: setattr(world, "now", NOW + timedelta(days=days))


LISTED = listed_at(FOUR)
TEST, NEVER = listed_at("127.0.0.2"), listed_at("127.0.0.1")
REVERSE = reverse_name(FOUR)
POLICY_LIST = BlockList("gone.example", ListKind.DIAL_UP)
PLAIN_LIST = BlockList("list.example")
TENANTS = settings(tenant_zones=("customer.example",))

CASES: list[tuple[Check, list[Break], list[tuple[str, str]]]] = [
    # --- static address
    (Check.STATIC_ADDRESS, [zone(REVERSE, PTR=["44-33-22-11.dyn.provider.example"])], [("bad", "generic_name")]),
    (Check.STATIC_ADDRESS, [zone(LISTED, A=["127.0.0.10"])], [("bad", "policy_listed")]),
    (Check.STATIC_ADDRESS, [zone(LISTED, A=["127.0.0.2"])], [("ok", "static")]),
    (Check.STATIC_ADDRESS, [silent(REVERSE)], [("unknown", "dns_error")]),
    (Check.STATIC_ADDRESS, [silent(REVERSE), zone(LISTED, A=["127.0.0.10"])], [("bad", "policy_listed")]),
    (Check.STATIC_ADDRESS, [without(REVERSE)], [("ok", "static")]),  # `ptr` says it
    (Check.STATIC_ADDRESS, [silent(TEST)], [("unknown", "lists_silent")]),
    (Check.STATIC_ADDRESS, [settings(block_lists=(PLAIN_LIST,)), silent(TEST)], [("ok", "static")]),
    (Check.STATIC_ADDRESS, [settings(block_lists=(LIST, POLICY_LIST))], [("ok", "static")]),  # one is silent
    (Check.STATIC_ADDRESS, [settings(block_lists=(LIST, POLICY_LIST)), silent(TEST)], [("unknown", "lists_silent")]),
    # --- host name
    (Check.HOST_NAME, [zone(HOST, A=["1.2.3.4"])], [("bad", "other_address")]),
    (Check.HOST_NAME, [zone(HOST, AAAA=[SIX])], [("bad", "no_address")]),
    (Check.HOST_NAME, [without(HOST)], [("bad", "no_address")]),
    (Check.HOST_NAME, [silent(HOST)], [("unknown", "dns_error")]),
    (Check.HOST_NAME, [zone(HOST, CNAME=["a.example"]), zone("a.example", A=[FOUR])], [("bad", "alias")]),
    (Check.HOST_NAME, [told(name="mail", helo="mail")], [("bad", "name_not_full")]),
    (Check.HOST_NAME, [told(name="localhost", helo="localhost")], [("bad", "name_local")]),
    (Check.HOST_NAME, [told(name=FOUR, helo=FOUR)], [("bad", "name_address")]),
    (Check.HOST_NAME, [told(name="ma_il.panel.example", helo="ma_il.panel.example")], [("bad", "name_bad_name")]),
    (Check.HOST_NAME, [told(helo="MAIL.panel.example")], [("ok", "resolves")]),
    (Check.HOST_NAME, [told(helo="www.panel.example")], [("warning", "helo_differs"), ("ok", "resolves")]),
    (Check.HOST_NAME, [told(helo="mail")], [("bad", "helo_not_full"), ("warning", "helo_differs"), ("ok", "resolves")]),
    # --- PTR
    (Check.PTR, [without(REVERSE)], [("bad", "no_ptr")]),
    (Check.PTR, [silent(REVERSE)], [("unknown", "dns_error")]),
    (Check.PTR, [zone(REVERSE, PTR=["other.example"])], [("warning", "helo_differs"), ("bad", "not_confirmed")]),
    (Check.PTR, [zone(REVERSE, PTR=[HOST, "www.example"])], [("warning", "several")]),
    (Check.PTR, [silent(HOST)], [("unknown", "dns_error")]),
    (Check.PTR, [zone(REVERSE, CNAME=["44.0-63.33.22.11.in-addr.arpa"]), zone("44.0-63.33.22.11.in-addr.arpa", PTR=[HOST])], [("ok", "confirmed")]),
    (Check.PTR, [TENANTS, zone(REVERSE, PTR=["www.customer.example"]), zone("www.customer.example", A=[FOUR])], [("warning", "tenant_name"), ("warning", "helo_differs")]),
    (Check.PTR, [zone(REVERSE, PTR=["44-33-22-11.dyn.example"]), zone("44-33-22-11.dyn.example", A=[FOUR])], [("warning", "helo_differs")]),
    # --- block lists
    (Check.BLOCK_LISTS, [zone(LISTED, A=["127.0.0.2"])], [("bad", "listed")]),
    (Check.BLOCK_LISTS, [zone(LISTED, A=["127.0.0.10"])], [("bad", "listed_policy")]),
    (Check.BLOCK_LISTS, [zone(LISTED, A=["127.0.0.10", "127.0.0.4"])], [("bad", "listed")]),
    (Check.BLOCK_LISTS, [without(TEST)], [("unknown", "no_test_entry")]),
    (Check.BLOCK_LISTS, [without(TEST), zone(LISTED, A=["127.0.0.2"])], [("unknown", "no_test_entry")]),
    (Check.BLOCK_LISTS, [zone(NEVER, A=["127.0.0.2"]), zone(LISTED, A=["127.0.0.2"])], [("unknown", "lists_everything")]),
    (Check.BLOCK_LISTS, [zone(TEST, A=["127.255.255.254"]), zone(LISTED, A=["127.255.255.254"])], [("unknown", "refused")]),
    (Check.BLOCK_LISTS, [zone(LISTED, A=["127.255.255.255", "127.0.0.2"])], [("unknown", "refused")]),
    (Check.BLOCK_LISTS, [zone(LISTED, A=["127.0.0.1"])], [("unknown", "refused")]),
    (Check.BLOCK_LISTS, [zone(LISTED, A=["192.0.2.80"])], [("unknown", "strange_answer")]),
    (Check.BLOCK_LISTS, [zone(LISTED, A=[f"127.0.{a}.{b}" for a in range(4) for b in range(2, 252)])], [("unknown", "strange_answer")]),
    (Check.BLOCK_LISTS, [silent(LISTED)], [("unknown", "dns_error")]),
    (Check.BLOCK_LISTS, [silent(TEST)], [("unknown", "dns_error")]),
    (Check.BLOCK_LISTS, [silent(NEVER)], [("unknown", "dns_error")]),
    (Check.BLOCK_LISTS, [settings(block_lists=())], [("unknown", "no_lists")]),
    # --- SPF
    (Check.SPF, [zone(HOST, A=[FOUR])], [("warning", "helo_none"), ("ok", "include_pass")]),
    (Check.SPF, [zone(HOST, A=[FOUR], TXT=["v=spf1 -all"])], [("bad", "helo_fail"), ("ok", "include_pass")]),
    (Check.SPF, [zone(HOST, A=[FOUR], TXT=["v=spf1 ~all"])], [("warning", "helo_not_listed"), ("ok", "include_pass")]),
    (Check.SPF, [zone(HOST, A=[FOUR], TXT=["v=spf1 nonsense"])], [("bad", "helo_broken"), ("ok", "include_pass")]),
    (Check.SPF, [silent(HOST)], [("unknown", "helo_dns_error"), ("ok", "include_pass")]),
    (Check.SPF, [without(INCLUDE)], [("ok", "helo_pass"), ("bad", "include_none")]),
    (Check.SPF, [zone(INCLUDE, TXT=["v=spf1 ip4:1.2.3.4 ~all"])], [("ok", "helo_pass"), ("bad", "include_not_listed")]),
    (Check.SPF, [zone(INCLUDE, TXT=["v=spf1 -all", "v=spf1 +all"])], [("ok", "helo_pass"), ("bad", "include_broken")]),
    (Check.SPF, [silent(INCLUDE)], [("ok", "helo_pass"), ("unknown", "include_dns_error")]),
    (Check.SPF, [told(spf_include="")], [("ok", "helo_pass"), ("unknown", "include_unset")]),
    # --- DKIM
    (Check.DKIM, [zone(DKIM, TXT=[KEY.replace(";", " ; ") + "; n=note"])], [("ok", "same")]),
    (Check.DKIM, [without(DKIM)], [("bad", "missing")]),
    (Check.DKIM, [silent(DKIM)], [("unknown", "dns_error")]),
    (Check.DKIM, [zone(DKIM, TXT=[KEY, KEY])], [("bad", "several")]),
    (Check.DKIM, [zone(DKIM, TXT=["v=DKIM1; p="])], [("bad", "revoked")]),
    (Check.DKIM, [zone(DKIM, TXT=[generate_ed25519_key().public_record])], [("bad", "differs")]),
    (Check.DKIM, [zone(DKIM, TXT=["\x00\xff"])], [("bad", "differs")]),
    (Check.DKIM, [told(dkim_record="")], [("unknown", "not_signing")]),
    # --- port 25
    (Check.PORT_25, [banner(reason="timeout")], [("bad", "blocked")]),
    (Check.PORT_25, [banner(reason="refused")], [("bad", "blocked")]),
    (Check.PORT_25, [banner(reason="no_route")], [("bad", "no_route")]),
    (Check.PORT_25, [banner(reason="silent")], [("warning", "no_banner")]),
    (Check.PORT_25, [banner(reason="not_here")], [("unknown", "not_here")]),
    (Check.PORT_25, [banner(text="554 no")], [("ok", "open")]),
    (Check.PORT_25, [silent("big.example")], [("unknown", "dns_error")]),
    (Check.PORT_25, [silent("mx.big.example")], [("unknown", "no_targets")]),
    (Check.PORT_25, [zone("big.example", MX=["0 ."])], [("unknown", "no_targets")]),
    (Check.PORT_25, [zone("mx.big.example", A=["10.0.0.1"])], [("unknown", "no_targets")]),  # not knocked at
    (Check.PORT_25, [settings(port_25_names=())], [("unknown", "no_targets")]),
    # --- certificate
    (Check.CERTIFICATE, [later(70)], [("warning", "ends_soon")]),
    (Check.CERTIFICATE, [later(68)], [("ok", "valid")]),
    (Check.CERTIFICATE, [later(91)], [("bad", "expired")]),
    (Check.CERTIFICATE, [later(91), shown(chain_fault="dates")], [("bad", "expired")]),
    (Check.CERTIFICATE, [later(-5000)], [("bad", "not_yet_valid")]),
    (Check.CERTIFICATE, [shown(is_named=False)], [("bad", "wrong_name")]),
    (Check.CERTIFICATE, [shown(chain_fault="self_signed")], [("bad", "self_signed")]),
    (Check.CERTIFICATE, [shown(chain_fault="untrusted", is_named=False)], [("bad", "wrong_name"), ("bad", "untrusted")]),
    (Check.CERTIFICATE, [shown(chain_fault="dates")], [("bad", "chain_expired")]),
    (Check.CERTIFICATE, [shown(certificate="nonsense")], [("bad", "unreadable")]),
    (Check.CERTIFICATE, [not_shown(fault="no_starttls")], [("bad", "no_starttls")]),
    (Check.CERTIFICATE, [not_shown(fault="starttls_refused")], [("bad", "starttls_refused")]),
    (Check.CERTIFICATE, [not_shown(fault="handshake_failed")], [("bad", "handshake_failed")]),
    (Check.CERTIFICATE, [not_shown(reason="timeout")], [("unknown", "unreachable")]),
    (Check.CERTIFICATE, [not_shown(reason="smtp_refused")], [("unknown", "smtp_refused")]),
    (Check.CERTIFICATE, [not_shown(reason="no_authorities")], [("unknown", "no_authorities")]),
    (Check.CERTIFICATE, [told(name="mail", helo="mail")], [("unknown", "no_host_name")]),
    # --- TLSA
    (Check.TLSA, [silent(TLSA)], [("unknown", "dns_error")]),
    (Check.TLSA, [zone(TLSA, TLSA=[f"3 1 1 {'00' * 32}"])], [("bad", "no_match")]),
    (Check.TLSA, [zone(TLSA, TLSA=["3 1 1 00"])], [("bad", "length"), ("bad", "none_usable")]),
    (Check.TLSA, [zone(TLSA, TLSA=[f"1 1 1 {'00' * 32}"])], [("warning", "unusable"), ("bad", "none_usable")]),
    (Check.TLSA, [zone(TLSA, TLSA=[f"2 1 1 {'00' * 32}"])], [("unknown", "trust_anchor")]),
    (Check.TLSA, [zone(TLSA, TLSA=[f"3 1 1 {'00' * 32}"]), not_shown(reason="timeout")], [("unknown", "no_certificate")]),
    (Check.TLSA, [zone(TLSA, TLSA=[f"3 1 1 {'00' * 32}"]), shown(certificate="nonsense")], [("unknown", "no_certificate")]),
    (Check.TLSA, [zone(TLSA, TLSA=[f"3 1 1 {'00' * 32}"]), told(tlsa_is_signed=False)], [("warning", "unsigned")]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "breaks", "expected"), CASES)
def test_one_broken_thing_is_named(
    world: World, check: Check, breaks: list[Break], expected: list[tuple[str, str]]
) -> None:
    for broken in breaks:
        broken(world)
    assert world.codes(check) == expected


def test_every_unknown_comes_of_silence_and_silence_is_never_bad(world: World) -> None:
    class Silence(FakeAsk):
        async def __call__(self, name: str, rdtype: str) -> Answer:
            return Answer(name, rdtype, Outcome.UNREACHABLE, reason="timeout")

    world.presented = Presented(reason="timeout")
    report = asyncio.run(
        check_host_readiness(
            world.facts, Silence({}), settings=world.settings, now=NOW,
            connect=world._connect, dial=world._dial,
        )
    )  # fmt: skip
    assert {each.state for each in report.items} == {State.UNKNOWN}
    assert all(report.of(check) for check in Check)


# --- addresses ----------------------------------------------------------------------------------


def test_only_the_broken_address_is_red(world: World) -> None:
    world.zones.pop(reverse_name(SIX))
    world.zones[HOST].pop("AAAA")
    report = world.look()
    for check, state in ((Check.PTR, State.BAD), (Check.HOST_NAME, State.BAD)):
        assert (report.state(check, SIX), report.state(check, FOUR)) == (state, State.OK)


def test_list_is_asked_for_ipv6_by_its_digits(world: World) -> None:
    world.zones[listed_at(SIX)] = {"A": ["127.0.0.3"], "TXT": ["why\x00"]}
    (found,) = world.look().of(Check.BLOCK_LISTS, SIX)
    assert (found.state, found.code) == (State.BAD, "listed")
    assert ("text", "why\\000") in found.evidence
    assert world.codes(Check.BLOCK_LISTS, FOUR) == [("ok", "not_listed")]


def test_list_of_ipv4_is_not_asked_for_ipv6(world: World) -> None:
    world.settings = Settings(**{**vars(SETTINGS), "block_lists": (PLAIN_LIST,)})
    assert world.codes(Check.BLOCK_LISTS, SIX) == [("unknown", "no_lists")]
    assert world.codes(Check.BLOCK_LISTS, FOUR) == [("ok", "not_listed")]


def test_list_of_ipv6_alone_is_tested_by_its_own_entries(world: World) -> None:
    only_six = BlockList("six.example", four=False, six=True)
    world.settings = Settings(**{**vars(SETTINGS), "block_lists": (only_six,)})
    assert world.codes(Check.BLOCK_LISTS, SIX) == [("unknown", "no_test_entry")]
    test = "2.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20 + ".six.example"
    world.zones[test] = {"A": ["127.0.0.2"]}
    assert world.codes(Check.BLOCK_LISTS, SIX) == [("ok", "not_listed")]


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "127.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "192.0.2.1",
        "fd00::1",
        "::1",
        "fe80::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
    ],
)
def test_private_address_is_bad_but_in_a_trial_and_nobody_is_asked(
    world: World, address: str
) -> None:
    world.facts = facts(addresses=(address,))
    assert world.codes(Check.STATIC_ADDRESS, address) == [("bad", "private")]
    assert world.codes(Check.BLOCK_LISTS, address) == [("unknown", "no_lists")]
    assert world.codes(Check.CERTIFICATE, address) == [("unknown", "private")]
    assert not world.dialled
    settings(private_allowed=True)(world)
    assert world.codes(Check.STATIC_ADDRESS, address) == [("ok", "private_trial")]
    assert world.codes(Check.CERTIFICATE, address) == [("ok", "valid")]


@pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.1"])
def test_entries_that_lists_have_for_tests_mean_nothing(world: World, address: str) -> None:
    world.facts = facts(addresses=(address,))
    settings(private_allowed=True)(world)
    assert world.codes(Check.BLOCK_LISTS, address) == [("unknown", "no_lists")]


@pytest.mark.parametrize("addresses", [(), ("",), ("mail.example",), ("1.2.3",), ("1.2.3.4", "x")])
def test_host_without_addresses_cannot_be_described(addresses: tuple[str, ...]) -> None:
    with pytest.raises(BadRecord):
        facts(addresses=addresses)


def test_default_lists_call_a_policy_entry_by_its_name(world: World) -> None:
    zen = BLOCK_LISTS[0]
    assert [zen.kind_of(f"127.0.0.{code}") for code in (2, 4, 9, 10, 11, 30)] == [
        ListKind.SPAM, ListKind.SPAM, ListKind.SPAM, ListKind.POLICY, ListKind.POLICY, ListKind.SPAM,
    ]  # fmt: skip
    assert zen.covers(SIX) and not BLOCK_LISTS[1].covers(SIX)


# --- certificates -------------------------------------------------------------------------------


def test_matching_tlsa_is_green_and_a_second_key_does_not_harm(world: World) -> None:
    world.zones[TLSA] = {"TLSA": [tlsa_value(world.presented.certificate), f"3 1 1 {'00' * 32}"]}
    assert world.codes(Check.TLSA) == [("ok", "match")]


def test_certificate_told_by_the_host_counts_where_nobody_can_dial(world: World) -> None:
    pem = world.presented.certificate
    world.facts, world.presented = facts(certificate=pem), Presented(reason="timeout")
    world.now = NOW + timedelta(days=91)
    world.zones[TLSA] = {"TLSA": [tlsa_value(pem)]}
    assert world.codes(Check.CERTIFICATE) == [("unknown", "unreachable"), ("bad", "expired")]
    assert world.codes(Check.TLSA) == [("ok", "match")]


# --- the report ---------------------------------------------------------------------------------


def test_report_survives_json(world: World) -> None:
    world.zones[REVERSE] = {"PTR": ["\x00\xfföther.example", *(f"{n}.example" for n in range(999))]}
    report = world.look()
    text = json.dumps(report.to_json())
    assert ReadinessReport.from_json(json.loads(text)) == report
    assert text.isascii() and "\\u0000" not in text
    assert len(text) < 100_000


@given(st.lists(st.tuples(st.text(), st.text()), max_size=50))
def test_evidence_is_bounded_and_printable(pairs: list[tuple[str, str]]) -> None:
    made = item(Check.PTR, FOUR, State.BAD, "x", *pairs)
    assert len(made.evidence) <= 21
    assert all(
        seen.isascii() and seen.isprintable() and len(seen) <= 512 for _label, seen in made.evidence
    )
    assert Item(**vars(made)) == made


def test_slow_part_is_unknown_and_leaves_nothing_running(world: World) -> None:
    async def never(
        address: str, port: int, host: str, *, ca_file: str, timeout_seconds: float
    ) -> Presented:
        await asyncio.sleep(3600)
        return Presented()

    async def run() -> ReadinessReport:
        report = await check_host_readiness(
            world.facts, FakeAsk(world.zones), now=NOW, connect=world._connect, dial=never,
            settings=Settings(**{**vars(SETTINGS), "deadline_seconds": 0.2}),
        )  # fmt: skip
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return report

    report = asyncio.run(run())
    assert [each.code for each in report.of(Check.CERTIFICATE)] == ["deadline"]
    assert report.state(Check.CERTIFICATE) is State.UNKNOWN
    assert report.state(Check.PTR) is State.OK
