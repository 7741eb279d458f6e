from __future__ import annotations

import asyncio

import pytest
from fakeask import FakeAsk
from openspf import suite_cases

from maildns.errors import BadTerm
from maildns.findings import Finding, Severity
from maildns.spf.count import LookupCount, count_lookups
from maildns.spf.lint import lint_spf
from maildns.spf.rules import Effect, effect_of
from maildns.spf.terms import MAX_LOOKUPS, parse_record, spf_values

FINE = "v=spf1 include:_spf.provider.example -all"


def said(*texts: str) -> list[tuple[str, str]]:
    return [(found.code.removeprefix("spf_"), found.where) for found in lint_spf(texts)]


def is_void(*texts: str) -> bool:
    return any(effect_of(found) is Effect.VOID for found in lint_spf(texts))


# --- one record, nobody asked -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        FINE, "v=spf1 -all", "V=SPF1 -ALL", "v=spf1 ip4:8.8.8.0/24 mx a:mail.a.example ~all",
        "v=spf1 redirect=_spf.a.example", "v=spf1 -all exp=e.a.example",
        "v=spf1 exists:%{i}._spf.%{d} ?ip4:8.0.0.0/8 -all",
    ],
)  # fmt: skip
def test_sound_record_has_no_findings(text: str) -> None:
    assert said("site-verification=x", text, "\xff\xfe") == []


@pytest.mark.parametrize(
    ("text", "reason", "where"),
    [
        ("v=spf1 a:mail..example.com:1 -all", "bad_domain", "a:mail..example.com:1"),
        ("v=spf1 ip4:8.8.8.8-all", "bad_address", "ip4:8.8.8.8-all"),
        ("v=spf1 a:8.8.8.8 -all", "address_as_name", "a:8.8.8.8"),
        ("v=spf1 include:8.8.8.8/24 -all", "address_as_name", "include:8.8.8.8/24"),
        ("v=spf1 ip4:8.8.8.8/33 -all", "bad_prefix_length", "ip4:8.8.8.8/33"),
        ("v=spf1 ip6:2a00::1/129 -all", "bad_prefix_length", "ip6:2a00::1/129"),
        ("v=spf1 exists:%{i}.x/24 -all", "bad_domain", "exists:%{i}.x/24"),
        ("v=spf1 ipv4:8.8.8.8 -all", "unknown_mechanism", "ipv4:8.8.8.8"),
        ("v=spf1 redirect=a.example redirect=b.example", "modifier_twice", "redirect=b.example"),
        ("v=spf1 include:a.example,b.example\xa0-all", "bad_character", "include:a.example,b.example\xa0-all"),
        ("v=spf1" + " a" * 11 + " -all", "too_many_lookups", ""),
        ("v=spf1 +all", "pass_all", "+all"),
        ("v=spf1 ALL", "pass_all", "ALL"),
        ("v=spf1 ip4:0.0.0.0/0 -all", "pass_all", "ip4:0.0.0.0/0"),
        ("v=spf1 mx ?all", "neutral_all", "?all"),
        ("v=spf1 mx", "no_all", ""),
        ("v=spf1 -all mx", "after_all", "mx"),
        ("v=spf1 -all ~all", "after_all", "~all"),
        ("v=spf1 redirect=a.example -all", "redirect_and_all", "redirect=a.example"),
        ("v=spf1 include=a.example -all", "mechanism_as_modifier", "include=a.example"),
        ("v=spf1 ip4=8.8.8.8 -all", "mechanism_as_modifier", "ip4=8.8.8.8"),
        ("v=spf1 ra=postmaster -all", "unknown_modifier", "ra=postmaster"),
        ("v=spf1 ptr -all", "ptr", "ptr"),
        ("v=spf1 exists:%{p}.a.example -all", "p_macro", "exists:%{p}.a.example"),
        ("v=spf1 ip4:8.0.0.0/8 -all", "wide_network", "ip4:8.0.0.0/8"),
        ("v=spf1 a/8 -all", "wide_network", "a/8"),
        ("v=spf1 ip6:2a00::/16 -all", "wide_network", "ip6:2a00::/16"),
        ("v=spf1 ip4:10.1.0.0/16 -all", "private_network", "ip4:10.1.0.0/16"),
        ("v=spf1 ip6:fd00::1 -all", "private_network", "ip6:fd00::1"),
        ("v=spf1 ip4:8.8.8.8/24 -all", "host_bits", "ip4:8.8.8.8/24"),
        ("v=spf1 MX +mx -all", "twice", "mx"),
    ],
)  # fmt: skip
def test_finding_names_the_term(text: str, reason: str, where: str) -> None:
    assert (reason, where) in said(text)


