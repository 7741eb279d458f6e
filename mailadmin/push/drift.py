"""Drift: compare the host with the panel by digests, send again what differs, or all of it."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mailadmin.actors import Actor
from mailadmin.models import Drift, HostRow, MailHost
from mailadmin.push import apply, hostrows, lease, render, wire

log = structlog.get_logger(__name__)

Digests = dict[tuple[str, str], str]


def check_drift(host_id: int, *, by: Actor) -> int | None:
    """Compare, record and send again what differs; return how many rows, None when not comparable.

    Compared only while the host stands where the panel's record says, at the newest generation.
    """
    host = MailHost.objects.get(pk=host_id)
    if host.is_stopped or host.lag or host.pending_batch:
        return None
    differences = compare(host)
    if differences is None:
        return None
    now = timezone.now()
    with transaction.atomic():
        Drift.objects.filter(host=host, mended_at=None).update(mended_at=now)
        Drift.objects.bulk_create(differences)
        again = [_ref(host, found) for found in differences if found.what != "extra"]
        gone = [_ref(host, found) for found in differences if found.what == "extra"]
        hostrows.stamp(again, by=by, bulk=len(again) > 100)
        hostrows.stamp(gone, by=by, removed=True)
    if differences:
        log.error("drift_found", host=host.name, rows=len(differences))
    return len(differences)


def _ref(host: MailHost, found: Drift) -> hostrows.RowRef:
    return hostrows.RowRef(host.pk, found.kind, found.key, found.domain_key)


def compare(host: MailHost, *, at_any_generation: bool = False) -> list[Drift] | None:
    """Return what the host has otherwise than the panel.

    None when the two do not stand at one generation, or when a change came in meanwhile: what was
    read then is no snapshot.
    """
    with wire.connected(host.agent_url, fresh=True) as connection:
        host.refresh_from_db()
        there = connection.call("digest", domains=None)
        even = host.generation == host.applied_generation == there["generation"]
        if not even and not at_any_generation:
            return None
        differences: list[Drift] = []
        seen: set[str] = set()
        for domain_key, ours in _panel_digests(host):
            seen.add(str(domain_key))
            if there["digests"].get(str(domain_key)) == render.domain_digest(ours):
                continue
            differences += _differences(host, connection, domain_key, ours)
        for domain_key in sorted(set(there["digests"]) - seen, key=int):
            differences += _differences(host, connection, int(domain_key), {})
    changed = MailHost.objects.exclude(generation=host.generation).filter(pk=host.pk).exists()
    return None if changed and not at_any_generation else differences


def _panel_digests(host: MailHost) -> Iterator[tuple[int, Digests]]:
    """Yield (domain key, row digests) of what the host should hold."""
    rows = HostRow.objects.filter(host=host, removed=False).exclude(kind=HostRow.Kind.PURGE)
    domain_keys = rows.order_by("domain_key").values_list("domain_key", flat=True).distinct()
    chunk: list[int] = []
    for domain_key in [*domain_keys, None]:
        if domain_key is not None:
            chunk.append(domain_key)
        if chunk and (domain_key is None or len(chunk) == 200):
            by_domain: dict[int, Digests] = defaultdict(dict)
            for row in render.render(rows.filter(domain_key__in=chunk)):
                if not row.get("remove"):
                    place = row["kind"], row["key"]
                    by_domain[row["domain_id"]][place] = render.row_digest(row)
            yield from sorted(by_domain.items())
            chunk = []


def _differences(
    host: MailHost, connection: wire.Connection, domain_key: int, ours: Digests
) -> list[Drift]:
    answer = connection.call("rows", domain_id=domain_key)
    there = {(row["kind"], row["key"]): row["digest"] for row in answer["rows"]}
    found = []
    for kind, key in sorted(ours.keys() | there.keys()):
        if ours.get((kind, key)) == there.get((kind, key)):
            continue
        what = (
            "missing"
            if (kind, key) not in there
            else "extra"
            if (kind, key) not in ours
            else "differs"
        )
        found.append(Drift(host=host, domain_key=domain_key, kind=kind, key=key, what=what))
    return found


def resync_host(host_id: int) -> bool:
    """Send the host everything, and have it drop what is not among it. False: not now.

    The host makes it visible as one difference per file, so Postfix never sees half a state.
    This is also the way out of a fork: the panel's state wins.
    """
    with lease.held(host_id) as token:
        if token is None:
            return False
        host = MailHost.objects.get(pk=host_id)
        with wire.connected(host.agent_url, fresh=True) as connection:
            _replace(host, token, connection)
    apply.push_host(host_id)
    return True


def _replace(host: MailHost, token: int, connection: wire.Connection) -> None:
    base = apply.Base(host.epoch or str(uuid.uuid4()), host.generation, str(uuid.uuid4()))
    if connection.hello["epoch"] != host.epoch or connection.hello["generation"] > host.generation:
        # A fork: what was counted before means nothing any more.
        base = apply.Base(str(uuid.uuid4()), host.generation, base.batch)
    arguments: dict[str, Any] = {"token": token, **base.as_dict(), "allow_mass_removal": True}
    connection.call("replace", phase="begin", **arguments)
    for rows in _chunks(host):
        lease.extend(host.pk, token)
        connection.call("replace", phase="rows", rows=rows, **arguments)
    lease.extend(host.pk, token)
    MailHost.objects.filter(pk=host.pk, lease_token=token).update(
        epoch=base.epoch, pending_generation=base.generation, pending_batch=base.batch
    )
    answer = connection.call("replace", phase="commit", **arguments)
    refused = [
        (result["kind"], result["key"], result["code"])
        for result in answer.get("results", [])
        if not result["ok"]
    ]
    with transaction.atomic():
        MailHost.objects.filter(pk=host.pk).update(
            epoch=base.epoch,
            applied_generation=base.generation,
            batch=base.batch,
            pending_generation=0,
            pending_batch="",
            condition=MailHost.Condition.OK,
            fault_code="",
            fault_facts={},
            attempts=0,
            next_attempt_at=None,
        )
        rows_there = HostRow.objects.filter(host=host, generation__lte=base.generation)
        rows_there.update(applied_generation=F("generation"), applied_at=timezone.now())
        rows_there.filter(removed=False).exclude(kind=HostRow.Kind.PURGE).update(
            next_proof_at=timezone.now()
        )
        for kind, key, code in refused:
            rows_there.filter(kind=kind, key=key).update(
                applied_generation=0, next_proof_at=None, fault_code=code
            )
    log.warning("resynced", host=host.name, generation=base.generation, refused=len(refused))


def _chunks(host: MailHost) -> Iterator[list[render.WireRow]]:
    """All rows that the host should hold, in chunks; domains come before their addresses."""
    rows = HostRow.objects.filter(host=host, removed=False).exclude(kind=HostRow.Kind.PURGE)
    for kind in (HostRow.Kind.DOMAIN, HostRow.Kind.ADDRESS, HostRow.Kind.DKIM):
        last = 0
        while chunk := list(
            rows.filter(kind=kind, pk__gt=last).order_by("pk")[: settings.PUSH_BATCH_ROWS]
        ):
            last = chunk[-1].pk
            yield [row for row in render.render(chunk) if not row.get("remove")]
