"""Who may see and change what: the only way from anything a user sent to a row.

Absent and foreign are the same answer: NotFound.
"""

from __future__ import annotations

import uuid
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from mailadmin.actors import Actor, Door
from mailadmin.errors import NotAllowed, NotFound
from mailadmin.models import (
    Account,
    Address,
    Alias,
    AuditEvent,
    Domain,
    DomainClaim,
    Forward,
    HostRow,
    Mailbox,
    MailHost,
    Membership,
    User,
)

Found = TypeVar("Found", bound=Model)


def actor_for(user: User, *, door: Door, ip: str = "", change_id: str) -> Actor:
    """The actor that a logged-in user is: an operator, or his first membership."""
    if not user.is_active:
        return Actor(user=user, role="nobody", door=door, ip=ip, change_id=change_id)
    if user.is_superuser:
        return Actor(user=user, role="operator", door=door, ip=ip, change_id=change_id)
    membership = (
        Membership.objects.select_related("account__parent__parent")
        .filter(user=user)
        .order_by("pk")
        .first()
    )
    if membership is None:
        return Actor(user=user, role="nobody", door=door, ip=ip, change_id=change_id)
    return Actor(
        user=user,
        role=membership.role,  # type: ignore[arg-type]
        account=membership.account,
        domain_id=membership.domain_id,
        door=door,
        ip=ip,
        change_id=change_id,
    )


def may_write(actor: Actor, thing: Account | Domain | Address) -> None:
    """Raise NotFound for what the actor cannot see, NotAllowed for what he may only read."""
    manager: Any = type(thing).objects
    if not manager.visible_to(actor).filter(pk=thing.pk).exists():
        raise NotFound
    if not actor.may_write:
        raise NotAllowed


def domains_for(actor: Actor) -> QuerySet[Domain]:
    return Domain.objects.visible_to(actor).select_related("account", "host")


def get_domain(actor: Actor, name: str) -> Domain:
    """Return the domain with this A-label. Raises NotFound."""
    return _one(domains_for(actor).filter(name=name))


def deleted_domains_for(actor: Actor) -> QuerySet[Domain]:
    """Those whose name still rests, so that they can be brought back."""
    return Domain.objects.deleted_of(actor).select_related("account", "host")


def get_deleted_domain(actor: Actor, name: str) -> Domain:
    return _one(deleted_domains_for(actor).filter(name=name))


def claims_for(actor: Actor) -> QuerySet[DomainClaim]:
    return DomainClaim.objects.visible_to(actor).select_related("account")


def get_claim(actor: Actor, uid: str | uuid.UUID) -> DomainClaim:
    return _one(claims_for(actor).filter(uid=_as_uid(uid)))


def addresses_for(actor: Actor) -> QuerySet[Address]:
    return Address.objects.visible_to(actor).select_related("domain")


def get_address(actor: Actor, uid: str | uuid.UUID) -> Address:
    return _one(addresses_for(actor).filter(uid=_as_uid(uid)))


def mailboxes_for(actor: Actor) -> QuerySet[Mailbox]:
    return Mailbox.objects.visible_to(actor).select_related("address__domain")


def get_mailbox(actor: Actor, uid: str | uuid.UUID) -> Mailbox:
    """Return the mailbox whose address has this uid. Raises NotFound."""
    return _one(mailboxes_for(actor).filter(address__uid=_as_uid(uid)))


def aliases_for(actor: Actor) -> QuerySet[Alias]:
    return Alias.objects.visible_to(actor).select_related(
        "address__domain", "mailbox__address__domain"
    )


def get_alias(actor: Actor, uid: str | uuid.UUID) -> Alias:
    return _one(aliases_for(actor).filter(address__uid=_as_uid(uid)))


def forwards_for(actor: Actor) -> QuerySet[Forward]:
    return Forward.objects.visible_to(actor).select_related("address__domain")


def get_forward(actor: Actor, uid: str | uuid.UUID) -> Forward:
    return _one(forwards_for(actor).filter(address__uid=_as_uid(uid)))


def accounts_for(actor: Actor) -> QuerySet[Account]:
    return Account.objects.visible_to(actor)


def audit_for(actor: Actor) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.visible_to(actor).select_related("detail")


def get_host(actor: Actor, uid: str | uuid.UUID) -> MailHost:
    """A mail host; the operator's alone."""
    hosts = MailHost.objects.all() if actor.is_operator and actor.account is None else None
    return _one(hosts.filter(uid=_as_uid(uid)) if hosts is not None else MailHost.objects.none())


def host_rows_for(actor: Actor) -> QuerySet[HostRow]:
    return HostRow.objects.visible_to(actor)


def _one(rows: QuerySet[Found]) -> Found:
    found = rows.first()
    if found is None:
        raise NotFound
    return found


def _as_uid(text: str | uuid.UUID) -> uuid.UUID:
    try:
        return text if isinstance(text, uuid.UUID) else uuid.UUID(text)
    except ValueError as error:
        raise NotFound from error
