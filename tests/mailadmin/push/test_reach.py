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
from mailadmin.push import reach
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
