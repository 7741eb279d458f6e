"""What the panel writes to the people of a domain about its DNS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from smtplib import SMTPException
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.utils import translation

from mailadmin.models import Account, Domain, MailHost, SendingAlarm, User
from maildns.models import DkimKey
from maildns.readiness.report import Item

log = structlog.get_logger(__name__)


def record_lost(domain: Domain, kinds: Sequence[str]) -> bool:
    """Tell that records that were right are wrong. False when it could not be sent."""
    return _send("record_lost", domain.account, domain, {"kinds": kinds})


def keys_to_enter(domain: Domain, keys: Iterable[DkimKey]) -> bool:
    """Ask who enters records by hand for the records of new keys."""
    return _send("keys_to_enter", domain.account, domain, {"keys": list(keys)})


def host_lost(host: MailHost, items: Sequence[Item]) -> bool:
    """Tell the operator's people what a mail host no longer has."""
    sent = True
    for user in _operators():
        sent &= _deliver("host_lost", user, {"host": host, "items": items})
    return sent


def sending_slowed(alarm: SendingAlarm) -> bool:
    """Tell owner, reseller and operator that a mailbox sends too much. False if not all knew."""
    domain = alarm.address.domain
    people = {user.pk: user for user in people_of(domain.account, domain)}
    if domain.account.parent is not None:
        people |= {user.pk: user for user in people_of(domain.account.parent, domain)}
    people |= {user.pk: user for user in _operators()}
    sent = [
        _deliver("sending_slowed", user, {"alarm": alarm, "address": alarm.address})
        for user in people.values()
    ]
    return all(sent)


def domain_given_away(name: str, people: Sequence[User]) -> None:
    """Tell who held a domain that somebody else proved it, and has it now."""
    for user in people:
        _deliver("domain_given_away", user, {"name": name})


def _operators() -> QuerySet[User]:
    return User.objects.filter(is_superuser=True, is_active=True)


def _send(letter: str, account: Account, domain: Domain, facts: dict[str, Any]) -> bool:
    sent = True
    for user in people_of(account, domain):
        sent &= _deliver(letter, user, {"domain": domain, **facts})
    return sent


def _deliver(letter: str, user: User, facts: dict[str, Any]) -> bool:
    try:
        _message(letter, user, facts).send()
    except (SMTPException, OSError) as error:
        log.warning("letter_waits", letter=letter, user=user.pk, error=type(error).__name__)
        return False
    return True


def people_of(account: Account, domain: Domain) -> list[User]:
    """Who may change the domain; its reseller or the operator where nobody else is there."""
    mine = Q(memberships__domain=None) | Q(memberships__domain=domain)
    users = User.objects.filter(
        mine,
        is_active=True,
        memberships__account=account,
        memberships__role__in=["owner", "manager"],
    ).distinct()
    if users or account.parent is None:
        return list(users)
    return people_of(account.parent, domain)


def _message(letter: str, user: User, facts: dict[str, Any]) -> EmailMessage:
    facts = {**facts, "user": user, "public_url": settings.PUBLIC_URL}
    with translation.override(user.language or settings.LANGUAGE_CODE):
        subject = " ".join(render_to_string(f"mail/{letter}_subject.txt", facts).split())
        text = render_to_string(f"mail/{letter}.txt", facts)
    return EmailMessage(
        subject,
        text,
        settings.DEFAULT_FROM_EMAIL,
        [user.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
