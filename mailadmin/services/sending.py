"""Sending under control: what is too much is put off and told; one click stops a mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from mailadmin import access
from mailadmin.actors import Actor
from mailadmin.errors import NotStopped, StateConflict
from mailadmin.models import Address, HostRow, Mailbox, MailHost, SendingAlarm
from mailadmin.models.mailboxes import Waiting
from mailadmin.models.states import State
from mailadmin.push import hostrows, sent, wire
from mailadmin.services import addresses, audit, letters

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Rate:
    """Recipients within the last hour; None is unknown, or without a limit."""

    in_hour: int | None
    allowed: int | None


def rate_of(mailbox: Mailbox) -> Rate:
    found = sent.of(mailbox)
    allowed = mailbox.address.domain.account.allowed("sent_mailbox")
    return Rate(found.in_hour if found else None, allowed)


def stop(mailbox: Mailbox, *, by: Actor) -> None:
    """Stop a mailbox at once: log-ins and sessions end, what waits from it is held.

    It goes on receiving. Raises StateConflict for what is in the trash.
    """
    access.may_write(by, mailbox.address)
    with transaction.atomic():
        address = addresses.lock(mailbox.address)
        if address.is_in_trash:
            raise StateConflict(address=address.email, state=address.state)
        Mailbox.objects.filter(pk=mailbox.pk).update(
            stopped_at=timezone.now(), waiting=Waiting.HOLD
        )
        address.state = State.LOGIN_OFF
        address.save(update_fields=["state"])
        audit.record(by, "mailbox.stopped", address)
        hostrows.touch(address, by=by)
        _settle_soon(mailbox)


def lift(mailbox: Mailbox, waiting: Waiting, *, by: Actor) -> None:
    """Let a stopped mailbox log in and send again; what waits is released or deleted.

    Raises NotStopped.
    """
    access.may_write(by, mailbox.address)
    with transaction.atomic():
        address = addresses.lock(mailbox.address)
        stopped = Mailbox.objects.filter(pk=mailbox.pk).exclude(stopped_at=None)
        if not stopped.update(stopped_at=None, waiting=waiting):
            raise NotStopped(address=address.email)
        if address.state == State.LOGIN_OFF:
            address.state = State.ACTIVE
            address.save(update_fields=["state"])
        audit.record(by, "mailbox.lifted", address, after={"waiting": waiting})
        hostrows.touch(address, by=by)
        _settle_soon(mailbox)


def _settle_soon(mailbox: Mailbox) -> None:
    transaction.on_commit(
        lambda: hostrows.wake("panel.tasks.settle_queue", mailbox.pk, delay_seconds=1), robust=True
    )


def settle_queues() -> None:
    """Do with the queues what people decided, as far as the hosts are there."""
    for mailbox in Mailbox.objects.exclude(waiting="")[:500]:
        settle_queue(mailbox.pk)


def settle_queue(mailbox_id: int) -> None:
    """Hold, release or delete what waits from one mailbox, once its host has learnt its state."""
    mailbox = (
        Mailbox.objects.select_related("address__domain__host").exclude(waiting="")
        .filter(pk=mailbox_id).first()
    )  # fmt: skip
    if mailbox is None or not _is_applied(mailbox.address):
        return
    try:
        count = sent.loose(mailbox, mailbox.waiting)
    except (wire.AgentUnreachable, wire.AgentRefused) as error:
        log.warning("queue_not_settled", mailbox=mailbox.pk, code=error.code)
        return
    Mailbox.objects.filter(pk=mailbox.pk, waiting=mailbox.waiting).update(waiting="")
    log.info("queue_settled", mailbox=mailbox.pk, action=mailbox.waiting, mails=count)


def _is_applied(address: Address) -> bool:
    """Before that somebody who is logged in could still hand in more."""
    row = HostRow.objects.filter(kind=HostRow.Kind.ADDRESS, key=str(address.pk)).first()
    return row is not None and row.applied_generation == row.generation


# --- alarms -------------------------------------------------------------------------------------


def watch_hosts() -> None:
    """Take in what the hosts put off, and tell owner, reseller and operator, once for each."""
    for host in MailHost.objects.exclude(condition=MailHost.Condition.UNREACHABLE):
        try:
            found = sent.alarms(host)
        except (wire.AgentUnreachable, wire.AgentRefused) as error:
            log.info("alarms_unknown", host=host.name, code=error.code)
            continue
        for each in found:
            _take_in(host, each)
    for alarm in SendingAlarm.objects.filter(told_at=None).select_related(
        "address__domain__account__parent"
    )[:100]:
        if letters.sending_slowed(alarm):
            SendingAlarm.objects.filter(pk=alarm.pk).update(told_at=timezone.now())


def _take_in(host: MailHost, fields: dict[str, Any]) -> None:
    local_part, _at, name = str(fields["login"]).rpartition("@")
    address = Address.objects.filter(
        local_part=local_part, domain__name=name, domain__host=host
    ).first()
    with transaction.atomic():
        if address is not None:
            SendingAlarm.objects.create(
                address=address, what=fields["what"], count=fields["count"],
                allowed=fields["allowed"],
            )  # fmt: skip
        MailHost.objects.filter(pk=host.pk).update(alarms_seen=fields["id"])


def latest_alarm(address: Address) -> SendingAlarm | None:
    """The newest one, as long as it is of some use."""
    return address.alarms.order_by("-pk").first()
