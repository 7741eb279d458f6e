"""Claims: who may say that a name is his, and what proves it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from factories import OPERATOR, World, actor, make_mailbox, make_user, make_world
from fakedns import FakeResolver
from zonedata import look, right_zone

from mailadmin import access
from mailadmin.errors import (
    AddressInUse,
    AlreadyHeld,
    BadDomainName,
    DomainDeleted,
    LimitReached,
    NameBelowAnother,
    NameReserved,
    NotAllowed,
    NotContested,
    NotFound,
    ReasonMissing,
)
from mailadmin.models import Address, Domain, DomainClaim, HostRow, Mailbox
from mailadmin.push import render
from mailadmin.services import accounts, aliases, claims, domains, sts
from maildns.models import DkimKey

pytestmark = pytest.mark.django_db

NAME = "mueller-dach.de"


@pytest.fixture(autouse=True)
def _settings(settings) -> None:
    settings.PUBLIC_HOST = settings.WEB_NAME = "panel.example.net"
    settings.REPORTS_DOMAIN = "reports.example.org"


@pytest.fixture
def world() -> World:
    world = make_world()
    for account in (world.alice, world.charlie, world.alice.parent, world.charlie.parent):
        accounts.override_limit(account, "domains", 5, by=OPERATOR)
    return world


def claim_of(world, account, name: str = NAME) -> DomainClaim:
    return claims.claim(name, account, by=actor(account))


def prove(claim: DomainClaim, *servers: str, **failing: str) -> None:
    """Look at a zone whose servers show each a text at _postkontor."""
    data = {
        f"ns{number}": {claim.name: {"NS": ["x"]}}
        | ({f"_postkontor.{claim.name}": {"TXT": [text]}} if text else {})
        for number, text in enumerate(servers, 1)
    }
    claims.check([claim], resolver=FakeResolver(claim.name, data, failing))


def token(claim: DomainClaim) -> str:
    return claims.proof_of(claim).records[0].value


def test_proved_claim_is_held_with_keys_and_reaches_the_host(world) -> None:
    claim = claim_of(world, world.alice)
    rows = HostRow.objects.count()
    prove(claim, "")
    assert HostRow.objects.count() == rows
    prove(claim, token(claim), token(claim))
    domain = Domain.objects.get(name=NAME)
    assert (domain.account, domain.held_by) == (world.alice, "txt")
    assert DkimKey.objects.filter(zone=domain.zone).count() == 2
    assert HostRow.objects.filter(kind="domain", key=str(domain.pk)).exists()
    assert not DomainClaim.objects.filter(name=NAME, account=world.alice).exists()


def test_mail_that_goes_elsewhere_today_goes_on_to_until_the_mx_is_ours(world) -> None:
    claim = claim_of(world, world.alice)
    data = {
        NAME: {"NS": ["x"], "MX": ["10 mx.old.example"]},
        f"_postkontor.{NAME}": {"TXT": [token(claim)]},
    }
    claims.check([claim], resolver=FakeResolver(NAME, {"ns1": data}))
    domain = Domain.objects.get(name=NAME)
    assert domain.mail_elsewhere
    look(domain, right_zone(domain, without=("mx",)))
    assert domain.mail_elsewhere
    look(domain, right_zone(domain))
    assert not domain.mail_elsewhere


@pytest.mark.parametrize(
    "servers",
    [("own", ""), ("own", "postkontor-domain-verification=0"), ("",), ("foreign", "foreign")],
)
def test_case_017_only_the_own_token_on_all_servers_proves(world, servers) -> None:
    mine, other = claim_of(world, world.alice), claim_of(world, world.charlie)
    texts = {"own": token(mine), "foreign": token(other)}
    prove(mine, *(texts.get(each, each) for each in servers))
    assert not Domain.objects.filter(name=NAME).exists()


def test_case_017_server_that_does_not_answer_proves_nothing(world) -> None:
    claim = claim_of(world, world.alice)
    prove(claim, token(claim), token(claim), ns2="timeout")
    assert not Domain.objects.filter(name=NAME).exists()


def test_tokens_are_bound_to_account_domain_and_claim(world) -> None:
    first = claim_of(world, world.alice)
    tokens = {
        token(first),
        token(claim_of(world, world.charlie)),
        token(claim_of(world, world.alice, "b.de")),
    }
    claims.withdraw(first, by=actor(world.alice))
    tokens.add(token(claim_of(world, world.alice)))
    assert len(tokens) == 4


def test_proof_of_a_name_that_another_holds_is_for_the_operator(world) -> None:
    claim = claim_of(world, world.alice)
    domains.hold_domain_by_word(NAME, world.charlie, reason="call", by=OPERATOR)
    prove(claim, token(claim))
    claim.refresh_from_db()
    assert claim.state == "contested"
    assert Domain.objects.get(name=NAME).account == world.charlie


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("gmail.com", NameReserved),
        ("mail.gmx.de", NameReserved),
        ("mail.example.net", AlreadyHeld),
        ("example.net", NameReserved),
        ("x.panel.example.net", NameReserved),
        ("reports.example.org", NameReserved),
        ("co.uk", BadDomainName),
        ("de", BadDomainName),
        ("localhost", BadDomainName),
        ("*.example.com", BadDomainName),
        ("192.0.2.1", BadDomainName),
        ("2.0.192.in-addr.arpa", BadDomainName),
        ("sub.fremd.test", NameBelowAnother),
        ("example.test", AlreadyHeld),
    ],
)
def test_case_018_names_that_nobody_may_claim(world, name, error) -> None:
    with pytest.raises(error):
        claim_of(world, world.alice, name)


def test_case_018_special_use_names_need_a_setting(world, settings) -> None:
    settings.ALLOW_SPECIAL_USE_DOMAINS = False
    with pytest.raises(BadDomainName):
        claim_of(world, world.alice, "neu.test")


def test_own_subdomain_may_be_claimed(world) -> None:
    assert claim_of(world, world.alice, "sub.example.test")


def test_limit_is_told_before_the_proof(world) -> None:
    accounts.override_limit(world.alice, "domains", 1, by=OPERATOR)
    with pytest.raises(LimitReached):
        claim_of(world, world.alice)


def test_claims_are_their_account_s_own(world) -> None:
    claim = claim_of(world, world.alice)
    with pytest.raises(NotFound):
        access.get_claim(actor(world.charlie), claim.uid)
    with pytest.raises(NotFound):
        claims.withdraw(claim, by=actor(world.charlie))
    with pytest.raises(NotFound):
        claims.ask_for_check(claim, by=actor(world.charlie))


def test_claim_that_nobody_proves_is_forgotten(world) -> None:
    claim_of(world, world.alice)
    claims.check_due(now=timezone.now() + timedelta(days=61))
    assert not DomainClaim.objects.exists()


# --- the end of a domain ------------------------------------------------------------------------


def test_case_024_deleted_domain_rests_and_nobody_takes_its_name(world) -> None:
    domain = world.domain
    domains.delete_domain(domain, by=actor(world.alice))
    assert not access.domains_for(actor(world.alice)).exists()
    assert not access.addresses_for(actor(world.alice)).exists()
    (row,) = render.render(HostRow.objects.filter(kind="domain", key=str(domain.pk)))
    assert row["remove"]
    addresses = render.render(HostRow.objects.filter(kind="address", key=str(world.mailbox.pk)))
    assert addresses[0]["remove"]
    with pytest.raises(DomainDeleted):
        domains.hold_domain_by_word("example.test", world.charlie, reason="x", by=OPERATOR)
    policy = sts.policy_for("example.test")
    assert policy is not None and policy.mode == "none"


def test_case_024_next_holder_starts_empty(world) -> None:
    storage_id = world.mailbox.storage_id
    domains.delete_domain(world.domain, by=actor(world.alice))
    assert domains.end_rests(by=OPERATOR, now=timezone.now() + timedelta(days=29)) == 0
    assert domains.end_rests(by=OPERATOR, now=timezone.now() + timedelta(days=31)) == 1
    assert HostRow.objects.filter(kind="purge", key=storage_id).exists()
    new = domains.hold_domain_by_word("example.test", world.charlie, reason="x", by=OPERATOR)
    assert not Address.objects.filter(domain=new).exists()
    old = DkimKey.objects.filter(zone=new.zone, state="retired")
    assert old.count() == 2 and not any(key.private_key_sealed for key in old)
    assert sts.policy_for("example.test").mode == "testing"


def test_deleted_domain_comes_back_with_its_mailboxes_and_new_keys(world) -> None:
    domains.delete_domain(world.domain, by=actor(world.alice))
    with pytest.raises(NotFound):
        domains.restore_domain(world.domain, by=actor(world.charlie))
    domains.restore_domain(world.domain, by=actor(world.alice))
    assert access.addresses_for(actor(world.alice)).filter(pk=world.mailbox.pk).exists()
    states = list(world.domain.zone.dkim_keys.order_by("pk").values_list("state", flat=True))
    assert states == ["retired", "retired", "staged", "staged"]


def test_deleted_domain_that_no_longer_fits_stays_deleted(world) -> None:
    domains.delete_domain(world.domain, by=actor(world.alice))
    accounts.override_limit(world.alice, "domains", 0, by=OPERATOR)
    with pytest.raises(LimitReached):
        domains.restore_domain(world.domain, by=actor(world.alice))
    assert Domain.objects.get(pk=world.domain.pk).deleted_at


def test_domain_that_another_one_s_alias_needs_is_not_deleted(world) -> None:
    second = domains.hold_domain_by_word("zwei.test", world.alice, reason="x", by=OPERATOR)
    make_mailbox(second, "a", quota_mib=1)
    aliases.create_alias(second, local_part="b", mailbox=world.mailbox, by=OPERATOR)
    with pytest.raises(AddressInUse):
        domains.delete_domain(world.domain, by=actor(world.alice))


def contested(world) -> tuple[DomainClaim, Domain, Mailbox]:
    """A name that alice holds by word, and that charlie has proved."""
    held = domains.hold_domain_by_word(NAME, world.alice, reason="phone", by=OPERATOR)
    box = make_mailbox(held, "info")
    claim = claim_of(world, world.charlie)
    prove(claim, token(claim), token(claim))
    claim.refresh_from_db()
    assert claim.state == DomainClaim.State.CONTESTED
    return claim, held, box


def test_operator_gives_a_contested_domain_to_who_proved_it(
    world, django_capture_on_commit_callbacks
) -> None:
    make_user("alice@outside.example", world.alice)
    claim, held, box = contested(world)
    with django_capture_on_commit_callbacks(execute=True):
        domain = claims.settle(claim, reason="papers shown", by=OPERATOR)
    assert (domain.account, domain.held_by) == (world.charlie, "txt")
    assert not Address.objects.filter(domain__name=NAME).exists()
    assert HostRow.objects.filter(kind="purge", key=box.storage_id).exists()
    removed = HostRow.objects.get(kind="domain", key=str(held.pk))
    assert render.render([removed])[0].get("remove")
    assert not DomainClaim.objects.filter(name=NAME).exists()
    assert [letter.to for letter in mail.outbox] == [["alice@outside.example"]]


def test_only_the_operator_settles_and_only_what_is_contested(world) -> None:
    claim, _held, _box = contested(world)
    with pytest.raises(NotAllowed):
        claims.settle(claim, reason="mine", by=actor(world.charlie))
    with pytest.raises(ReasonMissing):
        claims.settle(claim, reason=" ", by=OPERATOR)
    claim.state = DomainClaim.State.WAITING
    with pytest.raises(NotContested):
        claims.settle(claim, reason="papers", by=OPERATOR)
    assert Domain.objects.get(name=NAME).account == world.alice
