from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class CatchAllForm(forms.Form):
    """Where mail for unknown names goes; empty refuses it."""

    target = forms.CharField(
        label=_("Unknown addresses lead to"),
        required=False,
        max_length=300,
        widget=forms.TextInput(
            attrs={
                "inputmode": "email",
                "autocomplete": "off",
                "class": "mono",
                "list": "own-mailboxes",
            }
        ),
    )


class ClaimForm(forms.Form):
    name = forms.CharField(
        label=_("Your domain"),
        max_length=300,
        widget=forms.TextInput(
            attrs={
                "class": "mono",
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "inputmode": "url",
            }
        ),
        help_text=_("Such as mueller-dach.de, without www. You need access to its DNS."),
    )
