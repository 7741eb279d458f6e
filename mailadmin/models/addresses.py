"""An address: the one place where a name in a domain is taken."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Concat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.actors import Actor
from mailadmin.models.domains import Domain
from mailadmin.models.states import State


class AddressQuerySet(models.QuerySet["Address"]):
    def visible_to(self, actor: Actor) -> AddressQuerySet:
        if actor.is_operator and actor.account is None:
            return self
        return self.filter(domain__in=Domain.objects.visible_to(actor))

    def outside_trash(self) -> AddressQuerySet:
        return self.exclude(state=State.TRASH)

    def spelled(self, email: str) -> AddressQuerySet:
        """Those that read `email`; both parts in canonical form."""
        local_part, _at, domain = email.rpartition("@")
        return self.filter(local_part=local_part, domain__name=domain)


class Address(models.Model):
    """On it hangs exactly one of Mailbox, Alias or Forward, named by `kind`.

    The unique constraint includes the trash: an address is reserved until its trash is emptied.
    """

    class Kind(models.TextChoices):
        MAILBOX = "mailbox", _("mailbox")
        ALIAS = "alias", _("alias")
        FORWARD = "forward", _("forward")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    domain = models.ForeignKey(
        Domain, models.PROTECT, related_name="addresses", verbose_name=_("domain")
    )
    local_part = models.CharField(_("before the @"), max_length=64)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)
    trashed_at = models.DateTimeField(_("in the trash since"), null=True, blank=True)
    # What it was before the trash, so that restoring gives back just that.
    state_before_trash = models.CharField(max_length=10, blank=True)

    objects: ClassVar[models.Manager[Address]] = AddressQuerySet.as_manager()

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        ordering = ["local_part"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "local_part"], name="address_once"),
            models.CheckConstraint(
                # standards: RFC 5321, 4.1.2 Dot-string, cut down to what is safe everywhere.
                condition=Q(local_part__regex=r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$")
                & ~Q(local_part__contains=".."),
                name="local_part_is_canonical",
            ),
            models.CheckConstraint(
                condition=Q(state="trash", trashed_at__isnull=False)
                | ~Q(state="trash") & Q(trashed_at=None),
                name="trash_has_a_date",
            ),
        ]
        indexes = [models.Index(fields=["domain", "kind", "local_part"])]

    def __str__(self) -> str:
        return self.email

    @property
    def email(self) -> str:
        return f"{self.local_part}@{self.domain.name}"

    @property
    def display_email(self) -> str:
        return f"{self.local_part}@{self.domain.display_name}"

    @property
    def is_in_trash(self) -> bool:
        return self.state == State.TRASH


def spelled_out() -> Concat:
    """The address as text, for a query: local part, @, domain name."""
    return Concat(F("local_part"), models.Value("@"), F("domain__name"))


class Target(models.Model):
    """Where an address leads: of a forward, or of a mailbox that forwards."""

    address = models.ForeignKey(Address, models.CASCADE, related_name="targets")
    position = models.PositiveSmallIntegerField()
    email = models.CharField(max_length=254, db_index=True)

    class Meta:
        verbose_name = _("target")
        verbose_name_plural = _("targets")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["address", "position"], name="target_position_once"),
            models.UniqueConstraint(fields=["address", "email"], name="target_once"),
        ]

    def __str__(self) -> str:
        return self.email
