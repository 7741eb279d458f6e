"""DMARC records and the tree walk (RFC 9989, its appendix B.4; RFC 9990, 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maildns import dmarc
from maildns.answers import Answer, Outcome
from maildns.dmarc import Alignment, DmarcPolicy, DmarcRecord, Policy, dmarc_record, parse_dmarc
from maildns.errors import BadRecord, LookupFailed
from maildns.records import parse_zone_line
from maildns.tags import mailto

Zones = Mapping[str, str | list[str]]


class World:
    """TXT values by domain of the policy, domains that exist otherwise, names that fail."""

    def __init__(
        self, records: Zones, exists: tuple[str, ...] = (), fails: tuple[str, ...] = ()
    ) -> None:
        self.records = {
            f"_dmarc.{name}": [text] if isinstance(text, str) else text
            for name, text in records.items()
        }
        self.exists = exists
        self.fails = fails
        self.asked: list[str] = []

    async def __call__(self, name: str, rdtype: str) -> Answer:
        self.asked.append(f"{name} {rdtype}")
        if name in self.fails:
            return Answer(name, rdtype, Outcome.UNREACHABLE, reason="servfail")
        if rdtype == "TXT" and name in self.records:
            return Answer(name, rdtype, Outcome.FOUND, tuple(self.records[name]))
        return Answer(name, rdtype, Outcome.NO_DATA if name in self.exists else Outcome.NO_NAME)


def discovered(author: str, records: Zones, **facts: tuple[str, ...]) -> DmarcPolicy:
    return asyncio.run(dmarc.discover_policy(author, World(records, **facts)))


def aligned(author: str, domain: str, records: Zones, mode: Alignment = Alignment.RELAXED) -> bool:
    return asyncio.run(dmarc.is_aligned(author, domain, mode, World(records)))


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


# --- discovery ----------------------------------------------------------------------------------


def test_deep_name_takes_eight_queries() -> None:
    """RFC 9989, B.4.2."""
    world = World({"example.com": "v=DMARC1; p=none", "signing.example.com": "v=DMARC1; p=reject"})
    found = asyncio.run(dmarc.discover_policy("a.b.c.d.e.f.g.h.i.j.k.example.com", world))
    assert world.asked == [
        f"_dmarc.{name} TXT"
        for name in (
            "a.b.c.d.e.f.g.h.i.j.k.example.com", "g.h.i.j.k.example.com", "h.i.j.k.example.com", "i.j.k.example.com",
            "j.k.example.com", "k.example.com", "example.com", "com",
        )
    ]  # fmt: skip
    assert (found.organizational_domain, found.record_domain, found.tag) == (
        "example.com",
        "example.com",
        "p",
    )
    assert found.queried == dmarc.walked_names("a.b.c.d.e.f.g.h.i.j.k.example.com")


def test_names_of_eight_and_nine_labels_take_eight_queries_too() -> None:
    eight, nine = (
        dmarc.walked_names("a.b.c.d.e.f.example.com"),
        dmarc.walked_names("x.a.b.c.d.e.f.example.com"),
    )
    assert (len(eight), eight[1]) == (8, "b.c.d.e.f.example.com")
    assert (len(nine), nine[1]) == (8, "b.c.d.e.f.example.com")
    assert dmarc.walked_names("com") == ("com",)


def test_signing_subdomain_is_aligned_when_relaxed() -> None:
    """RFC 9989, B.4.1."""
    records = {"example.com": "v=DMARC1; p=none", "signing.example.com": "v=DMARC1; p=none"}
    assert aligned("example.com", "signing.example.com", records)
    assert not aligned("example.com", "signing.example.com", records, Alignment.STRICT)
    assert aligned("example.com", "example.com", records, Alignment.STRICT)
    assert discovered("example.com", records).organizational_domain == "example.com"


def test_organization_is_one_label_below_a_public_suffix() -> None:
    """RFC 9989, B.4.3."""
    records = {
        "bank.example": "v=DMARC1; p=reject; psd=y",
        "giant.bank.example": "v=DMARC1; p=quarantine",
    }
    found = discovered("giant.bank.example", records)
    assert (found.organizational_domain, found.policy) == ("giant.bank.example", Policy.QUARANTINE)
    assert found.queried == ("giant.bank.example", "bank.example")
    assert not aligned("giant.bank.example", "mail.mega.bank.example", records)
    assert aligned("giant.bank.example", "mail.giant.bank.example", records)


@pytest.mark.parametrize(
    ("author", "records", "organization", "where", "tag", "policy"),
    [
        # A record with psd=n ends the walk, and is the organization's.
        ("a.b.example.com", {"b.example.com": "v=DMARC1; psd=n; p=reject", "example.com": "v=DMARC1; p=none"}, "b.example.com", "b.example.com", "p", "reject"),
        ("b.example.com", {"b.example.com": "v=DMARC1; psd=n; p=reject", "example.com": "v=DMARC1; p=none"}, "b.example.com", "b.example.com", "p", "reject"),
        # Without psd the shortest name with a record is; records between do not matter.
        ("a.b.example.com", {"b.example.com": "v=DMARC1; p=none", "example.com": "v=DMARC1; p=reject"}, "example.com", "example.com", "p", "reject"),
        # The author's own record comes first, and its sp does not matter.
        ("b.example.com", {"b.example.com": "v=DMARC1; p=none; sp=reject", "example.com": "v=DMARC1; p=reject"}, "example.com", "b.example.com", "p", "none"),
        # Several records are none, and the walk goes on.
        ("mail.example.com", {"mail.example.com": ["v=DMARC1; p=reject", "v=DMARC1; p=quarantine"], "example.com": "v=DMARC1; p=none; sp=quarantine"}, "example.com", "example.com", "sp", "quarantine"),
        ("mail.example.com", {"mail.example.com": ["v=DMARC1; p=reject", "v=DMARC1; p=quarantine"], "example.com": "v=DMARC1; p=none"}, "example.com", "example.com", "p", "none"),
        # Other texts are no records.
        ("mail.example.com", {"mail.example.com": ["x", "v=dmarc1; p=none", "p=none; v=DMARC1"], "example.com": "v=DMARC1; p=quarantine"}, "example.com", "example.com", "p", "quarantine"),
        ("example.com", {"example.com": ["x", "v=DMARC1; p=reject"]}, "example.com", "example.com", "p", "reject"),
        # A public suffix speaks for those below who do not, with sp.
        ("mail.giant.bank.example", {"bank.example": "v=DMARC1; p=reject; sp=quarantine; psd=y"}, "giant.bank.example", "bank.example", "sp", "quarantine"),
        ("foo.example", {"example": "v=DMARC1; p=reject; psd=y", "foo.example": "v=DMARC1; p=none"}, "foo.example", "foo.example", "p", "none"),
        ("a.foo.example", {"example": "v=DMARC1; p=reject; psd=y", "foo.example": "v=DMARC1; p=none"}, "foo.example", "foo.example", "p", "none"),
        # A public suffix that sends mail itself is its own organization.
        ("bank.example", {"bank.example": "v=DMARC1; p=reject; sp=none; psd=y"}, "bank.example", "bank.example", "p", "reject"),
        # A bad policy counts as none when reports can be sent.
        ("example.com", {"example.com": "v=DMARC1; p=foo; rua=mailto:a@b.example"}, "example.com", "example.com", "p", "none"),
        ("a.example.com", {"example.com": "v=DMARC1; p=reject; sp=foo; rua=mailto:a@b.example"}, "example.com", "example.com", "p", "none"),
    ],
)  # fmt: skip
def test_policy_is_found(
    author: str, records: Zones, organization: str, where: str, tag: str, policy: str
) -> None:
    found = discovered(author, records, exists=(author,))
    assert found.organizational_domain == organization
    assert (found.record_domain, found.tag, found.policy) == (where, tag, policy)


@pytest.mark.parametrize(
    "records",
    [
        {},
        {"other.example": "v=DMARC1; p=reject"},
        {"mail.example.com": "v=DMARC1; p=foo"},
        # A record that means no DMARC does not hand over to the parent.
        {"mail.example.com": "v=DMARC1; p=foo", "example.com": "v=DMARC1; p=reject"},
        {"mail.example.com": ["v=DMARC1; p=reject", "v=DMARC1; p=none"]},
    ],
)
def test_domain_may_have_no_policy(records: Zones) -> None:
    found = discovered("mail.example.com", records)
    assert (found.record, found.record_domain, found.policy) == (None, "", Policy.NONE)


NP = {"example.com": "v=DMARC1; p=reject; sp=none; np=quarantine"}


def test_np_is_for_names_that_do_not_exist() -> None:
    missing, other = (
        discovered("sub.example.com", NP),
        discovered("sub.example.com", NP, exists=("sub.example.com",)),
    )
    assert (missing.tag, missing.policy) == ("np", Policy.QUARANTINE)
    assert (other.tag, other.policy) == ("sp", Policy.NONE)
    assert discovered("example.com", NP).policy == Policy.REJECT


def test_existence_is_asked_for_only_where_it_matters() -> None:
    for author, records in (
        ("example.com", NP),
        ("sub.example.com", {"example.com": "v=DMARC1; p=reject; sp=none"}),
    ):
        world = World(records)
        asyncio.run(dmarc.discover_policy(author, world))
        assert all(question.endswith(" TXT") for question in world.asked)


@pytest.mark.parametrize(
    "name", ["_dmarc.sub.example.com", "_dmarc.example.com", "_dmarc.com", "sub.example.com"]
)
def test_silence_is_never_no_policy(name: str) -> None:
    with pytest.raises(LookupFailed) as caught:
        discovered("sub.example.com", NP, fails=(name,))
    assert (caught.value.name, caught.value.reason) == (name, "servfail")


def test_names_too_long_to_exist_are_not_asked_for() -> None:
    author = ".".join(["a" * 60] * 4) + ".com"
    assert len(author) <= 253
    assert author not in discovered(author, {}).queried


def test_testing_means_one_policy_lower() -> None:
    assert [policy.one_lower for policy in (Policy.REJECT, Policy.QUARANTINE, Policy.NONE)] == [
        "quarantine",
        "none",
        "none",
    ]


def test_reports_abroad_need_consent() -> None:
    def taken(records: Zones, uri: str) -> bool:
        return asyncio.run(
            dmarc.takes_reports(uri, "example.com", World({"example.com": "v=DMARC1", **records}))
        )

    assert taken({}, "mailto:a@example.com")
    assert taken({}, "mailto:a@reports.EXAMPLE.com?subject=x")
    assert not taken({}, "mailto:a@panel.example")
    world = World({"example.com": "v=DMARC1"})
    world.records["example.com._report._dmarc.panel.example"] = ["v=DMARC1;"]
    assert asyncio.run(dmarc.takes_reports("mailto:a@panel.example", "example.com", world))
    world.fails = ("example.com._report._dmarc.panel.example",)
    with pytest.raises(LookupFailed):
        asyncio.run(dmarc.takes_reports("mailto:a@panel.example", "example.com", world))


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
