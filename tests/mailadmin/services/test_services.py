"""Verbs of the services: what they do, whom they refuse, what they record."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from factories import (
    OPERATOR,
    PASSWORD,
    World,
    actor,
    make_account,
    make_alias,
    make_domain,
    make_forward,
    make_mailbox,
    make_world,
)

from mailadmin import access
from mailadmin.errors import (
    AddressInUse,
    AddressTaken,
    AlreadyHeld,
    LimitReached,
    LoopFound,
    MailAdminError,
    NotAllowed,
    NotFound,
    ReasonMissing,
    StateConflict,
)
from mailadmin.models import Account, Address, AuditEvent, Domain, HostRow, Mailbox, Target
from mailadmin.models.states import State
from mailadmin.services import (
    accounts,
    addresses,
    aliases,
    claims,
    domains,
    forwards,
    limits,
    mailboxes,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


def test_f05_mailbox_is_created_while_the_broker_is_away(
    world, django_capture_on_commit_callbacks, settings
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        mailbox = make_mailbox(world.domain, "neu")
    assert HostRow.objects.filter(kind="address", key=str(mailbox.pk)).exists()


def test_event_names_who_and_what_without_a_secret(world) -> None:
    event = AuditEvent.objects.filter(code="mailbox.created").latest("pk")
    assert event.detail.subject == "chef@fremd.test"
    assert (event.door, event.role) == ("command", "operator")


STRANGER_VERBS = [
    lambda w, by: mailboxes.create_mailbox(w.foreign_domain, local_part="x", password=PASSWORD, quota_mib=1, by=by),
    lambda w, by: mailboxes.change_password(w.foreign_mailbox, PASSWORD, by=by),
    lambda w, by: mailboxes.change_quota(w.foreign_mailbox, 1, by=by),
    lambda w, by: mailboxes.set_forwarding(w.foreign_mailbox, "a@b.example", keep_copy=True, by=by),
    lambda w, by: mailboxes.rename_person(w.foreign_mailbox, "x", by=by),
    lambda w, by: aliases.create_alias(w.foreign_domain, local_part="x", mailbox=w.mailbox, by=by),
    lambda w, by: aliases.create_alias(w.domain, local_part="x", mailbox=w.foreign_mailbox, by=by),
    lambda w, by: forwards.create_forward(w.foreign_domain, local_part="x", targets="a@b.example", by=by),
    lambda w, by: domains.set_catch_all(w.foreign_domain, "a@b.example", by=by),
    lambda w, by: domains.set_domain_state(w.foreign_domain, State.OFF, by=by),
    lambda w, by: domains.set_mail_elsewhere(w.foreign_domain, True, by=by),
    lambda w, by: domains.hold_domain_by_word("neu.test", w.charlie, reason="x", by=by),
    lambda w, by: addresses.set_state(w.foreign_mailbox.address, State.OFF, by=by),
    lambda w, by: addresses.move_to_trash(w.foreign_mailbox.address, by=by),
    lambda w, by: addresses.restore(w.foreign_mailbox.address, by=by),
    lambda w, by: addresses.delete_for_ever(w.foreign_mailbox.address, by=by),
    lambda w, by: accounts.change_contact(w.charlie, "a@b.example", by=by),
    lambda w, by: accounts.set_account_state(w.charlie, State.OFF, by=by),
]  # fmt: skip


@pytest.mark.parametrize("verb", STRANGER_VERBS)
@pytest.mark.parametrize("who", ["customer", "reseller", "viewer", "nobody"])
def test_case_001_005_stranger_changes_nothing(world, verb, who) -> None:
    by = {
        "customer": actor(world.alice),
        "reseller": actor(world.bob),
        "viewer": actor(world.alice, "viewer"),
        "nobody": access.Actor(user=None, role="nobody"),
    }[who]
    before = (HostRow.objects.count(), AuditEvent.objects.count(), Address.objects.count())
    with pytest.raises((NotFound, NotAllowed)):
        verb(world, by)
    assert before == (HostRow.objects.count(), AuditEvent.objects.count(), Address.objects.count())


def test_viewer_sees_and_may_not_change(world) -> None:
    by = actor(world.alice, "viewer")
    assert access.get_mailbox(by, world.mailbox.address.uid) == world.mailbox
    with pytest.raises(NotAllowed):
        mailboxes.change_quota(world.mailbox, 1, by=by)


def test_domain_manager_reaches_his_domain_only(world) -> None:
    second = make_domain_of(world.alice, "zweite.test")
    by = actor(world.alice, "manager", second)
    assert list(access.domains_for(by)) == [second]
    with pytest.raises(NotFound):
        access.get_mailbox(by, world.mailbox.address.uid)


def make_domain_of(account: Account, name: str) -> Domain:
    accounts.override_limit(account, "domains", 5, by=OPERATOR)
    return make_domain(account, name)


def test_reseller_reaches_his_customers_objects(world) -> None:
    by = actor(world.bob)
    assert world.domain in access.domains_for(by)
    assert world.foreign_domain not in access.domains_for(by)


@pytest.mark.parametrize("kind", ["mailbox", "alias", "forward", "trash"])
def test_taken_address_says_by_what(world, kind) -> None:
    match kind:
        case "alias":
            make_alias(world.mailbox, "name")
        case "forward":
            make_forward(world.domain, "name")
        case _:
            box = make_mailbox(world.domain, "name")
            if kind == "trash":
                addresses.move_to_trash(box.address, by=OPERATOR)
    with pytest.raises(AddressTaken) as refused:
        make_mailbox(world.domain, "name")
    assert refused.value.by == kind and "name@example.test" in refused.value.for_user()


@pytest.mark.parametrize("bad", ["Upper", "a..b", "", "a b", "x" * 65, "|cmd", ".a", "a."])
def test_database_itself_refuses_a_bad_local_part(world, bad) -> None:
    with pytest.raises((IntegrityError, Exception)) as refused, transaction.atomic():
        Address.objects.create(domain=world.domain, local_part=bad, kind="mailbox")
    assert (
        "constraint" in str(refused.value).lower()
        or "too long" in str(refused.value).lower()
        or bad == ""
    )


def test_limit_of_mailboxes_holds_and_the_trash_does_not_count(world) -> None:
    accounts.override_limit(world.alice, "mailboxes", 2, by=OPERATOR)
    second = make_mailbox(world.domain, "zwei")
    with pytest.raises(LimitReached) as refused:
        make_mailbox(world.domain, "drei")
    assert (refused.value.what, refused.value.allowed, refused.value.used) == ("mailboxes", 2, 2)
    addresses.move_to_trash(second.address, by=OPERATOR)
    make_mailbox(world.domain, "drei")
    with pytest.raises(LimitReached):
        addresses.restore(second.address, by=OPERATOR)


def test_limit_of_storage_is_the_sum_of_what_is_given_out(world) -> None:
    accounts.override_limit(world.alice, "quota_mib", 150, by=OPERATOR)
    with pytest.raises(LimitReached):
        make_mailbox(world.domain, "zwei", quota_mib=51)
    make_mailbox(world.domain, "zwei", quota_mib=50)
    with pytest.raises(LimitReached):
        mailboxes.change_quota(world.mailbox, None, by=actor(world.alice))
    mailboxes.change_quota(world.mailbox, 90, by=OPERATOR)


def test_case_007_limit_of_the_reseller_holds_for_all_his_customers(world) -> None:
    accounts.override_limit(world.alice, "mailboxes", 5, by=OPERATOR)
    with pytest.raises(LimitReached):
        accounts.override_limit(world.alice, "mailboxes", 501, by=OPERATOR)
    with pytest.raises(NotAllowed):
        accounts.override_limit(world.alice, "mailboxes", None, by=actor(world.bob))
    with pytest.raises(NotFound):
        accounts.override_limit(world.charlie, "mailboxes", 1, by=actor(world.bob))


def test_zero_is_zero_and_none_is_unlimited(world) -> None:
    free = make_account("Frei", max_mailboxes=None, max_quota_mib=None, max_domains=1)
    domain = make_domain(free, "frei.test")
    assert make_mailbox(domain, "x", quota_mib=None).quota_mib is None
    none = make_account("Null", max_mailboxes=0, max_domains=1)
    with pytest.raises(LimitReached):
        make_mailbox(make_domain(none, "null.test"))


@pytest.mark.django_db(transaction=True)
def test_case_007_two_at_once_do_not_oversell() -> None:
    account = make_account("Eng", max_mailboxes=3, max_quota_mib=1000, max_domains=1)
    domain = make_domain(account, "eng.test")
    refused: list[MailAdminError] = []

    def create(number: int) -> None:
        try:
            make_mailbox(domain, f"box{number}", quota_mib=1)
        except MailAdminError as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Mailbox.objects.count() == 3
    assert len(refused) == 5


def test_case_045_loops_are_refused_with_the_chain(world) -> None:
    make_forward(world.domain, "a", "b@example.test")
    with pytest.raises(LoopFound) as refused:
        make_forward(world.domain, "b", "a@example.test")
    assert "a@example.test" in refused.value.for_user()
    with pytest.raises(LoopFound):
        mailboxes.set_forwarding(world.mailbox, "info@example.test", keep_copy=True, by=OPERATOR)
    with pytest.raises(LoopFound):
        mailboxes.set_forwarding(world.mailbox, "info+x@example.test", keep_copy=True, by=OPERATOR)


def test_catch_all_onto_itself_is_a_loop(world) -> None:
    with pytest.raises(LoopFound):
        domains.set_catch_all(world.domain, "niemand@example.test", by=OPERATOR)
    make_forward(world.domain, "f", "unbekannt@example.test")
    with pytest.raises(LoopFound):
        domains.set_catch_all(world.domain, "f@example.test", by=OPERATOR)
    domains.set_catch_all(world.domain, "info@example.test", by=OPERATOR)
    assert Domain.objects.get(name="example.test").catch_all == "info@example.test"


def test_trash_keeps_what_it_was_and_restores_it(world) -> None:
    addresses.set_state(world.mailbox.address, State.LOGIN_OFF, by=OPERATOR)
    address = Address.objects.get(pk=world.mailbox.pk)
    addresses.move_to_trash(address, by=OPERATOR)
    address.refresh_from_db()
    assert address.is_in_trash
    with pytest.raises(StateConflict):
        mailboxes.change_quota(world.mailbox, 5, by=OPERATOR)
    addresses.restore(address, by=OPERATOR)
    address.refresh_from_db()
    assert address.state == State.LOGIN_OFF


def test_trash_is_emptied_after_its_days_and_the_mail_purged(world) -> None:
    storage_id = world.mailbox.storage_id
    make_alias(world.mailbox)
    for address in Address.objects.filter(domain=world.domain):
        addresses.move_to_trash(address, by=OPERATOR)
    assert addresses.empty_trash(by=OPERATOR, now=timezone.now() + timedelta(days=29)) == 0
    assert addresses.empty_trash(by=OPERATOR, now=timezone.now() + timedelta(days=31)) >= 1
    assert not Address.objects.filter(domain=world.domain).exists()
    assert HostRow.objects.filter(kind="purge", key=storage_id).exists()


def test_mailbox_with_living_aliases_is_not_deleted_for_ever(world) -> None:
    make_alias(world.mailbox)
    addresses.move_to_trash(world.mailbox.address, by=OPERATOR)
    with pytest.raises(AddressInUse):
        addresses.delete_for_ever(Address.objects.get(pk=world.mailbox.pk), by=OPERATOR)


def test_absent_row_never_purges_mail(world) -> None:
    addresses.move_to_trash(world.mailbox.address, by=OPERATOR)
    assert not HostRow.objects.filter(kind="purge").exists()


def test_case_016_held_domain_is_not_available_and_a_claim_blocks_nobody(world) -> None:
    accounts.override_limit(world.alice, "domains", 5, by=OPERATOR)
    accounts.override_limit(world.charlie, "domains", 5, by=OPERATOR)
    claims.claim("neu.test", world.alice, by=actor(world.alice))
    claims.claim("neu.test", world.charlie, by=actor(world.charlie))
    domains.hold_domain_by_word("NEU.test.", world.charlie, reason="call", by=OPERATOR)
    with pytest.raises(AlreadyHeld) as refused:
        domains.hold_domain_by_word("neu.test", world.alice, reason="call", by=OPERATOR)
    assert "Charlie" not in refused.value.for_user()


def test_case_015_claimed_domain_reaches_no_host(world) -> None:
    accounts.override_limit(world.alice, "domains", 5, by=OPERATOR)
    rows = HostRow.objects.count()
    claims.claim("muellers-dach.de", world.alice, by=actor(world.alice))
    assert HostRow.objects.count() == rows


def test_word_needs_a_reason_and_a_right(world) -> None:
    accounts.override_limit(world.alice, "domains", 5, by=OPERATOR)
    with pytest.raises(ReasonMissing):
        domains.hold_domain_by_word("neu.test", world.alice, reason=" ", by=OPERATOR)
    with pytest.raises(NotAllowed):
        domains.hold_domain_by_word("neu.test", world.alice, reason="x", by=actor(world.alice))
    with pytest.raises(NotAllowed):
        domains.hold_domain_by_word("neu.test", world.alice, reason="x", by=actor(world.bob))
    world.bob.plan.domains_by_word = True
    world.bob.plan.save()
    domains.hold_domain_by_word("neu.test", world.alice, reason="x", by=actor(world.bob))


def test_new_domain_has_staged_keys_and_only_the_word_makes_it_sign(world) -> None:
    from mailadmin.services import dkim

    key, other = world.domain.zone.dkim_keys.order_by("pk")
    assert (key.algorithm, other.algorithm) == ("rsa", "ed25519")
    assert key.state == other.state == "staged"
    with pytest.raises(NotAllowed):
        dkim.switch_to_signing_by_word(world.domain, key, reason="x", by=actor(world.alice))
    dkim.switch_to_signing_by_word(world.domain, key, reason="seen", by=OPERATOR)
    key.refresh_from_db()
    assert key.state == "signing"
    assert AuditEvent.objects.filter(code="dkim.signing").exists()


def test_targets_of_a_foreign_tenant_are_only_addresses(world) -> None:
    forward = make_forward(world.domain, "f", "chef@fremd.test")
    assert Target.objects.get(address=forward.address).email == "chef@fremd.test"
    assert not access.addresses_for(actor(world.alice)).filter(domain=world.foreign_domain).exists()


def test_usage_counts_what_the_dashboard_shows(world) -> None:
    make_alias(world.mailbox)
    shown = limits.usages(world.alice)
    assert (shown["mailboxes"].used, shown["aliases"].used, shown["quota_mib"].used) == (1, 1, 100)
