"""Addresses and what hangs on them; passwords and hashes are never shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mailadmin.admin.base import ReadOnlyAdmin, actor_of
from mailadmin.errors import MailAdminError
from mailadmin.models import Address, Alias, Forward, Mailbox, Target
from mailadmin.models.states import State
from mailadmin.services import addresses


class TargetInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Target
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Address)
class AddressAdmin(ReadOnlyAdmin):
    list_display = ("email", "kind", "state", "created_at", "trashed_at")
    list_select_related = ("domain",)
    list_filter = ("kind", "state")
    search_fields = ("local_part__startswith", "domain__name__startswith")
    fields = ("local_part", "domain", "kind", "state", "created_at", "trashed_at")
    inlines = (TargetInline,)
    actions = ("make_active", "make_login_off", "make_off", "move_to_trash", "restore")

    def _each(self, request: HttpRequest, rows: QuerySet[Address], verb: Any) -> None:
        done = 0
        for address in rows.select_related("domain__account__parent__parent"):
            try:
                verb(address)
            except MailAdminError as error:
                self.message_user(request, f"{address}: {error.for_user()}", messages.ERROR)
            else:
                done += 1
        self.message_user(request, _("%(count)d changed.") % {"count": done})

    @admin.action(description=_("Switch to active"), permissions=["view"])
    def make_active(self, request: HttpRequest, rows: QuerySet[Address]) -> None:
        by = actor_of(request)
        self._each(request, rows, lambda row: addresses.set_state(row, State.ACTIVE, by=by))

    @admin.action(description=_("Switch the log-in off"), permissions=["view"])
    def make_login_off(self, request: HttpRequest, rows: QuerySet[Address]) -> None:
        by = actor_of(request)
        self._each(request, rows, lambda row: addresses.set_state(row, State.LOGIN_OFF, by=by))

    @admin.action(description=_("Switch off"), permissions=["view"])
    def make_off(self, request: HttpRequest, rows: QuerySet[Address]) -> None:
        by = actor_of(request)
        self._each(request, rows, lambda row: addresses.set_state(row, State.OFF, by=by))

    @admin.action(description=_("Move to the trash"), permissions=["view"])
    def move_to_trash(self, request: HttpRequest, rows: QuerySet[Address]) -> None:
        by = actor_of(request)
        self._each(request, rows, lambda row: addresses.move_to_trash(row, by=by))

    @admin.action(description=_("Restore from the trash"), permissions=["view"])
    def restore(self, request: HttpRequest, rows: QuerySet[Address]) -> None:
        by = actor_of(request)
        self._each(request, rows, lambda row: addresses.restore(row, by=by))


class OnAddressAdmin(ReadOnlyAdmin):
    search_fields = ("address__local_part__startswith", "address__domain__name__startswith")

    @admin.display(description=_("state"))
    def state(self, row: Any) -> str:
        return str(row.address.get_state_display())


@admin.register(Mailbox)
class MailboxAdmin(OnAddressAdmin):
    list_select_related = ("address__domain",)
    list_display = ("__str__", "name", "quota_mib", "keep_copy", "state")
    fields = ("address", "name", "quota_mib", "keep_copy", "storage_id")


@admin.register(Alias)
class AliasAdmin(OnAddressAdmin):
    list_display = ("__str__", "mailbox", "state")
    list_select_related = ("address__domain", "mailbox__address__domain")


@admin.register(Forward)
class ForwardAdmin(OnAddressAdmin):
    list_select_related = ("address__domain",)
    list_display = ("__str__", "leads_to", "state")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("address__targets")

    @admin.display(description=_("leads to"))
    def leads_to(self, row: Forward) -> str:
        return ", ".join(target.email for target in row.address.targets.all())
