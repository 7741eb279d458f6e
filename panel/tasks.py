"""Housekeeping by the clock: tasks that call a service, which stands above `mailadmin.tasks`."""

from __future__ import annotations

from celery import shared_task

from mailadmin.actors import operator_by_command
from mailadmin.models import Domain, DomainClaim, MailHost
from mailadmin.services import (
    addresses,
    claims,
    domains,
    publishing,
    readiness,
    sending,
    takeover,
    welcome,
    zones,
)
from maildns.models import Publication


@shared_task
def empty_trash() -> None:
    """Delete for ever what has been in the trash, or has rested, for long enough."""
    addresses.empty_trash(by=operator_by_command())
    domains.end_rests(by=operator_by_command())


@shared_task
def send_welcomes() -> None:
    """Greet the owners of mailboxes that have become live."""
    welcome.send_due()


@shared_task
def settle_queue(mailbox_id: int) -> None:
    """Do with the queue of one mailbox what somebody decided."""
    sending.settle_queue(mailbox_id)


@shared_task
def watch_sending() -> None:
    """Take in what the hosts put off, and do what is still to be done with their queues."""
    sending.settle_queues()
    sending.watch_hosts()


@shared_task
def check_zone(zone_id: int) -> None:
    """Look at the DNS of one domain now."""
    zones.check(Domain.objects.living().filter(zone_id=zone_id))


@shared_task
def check_claim(claim_id: int) -> None:
    """Look for the proof of one claim now."""
    claims.check(DomainClaim.objects.filter(pk=claim_id))


@shared_task
def check_dns() -> None:
    """Look at what is due: zones, and the proofs of claims."""
    zones.check_due()
    claims.check_due()
    publishing.run_waiting()
    takeover.plan_waiting()
    readiness.check_due()


@shared_task
def plan_takeover(domain_id: int) -> None:
    """Read the live zone of one domain and plan how its mail moves here."""
    for domain in (
        Domain.objects.living().filter(pk=domain_id).select_related("zone", "host", "account")
    ):
        takeover.plan(domain)


@shared_task
def check_readiness(host_id: int) -> None:
    """Look at what one mail host needs in the world."""
    for host in MailHost.objects.filter(pk=host_id):
        readiness.check(host)


@shared_task
def publish_zone(publication_id: int) -> None:
    """Do the next step of a publication: plan it, or write it."""
    for publication in Publication.objects.filter(pk=publication_id).select_related("zone"):
        publishing.run(publication)


@shared_task
def publish_by_itself(domain_id: int) -> None:
    """Write what keys and policies of a domain need, where we may without a click."""
    for domain in Domain.objects.living().filter(pk=domain_id).select_related("zone", "host"):
        if publishing.waits_for_us(domain):
            publishing.publish_by_itself(domain)


@shared_task
def rotate_keys() -> None:
    """Make new keys where the old ones have signed for long enough."""
    publishing.rotate_due()
