"""Verbs of domains. A domain reaches no host before it is held."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from mailadmin import access, naming
from mailadmin.actors import Actor
from mailadmin.errors import (
    AddressInUse,
    AlreadyHeld,
    DomainDeleted,
    DomainInUse,
    DomainParked,
    HostUnavailable,
    MailAdminError,
    NotAllowed,
    NotFound,
    ReasonMissing,
)
from mailadmin.models import Account, Address, Alias, Domain, DomainClaim, Mailbox, MailHost
from mailadmin.models.domains import StsMode
from mailadmin.models.states import State
from mailadmin.push import hostrows
from mailadmin.services import addresses, audit, dkim, limits, sts
from maildns.models import DkimKey, Zone, ZoneAccess

# How long the name of a deleted domain rests, and its mail is kept.
REST = timedelta(days=30)
# Beyond this, rows are an import's: proved by sample, and overtaken by what people change.
FEW = 100


def hold_domain_by_word(
    name: str, account: Account, *, reason: str, by: Actor, host: MailHost | None = None
) -> Domain:
    """Take a domain in for `account` on the word of the operator, or of a reseller who may.

    Raises BadDomainName, AlreadyHeld, DomainDeleted, LimitReached, ReasonMissing,
    HostUnavailable, NotAllowed.
    """
    access.may_write(by, account)
    if not _may_vouch(by):
        raise NotAllowed
    if not reason.strip():
        raise ReasonMissing
    word = {"held_by": Domain.HeldBy.WORD, "held_reason": reason.strip(), "held_word_of": by.user}
    return _hold(canonical(name), account, word, by=by, host=host)


def hold_domain_by_proof(claim: DomainClaim, *, mail_elsewhere: bool = False, by: Actor) -> Domain:
    """Take a domain in whose claim was proved: its TXT record stands at all its servers.

    Raises AlreadyHeld, DomainDeleted, LimitReached, HostUnavailable.
    """
    proof = {
        "held_by": Domain.HeldBy.TXT,
        "proof_nonce": claim.nonce,
        "mail_elsewhere": mail_elsewhere,
    }
    return _hold(claim.name, claim.account, proof, by=by)


def _hold(
    name: str,
    account: Account,
    how: dict[str, Any],
    *,
    by: Actor,
    host: MailHost | None = None,
) -> Domain:
    """Make the row of a held domain and its DKIM keys, and tell the host."""
    materials = dkim.make_key_material()
    with transaction.atomic():
        limits.take(account, "domains")
        if (there := Domain.objects.filter(name=name).first()) is not None:
            raise _not_free(there)
        zone, _made = Zone.objects.get_or_create(name=name)
        try:
            with transaction.atomic():
                domain = Domain.objects.create(
                    name=name, account=account, host=host or _choose_host(), zone=zone, **how
                )
        except IntegrityError as error:
            raise AlreadyHeld(domain=name) from error
        DomainClaim.objects.filter(name=name, account=account).delete()
        keys = dkim.store_keys(zone, materials)
        Zone.objects.filter(pk=zone.pk).update(asked_at=None, next_check_at=timezone.now())
        after = {"by": domain.held_by} | ({"reason": domain.held_reason} if by.user else {})
        audit.record(by, "domain.held", domain, after=after)
        hostrows.touch(domain, *keys, by=by)
        transaction.on_commit(lambda: hostrows.wake("panel.tasks.check_zone", zone.pk), robust=True)
    return domain


def _not_free(there: Domain) -> MailAdminError:
    if there.deleted_at is None:
        return AlreadyHeld(domain=there.name)
    return DomainDeleted(domain=there.name, until=there.deleted_at + REST)


def _may_vouch(by: Actor) -> bool:
    if by.is_operator:
        return True
    account = by.account
    return bool(
        account
        and account.is_reseller
        and by.role == "owner"
        and account.plan
        and account.plan.domains_by_word
    )


def canonical(name: str) -> str:
    """Return the stored form of a domain that may be held here.

    Raises BadDomainName, and AlreadyHeld for the names of our own hosts and of the panel: whoever
    held them would receive the operator's mail.
    """
    name = naming.canonical_domain(name, allow_special=settings.ALLOW_SPECIAL_USE_DOMAINS)
    own = {settings.PUBLIC_HOST.rsplit(":", 1)[0], *MailHost.objects.values_list("name", flat=True)}
    if name in own:
        raise AlreadyHeld(domain=name)
    return name


def _choose_host() -> MailHost:
    host = MailHost.objects.filter(accepts_domains=True).order_by("pk").first()
    if host is None:
        raise HostUnavailable
    return host


def set_catch_all(domain: Domain, target: str, *, by: Actor) -> Domain:
    """Lead mail for unknown names of a domain to one address; an empty text refuses it again.

    Raises BadTarget, LoopFound, DomainParked.
    """
    access.may_write(by, domain)
    email = naming.parse_target(target) if target.strip() else ""
    with transaction.atomic():
        limits.lock(domain.account)
        domain = Domain.objects.select_related("account").get(pk=domain.pk)
        if email and domain.is_parked:
            raise DomainParked(domain=domain.name)
        if email:
            addresses.refuse_catch_all_loop(domain, email)
        before, domain.catch_all = domain.catch_all, email
        domain.save(update_fields=["catch_all"])
        audit.record(
            by, "domain.catch_all", domain, before={"target": before}, after={"target": email}
        )
        hostrows.touch(domain, by=by)
    return domain


def set_domain_state(domain: Domain, state: State, *, by: Actor) -> Domain:
    """Switch a domain to active, log-in off or off, for all its addresses at once."""
    access.may_write(by, domain)
    with transaction.atomic():
        limits.lock(domain.account)
        domain = Domain.objects.select_related("account").get(pk=domain.pk)
        before, domain.state = domain.state, state
        domain.save(update_fields=["state"])
        audit.record(by, "domain.state", domain, before={"state": before}, after={"state": state})
        hostrows.touch(domain, by=by)
    return domain


def set_mail_elsewhere(domain: Domain, elsewhere: bool, *, by: Actor) -> Domain:
    """Leave a domain's mail to its former provider while it is being moved, or take it here.

    Log-ins and sending are the same either way. Raises LoopFound or RouteTooLarge when, taken
    here, mail would go round or become too much: ways that ended at the former provider go on.
    """
    access.may_write(by, domain)
    with transaction.atomic():
        limits.lock(domain.account)
        domain = Domain.objects.select_related("account", "canonical").get(pk=domain.pk)
        if domain.mail_elsewhere == elsewhere:
            return domain
        domain.mail_elsewhere = elsewhere
        domain.save(update_fields=["mail_elsewhere"])
        if not elsewhere:
            addresses.refuse_loops_through(domain.canonical or domain)
        audit.record(by, "domain.elsewhere" if elsewhere else "domain.here", domain)
        _have_shown_anew(domain, by=by)
    return domain


def _have_shown_anew(domain: Domain, *, by: Actor) -> None:
    """Touch a domain, its second names and addresses: what they must show is not as it was."""
    inside = Address.objects.filter(domain=domain).select_related("domain")
    # A welcome message follows the proof of its own mailbox.
    expecting = inside.filter(mailbox__welcome_in__gt="")
    others = inside.exclude(pk__in=expecting)
    hostrows.touch(domain, *domain.alias_domains.filter(deleted_at=None), *expecting, by=by)
    hostrows.touch(*others, by=by, bulk=len(others) > FEW)


def set_parked(domain: Domain, parked: bool, *, by: Actor) -> Domain:
    """Use a domain without mail, or with it again.

    Without mail its records say that it takes none and sends none (RFC 7505; RFC 7208, 10.1.2), its
    keys are void, and its host refuses what still comes. Raises DomainInUse.
    """
    access.may_write(by, domain)
    materials = [] if parked else dkim.make_key_material()
    now = timezone.now()
    with transaction.atomic():
        limits.lock(domain.account)
        domain = Domain.objects.select_related("account", "zone").get(pk=domain.pk)
        if domain.is_parked == parked:
            return domain
        if parked and (domain.catch_all or domain.canonical_id or _has_addresses(domain)):
            raise DomainInUse(domain=domain.name)
        domain.is_parked = parked
        domain.save(update_fields=["is_parked"])
        if parked:
            sts.set_mode(domain, StsMode.OFF, by=by, now=now)
            dkim.retire_all(domain, now=now, by=by)
        keys = dkim.store_keys(domain.zone, materials)
        Zone.objects.filter(pk=domain.zone_id).update(next_check_at=now)
        audit.record(by, "domain.parked" if parked else "domain.unparked", domain)
        hostrows.touch(domain, *keys, by=by)
        transaction.on_commit(
            lambda: hostrows.wake("panel.tasks.check_zone", domain.zone_id), robust=True
        )
    return domain


def _has_addresses(domain: Domain) -> bool:
    return (
        Address.objects.filter(domain=domain).exclude(state=State.TRASH).exists()
        or domain.alias_domains.filter(deleted_at=None).exists()
    )


def delete_domain(domain: Domain, *, by: Actor) -> None:
    """Take a domain off its host. Its name and its mail rest for 30 days; then both go.

    Until then it can be restored as it was, but with new DKIM keys. Raises AddressInUse while
    aliases of another domain lead here.
    """
    access.may_write(by, domain)
    now = timezone.now()
    with transaction.atomic():
        limits.lock(domain.account)
        if needed_by := _needed_by(domain):
            raise AddressInUse(address=domain.name, used_by=needed_by)
        Domain.objects.filter(pk=domain.pk).update(deleted_at=now)
        domain.deleted_at = now
        dkim.retire_all(domain, now=now, by=by)
        audit.record(by, "domain.deleted", domain)
        _touch_all(domain, by=by)


def _needed_by(domain: Domain) -> list[str]:
    aliases = Alias.objects.filter(mailbox__address__domain=domain).exclude(address__domain=domain)
    names = domain.alias_domains.filter(deleted_at=None).values_list("name", flat=True)
    return [*(alias.address.email for alias in aliases.select_related("address__domain")), *names]


def restore_domain(domain: Domain, *, by: Actor) -> None:
    """Bring a deleted domain back as long as its name rests. Raises LimitReached."""
    if not Domain.objects.deleted_of(by).filter(pk=domain.pk).exists():
        raise NotFound
    if not by.may_write:
        raise NotAllowed
    materials = [] if domain.is_parked else dkim.make_key_material()
    with transaction.atomic():
        limits.take(domain.account, "domains")
        Domain.objects.filter(pk=domain.pk).update(deleted_at=None)
        domain.deleted_at = None
        limits.recheck(domain.account)
        dkim.store_keys(domain.zone, materials)
        Zone.objects.filter(pk=domain.zone_id).update(next_check_at=timezone.now())
        audit.record(by, "domain.restored", domain)
        _touch_all(domain, by=by)


def _touch_all(domain: Domain, *, by: Actor) -> None:
    """Send the domain with all that hangs on it: what is deleted is rendered as a removal."""
    addresses_ = Address.objects.filter(domain=domain)
    keys = DkimKey.objects.filter(zone_id=domain.zone_id)
    hostrows.touch(domain, *addresses_, *keys, by=by)


def end_rests(*, by: Actor, now: datetime | None = None) -> int:
    """Delete for ever the domains whose rest is over, and the mail that lay in them."""
    limit = (now or timezone.now()) - REST
    due = list(Domain.objects.filter(deleted_at__lt=limit))
    for domain in due:
        with transaction.atomic():
            end_domain(domain, by=by)
    return len(due)


def end_domain(domain: Domain, *, by: Actor) -> None:
    """Delete a deleted domain for ever, with its mail. Call it in a transaction."""
    for mailbox in Mailbox.objects.filter(address__domain=domain):
        hostrows.purge(domain.host_id, mailbox.storage_id, by=by)
    audit.record(by, "domain.ended", domain)
    Address.objects.filter(alias__mailbox__address__domain=domain).delete()
    Address.objects.filter(domain=domain).delete()
    ZoneAccess.objects.filter(zone_id=domain.zone_id).delete()
    domain.delete()
