"""What the style guide shows: each component with the long words that German has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from django import forms, template
from django.conf import settings
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message

from mailadmin.services.limits import Usage
from mailadmin.services.status import ChangeStatus

register = template.Library()

SPRITE = Path(settings.BASE_DIR) / "static/img/icons.svg"
LONG = "bedachungsgesellschaft-oberammergau-mueller.example"
NOON = datetime(2026, 11, 23, 12, 4, 1, tzinfo=UTC)
REPLY = {"reply": "451 4.3.0 <info@mueller-dach.example>: Temporary lookup failure"}


@dataclass(frozen=True)
class Samples:
    """One of each thing that a component can show."""

    signs: list[str]
    changes: list[ChangeStatus]
    usages: list[tuple[str, Usage]]
    messages: list[Message]
    things: list[SimpleNamespace]
    events: list[SimpleNamespace]
    form: forms.Form
    refused: forms.Form
    one_domain: forms.Form


@register.simple_tag
def samples() -> Samples:
    return Samples(
        signs=re.findall(r'symbol id="(\w+)"', SPRITE.read_text()),
        changes=[
            ChangeStatus("saved", NOON),
            ChangeStatus("on_its_way", NOON),
            ChangeStatus("live", NOON, NOON, 312),
            ChangeStatus("live", NOON, NOON, 312, facts={"full": True}),
            ChangeStatus("applied", NOON),
            ChangeStatus("failed", NOON, cause="rcpt_refused", facts=REPLY),
            ChangeStatus("failed", NOON, cause="agent_unreachable"),
        ],
        usages=[
            ("Postfächer", Usage("mailboxes", 4, 10)),
            ("Vergebener Speicher", Usage("quota_mib", 17_408, 20_480)),
            ("Weiterleitungsadressen", Usage("forwards", 10, 10)),
            ("Aliase", Usage("aliases", 12, None)),
        ],
        messages=[
            Message(constants.SUCCESS, "info@… liegt im Papierkorb.", extra_tags="undo:#undo"),
            Message(constants.ERROR, "Das wäre eine Schleife: buero@ → chef@ → buero@."),
        ],
        things=[
            SimpleNamespace(state="active", get_state_display="aktiv"),
            SimpleNamespace(state="login_off", get_state_display="Anmeldung gesperrt"),
            SimpleNamespace(state="off", get_state_display="abgeschaltet"),
            SimpleNamespace(state="trash", get_state_display="im Papierkorb"),
        ],
        events=[event("mailbox.created", "info@mueller-dach.example"), event("domain.held", LONG)],
        form=SampleForm(auto_id="fine_%s", domains=[f"@{LONG}", "@mueller-dach.example"]),
        refused=SampleForm(
            {"local_part": "info", "kind": "forward", "targets": "chef@\nbuero", "password": ""},
            auto_id="refused_%s",
            domains=["@mueller-dach.example", f"@{LONG}"],
        ),
        one_domain=SampleForm(auto_id="one_%s", domains=["@mueller-dach.example"]),
    )


def event(code: str, subject: str) -> SimpleNamespace:
    detail = SimpleNamespace(subject=subject, who="alice@mueller-dach.example", in_place_of="")
    return SimpleNamespace(at=NOON, code=code, detail=detail)


class SampleForm(forms.Form):
    """Every kind of field, with words as long as they get."""

    local_part = forms.CharField(label="E-Mail-Adresse", widget=forms.TextInput({"class": "mono"}))
    domain = forms.ChoiceField(label="Domain", required=False)
    password = forms.CharField(
        label="Kennwort",
        widget=forms.PasswordInput({"class": "mono", "autocomplete": "new-password"}),
        help_text="Mindestens 10 Zeichen. Mehrere Wörter lassen sich leichter merken und tippen.",
        error_messages={"required": "Nehmen Sie mindestens 10 Zeichen."},
    )
    kind = forms.ChoiceField(
        label="Was soll mit den Mails geschehen?",
        choices=[
            ("mailbox", "Postfach: aufbewahren und im Mailprogramm lesen"),
            ("forward", "Weiterleitung: an andere E-Mail-Adressen weitersenden"),
        ],
        initial="mailbox",
        widget=forms.RadioSelect,
    )
    targets = forms.CharField(
        label="Weiterleitungsziele, eine Adresse je Zeile",
        widget=forms.Textarea({"class": "mono", "rows": "3"}),
    )
    keep_copy = forms.BooleanField(
        label="Eine Kopie aller weitergeleiteten Mails in diesem Postfach behalten", required=False
    )

    def __init__(
        self, data: dict[str, str] | None = None, *, auto_id: str, domains: list[str]
    ) -> None:
        super().__init__(data, auto_id=auto_id)
        choices = [(name, name) for name in domains]
        self.fields["domain"].choices = choices  # type: ignore[attr-defined]

    def clean_targets(self) -> str:
        raise forms.ValidationError("Zeile 2: „buero“ ist keine Adresse. Meinten Sie buero@…?")
