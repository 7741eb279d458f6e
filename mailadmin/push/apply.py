"""Bring one mail host up to its newest generation."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Min
from django.utils import timezone

from mailadmin.models import HostRow, MailHost
from mailadmin.push import hostrows, lease, proof, render, wire

log = structlog.get_logger(__name__)

# Rows of people that one batch of an import takes along before their turn.
MAX_OVERTAKING = 200


class HostDiffers(Exception):
    """The host does not stand where the panel last left it."""

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__("fork")
        self.facts = facts


@dataclass(frozen=True)
class Base:
    """Where a host stands."""

    epoch: str
    generation: int
    batch: str

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Base:
        return cls(answer["epoch"], answer["generation"], answer["batch"])

    def as_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "generation": self.generation, "batch": self.batch}


def push_host(host_id: int) -> None:
    """Send all that the host has not acknowledged, then prove it; safe to repeat and to double."""
    while True:
        with lease.held(host_id) as token:
            if token is None:
                return  # the holder looks again after it lets go
            pushed = _push_safely(host_id, token)
        if not pushed:
            return
        proof.prove_due(host_id)
        if not _is_behind(host_id):
            return


def _is_behind(host_id: int) -> bool:
    return MailHost.objects.filter(
        pk=host_id, generation__gt=F("applied_generation"), condition=MailHost.Condition.OK
    ).exists()


def _push_safely(host_id: int, token: int) -> bool:
    """Push under the lease; record what went wrong. False when the host must wait."""
    host = MailHost.objects.get(pk=host_id)
    if host.is_stopped or not is_due(host):
        return False
    try:
        try:
            _push_rows(host, token, fresh=host.condition != MailHost.Condition.OK)
        except wire.AgentUnreachable:
            # A kept connection dies with the agent's restart: one new try tells the difference.
            wire.forget(host.agent_url)
            host.refresh_from_db()
            _push_rows(host, token, fresh=True)
    except wire.AgentUnreachable as error:
        _wait(host, MailHost.Condition.UNREACHABLE, error.code, {"detail": error.detail})
    except HostDiffers as error:
        _stop(host, MailHost.Condition.FORKED, "fork", error.facts)
    except wire.AgentRefused as error:
        if error.code == "stale_token":
            raise lease.LeaseLost(host_id) from error
        if error.code == "fork":
            ours = acknowledged(MailHost.objects.get(pk=host_id)).as_dict()
            _stop(host, MailHost.Condition.FORKED, "fork", {"ours": ours, "there": error.facts})
        elif error.code == "mass_removal":
            _stop(host, MailHost.Condition.MASS_REMOVAL, error.code, error.facts)
        else:
            _wait(host, MailHost.Condition.REFUSED, error.code, error.facts)
    except lease.LeaseLost:
        log.warning("lease_lost", host=host.name)
    else:
        _note_contact(host)
        return True
    return False


def is_due(host: MailHost) -> bool:
    """False while a host that failed is left alone for a while."""
    return host.next_attempt_at is None or host.next_attempt_at <= timezone.now()


def acknowledged(host: MailHost) -> Base:
    """The panel's own record of where the host stands; nothing at all before the first batch."""
    return Base(host.epoch if host.batch else "", host.applied_generation, host.batch)


def _push_rows(host: MailHost, token: int, *, fresh: bool) -> None:
    with wire.connected(host.agent_url, fresh=fresh) as connection:
        if fresh or not host.epoch or host.pending_batch:
            if not fresh:
                connection.hello = connection.call("hello")
            _settle(host, Base.of(connection.hello), connection.hello)
        while rows := list(HostRow.objects.waiting(host)[: settings.PUSH_BATCH_ROWS]):
            is_last = len(rows) < settings.PUSH_BATCH_ROWS
            ahead = [] if is_last else _overtaking(host, rows[-1].generation)
            _push_batch(host, token, connection, rows, ahead)
            if not is_last:
                hostrows.wake("mailadmin.tasks.prove_host", host.pk)


def _overtaking(host: MailHost, generation: int) -> list[HostRow]:
    return list(HostRow.objects.overtaking(host, generation)[:MAX_OVERTAKING])


def _settle(host: MailHost, there: Base, hello: dict[str, Any]) -> None:
    """Compare where the host stands with our own record, and take in a lost answer."""
    host.agent_facts = {key: hello[key] for key in hello if key not in ("ok", "id")}
    host.save(update_fields=["agent_facts"])
    ours = acknowledged(host)
    if there == ours:
        _forget_pending(host)
    elif host.pending_batch and there == Base(
        host.epoch, host.pending_generation, host.pending_batch
    ):
        # The batch had its effect and the answer was lost. Which rows were refused is lost too,
        # so they are sent once more.
        _forget_pending(host)
        _stand_at(host, there)
        hostrows_again = HostRow.objects.filter(
            host=host, generation__gt=ours.generation, generation__lte=there.generation
        )
        _mark_applied(host, hostrows_again)
    else:
        raise HostDiffers({"ours": ours.as_dict(), "there": there.as_dict()})


