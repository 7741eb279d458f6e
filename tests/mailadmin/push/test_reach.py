"""What a host must answer to RCPT, along ways of several steps."""

from __future__ import annotations

import pytest
from factories import (
    OPERATOR,
    make_account,
    make_alias,
    make_domain,
    make_forward,
    make_mailbox,
)

from mailadmin.models import Address, Domain
from mailadmin.models.states import State
from mailadmin.push import proof, reach
from mailadmin.services import addresses, domains

pytestmark = pytest.mark.django_db


@pytest.fixture
def domain() -> Domain:
    alice = make_account(
        "Alice", max_domains=5, max_mailboxes=20, max_forwards=20, max_aliases=20,
        max_quota_mib=100_000,
    )  # fmt: skip
    return make_domain(alice)


def again(address: Address) -> Address:
    return Address.objects.get(pk=address.pk)


def test_chain_of_forwards_reaches_the_mailbox_at_its_end(domain) -> None:
    box = make_mailbox(domain, "ende")
    make_forward(domain, "mitte", "ende@example.test")
    start = make_forward(domain, "start", "mitte@example.test")
    assert reach.accepts(again(start.address))
    addresses.set_state(box.address, State.OFF, by=OPERATOR)
    assert not reach.accepts(again(start.address))


def test_forward_to_the_outside_reaches_somebody(domain) -> None:
    forward = make_forward(domain, "start", "kunde@outside.example")
    assert reach.accepts(again(forward.address))


def test_alias_of_a_mailbox_in_the_trash_reaches_nobody(domain) -> None:
    box = make_mailbox(domain, "ende")
    alias = make_alias(box)
    start = make_forward(domain, "start", "kontakt@example.test")
    addresses.move_to_trash(box.address, by=OPERATOR)
    assert not reach.accepts(again(alias.address))
    assert not reach.accepts(again(start.address))


def test_way_that_turns_into_a_circle_reaches_nobody(domain) -> None:
    box = make_mailbox(domain, "ende")
    start = make_forward(domain, "start", "ende@example.test")
    domains.set_catch_all(domain, "start@example.test", by=OPERATOR)
    addresses.move_to_trash(box.address, by=OPERATOR)
    assert not reach.accepts(again(start.address))
    assert not reach.takes_unknown(Domain.objects.get(pk=domain.pk))


def test_reserved_name_always_reaches_somebody(domain) -> None:
    start = make_forward(domain, "start", "abuse@example.test")
    assert reach.accepts(again(start.address))


# --- a domain whose mail goes to its former provider ---------------------------------------------


@pytest.fixture
def moving(domain) -> Domain:
    moving = make_domain(domain.account, "umzug.test")
    return domains.set_mail_elsewhere(moving, True, by=OPERATOR)


def anew(domain: Domain) -> Domain:
    return Domain.objects.get(pk=domain.pk)


@pytest.mark.parametrize("state", [State.ACTIVE, State.LOGIN_OFF, State.OFF])
def test_domain_that_is_being_moved_is_foreign_for_its_mail_and_ours_for_its_people(
    moving, state
) -> None:
    box = make_mailbox(moving, "wer")
    forward = make_forward(moving, "fort", "kunde@outside.example")
    addresses.set_state(box.address, state, by=OPERATOR)
    domains.set_catch_all(moving, "kunde@outside.example", by=OPERATOR)
    expected = proof.of_address(again(box.address))
    assert (expected["rcpt"], expected["login"]) == (450, state == State.ACTIVE)
    assert proof.of_address(again(forward.address))["rcpt"] == 450
    assert proof.of_domain(anew(moving))["rcpt"] == 450
    domains.set_mail_elsewhere(moving, False, by=OPERATOR)
    expected = proof.of_address(again(box.address))
    assert expected["rcpt"] == (550 if state == State.OFF else 250)
    assert proof.of_address(again(forward.address))["rcpt"] == 250
    assert proof.of_domain(anew(moving))["rcpt"] == 250


def test_switched_off_domain_that_is_being_moved_is_foreign(moving) -> None:
    domains.set_domain_state(moving, State.OFF, by=OPERATOR)
    assert proof.of_domain(anew(moving))["rcpt"] == 450
    domains.set_mail_elsewhere(moving, False, by=OPERATOR)
    assert proof.of_domain(anew(moving))["rcpt"] == 550


@pytest.mark.parametrize("its_own", [True, False])
def test_alias_domain_goes_by_itself_or_with_its_domain(domain, its_own) -> None:
    second = make_domain(domain.account, "zweitname.test")
    Domain.objects.filter(pk=second.pk).update(canonical=domain)
    domains.set_catch_all(domain, "kunde@outside.example", by=OPERATOR)
    domains.set_mail_elsewhere(second if its_own else domain, True, by=OPERATOR)
    assert proof.of_domain(anew(second))["rcpt"] == 450
    assert proof.of_domain(anew(domain))["rcpt"] == (250 if its_own else 450)
    assert reach.is_read("niemand@zweitname.test")


def test_whatever_leads_to_the_old_place_reaches_somebody(domain, moving) -> None:
    off = make_mailbox(moving, "aus")
    addresses.set_state(off.address, State.OFF, by=OPERATOR)
    for number, target in enumerate(("aus", "niemand")):
        forward = make_forward(domain, f"hin{number}", f"{target}@umzug.test")
        assert reach.accepts(again(forward.address))
    domains.set_mail_elsewhere(moving, False, by=OPERATOR)
    assert not reach.accepts(again(forward.address))


def refusal(reply: str) -> dict:
    return {"ok": False, "code": "rcpt_refused", "facts": {"reply": reply}}


def test_full_mailbox_is_served_as_it_should_be_only_where_mail_is_taken() -> None:
    full = refusal("452 4.2.2 Mailbox is full")
    assert proof.judge(full, {"rcpt": 250})["ok"]
    for other in (550, 450):
        assert not proof.judge(full, {"rcpt": other})["ok"]
