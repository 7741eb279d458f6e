"""One mail host for all tests of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostproc import PASSWORD, MailHost, domain, mailbox


@pytest.fixture(scope="session")
def mailhost() -> Iterator[MailHost]:
    host = MailHost()
    try:
        host.start()
        host.apply(domain(1, "example.test"), domain(2, "nachbar.test"), mailbox("info"))
        yield host
    finally:
        host.close()


@pytest.fixture(scope="session")
def info(mailhost: MailHost) -> tuple[str, str]:
    return "info@example.test", PASSWORD
