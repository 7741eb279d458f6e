"""What a host is told: pure functions from objects to the rows of the wire."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import TypedDict

from django.conf import settings
from django.db.models import Prefetch, QuerySet

from mailadmin import crypto
from mailadmin.models import Address, Alias, Domain, HostRow
from mailadmin.models.states import State, strictest
from maildns.dkim import signer_form
from maildns.models import DkimKey


class WireRow(TypedDict, total=False):
    """One row on the wire; which keys stand in it depends on `kind` and `type`."""

    kind: str
    key: str
    domain_id: int
    remove: bool
    change: str
    name: str
    state: str
    canonical_id: int | None
    catch_all: str | None
    postmaster: str | None
    elsewhere: bool
    account_id: int
    rates: dict[str, int | None]
    local_part: str
    type: str
    storage_id: str
    quota_mib: int | None
    keep_copy: bool
    targets: list[str]
    send_as: list[str]
    credentials: list[dict[str, object]]
    domain: str
    selector: str
    algorithm: str
    private_key: str
    signing: bool


def render(rows: Iterable[HostRow]) -> list[WireRow]:
    """Render each row from its object as it is now; an absent object is a removal."""
    rows = list(rows)
    keys: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row.kind != HostRow.Kind.PURGE and not row.removed:
            keys[row.kind].append(int(row.key))
    made: dict[tuple[str, str], WireRow] = {}
    for payload in (
        *map(domain_row, domains().filter(pk__in=keys[HostRow.Kind.DOMAIN])),
        *map(address_row, addresses().filter(pk__in=keys[HostRow.Kind.ADDRESS])),
        *dkim_rows(DkimKey.objects.filter(pk__in=keys[HostRow.Kind.DKIM])),
    ):
        made[payload["kind"], payload["key"]] = payload
    return [{**_payload(row, made), "change": row.change_id} for row in rows]


def _payload(row: HostRow, made: dict[tuple[str, str], WireRow]) -> WireRow:
    if row.kind == HostRow.Kind.PURGE:
        return {"kind": row.kind, "key": row.key, "domain_id": 0, "storage_id": row.key}
    found = None if row.removed else made.get((row.kind, row.key))
    return found or {
        "kind": row.kind,
        "key": row.key,
        "domain_id": row.domain_key,
        "remove": True,
    }


def domains() -> QuerySet[Domain]:
    return (
        Domain.objects.filter(deleted_at=None)
        .select_related("account__parent__parent", "account__plan")
        .prefetch_related("account__overrides")
    )


def addresses() -> QuerySet[Address]:
    """Addresses with all that `address_row` reads, in a constant number of queries."""
    return (
        Address.objects.filter(domain__deleted_at=None)
        .select_related("domain", "mailbox", "alias__mailbox__address__domain")
        .prefetch_related(
            "targets",
            "mailbox__credentials",
            Prefetch("mailbox__aliases", Alias.objects.select_related("address__domain")),
        )
    )


def effective_state(domain: Domain) -> State:
    """The strictest of the domain and the accounts above it; without mail it is off."""
    own = State.OFF if domain.is_parked else domain.state
    return strictest(own, *(account.state for account in domain.account.lineage()))


def domain_row(domain: Domain) -> WireRow:
    return {
        "kind": HostRow.Kind.DOMAIN.value,
        "key": str(domain.pk),
        "domain_id": domain.pk,
        "name": domain.name,
        "state": effective_state(domain).value,
        "canonical_id": domain.canonical_id,
        "catch_all": domain.catch_all or None,
        "postmaster": postmaster_of(domain),
        "elsewhere": domain.mail_elsewhere,
        "account_id": domain.account_id,
        "rates": {
            name: domain.account.allowed(f"sent_{name}")
            for name in ("mailbox", "domain", "account")
        },
    }


def postmaster_of(domain: Domain) -> str:
    """Where postmaster@ and its like lead while the domain has no such address (RFC 5321, 4.5.1).

    A contact inside the domain itself could lead back here, so the operator stands in.
    """
    contact = domain.account.contact_address.lower()
    inside = contact.rpartition("@")[2] == domain.name
    return contact if contact and not inside else settings.OPERATOR_ADDRESS


def address_row(address: Address) -> WireRow:
    row: WireRow = {
        "kind": HostRow.Kind.ADDRESS.value,
        "key": str(address.pk),
        "domain_id": address.domain_id,
        "local_part": address.local_part,
        "type": address.kind,
        "state": address.state,
    }
    if address.kind == Address.Kind.MAILBOX:
        mailbox = address.mailbox
        row |= {
            "storage_id": mailbox.storage_id,
            "quota_mib": mailbox.quota_mib,
            "keep_copy": mailbox.keep_copy,
            "targets": [target.email for target in address.targets.all()],
            "send_as": send_as(address),
            "credentials": [
                {
                    "prefix": credential.public_prefix,
                    "hash": credential.hash,
                    "protocols": sorted(credential.protocols.split(",")),
                    "expires": credential.expires_at and int(credential.expires_at.timestamp()),
                }
                for credential in sorted(
                    mailbox.credentials.all(), key=lambda credential: credential.public_prefix
                )
            ],
        }
    elif address.kind == Address.Kind.ALIAS:
        # A second name is as alive as its mailbox: then nothing accepted for it can bounce later.
        row["state"] = strictest(address.state, address.alias.mailbox.address.state).value
        row["targets"] = [address.alias.mailbox.address.email]
    else:
        row["targets"] = [target.email for target in address.targets.all()]
    return row


def send_as(address: Address) -> list[str]:
    """The addresses that the log-in of this mailbox may send from: its own and its aliases."""
    aliases = (alias.address for alias in address.mailbox.aliases.all())
    return sorted({address.email, *(a.email for a in aliases if not a.is_in_trash)})


def dkim_rows(keys: QuerySet[DkimKey]) -> list[WireRow]:
    keys = keys.select_related("zone")
    domain_of = dict(
        domains().filter(zone__in={key.zone_id for key in keys}).values_list("zone_id", "pk")
    )
    return [dkim_row(key, domain_of[key.zone_id]) for key in keys if key.zone_id in domain_of]


def dkim_row(key: DkimKey, domain_id: int) -> WireRow:
    return {
        "kind": HostRow.Kind.DKIM.value,
        "key": str(key.pk),
        "domain_id": domain_id,
        "domain": key.zone.name,
        "selector": key.selector,
        "algorithm": key.algorithm,
        "private_key": signer_form(crypto.unseal(key.private_key_sealed).decode())
        if key.private_key_sealed
        else "",
        "signing": key.state == DkimKey.State.SIGNING,
    }


def row_digest(row: WireRow) -> str:
    """SHA-256 of the row in canonical JSON, without its change id; the agent computes the same."""
    content = {key: value for key, value in row.items() if key != "change"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def domain_digest(digests: dict[tuple[str, str], str]) -> str:
    """Fold {(kind, key): row digest} of one domain into one digest."""
    lines = "".join(f"{kind}:{key}:{digests[kind, key]}\n" for kind, key in sorted(digests))
    return hashlib.sha256(lines.encode("ascii")).hexdigest()
