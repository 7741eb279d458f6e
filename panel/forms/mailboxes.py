from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


def mono(**attrs: str) -> forms.TextInput:
    """An input for an address: letters that look alike are told apart."""
    return forms.TextInput(
        attrs={
            "class": "mono",
            "autocomplete": "off",
            "autocapitalize": "none",
            "spellcheck": "false",
            **attrs,
        }
    )


class PasswordForm(forms.Form):
    """One field with "Show", no second one; paste and password managers are welcome."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "mono"}),
        help_text=_("At least 10 characters. Several words are easier to remember and to type."),
    )


class QuotaForm(forms.Form):
    quota_mib = forms.IntegerField(
        label=_("Storage (MiB)"),
        min_value=1,
        max_value=16_777_216,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text=_("1024 MiB are 1 GiB."),
    )


class NameForm(forms.Form):
    name = forms.CharField(label=_("Name of the person"), required=False, max_length=150)


class TargetsField(forms.CharField):
    """One address per line; checked by the service, which points at the line that is wrong."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_length=15_000,
            widget=forms.Textarea(
                attrs={
                    "rows": "4",
                    "class": "mono",
                    "autocapitalize": "none",
                    "spellcheck": "false",
                    "autocomplete": "off",
                }
            ),
            **kwargs,
        )


class ForwardingForm(forms.Form):
    """Let a mailbox forward; no line ends it."""

    targets = TargetsField(label=_("Forward to, one address per line"), required=False)
    keep_copy = forms.BooleanField(
        label=_("Keep a copy in this mailbox"), required=False, initial=True
    )


class ForwardForm(forms.Form):
    targets = TargetsField(label=_("Forward to, one address per line"))


class AddressForm(forms.Form):
    """The part before the @ and the domain: to the eye one field."""

    local_part = forms.CharField(label=_("Address"), max_length=320, widget=mono())
    domain = forms.ChoiceField(label=_("Domain"))

    def __init__(self, *args: Any, domains: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["domain"].choices = domains  # type: ignore[attr-defined]
        if len(domains) == 1:
            self.fields["domain"].initial = domains[0][0]


class NewAddressForm(AddressForm):
    """Step 1 of the wizard."""

    kind = forms.ChoiceField(
        label=_("What should happen to mail?"),
        choices=[
            ("mailbox", _("Mailbox: keep it and read it in a mail program")),
            ("forward", _("Forward: send it on to other addresses")),
        ],
        initial="mailbox",
        widget=forms.RadioSelect,
    )
    targets = TargetsField(label=_("Forward to, one address per line"), required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("kind") == "forward" and not cleaned.get("targets", "").strip():
            self.add_error("targets", _("Enter at least one address to forward to."))
        return cleaned


class PersonForm(PasswordForm):
    """Step 2 of the wizard."""

    name = forms.CharField(label=_("Name of the person"), required=False, max_length=150)
    quota_mib = forms.IntegerField(
        label=_("Storage (MiB)"),
        min_value=1,
        max_value=16_777_216,
        help_text=_("1024 MiB are 1 GiB."),
    )
    field_order = ["password", "name", "quota_mib"]


class NewForwardForm(AddressForm, ForwardForm):
    field_order = ["local_part", "domain", "targets"]


class NewAliasForm(AddressForm):
    mailbox = forms.ChoiceField(label=_("Mailbox"))

    def __init__(self, *args: Any, mailboxes: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["mailbox"].choices = mailboxes  # type: ignore[attr-defined]


class PointAliasForm(forms.Form):
    mailbox = forms.ChoiceField(label=_("Mailbox"))

    def __init__(self, *args: Any, mailboxes: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["mailbox"].choices = mailboxes  # type: ignore[attr-defined]
