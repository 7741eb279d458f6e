"""DMARC records (RFC 9989, 4.7 and 4.8; RFC 9990, 4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns import dmarc
from maildns.dmarc import Alignment, DmarcRecord, Policy, dmarc_record, parse_dmarc
from maildns.errors import BadRecord
from maildns.records import parse_zone_line
from maildns.tags import mailto


def codes(*texts: str) -> list[str]:
    return [finding.code for finding in dmarc.lint_dmarc(texts)]


# --- making -------------------------------------------------------------------------------------


def test_record_says_only_what_is_not_the_default() -> None:
    record = dmarc_record("example.com", rua=[mailto("t1@dmarc.panel.example")])
    assert record.name == "_dmarc.example.com"
    assert record.value == "v=DMARC1; p=none; rua=mailto:t1@dmarc.panel.example"
    assert parse_zone_line(record.zone_line()) == record


def test_policy_comes_second_and_everything_reads_back() -> None:
    record = dmarc_record(
        "example.com", policy=Policy.REJECT, subdomain_policy=Policy.QUARANTINE, np=Policy.REJECT, testing=True,
        rua=["mailto:a@b.example", "https://c.example/x"], ruf=["mailto:f@b.example"], adkim=Alignment.STRICT, aspf=Alignment.STRICT, fo="1:d",
    )  # fmt: skip
    assert record.value.startswith("v=DMARC1; p=reject; sp=quarantine; np=reject; ")
    assert parse_dmarc(record.value) == DmarcRecord(
        Policy.REJECT, Policy.QUARANTINE, Policy.REJECT, True, "u", Alignment.STRICT, Alignment.STRICT, "1:d",
        ("mailto:a@b.example", "https://c.example/x"), ("mailto:f@b.example",),
    )  # fmt: skip
    assert codes(record.value) == ["testing"]


def test_parked_domain_rejects_everything() -> None:
    assert (
        dmarc.parked_record("example.com").value
        == "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s"
    )


def test_addresses_are_encoded_where_the_record_would_misread_them() -> None:
    assert mailto("a,b!c;d e%f@b.example") == "mailto:a%2Cb%21c%3Bd%20e%25f@b.example"
    record = dmarc_record("example.com", rua=["mailto:a,b!c;@b.example", mailto("d+e@b.example")])
    assert parse_dmarc(record.value).rua == (
        "mailto:a%2Cb%21c%3B@b.example",
        "mailto:d+e@b.example",
    )
    assert codes(record.value) == []


@pytest.mark.parametrize(
    "uri", ["", "a@b.example", "mailto:", "mailto:a", "mailto:@b.example", "mailto:a@", ":x@y"]
)
def test_what_is_no_address_for_reports_is_refused(uri: str) -> None:
    with pytest.raises(BadRecord):
        dmarc_record("example.com", rua=[uri])


def test_failure_options_are_those_of_the_standard() -> None:
    with pytest.raises(BadRecord):
        dmarc_record("example.com", ruf=["mailto:a@b.example"], fo="x; p=none")
    assert "fo" not in dmarc_record("example.com", fo="1").value


def test_domain_of_the_reports_says_that_it_takes_them() -> None:
    assert dmarc.report_authorisation("dmarc.panel.example").zone_line() == (
        '*._report._dmarc.dmarc.panel.example. 3600 IN TXT "v=DMARC1"'
    )
    one = dmarc.report_authorisation("dmarc.panel.example", for_zone="example.com")
    assert one.name == "example.com._report._dmarc.dmarc.panel.example"
    assert parse_dmarc(one.value) == DmarcRecord()


@given(
    st.sampled_from(Policy), st.none() | st.sampled_from(Policy), st.none() | st.sampled_from(Policy), st.booleans(),
    st.lists(st.emails(), max_size=3), st.sampled_from(Alignment), st.sampled_from(Alignment),
)  # fmt: skip
def test_every_record_we_make_reads_back(
    policy: Policy, sp: Policy | None, np: Policy | None, testing: bool, mails: list[str], adkim: Alignment, aspf: Alignment
) -> None:  # fmt: skip
    record = dmarc_record(
        "example.com", policy=policy, subdomain_policy=sp, np=np, testing=testing, rua=[mailto(m) for m in mails], adkim=adkim, aspf=aspf
    )  # fmt: skip
    found = parse_dmarc(record.value)
    assert (found.policy, found.subdomain_policy, found.np) == (policy, sp, np)
    assert (found.testing, len(found.rua), found.adkim, found.aspf) == (
        testing,
        len(mails),
        adkim,
        aspf,
    )
    assert not {f.code for f in dmarc.lint_dmarc([record.value])} - {"testing"}


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("v=DMARC1", DmarcRecord()),
        ("v=DMARC1;", DmarcRecord()),
        ("v=DMARC1; p=none", DmarcRecord()),
        ("v = DMARC1 ; p = reject ; ", DmarcRecord(Policy.REJECT)),
        ("V=DMARC1; P=Reject; ADKIM=S", DmarcRecord(Policy.REJECT, adkim=Alignment.STRICT)),
        ("v=DMARC1; rua=mailto:a@b.example; p=reject", DmarcRecord(Policy.REJECT, rua=("mailto:a@b.example",))),
        ("v=DMARC1; p=reject; pct=0", DmarcRecord(Policy.REJECT)),
        ("v=DMARC1; p=reject; x=y; rf=afrf; ri=3600", DmarcRecord(Policy.REJECT)),
        ("v=DMARC1; p=reject; adkim=x; aspf=; t=yes; psd=q", DmarcRecord(Policy.REJECT)),
        ("v=DMARC1;; p=reject; junk", DmarcRecord(Policy.REJECT)),
        ("v=DMARC1; p=reject; p=none", DmarcRecord(Policy.REJECT)),
        ("v=DMARC1; p=quarantine; t=Y; psd=Y", DmarcRecord(Policy.QUARANTINE, testing=True, psd="y")),
        ("v=DMARC1; p=none; fo=1", DmarcRecord()),
        ("v=DMARC1; p=none; fo=1:D; ruf=mailto:a@b.example", DmarcRecord(fo="1:d", ruf=("mailto:a@b.example",))),
        ("v=DMARC1; p=none; rua=mailto:A@B.example!10m , \tmailto:c@d.example, x", DmarcRecord(rua=("mailto:A@B.example", "mailto:c@d.example"))),
        ("v=DMARC1; p=foo; rua=mailto:a@b.example", DmarcRecord(rua=("mailto:a@b.example",))),
        ("v=DMARC1; p=reject; np=; sp=x; rua=mailto:a@b.example", DmarcRecord(rua=("mailto:a@b.example",))),
        ("v=DMARC1; p=foo", DmarcRecord(is_void=True)),
        ("v=DMARC1; p=reject; sp=bounce", DmarcRecord(is_void=True)),
        ("v=DMARC1; p=reject; sp=nope; rua=a@b.example", DmarcRecord(is_void=True)),
    ],
)  # fmt: skip
def test_record_is_read_as_receivers_do(text: str, facts: DmarcRecord) -> None:
    assert parse_dmarc(text) == facts


@pytest.mark.parametrize(
    "text",
    ["", " ", "\t", ";", "v=dmarc1; p=none", "p=none; v=DMARC1", "v=DMARC1x; p=none", "v=DMARC2", "v=DMARC 1", "v=DMARC1\\; p=none", "v=DMARC1 p=none", "DMARC1", "v=spf1 -all"],
)  # fmt: skip
def test_other_texts_are_no_dmarc_record(text: str) -> None:
    with pytest.raises(BadRecord) as caught:
        parse_dmarc(text)
    assert caught.value.reason == "version"


@given(
    st.text(max_size=120)
    | st.text("vDMARC1;=prejctnospua: !,@x\\", max_size=60).map("v=DMARC1;{}".format)
)
def test_any_text_is_read_or_refused_and_checked(text: str) -> None:
    try:
        assert isinstance(parse_dmarc(text), DmarcRecord)
    except BadRecord as error:
        assert error.reason == "version"
    assert all(finding.rfc for finding in dmarc.lint_dmarc([text, text]))


def test_testing_means_one_policy_lower() -> None:
    assert [policy.one_lower for policy in (Policy.REJECT, Policy.QUARANTINE, Policy.NONE)] == [
        "quarantine",
        "none",
        "none",
    ]


# --- checking -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ([], []),
        (["v=DMARC1; p=none; rua=mailto:a@b.example"], []),
        (["v=DMARC1; p=reject"], []),
        (["v=DMARC1; p=none", "v=DMARC1; p=none"], ["several"]),
        (["v=DMARC1; p=none", "google-site-verification=x"], ["foreign_text"]),
        (["v=dmarc1; p=none"], ["version_case"]),
        (["p=none; v=DMARC1"], ["version_not_first"]),
        (["v=DMARC1\\; p=none\\; rua=mailto:a@b.example"], ["escaped"]),
        (["v=DMARC1 p=none"], ["version"]),
        (["v=DMARC1; p=foo"], ["bad_policy"]),
        (["v=DMARC1; p=none; sp=foo"], ["bad_policy"]),
        (["v=DMARC1; p=none; t=x"], ["bad_value"]),
        (["v=DMARC1; p=none; fo=2; ruf=mailto:a@b.example"], ["bad_value"]),
        (["v=DMARC1; p=none; fo=1"], ["fo_without_ruf"]),
        (["v=DMARC1; p=none; pct=100"], ["removed_tag"]),
        (["v=DMARC1; p=none; x=1"], ["unknown_tag"]),
        (["v=DMARC1; p=none; x"], ["syntax"]),
        (["v=DMARC1; p=none;; sp=none"], ["syntax"]),
        (["v=DMARC1; p=none; p=reject"], ["duplicate_tag"]),
        (["v=DMARC1; rua=mailto:a@b.example"], ["no_policy"]),
        (["v=DMARC1"], ["no_policy"]),
        (["v=DMARC1; sp=none; p=none"], ["policy_not_second"]),
        (["v=DMARC1; p=none; rua=a@b.example"], ["bad_uri"]),
        (["v=DMARC1; p=none; rua="], ["bad_uri"]),
        (["v=DMARC1; p=none; rua=mailto:a@b.example!10m,mailto:c@d.example"], ["size_limit"]),
        (["v=DMARC1; p=none; rua=mailto:a@b.example mailto:c@d.example"], ["bad_uri"]),
        (["v=DMARC1; p=quarantine; t=y"], ["testing"]),
    ],
)
def test_fault_of_a_foreign_record_is_named(texts: list[str], wanted: list[str]) -> None:
    assert codes(*texts) == wanted
