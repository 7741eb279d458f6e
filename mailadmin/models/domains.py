"""Domains: claimed by anyone, held by one account, and only then on a host."""

from __future__ import annotations

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


class DomainQuerySet(models.QuerySet["Domain"]):
    def visible_to(self, actor: Actor) -> DomainQuerySet:
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


class DomainClaim(models.Model):
    """Somebody says that a domain is his. A claim reaches no host and blocks nobody."""

    name = models.CharField(_("name"), max_length=253)
    account = models.ForeignKey(
        Account, models.CASCADE, related_name="claims", verbose_name=_("account")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("domain claim")
        verbose_name_plural = _("domain claims")
        constraints = [
            models.UniqueConstraint(fields=["name", "account"], name="one_claim_per_account")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.account})"
