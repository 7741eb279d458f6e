"""Looks at the DNS of domains: what is wanted against what every server shows, and what follows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Protocol

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailadmin import access, dnsconfig
from mailadmin.actors import Actor, operator_by_command
from mailadmin.errors import MailAdminError
from mailadmin.models import Domain
from mailadmin.push import hostrows
from mailadmin.services import dkim, letters, sts, wanted
from mailadmin.services import domains as domains_
from mailadmin.services.wanted import NEEDED, WantedRecord
from maildns import rotation
from maildns.answers import Ask
from maildns.check import RecordReport, RecordState, Servers, ZoneReport, check_many
from maildns.errors import DnsError
from maildns.models import DkimKey, Zone, ZoneAccess, ZoneRecord
from maildns.spf.evaluate import SpfOutcome, check_host

log = structlog.get_logger(__name__)

# A green zone is looked at once a day, others the sooner the younger their trouble is.
CALM = timedelta(hours=24)
SOONEST, LATEST = timedelta(minutes=2), timedelta(hours=6)
CLAIM = timedelta(minutes=2)
ASKED_AGAIN = timedelta(seconds=3)
AT_ONCE = 20
BATCH = 200


class World(Servers, Protocol):
    """What a look needs of maildns.resolver.Resolver."""

    def recursive(self) -> Ask: ...


@dataclass(frozen=True)
class Job:
    """One zone to look at, with all that the look needs of the database."""

    domain: Domain
    wanted: Sequence[WantedRecord]


@dataclass(frozen=True)
class Look:
    """What one look at a zone found. `spf` is by sending address of the host."""

    report: ZoneReport
    spf: dict[str, SpfOutcome]


def ask_for_check(domain: Domain, *, by: Actor) -> None:
    """Have a worker look at a domain's DNS soon; whoever sees the domain may ask.

    Who asks again within seconds has asked already.
    """
    access.get_domain(by, domain.name)
    now = timezone.now()
    with transaction.atomic():
        rested = Q(asked_at=None) | Q(asked_at__lt=now - ASKED_AGAIN)
        zones = Zone.objects.filter(rested, pk=domain.zone_id)
        if not zones.update(asked_at=now, next_check_at=now):
            return
        transaction.on_commit(
            lambda: hostrows.wake("panel.tasks.check_zone", domain.zone_id), robust=True
        )


def check_due(*, now: datetime | None = None, limit: int = BATCH) -> int:
    """Look at the zones whose time has come, the longest waiting first; return how many."""
    now = now or timezone.now()
    due = Domain.objects.living().filter(zone__next_check_at__lte=now)
    return check(due.order_by("zone__next_check_at")[:limit], now=now)


def check(
    domains: Iterable[Domain], *, now: datetime | None = None, resolver: World | None = None
) -> int:
    """Look at the zones of `domains` now, unless another worker does; return how many."""
    jobs = [job for domain in domains if _claim(domain.zone_id) and (job := _job(domain))]
    looks = asyncio.run(_look_at(jobs, resolver or dnsconfig.resolver())) if jobs else {}
    for job in jobs:
        record(job, looks[job.domain.name], now=now or timezone.now())
        if ZoneAccess.objects.filter(zone=job.domain.zone, is_automatic=True).exists():
            hostrows.wake("panel.tasks.publish_by_itself", job.domain.pk)
    return len(jobs)


def _job(domain: Domain) -> Job | None:
    """What one look needs; a domain whose records cannot be made holds up nobody else."""
    domain = Domain.objects.select_related("host", "account", "zone").get(pk=domain.pk)
    try:
        return Job(domain, wanted.of_domain(domain, spf_seen=spf_seen(domain.zone)))
    except DnsError:
        log.exception("records_cannot_be_made", domain=domain.pk)
        Zone.objects.filter(pk=domain.zone_id).update(next_check_at=timezone.now() + LATEST)
        return None


def _claim(zone_id: int) -> bool:
    now = timezone.now()
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    return bool(Zone.objects.filter(free, pk=zone_id).update(claimed_until=now + CLAIM))


async def _look_at(jobs: Sequence[Job], resolver: World) -> dict[str, Look]:
    by_name = {job.domain.name: job for job in jobs}
    zones = ((name, [each.check for each in job.wanted]) for name, job in by_name.items())
    reports = [report async for report in check_many(zones, resolver, at_once=AT_ONCE)]
    turn = asyncio.Semaphore(AT_ONCE)

    async def judged(report: ZoneReport) -> tuple[str, Look]:
        async with turn:
            return report.zone, Look(report, await _may_send(by_name[report.zone], resolver))

    return dict(await asyncio.gather(*map(judged, reports)))


async def _may_send(job: Job, resolver: World) -> dict[str, SpfOutcome]:
    """What a receiver makes of mail from each address of the host (RFC 7208, 4)."""
    domain, ask = job.domain, resolver.recursive()
    return {
        address: await check_host(
            ip_address(address), domain.name, f"postmaster@{domain.name}",
            helo=domain.host.name, ask=ask,
        )
        for address in domain.host.addresses
    }  # fmt: skip


# --- what follows -------------------------------------------------------------------------------


def record(job: Job, look: Look, *, now: datetime) -> None:
    """Keep what a look found, move the keys that it lets move, and tell what was lost."""
    by = operator_by_command()
    reports = {each.kind: each for each in look.report.records}
    with transaction.atomic():
        zone = Zone.objects.select_for_update().get(pk=job.domain.zone_id)
        zone.report = look.report.to_json()
        zone.verdicts = {"spf": {at: asdict(outcome) for at, outcome in look.spf.items()}}
        zone.checked_at, zone.claimed_until = now, None
        zone.is_green = is_green(job.wanted, reports)
        memories = _remember(zone, reports, now)
        is_changed = dkim.follow(job.domain, reports, now=now, by=by)
        sts.follow(job.domain, reports, now=now, by=by)
        zone.next_check_at = now if is_changed else _next_check(job, reports, memories, now)
        zone.save(
            update_fields=[
                "report", "verdicts", "checked_at", "claimed_until", "is_green", "next_check_at",
            ]
        )  # fmt: skip
    # At the first server that sends mail here: who asks it is put off until then.
    if job.domain.mail_elsewhere and any(
        each.state is RecordState.OK for each in reports["mx"].servers
    ):
        _bring_home(job.domain, by)
    log.info("zone_checked", zone=zone.name, green=zone.is_green, failure=look.report.failure)
    _tell_losses(job, reports, memories, now)


def _bring_home(domain: Domain, by: Actor) -> None:
    """Deliver here from now on."""
    try:
        domains_.set_mail_elsewhere(domain, False, by=by)
    except MailAdminError as error:
        log.warning("not_brought_home", domain=domain.pk, error=error.code)


def is_green(records: Iterable[WantedRecord], reports: dict[str, RecordReport]) -> bool:
    """Whether all that mail needs is right: a key that another one still stands in for is not."""
    signing = {each.key.algorithm for each in records if each.key and each.key.state == "signing"}

    def is_needed(each: WantedRecord) -> bool:
        if each.key and each.key.state in ("staged", "published"):
            return each.key.algorithm not in signing
        return each.group in NEEDED

    return all(reports[each.kind].state is RecordState.OK for each in records if is_needed(each))


def spf_seen(zone: Zone) -> str:
    """The one SPF record that the last look saw; empty without one, or with several."""
    for each in report_of(zone).records if zone.report else ():
        if each.kind == "spf":
            seen = {value for server in each.servers for value in server.seen}
            found = [value for value in sorted(seen) if wanted.is_spf(value)]
            return found[0] if len(found) == 1 else ""
    return ""


def report_of(zone: Zone) -> ZoneReport:
    return ZoneReport.from_json(zone.report or {})


def _remember(zone: Zone, reports: dict[str, RecordReport], now: datetime) -> dict[str, ZoneRecord]:
    """Note since when each record is as it is; forget those that are wanted no more."""
    zone.records.exclude(kind__in=reports).delete()
    memories = {each.kind: each for each in zone.records.all()}
    for kind, report in reports.items():
        memory = memories.setdefault(kind, ZoneRecord(zone=zone, kind=kind, state="", since=now))
        if report.state is RecordState.UNREACHABLE and memory.state:
            continue  # nobody knows, so what was known stands
        if memory.state != report.state:
            memory.state, memory.since = report.state, now
        if report.state is RecordState.OK:
            memory.right_at, memory.told_at = now, None
        memory.save()
    return memories


def _next_check(
    job: Job, reports: dict[str, RecordReport], memories: dict[str, ZoneRecord], now: datetime
) -> datetime:
    wrong = [
        memories[each.kind].since
        for each in job.wanted
        if each.group in NEEDED and reports[each.kind].state is not RecordState.OK
    ]
    if wrong:
        pause = min(max((now - max(wrong)) / 4, SOONEST), LATEST)
    else:
        # Spread, so that domains taken in together do not meet for ever.
        pause = CALM * random.uniform(0.75, 1.25)  # noqa: S311 (no secret)
    moves = map(rotation.next_at, DkimKey.objects.filter(zone=job.domain.zone, gone_at=None))
    ahead = [at + timedelta(seconds=1) for at in moves if at is not None and at > now]
    return min([now + pause, *ahead])


def _tell_losses(
    job: Job, reports: dict[str, RecordReport], memories: dict[str, ZoneRecord], now: datetime
) -> None:
    """Tell once that a record that was right is wrong; what cannot be sent now is told later."""
    lost = [
        each
        for each in job.wanted
        if (memory := memories[each.kind]).right_at is not None
        and memory.told_at is None
        and reports[each.kind].state not in (RecordState.OK, RecordState.UNREACHABLE)
        and memory.state not in (RecordState.OK, RecordState.UNREACHABLE)
        and not (each.key and each.key.state == DkimKey.State.RETIRED)
    ]
    if lost and letters.record_lost(job.domain, [each.kind for each in lost]):
        ZoneRecord.objects.filter(
            zone=job.domain.zone, kind__in=[each.kind for each in lost]
        ).update(told_at=now)
