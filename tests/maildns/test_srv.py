"""SRV records for mail programs (RFC 6186, 8314, 2782)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns.answers import Answer, Outcome
from maildns.errors import BadRecord
from maildns.records import parse_zone_line
from maildns.srv import Service, check_srv_hosts, client_records, lint_srv, parse_srv

HOST = "mail.panel.example"


def codes(*values: str, service: Service | None = None) -> list[str]:
    return [finding.code for finding in lint_srv(values, service)]


def values(offered: set[Service]) -> dict[str, str]:
    records = client_records("example.com", HOST, offered)
    assert all(parse_zone_line(record.zone_line()) == record for record in records)
    return {record.name: record.value for record in records}


def test_what_is_offered_is_told_and_what_is_off_is_denied() -> None:
    assert values({Service.SUBMISSIONS, Service.IMAPS, Service.SUBMISSION, Service.SIEVE}) == {
        "_submissions._tcp.example.com": f"0 1 465 {HOST}",
        "_imaps._tcp.example.com": f"0 1 993 {HOST}",
        "_submission._tcp.example.com": f"0 1 587 {HOST}",
        "_sieve._tcp.example.com": f"0 1 4190 {HOST}",
        "_pop3s._tcp.example.com": "0 0 0 .",
        "_imap._tcp.example.com": "0 0 0 .",
        "_pop3._tcp.example.com": "0 0 0 .",
    }


def test_everything_can_be_offered_and_imap_is_preferred() -> None:
    found = values(set(Service))
    assert found["_autodiscover._tcp.example.com"] == f"0 1 443 {HOST}"
    assert found["_pop3s._tcp.example.com"] == f"10 1 995 {HOST}"
    assert found["_pop3._tcp.example.com"] == f"10 1 110 {HOST}"
    assert found["_imap._tcp.example.com"] == f"0 1 143 {HOST}"
    for service in Service:
        assert codes(found[f"_{service}._tcp.example.com"], service=service) == []


@pytest.mark.parametrize(
    "host", ["", ".", "mail", "192.0.2.1", "mail.example.", "Mail.example.com"]
)
def test_what_is_no_host_gets_no_records(host: str) -> None:
    with pytest.raises(BadRecord):
        client_records("example.com", host, set(Service))


def test_value_is_read() -> None:
    assert parse_srv("0 1 993 Mail.Example.net.") == (0, 1, 993, "mail.example.net")
    assert parse_srv("0 0 0 .") == (0, 0, 0, ".")


@pytest.mark.parametrize(
    ("found", "service", "wanted"),
    [
        ([f"0 1 993 {HOST}"], Service.IMAPS, []),
        ([f"0 1 993 {HOST}", "10 1 993 other.example.net"], Service.IMAPS, []),
        (["0 0 0 ."], Service.IMAPS, []),
        (["0 0 0 .", f"0 1 993 {HOST}"], Service.IMAPS, ["off_mixed"]),
        ([f"0 1 143 {HOST}"], Service.IMAPS, ["port"]),
        ([f"0 1 143 {HOST}"], None, []),
        (["0 1 993 192.0.2.1"], None, ["address"]),
        (["0 1 993 mail"], None, ["bad_host"]),
        ([f"1 993 {HOST}"], None, ["syntax"]),
        ([f"0 1 65536 {HOST}"], None, ["syntax"]),
        ([f"0 1 -1 {HOST}"], None, ["syntax"]),
        (["0 1 993"], None, ["syntax"]),
        (["0 1 993 "], None, ["syntax"]),
        ([], Service.IMAPS, []),
    ],
)
def test_fault_of_a_foreign_record_is_named(
    found: list[str], service: Service | None, wanted: list[str]
) -> None:
    assert codes(*found, service=service) == wanted


def test_target_must_not_be_an_alias() -> None:
    async def ask(name: str, rdtype: str) -> Answer:
        aliases = ("x.example.net",) if name == "alias.example.net" else ()
        return Answer(
            name, rdtype, Outcome.FOUND, ("192.0.2.1",) if rdtype == "A" else (), aliases=aliases
        )

    found = asyncio.run(
        check_srv_hosts([f"0 1 993 {HOST}", "0 1 993 alias.example.net", "0 0 0 ."], ask)
    )
    assert [(finding.code, finding.where, finding.rfc) for finding in found] == [
        ("alias", "alias.example.net", "2782")
    ]


@given(st.lists(st.text(max_size=40) | st.text("0123456789 .ab", max_size=30), max_size=3))
def test_any_text_brings_findings_or_none(found: list[str]) -> None:
    assert all(finding.rfc for finding in lint_srv(found, Service.IMAPS))