def _push_batch(
    host: MailHost,
    token: int,
    connection: wire.Connection,
    rows: list[HostRow],
    ahead: list[HostRow],
) -> None:
    """Send `rows`, whose last generation becomes the host's, and `ahead` of their turn some more.

    What is refused ahead of its turn is no fault yet: it may need a row that comes before it.
    """
    lease.extend(host.pk, token)
    # Snapshot of one batch: its last generation becomes the host's.
    to = Base(host.epoch or str(uuid.uuid4()), rows[-1].generation, str(uuid.uuid4()))
    base = acknowledged(host)
    host.epoch, host.pending_generation, host.pending_batch = to.epoch, to.generation, to.batch
    if not MailHost.objects.filter(pk=host.pk, lease_token=token).update(
        epoch=to.epoch, pending_generation=to.generation, pending_batch=to.batch
    ):
        raise lease.LeaseLost(host.pk)
    answer = connection.call(
        "apply",
        token=token,
        base=base.as_dict(),
        to=to.as_dict(),
        removal_share=settings.MASS_REMOVAL_SHARE,
        allow_mass_removal=host.allow_mass_removal,
        rows=render.render([*rows, *ahead]),
    )
    refused = {
        (result["kind"], result["key"]): result for result in answer["results"] if not result["ok"]
    }
    with transaction.atomic():
        _stand_at(host, to)
        _forget_pending(host)
        sent = (
            HostRow.objects.filter(pk__in=[row.pk for row in rows])
            if len(rows) < 100
            else (
                HostRow.objects.filter(
                    host=host, generation__gt=base.generation, generation__lte=to.generation
                )
            )
        )
        no = [row for row in rows if (row.kind, row.key) in refused]
        _mark_applied(
            host,
            sent.filter(generation__lte=to.generation)
            .exclude(pk__in=[r.pk for r in no])
            .exclude(bulk=False, applied_generation=F("generation")),
        )
        if taken := [row for row in ahead if (row.kind, row.key) not in refused]:
            # Whoever changed one of them meanwhile has given it a later generation.
            unchanged = HostRow.objects.filter(generation__lte=ahead[-1].generation)
            _mark_applied(host, unchanged.filter(pk__in=[row.pk for row in taken]))
        for row in no:
            result = refused[row.kind, row.key]
            HostRow.objects.filter(pk=row.pk, generation=row.generation).update(
                fault_code=result["code"], fault_facts=result.get("facts") or {}
            )
    log.info(
        "batch_applied",
        host=host.name,
        generation=to.generation,
        rows=len(rows),
        ahead=len(ahead),
        refused=len(refused),
        took_ms=answer.get("took_ms"),
        changes=sorted({row.change_id for row in rows})[:20],
    )


def _mark_applied(host: MailHost, rows: Any) -> None:
    """Rows the host has taken: interactive ones wait for their proof, bulk ones by sample."""
    now = timezone.now()
    rows.filter(bulk=False).update(
        applied_generation=F("generation"), applied_at=now, next_proof_at=now, fault_code=""
    )
    bulk = rows.filter(bulk=True)
    samples = list(
        bulk.values("domain_key").annotate(first=Min("pk")).values_list("first", flat=True)
    )
    if samples:
        bulk.update(applied_generation=F("generation"), applied_at=now, sampled=True, fault_code="")
        HostRow.objects.filter(pk__in=samples).update(sampled=False, next_proof_at=now)


def _stand_at(host: MailHost, base: Base) -> None:
    host.epoch, host.applied_generation, host.batch = base.epoch, base.generation, base.batch
    host.save(update_fields=["epoch", "applied_generation", "batch"])


def _forget_pending(host: MailHost) -> None:
    if host.pending_batch:
        host.pending_generation, host.pending_batch = 0, ""
        host.save(update_fields=["pending_generation", "pending_batch"])


def _note_contact(host: MailHost) -> None:
    MailHost.objects.filter(pk=host.pk).update(
        condition=MailHost.Condition.OK,
        contacted_at=timezone.now(),
        fault_code="",
        fault_facts={},
        attempts=0,
        next_attempt_at=None,
        allow_mass_removal=False,
    )


def _wait(host: MailHost, condition: str, code: str, facts: dict[str, Any]) -> None:
    """A fault that may pass: try again, later and later, for ever."""
    wire.forget(host.agent_url)
    attempts = host.attempts + 1
    delay = back_off_seconds(attempts)
    MailHost.objects.filter(pk=host.pk).update(
        condition=condition,
        fault_code=code,
        fault_facts=facts,
        fault_at=timezone.now(),
        attempts=attempts,
        next_attempt_at=timezone.now() + timedelta(seconds=delay),
    )
    log.warning(
        "push_waits", host=host.name, code=code, attempts=attempts, retry_in_s=round(delay, 1)
    )
    if delay < 15:  # the sweep finds the later ones
        hostrows.ring(host.pk, delay_seconds=delay)


def _stop(host: MailHost, condition: str, code: str, facts: dict[str, Any]) -> None:
    """A refusal that only a person can lift."""
    MailHost.objects.filter(pk=host.pk).update(
        condition=condition, fault_code=code, fault_facts=facts, fault_at=timezone.now()
    )
    log.error("push_stopped", host=host.name, code=code, facts=facts)


def back_off_seconds(attempts: int) -> float:
    """Grow from one second to one minute, and spread so that hosts do not come in step."""
    return min(60.0, 2.0 ** min(attempts - 1, 6)) * random.uniform(0.75, 1.25)  # noqa: S311
