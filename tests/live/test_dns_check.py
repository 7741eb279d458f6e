"""Checks against a real name server, and against servers that lie. Nothing else is started."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Awaitable, Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import pytest
from fakedns import Data, FakeResolver
from knot import Knot, free_port, zone_text
from liars import Behaviour, answer, liar, rrset, txt, wire

from maildns.answers import Answer, Outcome
from maildns.check import Hint, RecordState, Wanted, all_seen, check_many, check_zone
from maildns.errors import LookupFailed
from maildns.resolver import Resolver, Server, Settings, is_public, shown

pytestmark = pytest.mark.live

ZONE = "example.com"
KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
DKIM = "s1._domainkey.example.com"

DATA: Data = {
    ZONE: {
        "TXT": ["v=spf1 mx -all", 'quo"te \\ and \x00\x07\xff', ""],
        "MX": ["10 mx.host.example", "20 mx2.host.example"],
        "CAA": ['0 issue "ca.example"'],
    },
    DKIM: {"TXT": [KEY]},
    "old._domainkey.example.com": {"TXT": ["v=DKIM1; p=", "v=DKIM1; p=x"]},
    "far._domainkey.example.com": {"CNAME": ["k1.keys.host.example"]},
    "near._domainkey.example.com": {"CNAME": ["far._domainkey.example.com"]},
    "gone._domainkey.example.com": {"CNAME": ["nothing.host.example"]},
    "empty._domainkey.example.com": {"CNAME": ["host.example"]},
    "loop.example.com": {"CNAME": ["loop2.example.com"]},
    "loop2.example.com": {"CNAME": ["loop.example.com"]},
    "out.example.com": {"CNAME": ["back.host.example"]},
    "back.host.example": {"CNAME": ["out.example.com"]},
    "*.wild.example.com": {"TXT": ["anything"]},
    "own.wild.example.com": {"MX": ["0 ."]},
    "*.star.example.com": {"CNAME": ["k1.keys.host.example"]},
    "_imaps._tcp.example.com": {"SRV": ["0 1 993 mail.host.example"]},
    "host.example": {"MX": ["10 mx.host.example"]},
    "k1.keys.host.example": {"TXT": [KEY]},
    "mx.host.example": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
}
ZONES = (ZONE, "host.example")
QUESTIONS = [
    *((name, kind) for name, sets in DATA.items() if "*" not in name for kind in sets),
    *((name, "TXT") for name in DATA if "*" not in name),
    ("nobody.example.com", "TXT"),
    ("_domainkey.example.com", "TXT"),
    (f"{DKIM}.{ZONE}", "TXT"),
    ("any.wild.example.com", "TXT"),
    ("any.wild.example.com", "MX"),
    ("deep.any.wild.example.com", "TXT"),
    ("below.own.wild.example.com", "TXT"),
    ("any.star.example.com", "TXT"),
    ("any.star.example.com", "CNAME"),
]


def settings(**options: object) -> Settings:
    given: dict = {"timeout_seconds": 0.3, "tries": 1, "private_allowed": True, **options}
    return Settings(**given)


def ask(settings: Settings, name: str, kind: str) -> Answer:
    """What the first server of the overrides says."""
    resolver = Resolver(settings)

    async def run() -> Answer:
        servers = await resolver.authoritative_servers(name)
        return await resolver.ask_server(servers[0])(name, kind)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knot]:
    folder = tmp_path_factory.mktemp("knot")
    server = Knot(folder, ["127.0.0.1"], {zone: zone_text(zone, DATA) for zone in ZONES})
    yield server
    server.stop()


@pytest.fixture
def real(knot: Knot) -> Settings:
    at = [("127.0.0.1", knot.port)]
    return settings(timeout_seconds=2.0, overrides=dict.fromkeys(ZONES, at))


# --- fake and real are the same -----------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), QUESTIONS, ids=lambda each: each)
def test_fake_answers_as_the_real_one(real: Settings, name: str, kind: str) -> None:
    fake = FakeResolver(ZONE, {"ns1": DATA})
    expected = asyncio.run(fake.ask_server(Server("ns1", ()))(name, kind))
    assert ask(real, name, kind) == expected


WANTED = [
    Wanted("mx", ZONE, "MX", ("10 mx.host.example", "20 mx2.host.example")),
    Wanted(
        "spf", ZONE, "TXT", ("v=spf1 mx -all",), is_of_kind=lambda text: text.startswith("v=spf1")
    ),
    Wanted("dkim", DKIM, "TXT", (KEY,)),
    Wanted("dkim", "old._domainkey.example.com", "TXT", ("v=DKIM1; p=",)),
    Wanted("dkim", "far._domainkey.example.com", "TXT", (KEY,)),
    Wanted("dkim", "gone._domainkey.example.com", "TXT", (KEY,)),
    Wanted("x", "any.wild.example.com", "TXT", ("anything",)),
    Wanted("x", "nobody.example.com", "TXT", ("x",)),
    Wanted("x", "loop.example.com", "TXT", ("x",)),
]


def test_report_on_the_fake_is_that_on_the_real_one(real: Settings, knot: Knot) -> None:
    name = f"127.0.0.1:{knot.port}"
    expected = asyncio.run(check_zone(ZONE, WANTED, FakeResolver(ZONE, {name: DATA})))
    assert asyncio.run(check_zone(ZONE, WANTED, Resolver(real))) == expected
    assert [str(each.state) for each in expected.records] == [
        "ok", "ok", "ok", "several", "ok", "missing", "ok", "missing", "unreachable",
    ]  # fmt: skip
    assert expected.records[6].hints == (Hint.WILDCARD,)


def test_domain_below_the_zone_is_asked_at_the_zone(real: Settings) -> None:
    servers = asyncio.run(Resolver(real).authoritative_servers("deep.sub.example.com"))
    assert [each.zone for each in servers] == [ZONE]


# --- servers that lie ---------------------------------------------------------------------------


def ask_liar(behaviour: Behaviour, kind: str = "TXT", **options: object) -> Answer:
    async def run() -> Answer:
        async with liar(behaviour) as port:
            resolver = Resolver(settings(overrides={ZONE: [("127.0.0.1", port)]}, **options))
            (server,) = await resolver.authoritative_servers(ZONE)
            return await resolver.ask_server(server)(ZONE, kind)

    return asyncio.run(run())


def honest(question: dns.message.Message, *values: bytes) -> dns.message.Message:
    return answer(question, txt(ZONE, *(values or (b"right",))))


def with_id(reply: dns.message.Message, number: int) -> dns.message.Message:
    reply.id = number % 65_536
    return reply


def for_another_name(question: dns.message.Message) -> bytes:
    other = dns.message.make_query("other.example.com", "TXT", id=question.id)
    return wire(answer(other, txt("other.example.com", b"wrong")))


def truncated(question: dns.message.Message) -> bytes:
    reply = answer(question)
    reply.flags |= dns.flags.TC
    return wire(reply)


LIES: dict[str, tuple[Behaviour, str]] = {
    "silence": (lambda _q, _tcp: [], "timeout"),
    "servfail": (lambda q, _tcp: [wire(answer(q, rcode=dns.rcode.SERVFAIL))], "servfail"),
    "refused": (lambda q, _tcp: [wire(answer(q, rcode=dns.rcode.REFUSED))], "refused"),
    "notauth": (lambda q, _tcp: [wire(answer(q, rcode=dns.rcode.NOTAUTH))], "lame"),
    "formerr": (lambda q, _tcp: [wire(answer(q, rcode=dns.rcode.FORMERR))], "malformed"),
    "not authoritative": (lambda q, _tcp: [wire(answer(q, txt(ZONE, b"x"), aa=False))], "lame"),
    "nxdomain by hearsay": (
        lambda q, _tcp: [wire(answer(q, aa=False, rcode=dns.rcode.NXDOMAIN))],
        "lame",
    ),
    "sent to the root": (
        lambda q, _tcp: [
            wire(answer(q, aa=False, authority=(rrset("", "NS", "a.root-servers.net."),)))
        ],
        "lame",
    ),
    "wrong id": (lambda q, _tcp: [wire(with_id(honest(q), q.id + 1))], "malformed"),
    "another name": (lambda q, _tcp: [for_another_name(q)], "malformed"),
    "no reply but a question": (lambda q, _tcp: [q.to_wire()], "malformed"),
    "garbage": (lambda _q, _tcp: [b"\x00", b"\xff" * 40, b""], "malformed"),
    "flood of garbage": (lambda _q, _tcp: [b"\xff" * 40] * 100, "malformed"),
    "cut in the middle": (lambda q, _tcp: [wire(honest(q))[:-3]], "malformed"),
    "truncated for ever": (lambda q, _tcp: [truncated(q)], "malformed"),
    "truncated, then silent": (lambda q, tcp: [] if tcp else [truncated(q)], "malformed"),
    "wrong id by tcp": (
        lambda q, tcp: [wire(with_id(honest(q), q.id + 1)) if tcp else truncated(q)],
        "malformed",
    ),
    "another name by tcp": (
        lambda q, tcp: [for_another_name(q) if tcp else truncated(q)],
        "malformed",
    ),
    "alias to itself": (lambda q, _tcp: [wire(answer(q, rrset(ZONE, "CNAME", f"{ZONE}.")))], "alias_loop"),
    "1001 txt": (
        lambda q, tcp: [
            wire(honest(q, *(b"%d" % n for n in range(1001)))) if tcp else truncated(q)
        ],
        "too_big",
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_lie_is_no_statement_about_the_name(lie: str) -> None:
    behaviour, reason = LIES[lie]
    found = ask_liar(behaviour)
    assert (found.outcome, found.reason) == (Outcome.UNREACHABLE, reason)
    assert not found.is_absent
    assert found.values == ()


def test_closed_port_is_refused_at_once() -> None:
    async def run() -> Answer:
        async with liar(lambda _q, _tcp: []) as port:
            pass
        resolver = Resolver(settings(timeout_seconds=5.0))
        return await resolver.ask_server(Server("x", ("127.0.0.1",), port, ZONE))(ZONE, "TXT")

    begun = time.monotonic()
    assert asyncio.run(run()).reason == "refused"
    assert time.monotonic() - begun < 1


def test_forged_answer_before_the_right_one_is_passed_over() -> None:
    def forged(question: dns.message.Message, _tcp: bool) -> list[bytes]:
        lie = honest(question, b"forged")
        return [
            wire(with_id(lie, question.id + 1)),
            for_another_name(question),
            b"\xff",
            wire(honest(question)),
        ]

    assert ask_liar(forged).values == ("right",)


def test_lost_datagram_is_asked_for_again() -> None:
    seen = []

    def forgetful(question: dns.message.Message, _tcp: bool) -> list[bytes]:
        seen.append(question.id)
        return [] if len(seen) == 1 else [wire(honest(question))]

    assert ask_liar(forgetful, tries=2).values == ("right",)


def test_answer_of_64_kb_is_read_by_tcp() -> None:
    value = b"\xfe" * 65_000

    def big(question: dns.message.Message, tcp: bool) -> list[bytes]:
        return [wire(honest(question, value)) if tcp else truncated(question)]

    assert ask_liar(big).values == (value.decode("latin-1"),)
    assert ask_liar(big, max_octets=60_000).reason == "too_big"


def test_thousand_txt_are_read() -> None:
    values = [b"%d" % number for number in range(1000)]

    def many(question: dns.message.Message, tcp: bool) -> list[bytes]:
        return [wire(honest(question, *values)) if tcp else truncated(question)]

    assert set(ask_liar(many).values) == {value.decode() for value in values}


def test_control_octets_are_kept_and_shown_escaped() -> None:
    value = bytes(range(256))
    found = ask_liar(lambda q, _tcp: [wire(honest(q, value))])
    assert found.values == (value.decode("latin-1"),)
    text = shown(found.values[0])
    assert text.isascii()
    assert text.isprintable()
    assert text.startswith("\\000\\001")
    assert "\\\\]" in text


def test_tcp_that_drips_ends_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(struct.pack("!H", 60_000))
        with contextlib.suppress(ConnectionError):
            for _octet in range(100):
                writer.write(b"\x00")
                await writer.drain()
                await asyncio.sleep(0.05)

    async def run() -> Answer:
        async with liar(lambda q, _tcp: [truncated(q)], drip) as port:
            server = Server("x", ("127.0.0.1",), port, ZONE)
            return await Resolver(settings()).ask_server(server)(ZONE, "TXT")

    begun = time.monotonic()
    assert asyncio.run(run()).reason == "timeout"
    assert time.monotonic() - begun < 2


def test_question_ends_at_the_deadline() -> None:
    begun = time.monotonic()
    found = ask_liar(lambda _q, _tcp: [], timeout_seconds=60.0, deadline_seconds=0.2)
    assert found.reason == "timeout"
    assert time.monotonic() - begun < 2


def test_alias_that_never_ends_is_given_up() -> None:
    number = 0

    def onwards(question: dns.message.Message, _tcp: bool) -> list[bytes]:
        nonlocal number
        number += 1
        name = question.question[0].name.to_text(omit_final_dot=True)
        return [wire(answer(question, rrset(name, "CNAME", f"n{number}.example.com.")))]

    assert ask_liar(onwards).reason == "alias_loop"
    assert number < 20


def test_name_that_cannot_be_asked_for_is_malformed(real: Settings) -> None:
    for name in ("a" * 64 + ".example.com", "x..example.com", "ü.example.com"):
        assert ask(real, name, "TXT").reason == "malformed"


# --- several servers ----------------------------------------------------------------------------


def serving(value: bytes) -> Behaviour:
    def behaviour(question: dns.message.Message, _tcp: bool) -> list[bytes]:
        name = question.question[0].name.to_text(omit_final_dot=True)
        if name == DKIM:
            return [wire(answer(question, txt(DKIM, value)))]
        soa = rrset(ZONE, "SOA", "ns.example. x.example. 1 1 1 1 60")
        return [wire(answer(question, rcode=dns.rcode.NXDOMAIN, authority=(soa,)))]

    return behaviour


def with_servers(*behaviours: Behaviour, check: Callable[[Resolver], Awaitable[object]]) -> object:
    """Run `check` with a resolver whose zone is served by all these."""

    async def run() -> object:
        async with contextlib.AsyncExitStack() as stack:
            ports = [await stack.enter_async_context(liar(each)) for each in behaviours]
            at = [("127.0.0.1", port) for port in ports]
            return await check(Resolver(settings(overrides={ZONE: at})))

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("behaviours", "states", "hints"),
    [
        ([serving(b"new"), serving(b"new")], ["ok", "ok"], ()),
        ([serving(b"new"), serving(b"old")], ["ok", "differs"], (Hint.OLD_AT_SOME,)),
        ([serving(b"older"), serving(b"old")], ["differs", "differs"], (Hint.SPLIT_DNS,)),
        ([serving(b"new"), LIES["silence"][0]], ["ok", "unreachable"], ()),
        ([serving(b"new"), LIES["servfail"][0]], ["ok", "unreachable"], ()),
    ],
)  # fmt: skip
def test_every_server_is_asked(behaviours, states, hints) -> None:
    wanted = Wanted("dkim", DKIM, "TXT", ("new",))
    report = with_servers(*behaviours, check=lambda each: check_zone(ZONE, [wanted], each))
    (record,) = report.records
    assert [str(each.state) for each in record.servers] == states
    assert record.hints == hints
    assert all_seen(record) == (states == ["ok", "ok"])


def test_dying_server_holds_up_nobody_else() -> None:
    wanted = [Wanted("dkim", DKIM, "TXT", ("new",))]

    async def check(resolver: Resolver) -> list[RecordState]:
        zones = ((ZONE, wanted) for _number in range(40))
        return [each.records[0].state async for each in check_many(zones, resolver, at_once=40)]

    begun = time.monotonic()
    states = with_servers(serving(b"new"), LIES["silence"][0], check=check)
    assert states == [RecordState.UNREACHABLE] * 40
    assert time.monotonic() - begun < 3


# --- where one is never sent --------------------------------------------------------------------


def test_server_in_a_private_network_is_never_asked() -> None:
    asked = []

    def listening(question: dns.message.Message, _tcp: bool) -> list[bytes]:
        asked.append(question)
        return [wire(honest(question))]

    found = ask_liar(listening, private_allowed=False)
    assert (found.outcome, found.reason) == (Outcome.UNREACHABLE, "private_address")
    assert asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("198.41.0.4", True),
        ("2001:503:ba3e::2:30", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::c629:4", True),
        ("2002:7f00:1::1", False),
    ],
)
def test_only_addresses_of_the_internet_are_public(address: str, public: bool) -> None:
    assert is_public(address) == public


# --- finding the servers ------------------------------------------------------------------------

ROOT_AT, TOP_AT, FIRST_AT, SECOND_AT = "127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A small Internet: a root, two top-level domains, and servers of customers."""
    folder = tmp_path_factory.mktemp("world")
    root: Data = {
        "com": {"NS": ["a.top.net"]},
        "net": {"NS": ["a.top.net"]},
        "a.top.net": {"A": [TOP_AT]},
    }
    com: Data = {
        "example.com": {"NS": ["ns1.example.com", "ns2.host.net"]},
        "ns1.example.com": {"A": [FIRST_AT]},
        "dead.com": {"NS": ["ns.dead.com"]},
        "ns.dead.com": {"A": ["127.0.0.99"]},
        "nowhere.com": {"NS": ["ns.nothing.net"]},
        "crowd.com": {"NS": [f"ns{number}.crowd.com" for number in range(17)]},
    }
    net: Data = {"host.net": {"NS": ["ns.host.net"]}, "ns.host.net": {"A": [FIRST_AT]}}
    example: Data = {
        "example.com": {"TXT": ["apex"]},
        "sub.example.com": {"TXT": ["below"]},
        "ns1.example.com": {"A": [FIRST_AT]},
        "_domainkey.example.com": {"NS": ["keys.example.com"]},
        "keys.example.com": {"A": [SECOND_AT]},
    }
    own: Data = {"own.example.com": {"TXT": ["own zone"]}}
    host: Data = {
        "ns.host.net": {"A": [FIRST_AT]},
        "ns2.host.net": {"A": [SECOND_AT]},
        "ns3.host.net": {"A": [SECOND_AT]},
    }
    keys: Data = {DKIM: {"TXT": [KEY]}}
    names = ["ns1.example.com", "ns2.host.net"]
    apex = zone_text("example.com", example, [*names, "ns3.host.net"])
    served: dict[str, dict[str, str]] = {
        ROOT_AT: {".": zone_text(".", root, ["a.top.net"])},
        TOP_AT: {
            "com": zone_text("com", com, ["a.top.net"]),
            "net": zone_text("net", net | {"a.top.net": {"A": [TOP_AT]}}, ["a.top.net"]),
        },
        FIRST_AT: {
            "example.com": apex,
            "own.example.com": zone_text("own.example.com", own, names),
            "host.net": zone_text("host.net", host, ["ns.host.net"]),
        },
        SECOND_AT: {
            "example.com": apex,
            "_domainkey.example.com": zone_text(
                "_domainkey.example.com", keys, ["keys.example.com"]
            ),
        },
    }
    port = free_port(served)
    started: list[Knot] = []
    try:
        for address, zones in served.items():
            started.append(Knot(folder / address, [address], zones, port))
        yield port
    finally:
        for server in started:
            server.stop()


