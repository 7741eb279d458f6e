"""How much a mailbox holds: asked from its host when somebody wants to know."""

from __future__ import annotations

from contextlib import closing

import structlog

from mailadmin.models import Mailbox
from mailadmin.push import wire

# A page waits for this, so not for long.
PATIENCE_SECONDS = 1.5

log = structlog.get_logger(__name__)


def used_mib(mailbox: Mailbox) -> int | None:
    """Return what is stored, in MiB rounded up; None while the host does not say."""
    address = mailbox.address
    url = address.domain.host.agent_url
    try:
        with closing(wire.Connection(url, patience_seconds=PATIENCE_SECONDS)) as connection:
            answer = connection.call("usage", login=address.email)
    except (wire.AgentUnreachable, wire.AgentRefused) as error:
        log.info("usage_unknown", code=error.code)
        return None
    return -(-int(answer["used_kib"]) // 1024)
