"""A domain that is being moved to us: its mail goes to the old place until somebody switches."""

from __future__ import annotations

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone
from factories import (
    OPERATOR,
    PASSWORD,
    actor,
    make_account,
    make_domain,
    make_forward,
    make_mailbox,
)

from mailadmin.errors import LoopFound, NotAllowed, RouteTooLarge
from mailadmin.models import Account, AuditEvent, Domain, HostRow
from mailadmin.services import addresses, domains, forwards, mailboxes, welcome

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Account:
    return make_account(
        "Alice", max_domains=5, max_mailboxes=200, max_forwards=50, max_quota_mib=100_000
    )


@pytest.fixture
def here(alice) -> Domain:
    return make_domain(alice)


@pytest.fixture
def moving(alice) -> Domain:
    return domains.set_mail_elsewhere(make_domain(alice, "umzug.test"), True, by=actor(alice))


def touched(*things: object) -> dict[tuple[str, str], bool]:
    """Whether each row that the last change stamped is an import's."""
    first = HostRow.objects.get(kind="domain", key=str(things[0].pk)).generation
    rows = HostRow.objects.filter(generation__gte=first)
    return {(row.kind, row.key): row.bulk for row in rows}


def test_switch_is_recorded_and_has_the_domain_and_its_addresses_proved_anew(alice, here) -> None:
    box, by = make_mailbox(here), actor(alice)
    second = make_domain(alice, "zweitname.test")
    Domain.objects.filter(pk=second.pk).update(canonical=here)
    make_mailbox(make_domain(alice, "anders.test"))
    for elsewhere, code in ((True, "domain.elsewhere"), (False, "domain.here")):
        changed = domains.set_mail_elsewhere(here, elsewhere, by=by)
        assert changed.mail_elsewhere is elsewhere
        assert AuditEvent.objects.latest("pk").code == code
        assert touched(here) == {
            ("domain", str(here.pk)): False, ("domain", str(second.pk)): False,
            ("address", str(box.pk)): False,
        }  # fmt: skip


def test_many_addresses_go_as_an_import_and_their_domain_before_them(alice, here) -> None:
    for number in range(101):
        make_mailbox(here, f"box{number}", quota_mib=1)
    domains.set_mail_elsewhere(here, True, by=actor(alice))
    rows = touched(here)
    assert len(rows) == 102
    assert [place for place, is_bulk in rows.items() if not is_bulk] == [("domain", str(here.pk))]


def test_mailbox_that_waits_for_its_welcome_is_proved_by_itself(alice, here) -> None:
    for number in range(101):
        make_mailbox(here, f"box{number}", quota_mib=1)
    box = mailboxes.create_mailbox(
        here, local_part="neu", password=PASSWORD, quota_mib=1, by=actor(alice)
    )
    domains.set_mail_elsewhere(here, True, by=actor(alice))
    rows = touched(here)
    assert rows["address", str(box.pk)] is False and sum(rows.values()) == 101


def test_switch_that_stands_so_already_tells_nobody(alice, moving) -> None:
    before = (HostRow.objects.latest("generation").generation, AuditEvent.objects.count())
    domains.set_mail_elsewhere(moving, True, by=actor(alice))
    assert (HostRow.objects.latest("generation").generation, AuditEvent.objects.count()) == before


def test_viewer_may_not_switch(alice, here) -> None:
    with pytest.raises(NotAllowed):
        domains.set_mail_elsewhere(here, True, by=actor(alice, "viewer"))
    assert not Domain.objects.get(pk=here.pk).mail_elsewhere


def test_way_ends_at_the_old_place(here, moving) -> None:
    make_forward(moving, "a", "b@example.test")
    assert addresses.lead_further("a@umzug.test") == []
    make_forward(here, "b", "a@umzug.test")
    domains.set_catch_all(moving, "c@example.test", by=OPERATOR)
    domains.set_catch_all(here, "irgendwer@umzug.test", by=OPERATOR)


def test_way_ends_in_an_alias_domain_of_what_moves(alice, moving) -> None:
    make_forward(moving, "a", "b@example.test")
    second = make_domain(alice, "zweitname.test")
    Domain.objects.filter(pk=second.pk).update(canonical=moving)
    assert addresses.lead_further("a@zweitname.test") == []


def test_loop_that_would_close_here_keeps_the_switch_where_it_is(alice, here, moving) -> None:
    make_forward(moving, "a", "b@example.test")
    forward = make_forward(here, "b", "a@umzug.test")
    with pytest.raises(LoopFound) as refused:
        domains.set_mail_elsewhere(moving, False, by=actor(alice))
    assert refused.value.chain == ["a@umzug.test", "b@example.test", "a@umzug.test"]
    assert Domain.objects.get(pk=moving.pk).mail_elsewhere
    forwards.change_targets(forward, "kunde@outside.example", by=OPERATOR)
    domains.set_mail_elsewhere(moving, False, by=actor(alice))
    assert addresses.lead_further("a@umzug.test") == ["b@example.test"]


def test_catch_alls_that_would_close_a_loop_keep_the_switch_where_it_is(here, moving) -> None:
    domains.set_catch_all(moving, "wer@example.test", by=OPERATOR)
    domains.set_catch_all(here, "wer@umzug.test", by=OPERATOR)
    with pytest.raises(LoopFound):
        domains.set_mail_elsewhere(moving, False, by=OPERATOR)


def test_alias_domain_whose_switch_would_close_a_loop_stays(alice, here) -> None:
    second = make_domain(alice, "zweitname.test")
    Domain.objects.filter(pk=second.pk).update(canonical=here, mail_elsewhere=True)
    make_forward(here, "a", "b@example.test")
    make_forward(here, "b", "a@zweitname.test")
    with pytest.raises(LoopFound):
        domains.set_mail_elsewhere(second, False, by=OPERATOR)


def test_way_that_would_become_too_long_keeps_the_switch_where_it_is(here, moving) -> None:
    for number in range(8):
        make_forward(here, f"n{number}", f"n{number + 1}@example.test")
        make_forward(moving, f"m{number}", f"m{number + 1}@umzug.test")
    forward = make_forward(moving, "m8", "kunde@outside.example")
    forwards.change_targets(forward, "n0@example.test", by=OPERATOR)
    with pytest.raises(RouteTooLarge):
        domains.set_mail_elsewhere(moving, False, by=OPERATOR)


def test_welcome_waits_until_mail_comes_here(alice, moving) -> None:
    """It would be delivered to the mailbox at the old place."""
    box = mailboxes.create_mailbox(
        moving, local_part="neu", password=PASSWORD, quota_mib=1, by=actor(alice)
    )
    rows = HostRow.objects.filter(kind="address", key=str(box.pk))

    def prove() -> None:
        seen = {name: F("generation") for name in ("applied_generation", "proved_generation")}
        rows.update(proved_at=timezone.now(), **seen)

    prove()
    welcome.send_due()
    assert mail.outbox == []
    domains.set_mail_elsewhere(moving, False, by=OPERATOR)
    welcome.send_due()
    assert mail.outbox == [], "not before the host has learnt it"
    prove()
    welcome.send_due()
    assert [message.to for message in mail.outbox] == [["neu@umzug.test"]]
