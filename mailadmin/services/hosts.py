"""Verbs of mail hosts: the operator's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import current_app
from django.db import transaction

from mailadmin.actors import Actor
from mailadmin.errors import NotAllowed
from mailadmin.models import MailHost
from mailadmin.push import hostrows
from mailadmin.services import audit


def add_host(
    name: str,
    agent_url: str,
    *,
    by: Actor,
    client_settings: dict[str, Any] | None = None,
    addresses: Sequence[str] = (),
) -> MailHost:
    """Make a mail host known, or renew how it is reached. `addresses` are those it sends from."""
    _operator_only(by)
    with transaction.atomic():
        host, made = MailHost.objects.update_or_create(
            name=name,
            defaults={
                "agent_url": agent_url,
                "client_settings": client_settings or {},
                "addresses": list(addresses),
            },
        )
        audit.record(by, "host.added" if made else "host.changed", host, after={"agent": agent_url})
    return host


def save_host(host: MailHost, *, changed: list[str], by: Actor) -> None:
    """Save what a person may change of a host; the push's own record is left alone."""
    _operator_only(by)
    fields = ["name", "agent_url", "accepts_domains", "client_settings", "addresses"]
    with transaction.atomic():
        host.save(update_fields=fields if host.pk else None)
        audit.record(by, "host.changed", host, after={"fields": changed})


def push_now(host: MailHost, *, by: Actor) -> None:
    """Try again at once, whatever the back-off says."""
    _operator_only(by)
    with transaction.atomic():
        MailHost.objects.filter(pk=host.pk).update(next_attempt_at=None)
        audit.record(by, "host.push", host)
        transaction.on_commit(lambda: hostrows.ring(host.pk), robust=True)


def check_drift(host: MailHost, *, by: Actor) -> None:
    """Have a worker compare the host with the panel."""
    _start(host, "mailadmin.tasks.check_drift", "host.check_drift", by)


def resync(host: MailHost, *, reason: str, by: Actor) -> None:
    """Have a worker send everything; also the decision in a fork that the panel is right."""
    _start(host, "mailadmin.tasks.resync_host", "host.resync", by, reason=reason)


def allow_mass_removal(host: MailHost, *, reason: str, by: Actor) -> None:
    """Let the batch through that would remove many mailboxes: once."""
    _operator_only(by)
    with transaction.atomic():
        MailHost.objects.filter(pk=host.pk, condition=MailHost.Condition.MASS_REMOVAL).update(
            allow_mass_removal=True, condition=MailHost.Condition.OK, next_attempt_at=None
        )
        audit.record(by, "host.mass_removal_allowed", host, after={"reason": reason})
        transaction.on_commit(lambda: hostrows.ring(host.pk), robust=True)


def _start(host: MailHost, task: str, code: str, by: Actor, **after: str) -> None:
    _operator_only(by)
    with transaction.atomic():
        audit.record(by, code, host, after=after)
        transaction.on_commit(
            lambda: current_app.send_task(task, args=[host.pk], retry=False), robust=True
        )


def _operator_only(by: Actor) -> None:
    if not by.is_operator or by.account is not None:
        raise NotAllowed
