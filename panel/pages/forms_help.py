"""What pages with forms share: choices from the actor's own objects, errors at the right field."""

from __future__ import annotations

from django.forms import Form

from mailadmin import access
from mailadmin.actors import Actor
from mailadmin.errors import MailAdminError


def domain_choices(actor: Actor) -> list[tuple[str, str]]:
    """The actor's own domains as (name, shown name)."""
    return [
        (domain.name, f"@{domain.display_name}")
        for domain in access.domains_for(actor).filter(is_parked=False).order_by("name")[:500]
    ]


def mailbox_choices(actor: Actor) -> list[tuple[str, str]]:
    rows = (
        access.mailboxes_for(actor).exclude(address__state="trash").order_by("address__local_part")
    )
    return [(str(row.address.uid), row.address.email) for row in rows[:500]]


def show_error(form: Form, error: MailAdminError) -> None:
    """Put a refusal at the field it is about, else above the form; what was typed stays."""
    field = error.field if error.field in form.fields else None
    form.add_error(field, error.for_user())
