"""What a page says of a change: saved, on its way, live, applied or failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.db.models import Q

from mailadmin.models import Address, Domain, HostRow, MailHost
from mailadmin.push import hostrows
from maildns.models import DkimKey

Progress = Literal["saved", "on_its_way", "live", "applied", "failed"]


@dataclass(frozen=True)
class ChangeStatus:
    """Codes and facts; the sentence is made when it is shown."""

    state: Progress
    saved_at: datetime | None = None
    proved_at: datetime | None = None
    took_ms: int | None = None
    cause: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """Whether asking again soon is of no use."""
        return self.state in ("live", "applied")


def of(thing: Domain | Address | DkimKey) -> ChangeStatus:
    return of_many([thing])[thing.pk]


def of_many(things: Iterable[Domain | Address | DkimKey]) -> dict[int, ChangeStatus]:
    """Return the status of things of one kind by their primary keys, in one query."""
    refs = {thing.pk: hostrows.ref(thing) for thing in things}
    if not refs:
        return {}
    by_host: dict[tuple[int, str], list[str]] = {}
    for ref in refs.values():
        by_host.setdefault((ref.host_id, ref.kind), []).append(ref.key)
    wanted = Q()
    for (host_id, kind), keys in by_host.items():
        wanted |= Q(host_id=host_id, kind=kind, key__in=keys)
    rows = {
        (row.host_id, row.kind, row.key): row
        for row in HostRow.objects.select_related("host").filter(wanted)
    }
    return {pk: _of_row(rows.get((ref.host_id, ref.kind, ref.key))) for pk, ref in refs.items()}


def _of_row(row: HostRow | None) -> ChangeStatus:
    if row is None:
        return ChangeStatus("saved")
    if row.is_live:
        return ChangeStatus(
            "live", row.touched_at, row.proved_at, row.took_ms, facts=row.fault_facts
        )
    if row.fault_code:
        return ChangeStatus("failed", row.touched_at, cause=row.fault_code, facts=row.fault_facts)
    if row.is_applied:
        return ChangeStatus("applied" if row.sampled else "on_its_way", row.touched_at)
    return _not_applied(row, row.host)


def _not_applied(row: HostRow, host: MailHost) -> ChangeStatus:
    if host.fault_code:
        # The change is safe here and goes out when the host is back.
        return ChangeStatus("saved", row.touched_at, cause=host.fault_code)
    state: Progress = "on_its_way" if host.pending_generation >= row.generation else "saved"
    return ChangeStatus(state, row.touched_at)
