"""Verbs of forwards: addresses without storage that lead to their targets."""

from __future__ import annotations

from django.db import transaction

from mailadmin import access, naming
from mailadmin.actors import Actor
from mailadmin.errors import StateConflict
from mailadmin.models import Address, Domain, Forward
from mailadmin.push import hostrows
from mailadmin.services import addresses, audit, limits


def create_forward(domain: Domain, *, local_part: str, targets: str, by: Actor) -> Forward:
    """Create a forward. `targets` is one address per line, inside or outside, as typed.

    Raises BadLocalPart, BadTarget, AddressTaken, LimitReached, LoopFound.
    """
    access.may_write(by, domain)
    local_part = naming.parse_address(local_part, domain=domain.name)
    emails = naming.parse_targets(targets)
    with transaction.atomic():
        limits.take(domain.account, "forwards")
        address = addresses.reserve(domain, local_part, Address.Kind.FORWARD)
        addresses.set_targets(address, emails)
        forward = Forward.objects.create(address=address)
        audit.record(by, "forward.created", address, after={"targets": emails})
        hostrows.touch(address, by=by)
    return forward


def change_targets(forward: Forward, targets: str, *, by: Actor) -> Forward:
    """Lead a forward elsewhere. Raises BadTarget, LoopFound, StateConflict in the trash."""
    access.may_write(by, forward.address)
    emails = naming.parse_targets(targets)
    with transaction.atomic():
        address = addresses.lock(forward.address)
        if address.is_in_trash:
            raise StateConflict(address=address.email, state=address.state)
        before = addresses.leads_to(address)
        addresses.set_targets(address, emails)
        audit.record(
            by, "forward.targets", address, before={"targets": before}, after={"targets": emails}
        )
        hostrows.touch(address, by=by)
    return forward
