"""A record and its three renderings."""

from __future__ import annotations

import dns.rdata
import dns.zonefile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns.errors import BadRecord
from maildns.records import Record, parse_zone_line

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=600)


def refused(**fields: object) -> str:
    facts = {"name": "example.com", "type": "TXT", "value": "x", **fields}
    with pytest.raises(BadRecord) as caught:
        Record(**facts)  # type: ignore[arg-type]
    return caught.value.reason


@given(TEXT)
def test_three_renderings_mean_the_same(value: str) -> None:
    record = Record("x.example.com", "TXT", value)
    assert parse_zone_line(record.zone_line()) == record
    rdata = dns.rdata.from_text("IN", "TXT", record.zone_line().split(" IN TXT ", 1)[1])
    assert b"".join(rdata.strings).decode() == record.form_value()
    assert list(rdata.strings) == record.wire_strings()
    assert all(len(part) <= 255 for part in record.wire_strings())


@pytest.mark.parametrize(
    ("length", "parts"), [(0, [0]), (1, [1]), (255, [255]), (256, [255, 1]), (511, [255, 255, 1])]
)
def test_long_text_is_cut_at_255_octets(length: int, parts: list[int]) -> None:
    assert [len(part) for part in Record("x.y", "TXT", "a" * length).wire_strings()] == parts


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            Record("example.com", "TXT", "v=spf1 mx -all", 300),
            'example.com. 300 IN TXT "v=spf1 mx -all"',
        ),
        (Record("x.example.com", "TXT", 'a"b\\c'), r'x.example.com. 3600 IN TXT "a\"b\\c"'),
        (Record("example.com", "MX", "10 mail.example.net"),
         "example.com. 3600 IN MX 10 mail.example.net."),
        (Record("example.com", "MX", "0 ."), "example.com. 3600 IN MX 0 ."),
        (Record("www.example.com", "CNAME", "example.com"),
         "www.example.com. 3600 IN CNAME example.com."),
        (Record("_imaps._tcp.example.com", "SRV", "0 1 993 mail.example.net"),
         "_imaps._tcp.example.com. 3600 IN SRV 0 1 993 mail.example.net."),
        (Record("mail.example.com", "A", "192.0.2.1"), "mail.example.com. 3600 IN A 192.0.2.1"),
        (Record("mail.example.com", "AAAA", "2001:db8::1"),
         "mail.example.com. 3600 IN AAAA 2001:db8::1"),
        (Record("*._report._dmarc.example.com", "TXT", "v=DMARC1"),
         '*._report._dmarc.example.com. 3600 IN TXT "v=DMARC1"'),
    ],
)  # fmt: skip
def test_zone_line_is_absolute_and_reads_back(record: Record, line: str) -> None:
    assert record.zone_line() == line
    assert parse_zone_line(line) == record
    (rrset,) = dns.zonefile.read_rrsets(line, rdclass=None, origin="example.com.")
    assert rrset.to_text() == line


def test_names_can_be_shown_as_hosters_want_them() -> None:
    assert (
        Record("s1._domainkey.example.com", "TXT", "x").short_name("example.com") == "s1._domainkey"
    )
    assert Record("example.com", "TXT", "x").short_name("example.com") == "@"
    assert Record("notexample.com", "TXT", "x").short_name("example.com") == "notexample.com"


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "example.com.", "Example.com", "exa mple.com", "example..com", ".example.com",
        "-a.example.com", "a-.example.com", "a.*.example.com", "müller.de", "a/../b.example.com",
        "a;b.example.com", "a\nb.example.com", "example.com\n", "a\0b", 'a"b', "$ORIGIN", "@",
        "a" * 64 + ".com", ".".join(["a" * 63] * 4),
    ],
)  # fmt: skip
def test_case_030_names_are_no_syntax_of_zone_files(name: str) -> None:
    assert refused(name=name) == "name"


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\0", "a\tb", "\x7f", "ä", "\u2028", "\ud800"])
def test_case_027_values_take_no_control_characters(value: str) -> None:
    assert refused(value=value) == "value"


def test_other_values_must_not_be_empty_and_ttls_fit() -> None:
    assert refused(type="MX", value=" ") == "value"
    assert refused(type="txt") == "type"
    assert refused(type="TXT x") == "type"
    assert refused(ttl_seconds=-1) == "ttl"
    assert refused(ttl_seconds=2**31) == "ttl"


@pytest.mark.parametrize(
    "line",
    [
        "", "x", "example.com. 3600 IN", 'example.com. 3600 IN TXT "open', "$INCLUDE /etc/passwd",
        "$ORIGIN example.com.", "example.com. 3600 IN A 192.0.2.999", "example.com. 3600 TXT",
        'example.com. 3600 IN TXT "a"\nexample.com. 3600 IN TXT "b"',
        'a.example.com. 3600 IN TXT "a"\nb.example.com. 3600 IN TXT "b"',
        r'example.com. 3600 IN TXT "\000"', r'example.com. 3600 IN TXT "\255"',
    ],
)  # fmt: skip
def test_what_is_not_one_record_is_refused(line: str) -> None:
    with pytest.raises(BadRecord):
        parse_zone_line(line)


@given(st.text(max_size=80))
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        record = parse_zone_line(line)
    except BadRecord:
        return
    assert parse_zone_line(record.zone_line()) == record
