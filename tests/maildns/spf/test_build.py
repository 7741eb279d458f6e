from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network

import pytest
from fakeask import FakeAsk
from hypothesis import given, settings
from hypothesis import strategies as st

from maildns.errors import BadRecord, BadTerm, TooManyLookups
from maildns.records import parse_zone_line
from maildns.spf import build
from maildns.spf.evaluate import Result, check_host
from maildns.spf.terms import MAX_OCTETS

OURS = "_spf.provider.example"


def networks(*texts: str):
    return [ip_network(text) for text in texts]


def merged(existing: str) -> str:
    return build.merge_spf(existing, OURS)


# --- making -------------------------------------------------------------------------------------


def test_sending_domain_includes_its_provider() -> None:
    record = build.spf_record("example.com", includes=[OURS])
    assert (record.name, record.type) == ("example.com", "TXT")
    assert record.value == f"v=spf1 include:{OURS} ~all"
    assert parse_zone_line(record.zone_line()) == record


def test_what_costs_no_lookup_comes_first() -> None:
    record = build.spf_record(
        "example.com",
        includes=[OURS, "other.example", OURS],
        networks=networks("192.0.2.1/32", "2001:db8::/48"),
        mechanisms=["mx", "?a:old.example.com"],
        all_qualifier="-",
    )
    assert record.value == (
        "v=spf1 ip4:192.0.2.1 ip6:2001:db8::/48 mx ?a:old.example.com "
        f"include:{OURS} include:other.example -all"
    )


def test_ten_includes_are_the_limit() -> None:
    names = [f"n{n}.example" for n in range(11)]
    assert build.spf_record("example.com", includes=names[:10]).value.count("include:") == 10
    with pytest.raises(TooManyLookups) as caught:
        build.spf_record("example.com", includes=names)
    assert caught.value.lookups == 11


@pytest.mark.parametrize(
    "options",
    [
        {"all_qualifier": "+"}, {"all_qualifier": ""}, {"all_qualifier": "-~"},
        {"mechanisms": ["all"]}, {"mechanisms": ["-all"]}, {"mechanisms": ["redirect=a.example"]},
        {"mechanisms": ["mx a"]}, {"mechanisms": ["foo"]}, {"mechanisms": [""]},
        {"includes": [""]}, {"includes": ["a b.example"]}, {"includes": ["localhost"]},
        {"includes": ["%{d}.example"]}, {"includes": ["a.example +all"]}, {"includes": ["1.2.3.4"]},
    ],
)  # fmt: skip
def test_nothing_broken_is_made(options: dict) -> None:
    with pytest.raises(BadRecord):
        build.spf_record("example.com", **options)


def test_host_and_parked_domain_have_records() -> None:
    assert build.helo_record("mx1.example.com").value == "v=spf1 a -all"
    assert build.parked_record("example.com").value == "v=spf1 -all"


def test_provider_lists_networks_only() -> None:
    given = networks("192.0.2.128/25", "2001:db8::25/128", "192.0.2.0/25", "198.51.100.7/32")
    (record,) = build.provider_record(OURS, given)
    assert record.value == "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.7 ip6:2001:db8::25 -all"
    assert build.provider_record(OURS, given[::-1]) == (record,)
    assert build.provider_record(OURS, [])[0].value == "v=spf1 -all"


def test_long_provider_record_goes_on_under_further_names() -> None:
    addresses = [f"192.0.2.{n}" for n in range(0, 120, 2)]
    records = build.provider_record(OURS, networks(*addresses))
    assert [record.name for record in records] == [OURS, *(f"{n}.{OURS}" for n in range(2, 4))]
    assert all(len(record.value) <= MAX_OCTETS for record in records)
    ask = FakeAsk({record.name: {"TXT": [record.value]} for record in records})
    for address in addresses:
        outcome = check(address, OURS, ask)
        assert outcome.result is Result.PASS
        assert outcome.lookups_used < len(records)
    assert check("192.0.2.1", OURS, ask).result is Result.FAIL


def test_provider_with_too_many_networks_is_refused() -> None:
    with pytest.raises(TooManyLookups):
        build.provider_record(OURS, networks(*(f"192.{n % 2}.{n // 2}.1" for n in range(400))))


def check(address: str, domain: str, ask: FakeAsk):
    return asyncio.run(
        check_host(ip_address(address), domain, f"a@{domain}", helo="mx.example", ask=ask)
    )


