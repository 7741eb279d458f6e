"""MX records, ours and foreign ones (RFC 5321, 5.1; RFC 7505)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns.answers import Answer, Outcome
from maildns.errors import BadRecord
from maildns.mx import check_mx, lint_mx, mx_records, null_mx, parse_mx
from maildns.records import Record

OUR_HOST = "mx1.panel.example"
Zones = dict[tuple[str, str], Answer]


def found(
    name: str, rdtype: str, *values: str, ttl: int = 300, aliases: tuple[str, ...] = ()
) -> Zones:
    return {(name, rdtype): Answer(name, rdtype, Outcome.FOUND, values, ttl, aliases)}


def failing(name: str, rdtype: str) -> Zones:
    return {(name, rdtype): Answer(name, rdtype, Outcome.UNREACHABLE, reason="servfail")}


def checked(zones: Zones, zone: str = "example.com", **options: object) -> list[str]:
    async def ask(name: str, rdtype: str) -> Answer:
        return zones.get((name, rdtype), Answer(name, rdtype, Outcome.NO_NAME))

    return [finding.code for finding in asyncio.run(check_mx(zone, ask, **options))]  # type: ignore[arg-type]


def codes(*values: str, ours: tuple[str, ...] = ()) -> list[str]:
    return [finding.code for finding in lint_mx(values, ours=ours)]


# --- making -------------------------------------------------------------------------------------


def test_hosts_are_preferred_in_their_order() -> None:
    assert mx_records("example.com", [OUR_HOST, "mx2.panel.example"]) == (
        Record("example.com", "MX", "10 mx1.panel.example"),
        Record("example.com", "MX", "20 mx2.panel.example"),
    )


def test_null_mx_is_one_dot() -> None:
    assert null_mx("example.com").zone_line() == "example.com. 3600 IN MX 0 ."


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "192.0.2.1.", "[192.0.2.1]", "2001:db8::1", ".", "", "mx", "mx.example.com.", "mx_1.example.com", "MX.example.com", "mx..example.com", "müller.example", "mx.example.com\n", "mx.example.1"],
)  # fmt: skip
def test_what_is_no_host_gets_no_record(host: str) -> None:
    with pytest.raises(BadRecord):
        mx_records("example.com", [host])


def test_a_zone_without_hosts_wants_a_null_mx_said_aloud() -> None:
    with pytest.raises(BadRecord):
        mx_records("example.com", [])


# --- reading ------------------------------------------------------------------------------------


def test_values_are_read_as_a_server_or_a_hoster_shows_them() -> None:
    assert parse_mx("10 mail.example") == (10, "mail.example")
    assert parse_mx(" 0   Mail.Example. ") == (0, "mail.example")
    assert parse_mx("0 .") == (0, ".")


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["10 mx1.panel.example"], []),
        (["10 mx1.panel.example", "20 mx2.panel.example"], []),
        (["0 ."], ["null_mx"]),
        (["10 ."], ["null_mx", "null_mx_preference"]),
        (["0 .", "10 mx1.panel.example"], ["null_mx_mixed"]),
        (["10 192.0.2.1"], ["address"]),
        (["10 192.0.2.1."], ["address"]),
        (["10 [192.0.2.1]"], ["address"]),
        (["10 2001:db8::1"], ["address"]),
        (["10 mx_1.example"], ["bad_host"]),
        (["10 mail"], ["bad_host"]),
        (["mail.example"], ["syntax"]),
        (["65536 mail.example"], ["syntax"]),
        (["99999999999999999999 mail.example"], ["syntax"]),
        (["-1 mail.example"], ["syntax"]),
        (["² mail.example"], ["syntax"]),
        (["10"], ["syntax"]),
        ([], []),
    ],
)
def test_fault_of_a_foreign_record_is_named(values: list[str], wanted: list[str]) -> None:
    assert codes(*values) == wanted


def test_left_over_hosts_split_the_mail() -> None:
    assert codes("10 mx1.panel.example", "20 mx.old.example", ours=(OUR_HOST,)) == ["foreign_host"]
    assert codes("10 MX1.panel.example", ours=(OUR_HOST,)) == []


@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_text_brings_findings_or_none(values: list[str]) -> None:
    assert all(finding.rfc for finding in lint_mx(values))


# --- asking -------------------------------------------------------------------------------------

GOOD = found("example.com", "MX", f"10 {OUR_HOST}") | found(OUR_HOST, "A", "192.0.2.1")


def test_host_with_an_address_is_good() -> None:
    assert checked(GOOD) == []
    assert checked(GOOD | found(OUR_HOST, "AAAA", "2001:db8::1"), ours=(OUR_HOST,)) == []


@pytest.mark.parametrize(
    ("zones", "wanted"),
    [
        (GOOD | found(OUR_HOST, "A", "192.0.2.1", aliases=("x.example",)), ["alias"]),
        (found("example.com", "MX", f"10 {OUR_HOST}"), ["no_address"]),
        (found("example.com", "MX", f"10 {OUR_HOST}") | found(OUR_HOST, "AAAA", "2001:db8::1"), ["only_ipv6"]),
        (found("example.com", "A", "192.0.2.80"), ["implicit_mx"]),
        (found("example.com", "AAAA", "2001:db8::80"), ["implicit_mx"]),
        ({}, ["no_mx"]),
        (found("example.com", "MX", "10 example.com") | found("example.com", "A", "192.0.2.80"), ["apex_host"]),
        (GOOD | found("example.com", "MX", f"10 {OUR_HOST}", ttl=172_800), ["long_ttl"]),
        (found("example.com", "MX", "0 ."), ["null_mx"]),
        (failing("example.com", "MX"), ["dns_error"]),
        (GOOD | failing(OUR_HOST, "A"), ["dns_error"]),
        (failing("example.com", "A"), ["dns_error"]),
    ],
)  # fmt: skip
def test_hosts_are_looked_at(zones: Zones, wanted: list[str]) -> None:
    assert checked(zones) == wanted
