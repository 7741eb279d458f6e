"""Names of sending addresses: PTR, the way back, HELO (RFC 1912, 2.1; RFC 8601, 3)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns.answers import Answer, Outcome
from maildns.errors import BadRecord
from maildns.ptr import check_ptr, lint_helo, looks_generic, ptr_record, reverse_name
from maildns.records import parse_zone_line

HOST = "mail.panel.example"
REVERSE = "1.2.0.192.in-addr.arpa"
Zones = dict[tuple[str, str], tuple[str, ...] | None]
GOOD: Zones = {(REVERSE, "PTR"): (HOST,), (HOST, "A"): ("192.0.2.1",)}


def checked(
    zones: Zones, address: str = "192.0.2.1", helo: str = HOST, **options: object
) -> list[str]:
    """None stands for a name server that does not answer."""

    async def ask(name: str, rdtype: str) -> Answer:
        values = zones.get((name, rdtype), ())
        if values is None:
            return Answer(name, rdtype, Outcome.UNREACHABLE, reason="timeout")
        return Answer(name, rdtype, Outcome.FOUND if values else Outcome.NO_NAME, values)

    return [finding.code for finding in asyncio.run(check_ptr(address, helo, ask, **options))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "1.2.0.192.in-addr.arpa"),
        (
            "2001:db8::567:89ab",
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        ),
    ],
)
def test_reverse_name_and_wanted_record(address: str, name: str) -> None:
    assert reverse_name(address) == name
    record = ptr_record(address, HOST)
    assert (record.name, record.type, record.value) == (name, "PTR", HOST)
    assert parse_zone_line(record.zone_line()) == record


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("192.0.2.256", HOST),
        ("x", HOST),
        ("", HOST),
        ("192.0.2.0/24", HOST),
        ("192.0.2.1", "mail"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_what_is_no_address_or_no_host_gets_no_record(address: str, host: str) -> None:
    with pytest.raises(BadRecord):
        ptr_record(address, host)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("mail.panel.example", []), ("MAIL.Panel.Example", []), ("mail", ["helo_not_full"]), ("localhost", ["helo_local"]),
        ("localhost.localdomain", ["helo_local"]), ("nas.local", ["helo_local"]), ("192.0.2.1", ["helo_address"]), ("[192.0.2.1]", ["helo_address"]),
        ("[IPv6:2001:db8::1]", ["helo_address"]), ("mail_1.panel.example", ["helo_bad_name"]), ("", ["helo_not_full"]), ("a..b", ["helo_bad_name"]),
    ],
)  # fmt: skip
def test_helo_is_a_full_name(name: str, codes: list[str]) -> None:
    assert [finding.code for finding in lint_helo(name)] == codes


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ip-192-0-2-1.provider.example", "192.0.2.1"), ("static.1.2.0.192.clients.provider.example", "192.0.2.1"), ("192.0.2.1.provider.example", "192.0.2.1"),
        ("host192000002001.provider.example", "192.0.2.1"), ("c0000201.provider.example", "192.0.2.1"), ("x-192-000-002-001.provider.example", "192.0.2.1"),
        ("dyn.provider.example", "192.0.2.1"), ("vdsl7.provider.example", "192.0.2.1"), ("pool-3.provider.example", "192.0.2.1"), ("DHCP.provider.example", "192.0.2.1"),
        ("2001-db8--1.provider.example", "2001:db8::1"), ("2001-0db8-0000-0000-0000-0000-0000-0001.provider.example", "2001:db8::1"),
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.provider.example", "2001:db8::1"),
    ],
)  # fmt: skip
def test_names_given_to_every_address_are_known(name: str, address: str) -> None:
    assert looks_generic(name, address)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("mail.panel.example", "192.0.2.1"), ("mx1.panel.example", "192.0.2.1"), ("mail192.panel.example", "192.0.2.1"), ("dynamo.example", "192.0.2.1"),
        ("carpool.example", "192.0.2.1"), ("mail.panel.example", "2001:db8::1"), ("ip-192-0-2-2.provider.example", "192.0.2.1"), ("cafe.example", "2001:db8::1"),
    ],
)  # fmt: skip
def test_chosen_names_are_not_taken_for_given_ones(name: str, address: str) -> None:
    assert not looks_generic(name, address)


def test_name_that_leads_back_is_good() -> None:
    assert checked(GOOD) == []
    assert checked(GOOD, helo="MAIL.panel.example") == []
    assert (
        checked(
            {(REVERSE, "PTR"): ("Mail.Panel.Example",), (HOST, "A"): ("192.0.2.9", "192.0.2.1")}
        )
        == []
    )


def test_name_of_an_ipv6_address_leads_back_in_any_spelling() -> None:
    reverse = reverse_name("2001:db8::1")
    zones: Zones = {(reverse, "PTR"): (HOST,), (HOST, "AAAA"): ("2001:db8:0::1",)}
    assert checked(zones, "2001:db8::1") == []
    assert checked(GOOD, "2001:db8::1") == ["no_ptr"]


@pytest.mark.parametrize(
    ("zones", "wanted"),
    [
        ({}, ["no_ptr"]),
        ({(REVERSE, "PTR"): (HOST,)}, ["not_confirmed"]),
        ({(REVERSE, "PTR"): (HOST,), (HOST, "A"): ("192.0.2.2",)}, ["not_confirmed"]),
        (GOOD | {(REVERSE, "PTR"): ("other.example", HOST)}, ["several"]),
        ({(REVERSE, "PTR"): None}, ["dns_error"]),
        (GOOD | {(HOST, "A"): None}, ["dns_error"]),
        (GOOD | {(REVERSE, "PTR"): ("mx.panel.example",), ("mx.panel.example", "A"): ("192.0.2.1",)}, ["helo_differs"]),
        ({(REVERSE, "PTR"): ("mx.panel.example",), ("mx.panel.example", "A"): ("192.0.2.1",)}, ["helo_differs", "helo_elsewhere"]),
        ({(REVERSE, "PTR"): ("mx.panel.example",), ("mx.panel.example", "A"): ("192.0.2.1",), (HOST, "A"): None}, ["helo_differs", "dns_error"]),
        ({(REVERSE, "PTR"): ("ip-192-0-2-1.provider.example",), ("ip-192-0-2-1.provider.example", "A"): ("192.0.2.1",), (HOST, "A"): ("192.0.2.1",)}, ["generic", "helo_differs"]),
    ],
)  # fmt: skip
def test_fault_of_a_name_is_told(zones: Zones, wanted: list[str]) -> None:
    assert checked(zones) == wanted


def test_delegated_reverse_name_is_followed() -> None:
    """RFC 2317: the PTR record may stand behind an alias."""

    async def ask(name: str, rdtype: str) -> Answer:
        aliases = ("1.0-25.2.0.192.in-addr.arpa",) if rdtype == "PTR" else ()
        return Answer(
            name,
            rdtype,
            Outcome.FOUND,
            (HOST if rdtype == "PTR" else "192.0.2.1",),
            aliases=aliases,
        )

    assert asyncio.run(check_ptr("192.0.2.1", HOST, ask)) == ()


def test_name_of_one_tenant_is_not_for_a_shared_address() -> None:
    assert checked(GOOD, tenant_zones=("panel.example",)) == ["tenant_name"]
    assert checked(GOOD, tenant_zones=("el.example",)) == []


def test_helo_that_is_no_name_is_told_besides() -> None:
    assert checked(GOOD, helo="mail") == ["helo_not_full", "helo_differs"]


@given(st.text(max_size=60), st.ip_addresses())
def test_any_text_is_a_name_or_not(name: str, address: object) -> None:
    looks_generic(name, str(address))
    assert all(finding.rfc for finding in lint_helo(name))
