"""Publishing where something is wrong: keys, clocks, servers that lie, writes that break off."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import datetime
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import pytest
import time_machine
from failingproxy import FailingProxy, started
from fakedns import Data
from holders import KEY, READ_KEY, SECTIONS, ZONE, knot_holder, pdns_provider, resolver_at
from knot import Knot, free_port, zone_text
from liars import answer, liar, wire
from pdns import API_KEY, PowerDns

from maildns.check import RecordState, Wanted
from maildns.errors import BadOption, HalfDone, ProviderError, ProviderRefused, ProviderUnreachable
from maildns.plan import Plan, make_plan, questions_for
from maildns.providers.base import Provider
from maildns.providers.lexicon import Lexicon
from maildns.providers.lexicon_choices import provider_choices
from maildns.providers.rfc2136 import Rfc2136
from maildns.publish import ChangeState, PublishOutcome, publish
from maildns.records import Record

pytestmark = pytest.mark.live

OLD_SPF, NEW_SPF = "v=spf1 ip4:192.0.2.0/24 -all", "v=spf1 ip4:192.0.2.0/24 mx -all"
SELECTOR = f"s1._domainkey.{ZONE}"
DATA: Data = {ZONE: {"TXT": [OLD_SPF, "other"], "MX": ["10 old.host.example"]}}
WANTED = [
    Wanted("mx", ZONE, "MX", ("10 mx.host.example",)),
    Wanted("spf", ZONE, "TXT", (NEW_SPF,), is_of_kind=lambda text: text.startswith("v=spf1")),
    Wanted("dkim", SELECTOR, "TXT", ("v=DKIM1; p=abc",)),
]
THREE = [Wanted("x", f"x{number}.{ZONE}", "TXT", ("there",)) for number in range(3)]


def plan_for(provider: Provider, wanted=WANTED, ours=()) -> Plan:
    present = asyncio.run(provider.records(questions_for(wanted)))
    return make_plan(ZONE, wanted, present, ours)


def write(plan: Plan, provider: Provider, port: int, seconds: float = 3.0) -> PublishOutcome:
    ticked = {change.key for change in plan.changes}
    return asyncio.run(publish(plan, ticked, provider, resolver_at(port), deadline_seconds=seconds))


def states(outcome: PublishOutcome) -> list[tuple[str, str]]:
    return [(str(each.state), each.reason) for each in outcome.results]


def values(provider: Provider, name: str = ZONE, kind: str = "TXT") -> set[str]:
    return {each.value for each in asyncio.run(provider.records([(name, kind)]))}


def refusal(call) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        asyncio.run(call)
    return caught.value


@pytest.fixture
def knot(tmp_path: Path) -> Iterator[tuple[Knot, Rfc2136]]:
    server, provider = knot_holder(tmp_path, DATA)
    yield server, provider
    server.stop()


# --- RFC 2136: keys and clocks ------------------------------------------------------------------

OTHER = base64.b64encode(b"another secret of 32 octets, ok?").decode()
WRONG_KEYS = {
    "unknown name": (dataclasses.replace(KEY, name="nobody.example"), "bad_key"),
    "other algorithm": (dataclasses.replace(KEY, algorithm="hmac-sha384"), "bad_key"),
    "wrong secret": (dataclasses.replace(KEY, secret=OTHER), "bad_signature"),
}


@pytest.mark.parametrize("case", WRONG_KEYS)
def test_wrong_key_is_told_from_a_wrong_secret(knot, case: str) -> None:
    key, reason = WRONG_KEYS[case]
    _server, provider = knot
    plan = plan_for(provider)
    wrong = dataclasses.replace(provider, key=key)
    for call in (wrong.records([(ZONE, "TXT")]), wrong.apply([each.edit for each in plan.changes])):
        error = refusal(call)
        assert isinstance(error, ProviderRefused)
        assert error.reason == reason
        assert key.secret not in f"{error!r} {error.__cause__!r} {error.__context__!r}"
    assert values(provider) == {OLD_SPF, "other"}


@pytest.mark.parametrize("hours", [-1, 1])
def test_wrong_clock_is_told(knot, hours: int) -> None:
    server, provider = knot
    plan = plan_for(provider)
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    with time_machine.travel(then):
        error = refusal(provider.apply([each.edit for each in plan.changes]))
    assert isinstance(error, ProviderRefused)
    assert error.reason == "bad_time"
    assert states(write(plan, provider, server.port)) == [("written", "")] * 3


def test_key_that_may_not_write_is_told(knot) -> None:
    _server, provider = knot
    plan = plan_for(provider)
    reader = dataclasses.replace(provider, key=READ_KEY)
    assert values(reader) == {OLD_SPF, "other"}
    outcome = write(plan, reader, provider.port)
    assert {each.reason for each in outcome.results} == {"bad_key"}  # as Knot puts it
    assert {each.state for each in outcome.results} == {ChangeState.REFUSED}


def test_zone_that_is_not_served_is_told(knot) -> None:
    _server, provider = knot
    elsewhere = dataclasses.replace(provider, zone="other.example")
    error = refusal(elsewhere.records([("other.example", "TXT")]))
    assert (type(error), error.reason) == (ProviderRefused, "no_such_zone")
    plan = make_plan("other.example", [Wanted("x", "other.example", "TXT", ("x",))], (), ())
    error = refusal(elsewhere.apply([plan.changes[0].edit]))
    assert (type(error), error.reason) == (ProviderRefused, "no_such_zone")


def test_name_outside_the_zone_is_told(knot) -> None:
    _server, provider = knot
    plan = make_plan(ZONE, [Wanted("x", "other.example", "TXT", ("x",))], (), ())
    error = refusal(provider.apply([plan.changes[0].edit]))
    assert (type(error), error.reason) == (ProviderRefused, "outside_zone")


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"name": ""}, "name"),
        ({"name": "."}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"name": "schlüssel"}, "name"),
        ({"algorithm": "hmac-md5.sig-alg.reg.int"}, "algorithm"),
        ({"algorithm": "gss-tsig"}, "algorithm"),
        ({"secret": "not base64!"}, "secret"),
        ({"secret": "c2hvcnQ="}, "secret"),
        ({"secret": "c2hvcnQ"}, "secret"),
        ({"secret": ""}, "secret"),
        ({"secret": "ü" * 40}, "secret"),
    ],
)  # fmt: skip
def test_key_that_can_be_none_is_refused_before(change: dict, option: str) -> None:
    with pytest.raises(BadOption) as caught:
        dataclasses.replace(KEY, **change)
    assert caught.value.option == option
    assert not change.get("secret") or change["secret"] not in f"{caught.value!r} {caught.value}"


def test_secret_is_never_shown() -> None:
    assert KEY.secret not in repr(Rfc2136(ZONE, "127.0.0.1", KEY))
    assert API_KEY not in repr(pdns_provider("http://127.0.0.1:1"))


# --- RFC 2136: servers that lie or die ----------------------------------------------------------


def lying(behaviour, call: Callable[[Rfc2136], object], by_tcp=None) -> ProviderError:
    async def run() -> ProviderError:
        async with liar(behaviour, by_tcp) as port:
            provider = Rfc2136(ZONE, "127.0.0.1", KEY, port, timeout_seconds=0.5)
            with pytest.raises(ProviderError) as caught:
                await call(provider)
            return caught.value

    return asyncio.run(run())


LIES = {
    "unsigned yes": (lambda q, _tcp: [wire(unsigned(q))], "unsigned"),
    "unsigned nxdomain": (lambda q, _tcp: [wire(unsigned(q, dns.rcode.NXDOMAIN))], "unsigned"),
    "servfail": (lambda q, _tcp: [wire(unsigned(q, dns.rcode.SERVFAIL))], "server_error"),
    "hangs up": (lambda _q, _tcp: [], "malformed"),
    "garbage": (lambda _q, _tcp: [b"\xff" * 40], "malformed"),
    "wrong id": (lambda q, _tcp: [wire(with_other_id(q))], "malformed"),
}


def unsigned(question: dns.message.Message, rcode: dns.rcode.Rcode = dns.rcode.NOERROR):
    question.tsig = None
    return answer(question, rcode=rcode)


def with_other_id(question: dns.message.Message):
    reply = unsigned(question)
    reply.id = (reply.id + 1) % 65_536
    return reply


@pytest.mark.parametrize("lie", LIES)
def test_answer_that_is_no_proof_is_no_answer(lie: str) -> None:
    behaviour, reason = LIES[lie]
    error = lying(behaviour, lambda each: each.records([(ZONE, "TXT")]))
    assert isinstance(error, ProviderUnreachable)
    assert error.reason == (reason)


def test_refusal_needs_no_signature() -> None:
    plan = make_plan(ZONE, THREE, (), ())
    error = lying(
        lambda q, _tcp: [wire(unsigned(q, dns.rcode.REFUSED))],
        lambda each: each.apply([change.edit for change in plan.changes]),
    )
    assert (type(error), error.reason, error.fact) == (ProviderRefused, "not_allowed", "REFUSED")


def test_server_that_drips_ends_in_time() -> None:
    async def drip(reader, writer) -> None:
        with_length = b"\xff\xff" + b"\x00" * 100
        for octet in with_length:
            writer.write(bytes([octet]))
            await asyncio.sleep(0.05)

    begun = time.monotonic()
    error = lying(lambda _q, _tcp: [], lambda each: each.records([(ZONE, "TXT")]), drip)
    assert (type(error), error.reason) == (ProviderUnreachable, "timeout")
    assert time.monotonic() - begun < 2


def test_closed_port_is_told() -> None:
    provider = Rfc2136(ZONE, "127.0.0.1", KEY, free_port(["127.0.0.1"]))
    error = refusal(provider.records([(ZONE, "TXT")]))
    assert (type(error), error.reason) == (ProviderUnreachable, "refused")


def test_write_whose_answer_is_lost_is_found_written(knot) -> None:
    """The update goes through, its answer does not: only the zone itself tells."""
    server, provider = knot
    plan = plan_for(provider)

    async def swallow(reader, writer) -> None:
        there, to_there = await asyncio.open_connection("127.0.0.1", server.port)
        length = await reader.readexactly(2)
        message = await reader.readexactly(int.from_bytes(length, "big"))
        to_there.write(length + message)
        size = await there.readexactly(2)
        reply = await there.readexactly(int.from_bytes(size, "big"))
        is_update = (message[2] >> 3) & 0xF == 5
        if not is_update:
            writer.write(size + reply)
            await writer.drain()
            await swallow(reader, writer)
        writer.close()
        to_there.close()

    async def run() -> PublishOutcome:
        proxy = await asyncio.start_server(swallow, "127.0.0.1", 0)
        port = proxy.sockets[0].getsockname()[1]
        ticked = {change.key for change in plan.changes}
        through = dataclasses.replace(provider, port=port)
        outcome = await publish(plan, ticked, through, resolver_at(server.port))
        proxy.close()
        return outcome

    assert states(asyncio.run(run())) == [("written", "")] * 3


def test_provider_that_is_gone_leaves_nothing_known(knot) -> None:
    server, provider = knot
    plan = plan_for(provider)
    server.stop()
    assert states(write(plan, provider, server.port)) == [("unknown", "refused")] * 3


# --- servers that follow the primary ------------------------------------------------------------


@contextmanager
def two_servers(folder: Path, *, notified: bool) -> Iterator[tuple[Rfc2136, int, int]]:
    """A primary and a secondary, which hears of changes only if it is `notified`."""
    ports = free_port(["127.0.0.1"]), free_port(["127.0.0.1"])
    to_second = ["remote:", "  - id: second", f"    address: 127.0.0.1@{ports[1]}"]
    from_first = [
        "remote:", "  - id: first", f"    address: 127.0.0.1@{ports[0]}", f"    key: {KEY.name}",
        "acl:", "  - id: notify", "    address: 127.0.0.1", "    action: notify",
    ]  # fmt: skip
    keys, acls = SECTIONS[: SECTIONS.index("acl:")], SECTIONS[SECTIONS.index("acl:") :]
    first = Knot(
        folder / "first", ["127.0.0.1"], {ZONE: zone_text(ZONE, DATA)}, ports[0],
        [*keys, *to_second, *acls], ["acl: [update, read]", *(["notify: second"] if notified else [])],
    )  # fmt: skip
    second = Knot(
        folder / "second", ["127.0.0.1"], {ZONE: ""}, ports[1], [*keys, *from_first],
        ["master: first", "acl: notify"],
    )  # fmt: skip
    try:
        yield Rfc2136(ZONE, "127.0.0.1", KEY, ports[0]), *ports
    finally:
        first.stop()
        second.stop()


def test_written_means_seen_at_every_server(tmp_path: Path) -> None:
    with two_servers(tmp_path, notified=True) as (provider, *ports):
        plan = plan_for(provider)
        ticked = {change.key for change in plan.changes}
        outcome = asyncio.run(publish(plan, ticked, provider, resolver_at(*ports)))
    assert states(outcome) == [("written", "")] * 3
    assert [len(each.servers) for each in outcome.report.records] == [2, 2, 2]


def test_server_that_does_not_follow_leaves_it_unseen(tmp_path: Path) -> None:
    with two_servers(tmp_path, notified=False) as (provider, *ports):
        plan = plan_for(provider)
        ticked = {change.key for change in plan.changes}
        begun = time.monotonic()
        outcome = asyncio.run(
            publish(plan, ticked, provider, resolver_at(*ports), deadline_seconds=1)
        )
    assert time.monotonic() - begun < 4
    assert states(outcome) == [("unseen", "")] * 3
    assert not outcome.is_complete
    spf = outcome.report.records[1]
    assert [each.state for each in spf.servers] == [RecordState.OK, RecordState.DIFFERS]


def test_nothing_is_written_without_a_tick(knot) -> None:
    server, provider = knot
    plan = plan_for(provider)
    outcome = asyncio.run(publish(plan, (), provider, resolver_at(server.port)))
    assert states(outcome) == [("not_ticked", ""), ("not_ticked", ""), ("written", "")]
    assert values(provider) == {OLD_SPF, "other"}
    assert values(provider, kind="MX") == {"10 old.host.example"}
    assert plan_for(provider).changes == plan.changes[:2]


# --- through dns-lexicon ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pdns_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PowerDns]:
    server = PowerDns(tmp_path_factory.mktemp("pdns"))
    yield server
    server.stop()


@pytest.fixture
def pdns(pdns_server: PowerDns) -> PowerDns:
    pdns_server.serve(ZONE, DATA)
    return pdns_server


@pytest.mark.parametrize("status", [500, 503, 0])
def test_failure_after_the_first_of_three_writes(pdns: PowerDns, status: int) -> None:
    with started(FailingProxy(pdns.url, passes=1, status=status)) as proxy:
        provider = pdns_provider(proxy.url)
        outcome = write(plan_for(provider, THREE), provider, pdns.port)
    reason = "server_error" if status else "refused"
    assert states(outcome) == [("written", ""), ("failed", reason), ("not_tried", "")]
    # The next run plans from what is there, and finishes.
    direct = pdns_provider(pdns.url)
    rest = plan_for(direct, THREE)
    assert [each.name for each in rest.changes] == [f"x1.{ZONE}", f"x2.{ZONE}"]
    assert write(rest, direct, pdns.port).is_complete
    assert plan_for(direct, THREE).changes == ()


def test_refusal_after_the_first_of_three_writes(pdns: PowerDns) -> None:
    with started(FailingProxy(pdns.url, passes=1, status=422)) as proxy:
        provider = pdns_provider(proxy.url)
        outcome = write(plan_for(provider, THREE), provider, pdns.port)
    assert states(outcome) == [("written", ""), ("refused", "rejected"), ("not_tried", "")]


def test_write_that_hangs_is_given_up_and_told(pdns: PowerDns) -> None:
    with started(FailingProxy(pdns.url, passes=1, status=0, hangs_seconds=6)) as proxy:
        provider = dataclasses.replace(pdns_provider(proxy.url), timeout_seconds=3.0)
        begun = time.monotonic()
        outcome = write(plan_for(provider, THREE), provider, pdns.port)
    assert time.monotonic() - begun < 6
    assert states(outcome) == [("written", ""), ("failed", "timeout"), ("not_tried", "")]


def test_one_failure_on_the_way_is_mended(pdns: PowerDns) -> None:
    with started(FailingProxy(pdns.url, passes=1, fails=1)) as proxy:
        provider = pdns_provider(proxy.url)
        assert write(plan_for(provider, THREE), provider, pdns.port).is_complete
    assert len(proxy.writes) == 4


def test_write_that_is_said_to_have_failed_is_found_written(pdns: PowerDns) -> None:
    with started(FailingProxy(pdns.url, passes=0, passed_on=True, status=502)) as proxy:
        provider = pdns_provider(proxy.url)
        assert write(plan_for(provider, THREE), provider, pdns.port).is_complete
    assert len(proxy.writes) == 3


@pytest.mark.parametrize("passes", range(7))
def test_spf_is_never_left_double_and_mail_has_an_mx(pdns: PowerDns, passes: int) -> None:
    """Wherever it breaks off, two SPF are never left, an MX always is, and a second run ends it."""
    with started(FailingProxy(pdns.url, passes=passes)) as proxy:
        provider = pdns_provider(proxy.url)
        outcome = write(plan_for(provider), provider, pdns.port)
    direct = pdns_provider(pdns.url)
    there = values(direct)
    assert "other" in there
    assert len(there & {OLD_SPF, NEW_SPF}) <= 1
    assert values(direct, kind="MX")
    rest = plan_for(direct)
    assert {each.of for each in rest.changes} == {
        each.change.of for each in outcome.results if each.state is not ChangeState.WRITTEN
    }
    assert write(rest, direct, pdns.port).is_complete
    assert values(direct) == {NEW_SPF, "other"}


def test_half_a_change_is_called_half(pdns: PowerDns) -> None:
    with started(FailingProxy(pdns.url, passes=1)) as proxy:
        provider = pdns_provider(proxy.url)
        outcome = write(plan_for(provider, WANTED[:1]), provider, pdns.port)
    assert states(outcome) == [("half", "server_error")]
    assert values(pdns_provider(pdns.url), kind="MX") == {
        "10 old.host.example",
        "10 mx.host.example",
    }


def test_what_cannot_be_read_again_is_unknown(pdns: PowerDns) -> None:
    with started(FailingProxy(pdns.url, passes=1, reading_fails=True)) as proxy:
        provider = pdns_provider(proxy.url)
        outcome = write(plan_for(provider, THREE), provider, pdns.port)
    assert states(outcome) == [("unknown", "server_error")] * 3


REFUSALS = {
    "wrong token": ({"token": "wrong-token-77"}, "bad_credentials"),
    "no such zone": ({"zone": "other.example"}, "no_such_zone"),
    "no token": ({"token": ""}, "bad_options"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_log_in_is_told(pdns: PowerDns, case: str) -> None:
    given, reason = REFUSALS[case]
    error = refusal(pdns_provider(pdns.url, **given).records([(ZONE, "TXT")]))
    assert (type(error), error.reason) == (ProviderRefused, reason)


def test_closed_interface_is_told() -> None:
    provider = pdns_provider(f"http://127.0.0.1:{free_port(['127.0.0.1'])}")
    error = refusal(provider.records([(ZONE, "TXT")]))
    assert (type(error), error.reason) == (ProviderUnreachable, "refused")


def test_interface_that_keeps_silent_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        provider = dataclasses.replace(pdns_provider(url), timeout_seconds=2.0)
        begun = time.monotonic()
        error = refusal(provider.records([(ZONE, "TXT")]))
    assert (type(error), error.reason) == (ProviderUnreachable, "timeout")
    assert time.monotonic() - begun < 4


def test_token_gets_nowhere(pdns: PowerDns, caplog, capfd, monkeypatch) -> None:
    """An interface that says the token back: not in errors, logs, output or the process list."""
    monkeypatch.setenv("POSTKONTOR_OTHER_SECRET", "Segel-91")  # nothing for a provider's module
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    with started(FailingProxy(pdns.url, status=500, reading_fails=True)) as proxy:
        proxy.passes = -1
        provider = pdns_provider(proxy.url)

        async def run() -> ProviderError:
            calling = asyncio.ensure_future(provider.records([(ZONE, "TXT")]))
            while not calling.done():
                seen.extend(command_lines())
                await asyncio.sleep(0.02)
            with pytest.raises(ProviderError) as caught:
                await calling
            return caught.value

        error = asyncio.run(run())
    written = capfd.readouterr()
    assert error.reason == "server_error"
    assert any("lexicon_child" in each for each in seen)
    everything = [str(error), repr(error), repr(error.__context__), caplog.text, *seen, *written]
    assert not [each for each in everything if API_KEY in each or "Segel-91" in each]


def command_lines() -> list[str]:
    """Those of our children, with their environment."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    texts = []
    for child in children:
        with contextlib.suppress(OSError):
            files = [Path(f"/proc/{child}/{what}") for what in ("cmdline", "environ")]
            texts.append(" ".join(file.read_bytes().decode() for file in files))
    return [text for text in texts if "pdns_server" not in text]


