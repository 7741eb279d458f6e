"""Tags and filters of our templates."""

from __future__ import annotations

import re
from typing import Any

from django import template
from django.contrib.messages.storage.base import Message
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import formats
from django.utils.html import escape, format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe

from mailadmin.services.status import ChangeStatus
from panel import words

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
