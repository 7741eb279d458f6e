"""A record and its three renderings."""

from __future__ import annotations

import dns.rdata
import dns.zonefile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns.errors import BadRecord
from maildns.records import Record, parse_form_value, parse_wire, parse_zone_line

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
    assert parse_form_value("TXT", record.form_value()) == value
    assert parse_wire(record.name, "TXT", record.wire()) == record
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


RECORDS = [
    Record("example.com", "MX", "10 mail.example.net"),
    Record("example.com", "MX", "0 ."),
    Record("xn--mller-kva.example", "MX", "10 mx.xn--mller-kva.example"),
    Record("_imaps._tcp.example.com", "SRV", "0 1 993 mail.example.net"),
    Record("_imap._tcp.example.com", "SRV", "0 0 0 ."),
    Record("_25._tcp.mail.example.net", "TLSA", f"3 1 1 {'0a' * 32}"),
    Record("_25._tcp.mail.example.net", "TLSA", f"3 0 0 {'0a' * 600}"),
    Record("autoconfig.example.com", "CNAME", "mail.example.net"),
    Record("1.2.0.192.in-addr.arpa", "PTR", "mail.example.net"),
    Record("example.com", "NS", "ns1.example.net"),
    Record("example.com", "TXT", "v=spf1 -all"),
    Record("example.com", "TXT", " blank "),
    Record("example.com", "TXT", '"quoted"'),
    Record("example.com", "TXT", ""),
    Record("mail.example.com", "A", "192.0.2.1"),
    Record("mail.example.com", "AAAA", "2001:db8::1"),
    Record("example.com", "CAA", '0 issue "ca.example"'),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.zone_line()[:60])
def test_every_rendering_of_every_type_reads_back(record: Record) -> None:
    assert parse_zone_line(record.zone_line()) == record
    assert parse_form_value(record.type, record.form_value()) == record.value
    assert parse_wire(record.name, record.type, record.wire()) == record


HOSTS = st.from_regex(
    r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,20}[a-z0-9])?){1,4}", fullmatch=True
)
SHORTS = st.integers(0, 65_535)


@given(HOSTS, SHORTS, SHORTS, SHORTS)
def test_any_host_reads_back_from_every_rendering(
    host: str, one: int, two: int, three: int
) -> None:
    for kind, value in (
        ("MX", f"{one} {host}"),
        ("SRV", f"{one} {two} {three} {host}"),
        ("CNAME", host),
        ("PTR", host),
    ):
        record = Record("x.example.com", kind, value)
        assert parse_zone_line(record.zone_line()) == record
        assert parse_form_value(kind, record.form_value()) == value
        assert parse_wire(record.name, kind, record.wire()) == record


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("TXT", "v=spf1 -all", "v=spf1 -all"),
        ("TXT", '"v=spf1 -all"', "v=spf1 -all"),
        ("TXT", '  "v=DKIM1; p=AA" "BB"\n', "v=DKIM1; p=AABB"),
        ("TXT", '"a\\"b"', 'a"b'),
        ("MX", "10 Mail.Example.net.", "10 mail.example.net"),
        ("MX", " 0  . ", "0 ."),
        ("CNAME", "mail.example.net.", "mail.example.net"),
        ("SRV", "0 1 993 mail.example.net.", "0 1 993 mail.example.net"),
        ("TLSA", f"3 1 1 {'AB' * 16} {'CD' * 16}", f"3 1 1 {'ab' * 16}{'cd' * 16}"),
        ("AAAA", "2001:DB8:0::1", "2001:db8::1"),
    ],
)
def test_what_a_hoster_shows_is_read(kind: str, text: str, value: str) -> None:
    assert parse_form_value(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("MX", ""), ("MX", "mail.example.net"), ("MX", "65536 a.b"), ("MX", "x a.b"), ("MX", "10 a..b"),
        ("SRV", "0 1 mail.example.net"), ("TLSA", "3 1 1 xyz"), ("TLSA", "3 1 1"), ("CNAME", "a b"),
        ("A", "192.0.2.256"), ("TXT", '"a" b"'), ("NOTYPE", "x"), ("A", "$INCLUDE /etc/passwd"),
    ],
)  # fmt: skip
def test_what_is_no_value_of_its_type_is_refused(kind: str, text: str) -> None:
    with pytest.raises(BadRecord):
        parse_form_value(kind, text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("MX", "10 Mail.example.net"), ("MX", "10 mail.example.net."), ("MX", "10  mail.example.net"),
        ("MX", "10 mail.example.net ; x"), ("MX", "10 ( mail.example.net"), ("CNAME", "@"),
        ("TLSA", f"3 1 1 {'0A' * 32}"), ("A", r"\# 4 c0000201"), ("AAAA", "2001:db8:0::1"), ("A", "192.0.2.1 x"),
    ],
)  # fmt: skip
def test_a_value_has_one_spelling(kind: str, value: str) -> None:
    assert refused(type=kind, value=value) == "value"


@given(
    st.sampled_from(["TXT", "MX", "SRV", "TLSA", "CNAME", "PTR", "A", "AAAA", "CAA", "NS"]),
    st.text(max_size=60),
)
def test_any_form_value_is_read_or_refused(kind: str, text: str) -> None:
    try:
        value = parse_form_value(kind, text)
    except BadRecord:
        return
    assert isinstance(value, str)


@given(st.sampled_from(["TXT", "MX", "SRV", "TLSA", "CNAME", "A"]), st.binary(max_size=60))
def test_any_octets_are_read_or_refused(kind: str, octets: bytes) -> None:
    try:
        record = parse_wire("x.example.com", kind, octets)
    except BadRecord:
        return
    assert parse_zone_line(record.zone_line()) == record


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
