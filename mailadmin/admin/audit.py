"""The record of all acts: read and searched, never changed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from mailadmin.admin.base import ReadOnlyAdmin
from mailadmin.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "code", "subject", "who", "account", "role", "door")
    list_select_related = ("detail", "account")
    list_filter = ("door", "role")
    search_fields = ("code__startswith", "detail__subject__startswith", "detail__who", "=change_id")
    ordering = ("-pk",)
    fields = (
        "at", "code", "account", "subject", "who", "in_place_of", "ip", "role", "door",
        "change_id", "before", "after",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=_("of what"))
    def subject(self, event: AuditEvent) -> str:
        return event.detail.subject

    @admin.display(description=_("who"))
    def who(self, event: AuditEvent) -> str:
        return event.detail.who

    @admin.display(description=_("in place of"))
    def in_place_of(self, event: AuditEvent) -> str:
        return event.detail.in_place_of

    @admin.display(description=_("from"))
    def ip(self, event: AuditEvent) -> Any:
        return event.detail.ip

    @admin.display(description=_("before"))
    def before(self, event: AuditEvent) -> Any:
        return event.detail.before

    @admin.display(description=_("after"))
    def after(self, event: AuditEvent) -> Any:
        return event.detail.after
