"""Zones, what was seen of them, who writes them, and their DKIM keys. A zone knows no tenant."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Zone(models.Model):
    """A DNS name for which mail records are wanted: lower-case A-label, no final dot."""

    name = models.CharField(_("name"), max_length=253, unique=True)
    # The last look at all its servers: maildns.check.ZoneReport as JSON, and what was judged.
    report = models.JSONField(null=True, blank=True, editable=False)
    verdicts = models.JSONField(default=dict, blank=True, editable=False)
    checked_at = models.DateTimeField(_("checked at"), null=True, blank=True, editable=False)
    next_check_at = models.DateTimeField(
        _("next check"), default=timezone.now, editable=False, db_index=True
    )
    # A person waits for a look since then.
    asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    # One worker looks at a zone at a time; when it dies another may after this time.
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    # Whether all that mail needs was right at the last look; None before the first.
    is_green = models.BooleanField(_("right"), null=True, editable=False)

    # How its mail is moved here: maildns.takeover.TakeoverPlan as JSON.
    takeover = models.JSONField(null=True, blank=True, editable=False)
    takeover_at = models.DateTimeField(null=True, blank=True, editable=False)
    takeover_asked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("zone")
        verbose_name_plural = _("zones")

    def __str__(self) -> str:
        return self.name

    @property
    def is_being_checked(self) -> bool:
        return self.asked_at is not None and (
            self.checked_at is None or self.checked_at < self.asked_at
        )

    @property
    def is_being_read(self) -> bool:
        return self.takeover_asked_at is not None and (
            self.takeover_at is None or self.takeover_at < self.takeover_asked_at
        )


class ZoneRecord(models.Model):
    """What is remembered of one wanted record from look to look. `kind` as in check.Wanted."""

    zone = models.ForeignKey(Zone, models.CASCADE, related_name="records", verbose_name=_("zone"))
    kind = models.CharField(max_length=80)
    # As in check.RecordState.
    state = models.CharField(max_length=11)
    since = models.DateTimeField()
    # When it was last seen right at all servers, and when its loss was told.
    right_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("zone record")
        verbose_name_plural = _("zone records")
        constraints = [
            models.UniqueConstraint(fields=["zone", "kind"], name="one_memory_per_record")
        ]

    def __str__(self) -> str:
        return f"{self.zone}: {self.kind} {self.state}"


class ZoneAccess(models.Model):
    """How we write the records of a zone. Without a row a person enters them."""

    zone = models.OneToOneField(Zone, models.CASCADE, related_name="access", verbose_name=_("zone"))
    # A name of maildns.providers: rfc2136, or a provider of dns-lexicon.
    provider = models.CharField(_("provider"), max_length=40)
    options = models.JSONField(_("settings"), default=dict, blank=True)
    # JSON, encrypted by maildns' caller.
    secrets_sealed = models.TextField(blank=True, editable=False)
    # Whether records are written without a click, as the rotation of keys needs it.
    is_automatic = models.BooleanField(_("publish without a click"), default=True)
    # What we wrote and nobody has changed: [[name, type, value], …]. All else is foreign to us.
    written = models.JSONField(default=list, editable=False)
    used_at = models.DateTimeField(null=True, blank=True, editable=False)
    fault_code = models.CharField(max_length=40, blank=True, editable=False)
    fault_facts = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        verbose_name = _("DNS access")
        verbose_name_plural = _("DNS accesses")

    def __str__(self) -> str:
        return f"{self.zone}: {self.provider}"


class Publication(models.Model):
    """One go at writing a zone: planned, ticked by a person where it touches foreign records,
    written, read back. A new one takes up what an old one left undone."""

    class State(models.TextChoices):
        PLANNING = "planning", _("being planned")
        PLANNED = "planned", _("planned")
        WRITING = "writing", _("being written")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    zone = models.ForeignKey(Zone, models.CASCADE, related_name="publications")
    state = models.CharField(max_length=8, choices=State.choices, default=State.PLANNING)
    asked_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    # maildns.plan.Plan as JSON; keys of its changes; [[key, state, reason, fact], …].
    plan = models.JSONField(null=True, blank=True)
    ticked = models.JSONField(default=list)
    results = models.JSONField(default=list)
    fault_code = models.CharField(max_length=40, blank=True)
    fault_fact = models.CharField(max_length=100, blank=True)

    class Meta:
        verbose_name = _("publication")
        verbose_name_plural = _("publications")

    def __str__(self) -> str:
        return f"{self.zone}: {self.state}"

    @property
    def is_running(self) -> bool:
        return self.state in (self.State.PLANNING, self.State.WRITING)


class DkimKey(models.Model):
    """A key pair of a zone. Rows stay when retired, so a selector is never used twice.

    What is wanted of it in the DNS is its record until it is retired, then an empty one, and
    nothing once that may go: maildns.rotation.
    """

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
    # Since when every look has found all servers showing what is wanted of this key.
    seen_since = models.DateTimeField(_("seen since"), null=True, blank=True)
    # For how long resolvers may go on with what they had: nothing before, and the record now.
    negative_ttl_seconds = models.PositiveIntegerField(default=0)
    ttl_seconds = models.PositiveIntegerField(default=0)
    signing_since = models.DateTimeField(_("signing since"), null=True, blank=True)
    retiring_since = models.DateTimeField(_("retiring since"), null=True, blank=True)
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True)
    # When its empty record may be deleted, and when it was seen to be gone.
    may_go_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)
    is_compromised = models.BooleanField(_("compromised"), default=False)

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