def from_root(port: int, **options: object) -> Resolver:
    return Resolver(settings(roots=((ROOT_AT, port),), port=port, **options))


def test_servers_are_found_from_the_root_down(world: int) -> None:
    servers = asyncio.run(from_root(world).authoritative_servers("example.com"))
    # ns3 stands in the zone, and not in the delegation: both sides count.
    assert [(each.name, each.addresses, each.zone) for each in servers] == [
        ("ns1.example.com", (FIRST_AT,), "example.com"),
        ("ns2.host.net", (SECOND_AT,), "example.com"),
        ("ns3.host.net", (SECOND_AT,), "example.com"),
    ]


def test_domain_below_the_cut_has_the_servers_of_its_zone(world: int) -> None:
    for name in ("sub.example.com", "not.there.example.com"):
        servers = asyncio.run(from_root(world).authoritative_servers(name))
        assert {each.zone for each in servers} == {"example.com"}
        assert [each.name for each in servers][:2] == ["ns1.example.com", "ns2.host.net"]


def test_zone_on_the_server_of_its_parent_is_found(world: int) -> None:
    for name in ("own.example.com", "x.own.example.com"):
        servers = asyncio.run(from_root(world).authoritative_servers(name))
        assert {each.zone for each in servers} == {"own.example.com"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("not-there.com", "no_delegation"),
        ("com", "no_delegation"),
        ("x.nowhere", "no_delegation"),
        ("dead.com", "refused"),
        ("nowhere.com", "lame"),
        ("crowd.com", "too_many_servers"),
    ],
)
def test_servers_that_cannot_be_found(world: int, name: str, reason: str) -> None:
    with pytest.raises(LookupFailed) as caught:
        asyncio.run(from_root(world).authoritative_servers(name))
    assert caught.value.reason == reason


