"""Domains: taken in on the operator's word, with a reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mailadmin.admin.base import ReadOnlyAdmin, ServiceAdmin, actor_of
from mailadmin.errors import MailAdminError
from mailadmin.models import Address, Domain, DomainClaim
from mailadmin.models.states import State
from mailadmin.services import claims, dkim, domains
from maildns.models import DkimKey, Publication, Zone, ZoneAccess


class NewDomainForm(forms.ModelForm):  # type: ignore[type-arg]
    """The service says whether the name is one; what was typed stays."""

    name = forms.CharField(label=_("Name"), max_length=300)
    reason = forms.CharField(
        label=_("Reason"), max_length=300,
        help_text=_("Why this account may have the domain without a proof by DNS."),
    )  # fmt: skip

    class Meta:
        model = Domain
        fields = ("name", "account", "host")

    def clean_name(self) -> str:
        try:
            name = domains.canonical(self.cleaned_data["name"])
        except MailAdminError as error:
            raise forms.ValidationError(error.for_user()) from error
        return name


@admin.register(Domain)
class DomainAdmin(ServiceAdmin):
    list_display = ("name", "account", "host", "state", "held_by", "held_at", "deleted_at")
    list_select_related = ("account", "host")
    list_filter = ("state", "held_by", "host")
    search_fields = ("name",)
    autocomplete_fields = ("account", "host")
    fields = (
        "name", "account", "host", "state", "catch_all",
        "held_by", "held_reason", "held_word_of", "held_at",
    )  # fmt: skip

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kw: Any
    ) -> Any:
        if obj is None:
            kw["form"] = NewDomainForm
            kw["fields"] = ("name", "account", "host")
        return super().get_form(request, obj, change, **kw)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("name", "account", "host", "reason") if obj is None else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fixed = ("name", "account", "host", "held_by", "held_reason", "held_word_of", "held_at")
        return fixed if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by = actor_of(request)
        if not change:
            made = domains.hold_domain_by_word(
                obj.name, obj.account, reason=form.cleaned_data["reason"], by=by, host=obj.host
            )
            obj.pk, obj._state.adding = made.pk, False
            return
        stored = Domain.objects.get(pk=obj.pk)
        if "catch_all" in form.changed_data:
            domains.set_catch_all(stored, obj.catch_all, by=by)
        if "state" in form.changed_data:
            domains.set_domain_state(stored, State(obj.state), by=by)


class SettleForm(forms.ModelForm):  # type: ignore[type-arg]
    settle = forms.BooleanField(label=_("Give the domain to this account"), required=False)
    reason = forms.CharField(
        label=_("Reason"), max_length=300, required=False,
        help_text=_("The holder's addresses and mail in this domain are removed for ever."),
    )  # fmt: skip

    class Meta:
        model = DomainClaim
        fields = ()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("settle") and not cleaned.get("reason", "").strip():
            self.add_error("reason", _("Say why: the reason is kept with the change."))
        return cleaned


@admin.register(DomainClaim)
class DomainClaimAdmin(ServiceAdmin):
    """A proved claim of a domain that another account holds waits for the operator's decision."""

    form = SettleForm
    list_display = ("name", "account", "state", "created_at", "checked_at")
    list_select_related = ("account",)
    list_filter = ("state",)
    search_fields = ("name",)
    readonly_fields = ("name", "account", "state", "created_at", "checked_at", "holder", "stored")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, "settle", "reason")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_open = obj is None or obj.state == DomainClaim.State.CONTESTED
        return is_open and super().has_change_permission(request, obj)

    @admin.display(description=_("held by account"))
    def holder(self, claim: DomainClaim) -> str:
        held = Domain.objects.select_related("account").filter(name=claim.name).first()
        return f"{held.account} ({held.get_held_by_display()})" if held else ""

    @admin.display(description=_("addresses of the holder"))
    def stored(self, claim: DomainClaim) -> int:
        return Address.objects.filter(domain__name=claim.name).count()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if form.cleaned_data["settle"]:
            claims.settle(obj, reason=form.cleaned_data["reason"], by=actor_of(request))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit trail has it; a settled claim is no more."""


class SigningForm(forms.ModelForm):  # type: ignore[type-arg]
    sign_now = forms.BooleanField(label=_("Sign with this key from now on"), required=False)
    reason = forms.CharField(
        label=_("Reason"), max_length=300, required=False,
        help_text=_("Your word that the record stands in the DNS of the world."),
    )  # fmt: skip

    class Meta:
        model = DkimKey
        fields = ()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("sign_now") and not cleaned.get("reason", "").strip():
            self.add_error("reason", _("Say why: the reason is kept with the change."))
        return cleaned


@admin.register(DkimKey)
class DkimKeyAdmin(ServiceAdmin):
    form = SigningForm
    list_display = ("selector", "zone", "algorithm", "state", "created_at", "signing_since")
    list_select_related = ("zone",)
    list_filter = ("state",)
    search_fields = ("zone__name", "selector")
    fields = ("zone", "selector", "algorithm", "state", "public_record", "sign_now", "reason")
    readonly_fields = ("zone", "selector", "algorithm", "state", "public_record")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if form.cleaned_data.get("sign_now"):
            domain = Domain.objects.get(zone_id=obj.zone_id)
            dkim.switch_to_signing_by_word(
                domain, DkimKey.objects.get(pk=obj.pk),
                reason=form.cleaned_data["reason"], by=actor_of(request),
            )  # fmt: skip


@admin.register(Zone)
class ZoneAdmin(ReadOnlyAdmin):
    list_display = ("name", "is_green", "checked_at", "next_check_at")
    list_filter = ("is_green",)
    search_fields = ("name",)
    fields = ("name", "is_green", "checked_at", "next_check_at", "report")


@admin.register(ZoneAccess)
class ZoneAccessAdmin(ReadOnlyAdmin):
    """Who writes which zone; the credentials themselves are shown to nobody."""

    list_display = ("zone", "provider", "is_automatic", "used_at", "fault_code")
    list_select_related = ("zone",)
    list_filter = ("provider",)
    search_fields = ("zone__name",)
    fields = ("zone", "provider", "options", "is_automatic", "used_at", "fault_code")


@admin.register(Publication)
class PublicationAdmin(ReadOnlyAdmin):
    list_display = ("zone", "state", "asked_at", "ended_at", "fault_code")
    list_select_related = ("zone",)
    list_filter = ("state",)
    search_fields = ("zone__name",)
    fields = ("zone", "state", "asked_at", "ended_at", "fault_code", "plan", "results")
