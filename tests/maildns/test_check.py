from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fakedns import NEGATIVE_TTL, TTL, Data, FakeResolver

from maildns.answers import Answer, Outcome
from maildns.check import (
    Hint,
    Mode,
    RecordReport,
    RecordState,
    Wanted,
    ZoneReport,
    all_seen,
    check_many,
    check_zone,
)
from maildns.resolver import Server

ZONE = "example.com"
KEY = "v=DKIM1; k=rsa; p=MIGf"
DKIM = "s1._domainkey.example.com"


def is_spf(value: str) -> bool:
    return value.lower().split(" ")[0] == "v=spf1"


SPF = Wanted("spf", ZONE, "TXT", ("v=spf1 mx -all",), is_of_kind=is_spf)
PROOF = Wanted("proof", ZONE, "TXT", ("postkontor=abc",), Mode.AMONG_OTHERS)
MX = Wanted("mx", ZONE, "MX", ("10 mx1.host.example", "20 mx2.host.example"))
KEY_WANTED = Wanted("dkim", DKIM, "TXT", (KEY,))
ALIAS = Wanted("autoconfig", "autoconfig.example.com", "CNAME", ("mail.host.example",))

RIGHT: Data = {
    ZONE: {
        "TXT": ["v=spf1 mx -all", "postkontor=abc", "other"],
        "MX": ["20 mx2.host.example", "10 mx1.host.example"],
    },
    DKIM: {"TXT": [KEY]},
    "autoconfig.example.com": {"CNAME": ["mail.host.example"]},
}
ALL = (SPF, PROOF, MX, KEY_WANTED, ALIAS)


def with_data(**changes: dict[str, list[str]]) -> Data:
    return {**RIGHT, **changes}


def check(resolver: FakeResolver, *wanted: Wanted) -> ZoneReport:
    return asyncio.run(check_zone(ZONE, wanted, resolver))


def check_one(wanted: Wanted, *data: Data, **failing: str) -> RecordReport:
    """The report of one record at servers ns1, ns2 … with these data."""
    servers = {f"ns{number}": each for number, each in enumerate(data, 1)}
    return check(FakeResolver(ZONE, servers, failing), wanted).records[0]


# --- states of one server -----------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ALL, ids=lambda each: each.kind)
def test_record_that_every_server_shows_is_ok(wanted: Wanted) -> None:
    record = check_one(wanted, RIGHT, RIGHT)
    assert record.state is RecordState.OK
    assert record.hints == ()
    assert record.ttl_seconds == TTL
    assert all_seen(record)


@pytest.mark.parametrize(
    ("wanted", "seen", "state"),
    [
        (MX, ["10 mx1.host.example"], "differs"),
        (MX, ["10 mx1.old.example", "20 mx2.host.example"], "differs"),
        (MX, ["10 mx1.host.example", "20 mx2.host.example", "30 mx.old.example"], "several"),
        (MX, [], "missing"),
        (MX, ["0 ."], "differs"),
        (SPF, ["v=spf1 -all"], "differs"),
        (SPF, ["v=spf1 mx -all", "v=spf1 -all"], "several"),
        (SPF, ["v=spf1 a -all", "v=spf1 -all"], "several"),
        (SPF, ["v=spf10 mx -all", "other"], "missing"),
        (SPF, ["v=spf1 mx -all", "other"], "ok"),
        (PROOF, ["postkontor=abc", "v=spf1 -all"], "ok"),
        (PROOF, ["postkontor=abd"], "missing"),
        (KEY_WANTED, [KEY, "v=DKIM1; p="], "several"),
        (KEY_WANTED, ["v=DKIM1; p="], "differs"),
        (replace(KEY_WANTED, values=()), [], "ok"),
        (replace(KEY_WANTED, values=()), [KEY], "several"),
    ],
)
def test_values_of_a_server_make_its_state(wanted: Wanted, seen: list[str], state: str) -> None:
    data = {**RIGHT, wanted.name: {wanted.type: seen} if seen else {}}
    assert check_one(wanted, data).state == state


def test_values_are_compared_by_meaning() -> None:
    def same(a: str, b: str) -> bool:
        return a.replace(" ", "") == b.replace(" ", "")

    data = {DKIM: {"TXT": ["v=DKIM1;k=rsa;p=MIGf"]}}
    assert check_one(KEY_WANTED, data).state is RecordState.DIFFERS
    assert check_one(replace(KEY_WANTED, same=same), data).state is RecordState.OK


# --- several servers ----------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["timeout", "servfail", "refused", "lame", "malformed"])
def test_server_that_fails_never_makes_a_record_missing(reason: str) -> None:
    record = check_one(KEY_WANTED, RIGHT, RIGHT, ns2=reason)
    assert record.state is RecordState.UNREACHABLE
    assert [each.state for each in record.servers] == [RecordState.OK, RecordState.UNREACHABLE]
    assert record.servers[1].reason == reason
    assert not all_seen(record)


