"""Anything may stand in the DNS, and anything may come in by SMTP."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

from fakeask import FakeAsk
from hypothesis import given, settings
from hypothesis import strategies as st

from maildns.answers import Answer, Outcome
from maildns.errors import BadRecord, TooManyLookups
from maildns.spf.build import merge_spf
from maildns.spf.count import MAX_COUNTED, count_lookups
from maildns.spf.evaluate import Result, check_host
from maildns.spf.lint import lint_spf
from maildns.spf.rules import effect_of
from maildns.spf.terms import MAX_LOOKUPS

ANY_OCTETS = st.binary(max_size=300).map(lambda octets: octets.decode("latin-1"))
NAMES = ["a.example", "b.example", "c.example", "d.example"]
# Pieces that make terms, nearly terms, and no terms at all.
PIECES = st.sampled_from(
    [
        "v=spf1", " ", " ", "  ", "+", "-", "~", "?", ":", "/", "//", "=", "%", "%{", "}", "%{d}",
        "%{ir}", "%{p}", "%{L0r+-}", "%%", "%_", "%-", "a", "mx", "ptr", "ip4", "ip6", "exists",
        "include", "redirect", "exp", "all", ".", "..", "1.2.3.4", "::1", "0", "24", "999", "\x00",
        "\r\n", "\xff", *NAMES,
    ]
)  # fmt: skip
NEARLY = st.lists(PIECES, max_size=25).map("".join)
TERM = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "+", "-", "~", "?"]),
    st.sampled_from(["include:", "a:", "mx:", "ptr:", "exists:", "exists:%{p}.", "a:%{l1r-}."]),
    st.sampled_from(NAMES),
    st.sampled_from(["", "", "", "/0", "//0"]),
)
RECORD = st.builds(
    "v=spf1 {} {}".format,
    st.lists(TERM, max_size=8).map(" ".join),
    st.sampled_from(["", "-all", "redirect=a.example", "redirect=b.example exp=c.example"]),
)
TEXT = st.one_of(ANY_OCTETS, NEARLY, NEARLY.map("v=spf1 {}".format), RECORD)
VALUES = {
    "TXT": TEXT,
    "A": st.one_of(st.just("192.0.2.1"), ANY_OCTETS),
    "AAAA": st.one_of(st.just("2001:db8::1"), ANY_OCTETS),
    "MX": st.one_of(st.sampled_from(NAMES).map("10 {}".format), ANY_OCTETS),
    "PTR": st.one_of(st.sampled_from(NAMES), ANY_OCTETS),
}
ADDRESSES = st.sampled_from(["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0"])


class AnyAsk:
    """A world that answers what it likes, but counts."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.questions = 0

    async def __call__(self, name: str, rdtype: str) -> Answer:
        self.questions += 1
        assert len(name) <= 253 and name.isascii()
        outcome = self.data.draw(st.sampled_from(Outcome))
        if outcome is not Outcome.FOUND:
            return Answer(name, rdtype, outcome)
        values = self.data.draw(st.lists(VALUES[rdtype], min_size=1, max_size=3))
        return Answer(name, rdtype, outcome, tuple(values))


@settings(max_examples=200, deadline=None)
@given(st.data(), ADDRESSES, st.sampled_from(NAMES), st.text(max_size=40), st.text(max_size=40))
def test_check_always_ends_in_a_result(
    data: st.DataObject, address: str, domain: str, local_part: str, helo: str
) -> None:
    ask = AnyAsk(data)
    outcome = asyncio.run(
        check_host(ip_address(address), domain, f"{local_part}@{domain}", helo=helo, ask=ask)
    )
    assert outcome.result in Result
    assert bool(outcome.problem) == (
        outcome.result in (Result.NONE, Result.TEMPERROR, Result.PERMERROR)
    )
    assert outcome.lookups_used <= MAX_LOOKUPS
    # Each term may ask for ten hosts, and again ten for a %{p} in it; exp is one more.
    assert ask.questions <= 2 + (MAX_LOOKUPS + 2) * 22


@settings(max_examples=200, deadline=None)
@given(RECORD, RECORD, RECORD, st.sampled_from(NAMES))
def test_records_that_include_each_other_end(a: str, b: str, c: str, domain: str) -> None:
    ask = FakeAsk({name: {"TXT": [text]} for name, text in zip(NAMES, (a, b, c), strict=False)})
    sender = f"x@{domain}"
    check = check_host(ip_address("192.0.2.1"), domain, sender, helo=domain, ask=ask)
    assert asyncio.run(check).lookups_used <= MAX_LOOKUPS
    count = asyncio.run(count_lookups(domain, ask))
    assert count.void_lookups <= count.lookups <= MAX_COUNTED


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT, max_size=3))
def test_linter_takes_anything(texts: list[str]) -> None:
    for found in lint_spf(texts):
        assert effect_of(found)
        assert found.rfc.startswith("7208 ")


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_merging_takes_anything(text: str) -> None:
    try:
        merged = merge_spf(text, "_spf.provider.example")
    except (BadRecord, TooManyLookups):
        return
    assert merge_spf(merged, "_spf.provider.example") == merged


@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from(NAMES), TEXT)
def test_counting_takes_anything(data: st.DataObject, domain: str, text: str) -> None:
    count = asyncio.run(count_lookups(domain, AnyAsk(data), text=text))
    assert all(effect_of(found) for found in count.findings)


def test_thousand_terms_are_read_quickly() -> None:
    words = " ".join(f"ip4:10.{n // 250}.{n % 250}.0/24" for n in range(1000))
    ask = FakeAsk({"a.example": {"TXT": [f"v=spf1 {words} -all"]}})
    outcome = asyncio.run(
        check_host(ip_address("10.3.249.9"), "a.example", "x@a.example", helo="h", ask=ask)
    )
    assert (outcome.result, outcome.term) == (Result.PASS, "ip4:10.3.249.0/24")
    assert len(lint_spf([f"v=spf1 {words} -all"])) == 1001


def test_one_term_of_64_kilobytes_is_read_quickly() -> None:
    for part in ("a", "1", ".", "a.", "%{d}", "%{", "/", "//1", "-", "%{d" + "." * 9 + "}", "+"):
        for name in ("a:", "exists:", "x=", "ip4:", "ip6:", "", "a"):
            lint_spf([f"v=spf1 {name}{part * (65_000 // len(part))} -all"])