def test_long_record_is_found() -> None:
    text = "v=spf1 " + " ".join(f"ip4:8.8.{n}.8" for n in range(40)) + " -all"
    assert said(text) == [("too_long", text)]


def test_all_errors_of_a_record_are_found() -> None:
    assert said("v=spf1 foo ip4:8.8 a:x ptr") == [
        ("unknown_mechanism", "foo"),
        ("bad_address", "ip4:8.8"),
        ("bad_domain", "a:x"),
        ("ptr", "ptr"),
    ]


def test_second_record_is_an_error() -> None:
    assert said(FINE, "v=spf1 -all") == [("several_records", "v=spf1 -all")]
    assert is_void(FINE, FINE)


@pytest.mark.parametrize(
    "text",
    [
        "v=spf10 -all", " v=spf1 -all", '"v=spf1 -all"', "v=spf1,mx", "v=spf1mx -all", "spf1 mx",
        "v=spf2 mx", "v = spf1 mx", "v=spf-1 mx", "v=spf1\tmx",
    ],
)  # fmt: skip
def test_what_is_meant_as_a_record_and_is_none_is_found(text: str) -> None:
    assert said(text) == [("near_miss", text), ("no_record", "")]
    assert said(text, FINE) == [("near_miss", text)]


def test_name_without_a_record_is_unprotected() -> None:
    (found,) = lint_spf(["spf is nice"])
    assert found == Finding("spf_no_record", "", "7208 4.5", Severity.WARNING)
    assert effect_of(found) is Effect.UNPROTECTED


def test_sender_id_is_only_noted() -> None:
    assert said("spf2.0/pra -all", FINE) == [("sender_id", "spf2.0/pra -all")]


def test_finding_carries_its_section() -> None:
    (found,) = lint_spf(["v=spf1 ip4:8.8.8.8/33 -all"])
    assert (found.rfc, found.severity) == ("7208 5.6", Severity.ERROR)
    assert effect_of(found) is Effect.VOID


@pytest.mark.parametrize("case", [*suite_cases()] or [None])
def test_linter_agrees_with_the_evaluator_on_the_public_suite(case) -> None:
    zones = case.ask.zones if case else {}
    for records in zones.values():
        texts = records.get("TXT", [])
        assert is_void(*texts) == _is_void_by_itself(texts)


def _is_void_by_itself(texts: list[str]) -> bool:
    values = spf_values(texts)
    try:
        records = [parse_record(text) for text in values]
    except BadTerm:
        return True
    return len(values) > 1 or any(record.lookups > MAX_LOOKUPS for record in records)


# --- with what it includes ----------------------------------------------------------------------

