"""The record of every act: codes and ids in the event, names of people in its erasable detail."""

from __future__ import annotations

from typing import Any

from mailadmin.actors import Actor
from mailadmin.models import Account, Address, AuditDetail, AuditEvent, Domain, MailHost, Plan, User
from maildns.models import DkimKey

Audited = Account | Address | Domain | DkimKey | MailHost | Plan | User


def record(
    by: Actor,
    code: str,
    thing: Audited,
    *,
    account: Account | None = None,
    domain: Domain | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEvent:
    """Write one event inside the caller's transaction. `before` and `after` hold no secret."""
    if isinstance(thing, Address):
        domain = thing.domain
    elif isinstance(thing, Domain):
        domain = thing
    if isinstance(thing, Account):
        account = thing
    event = AuditEvent.objects.create(
        code=code,
        account=account or (domain.account if domain else by.account),
        domain_key=domain.pk if domain else None,
        object_kind=thing._meta.model_name or "",
        object_key=str(thing.pk),
        user_key=by.user.pk if by.user else None,
        impersonator_key=by.impersonator.pk if by.impersonator else None,
        role=by.role,
        door=by.door,
        change_id=by.change_id,
    )
    AuditDetail.objects.create(
        event=event,
        who=by.label,
        in_place_of=by.impersonator.email if by.impersonator else "",
        ip=by.ip or None,
        subject=str(thing)[:254],
        before=before or {},
        after=after or {},
    )
    return event
