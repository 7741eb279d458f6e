"""Which DMARC record applies (RFC 9989, 4.10 and its appendix B.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from maildns import dmarc_walk
from maildns.answers import Answer, Outcome
from maildns.dmarc import Alignment, Policy
from maildns.dmarc_walk import DmarcPolicy
from maildns.errors import LookupFailed

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
    return asyncio.run(dmarc_walk.discover_policy(author, World(records, **facts)))


def aligned(author: str, domain: str, records: Zones, mode: Alignment = Alignment.RELAXED) -> bool:
    return asyncio.run(dmarc_walk.is_aligned(author, domain, mode, World(records)))


def test_deep_name_takes_eight_queries() -> None:
    """RFC 9989, B.4.2."""
    world = World({"example.com": "v=DMARC1; p=none", "signing.example.com": "v=DMARC1; p=reject"})
    found = asyncio.run(dmarc_walk.discover_policy("a.b.c.d.e.f.g.h.i.j.k.example.com", world))
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
    assert found.queried == dmarc_walk.walked_names("a.b.c.d.e.f.g.h.i.j.k.example.com")


def test_names_of_eight_and_nine_labels_take_eight_queries_too() -> None:
    eight, nine = (
        dmarc_walk.walked_names("a.b.c.d.e.f.example.com"),
        dmarc_walk.walked_names("x.a.b.c.d.e.f.example.com"),
    )
    assert (len(eight), eight[1]) == (8, "b.c.d.e.f.example.com")
    assert (len(nine), nine[1]) == (8, "b.c.d.e.f.example.com")
    assert dmarc_walk.walked_names("com") == ("com",)


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
        asyncio.run(dmarc_walk.discover_policy(author, world))
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


def test_reports_abroad_need_consent() -> None:
    def taken(records: Zones, uri: str) -> bool:
        return asyncio.run(
            dmarc_walk.takes_reports(
                uri, "example.com", World({"example.com": "v=DMARC1", **records})
            )
        )

    assert taken({}, "mailto:a@example.com")
    assert taken({}, "mailto:a@reports.EXAMPLE.com?subject=x")
    assert not taken({}, "mailto:a@panel.example")
    world = World({"example.com": "v=DMARC1"})
    world.records["example.com._report._dmarc.panel.example"] = ["v=DMARC1;"]
    assert asyncio.run(dmarc_walk.takes_reports("mailto:a@panel.example", "example.com", world))
    world.fails = ("example.com._report._dmarc.panel.example",)
    with pytest.raises(LookupFailed):
        asyncio.run(dmarc_walk.takes_reports("mailto:a@panel.example", "example.com", world))
