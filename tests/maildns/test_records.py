"""Records and their renderings; DKIM keys."""

from __future__ import annotations

from datetime import date

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns import dkim
from maildns.errors import BadRecord
from maildns.records import Record, parse_zone_line

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=600)


@given(TEXT)
def test_three_renderings_mean_the_same(value: str) -> None:
    record = Record("x.example.com", "TXT", value)
    assert parse_zone_line(record.zone_line()) == record
    rdata = dns.rdata.from_text("IN", "TXT", record.zone_line().split(" IN TXT ", 1)[1])
    assert b"".join(rdata.strings).decode() == record.form_value()
    assert list(rdata.strings) == record.wire_strings()


def test_key_record_of_2048_bits_goes_in_two_strings() -> None:
    pair = dkim.generate_rsa_key()
    record = dkim.key_record("example.com", "s202611a", pair.public_record)
    assert record.name == "s202611a._domainkey.example.com"
    assert [len(part) for part in record.wire_strings()] == [255, 155]
    assert dkim.parse_key_record(record.form_value())["k"] == "rsa"
    assert record.short_name("example.com") == "s202611a._domainkey"


def test_selectors_are_never_used_again() -> None:
    used: set[str] = set()
    for _ in range(40):
        selector = dkim.next_selector(used, date(2026, 11, 23))
        assert selector not in used
        used.add(selector)
    assert "s202611a" in used


@pytest.mark.parametrize(
    "value",
    [
        "k=rsa; v=DKIM1; p=",
        "v=DKIM2; p=",
        "v=DKIM1; k=rsa",
        "v=DKIM1; p=!!!",
        "v=DKIM1; p=AAAA",
        "p",
        "",
    ],
)
def test_broken_key_records_are_refused(value: str) -> None:
    with pytest.raises(BadRecord):
        dkim.parse_key_record(value)


def test_empty_key_is_revoked_and_folded_base64_is_legal() -> None:
    assert dkim.parse_key_record("v=DKIM1; p=")["p"] == ""
    pair = dkim.generate_rsa_key()
    folded = pair.public_record.replace("MII", "MII \t", 1)
    assert " " not in dkim.parse_key_record(folded)["p"]
