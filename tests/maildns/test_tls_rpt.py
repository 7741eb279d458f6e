"""TLS-RPT records (RFC 8460, 3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns.errors import BadRecord
from maildns.records import Record
from maildns.tags import mailto
from maildns.tls_rpt import lint_tls_rpt, parse_tls_rpt, tls_rpt_record


def codes(*texts: str) -> list[str]:
    return [finding.code for finding in lint_tls_rpt(texts)]


def test_record_names_where_reports_go() -> None:
    assert tls_rpt_record("example.com", [mailto("t1@tls.panel.example")]) == Record(
        "_smtp._tls.example.com", "TXT", "v=TLSRPTv1; rua=mailto:t1@tls.panel.example"
    )


def test_addresses_are_encoded_and_read_back() -> None:
    record = tls_rpt_record("example.com", ["mailto:a,b!c;@d.example", "https://d.example/x"])
    assert parse_tls_rpt(record.value) == ("mailto:a%2Cb%21c%3B@d.example", "https://d.example/x")
    assert codes(record.value) == []


@pytest.mark.parametrize(
    "rua", [[], [""], ["noscheme"], ["http://d.example/"], ["mailto:a@b.example", "x"]]
)
def test_what_is_no_address_for_reports_is_refused(rua: list[str]) -> None:
    with pytest.raises(BadRecord):
        tls_rpt_record("example.com", rua)


@pytest.mark.parametrize(
    ("text", "uris"),
    [
        ("v=TLSRPTv1; rua=mailto:a@b;", ("mailto:a@b",)),
        (
            "v=TLSRPTv1;rua=mailto:a@b , \t\t https://b.example/tlsrpt  ",
            ("mailto:a@b", "https://b.example/tlsrpt"),
        ),
        ("v=TLSRPTv1; rua=mailto:a@b; ext=yes", ("mailto:a@b",)),
        ("v=TLSRPTv1 ; rua=mailto:x@b; rua=mailto:y@b", ("mailto:x@b", "mailto:y@b")),
    ],
)
def test_record_is_read(text: str, uris: tuple[str, ...]) -> None:
    assert parse_tls_rpt(text) == uris
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "version"), ("v=TLSRPTv0", "version"), ("v=TLSRPTv10; rua=mailto:a@b", "version"), ("v=tlsrptv1; rua=mailto:a@b", "version"),
        ("v=TLSRPTv1", "no_rua"), ("v=TLSRPTv1;", "no_rua"), ("v=TLSRPTv1; ext=1", "no_rua"), ("v=TLSRPTv1; rua=", "fields"),
        ("v=TLSRPTv1; rua=noscheme", "uri"), ("v=TLSRPTv1; rua=,, ,", "uri"), ("v=TLSRPTv1; rua=mailto:a@b other", "uri"),
        ("v=TLSRPTv1; rua=http://bad/%", "uri"), ("v=TLSRPTv1; rua=mailto:a@b!10m", "uri"), ("v=TLSRPTv1; rua=mailto:a@b; more=", "fields"),
        (f"v=TLSRPTv1; rua=mailto:a@b; a{'1' * 32}=1", "fields"), ("v=TLSRPTv1; rua=mailto:a@b; 1%=a", "fields"),
        ("v=TLSRPTv1; rua=mailto:a@b; test==", "fields"), ("v=TLSRPTv1; rua=mailto:a@b;;", "fields"),
    ],
)  # fmt: skip
def test_broken_record_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        parse_tls_rpt(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ([], []),
        (["v=TLSRPTv1; rua=mailto:a@b", "v=TLSRPTv1; rua=mailto:a@b"], ["several"]),
        (["v=TLSRPTv1; rua=mailto:a@b", "x"], ["foreign_text"]),
        (["v=tlsrptv1; rua=mailto:a@b"], ["version_case"]),
        (["rua=mailto:a@b; v=TLSRPTv1"], ["version_not_first"]),
        (["v=TLSRPTv1\\; rua=mailto:a@b"], ["escaped"]),
        (["v=TLSRPTv10; rua=mailto:a@b"], ["version"]),
        (["v=TLSRPTv1; rua=http://b.example/"], ["scheme"]),
        (["v=TLSRPTv1; rua=a@b"], ["uri"]),
    ],
)
def test_fault_of_a_foreign_record_is_named(texts: list[str], wanted: list[str]) -> None:
    assert codes(*texts) == wanted


@given(
    st.text(max_size=80) | st.text("rua=mailto:@,;! x%", max_size=40).map("v=TLSRPTv1;{}".format)
)
def test_any_text_is_read_or_refused_and_checked(text: str) -> None:
    try:
        assert parse_tls_rpt(text)
    except BadRecord as error:
        assert error.reason
    assert all(finding.rfc for finding in lint_tls_rpt([text, text]))
