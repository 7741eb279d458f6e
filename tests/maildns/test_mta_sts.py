"""MTA-STS: its record and its policy (RFC 8461)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns import mta_sts
from maildns.errors import BadRecord
from maildns.mta_sts import Mode, StsPolicy, lint_mta_sts, parse_mta_sts, parse_policy
from maildns.records import Record

POLICY = StsPolicy(Mode.ENFORCE, ("mx1.panel.example", "*.mx.panel.example"), 604_800)


def codes(*texts: str) -> list[str]:
    return [finding.code for finding in lint_mta_sts(texts)]


# --- the record ---------------------------------------------------------------------------------


def test_record_carries_a_time_as_its_id() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert mta_sts.policy_id(noon) == "20261123120000Z"
    assert mta_sts.policy_id(noon.astimezone(timezone(timedelta(hours=5)))) == "20261123120000Z"
    record = mta_sts.mta_sts_record("example.com", mta_sts.policy_id(noon))
    assert record == Record("_mta-sts.example.com", "TXT", "v=STSv1; id=20261123120000Z;")
    assert parse_mta_sts(record.value) == "20261123120000Z"
    assert codes(record.value) == []


def test_policy_is_served_by_our_host() -> None:
    assert mta_sts.policy_host_record("example.com", "web.panel.example") == Record(
        "mta-sts.example.com", "CNAME", "web.panel.example"
    )


@pytest.mark.parametrize("id_", ["", "a" * 33, "test-123", "a b", "ä", "a\n"])
def test_id_is_of_letters_and_digits(id_: str) -> None:
    with pytest.raises(BadRecord):
        mta_sts.mta_sts_record("example.com", id_)


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("v=STSv1; id=20160831085700Z;", "20160831085700Z"),
        ("v=STSv1; \t id=20160831085700Z  \t;", "20160831085700Z"),
        ("v=STSv1;id=a", "a"),
        ("v=STSv1 ; id=a", "a"),
        ("v=STSv1; id=a; more=a; ext=2", "a"),
        ("v=STSv1; more=a; id=a", "a"),
        ("v=STSv1; id=a; id=b", "a"),
    ],
)
def test_record_is_read(text: str, id_: str) -> None:
    assert parse_mta_sts(text) == id_
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "version"), ("v=STSv0", "version"), ("v=STSv10; id=a", "version"), ("v=STSv2; id=a", "version"),
        ("v=stsv1; id=a", "version"), ("V=STSv1; id=a", "version"), (" v=STSv1; id=a", "version"), ("id=a; v=STSv1", "version"),
        ("v=STSv1\\; id=a", "version"), ("v=STSv1", "no_id"), ("v=STSv1;", "no_id"), ("v=STSv1; ext=1", "no_id"),
        ("v=STSv1; id=", "fields"), ("v=STSv1; id=a;;", "fields"), ("v=STSv1; id=a; more=", "fields"), ("v=STSv1; id=a; 1%=a", "fields"),
        ("v=STSv1; id=a; test==", "fields"), (f"v=STSv1; id=a; a{'1' * 32}=1", "fields"), ("v=STSv1; id=a b", "fields"), ("v=STSv1; id = a", "fields"),
        (f"v=STSv1; id={'0' * 33}", "id"), ("v=STSv1; id=test-123", "id"),
    ],
)  # fmt: skip
def test_broken_record_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        parse_mta_sts(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ([], []),
        (["v=STSv1; id=a", "v=STSv1; id=a"], ["several"]),
        (["v=STSv1; id=a", "x"], ["foreign_text"]),
        (["v=stsv1; id=a"], ["version_case"]),
        (["id=a; v=STSv1"], ["version_not_first"]),
        (["v=STSv1\\; id=a\\;"], ["escaped"]),
        (["v=STSv10; id=a"], ["version"]),
        (["v=STSv1; id=2026-11-23"], ["id"]),
        (["v=STSv1;"], ["no_id"]),
    ],
)
def test_fault_of_a_foreign_record_is_named(texts: list[str], wanted: list[str]) -> None:
    assert codes(*texts) == wanted


@given(st.text(max_size=80) | st.text(" \tv=STSid;a1-", max_size=40).map("v=STSv1;{}".format))
def test_any_text_is_read_or_refused_and_checked(text: str) -> None:
    try:
        assert parse_mta_sts(text).isalnum()
    except BadRecord as error:
        assert error.reason
    assert all(finding.rfc for finding in lint_mta_sts([text, text]))


# --- the policy ---------------------------------------------------------------------------------


def test_policy_text_reads_back() -> None:
    assert POLICY.text() == (
        "version: STSv1\r\nmode: enforce\r\nmx: mx1.panel.example\r\nmx: *.mx.panel.example\r\nmax_age: 604800\r\n"
    )
    assert parse_policy(POLICY.text()) == POLICY


@given(
    st.sampled_from(Mode),
    st.lists(
        st.sampled_from(["mx.example.com", "*.example.com", "xn--mx-eka.example"]),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, mta_sts.MAX_AGE_SECONDS),
)
def test_every_policy_reads_back(mode: Mode, mx: list[str], max_age: int) -> None:
    policy = StsPolicy(mode, tuple(mx), max_age)
    assert parse_policy(policy.text()) == policy


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        (
            "version: STSv1\nmode: testing\nmx: mx1.example.com\nmx: mx2.example.com\nmax_age: 1296000\n",
            StsPolicy(Mode.TESTING, ("mx1.example.com", "mx2.example.com"), 1_296_000),
        ),
        ("version: STSv1\nmode: enforce\t\nmx: *.example.com \nmax_age: 0 \n", StsPolicy(Mode.ENFORCE, ("*.example.com",), 0)),
        (
            "version:STSv1\r\nmode:\tenforce\r\nmx:  \t\t *.Example.com\nmax_age: 1\nmore:ext e  ns ion ü",
            StsPolicy(Mode.ENFORCE, ("*.example.com",), 1),
        ),
        ("max_age: 0\nmode: none\nversion: STSv1", StsPolicy(Mode.NONE, (), 0)),
        ("version: STSv1\nmode: none\nmode: enforce\nmax_age: 1\nmax_age: 2\nversion: x", StsPolicy(Mode.NONE, (), 1)),
        ("version: STSv1\nmode: none\nmax_age: 31557600", StsPolicy(Mode.NONE, (), 31_557_600)),
    ],
)  # fmt: skip
def test_policy_is_read(text: str, policy: StsPolicy) -> None:
    assert parse_policy(text) == policy


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "version"),
        ("\n", "line"),
        ("version:STSv0\nmode:none\nmax_age:0", "version"),
        ("version:STSv10\nmode:none\nmax_age:0", "version"),
        ("max_age:0\nmode:none", "version"),
        ("version:STSv1\nmax_age:0\nmx:a.example", "mode"),
        ("version:STSv1\nmode:bad\nmax_age:1", "mode"),
        ("version:STSv1\nmode:Enforce\nmax_age:1\nmx:a.example", "mode"),
        ("version:STSv1\nmode:none", "max_age"),
        ("version:STSv1\nmode:none\nmax_age:a", "max_age"),
        ("version:STSv1\nmode:none\nmax_age:-1", "max_age"),
        ("version:STSv1\nmode:none\nmax_age:01234567890", "max_age"),
        ("version:STSv1\nmode:none\nmax_age:31557601", "max_age"),
        ("version:STSv1\nmax_age:0\nmode:enforce", "mx"),
        ("version:STSv1\nmax_age:0\nmode:testing", "mx"),
        ("version:STSv1\nmode:enforce\nmax_age:0\nmx:*.*.example.com", "mx"),
        ("version:STSv1\nmode:enforce\nmax_age:0\nmx:**.example.com", "mx"),
        ("version:STSv1\nmode:enforce\nmax_age:0\nmx:test.example-", "mx"),
        ("version:STSv1\nmode:enforce\nmax_age:0\nmx:192.0.2.1", "mx"),
        ("version:STSv1\nmode:none\nmax_age:0\nmx: møx.example.com", "mx"),
        ("version:STSv1\nmode:enforce\nmax_age:0\nmx:", "line"),
        ("version:STSv1\nmode:none\nmax_age:0\next:", "line"),
        (f"version:STSv1\nmode:none\nmax_age:0\na{'1' * 32}:123", "line"),
        ("version:STSv1\nmode:none\nmax_age:0\n_bad:test", "line"),
        ("version:STSv1\nmode:none\nmax_age:0\n\n", "line"),
        ("version:STSv1\rmode:none\rmax_age:0", "line"),
        ("version:STSv1\nmode:none\nmax_age:0\r", "line"),
        ("version:STSv1\nmode :none\nmax_age:0", "line"),
        ("x:" + "a" * 70_000, "too_long"),
    ],
)
def test_broken_policy_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        parse_policy(text)
    assert caught.value.reason == reason


@given(
    st.text(max_size=120)
    | st.text("version: STSmodexag*.\r\n\t0", max_size=80).map(
        "version: STSv1\nmode: none\n{}".format
    )
)
def test_any_body_is_a_policy_or_refused(text: str) -> None:
    try:
        policy = parse_policy(text)
    except BadRecord:
        return
    assert parse_policy(policy.text()) == policy


def test_wildcard_stands_for_one_label() -> None:
    assert POLICY.covers("mx1.panel.example")
    assert POLICY.covers("a.mx.panel.example")
    assert POLICY.uncovered(["a.b.mx.panel.example", "mx.panel.example", "mx1.panel.example"]) == (
        "a.b.mx.panel.example",
        "mx.panel.example",
    )


def test_hosts_that_would_lose_mail_are_named() -> None:
    found = mta_sts.lint_policy(POLICY.text(), ["mx1.panel.example", "mx.old.example"])
    assert [(f.code, f.where, f.severity) for f in found] == [
        ("uncovered_mx", "mx.old.example", "error")
    ]
    testing = StsPolicy(Mode.TESTING, ("a.example",), 1).text()
    assert [f.severity for f in mta_sts.lint_policy(testing, ["b.example"])] == ["warning"]
    assert mta_sts.lint_policy(StsPolicy(Mode.NONE, (), 1).text(), ["b.example"]) == ()
    assert [f.code for f in mta_sts.lint_policy("<html>", [])] == ["line"]