def test_delegation_below_the_zone_is_followed(world: int) -> None:
    resolver = from_root(world)

    async def run() -> list[Answer]:
        servers = await resolver.authoritative_servers(ZONE)
        return [await resolver.ask_server(each)(DKIM, "TXT") for each in servers]

    assert [each.values for each in asyncio.run(run())] == [(KEY,)] * 3


def test_world_is_asked_without_a_recursive_server(world: int) -> None:
    ask = from_root(world).recursive()
    assert asyncio.run(ask("sub.example.com", "TXT")).values == ("below",)
    assert asyncio.run(ask("none.example.com", "TXT")).outcome is Outcome.NO_NAME
    assert asyncio.run(ask("dead.com", "TXT")).outcome is Outcome.UNREACHABLE


def test_top_level_domain_is_remembered(world: int) -> None:
    resolver = from_root(world)

    async def run() -> tuple[int, int]:
        await resolver.authoritative_servers("own.example.com")
        first = resolver.questions_sent
        await resolver.authoritative_servers("own.example.com")
        return first, resolver.questions_sent - first

    first, second = asyncio.run(run())
    assert second < first


# --- a recursive server -------------------------------------------------------------------------


def recursing(question: dns.message.Message, _tcp: bool) -> list[bytes]:
    """Knows example.com, whose server is at 192.0.2.1, and fails for broken.com."""
    name = question.question[0].name.to_text(omit_final_dot=True)
    kind = question.question[0].rdtype.name
    known = {
        (ZONE, "NS"): [rrset(ZONE, "NS", "NS1.Example.com.")],
        ("ns1.example.com", "A"): [rrset("ns1.example.com", "A", "192.0.2.1")],
        ("alias.net", "TXT"): [rrset("alias.net", "CNAME", "x.net."), txt("x.net", b"there")],
        ("blind.net", "TXT"): [rrset("blind.net", "CNAME", "x.net.")],
    }
    code = dns.rcode.SERVFAIL if name == "broken.com" else dns.rcode.NOERROR
    reply = answer(question, *known.get((name, kind), []), aa=False, rcode=code)
    reply.flags |= dns.flags.RA
    return [wire(reply)]


