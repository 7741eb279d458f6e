"""Proof: the panel says what it expects, the agent shows what is, one row at a time."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import dkim
import structlog
from django.db.models import F
from django.utils import timezone

from mailadmin.models import Address, Domain, HostRow, Mailbox, MailHost
from mailadmin.models.states import State
from mailadmin.push import hostrows, reach, render, wire
from maildns.models import DkimKey

log = structlog.get_logger(__name__)

# Rows per request: a bulk proof must not keep an interactive one waiting for long.
PROOF_BATCH = 50
# A claimed row is proved by one worker; when that one dies another may after this time.
CLAIM = timedelta(seconds=30)
CHECK_ADDRESS = "k7q2-no-such-mailbox"

Expectation = dict[str, Any]


def prove_due(host_id: int) -> None:
    """Prove the host's rows that wait for it, interactive ones first."""
    host = MailHost.objects.get(pk=host_id)
    while rows := _claim(host):
        try:
            results = _ask(host, rows)
        except wire.AgentUnreachable as error:
            wire.forget(host.agent_url)
            _record_failures(rows, error.code)
            return
        except wire.AgentRefused as error:
            _record_failures(rows, error.code)
            return
        for row in rows:
            _record(row, results[row.kind, row.key])
        _welcome(rows)


def _welcome(rows: list[HostRow]) -> None:
    """The first delivery to a new mailbox follows its proof."""
    keys = [int(row.key) for row in rows if row.kind == HostRow.Kind.ADDRESS]
    if Mailbox.objects.exclude(welcome_in="").filter(pk__in=keys).exists():
        hostrows.wake("panel.tasks.send_welcomes")


def _claim(host: MailHost) -> list[HostRow]:
    """Take rows that are due, so that no other worker proves them at the same time."""
    now = timezone.now()
    due = HostRow.objects.filter(
        host=host, next_proof_at__lte=now, applied_generation=F("generation")
    ).order_by("bulk", "generation")[:PROOF_BATCH]
    return [
        row
        for row in due
        if HostRow.objects.filter(
            pk=row.pk, generation=row.generation, next_proof_at=row.next_proof_at
        ).update(next_proof_at=now + CLAIM)
    ]


def _ask(host: MailHost, rows: list[HostRow]) -> dict[tuple[str, str], dict[str, Any]]:
    expected = expectations(rows)
    asked = [
        {"kind": kind, "key": key, "expect": expect}
        for (kind, key), expect in expected.items()
        if expect
    ]
    # What has nothing to show, such as the removal of a key, is proved by having been applied.
    results: dict[tuple[str, str], dict[str, Any]] = {
        place: {"ok": True, "facts": {}} for place, expect in expected.items() if not expect
    }
    if asked:
        try:
            with wire.connected(host.agent_url) as connection:
                answer = connection.call("prove", rows=asked)
        except wire.AgentUnreachable:
            wire.forget(host.agent_url)
            with wire.connected(host.agent_url, fresh=True) as connection:
                answer = connection.call("prove", rows=asked)
        for result in answer["results"]:
            results[result["kind"], result["key"]] = judge(
                result, expected[result["kind"], result["key"]]
            )
    return results


def expectations(rows: Iterable[HostRow]) -> dict[tuple[str, str], Expectation]:
    """What a host must show for each row, from the objects as they are now."""
    rows = list(rows)
    keys: dict[str, list[int]] = {kind: [] for kind in HostRow.Kind.values}
    for row in rows:
        if row.kind != HostRow.Kind.PURGE and not row.removed:
            keys[row.kind].append(int(row.key))
    expected: dict[tuple[str, str], Expectation] = {(row.kind, row.key): {} for row in rows}
    for domain in render.domains().filter(pk__in=keys[HostRow.Kind.DOMAIN]):
        expected[HostRow.Kind.DOMAIN, str(domain.pk)] = of_domain(domain)
    addresses = render.addresses().select_related("domain__account__parent__parent")
    for address in addresses.filter(pk__in=keys[HostRow.Kind.ADDRESS]):
        expected[HostRow.Kind.ADDRESS, str(address.pk)] = of_address(address)
    for key in DkimKey.objects.filter(pk__in=keys[HostRow.Kind.DKIM]).select_related("zone"):
        expected[HostRow.Kind.DKIM, str(key.pk)] = of_key(key)
    return expected


