"""The welcome message: to new mailboxes of people, after the proof, once."""

from __future__ import annotations

from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone, translation
from factories import PASSWORD, World, actor, make_mailbox, make_world

from mailadmin.models import HostRow, Mailbox
from mailadmin.services import addresses, mailboxes, welcome

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def mine(world) -> Mailbox:
    """A mailbox that a person set up on a German page."""
    with translation.override("de"):
        return mailboxes.create_mailbox(
            world.domain, local_part="neu", password=PASSWORD, quota_mib=100,
            by=actor(world.domain.account),
        )  # fmt: skip


def prove(mailbox: Mailbox) -> None:
    HostRow.objects.filter(kind="address", key=str(mailbox.pk)).update(
        applied_generation=F("generation"),
        proved_generation=F("generation"),
        proved_at=timezone.now(),
    )


def test_welcome_waits_for_the_proof(mine) -> None:
    welcome.send_due()
    assert mail.outbox == []


def test_welcome_is_sent_once_in_the_language_of_who_set_it_up(mine) -> None:
    prove(mine)
    welcome.send_due()
    welcome.send_due()
    (message,) = mail.outbox
    assert message.to == [mine.address.email]
    assert "ist bereit" in message.subject
    assert "Posteingangsserver (IMAP)" not in message.body or "SSL/TLS" in message.body
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"


def test_welcome_names_the_servers_and_no_password(mine) -> None:
    host = mine.address.domain.host
    host.client_settings = {"imaps": ["mail.example.net", 993], "submissions": ["a.example", 465]}
    host.save()
    prove(mine)
    welcome.send_due()
    assert "mail.example.net" in mail.outbox[0].body
    assert "993" in mail.outbox[0].body
    assert PASSWORD not in mail.outbox[0].body


def test_welcome_waits_while_the_mail_server_is_away(mine, monkeypatch) -> None:
    prove(mine)

    def away(*_arguments: object, **_more: object) -> None:
        raise SMTPServerDisconnected

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", away)
        welcome.send_due()
    assert mail.outbox == []
    welcome.send_due()
    assert len(mail.outbox) == 1


def test_mailbox_made_by_a_command_gets_none(world) -> None:
    prove(make_mailbox(world.domain, "viele"))
    welcome.send_due()
    assert mail.outbox == []


def test_mailbox_in_the_trash_gets_none(mine) -> None:
    addresses.move_to_trash(mine.address, by=actor(mine.address.domain.account))
    prove(mine)
    welcome.send_due()
    assert mail.outbox == []