def test_servers_that_all_fail_leave_the_record_unreachable() -> None:
    record = check_one(KEY_WANTED, {}, {}, ns1="timeout", ns2="servfail")
    assert record.state is RecordState.UNREACHABLE
    assert record.hints == ()


@pytest.mark.parametrize(
    ("data", "state"),
    [
        ([RIGHT, {}], "missing"),
        ([{}, with_data(**{DKIM: {"TXT": ["v=DKIM1; p="]}})], "differs"),
        (
            [
                with_data(**{DKIM: {"TXT": [KEY, "x"]}}),
                with_data(**{DKIM: {"TXT": ["v=DKIM1; p="]}}),
            ],
            "several",
        ),
    ],
)
def test_worst_server_makes_the_state_of_the_record(data: list[Data], state: str) -> None:
    record = check_one(KEY_WANTED, *data, RIGHT, ns3="timeout")
    assert record.state == state
    assert not all_seen(record)


def test_old_value_left_at_one_server_is_told() -> None:
    old = with_data(**{DKIM: {"TXT": ["v=DKIM1; p=old"]}})
    record = check_one(KEY_WANTED, RIGHT, old)
    assert record.state is RecordState.DIFFERS
    assert record.hints == (Hint.OLD_AT_SOME,)
    assert record.servers[1].seen == ("v=DKIM1; p=old",)


def test_servers_that_disagree_without_being_right_are_told() -> None:
    data = [with_data(**{DKIM: {"TXT": [f"v=DKIM1; p={text}"]}}) for text in ("a", "b")]
    assert check_one(KEY_WANTED, *data).hints == (Hint.SPLIT_DNS,)


def test_failing_server_is_no_disagreement() -> None:
    assert check_one(KEY_WANTED, RIGHT, {}, ns2="timeout").hints == ()


def test_zone_whose_servers_are_unknown_is_unreachable() -> None:
    resolver = FakeResolver(ZONE, {"ns1": RIGHT}, lookup_fails="no_delegation")
    report = check(resolver, *ALL)
    assert report.failure == "no_delegation"
    assert {each.state for each in report.records} == {RecordState.UNREACHABLE}
    assert not any(map(all_seen, report.records))


# --- hints --------------------------------------------------------------------------------------


def test_wildcard_is_recognised_where_it_answers() -> None:
    data: Data = {ZONE: {}, "*.example.com": {"TXT": [KEY]}}
    record = check_one(KEY_WANTED, data)
    assert record.state is RecordState.OK
    assert record.hints == (Hint.WILDCARD,)


def test_wildcard_alias_is_no_alias_of_the_name() -> None:
    data: Data = {ZONE: {}, "*.example.com": {"CNAME": ["web.host.example"]}}
    record = check_one(KEY_WANTED, data)
    assert record.state is RecordState.MISSING
    assert record.hints == (Hint.WILDCARD,)


def test_name_of_its_own_beside_a_wildcard_is_not_taken_for_it() -> None:
    data = with_data(**{"*._domainkey.example.com": {"TXT": ["v=DKIM1; p="]}})
    assert check_one(KEY_WANTED, data).hints == ()


def test_name_entered_with_the_zone_twice_is_found() -> None:
    data: Data = {ZONE: {}, f"{DKIM}.{ZONE}": {"TXT": [KEY]}}
    record = check_one(KEY_WANTED, data)
    assert record.state is RecordState.MISSING
    assert record.hints == (Hint.DOUBLED_NAME,)


def test_doubled_name_is_asked_for_only_where_the_record_is_missing() -> None:
    resolver = FakeResolver(ZONE, {"ns1": RIGHT, "ns2": RIGHT})
    check(resolver, *ALL)
    assert not [name for _server, name, _type in resolver.asked if name.endswith(f"{ZONE}.{ZONE}")]


def test_doubled_name_that_is_too_long_is_not_asked_for() -> None:
    label = "a" * 60
    zone = ".".join([label, label, label, "example"])
    resolver = FakeResolver(zone, {"ns1": {zone: {}}})
    wanted = Wanted("x", f"x.{zone}", "TXT", ("x",))
    asyncio.run(check_zone(zone, [wanted], resolver))
    assert len(resolver.asked) == 1


def test_alias_of_the_zone_itself_is_told() -> None:
    data: Data = {
        ZONE: {"CNAME": ["other.example.net"]},
        "other.example.net": {"MX": list(MX.values)},
    }
    record = check_one(MX, data)
    assert record.state is RecordState.OK
    assert record.hints == (Hint.ALIAS_BESIDE_DATA,)


def test_alias_in_the_place_of_a_record_is_told() -> None:
    data = with_data(**{DKIM: {"CNAME": ["gone.example.net"]}})
    record = check_one(KEY_WANTED, data)
    assert record.state is RecordState.MISSING
    assert record.hints == (Hint.ALIAS_BESIDE_DATA,)
    assert record.servers[0].aliases == ("gone.example.net",)


