"""How the records of a domain are written: a provider, and what it wants to be told."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from maildns.providers.lexicon_choices import Choice
from maildns.providers.rfc2136 import ALGORITHMS


class ProviderForm(forms.Form):
    """The first of two steps: who runs the DNS."""

    provider = forms.ChoiceField(label=_("Who runs the DNS of this domain?"))

    def __init__(self, choices: list[Choice], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["provider"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        field.choices = [
            ("", _("Please choose")),
            ("rfc2136", _("A name server of your own (RFC 2136 with TSIG)")),
            *((each.name, each.label) for each in choices),
        ]


class AccessForm(forms.Form):
    """The second step: the fields of one provider. A secret that is left empty stays as it is."""

    automatic = forms.BooleanField(
        label=_("New DKIM keys are written without a click"), required=False, initial=True
    )

    def options(self) -> dict[str, str]:
        return {name: self._value(name) for name in self.plain}

    def secrets(self) -> dict[str, str]:
        return {name: self._value(name) for name in self.secret}

    def _value(self, name: str) -> str:
        value = self.cleaned_data.get(name)
        return ("1" if value else "") if isinstance(value, bool) else str(value or "").strip()

    plain: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()


class TsigForm(AccessForm):
    server = forms.CharField(
        label=_("Address of the primary name server"),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )
    port = forms.CharField(
        label=_("Port"), initial="53",
        widget=forms.TextInput(attrs={"class": "mono", "inputmode": "numeric"}),
    )  # fmt: skip
    key_name = forms.CharField(
        label=_("Name of the key"),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )
    algorithm = forms.ChoiceField(
        label=_("Algorithm"), choices=[(each, each) for each in ALGORITHMS]
    )
    plain = ("server", "port", "key_name", "algorithm")
    secret = ("secret",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secret"] = _secret_field(_("Secret (base64)"))
        self.order_fields(["server", "port", "key_name", "algorithm", "secret", "automatic"])


class ReverseForm(TsigForm):
    """How a reverse zone is written."""

    zone = forms.RegexField(
        r"^([0-9a-f/-]+\.)+(in-addr|ip6)\.arpa\.?$",
        label=_("Reverse zone"),
        help_text=_("Such as 2.0.192.in-addr.arpa."),
        error_messages={"invalid": _("A reverse zone ends in in-addr.arpa or ip6.arpa.")},
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["automatic"]
        self.fields["secret"].required = True
        self.order_fields(["zone", "server", "port", "key_name", "algorithm", "secret"])


def lexicon_form(choice: Choice, *args: Any, **kwargs: Any) -> AccessForm:
    """The form of one provider of dns-lexicon, its fields and helps as the library gives them."""
    form = AccessForm(*args, **kwargs)
    form.plain = tuple(each.name for each in choice.fields if not each.is_secret)
    form.secret = tuple(each.name for each in choice.fields if each.is_secret)
    for each in choice.fields:
        label = each.name.removeprefix("auth_").replace("_", " ")
        if each.is_switch:
            made: forms.Field = forms.BooleanField(label=label, required=False)
        elif each.choices:
            made = forms.ChoiceField(
                label=label, required=False, choices=[("", "–"), *((c, c) for c in each.choices)]
            )
        elif each.is_secret:
            made = _secret_field(label)
        else:
            made = forms.CharField(
                label=label, required=False, max_length=300,
                widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
            )  # fmt: skip
        made.help_text = each.help
        form.fields[each.name] = made
    form.order_fields([*(each.name for each in choice.fields), "automatic"])
    return form


def _secret_field(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=4000,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "mono"}),
    )
