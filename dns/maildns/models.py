"""Zones and their DKIM keys. A zone knows no tenant."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Zone(models.Model):
    """A DNS name for which mail records are wanted: lower-case A-label, no final dot."""

    name = models.CharField(_("name"), max_length=253, unique=True)

    class Meta:
        verbose_name = _("zone")
        verbose_name_plural = _("zones")

    def __str__(self) -> str:
        return self.name


class DkimKey(models.Model):
    """A key pair of a zone. Rows stay when retired, so a selector is never used twice."""

    class State(models.TextChoices):
        STAGED = "staged", _("made, not yet in the DNS")
        PUBLISHED = "published", _("seen on all name servers")
        SIGNING = "signing", _("signing")
        RETIRING = "retiring", _("no longer signing, still in the DNS")
        RETIRED = "retired", _("retired")

    zone = models.ForeignKey(Zone, models.PROTECT, related_name="dkim_keys", verbose_name=_("zone"))
    selector = models.CharField(_("selector"), max_length=63)
    algorithm = models.CharField(
        _("algorithm"), max_length=8, choices=[("rsa", "RSA-2048"), ("ed25519", "Ed25519")]
    )
    # PEM, encrypted by maildns' caller; empty once retired.
    private_key_sealed = models.TextField(blank=True, editable=False)
    # The DNS value without quotes: v=DKIM1; k=rsa; p=…
    public_record = models.TextField(_("record"), editable=False)
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.STAGED)
    created_at = models.DateTimeField(_("made at"), default=timezone.now, editable=False)
    signing_since = models.DateTimeField(_("signing since"), null=True, blank=True)

    class Meta:
        verbose_name = _("DKIM key")
        verbose_name_plural = _("DKIM keys")
        constraints = [
            models.UniqueConstraint(fields=["zone", "selector"], name="selector_once_per_zone"),
            models.UniqueConstraint(
                fields=["zone", "algorithm"],
                condition=models.Q(state="signing"),
                name="one_signing_key_per_algorithm",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.selector}._domainkey.{self.zone.name}"
