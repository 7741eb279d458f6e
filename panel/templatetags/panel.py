"""Tags and filters of our templates."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.contrib.messages.storage.base import Message
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import escape, format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import gettext

from mailadmin.services.dnsview import DnsView, RecordView
from mailadmin.services.status import ChangeStatus
from maildns.findings import Finding
from maildns.hosters import Note
from maildns.models import Publication, ZoneAccess
from maildns.readiness.report import Item, ReadinessReport
from maildns.resolver import shown
from panel import findingwords, movingwords, readywords, recordwords, words

register = template.Library()

# From here on an address may have to break, and then better before its signs than anywhere.
LONG_ADDRESS = 28


@register.simple_tag
def icon(name: str) -> SafeString:
    """A sign from the sprite. It is never alone: a word stands beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("img/icons.svg"),
        name,
    )


@register.filter
def breakable(address: str) -> SafeString:
    """An address that, when it is long, breaks before @ and dots."""
    text = escape(address)
    if len(address) < LONG_ADDRESS:
        return text
    return mark_safe(re.sub(r"([@.])", r"<wbr>\1", text))  # noqa: S308  (escaped above)


@register.filter
def cause(change: ChangeStatus) -> str:
    return words.cause_sentence(change.cause, change.facts)


@register.simple_tag
def reassurance() -> str:
    return words.reassurance()


@register.filter
def event_text(code: str) -> str:
    return words.event_sentence(code)


@register.filter
def size(mib: int | None) -> str:
    """A storage size for people: 1.5 GB, 300 MB; a sign for no limit."""
    if mib is None:
        return "∞"
    if mib >= 1024:
        return f"{formats.number_format(round(mib / 1024, 1))} GB".replace(",0 ", " ").replace(
            ".0 ", " "
        )
    return f"{mib} MB"


@register.filter
def took(milliseconds: int | None) -> str:
    """How long a change needed: 0.3 s."""
    if milliseconds is None:
        return ""
    seconds = milliseconds / 1000
    digits = 2 if seconds < 10 else 1 if seconds < 100 else 0
    return f"{formats.number_format(seconds, digits)} s"


@register.filter
def poll_seconds(asked: int) -> int:
    """How long to wait before asking again: one second, then ever slower."""
    return 1 if asked < 15 else 3 if asked < 30 else 10


@register.filter
def described(field: BoundField) -> SafeString:
    """The field's widget, with what a screen reader needs to tell its hint and its error."""
    attributes: dict[str, Any] = {}
    names = []
    if field.help_text:
        names.append(f"{field.id_for_label}-hint")
    if field.errors:
        names.append(f"{field.id_for_label}-error")
        attributes["aria-invalid"] = "true"
    if names:
        attributes["aria-describedby"] = " ".join(names)
    if field.field.widget.attrs.get("placeholder") == field.label:
        # The label says it already, and stays when something is typed.
        attributes["placeholder"] = False
    return field.as_widget(attrs=attributes)


@register.filter
def undo_url(message: Message) -> str:
    """Where a message's change is taken back: the page sent it with extra_tags="undo:/path/"."""
    tags = message.extra_tags or ""
    url = tags.removeprefix("undo:")
    if url == tags or not url_has_allowed_host_and_scheme(url, allowed_hosts=None):
        return ""
    return url


@register.simple_tag(takes_context=True)
def here(context: dict[str, Any], *names: str) -> bool:
    """Whether the page belongs to one of these URL names' sections."""
    match = getattr(context.get("request"), "resolver_match", None)
    return bool(match and match.url_name in names)


# --- records ------------------------------------------------------------------------------------


@register.filter
def record_name(kind: str) -> str:
    return recordwords.record_name(kind)


@register.filter
def record_title(record: RecordView) -> str:
    """What people call it; of several DKIM records, which."""
    name = recordwords.record_name(record.kind)
    return f"{name} {record.key.get_algorithm_display()}" if record.key else name


@register.filter
def checked_ago(at: datetime) -> str:
    if timezone.now() - at < timedelta(minutes=1):
        return gettext("Checked just now.")
    return gettext("Checked %(time)s ago.") % {"time": timesince(at)}


@register.filter
def record_purpose(kind: str) -> str:
    return recordwords.purpose(kind)


@register.filter
def record_lost(kind: str) -> str:
    return recordwords.lost(kind)


@register.filter
def record_effect(record: RecordView) -> str:
    return recordwords.effect(record.kind, record.state)


@register.filter
def record_state(state: str) -> str:
    return recordwords.state_word(state)


@register.filter
def receiving_text(code: str) -> str:
    return recordwords.receiving(code)


@register.filter
def sending_text(code: str) -> str:
    return recordwords.sending(code)


@register.filter
def key_text(record: RecordView) -> str:
    if record.key is None:
        return ""
    return recordwords.key_progress(record.key, record.signs_from, timezone.now())


@register.filter
def groups(view: DnsView) -> list[tuple[list[RecordView], str, str]]:
    """The groups that have records, each with its title and lead."""
    texts = recordwords.groups().items()
    return [(view.of(group), *text) for group, text in texts if view.of(group)]


@register.filter
def provider_text(publication: Publication) -> str:
    return recordwords.provider_fault(publication.fault_code, publication.fault_fact)


@register.filter
def access_text(access: ZoneAccess) -> str:
    return recordwords.provider_fault(access.fault_code, access.fault_facts.get("fact", ""))


@register.filter
def change_state(code: str) -> str:
    return recordwords.change_state(code)


@register.filter
def shown_value(value: str) -> str:
    """A foreign value with what is no printable ASCII escaped."""
    return shown(value)


# --- readiness ----------------------------------------------------------------------------------


@register.filter
def readiness_title(check: str) -> str:
    return readywords.title(check)


@register.filter
def readiness_purpose(check: str) -> str:
    return readywords.purpose(check)


@register.filter
def readiness_text(item: Item) -> str:
    return readywords.sentence(item)


@register.filter
def readiness_state(state: str) -> str:
    return readywords.state_word(state)


@register.filter
def ptr_effect(state: str) -> str:
    return readywords.ptr_effect(state)


@register.filter
def readiness_verdict(report: ReadinessReport) -> str:
    return readywords.verdict(report)


@register.filter
def evidence_label(label: str) -> str:
    return readywords.evidence_label(label)


# --- what stands there --------------------------------------------------------------------------


@register.filter
def finding_text(finding: Finding, kind: str) -> str:
    return findingwords.finding_sentence(kind, finding)


@register.filter
def hint_text(hint: str) -> str:
    return findingwords.hint_sentence(hint)


@register.filter
def unreachable_text(reason: str) -> str:
    return findingwords.unreachable_sentence(reason)


@register.filter
def spf_text(outcome: dict[str, Any]) -> str:
    return findingwords.spf_sentence(outcome)


@register.filter
def note_text(note: Note) -> str:
    return movingwords.note_sentence(note)


@register.filter
def takeover_step(code: str) -> str:
    return movingwords.step_sentence(code)


@register.filter
def takeover_finding(code: str) -> str:
    return movingwords.finding_sentence(code)


@register.filter
def keep_reason(reason: str) -> str:
    return movingwords.keep_sentence(reason)