def test_settings_of_the_machine_do_not_leak_in(pdns: PowerDns, monkeypatch) -> None:
    monkeypatch.setenv("LEXICON_POWERDNS_AUTH_TOKEN", API_KEY)
    provider = Lexicon(ZONE, "powerdns", {"pdns_server": pdns.url})
    assert refusal(provider.records([(ZONE, "TXT")])).reason == "bad_options"


@pytest.mark.parametrize(
    ("name", "options", "option"),
    [
        ("nobody", {}, "provider"),
        ("localzone", {"filename": "/etc/zone"}, "provider"),
        ("powerdns", {"auth_tokens": "x"}, "auth_tokens"),
        ("powerdns", {"pdns_server": "/run/pdns.sock"}, "pdns_server"),
        ("powerdns", {"pdns_server": "file:///etc/passwd"}, "pdns_server"),
        ("ovh", {"auth_entrypoint": "elsewhere"}, "auth_entrypoint"),
    ],
)
def test_options_that_cannot_be_are_refused_before(name, options, option) -> None:
    with pytest.raises(BadOption) as caught:
        Lexicon(ZONE, name, options)
    assert caught.value.option == option


def test_choices_are_those_of_dns_lexicon() -> None:
    choices = {each.name: each for each in provider_choices()}
    assert len(choices) > 70
    assert not {"auto", "ddns", "localzone"} & set(choices)
    fields = {each.name: each.is_secret for each in choices["powerdns"].fields}
    assert fields["auth_token"]
    assert not fields["pdns_server"]
    assert choices["powerdns"].names_a_place
    assert not choices["hetzner"].names_a_place
    assert [each.label for each in choices.values()] == sorted(
        (each.label for each in choices.values()), key=str.lower
    )
    (entry,) = [each for each in choices["ovh"].fields if each.choices]
    assert "ovh-eu" in entry.choices
    json.dumps([dataclasses.asdict(each) for each in choices.values()])


def test_half_done_names_its_cause(pdns: PowerDns) -> None:
    with started(FailingProxy(pdns.url, passes=1, status=403)) as proxy:
        provider = pdns_provider(proxy.url)
        plan = plan_for(provider, THREE)
        error = refusal(provider.apply([each.edit for each in plan.changes]))
    assert isinstance(error, HalfDone)
    assert (error.done, error.reason, error.fact) == (1, "bad_credentials", "403")
    assert isinstance(error.cause, ProviderRefused)


def test_stored_plan_is_the_plan(knot) -> None:
    server, provider = knot
    plan = plan_for(provider, ours=[Record(ZONE, "TXT", OLD_SPF)])
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert [each.key for each in again.changes] == [each.key for each in plan.changes]
    assert write(again, provider, server.port).is_complete
