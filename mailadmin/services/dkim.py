"""DKIM keys of tenants' domains: made, sealed, stored, and moved on by what the DNS shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from mailadmin import access, crypto
from mailadmin.actors import Actor
from mailadmin.errors import DomainParked, NotAllowed, ReasonMissing
from mailadmin.models import Domain
from mailadmin.push import hostrows
from mailadmin.services import audit
from maildns import dkim as rules
from maildns import rotation
from maildns.check import RecordReport
from maildns.models import DkimKey, Zone

State = DkimKey.State


@dataclass(frozen=True)
class KeyMaterial:
    """A new key pair, its private part already sealed."""

    algorithm: str
    private_key_sealed: str
    public_record: str


def make_key_material() -> list[KeyMaterial]:
    """Make an RSA-2048 and an Ed25519 pair; takes 60 ms and more: never inside a transaction."""
    pairs = {"rsa": rules.generate_rsa_key(), "ed25519": rules.generate_ed25519_key()}
    return [
        KeyMaterial(algorithm, crypto.seal(pair.private_pem.encode()), pair.public_record)
        for algorithm, pair in pairs.items()
    ]


def store_keys(zone: Zone, materials: Iterable[KeyMaterial]) -> list[DkimKey]:
    """Store pairs as staged, each under a selector that this zone has never had."""
    used = set(DkimKey.objects.filter(zone=zone).values_list("selector", flat=True))
    keys = []
    for material in materials:
        selector = rules.next_selector(used, timezone.now().date())
        used.add(selector)
        keys.append(
            DkimKey.objects.create(
                zone=zone,
                selector=selector,
                algorithm=material.algorithm,
                private_key_sealed=material.private_key_sealed,
                public_record=material.public_record,
            )
        )
    return keys


def switch_to_signing_by_word(domain: Domain, key: DkimKey, *, reason: str, by: Actor) -> DkimKey:
    """Sign with a key on the operator's word that the world can see it. Raises NotAllowed."""
    access.may_write(by, domain)
    if not by.is_operator or key.zone_id != domain.zone_id:
        raise NotAllowed
    if not reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        _sign_with(domain, key, now=timezone.now(), by=by, reason=reason)
    return key


# --- moved by what is seen ----------------------------------------------------------------------


def follow(
    domain: Domain, reports: Mapping[str, RecordReport], *, now: datetime, by: Actor
) -> bool:
    """Move each key of a domain as far as one look at its record lets it: maildns.rotation.

    Call it in the transaction that keeps the look. Returns whether other records are wanted now.
    """
    is_changed = False
    keys = DkimKey.objects.filter(zone=domain.zone, gone_at=None).order_by("pk")
    for key in keys:
        report = reports.get(f"dkim:{key.selector}")
        if report is None:
            continue
        if key.may_go_at is not None:
            if rotation.sight_of(report) is rotation.Sight.EVERYWHERE:
                key.gone_at = now
                key.save(update_fields=["gone_at"])
            continue
        rotation.observe(key, report, now)
        state = rotation.next_state(key, rotation.sight_of(report), now)
        if state == State.SIGNING != key.state:
            _sign_with(domain, key, now=now, by=by)
        elif state == State.RETIRED != key.state:
            _retire(domain, key, now=now, by=by)
            is_changed = True
        else:
            key.state = state
            at = rotation.goes_at(key)
            if at is not None and now >= at:
                key.may_go_at = now
                is_changed = True
            key.save()
    return is_changed


def _sign_with(domain: Domain, key: DkimKey, *, now: datetime, by: Actor, reason: str = "") -> None:
    """Let a key sign; the one that did so far stays in the DNS for the mail under way."""
    others = DkimKey.objects.filter(
        zone_id=domain.zone_id, algorithm=key.algorithm, state=State.SIGNING
    ).exclude(pk=key.pk)
    retiring = list(others)
    others.update(state=State.RETIRING, retiring_since=now)
    key.state, key.signing_since = State.SIGNING, now
    key.save()
    after = {"selector": key.selector} | ({"reason": reason} if reason else {})
    audit.record(by, "dkim.signing", key, domain=domain, after=after)
    hostrows.touch(key, *retiring, by=by)


