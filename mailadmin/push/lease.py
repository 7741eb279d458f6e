"""The right to push to one host: taken by database time, with a fencing token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db.models import F, Q
from django.db.models.functions import Now

from mailadmin.models import MailHost

# Longer than a batch takes (5,000 rows: about two seconds), extended for each; a dead worker's
# host is free again after it. A live worker that is slower is fenced off by its token.
LEASE = timedelta(seconds=25)


class LeaseLost(Exception):
    """Another worker has taken over; what this one still does is refused by its old token."""


def take(host_id: int) -> int | None:
    """Take the lease and return its fencing token, or None while another worker holds it."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    taken = MailHost.objects.filter(free, pk=host_id).update(
        lease_until=Now() + LEASE, lease_token=F("lease_token") + 1
    )
    if not taken:
        return None
    return MailHost.objects.values_list("lease_token", flat=True).get(pk=host_id)


def extend(host_id: int, token: int) -> None:
    """Hold on for another term. Raises LeaseLost."""
    if not MailHost.objects.filter(pk=host_id, lease_token=token).update(lease_until=Now() + LEASE):
        raise LeaseLost(host_id)


def release(host_id: int, token: int) -> None:
    MailHost.objects.filter(pk=host_id, lease_token=token).update(lease_until=None)


@contextmanager
def held(host_id: int) -> Iterator[int | None]:
    """Hold the lease for the block; the value is its token, or None when it is not free."""
    token = take(host_id)
    try:
        yield token
    finally:
        if token is not None:
            release(host_id, token)
