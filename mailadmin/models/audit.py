"""Who did what: codes and ids that stay, and names that can be erased."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.actors import Actor
from mailadmin.models.accounts import Account


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    def visible_to(self, actor: Actor) -> AuditQuerySet:
        if actor.is_operator and actor.account is None:
            return self
        if actor.domain_id is not None:
            return self.filter(account=actor.account, domain_key=actor.domain_id)
        return self.filter(account__in=Account.objects.visible_to(actor))


class AuditEvent(models.Model):
    """One act of one service. Names and addresses of people are in AuditDetail; secrets nowhere."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    code = models.CharField(_("what"), max_length=60)
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, related_name="+", verbose_name=_("account")
    )
    domain_key = models.PositiveBigIntegerField(null=True)
    object_kind = models.CharField(max_length=20)
    object_key = models.CharField(max_length=40)
    user_key = models.PositiveBigIntegerField(null=True)
    impersonator_key = models.PositiveBigIntegerField(null=True)
    role = models.CharField(_("role"), max_length=10)
    door = models.CharField(_("door"), max_length=8)
    change_id = models.CharField(_("change"), max_length=36, db_index=True)

    objects: ClassVar[models.Manager[AuditEvent]] = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        indexes = [models.Index(fields=["account", "-id"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.code}"


class AuditDetail(models.Model):
    """Names, addresses and IPs of people in one event; erased without touching the event."""

    event = models.OneToOneField(
        AuditEvent, models.CASCADE, primary_key=True, related_name="detail"
    )
    who = models.CharField(_("who"), max_length=254, blank=True)
    in_place_of = models.CharField(_("in place of"), max_length=254, blank=True)
    ip = models.GenericIPAddressField(_("from"), null=True)
    subject = models.CharField(_("of what"), max_length=254, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("audit detail")
        verbose_name_plural = _("audit details")

    def __str__(self) -> str:
        return self.subject
