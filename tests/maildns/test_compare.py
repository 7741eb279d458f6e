"""Found and wanted records are compared by what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns.compare import same_value
from maildns.dkim import generate_ed25519_key, key_record
from maildns.dmarc import report_authorisation
from maildns.records import Record

KEY = generate_ed25519_key().public_record
BARE = KEY.partition("p=")[2]
DKIM = key_record("example.com", "s1", KEY)
MX = Record("example.com", "MX", "10 mx1.panel.example")
DMARC = Record("_dmarc.example.com", "TXT", "v=DMARC1; p=none; rua=mailto:a@panel.example")
STS = Record("_mta-sts.example.com", "TXT", "v=STSv1; id=a;")
RPT = Record("_smtp._tls.example.com", "TXT", "v=TLSRPTv1; rua=mailto:a@panel.example")
SPF = Record("example.com", "TXT", "v=spf1 include:_spf.panel.example ~all")
TLSA = Record("_25._tcp.mx1.panel.example", "TLSA", f"3 1 1 {'ab' * 32}")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (DKIM, KEY),
        (DKIM, f"k=ed25519;p={BARE[:20]} {BARE[20:]}"),
        (DKIM, f"v=DKIM1; k=ed25519; h=sha256; s=email; n=note; p={BARE};"),
        (MX, "10 MX1.panel.example."),
        (DMARC, "v=DMARC1;rua=mailto:a@panel.example;p=NONE;pct=100"),
        (report_authorisation("panel.example"), "v=DMARC1;"),
        (STS, "v=STSv1;id=a"),
        (RPT, "v=TLSRPTv1;rua=mailto:a@panel.example;"),
        (SPF, "V=SPF1  include:_spf.PANEL.example ~all"),
        (TLSA, f"3 1 1 {'AB' * 16} {'AB' * 16}"),
        (Record("imap.example.com", "CNAME", "mail.panel.example"), "Mail.Panel.Example."),
        (
            Record("_imaps._tcp.example.com", "SRV", "0 1 993 mail.panel.example"),
            "0 1 993 mail.panel.example.",
        ),
        (Record("example.com", "AAAA", "2001:db8::1"), "2001:DB8:0:0::1"),
        (Record("example.com", "TXT", "free text"), "free text"),
    ],
)
def test_spelling_makes_no_difference(wanted: Record, found: str) -> None:
    assert same_value(wanted, found)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (DKIM, generate_ed25519_key().public_record),
        (DKIM, "v=DKIM1; p="),
        (DKIM, f"k=ed25519; v=DKIM1; p={BARE}"),
        (DKIM, KEY.replace(";", "\\;")),
        (DKIM, f"{KEY}; t=y"),
        (MX, "20 mx1.panel.example"),
        (MX, "10 mx2.panel.example"),
        (MX, "mx1.panel.example"),
        (DMARC, "v=DMARC1; p=reject; rua=mailto:a@panel.example"),
        (DMARC, "v=DMARC1; p=none"),
        (DMARC, "v=dmarc1; p=none; rua=mailto:a@panel.example"),
        (STS, "v=STSv1; id=b;"),
        (RPT, "v=TLSRPTv1; rua=mailto:b@panel.example"),
        (SPF, "v=spf1 include:_spf.panel.example -all"),
        (TLSA, f"3 1 1 {'cd' * 32}"),
        (Record("example.com", "TXT", "free text"), "Free text"),
    ],
)
def test_another_meaning_differs(wanted: Record, found: str) -> None:
    assert not same_value(wanted, found)


@given(st.text(max_size=60))
def test_any_text_can_be_compared(found: str) -> None:
    for wanted in (DKIM, MX, DMARC, STS, RPT, SPF, TLSA):
        assert not same_value(wanted, found)
        assert same_value(wanted, wanted.value)
        assert same_value(wanted, wanted.form_value())