def of_domain(domain: Domain) -> Expectation:
    """A name that nobody has: refused, unless a catch-all takes it; foreign while it is moved."""
    return {
        "name": domain.name,
        "local_part": f"{CHECK_ADDRESS}-{random.getrandbits(40):x}",
        "rcpt": reach.reply_to_unknown(domain),
    }


def of_address(address: Address) -> Expectation:
    domain = address.domain
    expect: Expectation = {"address": address.email, "rcpt": reach.reply_to(address)}
    if address.kind == Address.Kind.MAILBOX:
        expect["storage_id"] = address.mailbox.storage_id
        expect["login"] = (
            address.state == State.ACTIVE and render.effective_state(domain) == State.ACTIVE
        )
    return expect


def of_key(key: DkimKey) -> Expectation:
    if key.state != DkimKey.State.SIGNING:
        return {}
    return {
        "domain": key.zone.name,
        "selector": key.selector,
        "signing": True,
        "public_record": key.public_record,
    }


def judge(result: dict[str, Any], expect: Expectation) -> dict[str, Any]:
    """Turn what the host showed into a verdict; signatures are verified here, not there."""
    facts = result.get("facts") or {}
    if not result["ok"]:
        is_full = str(facts.get("reply", "")).startswith("452")
        if result["code"] == "rcpt_refused" and is_full and expect.get("rcpt") == reach.TAKEN:
            # A full mailbox takes no mail and is still served as it should be.
            return {"ok": True, "facts": {"full": True}}
        return result
    if "public_record" in expect:
        return _judge_signature(facts, expect)
    return result


def _judge_signature(facts: dict[str, Any], expect: Expectation) -> dict[str, Any]:
    """Verify the probe's signature against the public key that the panel holds (RFC 6376, 6)."""
    message = f"DKIM-Signature: {facts['dkim_signature']}\r\n{facts['message']}".encode()
    name = f"{expect['selector']}._domainkey.{expect['domain']}."

    def answer(asked: bytes, timeout: int = 5) -> bytes | None:
        return expect["public_record"].encode() if asked.decode() == name else None

    if dkim.verify(message, dnsfunc=answer):
        return {"ok": True, "facts": {}}
    return {"ok": False, "code": "signature_invalid", "facts": {"selector": expect["selector"]}}


def _record(row: HostRow, result: dict[str, Any]) -> None:
    if not result["ok"]:
        _record_failures([row], result["code"], result.get("facts") or {})
        return
    now = timezone.now()
    HostRow.objects.filter(pk=row.pk, generation=row.generation).update(
        proved_generation=row.generation,
        proved_at=now,
        took_ms=max(0, round((now - row.touched_at).total_seconds() * 1000)),
        fault_code="",
        fault_facts=result.get("facts") or {},
        attempts=0,
        next_proof_at=None,
    )
    log.info("proved", kind=row.kind, key=row.key, generation=row.generation, change=row.change_id)


def _record_failures(rows: list[HostRow], code: str, facts: dict[str, Any] | None = None) -> None:
    soonest = 60.0
    for row in rows:
        attempts = row.attempts + 1
        # A service that restarts is back within a second or two; later tries take their time.
        delay = min(60.0, 0.5 * 2 ** min(attempts, 8))
        HostRow.objects.filter(pk=row.pk, generation=row.generation).update(
            fault_code=code,
            fault_facts=facts or {},
            attempts=attempts,
            next_proof_at=timezone.now() + timedelta(seconds=delay),
        )
        soonest = min(soonest, delay)
        log.warning("proof_failed", kind=row.kind, key=row.key, code=code, change=row.change_id)
    if rows and soonest < 15:  # the sweep finds the later ones
        hostrows.ring(rows[0].host_id, delay_seconds=soonest + 0.1)
