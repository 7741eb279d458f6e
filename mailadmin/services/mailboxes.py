"""Verbs of mailboxes."""

from __future__ import annotations

from django.db import transaction
from django.utils import translation

from mailadmin import access, naming, passwords
from mailadmin.actors import Actor
from mailadmin.errors import NotAllowed, QuotaBelowUse, StateConflict
from mailadmin.models import Address, Credential, Domain, Mailbox
from mailadmin.push import hostrows, usage
from mailadmin.services import addresses, audit, limits


def create_mailbox(
    domain: Domain,
    *,
    local_part: str,
    password: str,
    quota_mib: int | None,
    by: Actor,
    name: str = "",
) -> Mailbox:
    """Create a mailbox; the mail host is told after the commit.

    `local_part` may be typed with the domain behind it. `quota_mib` is in MiB; None means no
    limit, which only an account without a storage limit may give.
    Raises BadLocalPart, WeakPassword, AddressTaken, LimitReached.
    """
    access.may_write(by, domain)
    local_part = naming.parse_address(local_part, domain=domain.name)
    passwords.check_strength(password, address=f"{local_part}@{domain.name}")
    hashed = passwords.hash_password(password)  # about 30 ms: never inside a transaction
    return insert_mailbox(
        domain, local_part=local_part, hashed=hashed, quota_mib=quota_mib, name=name, by=by
    )


def insert_mailbox(
    domain: Domain,
    *,
    local_part: str,
    hashed: str,
    quota_mib: int | None,
    by: Actor,
    name: str = "",
) -> Mailbox:
    """The creating transaction, for a password that is already hashed."""
    with transaction.atomic():
        limits.take(domain.account, "mailboxes")
        limits.take_quota(domain.account, quota_mib)
        address = addresses.reserve(domain, local_part, Address.Kind.MAILBOX)
        mailbox = Mailbox.objects.create(
            address=address, quota_mib=quota_mib, name=name, welcome_in=_welcome_language(by)
        )
        Credential.objects.create(mailbox=mailbox, hash=hashed)
        audit.record(by, "mailbox.created", address, after={"quota_mib": quota_mib})
        hostrows.touch(address, by=by)
    return mailbox


def _welcome_language(by: Actor) -> str:
    """Who sets up one mailbox reads about it in his language; a command sets up many."""
    return "" if by.door == "command" else translation.get_language() or ""


def change_password(mailbox: Mailbox, password: str, *, by: Actor) -> None:
    """Set the main password; open sessions of the mailbox end. Raises WeakPassword."""
    access.may_write(by, mailbox.address)
    passwords.check_strength(password, address=mailbox.address.email)
    hashed = passwords.hash_password(password)
    with transaction.atomic():
        address = addresses.lock(mailbox.address)
        _refuse_trash(address)
        Credential.objects.update_or_create(
            mailbox=mailbox, public_prefix="", defaults={"hash": hashed}
        )
        audit.record(by, "mailbox.password", address)
        hostrows.touch(address, by=by)


def change_quota(mailbox: Mailbox, quota_mib: int | None, *, by: Actor) -> None:
    """Give a mailbox more or less storage, in MiB. Raises LimitReached, QuotaBelowUse.

    What is used is asked from the host, before the transaction; while the host does not say, less
    is taken too: nothing is deleted by it, new mail is refused until there is room.
    """
    access.may_write(by, mailbox.address)
    if quota_mib is not None and quota_mib < 1:
        raise NotAllowed
    if quota_mib is not None and quota_mib < (mailbox.quota_mib or quota_mib + 1):
        used = usage.used_mib(mailbox)
        if used is not None and used > quota_mib:
            raise QuotaBelowUse(used_mib=used)
    with transaction.atomic():
        address = addresses.lock(mailbox.address)
        _refuse_trash(address)
        mailbox = Mailbox.objects.get(pk=mailbox.pk)
        limits.take_quota(address.domain.account, quota_mib, freed_mib=mailbox.quota_mib or 0)
        before, mailbox.quota_mib = mailbox.quota_mib, quota_mib
        mailbox.save(update_fields=["quota_mib"])
        audit.record(
            by,
            "mailbox.quota",
            address,
            before={"quota_mib": before},
            after={"quota_mib": quota_mib},
        )
        hostrows.touch(address, by=by)


def rename_person(mailbox: Mailbox, name: str, *, by: Actor) -> None:
    """Change the name of the person; the host does not know it."""
    access.may_write(by, mailbox.address)
    with transaction.atomic():
        before, mailbox.name = mailbox.name, name
        mailbox.save(update_fields=["name"])
        audit.record(
            by, "mailbox.name", mailbox.address, before={"name": before}, after={"name": name}
        )


def set_forwarding(mailbox: Mailbox, targets: str, *, keep_copy: bool, by: Actor) -> None:
    """Let a mailbox forward, with or without a kept copy; an empty text ends it.

    `targets` is one address per line, as typed. Raises BadTarget, LoopFound.
    """
    access.may_write(by, mailbox.address)
    emails = naming.parse_targets(targets) if targets.strip() else []
    with transaction.atomic():
        address = addresses.lock(mailbox.address)
        _refuse_trash(address)
        before = {"targets": addresses.leads_to(address), "keep_copy": mailbox.keep_copy}
        addresses.set_targets(address, emails)
        mailbox.keep_copy = keep_copy or not emails
        mailbox.save(update_fields=["keep_copy"])
        audit.record(
            by,
            "mailbox.forwarding",
            address,
            before=before,
            after={"targets": emails, "keep_copy": mailbox.keep_copy},
        )
        hostrows.touch(address, by=by)


def _refuse_trash(address: Address) -> None:
    if address.is_in_trash:
        raise StateConflict(address=address.email, state=address.state)
