"""Plans and their limits: counted in the transaction that creates, under locks root to leaf."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.db.models import Q, QuerySet, Sum

from mailadmin.errors import LimitReached
from mailadmin.models import Account, Address, Domain, Mailbox
from mailadmin.models.states import State

WHATS = ("domains", "mailboxes", "aliases", "forwards", "quota_mib")
# Held by the host: recipients within an hour.
RATES = ("sent_mailbox", "sent_domain", "sent_account")
KIND_LIMITS = {"mailbox": "mailboxes", "alias": "aliases", "forward": "forwards"}


@dataclass(frozen=True)
class Usage:
    """`allowed` None is unlimited."""

    what: str
    used: int
    allowed: int | None

    @property
    def is_full(self) -> bool:
        return self.allowed is not None and self.used >= self.allowed

    @property
    def left(self) -> int | None:
        return None if self.allowed is None else max(0, self.allowed - self.used)

    @property
    def percent(self) -> int:
        if not self.allowed:
            return 100 if self.allowed == 0 else 0
        return min(100, round(100 * self.used / self.allowed))


def allowed(account: Account, what: str) -> int | None:
    return account.allowed(what)


def used(account: Account, what: str) -> int:
    """What the account and the accounts below it have. The trash does not count."""
    reach = Q(account=account) | Q(account__parent=account)
    if what == "domains":
        return Domain.objects.filter(reach, deleted_at=None).count()
    living = Address.objects.filter(
        domain__in=Domain.objects.filter(reach, deleted_at=None)
    ).exclude(state=State.TRASH)
    if what == "quota_mib":
        mailboxes = Mailbox.objects.filter(address__in=living)
        return mailboxes.aggregate(total=Sum("quota_mib"))["total"] or 0
    kind = next(kind for kind, limit in KIND_LIMITS.items() if limit == what)
    return living.filter(kind=kind).count()


def usage(account: Account, what: str) -> Usage:
    return Usage(what, used(account, what), allowed(account, what))


def usages(account: Account) -> dict[str, Usage]:
    return {what: usage(account, what) for what in WHATS}


def lock(account: Account) -> list[Account]:
    """Lock the accounts from below the operator down to this one, and return them."""
    lineage = [step.pk for step in account.lineage()]
    rows: QuerySet[Account] = Account.objects.select_related("plan").filter(pk__in=lineage)
    if connection.features.has_select_for_update:
        rows = rows.select_for_update(of=("self",))
    return sorted(rows, key=lambda row: lineage.index(row.pk))


def take(account: Account, what: str, count: int = 1) -> None:
    """Make sure that `count` more fit, all the way up. Raises LimitReached.

    Call it first in the creating transaction: it locks the accounts until the commit.
    """
    for step in lock(account):
        now = usage(step, what)
        if now.left is not None and now.left < count:
            raise LimitReached(what=what, allowed=now.allowed, used=now.used)


def take_quota(account: Account, quota_mib: int | None, *, freed_mib: int = 0) -> None:
    """The same for storage: `quota_mib` None needs an account without a limit."""
    for step in lock(account):
        now = usage(step, "quota_mib")
        if now.allowed is None:
            continue
        if quota_mib is None or now.used - freed_mib + quota_mib > now.allowed:
            raise LimitReached(what="quota_mib", allowed=now.allowed, used=now.used - freed_mib)


def recheck(account: Account) -> None:
    """Make sure that what an account has is not more than it may have. Raises LimitReached."""
    for step in lock(account):
        for now in usages(step).values():
            if now.allowed is not None and now.used > now.allowed:
                raise LimitReached(what=now.what, allowed=now.allowed, used=now.used)
