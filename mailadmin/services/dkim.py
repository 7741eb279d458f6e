"""DKIM keys of tenants' domains: made, sealed, stored, and switched to signing."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from mailadmin import access, crypto
from mailadmin.actors import Actor
from mailadmin.errors import NotAllowed, ReasonMissing
from mailadmin.models import Domain
from mailadmin.push import hostrows
from mailadmin.services import audit
from maildns import dkim as rules
from maildns.models import DkimKey, Zone


@dataclass(frozen=True)
class KeyMaterial:
    """A new key pair, its private part already sealed."""

    private_key_sealed: str
    public_record: str


def make_key_material() -> KeyMaterial:
    """Make an RSA-2048 pair; takes 60 ms and more."""
    pair = rules.generate_rsa_key()
    return KeyMaterial(crypto.seal(pair.private_pem.encode()), pair.public_record)


def store_key(zone: Zone, material: KeyMaterial) -> DkimKey:
    """Store a pair as staged, under a selector that this zone has never had."""
    used = DkimKey.objects.filter(zone=zone).values_list("selector", flat=True)
    return DkimKey.objects.create(
        zone=zone,
        selector=rules.next_selector(set(used), timezone.now().date()),
        algorithm="rsa",
        private_key_sealed=material.private_key_sealed,
        public_record=material.public_record,
    )


def switch_to_signing_by_word(domain: Domain, key: DkimKey, *, reason: str, by: Actor) -> DkimKey:
    """Sign with a key on the operator's word that the world can see it. Raises NotAllowed.

    The way without a word, by what the name servers answer, is that of the DNS checks.
    """
    access.may_write(by, domain)
    if not by.is_operator or key.zone_id != domain.zone_id:
        raise NotAllowed
    if not reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        old = DkimKey.objects.filter(
            zone_id=domain.zone_id, algorithm=key.algorithm, state=DkimKey.State.SIGNING
        ).exclude(pk=key.pk)
        retiring = list(old)
        old.update(state=DkimKey.State.RETIRING)
        key.state, key.signing_since = DkimKey.State.SIGNING, timezone.now()
        key.save(update_fields=["state", "signing_since"])
        audit.record(
            by,
            "dkim.signing",
            key,
            domain=domain,
            after={"selector": key.selector, "reason": reason},
        )
        hostrows.touch(key, *retiring, by=by)
    return key
