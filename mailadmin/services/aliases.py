"""Verbs of aliases: second addresses of one mailbox."""

from __future__ import annotations

from django.db import transaction

from mailadmin import access, naming
from mailadmin.actors import Actor
from mailadmin.errors import StateConflict
from mailadmin.models import Address, Alias, Domain, Mailbox
from mailadmin.push import hostrows
from mailadmin.services import addresses, audit, limits


def create_alias(domain: Domain, *, local_part: str, mailbox: Mailbox, by: Actor) -> Alias:
    """Give `mailbox` a second address in `domain`.

    The mailbox may then also send from it. Raises BadLocalPart, AddressTaken, LimitReached,
    StateConflict when the mailbox is in the trash, NotFound when it is not the actor's.
    """
    access.may_write(by, domain)
    access.may_write(by, mailbox.address)
    local_part = naming.parse_address(local_part, domain=domain.name)
    with transaction.atomic():
        limits.take(domain.account, "aliases")
        target = addresses.lock(mailbox.address)
        if target.is_in_trash or target.domain.account_id != domain.account_id:
            raise StateConflict(address=target.email, state=target.state)
        address = addresses.reserve(domain, local_part, Address.Kind.ALIAS)
        alias = Alias.objects.create(address=address, mailbox=mailbox)
        addresses.refuse_loop(address.email, [target.email])
        audit.record(by, "alias.created", address, after={"targets": [target.email]})
        hostrows.touch(address, target, by=by)
    return alias


def point_alias(alias: Alias, mailbox: Mailbox, *, by: Actor) -> Alias:
    """Make an alias the second address of another mailbox of the same account."""
    access.may_write(by, alias.address)
    access.may_write(by, mailbox.address)
    with transaction.atomic():
        address = addresses.lock(alias.address)
        alias = Alias.objects.select_related("mailbox__address__domain").get(pk=alias.pk)
        target = Address.objects.select_related("domain").get(pk=mailbox.pk)
        if target.is_in_trash or target.domain.account_id != address.domain.account_id:
            raise StateConflict(address=target.email, state=target.state)
        old = alias.mailbox.address
        addresses.refuse_loop(address.email, [target.email])
        alias.mailbox = mailbox
        alias.save(update_fields=["mailbox"])
        audit.record(
            by,
            "alias.pointed",
            address,
            before={"targets": [old.email]},
            after={"targets": [target.email]},
        )
        hostrows.touch(address, old, target, by=by)
    return alias
