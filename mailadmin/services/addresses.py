"""What all addresses share: being taken, leading somewhere, their states, the trash."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from mailadmin import access, loops
from mailadmin.actors import Actor
from mailadmin.errors import (
    AddressInUse,
    AddressTaken,
    DomainParked,
    LoopFound,
    NotInTrash,
    StateConflict,
)
from mailadmin.models import Address, Alias, Domain, Target
from mailadmin.models.states import State
from mailadmin.push import hostrows
from mailadmin.services import audit, limits


def find_conflict(domain: Domain, local_part: str) -> AddressTaken | None:
    """Say what this address already is, trash included; None when it is free."""
    address = (
        Address.objects.select_related("domain", "alias__mailbox__address__domain")
        .filter(domain=domain, local_part=local_part)
        .first()
    )
    if address is None:
        return None
    return AddressTaken(
        address=address.email,
        by="trash" if address.is_in_trash else address.kind,
        leads_to=leads_to(address),
        uid=str(address.uid),
    )


def leads_to(address: Address) -> list[str]:
    if address.kind == Address.Kind.ALIAS:
        return [address.alias.mailbox.address.email]
    return [target.email for target in address.targets.all()]


def reserve(domain: Domain, local_part: str, kind: Address.Kind) -> Address:
    """Take an address in canonical form. Raises AddressTaken, DomainParked."""
    _refuse_parked(domain)
    if conflict := find_conflict(domain, local_part):
        raise conflict
    try:
        with transaction.atomic():
            return Address.objects.create(domain=domain, local_part=local_part, kind=kind)
    except IntegrityError as error:
        # Somebody took it between the look and the save.
        raise find_conflict(domain, local_part) or error from error


def _refuse_parked(domain: Domain) -> None:
    if Domain.objects.filter(pk=domain.pk, is_parked=True).exists():
        raise DomainParked(domain=domain.name)


def set_targets(address: Address, emails: list[str]) -> None:
    """Replace where an address leads. Raises LoopFound when mail would come back."""
    refuse_loop(address.email, emails, keeps=address.kind == Address.Kind.MAILBOX)
    address.targets.all().delete()
    Target.objects.bulk_create(
        [
            Target(address=address, position=position, email=email)
            for position, email in enumerate(emails)
        ]
    )


def refuse_loop(start: str, targets: Iterable[str], *, keeps: bool = False) -> None:
    """Raise LoopFound when mail to `start`, once it leads to `targets`, would come back to it."""
    chain = loops.find_loop(start, list(targets), lead_further)
    if chain:
        raise LoopFound(chain=chain)


def refuse_catch_all_loop(domain: Domain, email: str) -> None:
    """Raise LoopFound when unknown names of `domain` would lead back to unknown names of it."""
    anything = f"*@{domain.name}"

    def further(asked: str) -> list[str]:
        return [anything] if _is_unknown(asked, domain) else lead_further(asked)

    if chain := loops.find_loop(anything, [email], further):
        raise LoopFound(chain=chain)


def refuse_loops_through(domain: Domain) -> None:
    """Raise LoopFound when mail to an address of `domain` would come back to it."""
    leading = Address.objects.outside_trash().filter(domain=domain, targets__isnull=False)
    for address in leading.distinct().select_related("domain").prefetch_related("targets"):
        refuse_loop(address.email, leads_to(address))
    if domain.catch_all:
        refuse_catch_all_loop(domain, domain.catch_all)


def _is_unknown(email: str, domain: Domain) -> bool:
    """Whether the catch-all of `domain` would take mail for this address."""
    local_part, _at, name = email.rpartition("@")
    home = Domain.objects.filter(name=name, deleted_at=None).first()
    if home is None or domain.pk not in (home.pk, home.canonical_id):
        return False
    base = local_part.partition("+")[0]
    return (
        not Address.objects.filter(domain=domain, local_part=base).exclude(state="trash").exists()
    )


def lead_further(email: str) -> list[str]:
    """Return where mail to a hosted address goes on to; nothing when it stays or leaves us."""
    local_part, _at, name = email.rpartition("@")
    domain = Domain.objects.select_related("canonical").filter(name=name, deleted_at=None).first()
    if domain is None or not domain.is_received:
        return []
    if domain.canonical:
        return [f"{local_part}@{domain.canonical.name}"]
    home = domain
    address = (
        Address.objects.select_related("domain", "alias__mailbox__address__domain")
        .outside_trash()
        .filter(domain=home, local_part=local_part.partition("+")[0])
        .first()
    )
    if address is not None:
        return leads_to(address)
    return [home.catch_all] if home.catch_all else []


def dependents(address: Address) -> list[Address]:
    """Addresses whose rows on the host tell something of this one: its aliases, or its mailbox."""
    if address.kind == Address.Kind.MAILBOX:
        return [
            alias.address
            for alias in Alias.objects.select_related("address__domain").filter(
                mailbox__address=address
            )
        ]
    if address.kind == Address.Kind.ALIAS:
        return [address.alias.mailbox.address]
    return []


def lock(address: Address) -> Address:
    """Lock the accounts above, then read the address anew: changes of one tenant come in turn."""
    limits.lock(address.domain.account)
    return Address.objects.select_related("domain__account").get(pk=address.pk)


def set_state(address: Address, state: State, *, by: Actor) -> Address:
    """Switch between active, log-in off and off. Raises StateConflict for what is in the trash."""
    access.may_write(by, address)
    with transaction.atomic():
        address = lock(address)
        if address.is_in_trash or state == State.TRASH:
            raise StateConflict(address=address.email, state=address.state)
        if address.kind != Address.Kind.MAILBOX and state == State.LOGIN_OFF:
            raise StateConflict(address=address.email, state=address.state)
        before, address.state = address.state, state
        address.save(update_fields=["state"])
        audit.record(
            by, f"{address.kind}.state", address, before={"state": before}, after={"state": state}
        )
        hostrows.touch(address, *dependents(address), by=by)
    return address


def move_to_trash(address: Address, *, by: Actor) -> Address:
    """Take an address out of use; it stays reserved, and its mail is kept, for `TRASH_DAYS`.

    Raises AddressInUse for a mailbox that still has aliases outside the trash.
    """
    access.may_write(by, address)
    with transaction.atomic():
        address = lock(address)
        if address.is_in_trash:
            return address
        address.state_before_trash, address.state = address.state, State.TRASH
        address.trashed_at = timezone.now()
        address.save(update_fields=["state", "state_before_trash", "trashed_at"])
        audit.record(by, f"{address.kind}.trashed", address)
        # The aliases of a mailbox lead nowhere now; their rows say so, and say it again later.
        hostrows.touch(address, *dependents(address), by=by)
    return address


def restore(address: Address, *, by: Actor) -> Address:
    """Bring an address back as it was. Raises NotInTrash, LimitReached, LoopFound, DomainParked."""
    access.may_write(by, address)
    with transaction.atomic():
        account = address.domain.account
        limits.take(account, limits.KIND_LIMITS[address.kind])
        _refuse_parked(address.domain)
        address = lock(address)
        if not address.is_in_trash:
            raise NotInTrash(address=address.email)
        if address.kind == Address.Kind.MAILBOX:
            limits.take_quota(account, address.mailbox.quota_mib)
        refuse_loop(address.email, leads_to(address))
        address.state = address.state_before_trash or State.ACTIVE
        address.state_before_trash, address.trashed_at = "", None
        address.save(update_fields=["state", "state_before_trash", "trashed_at"])
        audit.record(by, f"{address.kind}.restored", address)
        hostrows.touch(address, *dependents(address), by=by)
    return address


def delete_for_ever(address: Address, *, by: Actor) -> None:
    """Free an address in the trash, and have its stored mail removed. It cannot be undone.

    Raises NotInTrash, and AddressInUse while aliases still name the mailbox.
    """
    access.may_write(by, address)
    with transaction.atomic():
        address = lock(address)
        if not address.is_in_trash:
            raise NotInTrash(address=address.email)
        gone = [address]
        storage_id = None
        if address.kind == Address.Kind.MAILBOX:
            storage_id = address.mailbox.storage_id
            aliases = dependents(address)
            living = [alias.email for alias in aliases if not alias.is_in_trash]
            if living:
                raise AddressInUse(address=address.email, used_by=living)
            gone = [*aliases, address]
        rests = [] if address.kind == Address.Kind.MAILBOX else dependents(address)
        refs = [hostrows.ref(each) for each in gone]
        host_id = address.domain.host_id
        for each in gone:
            audit.record(by, f"{each.kind}.deleted", each)
            each.delete()
        hostrows.touch(*rests, by=by)
        hostrows.remove(*refs, by=by)
        if storage_id:
            hostrows.purge(host_id, storage_id, by=by)


def trash_ends_at(address: Address) -> datetime | None:
    return address.trashed_at and address.trashed_at + timedelta(days=settings.TRASH_DAYS)


def empty_trash(*, by: Actor, now: datetime | None = None) -> int:
    """Delete for ever what has been in the trash for `TRASH_DAYS`; return how many."""
    limit = (now or timezone.now()) - timedelta(days=settings.TRASH_DAYS)
    due = Address.objects.filter(
        state=State.TRASH, trashed_at__lt=limit, domain__deleted_at=None
    ).select_related("domain")
    count = 0
    # Aliases first: a mailbox waits for those that name it.
    for address in sorted(due, key=lambda each: each.kind != Address.Kind.ALIAS):
        if not Address.objects.filter(pk=address.pk).exists():
            continue
        try:
            delete_for_ever(address, by=by)
        except AddressInUse:
            continue
        count += 1
    return count
