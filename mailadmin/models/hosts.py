"""Mail hosts, and what each of them must learn."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.actors import Actor


class MailHost(models.Model):
    """A Postfix/Dovecot host. `generation` counts the changes it must learn.

    `epoch`, `applied_generation` and `batch` are the panel's own record of the last batch that
    the host acknowledged; `pending_*` name the one that was sent and not yet answered.
    """

    class Condition(models.TextChoices):
        OK = "ok", _("in step")
        UNREACHABLE = "unreachable", _("unreachable")
        FORKED = "forked", _("stopped: the host differs from our record")
        MASS_REMOVAL = "mass_removal", _("stopped: a batch would remove many mailboxes")
        REFUSED = "refused", _("the host refuses the batch")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("host name"), max_length=253, unique=True)
    agent_url = models.CharField(
        _("agent"), max_length=300, help_text=_("unix:/path/to/agent.sock")
    )
    accepts_domains = models.BooleanField(_("takes new domains"), default=True)
    # What a mail client is told: {"imaps": ["imap.example.net", 993], …}.
    client_settings = models.JSONField(_("settings for mail clients"), default=dict, blank=True)

    # What it sends from: ["192.0.2.1", "2001:db8::1"]. Its name is that of its HELO.
    addresses = models.JSONField(
        _("sending addresses"), default=list, blank=True,
        help_text=_('As a list: ["192.0.2.1", "2001:db8::1"]'),
    )  # fmt: skip
    # The last look at what a mail server needs: maildns.readiness.ReadinessReport as JSON.
    readiness = models.JSONField(null=True, blank=True, editable=False)
    readiness_at = models.DateTimeField(null=True, blank=True, editable=False)
    readiness_asked_at = models.DateTimeField(null=True, blank=True, editable=False)

    # The last of its sending alarms that we took in.
    alarms_seen = models.PositiveBigIntegerField(default=0, editable=False)

    generation = models.PositiveBigIntegerField(default=0)
    epoch = models.CharField(max_length=36, blank=True, default="")
    applied_generation = models.PositiveBigIntegerField(default=0)
    batch = models.CharField(max_length=36, blank=True, default="")
    pending_generation = models.PositiveBigIntegerField(default=0)
    pending_batch = models.CharField(max_length=36, blank=True, default="")

    lease_token = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)

    condition = models.CharField(max_length=14, choices=Condition.choices, default=Condition.OK)
    fault_code = models.CharField(max_length=40, blank=True)
    fault_facts = models.JSONField(default=dict, blank=True)
    fault_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    contacted_at = models.DateTimeField(null=True, blank=True)
    allow_mass_removal = models.BooleanField(default=False)
    agent_facts = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("mail host")
        verbose_name_plural = _("mail hosts")

    def __str__(self) -> str:
        return self.name

    @property
    def lag(self) -> int:
        """How many changes the host has not acknowledged."""
        return self.generation - self.applied_generation

    @property
    def is_being_checked(self) -> bool:
        return self.readiness_asked_at is not None and (
            self.readiness_at is None or self.readiness_at < self.readiness_asked_at
        )

    @property
    def is_stopped(self) -> bool:
        """Pushes wait for a person's decision."""
        return self.condition in (self.Condition.FORKED, self.Condition.MASS_REMOVAL)


class HostRowQuerySet(models.QuerySet["HostRow"]):
    def visible_to(self, actor: Actor) -> HostRowQuerySet:
        return self if actor.is_operator and actor.account is None else self.none()

    def waiting(self, host: MailHost) -> HostRowQuerySet:
        """Rows that the host has not acknowledged, in the order of their generations."""
        return self.filter(host=host, generation__gt=host.applied_generation).order_by("generation")

    def overtaking(self, host: MailHost, generation: int) -> HostRowQuerySet:
        """Rows of people behind `generation`, who are not to wait for the bulk before them."""
        return (
            self.filter(host=host, bulk=False, generation__gt=generation)
            .exclude(applied_generation=F("generation"))
            .order_by("generation")
        )

    def unproved(self) -> HostRowQuerySet:
        return self.exclude(proved_generation=F("generation")).exclude(sampled=True)


class HostRow(models.Model):
    """One thing that a host must learn, without its content.

    The content is rendered when it is sent, from the object as it is then. A row is unique, so
    many changes of one object are already one.
    """

    class Kind(models.TextChoices):
        DOMAIN = "domain", _("domain")
        ADDRESS = "address", _("address")
        DKIM = "dkim", _("DKIM key")
        PURGE = "purge", _("removal of stored mail")

    host = models.ForeignKey(MailHost, models.CASCADE, related_name="rows")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    key = models.CharField(max_length=40)
    # The domain's primary key, kept when the domain is gone: digests are per domain. 0: none.
    domain_key = models.PositiveBigIntegerField(default=0)
    generation = models.PositiveBigIntegerField()
    removed = models.BooleanField(default=False)
    bulk = models.BooleanField(default=False)
    change_id = models.CharField(max_length=36, blank=True)
    touched_at = models.DateTimeField(default=timezone.now)

    # The generation of this row that the host last took, refused, or proved.
    applied_generation = models.PositiveBigIntegerField(default=0)
    applied_at = models.DateTimeField(null=True, blank=True)
    proved_generation = models.PositiveBigIntegerField(default=0)
    proved_at = models.DateTimeField(null=True, blank=True)
    took_ms = models.PositiveIntegerField(null=True, blank=True)
    # Applied in bulk and proved by sample: reads "applied", never "proved".
    sampled = models.BooleanField(default=False)
    fault_code = models.CharField(max_length=40, blank=True)
    fault_facts = models.JSONField(default=dict, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_proof_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[HostRow]] = HostRowQuerySet.as_manager()

    class Meta:
        verbose_name = _("host row")
        verbose_name_plural = _("host rows")
        constraints = [
            models.UniqueConstraint(fields=["host", "kind", "key"], name="host_row_once"),
        ]
        indexes = [
            models.Index(fields=["host", "generation"]),
            models.Index(fields=["host", "domain_key"]),
            models.Index(
                fields=["host", "generation"], name="rows_of_people", condition=Q(bulk=False)
            ),
            models.Index(
                fields=["host", "next_proof_at"],
                name="rows_that_wait_for_proof",
                condition=Q(next_proof_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host}: {self.kind} {self.key} @{self.generation}"

    @property
    def is_applied(self) -> bool:
        return self.applied_generation == self.generation

    @property
    def is_live(self) -> bool:
        """Applied and proved."""
        return self.proved_generation == self.generation and not self.fault_code


class Drift(models.Model):
    """What a host had otherwise than it should, found by digests and sent again."""

    host = models.ForeignKey(MailHost, models.CASCADE, related_name="drifts")
    domain_key = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=8, choices=HostRow.Kind.choices)
    key = models.CharField(max_length=40)
    what = models.CharField(
        max_length=8,
        choices=[
            ("missing", _("missing on the host")),
            ("differs", _("differs")),
            ("extra", _("only on the host")),
        ],
    )
    found_at = models.DateTimeField(default=timezone.now)
    mended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("drift")
        verbose_name_plural = _("drift")
        indexes = [models.Index(fields=["host", "mended_at"])]

    def __str__(self) -> str:
        return f"{self.host}: {self.kind} {self.key} {self.what}"
