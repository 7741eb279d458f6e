"""What a mail host needs in the world: looked at, told, and its PTR written where we may."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailadmin import dnsconfig
from mailadmin.actors import Actor
from mailadmin.errors import NotAllowed
from mailadmin.models import MailHost
from mailadmin.push import hostrows
from mailadmin.services import audit, letters, publishing
from maildns.check import Wanted
from maildns.dmarc import report_authorisation
from maildns.errors import DnsError
from maildns.models import DkimKey, Zone, ZoneAccess
from maildns.mx import mx_records
from maildns.plan import make_plan, questions_for
from maildns.ptr import ptr_record, reverse_name
from maildns.publish import PublishOutcome, publish
from maildns.readiness.facts import BLOCK_LISTS, BlockList, HostFacts, Settings
from maildns.readiness.report import Item, ReadinessReport, State
from maildns.readiness.run import check_host_readiness
from maildns.records import Record
from maildns.resolver import Resolver
from maildns.spf.build import helo_record, provider_record

log = structlog.get_logger(__name__)

EVERY = timedelta(hours=12)


def ask_for_check(host: MailHost, *, by: Actor) -> None:
    """Have a worker look at a host's readiness soon."""
    _operator_only(by)
    now = timezone.now()
    with transaction.atomic():
        MailHost.objects.filter(pk=host.pk).update(readiness_asked_at=now)
        transaction.on_commit(
            lambda: hostrows.wake("panel.tasks.check_readiness", host.pk), robust=True
        )


def check_due(*, now: datetime | None = None) -> None:
    limit = (now or timezone.now()) - EVERY
    for host in MailHost.objects.filter(Q(readiness_at=None) | Q(readiness_at__lt=limit)):
        check(host, now=now)


def check(
    host: MailHost, *, now: datetime | None = None, resolver: Resolver | None = None
) -> ReadinessReport | None:
    """Look at all that the host needs, keep it, and tell the operator what was lost.

    Without sending addresses there is nothing to look at yet.
    """
    now = now or timezone.now()
    if not host.addresses:
        MailHost.objects.filter(pk=host.pk).update(readiness=None, readiness_at=now)
        return None
    before = report_of(host)
    report = asyncio.run(
        check_host_readiness(
            _facts(host), (resolver or dnsconfig.resolver()).recursive(),
            settings=_settings(), now=now,
        )
    )  # fmt: skip
    host.readiness, host.readiness_at = report.to_json(), now
    host.save(update_fields=["readiness", "readiness_at"])
    log.info("readiness_checked", host=host.name, bad=[each.check for each in _bad(report)])
    if before is not None:
        was_right = {(each.check, each.address) for each in before.items if each.state is State.OK}
        lost = [each for each in _bad(report) if (each.check, each.address) in was_right]
        if lost:
            letters.host_lost(host, lost)
    return report


def report_of(host: MailHost) -> ReadinessReport | None:
    return ReadinessReport.from_json(host.readiness) if host.readiness else None


def _bad(report: ReadinessReport) -> list[Item]:
    return [each for each in report.items if each.state is State.BAD]


def _facts(host: MailHost) -> HostFacts:
    key = (
        DkimKey.objects.filter(
            zone__in=host.domains.filter(deleted_at=None).values("zone"),
            state=DkimKey.State.SIGNING,
            algorithm="rsa",
        )
        .select_related("zone")
        .order_by("pk")
        .first()
    )
    _name, port = host.client_settings.get("smtp") or [host.name, 25]
    return HostFacts(
        host.name,
        host.name,
        tuple(host.addresses),
        spf_include=settings.SPF_INCLUDE,
        dkim_domain=key.zone.name if key else "",
        dkim_selector=key.selector if key else "",
        dkim_record=key.public_record if key else "",
        smtp_port=int(port),
    )


def _settings() -> Settings:
    lists = settings.BLOCK_LISTS
    return Settings(
        block_lists=BLOCK_LISTS if lists is None else tuple(BlockList(zone) for zone in lists),
        port_25_names=settings.PORT_25_NAMES,
        port_25_hosts=settings.PORT_25_HOSTS,
        time_servers=settings.TIME_SERVERS,
        ca_file=settings.CA_FILE,
        private_allowed=settings.DNS_PRIVATE_ADDRESSES,
    )


# --- what must stand in the provider's own zones ------------------------------------------------


def provider_records(host: MailHost) -> list[Record]:
    """The records that make the host known and its domains' records work."""
    records = [
        Record(host.name, "AAAA" if ":" in address else "A", str(ip_address(address)))
        for address in host.addresses
    ]
    records.append(helo_record(host.name))
    if settings.SPF_INCLUDE:
        networks = [network for each in MailHost.objects.all() for network in networks_of(each)]
        records += provider_record(settings.SPF_INCLUDE, networks)
    if settings.REPORTS_DOMAIN:
        records += mx_records(settings.REPORTS_DOMAIN, [host.name])
        records.append(report_authorisation(settings.REPORTS_DOMAIN))
    return records


def networks_of(host: MailHost) -> list[IPv4Network | IPv6Network]:
    return [ip_network(address) for address in host.addresses]


# --- PTR ----------------------------------------------------------------------------------------


def wanted_ptrs(host: MailHost) -> list[Record]:
    return [ptr_record(address, host.name) for address in host.addresses]


def access_for(address: str) -> ZoneAccess | None:
    """How we write the reverse zone of an address; None where its provider does."""
    labels = reverse_name(address).split(".")
    names = [".".join(labels[start:]) for start in range(1, len(labels) - 2)]
    held = {each.zone.name: each for each in ZoneAccess.objects.filter(zone__name__in=names)}
    return next((held[name] for name in names if name in held), None)


def save_reverse_access(
    zone_name: str, options: dict[str, str], secret: str, *, by: Actor
) -> ZoneAccess:
    """Keep how a reverse zone is written, by RFC 2136. Raises BadAccess."""
    _operator_only(by)
    zone, _made = Zone.objects.get_or_create(name=zone_name.strip().lower().removesuffix("."))
    return publishing.keep_access(zone, publishing.RFC2136, options, {"secret": secret})


def publish_ptrs(host: MailHost, *, by: Actor) -> list[PublishOutcome | DnsError]:
    """Write the PTR records that we may, replacing what stands there; then look again."""
    _operator_only(by)
    outcomes: list[PublishOutcome | DnsError] = []
    for record in wanted_ptrs(host):
        address = next(a for a in host.addresses if reverse_name(a) == record.name)
        kept = access_for(address)
        if kept is None:
            continue
        try:
            outcomes.append(asyncio.run(_write(record, kept)))
        except DnsError as error:
            outcomes.append(error)
    with transaction.atomic():
        audit.record(by, "host.ptr", host)
    check(host)
    return outcomes


async def _write(record: Record, kept: ZoneAccess) -> PublishOutcome:
    wanted = Wanted("ptr", record.name, "PTR", (record.value,))
    provider = publishing.provider_of(kept)
    present = await provider.records(questions_for([wanted]))
    plan = make_plan(kept.zone.name, [wanted], present, [])
    ticked = [each.key for each in plan.changes]
    return await publish(plan, ticked, provider, dnsconfig.resolver(), deadline_seconds=15)


def _operator_only(by: Actor) -> None:
    if not by.is_operator or by.account is not None:
        raise NotAllowed
