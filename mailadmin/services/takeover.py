"""Moving a domain's mail here from where it lives today: read, plan, switch when it is seen."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from mailadmin import access, dnsconfig
from mailadmin.actors import Actor
from mailadmin.models import Domain
from mailadmin.push import hostrows
from mailadmin.services import audit, wanted
from maildns.inventory import read_zone
from maildns.models import Zone
from maildns.resolver import Resolver
from maildns.takeover import TakeoverPlan, plan_takeover


def ask_for_plan(domain: Domain, *, by: Actor) -> None:
    """Have a worker read the live zone and make the plan anew."""
    access.may_write(by, domain)
    with transaction.atomic():
        Zone.objects.filter(pk=domain.zone_id).update(takeover_asked_at=timezone.now())
        audit.record(by, "domain.takeover_planned", domain)
        transaction.on_commit(
            lambda: hostrows.wake("panel.tasks.plan_takeover", domain.pk), robust=True
        )


def plan(
    domain: Domain, *, now: datetime | None = None, resolver: Resolver | None = None
) -> TakeoverPlan:
    """Read the live zone and make the plan, which remembers the one before it."""
    checks = [each.check for each in wanted.of_domain(domain)]
    inventory = asyncio.run(
        read_zone(
            domain.name, resolver or dnsconfig.resolver(), also=[each.question for each in checks]
        )
    )
    made = plan_takeover(inventory, checks, now=now or timezone.now(), earlier=plan_of(domain.zone))
    domain.zone.takeover = made.to_json()
    domain.zone.takeover_at = made.made_at
    domain.zone.save(update_fields=["takeover", "takeover_at"])
    return made


def plan_of(zone: Zone) -> TakeoverPlan | None:
    return TakeoverPlan.from_json(zone.takeover) if zone.takeover else None


def plan_waiting(*, now: datetime | None = None) -> None:
    """Make the plans that a lost doorbell left behind."""
    limit = (now or timezone.now()) - timedelta(seconds=30)
    for domain in Domain.objects.living().filter(zone__takeover_asked_at__lt=limit).select_related(
        "zone", "host", "account"
    ):  # fmt: skip
        if domain.zone.is_being_read:
            plan(domain)
