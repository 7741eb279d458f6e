"""Domains: claimed by anyone, held by one account, and only then on a host."""

from __future__ import annotations

import secrets
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin import naming
from mailadmin.actors import Actor
from mailadmin.models.accounts import Account
from mailadmin.models.hosts import MailHost
from mailadmin.models.states import State


def make_nonce() -> str:
    return secrets.token_hex(16)


class DomainQuerySet(models.QuerySet["Domain"]):
    def visible_to(self, actor: Actor) -> DomainQuerySet:
        return self._within_reach_of(actor).living()

    def deleted_of(self, actor: Actor) -> DomainQuerySet:
        """The deleted ones that the actor can still bring back."""
        return self._within_reach_of(actor).exclude(deleted_at=None)

    def living(self) -> DomainQuerySet:
        """Those that are not deleted; a deleted one rests before its name is free."""
        return self.filter(deleted_at=None)

    def _within_reach_of(self, actor: Actor) -> DomainQuerySet:
        if actor.is_operator and actor.account is None:
            return self
        if actor.account is None:
            return self.none()
        own = Q(account_id=actor.account.pk)
        if actor.account.is_reseller:
            own |= Q(account__parent_id=actor.account.pk)
        if actor.domain_id is not None:
            own &= Q(pk=actor.domain_id)
        return self.filter(own)


class StsMode(models.TextChoices):
    """The policy of RFC 8461, 3.2; `off` has no record, and is reached through `none`."""

    OFF = "off", _("off")
    TESTING = "testing", _("testing")
    ENFORCE = "enforce", _("enforced")
    NONE = "none", _("being withdrawn")


class Domain(models.Model):
    """A held domain: its ownership is proved, or vouched for with who and why."""

    class HeldBy(models.TextChoices):
        TXT = "txt", _("proof in the DNS")
        WORD = "word", _("the operator's or reseller's word")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # Lower-case A-label without a final dot; the one form that is stored.
    name = models.CharField(_("name"), max_length=253, unique=True)
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="domains", verbose_name=_("account")
    )
    host = models.ForeignKey(
        MailHost, models.PROTECT, related_name="domains", verbose_name=_("mail host")
    )
    zone = models.OneToOneField(
        "maildns.Zone", models.PROTECT, related_name="+", verbose_name=_("zone")
    )
    canonical = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="alias_domains",
        verbose_name=_("alias of"),
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices[:3], default=State.ACTIVE
    )
    # An address of ours or anybody's; empty means that unknown recipients are refused.
    catch_all = models.CharField(_("catch-all"), max_length=254, blank=True)
    held_by = models.CharField(_("held by"), max_length=4, choices=HeldBy.choices)
    held_reason = models.CharField(_("reason"), max_length=300, blank=True)
    held_word_of = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("on the word of"),
    )
    held_at = models.DateTimeField(_("held since"), default=timezone.now)
    # What makes the token of its TXT proof one of this account and time; empty by a word.
    proof_nonce = models.CharField(max_length=32, blank=True, editable=False)
    # The name rests from then on: no host knows it, nobody else can hold it, it can come back.
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True, editable=False)
    # Its mail still goes to the host that its MX names: it is being moved to us.
    mail_elsewhere = models.BooleanField(_("mail elsewhere for now"), default=False)
    # It takes and sends no mail, and its records say so.
    is_parked = models.BooleanField(_("without mail"), default=False)
    sts_mode = models.CharField(
        _("MTA-STS"), max_length=7, choices=StsMode.choices, default=StsMode.TESTING
    )
    # The id of the record follows it; and since when nothing spoke against `enforce`.
    sts_changed_at = models.DateTimeField(default=timezone.now, editable=False)
    sts_clean_since = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[models.Manager[Domain]] = DomainQuerySet.as_manager()

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        constraints = [
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z0-9.-]+\.[a-z0-9-]+$"), name="domain_name_is_a_label"
            ),
            models.CheckConstraint(
                condition=~Q(held_by="word") | ~Q(held_reason=""), name="a_word_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def display_name(self) -> str:
        return naming.display_domain(self.name)

    @property
    def is_received(self) -> bool:
        """Whether its host takes its mail; an alias domain goes where its domain goes."""
        return not self.mail_elsewhere and not (self.canonical and self.canonical.mail_elsewhere)


class DomainClaimQuerySet(models.QuerySet["DomainClaim"]):
    def visible_to(self, actor: Actor) -> DomainClaimQuerySet:
        if actor.is_operator and actor.account is None:
            return self
        if actor.account is None or actor.domain_id is not None:
            return self.none()
        own = Q(account_id=actor.account.pk)
        if actor.account.is_reseller:
            own |= Q(account__parent_id=actor.account.pk)
        return self.filter(own)


class DomainClaim(models.Model):
    """Somebody says that a domain is his. A claim reaches no host and blocks nobody."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting for the proof")
        # Proved, but somebody else holds the name: the operator decides.
        CONTESTED = "contested", _("proved, held by another account")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=253)
    account = models.ForeignKey(
        Account, models.CASCADE, related_name="claims", verbose_name=_("account")
    )
    nonce = models.CharField(max_length=32, default=make_nonce, editable=False)
    state = models.CharField(
        _("state"), max_length=9, choices=State.choices, default=State.WAITING, editable=False
    )
    created_at = models.DateTimeField(_("claimed at"), default=timezone.now, editable=False)
    # The last look at the proof: maildns.check.ZoneReport as JSON.
    report = models.JSONField(null=True, blank=True, editable=False)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_check_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    asked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[models.Manager[DomainClaim]] = DomainClaimQuerySet.as_manager()

    class Meta:
        verbose_name = _("domain claim")
        verbose_name_plural = _("domain claims")
        constraints = [
            models.UniqueConstraint(fields=["name", "account"], name="one_claim_per_account")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.account})"

    @property
    def display_name(self) -> str:
        return naming.display_domain(self.name)

    @property
    def is_being_checked(self) -> bool:
        return self.asked_at is not None and (
            self.checked_at is None or self.checked_at < self.asked_at
        )