def test_key_behind_an_alias_is_ok() -> None:
    data = with_data(**{DKIM: {"CNAME": ["k.host.example"]}, "k.host.example": {"TXT": [KEY]}})
    record = check_one(KEY_WANTED, data)
    assert (record.state, record.hints) == (RecordState.OK, ())


def test_alias_with_another_target_differs_and_stands_alone() -> None:
    data = with_data(**{ALIAS.name: {"CNAME": ["elsewhere.example"]}})
    record = check_one(ALIAS, data)
    assert (record.state, record.hints) == (RecordState.DIFFERS, ())


def test_negative_ttl_says_how_long_to_wait() -> None:
    assert check_one(KEY_WANTED, {ZONE: {}}).ttl_seconds == NEGATIVE_TTL


# --- number of questions, time, memory ----------------------------------------------------------

TEN = (
    SPF,
    MX,
    KEY_WANTED,
    ALIAS,
    *(
        Wanted("x", f"{label}.{ZONE}", rdtype, ("wanted",))
        for label, rdtype in [
            ("_dmarc", "TXT"),
            ("_mta-sts", "TXT"),
            ("mta-sts", "CNAME"),
            ("_smtp._tls", "TXT"),
            ("_imaps._tcp", "SRV"),
            ("autodiscover", "CNAME"),
        ]
    ),
)


@pytest.mark.parametrize(
    "data",
    [
        RIGHT,
        {},
        {ZONE: {}, "*.example.com": {"CNAME": ["x.example"]}},
        {each.name: {each.type: list(each.values)} for each in TEN},
    ],
    ids=["some", "none", "wildcard", "all"],
)
def test_ten_records_at_two_servers_take_thirty_questions_at_most(data: Data) -> None:
    resolver = FakeResolver(ZONE, {"ns1": data, "ns2": data})
    check(resolver, *TEN)
    assert len({each.question for each in TEN}) == 10
    assert len(resolver.asked) <= 30


def test_one_question_serves_all_records_of_a_name_and_type() -> None:
    resolver = FakeResolver(ZONE, {"ns1": RIGHT})
    check(resolver, SPF, PROOF)
    assert resolver.asked == [("ns1", ZONE, "TXT")]


class SlowServer(FakeResolver):
    """Its ns2 never answers."""

    def ask_server(self, server: Server):
        answers = super().ask_server(server)

        async def ask(name: str, rdtype: str) -> Answer:
            if server.name == "ns2":
                await asyncio.sleep(3600)
            return await answers(name, rdtype)

        return ask


def test_run_ends_at_its_deadline_with_what_it_has() -> None:
    resolver = SlowServer(ZONE, {"ns1": RIGHT, "ns2": RIGHT})
    report = asyncio.run(check_zone(ZONE, ALL, resolver, deadline_seconds=0.05))
    for record in report.records:
        assert [each.state for each in record.servers] == [RecordState.OK, RecordState.UNREACHABLE]
        assert record.servers[1].reason == "timeout"


def test_many_zones_are_checked_a_few_at_a_time() -> None:
    resolver = FakeResolver(ZONE, {"ns1": RIGHT})
    drawn = 0

    def zones() -> Iterator[tuple[str, list[Wanted]]]:
        nonlocal drawn
        for _number in range(50):
            drawn += 1
            yield ZONE, [MX]

    async def run() -> list[int]:
        return [
            drawn - number
            async for number, _report in _enumerated(check_many(zones(), resolver, at_once=5))
        ]

    ahead = asyncio.run(run())
    assert len(ahead) == 50
    assert max(ahead) <= 5


async def _enumerated(reports):
    number = 0
    async for report in reports:
        yield number, report
        number += 1


# --- hostile answers and storing ----------------------------------------------------------------


def test_what_a_server_says_is_made_for_people() -> None:
    data = with_data(**{DKIM: {"TXT": ["a\x00\x1b[2J\\<b>\xff"]}})
    record = check_one(KEY_WANTED, data)
    assert record.servers[0].seen == ("a\\000\\027[2J\\\\<b>\\255",)


def test_report_of_a_huge_answer_is_small() -> None:
    data = with_data(**{DKIM: {"TXT": ["\x00" * 60_000, *map(str, range(999))]}})
    record = check_one(KEY_WANTED, data)
    assert record.state is RecordState.SEVERAL
    assert len(record.servers[0].seen) + record.servers[0].left_out == 1000
    assert len(json.dumps(ZoneReport(ZONE, ("ns1",), (record,)).to_json())) < 10_000


def test_report_comes_back_from_json() -> None:
    old = with_data(**{DKIM: {"TXT": ["\x00"]}})
    report = check(
        FakeResolver(ZONE, {"ns1": RIGHT, "ns2": old, "ns3": RIGHT}, {"ns3": "lame"}), *ALL
    )
    stored = json.dumps(report.to_json())
    assert stored.isascii()
    assert "\\u" not in stored
    assert ZoneReport.from_json(json.loads(stored)) == report


def test_silence_is_no_absence() -> None:
    assert not Answer(ZONE, "MX", Outcome.UNREACHABLE).is_absent
