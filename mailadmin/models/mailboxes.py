"""What hangs on an address: a mailbox, a second name of one (alias), or a forward."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.actors import Actor
from mailadmin.models.addresses import Address

PROTOCOLS = ("imap", "pop3", "sieve", "submission")


def new_storage_id() -> str:
    """32 hex digits; never re-used, so a new owner never finds old mail."""
    return secrets.token_hex(16)


class Waiting(models.TextChoices):
    """What is to be done with the mail that waits from a mailbox."""

    NOTHING = "", _("nothing")
    HOLD = "hold", _("hold")
    RELEASE = "release", _("release")
    DELETE = "delete", _("delete")


class OnAddressQuerySet(models.QuerySet[Any]):
    def visible_to(self, actor: Actor) -> OnAddressQuerySet:
        return self.filter(address__in=Address.objects.visible_to(actor))


class Mailbox(models.Model):
    """Mail is kept here. `quota_mib` None is unlimited: the operator's word only."""

    address = models.OneToOneField(Address, models.CASCADE, primary_key=True)
    name = models.CharField(_("name of the person"), max_length=150, blank=True)
    storage_id = models.CharField(
        max_length=32, unique=True, default=new_storage_id, editable=False
    )
    quota_mib = models.PositiveBigIntegerField(_("storage (MiB)"), null=True, blank=True)
    # Only of use while targets exist: whether the forwarded mail is also kept here.
    keep_copy = models.BooleanField(_("keep a copy"), default=True)
    # Somebody has stopped it from sending; and what its host still has to do with its queue.
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True, editable=False)
    waiting = models.CharField(
        max_length=7, choices=Waiting.choices, blank=True, default="", editable=False
    )
    # The language of a welcome message that is still to be sent; empty when none is.
    welcome_in = models.CharField(max_length=8, blank=True, default="", editable=False)

    objects: ClassVar[models.Manager[Mailbox]] = OnAddressQuerySet.as_manager()

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        constraints = [
            models.CheckConstraint(
                condition=Q(quota_mib=None) | Q(quota_mib__gt=0), name="quota_is_above_zero"
            )
        ]
        indexes = [
            models.Index(fields=["address"], condition=~Q(welcome_in=""), name="welcome_due"),
            models.Index(fields=["address"], condition=~Q(waiting=""), name="queue_due"),
        ]

    def __str__(self) -> str:
        return self.address.email


class Credential(models.Model):
    """One password of a mailbox. The main one has an empty prefix."""

    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="credentials")
    public_prefix = models.CharField(max_length=16, blank=True)
    hash = models.CharField(max_length=255, editable=False)
    protocols = models.CharField(max_length=60, default=",".join(PROTOCOLS))
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "public_prefix"], name="one_credential_per_prefix"
            ),
            models.CheckConstraint(
                condition=Q(hash__startswith="{ARGON2ID}")
                | Q(hash__startswith="{SHA512-CRYPT}")
                | Q(hash__startswith="{BLF-CRYPT}"),
                name="only_known_hash_schemes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mailbox} ({self.public_prefix or 'main'})"


class Alias(models.Model):
    """A second address of one mailbox."""

    address = models.OneToOneField(Address, models.CASCADE, primary_key=True)
    mailbox = models.ForeignKey(
        Mailbox, models.PROTECT, related_name="aliases", verbose_name=_("mailbox")
    )

    objects: ClassVar[models.Manager[Alias]] = OnAddressQuerySet.as_manager()

    class Meta:
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")

    def __str__(self) -> str:
        return self.address.email


class Forward(models.Model):
    """An address without storage that leads to its targets, inside or outside."""

    address = models.OneToOneField(Address, models.CASCADE, primary_key=True)

    objects: ClassVar[models.Manager[Forward]] = OnAddressQuerySet.as_manager()

    class Meta:
        verbose_name = _("forward")
        verbose_name_plural = _("forwards")

    def __str__(self) -> str:
        return self.address.email


class SendingAlarm(models.Model):
    """A mailbox wanted to send to more people within an hour than it may; the rest was put off."""

    class What(models.TextChoices):
        MAILBOX = "mailbox", _("mailbox")
        DOMAIN = "domain", _("domain")
        ACCOUNT = "account", _("account")

    address = models.ForeignKey(
        Address, models.CASCADE, related_name="alarms", verbose_name=_("address")
    )
    what = models.CharField(_("limit"), max_length=7, choices=What.choices)
    count = models.PositiveIntegerField(_("recipients"))
    allowed = models.PositiveIntegerField(_("allowed"))
    at = models.DateTimeField(_("at"), default=timezone.now, editable=False)
    told_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("sending alarm")
        verbose_name_plural = _("sending alarms")

    def __str__(self) -> str:
        return f"{self.address}: {self.count}"
