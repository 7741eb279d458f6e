"""The welcome message: the first delivery to a new mailbox, with what a mail program must know."""

from __future__ import annotations

from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

from mailadmin.models import HostRow, Mailbox
from mailadmin.models.states import State

log = structlog.get_logger(__name__)

BATCH = 100


def send_due() -> None:
    """Send it to each mailbox that is live and has not had it; once per storage.

    What cannot be handed over now stays due, as does what would leave for a former provider.
    """
    due = Mailbox.objects.exclude(welcome_in="").filter(
        address__state=State.ACTIVE, address__domain__mail_elsewhere=False
    )
    for mailbox in due.select_related("address__domain__host")[:BATCH]:
        if _is_live(mailbox):
            _send(mailbox)


def _is_live(mailbox: Mailbox) -> bool:
    rows = HostRow.objects.filter(
        host=mailbox.address.domain.host_id, kind=HostRow.Kind.ADDRESS, key=str(mailbox.pk)
    )
    return any(row.is_live for row in rows)


def _send(mailbox: Mailbox) -> None:
    language = mailbox.welcome_in
    mine = Mailbox.objects.filter(pk=mailbox.pk, welcome_in=language)
    if not mine.update(welcome_in=""):
        return  # another worker has it
    try:
        message(mailbox, language).send()
    except (SMTPException, OSError) as error:
        Mailbox.objects.filter(pk=mailbox.pk).update(welcome_in=language)
        log.warning("welcome_waits", mailbox=mailbox.pk, error=type(error).__name__)


def message(mailbox: Mailbox, language: str) -> EmailMessage:
    """The message in one language; it asks for no automatic answer (RFC 3834, 5)."""
    address = mailbox.address
    facts = {"address": address.email, "settings": address.domain.host.client_settings}
    with translation.override(language):
        subject = render_to_string("mail/welcome_subject.txt", facts).strip()
        text = render_to_string("mail/welcome.txt", facts)
    return EmailMessage(
        subject,
        text,
        settings.DEFAULT_FROM_EMAIL,
        [address.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