def _retire(domain: Domain, key: DkimKey, *, now: datetime, by: Actor) -> None:
    """Forget the private key; the empty record says that the public one is void."""
    if key.signing_since is None and not key.is_compromised:
        key.may_go_at = now  # no mail and no thief has it
    key.state, key.retired_at, key.seen_since = State.RETIRED, now, None
    key.private_key_sealed = ""
    key.save()
    audit.record(by, "dkim.retired", key, domain=domain, after={"selector": key.selector})
    hostrows.touch(key, by=by)


# --- new keys -----------------------------------------------------------------------------------


def rotate(domain: Domain, *, by: Actor) -> list[DkimKey]:
    """Make new keys for a domain. They sign as soon as the world sees them; until then the old.

    Raises DomainParked.
    """
    access.may_write(by, domain)
    _refuse_parked(domain)
    materials = make_key_material()
    with transaction.atomic():
        Zone.objects.select_for_update().get(pk=domain.zone_id)
        return _stage(domain, materials, by=by)


def compromise(domain: Domain, *, reason: str, by: Actor) -> list[DkimKey]:
    """Void all keys of a domain at once and make new ones.

    Mail goes out unsigned until the new keys are seen: better than with a key that a thief has.
    """
    access.may_write(by, domain)
    _refuse_parked(domain)
    if not reason.strip():
        raise ReasonMissing
    materials = make_key_material()
    now = timezone.now()
    with transaction.atomic():
        Zone.objects.select_for_update().get(pk=domain.zone_id)
        DkimKey.objects.filter(zone_id=domain.zone_id, gone_at=None).update(is_compromised=True)
        retire_all(domain, now=now, by=by)
        audit.record(by, "dkim.compromised", domain, after={"reason": reason.strip()})
        return _stage(domain, materials, by=by)


def _refuse_parked(domain: Domain) -> None:
    """A domain without mail has no keys."""
    if domain.is_parked:
        raise DomainParked(domain=domain.name)


def retire_all(domain: Domain, *, now: datetime, by: Actor) -> None:
    """Void all keys of a domain that leaves."""
    for key in DkimKey.objects.filter(zone_id=domain.zone_id).exclude(state=State.RETIRED):
        _retire(domain, key, now=now, by=by)


def _stage(domain: Domain, materials: list[KeyMaterial], *, by: Actor) -> list[DkimKey]:
    """Store what is not yet on its way; a second click makes no second pair."""
    waiting = DkimKey.objects.filter(
        zone_id=domain.zone_id, state__in=[State.STAGED, State.PUBLISHED]
    )
    algorithms = set(waiting.values_list("algorithm", flat=True))
    keys = store_keys(domain.zone, [m for m in materials if m.algorithm not in algorithms])
    for key in keys:
        audit.record(by, "dkim.staged", key, domain=domain, after={"selector": key.selector})
    if keys:
        hostrows.touch(*keys, by=by)
    Zone.objects.filter(pk=domain.zone_id).update(next_check_at=timezone.now())
    transaction.on_commit(
        lambda: hostrows.wake("panel.tasks.check_zone", domain.zone_id), robust=True
    )
    return keys


def due_for_rotation(*, now: datetime | None = None) -> list[Domain]:
    """The domains with a key that has signed for long enough and no successor under way."""
    before = (now or timezone.now()) - rotation.ROTATE_AFTER
    successor = DkimKey.objects.filter(
        zone=OuterRef("zone"), algorithm=OuterRef("algorithm"), state__in=["staged", "published"]
    )
    old = DkimKey.objects.filter(state=State.SIGNING, signing_since__lte=before)
    zones = old.exclude(Exists(successor)).values("zone_id")
    return list(Domain.objects.living().filter(zone_id__in=zones).select_related("zone"))
