"""Host rows: a service says what a host must learn, the worker is rung after the commit."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import structlog
from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from mailadmin.actors import Actor
from mailadmin.models import Address, Domain, HostRow, MailHost
from maildns.models import DkimKey

log = structlog.get_logger(__name__)

Pushed = Domain | Address | DkimKey


@dataclass(frozen=True)
class RowRef:
    """Names one host row."""

    host_id: int
    kind: str
    key: str
    domain_key: int = 0


def ref(thing: Pushed) -> RowRef:
    """Return the host row in which `thing` travels."""
    match thing:
        case Domain():
            return RowRef(thing.host_id, HostRow.Kind.DOMAIN, str(thing.pk), thing.pk)
        case Address():
            return RowRef(
                thing.domain.host_id, HostRow.Kind.ADDRESS, str(thing.pk), thing.domain_id
            )
        case DkimKey():
            domain = Domain.objects.get(zone_id=thing.zone_id)
            return RowRef(domain.host_id, HostRow.Kind.DKIM, str(thing.pk), domain.pk)


def touch(*things: Pushed, by: Actor, bulk: bool = False) -> None:
    """Stamp the rows of `things` with the next generations of their hosts.

    Call it last in the service's transaction: it locks the hosts, in the order of their ids.
    """
    stamp([ref(thing) for thing in things], by=by, bulk=bulk)


def remove(*refs: RowRef, by: Actor, bulk: bool = False) -> None:
    """Have the hosts forget these rows. Mail stays until a purge row says otherwise."""
    stamp(refs, by=by, bulk=bulk, removed=True)


def purge(host_id: int, storage_id: str, *, by: Actor) -> None:
    """Have the host remove stored mail for ever."""
    stamp([RowRef(host_id, HostRow.Kind.PURGE, storage_id)], by=by)


def stamp(refs: Iterable[RowRef], *, by: Actor, bulk: bool = False, removed: bool = False) -> None:
    unique = {(r.host_id, r.kind, r.key): r for r in refs}
    for host_id in sorted({r.host_id for r in unique.values()}):
        rows = [r for r in unique.values() if r.host_id == host_id]
        first = _next_generations(host_id, len(rows))
        now = timezone.now()
        HostRow.objects.bulk_create(
            [
                HostRow(
                    host_id=host_id,
                    kind=row.kind,
                    key=row.key,
                    domain_key=row.domain_key,
                    generation=first + offset,
                    removed=removed,
                    bulk=bulk,
                    change_id=by.change_id,
                    touched_at=now,
                )
                for offset, row in enumerate(rows)
            ],
            update_conflicts=True,
            unique_fields=["host", "kind", "key"],
            update_fields=[
                "domain_key",
                "generation",
                "removed",
                "bulk",
                "change_id",
                "touched_at",
                "sampled",
                "fault_code",
                "fault_facts",
                "attempts",
                "next_proof_at",
                "took_ms",
            ],
        )
        transaction.on_commit(partial(ring, host_id), robust=True)


def _next_generations(host_id: int, count: int) -> int:
    """Take `count` consecutive generations under the host's lock; return the first."""
    hosts = MailHost.objects.filter(pk=host_id)
    if connection.features.has_select_for_update:
        hosts.select_for_update().get()
    hosts.update(generation=F("generation") + count)
    return hosts.values_list("generation", flat=True).get() - count + 1


# Rings wait for Redis here and not in the request: a stuck broker must not hold up a page.
_ringers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="doorbell")
_waiting = threading.BoundedSemaphore(500)


def ring(host_id: int, *, delay_seconds: float = 0) -> None:
    """Wake a worker for this host. A lost ring costs at most one interval of the sweep."""
    wake("mailadmin.tasks.push_host", host_id, delay_seconds=delay_seconds)


def wake(task: str, *arguments: int, delay_seconds: float = 0) -> None:
    """Have a worker run a task that beat runs now and then anyway."""
    if _waiting.acquire(blocking=False):
        _ringers.submit(_wake, task, arguments, delay_seconds)


def _wake(task: str, arguments: tuple[int, ...], delay_seconds: float) -> None:
    try:
        current_app.send_task(
            task,
            args=arguments,
            countdown=delay_seconds or None,
            queue=settings.CELERY_TASK_DEFAULT_QUEUE,
            retry=False,
        )
    except Exception as error:  # noqa: BLE001  (the save has succeeded; the sweep delivers)
        log.warning("doorbell_lost", task=task, arguments=arguments, error=type(error).__name__)
    finally:
        _waiting.release()
