"""Celery tasks: each calls one function of push/; ids in, nothing out."""

from __future__ import annotations

from celery import shared_task
from django.db.models import F, Q
from django.utils import timezone

from mailadmin.actors import operator_by_command
from mailadmin.models import HostRow, MailHost
from mailadmin.push import apply, drift, hostrows, proof


@shared_task
def push_host(host_id: int) -> None:
    """Bring one mail host up to its newest generation; safe to repeat, to lose and to double."""
    apply.push_host(host_id)


@shared_task
def prove_host(host_id: int) -> None:
    """Prove what waits for it on one host."""
    proof.prove_due(host_id)


@shared_task
def sweep() -> None:
    """Find what a lost doorbell left behind: hosts that lag, rows that wait for their proof."""
    now = timezone.now()
    due = Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)
    behind = MailHost.objects.filter(due, generation__gt=F("applied_generation"))
    for host_id in behind.values_list("pk", flat=True):
        hostrows.ring(host_id)
    waiting = HostRow.objects.filter(next_proof_at__lte=now, applied_generation=F("generation"))
    for host_id in waiting.values_list("host_id", flat=True).distinct():
        prove_host.delay(host_id)


@shared_task
def check_drift(host_id: int) -> None:
    """Compare one host with the panel; send again what differs."""
    drift.check_drift(host_id, by=operator_by_command())


@shared_task
def check_all_drift() -> None:
    for host_id in MailHost.objects.values_list("pk", flat=True):
        check_drift.delay(host_id)


@shared_task
def resync_host(host_id: int) -> None:
    """Send one host everything."""
    drift.resync_host(host_id)
