"""What a mailbox sent, and what of it still waits: asked from its host, never kept here."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from mailadmin.models import Mailbox, MailHost
from mailadmin.push import wire

# A page waits for this, so not for long.
PATIENCE_SECONDS = 1.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SentMail:
    """`recipients` may be fewer than `count`; `size` is in octets."""

    id: int
    at: datetime
    sender: str
    recipients: tuple[str, ...]
    count: int
    size: int
    message_id: str

    @property
    def left_out(self) -> int:
        return self.count - len(self.recipients)


@dataclass(frozen=True)
class Sent:
    """The newest first; `in_hour` is how many recipients there were within the last hour."""

    mails: tuple[SentMail, ...]
    in_hour: int


def of(mailbox: Mailbox, *, before: int = 0) -> Sent | None:
    """What a mailbox sent, before the mail with this id; None while the host does not say."""
    address = mailbox.address
    try:
        answer = _ask(address.domain.host, "sent", login=address.email, before=before)
    except (wire.AgentUnreachable, wire.AgentRefused) as error:
        log.info("sent_unknown", code=error.code)
        return None
    return Sent(tuple(map(_mail, answer["mails"])), int(answer["hour"]))


def _mail(fields: dict[str, Any]) -> SentMail:
    return SentMail(
        int(fields["id"]),
        datetime.fromtimestamp(int(fields["at"]), UTC),
        str(fields["sender"]),
        tuple(str(each) for each in fields["recipients"]),
        int(fields["count"]),
        int(fields["bytes"]),
        str(fields["message_id"]),
    )


def loose(mailbox: Mailbox, action: str) -> int:
    """Hold, release or delete what waits in the queue from a mailbox; return how many mails.

    Raises AgentUnreachable, AgentRefused.
    """
    address = mailbox.address
    answer = _ask(address.domain.host, "loose", login=address.email, action=action)
    return int(answer["count"])


def alarms(host: MailHost) -> list[dict[str, Any]]:
    """What a host put off since we last asked. Raises AgentUnreachable, AgentRefused."""
    return list(_ask(host, "alarms", after=host.alarms_seen)["alarms"])


def _ask(host: MailHost, verb: str, **arguments: Any) -> dict[str, Any]:
    with closing(wire.Connection(host.agent_url, patience_seconds=PATIENCE_SECONDS)) as connection:
        return connection.call(verb, **arguments)