ZONES = {
    "example.com": {"TXT": ["v=spf1 a mx include:_spf.a.example ip4:8.8.8.8 -all"], "A": ["8.8.8.8"], "MX": ["10 example.com"]},
    "_spf.a.example": {"TXT": ["v=spf1 include:b.example redirect=c.example"]},
    "b.example": {"TXT": ["v=spf1 ip4:8.8.4.4 ~all"]},
    "c.example": {"TXT": ["v=spf1 a:six.example exists:%{i}.c.example ptr -all"]},
    "six.example": {"AAAA": ["2a00::1"]},
    "broken.example": {"TXT": ["v=spf1 foo"]},
    "twice.example": {"TXT": ["v=spf1 -all", "v=spf1 ~all"]},
    "loop.example": {"TXT": ["v=spf1 include:pool.example -all"]},
    "pool.example": {"TXT": ["v=spf1 redirect=loop.example"]},
    "wide.example": {"TXT": ["v=spf1" + " include:wide2.example" * 9 + " -all"]},
    "wide2.example": {"TXT": ["v=spf1" + " include:wide3.example" * 9 + " -all"]},
    "wide3.example": {"TXT": ["v=spf1" + " mx:b.example" * 9 + " -all"]},
    "many-mx.example": {"MX": [f"{n} b.example" for n in range(11)]},
}  # fmt: skip


def counted(text: str | None = None, domain: str = "example.com", **options) -> LookupCount:
    return asyncio.run(
        count_lookups(domain, FakeAsk(ZONES, ["silent.example"]), text=text, **options)
    )


def test_lookups_of_included_records_count() -> None:
    count = counted()
    assert (count.lookups, count.void_lookups) == (8, 0)
    assert [(found.code, found.where) for found in count.findings] == [
        ("spf_not_followed", "c.example: exists:%{i}.c.example")
    ]


def test_record_is_counted_before_it_is_published() -> None:
    assert counted("v=spf1 include:b.example mx -all").lookups == 2
    assert counted("v=spf1 ip4:8.8.8.8 exp=b.example -all mx").lookups == 0


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("v=spf1 include:absent.example -all", "include_without_record", "include:absent.example"),
        ("v=spf1 include:a..b -all", "include_without_record", "include:a..b"),
        ("v=spf1 redirect=absent.example", "redirect_without_record", "redirect=absent.example"),
        ("v=spf1 include:broken.example -all", "unknown_mechanism", "broken.example: foo"),
        ("v=spf1 include:twice.example -all", "several_records", "twice.example"),
        ("v=spf1 include:silent.example -all", "unreachable", "silent.example"),
        ("v=spf1 a:silent.example -all", "unreachable", "a:silent.example"),
        ("v=spf1 include:%{d}.example -all", "not_followed", "include:%{d}.example"),
        ("v=spf1 include:example.com -all", "loop", "include:example.com"),
        ("v=spf1 include:loop.example -all", "loop", "pool.example: redirect=loop.example"),
        ("v=spf1 a:absent.example -all", "void_lookup", "a:absent.example"),
        ("v=spf1 mx:b.example -all", "void_lookup", "mx:b.example"),
        ("v=spf1 a:a.absent a:b.absent mx:c.absent -all", "too_many_void_lookups", ""),
        ("v=spf1 mx:many-mx.example -all", "too_many_mx", "mx:many-mx.example"),
        ("v=spf1 foo -all", "unknown_mechanism", "foo"),
        ("v=spf1" + " include:b.example" * 11 + " -all", "too_many_lookups", ""),
    ],
)  # fmt: skip
def test_trouble_below_is_found(text: str, code: str, where: str) -> None:
    assert (f"spf_{code}", where) in {(found.code, found.where) for found in counted(text).findings}


def test_counting_ends() -> None:
    assert counted(domain="wide.example").lookups == 30
    assert counted("v=spf1" + " mx" * 1000 + " -all").lookups == 30
    assert counted(domain="loop.example").lookups == 2


def test_silence_is_no_absence() -> None:
    count = counted(domain="silent.example")
    assert [found.code for found in count.findings] == ["spf_unreachable"]
    count = counted(domain="absent.example")
    assert [found.code for found in count.findings] == ["spf_no_record"]


def test_counting_keeps_its_deadline() -> None:
    async def never(name: str, rdtype: str):
        await asyncio.sleep(3600)

    count = asyncio.run(count_lookups("example.com", never, deadline_seconds=0.02))
    assert [found.code for found in count.findings] == ["spf_deadline"]
