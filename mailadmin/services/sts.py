"""MTA-STS of a domain: which policy senders are given, and when it may become strict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from mailadmin import access
from mailadmin.actors import Actor
from mailadmin.errors import StsNotReady
from mailadmin.models import Domain, MailHost
from mailadmin.models.domains import StsMode
from mailadmin.services import audit
from maildns.check import RecordReport, RecordState
from maildns.models import Zone
from maildns.mta_sts import Mode, StsPolicy

CLEAN_DAYS = timedelta(days=7)
# A policy that is only tried is soon forgotten; a strict one protects the longer it is kept.
MAX_AGE = {
    StsMode.TESTING: timedelta(days=1),
    StsMode.ENFORCE: timedelta(days=14),
    StsMode.NONE: timedelta(days=1),
}
_JUDGED = ("mx", "mta_sts", "mta_sts_host")


def policy_for(name: str) -> StsPolicy | None:
    """The policy of a domain; None for what is not ours, and without a policy (RFC 8461, 3.3).

    A deleted domain has `none` as long as its name rests: senders who kept the policy forget it.
    """
    domain = Domain.objects.select_related("host").filter(name=name).first()
    if domain is None:
        return None
    mode = StsMode(domain.sts_mode) if domain.deleted_at is None else StsMode.NONE
    if mode == StsMode.OFF:
        return None
    # RFC 8461, 3.2: hosts are named but in `none`, and there too they do no harm.
    return StsPolicy(Mode(mode.value), (domain.host.name,), round(MAX_AGE[mode].total_seconds()))


def follow(
    domain: Domain, reports: Mapping[str, RecordReport], *, now: datetime, by: Actor
) -> None:
    """Count the clean days, and let a withdrawn policy end once nobody can still hold it."""
    if domain.sts_mode == StsMode.NONE and now >= withdrawn_at(domain):
        _switch(domain, StsMode.OFF, now=now, by=by)
        return
    states = [reports[kind].state for kind in _JUDGED if kind in reports]
    if RecordState.UNREACHABLE in states:
        return
    is_clean = (
        len(states) == len(_JUDGED)
        and all(state is RecordState.OK for state in states)
        and certificate_is_right(domain.host)
    )
    since = (domain.sts_clean_since or now) if is_clean else None
    if since != domain.sts_clean_since:
        domain.sts_clean_since = since
        domain.save(update_fields=["sts_clean_since"])


def certificate_is_right(host: MailHost) -> bool:
    """Whether the last look at the host found its certificate right; strict senders need it."""
    items = (host.readiness or {}).get("items", [])
    states = [each["state"] for each in items if each["check"] == "certificate"]
    return bool(states) and all(state == "ok" for state in states)


def enforceable_at(domain: Domain) -> datetime | None:
    return domain.sts_clean_since + CLEAN_DAYS if domain.sts_clean_since else None


def withdrawn_at(domain: Domain) -> datetime:
    """When the last sender has forgotten a policy that is being withdrawn (RFC 8461, 8.3)."""
    return domain.sts_changed_at + MAX_AGE[StsMode.ENFORCE]


def set_mode(domain: Domain, mode: StsMode, *, by: Actor, now: datetime | None = None) -> None:
    """Switch the policy. `enforce` needs seven clean days; `off` is reached through `none`.

    Raises StsNotReady.
    """
    access.may_write(by, domain)
    now = now or timezone.now()
    ready = enforceable_at(domain)
    if mode == StsMode.ENFORCE and (ready is None or now < ready):
        raise StsNotReady(ready_at=ready)
    if mode == StsMode.OFF and domain.sts_mode != StsMode.OFF:
        mode = StsMode.NONE
    if mode == domain.sts_mode:
        return
    with transaction.atomic():
        _switch(domain, mode, now=now, by=by)


def _switch(domain: Domain, mode: StsMode, *, now: datetime, by: Actor) -> None:
    before = domain.sts_mode
    domain.sts_mode, domain.sts_changed_at = mode, now
    domain.save(update_fields=["sts_mode", "sts_changed_at"])
    Zone.objects.filter(pk=domain.zone_id).update(next_check_at=now)
    audit.record(by, "domain.sts", domain, before={"mode": before}, after={"mode": mode})