# --- merging ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("existing", "wanted"),
    [
        # Before `all`, whose qualifier stays.
        ("v=spf1 include:g.example ~all", "v=spf1 include:g.example {} ~all"),
        ("v=spf1 mx -all", "v=spf1 mx {} -all"),
        ("v=spf1 ?all", "v=spf1 {} ?all"),
        ("V=SPF1  A:Mail.Example.com   -ALL ", "v=spf1 A:Mail.Example.com {} -ALL"),
        # Without `all` the result stays neutral for the rest.
        ("v=spf1", "v=spf1 {}"),
        ("v=spf1 mx", "v=spf1 mx {}"),
        # A redirect is read last wherever it stands, and an `all` would end it.
        ("v=spf1 redirect=r.example", "v=spf1 {} redirect=r.example"),
        ("v=spf1 redirect=r.example mx", "v=spf1 redirect=r.example mx {}"),
        ("v=spf1 mx redirect=r.example -all", "v=spf1 mx redirect=r.example {} -all"),
        # Other modifiers stay where they are.
        ("v=spf1 mx exp=e.example x=y -all", "v=spf1 mx exp=e.example x=y {} -all"),
        ("v=spf1 mx -all exp=e.example", "v=spf1 mx {} -all exp=e.example"),
        # Ours that has no effect is moved.
        ("v=spf1 mx -all {}", "v=spf1 mx {} -all"),
        ("v=spf1 ?{} mx -all", "v=spf1 mx {} -all"),
        ("v=spf1 ~{} {} -all", "v=spf1 {} -all"),
        # His refusals come first, as they did.
        ("v=spf1 -ip4:192.0.2.1 ~all", "v=spf1 -ip4:192.0.2.1 {} ~all"),
    ],
)
def test_include_is_merged_into_the_record(existing: str, wanted: str) -> None:
    ours = f"include:{OURS}"
    assert merged(existing.replace("{}", ours)) == wanted.replace("{}", ours)


@pytest.mark.parametrize(
    "existing",
    [
        f"v=spf1 include:{OURS} -all",
        f"V=spf1  +INCLUDE:{OURS.upper()}.  ~all ",
        f"v=spf1 redirect={OURS}",
        f"v=spf1 mx redirect={OURS}",
    ],
)
def test_record_that_lets_us_send_stays_as_it_is(existing: str) -> None:
    assert merged(existing) == existing


def test_redirect_behind_all_does_not_let_us_send() -> None:
    assert merged(f"v=spf1 -all redirect={OURS}") == (f"v=spf1 include:{OURS} -all redirect={OURS}")


def test_only_what_is_certain_is_too_many() -> None:
    nine = "v=spf1" + " mx" * 9
    assert merged(f"{nine} ~all").count(OURS) == 1
    assert merged(f"{nine} ip4:192.0.2.1 exp=e.example -all include:x.example") != ""
    with pytest.raises(TooManyLookups) as caught:
        merged(f"{nine} redirect=r.example")
    assert caught.value.lookups == 11
    with pytest.raises(TooManyLookups):
        merged(f"{nine} mx mx include:{OURS} ~all")


@pytest.mark.parametrize("existing", ["", "v=spf10 -all", " v=spf1 -all", "v=spf1 foo -all"])
def test_void_record_is_not_merged_into(existing: str) -> None:
    with pytest.raises(BadTerm):
        merged(existing)


@pytest.mark.parametrize("name", ["", "x", "a b.example", "a.example -all", "%{d}.a.example"])
def test_only_a_name_is_included(name: str) -> None:
    with pytest.raises(BadRecord):
        build.merge_spf("v=spf1 -all", name)


TERMS = st.sampled_from(
    [
        "ip4:192.0.2.1", "-ip4:192.0.2.2", "~ip4:192.0.2.3", "?ip4:192.0.2.4", "a:amy.example",
        f"?include:{OURS}", f"-include:{OURS}", f"include:{OURS}", "x=y", "mx:absent.example",
        "all", "-all", "~all", "?all",
    ]
)  # fmt: skip
REDIRECTS = st.sampled_from(["", "redirect=r.example", f"redirect={OURS}"])
ZONES = {
    OURS: {"TXT": ["v=spf1 ip4:192.0.2.1 ip4:192.0.2.2 ip4:198.51.100.0/24 -all"]},
    "r.example": {"TXT": ["v=spf1 ip4:203.0.113.0/24 ~all"]},
    "amy.example": {"A": ["192.0.2.5"]},
}
LET_SEND = {"192.0.2.1", "192.0.2.2", "198.51.100.1"}
ADDRESSES = [*LET_SEND, "192.0.2.3", "192.0.2.4", "192.0.2.5", "203.0.113.1", "2001:db8::1"]


@settings(max_examples=150, deadline=None)
@given(st.lists(TERMS, max_size=6), REDIRECTS, st.integers(0, 6))
def test_merging_lets_us_send_and_changes_nothing_else(
    terms: list[str], redirect: str, place: int
) -> None:
    terms.insert(place, redirect)
    existing = " ".join(["v=spf1", *terms])
    after = merged(existing)
    assert merged(after) == after
    if after == existing:
        return  # he lets us send already, in the order he likes
    others = " ".join(word for word in existing.split(" ") if f"include:{OURS}" not in word)
    ask = FakeAsk(ZONES | {"old.example": {"TXT": [others]}, "new.example": {"TXT": [after]}})
    for address in ADDRESSES:
        old, new = check(address, "old.example", ask), check(address, "new.example", ask)
        is_open = old.term in ("", "all", "-all", "~all", "?all") or old.where != "old.example"
        expected = Result.PASS if address in LET_SEND and is_open else old.result
        assert new.result is expected
