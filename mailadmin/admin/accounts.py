"""Users, accounts, plans."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mailadmin.admin.base import ServiceAdmin, actor_of
from mailadmin.models import Account, LimitOverride, Membership, Plan, User
from mailadmin.models.states import State
from mailadmin.services import accounts, audit


class UserForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new person; the password is set here once and never shown."""

    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        required=False, help_text=_("Empty: the person sets one by “Forgot the password?”."),
    )  # fmt: skip

    class Meta:
        model = User
        fields = ("email", "name", "language", "is_active", "is_superuser")

    def clean_password(self) -> str:
        from django.contrib.auth.password_validation import validate_password

        password: str = self.cleaned_data["password"]
        if password:
            validate_password(password, self.instance)
        return password


@admin.register(User)
class UserAdmin(ServiceAdmin):
    form = UserForm
    list_display = ("email", "name", "is_active", "is_superuser", "last_login")
    search_fields = ("email", "name")
    list_filter = ("is_active", "is_superuser")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if password := form.cleaned_data.get("password"):
            obj.set_password(password)
        elif not change:
            obj.set_unusable_password()
        obj.email, obj.is_staff = obj.email.lower(), obj.is_superuser
        obj.save()
        code = "user.changed" if change else "user.created"
        changed = [name for name in form.changed_data if name != "password"]
        audit.record(actor_of(request), code, obj, after={"fields": changed})


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ("user", "domain")


class OverrideInline(admin.TabularInline):  # type: ignore[type-arg]
    model = LimitOverride
    extra = 0


@admin.register(Account)
class AccountAdmin(ServiceAdmin):
    list_display = ("name", "kind", "parent", "plan", "state")
    list_select_related = ("parent", "plan")
    list_filter = ("kind", "state")
    search_fields = ("name", "contact_address")
    autocomplete_fields = ("parent", "plan")
    fields = ("name", "kind", "parent", "plan", "state", "contact_address")
    inlines = (MembershipInline, OverrideInline)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("kind", "parent") if obj else ("state",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by = actor_of(request)
        if not change:
            made = accounts.create_account(
                obj.name, obj.kind, plan=obj.plan, by=by, parent=obj.parent,
                contact_address=obj.contact_address,
            )  # fmt: skip
            obj.pk, obj._state.adding = made.pk, False
            return
        stored = Account.objects.get(pk=obj.pk)
        if "name" in form.changed_data:
            accounts.rename_account(stored, obj.name, by=by)
        if "plan" in form.changed_data:
            accounts.assign_plan(stored, obj.plan, by=by)
        if "contact_address" in form.changed_data:
            accounts.change_contact(stored, obj.contact_address, by=by)
        if "state" in form.changed_data:
            accounts.set_account_state(stored, State(obj.state), by=by)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        by = actor_of(request)
        for each in formset.save(commit=False):
            if isinstance(each, Membership):
                accounts.add_member(
                    each.account, each.user, Membership.Role(each.role), by=by, domain=each.domain
                )
            elif isinstance(each, LimitOverride):
                accounts.override_limit(each.account, each.what, each.allowed, by=by)
        for gone in formset.deleted_objects:
            accounts.remove_part(gone, by=by)


@admin.register(Plan)
class PlanAdmin(ServiceAdmin):
    list_display = ("name", "owner", "max_domains", "max_mailboxes", "max_quota_mib")
    list_select_related = ("owner",)
    search_fields = ("name",)
    autocomplete_fields = ("owner",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        accounts.save_plan(obj, changed=form.changed_data, by=actor_of(request))
