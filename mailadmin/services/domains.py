"""Verbs of domains. A domain reaches no host before it is held."""

from __future__ import annotations

from django.conf import settings
from django.db import IntegrityError, transaction

from mailadmin import access, naming
from mailadmin.actors import Actor
from mailadmin.errors import AlreadyHeld, HostUnavailable, NotAllowed, ReasonMissing
from mailadmin.models import Account, Domain, DomainClaim, MailHost
from mailadmin.models.states import State
from mailadmin.push import hostrows
from mailadmin.services import addresses, audit, dkim, limits
from maildns.models import DkimKey, Zone


def claim_domain(name: str, account: Account, *, by: Actor) -> DomainClaim:
    """Note that an account says a domain is its own. Reaches no host and blocks nobody."""
    access.may_write(by, account)
    name = canonical(name)
    with transaction.atomic():
        claim, _made = DomainClaim.objects.get_or_create(name=name, account=account)
        audit.record(by, "domain.claimed", account, after={"name": name})
    return claim


def hold_domain_by_word(
    name: str, account: Account, *, reason: str, by: Actor, host: MailHost | None = None
) -> Domain:
    """Take a domain in for `account` on the word of the operator, or of a reseller who may.

    Makes its DKIM key and tells the host. Raises BadDomainName, AlreadyHeld, LimitReached,
    ReasonMissing, HostUnavailable, NotAllowed.
    """
    access.may_write(by, account)
    if not _may_vouch(by):
        raise NotAllowed
    if not reason.strip():
        raise ReasonMissing
    name = canonical(name)
    material = dkim.make_key_material()  # 60 ms and more: never inside a transaction
    with transaction.atomic():
        limits.take(account, "domains")
        if Domain.objects.filter(name=name).exists():
            raise AlreadyHeld(domain=name)
        zone, _made = Zone.objects.get_or_create(name=name)
        try:
            with transaction.atomic():
                domain = Domain.objects.create(
                    name=name,
                    account=account,
                    host=host or _choose_host(),
                    zone=zone,
                    held_by=Domain.HeldBy.WORD,
                    held_reason=reason.strip(),
                    held_word_of=by.user,
                )
        except IntegrityError as error:
            raise AlreadyHeld(domain=name) from error
        DomainClaim.objects.filter(name=name, account=account).delete()
        key = dkim.store_key(zone, material)
        audit.record(by, "domain.held", domain, after={"by": "word", "reason": reason.strip()})
        hostrows.touch(domain, key, by=by)
    return domain


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

    Raises BadTarget, LoopFound.
    """
    access.may_write(by, domain)
    email = naming.parse_target(target) if target.strip() else ""
    with transaction.atomic():
        limits.lock(domain.account)
        domain = Domain.objects.select_related("account").get(pk=domain.pk)
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


def signing_key(domain: Domain) -> DkimKey | None:
    return DkimKey.objects.filter(zone_id=domain.zone_id, state=DkimKey.State.SIGNING).first()
