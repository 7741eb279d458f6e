"""Mail hosts: what is wanted, applied and proved there, and the decisions that need a person."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import F, Max, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from mailadmin.admin.base import ReadOnlyAdmin, ServiceAdmin, actor_of
from mailadmin.models import Drift, HostRow, MailHost
from mailadmin.services import hosts


@admin.register(MailHost)
class MailHostAdmin(ServiceAdmin):
    list_display = (
        "name", "condition", "generation", "applied_generation", "proved", "lag",
        "fault_code", "contacted_at",
    )  # fmt: skip
    search_fields = ("name",)
    fields = (
        "name", "agent_url", "accepts_domains", "client_settings", "addresses",
        "condition", "generation", "applied_generation", "proved", "lag", "waiting_for_proof",
        "failed", "fault_code", "fault_facts", "fault_at", "attempts", "next_attempt_at",
        "contacted_at", "agent_facts",
    )  # fmt: skip
    readonly_fields = fields[5:]
    actions = ("push_now", "check_drift", "resync", "allow_mass_removal")

    def view_on_site(self, obj: MailHost) -> str:
        """The page that says what the host needs in the world."""
        return reverse("host", args=[obj.uid])

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        hosts.save_host(obj, changed=form.changed_data, by=actor_of(request))

    @admin.display(description=_("proved generation"))
    def proved(self, host: MailHost) -> int:
        """The newest generation that was proved."""
        return HostRow.objects.filter(host=host).aggregate(Max("proved_generation"))[
            "proved_generation__max"
        ] or 0  # fmt: skip

    @admin.display(description=_("lag"))
    def lag(self, host: MailHost) -> int:
        return host.lag

    @admin.display(description=_("rows that wait for their proof"))
    def waiting_for_proof(self, host: MailHost) -> int:
        return HostRow.objects.filter(host=host, next_proof_at__isnull=False).count()

    @admin.display(description=_("rows that failed"))
    def failed(self, host: MailHost) -> int:
        return HostRow.objects.filter(host=host).exclude(fault_code="").count()

    @admin.action(description=_("Push now"))
    def push_now(self, request: HttpRequest, rows: QuerySet[MailHost]) -> None:
        for host in rows:
            hosts.push_now(host, by=actor_of(request))
        self.message_user(request, _("The workers are told."))

    @admin.action(description=_("Check drift"))
    def check_drift(self, request: HttpRequest, rows: QuerySet[MailHost]) -> None:
        for host in rows:
            hosts.check_drift(host, by=actor_of(request))
        self.message_user(request, _("A worker compares; what it finds stands under Drift."))

    @admin.action(description=_("Resync: the panel's state wins"))
    def resync(self, request: HttpRequest, rows: QuerySet[MailHost]) -> None:
        for host in rows:
            hosts.resync(host, reason="admin action", by=actor_of(request))
        self.message_user(request, _("A worker sends everything."))

    @admin.action(description=_("Let the mass removal through, once"))
    def allow_mass_removal(self, request: HttpRequest, rows: QuerySet[MailHost]) -> None:
        for host in rows:
            hosts.allow_mass_removal(host, reason="admin action", by=actor_of(request))
        self.message_user(request, _("The next batch may remove many mailboxes."))


class ProgressFilter(admin.SimpleListFilter):
    title = _("progress")
    parameter_name = "progress"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("waiting", _("not applied")),
            ("unproved", _("applied, not proved")),
            ("failed", _("failed")),
        ]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "waiting":
                return rows.filter(generation__gt=F("applied_generation"))
            case "unproved":
                return rows.filter(next_proof_at__isnull=False)
            case "failed":
                return rows.exclude(fault_code="")
        return rows


@admin.register(HostRow)
class HostRowAdmin(ReadOnlyAdmin):
    list_display = (
        "host", "kind", "key", "generation", "applied_generation", "proved_generation",
        "removed", "took_ms", "fault_code",
    )  # fmt: skip
    list_select_related = ("host",)
    list_filter = ("host", "kind", ProgressFilter)
    search_fields = ("=key", "=change_id")
    ordering = ("-generation",)


@admin.register(Drift)
class DriftAdmin(ReadOnlyAdmin):
    list_display = ("found_at", "host", "kind", "key", "what", "mended_at")
    list_select_related = ("host",)
    list_filter = ("host", "what")
    ordering = ("-pk",)
