"""Housekeeping by the clock: tasks that call a service, which stands above `mailadmin.tasks`."""

from __future__ import annotations

from celery import shared_task

from mailadmin.actors import operator_by_command
from mailadmin.services import addresses, welcome


@shared_task
def empty_trash() -> None:
    """Delete for ever what has been in the trash for long enough."""
    addresses.empty_trash(by=operator_by_command())


@shared_task
def send_welcomes() -> None:
    """Greet the owners of mailboxes that have become live."""
    welcome.send_due()
