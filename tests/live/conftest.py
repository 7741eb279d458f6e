"""One trial for all live tests: the real panel, worker and mail host."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from trial import Panel, Trial

# All live tests share one customer, who needs more than his plan has.
LIFT_LIMITS = """
from mailadmin.actors import operator_by_command
from mailadmin.models import Account
from mailadmin.services import accounts
for name, kind in (("reseller", None), ("customer", 400)):
    for what in ("mailboxes", "domains"):
        accounts.override_limit(
            Account.objects.get(kind=name), what, kind, by=operator_by_command()
        )
"""


@pytest.fixture(scope="session")
def trial() -> Iterator[Trial]:
    state = Path(f"/var/lib/postkontor/test-{os.getpid()}")
    trial = Trial(state)
    try:
        trial.start()
        trial.manage("shell", "-v0", "-c", LIFT_LIMITS)
        yield trial
    finally:
        trial.stop()
        if not os.environ.get("POSTKONTOR_KEEP_STATE"):
            shutil.rmtree(state, ignore_errors=True)
            state.with_suffix(".out").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def alice(trial: Trial) -> Panel:
    """The customer, logged in."""
    return trial.panel("customer")


PASSWORD = "blau-Segel-27-Ofen"


@pytest.fixture(scope="session")
def info(trial: Trial, alice: Panel) -> tuple[str, str]:
    """info@example.test with its password: made by the wizard, live."""
    page = alice.create_mailbox("info", PASSWORD)
    alice.wait_live(page)
    return "info@example.test", PASSWORD
