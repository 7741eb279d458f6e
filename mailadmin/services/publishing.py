"""Writing the records of a domain where we may: access, plan, ticks, writing, reading back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailadmin import access, crypto, dnsconfig
from mailadmin.actors import Actor, operator_by_command
from mailadmin.errors import BadAccess, NotAllowed
from mailadmin.models import Domain
from mailadmin.push import hostrows
from mailadmin.services import audit, dkim, letters, wanted, zones
from maildns.check import RecordState, Wanted
from maildns.errors import BadOption, DnsError, ProviderError
from maildns.models import Publication, Zone, ZoneAccess
from maildns.plan import Plan, make_plan, questions_for
from maildns.providers.base import Provider
from maildns.providers.lexicon import Lexicon
from maildns.providers.lexicon_choices import Choice, provider_choices
from maildns.providers.rfc2136 import ALGORITHMS, Rfc2136, TsigKey
from maildns.publish import ChangeState, PublishOutcome, publish
from maildns.records import Record
from maildns.resolver import is_public

log = structlog.get_logger(__name__)

RFC2136 = "rfc2136"
# Written without a click, once a person has published: what keys and policies need to move on.
_AUTOMATIC = ("dkim", "mta_sts")
# A worker that died leaves its publication; another may begin it anew after this time.
STALE = timedelta(minutes=10)
State = Publication.State


# --- access -------------------------------------------------------------------------------------


def choices_for(actor: Actor) -> list[Choice]:
    """The providers that an actor may choose; only the operator names servers of his own."""
    return [each for each in provider_choices() if actor.is_operator or not each.names_a_place]


def save_access(
    domain: Domain,
    provider: str,
    options: Mapping[str, str],
    secrets: Mapping[str, str],
    *,
    automatic: bool = True,
    by: Actor,
) -> ZoneAccess:
    """Keep how the records of a domain are written. An empty secret keeps the one that is there.

    Raises BadAccess, with the option at fault.
    """
    access.may_write(by, domain)
    if provider != RFC2136 and provider not in [each.name for each in choices_for(by)]:
        raise BadAccess(option="provider", reason="unknown")
    kept = ZoneAccess.objects.filter(zone_id=domain.zone_id, provider=provider).first()
    before = _secrets(kept) if kept else {}
    secrets = {name: value or before.get(name, "") for name, value in secrets.items()}
    with transaction.atomic():
        saved = keep_access(domain.zone, provider, options, secrets, automatic=automatic)
        audit.record(by, "dns.access", domain, after={"provider": provider})
    return saved


def keep_access(
    zone: Zone,
    provider: str,
    options: Mapping[str, str],
    secrets: Mapping[str, str],
    *,
    automatic: bool = False,
) -> ZoneAccess:
    """Store how a zone is written; for callers that have asked who may. Raises BadAccess."""
    try:
        _provider(zone.name, provider, options, secrets)
    except BadOption as error:
        raise BadAccess(option=error.option, reason=error.reason) from error
    saved, _made = ZoneAccess.objects.update_or_create(
        zone=zone,
        defaults={
            "provider": provider,
            "options": dict(options),
            "secrets_sealed": crypto.seal(json.dumps(dict(secrets)).encode()),
            "is_automatic": automatic,
            "fault_code": "",
            "fault_facts": {},
        },
    )
    return saved


def remove_access(domain: Domain, *, by: Actor) -> None:
    """Forget the credentials; from then on a person enters the records."""
    access.may_write(by, domain)
    with transaction.atomic():
        ZoneAccess.objects.filter(zone_id=domain.zone_id).delete()
        audit.record(by, "dns.access_removed", domain)


def access_of(zone: Zone) -> ZoneAccess | None:
    return ZoneAccess.objects.filter(zone=zone).first()


def provider_of(kept: ZoneAccess) -> Provider:
    """Raises BadOption."""
    return _provider(kept.zone.name, kept.provider, kept.options, _secrets(kept))


def _secrets(kept: ZoneAccess) -> dict[str, str]:
    return dict(json.loads(crypto.unseal(kept.secrets_sealed))) if kept.secrets_sealed else {}


def _provider(
    zone: str, provider: str, options: Mapping[str, str], secrets: Mapping[str, str]
) -> Provider:
    """Raises BadOption."""
    if provider != RFC2136:
        given = {name: value for name, value in {**options, **secrets}.items() if value}
        return Lexicon(zone, provider, given)
    server, port = options.get("server", ""), options.get("port", "") or "53"
    try:
        address = str(ip_address(server))
    except ValueError:
        raise BadOption("server", "address") from None
    if not is_public(address) and not settings.DNS_PRIVATE_ADDRESSES:
        raise BadOption("server", "private")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadOption("port", "port")
    algorithm = options.get("algorithm", "") or ALGORITHMS[0]
    key = TsigKey(options.get("key_name", ""), algorithm, secrets.get("secret", ""))
    return Rfc2136(zone, address, key, int(port))


# --- a publication ------------------------------------------------------------------------------


def start(domain: Domain, *, by: Actor) -> Publication:
    """Have a worker plan what to write. One that is under way is taken up."""
    access.may_write(by, domain)
    if access_of(domain.zone) is None:
        raise NotAllowed
    running = Publication.objects.filter(
        zone=domain.zone, state__in=[State.PLANNING, State.PLANNED, State.WRITING],
        asked_at__gt=timezone.now() - STALE,
    ).order_by("-pk").first()  # fmt: skip
    if running is not None and running.is_running:
        return running
    with transaction.atomic():
        made = Publication.objects.create(zone=domain.zone)
        audit.record(by, "dns.planned", domain)
        transaction.on_commit(
            lambda: hostrows.wake("panel.tasks.publish_zone", made.pk), robust=True
        )
    return made


def approve(publication: Publication, ticked: Collection[str], *, by: Actor) -> None:
    """Have a worker write a plan: all that needs no tick, and the foreign records ticked."""
    domain = Domain.objects.get(zone=publication.zone)
    access.may_write(by, domain)
    planned = Publication.objects.filter(pk=publication.pk, state=State.PLANNED)
    with transaction.atomic():
        if not planned.update(state=State.WRITING, ticked=sorted(ticked), asked_at=timezone.now()):
            return  # a second click
        audit.record(by, "dns.published", domain, after={"ticked": sorted(ticked)})
        transaction.on_commit(
            lambda: hostrows.wake("panel.tasks.publish_zone", publication.pk), robust=True
        )


def run(publication: Publication) -> None:
    """Do the next step of a publication: plan it, or write it. Safe to repeat."""
    if publication.state == State.PLANNING:
        _plan(publication)
    elif publication.state == State.WRITING:
        _write(publication)


def run_waiting() -> None:
    """Take up what a lost doorbell or a dead worker left behind; publish what keys need."""
    now = timezone.now()
    for publication in Publication.objects.filter(
        Q(state=State.PLANNING) | Q(state=State.WRITING),
        asked_at__lt=now - timedelta(seconds=30),
        asked_at__gt=now - STALE,
    ).select_related("zone"):
        run(publication)
    Publication.objects.filter(
        state__in=[State.PLANNING, State.WRITING], asked_at__lte=now - STALE
    ).update(state=State.FAILED, fault_code="worker_lost", ended_at=now)


def _plan(publication: Publication) -> None:
    domain = _domain_of(publication)
    try:
        plan = plan_for(domain)
    except DnsError as error:
        _end(publication, error)
        return
    publication.plan = plan.to_json()
    if plan.changes:
        publication.state = State.PLANNED
        publication.save()
    else:
        _end(publication)


def plan_for(domain: Domain) -> Plan:
    """Read what the provider holds and work out what is to be written. Raises DnsError."""
    kept = ZoneAccess.objects.get(zone=domain.zone)
    provider = provider_of(kept)
    present = asyncio.run(provider.records(questions_for(_checks(domain, ""))))
    spf = [
        each.value
        for each in present
        if (each.name, each.type) == (domain.name, "TXT") and wanted.is_spf(each.value)
    ]
    ours = [Record(*each) for each in kept.written]
    return make_plan(domain.name, _checks(domain, spf[0] if len(spf) == 1 else ""), present, ours)


def _checks(domain: Domain, spf_seen: str) -> list[Wanted]:
    return [each.check for each in wanted.of_domain(domain, spf_seen=spf_seen)]


def _write(publication: Publication) -> None:
    domain = _domain_of(publication)
    kept = ZoneAccess.objects.get(zone=domain.zone)
    try:
        provider = provider_of(kept)
    except BadOption as error:
        _end(publication, error)
        return
    plan = Plan.from_json(publication.plan or {})
    outcome = asyncio.run(publish(plan, publication.ticked, provider, dnsconfig.resolver()))
    _note(kept, outcome)
    publication.results = [
        [each.change.key, each.state, each.reason, each.fact] for each in outcome.results
    ]
    failed = next((each for each in outcome.results if each.reason), None)
    _end(publication, ProviderError(failed.reason, failed.fact) if failed else None)
    zones.check([domain])


def _note(kept: ZoneAccess, outcome: PublishOutcome) -> None:
    """Remember what is ours now, so that we may change it later without asking."""
    written = {tuple(each) for each in kept.written}
    for result in outcome.results:
        if result.state in (ChangeState.WRITTEN, ChangeState.UNSEEN):
            change = result.change
            written -= {(each.name, each.type, each.value) for each in change.before}
            written |= {(each.name, each.type, each.value) for each in change.after}
    kept.written = sorted(written)
    kept.used_at = timezone.now()
    kept.save(update_fields=["written", "used_at"])


def _end(publication: Publication, error: DnsError | None = None) -> None:
    code = fact = ""
    if error is not None:
        code = getattr(error, "reason", "") or "failed"
        fact = getattr(error, "fact", "") or getattr(error, "option", "")
    publication.state = State.FAILED if code else State.DONE
    publication.fault_code, publication.fault_fact = code, fact[:100]
    publication.ended_at = timezone.now()
    publication.save()
    ZoneAccess.objects.filter(zone=publication.zone).update(
        fault_code=code, fault_facts={"fact": fact} if fact else {}
    )
    log.info("publication_ended", zone=publication.zone.name, state=publication.state, code=code)


def _domain_of(publication: Publication) -> Domain:
    return Domain.objects.select_related("zone", "host", "account").get(zone=publication.zone)


# --- without a click ----------------------------------------------------------------------------


def publish_by_itself(domain: Domain) -> bool:
    """Write what keys and policies need, where a person has published before; no foreign record.

    Returns whether something was written.
    """
    kept = access_of(domain.zone)
    if kept is None or not kept.is_automatic or kept.used_at is None:
        return False
    try:
        plan = plan_for(domain)
    except DnsError as error:
        kept.fault_code = getattr(error, "reason", "failed")
        kept.save(update_fields=["fault_code"])
        return False
    changes = tuple(
        each for each in plan.changes if each.of.startswith(_AUTOMATIC) and not each.needs_tick
    )
    if not changes:
        return False
    publication = Publication.objects.create(
        zone=domain.zone, state=State.WRITING, plan=Plan(plan.zone, changes).to_json()
    )
    with transaction.atomic():
        audit.record(operator_by_command(), "dns.published", domain, after={"by_itself": True})
    _write(publication)
    return True


def waits_for_us(domain: Domain) -> bool:
    """Whether the last look saw something that `publish_by_itself` might mend."""
    kept = access_of(domain.zone)
    if kept is None or not kept.is_automatic or kept.used_at is None or not domain.zone.report:
        return False
    return any(
        each.kind.startswith(_AUTOMATIC)
        and each.state not in (RecordState.OK, RecordState.UNREACHABLE)
        for each in zones.report_of(domain.zone).records
    )


def rotate_due(*, now: datetime | None = None) -> int:
    """Follow up keys that have signed for half a year: by ourselves, or by a letter."""
    due = dkim.due_for_rotation(now=now)
    for domain in due:
        keys = dkim.rotate(domain, by=operator_by_command())
        kept = access_of(domain.zone)
        if keys and not (kept and kept.is_automatic and kept.used_at):
            letters.keys_to_enter(domain, keys)
    return len(due)
