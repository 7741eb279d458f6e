"""Claims: a customer says that a domain is his, proves it in the DNS, and only then holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailadmin import access, dnsconfig
from mailadmin.actors import Actor, operator_by_command
from mailadmin.errors import (
    AlreadyHeld,
    HostUnavailable,
    LimitReached,
    NameBelowAnother,
    NameReserved,
    NotAllowed,
    NotContested,
    ReasonMissing,
)
from mailadmin.models import Account, Domain, DomainClaim, MailHost
from mailadmin.push import hostrows
from mailadmin.services import audit, domains, letters, limits, wanted
from maildns.check import Servers, ZoneReport, all_seen, check_zone

log = structlog.get_logger(__name__)

# A claim that nobody proves is looked at ever less often, and forgotten in the end.
SOONEST, LATEST = timedelta(minutes=2), timedelta(hours=12)
ASKED_AGAIN = timedelta(seconds=3)
FORGOTTEN_AFTER = timedelta(days=60)
# Whoever held one of these would be sent mail that half the world means for somebody else.
BIG_RECEIVERS = frozenset({
    "aol.com", "arcor.de", "bluewin.ch", "fastmail.com", "free.fr", "freenet.de", "gmail.com",
    "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com",
    "hotmail.de", "icloud.com", "laposte.net", "live.com", "live.de", "mac.com", "mail.de",
    "mail.ru", "mailbox.org", "me.com", "msn.com", "orange.fr", "outlook.com", "outlook.de",
    "posteo.de", "proton.me", "protonmail.com", "qq.com", "t-online.de", "web.de", "yahoo.com",
    "yahoo.de", "yandex.ru", "ymail.com",
})  # fmt: skip


def claim(name: str, account: Account, *, by: Actor) -> DomainClaim:
    """Note that an account says a domain is its own. Reaches no host and blocks nobody.

    Raises BadDomainName, NameReserved, NameBelowAnother, AlreadyHeld (by this very account),
    LimitReached.
    """
    access.may_write(by, account)
    name = domains.canonical(name)
    refuse_reserved(name, account)
    if Domain.objects.filter(name=name, account=account, deleted_at=None).exists():
        raise AlreadyHeld(domain=name, by_you=True)
    usage = limits.usage(account, "domains")
    if usage.is_full:
        raise LimitReached(what="domains", allowed=usage.allowed, used=usage.used)
    with transaction.atomic():
        found, made = DomainClaim.objects.get_or_create(name=name, account=account)
        if made:
            audit.record(by, "domain.claimed", account, after={"name": name})
    return found


def refuse_reserved(name: str, account: Account) -> None:
    """Refuse names that need the operator's word: big receivers, our own, another's subdomains."""
    if any(name == each or name.endswith(f".{each}") for each in BIG_RECEIVERS):
        raise NameReserved(domain=name)
    own = {settings.PUBLIC_HOST.rsplit(":", 1)[0], settings.WEB_NAME, settings.REPORTS_DOMAIN}
    own |= set(MailHost.objects.values_list("name", flat=True))
    if any(each and _is_one_branch(name, each) for each in own):
        raise NameReserved(domain=name)
    above = _names_above(name)
    if Domain.objects.filter(name__in=above).exclude(account=account).exists():
        raise NameBelowAnother(domain=name)


def _is_one_branch(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _names_above(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels) - 1)]


def proof_of(claim: DomainClaim) -> wanted.WantedRecord:
    """The record that proves this claim."""
    return wanted.proof_record(claim.name, str(claim.account.uid), claim.nonce)


def withdraw(claim: DomainClaim, *, by: Actor) -> None:
    access.may_write(by, claim.account)
    with transaction.atomic():
        claim.delete()
        audit.record(by, "domain.claim_withdrawn", claim.account, after={"name": claim.name})


def ask_for_check(claim: DomainClaim, *, by: Actor) -> None:
    """Have a worker look for the proof soon; who asks again within seconds has asked already."""
    access.may_write(by, claim.account)
    now = timezone.now()
    with transaction.atomic():
        rested = Q(asked_at=None) | Q(asked_at__lt=now - ASKED_AGAIN)
        rows = DomainClaim.objects.filter(rested, pk=claim.pk)
        if not rows.update(asked_at=now, next_check_at=now):
            return
        transaction.on_commit(
            lambda: hostrows.wake("panel.tasks.check_claim", claim.pk), robust=True
        )


def settle(claim: DomainClaim, *, reason: str, by: Actor) -> Domain:
    """Give a domain to who proved it, and end it for its holder, with all mail in it.

    The operator's decision; the new holder starts empty. Raises NotAllowed, ReasonMissing,
    NotContested, AddressInUse, LimitReached, HostUnavailable.
    """
    if not by.is_operator or by.account is not None:
        raise NotAllowed
    if not reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        held = Domain.objects.select_related("account").filter(name=claim.name).first()
        if claim.state != DomainClaim.State.CONTESTED:
            raise NotContested(domain=claim.name)
        if held is not None:
            _end(held, by=by)
        after = {"to": str(claim.account.uid), "reason": reason.strip()}
        audit.record(by, "domain.settled", claim.account, after=after)
        return domains.hold_domain_by_proof(claim, by=by)


def _end(held: Domain, *, by: Actor) -> None:
    """Take a domain from its holder at once, and tell him."""
    if held.deleted_at is None:
        domains.delete_domain(held, by=by)
    name, people = held.display_name, letters.people_of(held.account, held)
    transaction.on_commit(lambda: letters.domain_given_away(name, people), robust=True)
    domains.end_domain(held, by=by)


def check_due(*, now: datetime | None = None) -> None:
    """Look for the proofs whose time has come; forget claims that nobody has proved for long."""
    now = now or timezone.now()
    DomainClaim.objects.filter(
        created_at__lt=now - FORGOTTEN_AFTER, state=DomainClaim.State.WAITING
    ).delete()
    check(DomainClaim.objects.filter(next_check_at__lte=now)[:100], now=now)


def check(
    claims: Iterable[DomainClaim],
    *,
    now: datetime | None = None,
    resolver: Servers | None = None,
) -> None:
    """Look for the proofs of claims now; what is proved is held."""
    rows = list(DomainClaim.objects.select_related("account").filter(pk__in=[c.pk for c in claims]))
    if not rows:
        return
    reports = asyncio.run(_look(rows, resolver or dnsconfig.resolver()))
    for row, report in zip(rows, reports, strict=True):
        _record(row, report, now or timezone.now())


async def _look(claims: list[DomainClaim], resolver: Servers) -> list[ZoneReport]:
    """Each report has the proof first, then the MX records."""
    mx = wanted.some_mx
    return await asyncio.gather(
        *(check_zone(each.name, [proof_of(each).check, mx(each.name)], resolver) for each in claims)
    )


def _record(row: DomainClaim, report: ZoneReport, now: datetime) -> None:
    pause = min(max((now - row.created_at) / 4, SOONEST), LATEST)
    row.report, row.checked_at, row.next_check_at = report.to_json(), now, now + pause
    row.save(update_fields=["report", "checked_at", "next_check_at"])
    if report.records and all_seen(report.records[0]):
        _hold(row, is_elsewhere=any(each.seen for each in report.records[1].servers))


def _hold(row: DomainClaim, *, is_elsewhere: bool) -> None:
    """Hold what is proved. Mail that goes elsewhere today goes on to do so until it is moved."""
    by = operator_by_command()
    try:
        domains.hold_domain_by_proof(row, mail_elsewhere=is_elsewhere, by=by)
    except AlreadyHeld:
        if row.state != DomainClaim.State.CONTESTED:
            with transaction.atomic():
                row.state = DomainClaim.State.CONTESTED
                row.save(update_fields=["state"])
                audit.record(by, "domain.contested", row.account, after={"name": row.name})
    except (LimitReached, HostUnavailable) as error:
        log.warning("claim_waits", claim=row.pk, error=error.code)