def test_recursive_server_finds_the_zone_and_its_servers() -> None:
    async def run() -> None:
        async with liar(recursing) as port:
            resolver = Resolver(settings(recursive=(("127.0.0.1", port),), private_allowed=False))
            servers = await resolver.authoritative_servers("a.b.example.com")
            assert servers == (Server("ns1.example.com", ("192.0.2.1",), 53, ZONE),)
            sent = resolver.questions_sent
            await resolver.authoritative_servers(ZONE)
            assert resolver.questions_sent == sent + 1, "addresses are remembered"
            with pytest.raises(LookupFailed, match="servfail"):
                await resolver.authoritative_servers("broken.com")
            with pytest.raises(LookupFailed, match="no_delegation"):
                await resolver.authoritative_servers("nothing.com")
            ask = resolver.recursive()
            found = await ask("alias.net", "TXT")
            assert (found.values, found.aliases) == (("there",), ("x.net",))
            assert (await ask("blind.net", "TXT")).outcome is Outcome.NO_DATA
            assert (await ask("broken.com", "TXT")).reason == "servfail"

    asyncio.run(run())


def test_second_recursive_server_stands_in_for_the_first() -> None:
    async def run() -> Answer:
        async with liar(LIES["silence"][0]) as silent, liar(recursing) as port:
            at = (("127.0.0.1", silent), ("127.0.0.1", port))
            return await Resolver(settings(recursive=at)).recursive()("alias.net", "TXT")

    assert asyncio.run(run()).values == ("there",)
