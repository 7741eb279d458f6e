"""The plan by which a domain's mail moves here while its zone, and its web pages, stay.

Pure: it compares what was read (inventory) with what is wanted. Mail must arrive at every
moment, so what only adds comes at once, and what moves people waits for old answers to run out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from maildns.check import Mode, RecordState, Wanted, ZoneReport, all_seen
from maildns.errors import BadRecord, BadTerm, TooManyLookups
from maildns.findings import Finding, Severity
from maildns.hosters import recognise
from maildns.inventory import (
    CLIENT_NAMES,
    MAX_VALUE_CHARACTERS,
    WEB_NAMES,
    Inventory,
    Seen,
)
from maildns.mail_providers import foreign_provider
from maildns.spf.build import merge_spf
from maildns.spf.terms import parse_record, spf_values
from maildns.zone_findings import mx_hosts, zone_findings

LOW_TTL_SECONDS = 300
# RFC 5321, 4.5.4.1: a sender goes on for at least four to five days.
QUEUE_LIFE = timedelta(days=5)

_ADDRESS_TYPES = ("A", "AAAA")


class When(StrEnum):
    EARLY = "early"  # now, while mail still goes to the old place; it harms nobody
    SWITCH = "switch"  # together with the MX records


@dataclass(frozen=True)
class Change:
    """Records of one name and type: `before` stand there, `after` shall; what is in both stays.

    Without `before` it is an addition. `ttl_seconds`: for how long others may know the old state.
    """

    kind: str
    name: str
    type: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    when: When
    ttl_seconds: int = 0


class KeepReason(StrEnum):
    """Why a record must stay as it is."""

    WEB = "web"
    NAME_SERVERS = "name_servers"
    CAA = "caa"
    TEXT = "text"  # proofs for other services, and other text that is no SPF
    WILDCARD = "wildcard"
    OTHER = "other"  # another sender's policy or a record of a kind that is not moved
    OLD_HOST = "old_host"  # the old system's names, until it is drained
    OLD_CLIENTS = "old_clients"  # where mail programs look for the old system, until drained
    OLD_SELECTOR = "old_selector"  # mail that it signed is still on its way, or another sender's


@dataclass(frozen=True)
class Keep:
    """`until` is None for what stays for good."""

    name: str
    type: str
    values: tuple[str, ...]
    reason: KeepReason
    until: datetime | None = None


class StepCode(StrEnum):
    """What to do, in this order."""

    LOWER_TTL = "lower_ttl"
    PREPARE_MAILBOXES = "prepare_mailboxes"
    CHANGE_EARLY = "change_early"
    SWITCH_MX = "switch_mx"
    WATCH = "watch"  # until all servers show the new MX records: mx_seen_everywhere
    RAISE_TTL = "raise_ttl"
    END_OLD_SYSTEM = "end_old_system"  # fetch what is left there; then the old records may go


@dataclass(frozen=True)
class Step:
    """`ttl_seconds` is the TTL to set, 0 where none is meant."""

    code: StepCode
    not_before: datetime
    ttl_seconds: int = 0


@dataclass(frozen=True)
class TakeoverPlan:
    """`provider` and `hoster` are codes, empty if not recognised; an error finding blocks.

    `longest_ttl_seconds` is the longest TTL that the MX records had in any reading so far, and
    `low_since` the first reading with a low one: until the one after the other has passed, old
    answers may be about. `old_system_until` holds if the switch comes at `switch_not_before`.
    """

    domain: str
    made_at: datetime
    provider: str
    hoster: str
    mx_ttl_seconds: int
    longest_ttl_seconds: int
    low_since: datetime | None
    switch_not_before: datetime
    old_system_until: datetime
    steps: tuple[Step, ...]
    changes: tuple[Change, ...]
    keeps: tuple[Keep, ...]
    findings: tuple[Finding, ...]

    @property
    def is_blocked(self) -> bool:
        return any(each.severity is Severity.ERROR for each in self.findings)

    def to_json(self) -> dict[str, Any]:
        """A dict that the json module takes."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TakeoverPlan:
        return cls(**{
            **data,
            **{name: datetime.fromisoformat(data[name]) for name in _TIMES},
            "low_since": _time(data["low_since"]),
            "steps": tuple(_step_from_json(each) for each in data["steps"]),
            "changes": tuple(_change_from_json(each) for each in data["changes"]),
            "keeps": tuple(_keep_from_json(each) for each in data["keeps"]),
            "findings": tuple(_finding_from_json(each) for each in data["findings"]),
        })  # fmt: skip


def drained_at(switched_at: datetime, longest_ttl_seconds: int) -> datetime:
    """From when nobody sends mail to the old place any more."""
    return switched_at + timedelta(seconds=longest_ttl_seconds) + QUEUE_LIFE


def mx_seen_everywhere(report: ZoneReport) -> bool:
    """Whether every authoritative server shows exactly the wanted MX records of the domain."""
    found = [each for each in report.records if (each.name, each.type) == (report.zone, "MX")]
    return bool(found) and all(map(all_seen, found))


def plan_takeover(
    inventory: Inventory,
    wanted: Sequence[Wanted],
    *,
    now: datetime,
    earlier: TakeoverPlan | None = None,
) -> TakeoverPlan:
    """Say what changes, what must stay, what blocks, and when each step may come.

    `earlier` is the last plan for the same domain: a TTL that was long then is still remembered
    by others. What the inventory did not ask for counts as unknown, and blocks.
    """
    planner = _Planner(inventory)
    for each in wanted if not inventory.failure else ():
        planner.plan(each)
    mx = inventory.at(inventory.domain, "MX")
    ttl = mx.ttl_seconds if mx else 0
    longest = max(ttl, earlier.longest_ttl_seconds if earlier else 0)
    low_since = _low_since(ttl, now, earlier)
    switch = _switch_not_before(planner.changes, ttl, longest, low_since, now)
    drained = drained_at(switch, longest)
    return TakeoverPlan(
        inventory.domain,
        now,
        _provider(mx),
        _hoster(inventory),
        ttl,
        longest,
        low_since,
        switch,
        drained,
        tuple(_steps(planner.changes, ttl, longest, now, switch)),
        tuple(planner.changes),
        tuple(_keeps(inventory, planner.changes, wanted, drained)),
        (*zone_findings(inventory, wanted), *planner.findings),
    )


# --- times --------------------------------------------------------------------------------------


def _low_since(ttl: int, now: datetime, earlier: TakeoverPlan | None) -> datetime | None:
    if ttl > LOW_TTL_SECONDS:
        return None
    return (earlier.low_since if earlier else None) or now


def _switch_not_before(
    changes: Sequence[Change], ttl: int, longest: int, low_since: datetime | None, now: datetime
) -> datetime:
    """When nobody remembers the long TTL, nor a time before the early changes."""
    forgotten = (low_since or now) + timedelta(seconds=longest)
    early = [each.ttl_seconds for each in changes if each.when is When.EARLY]
    return max(forgotten, now + timedelta(seconds=max(early, default=0)))


def _steps(
    changes: Sequence[Change], ttl: int, longest: int, now: datetime, switch: datetime
) -> Iterable[Step]:
    if ttl > LOW_TTL_SECONDS:
        yield Step(StepCode.LOWER_TTL, now, LOW_TTL_SECONDS)
    yield Step(StepCode.PREPARE_MAILBOXES, now)
    if any(each.when is When.EARLY for each in changes):
        yield Step(StepCode.CHANGE_EARLY, now)
    if any(each.when is When.SWITCH for each in changes):
        yield Step(StepCode.SWITCH_MX, switch)
        yield Step(StepCode.WATCH, switch)
        if longest > LOW_TTL_SECONDS:
            seconds = timedelta(seconds=longest)
            yield Step(StepCode.RAISE_TTL, switch + seconds, longest)
        yield Step(StepCode.END_OLD_SYSTEM, drained_at(switch, longest))


# --- changes ------------------------------------------------------------------------------------


class _Planner:
    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.changes: list[Change] = []
        self.findings: list[Finding] = []

    def plan(self, wanted: Wanted) -> None:
        seen = self.inventory.at(*wanted.question)
        if seen is None or seen.is_unreachable:
            self._block("unreachable", f"{wanted.name} {wanted.type}", "2308 7")
        elif seen.aliases and seen.is_there:
            if wanted.compare(seen.values) is not RecordState.OK:
                self._block("alias_in_the_way", wanted.name, "1034 3.6.2")
        elif wanted.type == "TXT" and spf_values(wanted.values):
            self._plan_spf(wanted, seen)
        elif seen.is_wildcard or wanted.compare(seen.values) is not RecordState.OK:
            self._plan_other(wanted, seen)

    def _plan_spf(self, wanted: Wanted, seen: Seen) -> None:
        found = spf_values(seen.values) if not seen.is_wildcard else []
        if len(found) > 1:
            self._block("spf_several", wanted.name, "7208 4.5")
            return
        if any(len(each) >= MAX_VALUE_CHARACTERS or "\\" in each for each in found):
            self._block("spf_unreadable", wanted.name, "7208 4.6")
            return
        if not found:
            self._change(wanted, seen, (), wanted.values)
            return
        try:
            merged = _merged(found[0], wanted.values[0])
        except BadTerm as fault:
            self._warn("spf_void", fault.term, fault.rfc)
            merged = wanted.values[0]
        except BadRecord:
            self._block("spf_not_mergeable", wanted.values[0], "7208 4.5")
            return
        except TooManyLookups as error:
            self._block("spf_too_many_lookups", str(error.lookups), "7208 4.6.4")
            return
        if merged != found[0]:
            self._change(wanted, seen, (found[0],), (merged,))

    def _plan_other(self, wanted: Wanted, seen: Seen) -> None:
        is_alone = wanted.mode is Mode.EXACT and not seen.is_wildcard
        before = tuple(each for each in seen.values if is_alone and wanted.is_of_kind(each))
        if wanted.type == "CNAME":
            self._clear_for_alias(wanted)
        self._change(wanted, seen, before, wanted.values)

    def _clear_for_alias(self, wanted: Wanted) -> None:
        """RFC 1034, 3.6.2: an alias stands alone."""
        for rdtype in _ADDRESS_TYPES:
            seen = self.inventory.at(wanted.name, rdtype)
            if seen is not None and seen.is_there and not seen.aliases:
                self.changes.append(
                    Change(
                        wanted.kind,
                        wanted.name,
                        rdtype,
                        seen.values,
                        (),
                        When.SWITCH,
                        seen.ttl_seconds,
                    )
                )

    def _change(
        self, wanted: Wanted, seen: Seen, before: tuple[str, ...], after: tuple[str, ...]
    ) -> None:
        when = When.EARLY if _is_harmless(wanted, before) else When.SWITCH
        self.changes.append(
            Change(wanted.kind, wanted.name, wanted.type, before, after, when, seen.ttl_seconds)
        )

    def _block(self, code: str, where: str, rfc: str) -> None:
        self.findings.append(Finding(code, where, rfc, Severity.ERROR))

    def _warn(self, code: str, where: str, rfc: str) -> None:
        self.findings.append(Finding(code, where, rfc, Severity.WARNING))


def _merged(existing: str, ours: str) -> str:
    """Raises BadTerm if his record is void, BadRecord if ours is not made to be merged."""
    parse_record(existing)
    terms = [each for each in parse_record(ours).mechanisms if each.name == "include"]
    names = [each.target.text for each in terms if each.target is not None]
    if not names:
        raise BadRecord("no_include")
    for name in names:
        existing = merge_spf(existing, name)
    return existing


def _is_harmless(wanted: Wanted, before: tuple[str, ...]) -> bool:
    """Whether it may stand there while mail still goes to the old place.

    TXT records may: proofs, keys and a merged SPF record only add. Not so an MTA-STS record,
    which sends people to our policy, and a DMARC policy in place of another.
    """
    if wanted.type != "TXT" or wanted.name.startswith("_mta-sts."):
        return False
    return not (before and wanted.name.startswith("_dmarc."))


# --- what must stay -----------------------------------------------------------------------------


def _keeps(
    inventory: Inventory, changes: Sequence[Change], wanted: Sequence[Wanted], drained: datetime
) -> Iterable[Keep]:
    ours = {each.question for each in wanted} | {(each.name, each.type) for each in changes}
    for seen in inventory.seen:
        if not seen.is_there:
            continue
        rdtype, values = _as_entered(seen)
        if (seen.name, rdtype) == (inventory.domain, "TXT"):
            values = tuple(each for each in values if not spf_values([each]))
            values = tuple(each for each in values if not _is_ours(inventory, each, wanted))
        elif (seen.name, seen.type) in ours:
            continue
        reason = _reason(inventory, seen)
        is_known = rdtype != seen.type and inventory.at(seen.name, rdtype) is not None
        if reason is None or not values or is_known:
            continue
        until = drained if reason.startswith("old_") else None
        yield Keep(seen.name, rdtype, values, reason, until)


def _as_entered(seen: Seen) -> tuple[str, tuple[str, ...]]:
    """What was found through an alias stands elsewhere: it is the alias that was entered."""
    return ("CNAME", seen.aliases[:1]) if seen.aliases else (seen.type, seen.values)


def _is_ours(inventory: Inventory, value: str, wanted: Sequence[Wanted]) -> bool:
    at_apex = [each for each in wanted if each.question == (inventory.domain, "TXT")]
    return any(each.same(ours, value) for each in at_apex for ours in each.values)


def _reason(inventory: Inventory, seen: Seen) -> KeepReason | None:
    """None for MX records, which move, and for what is no record to enter."""
    label = seen.name.removesuffix(f".{inventory.domain}")
    mx = inventory.at(inventory.domain, "MX")
    if seen.name == inventory.domain:
        return _APEX_REASONS.get(seen.type)
    if label.startswith("*"):
        return KeepReason.WILDCARD
    if "._domainkey" in label:
        return KeepReason.OLD_SELECTOR
    if label in WEB_NAMES:
        return KeepReason.WEB
    if seen.type == "SRV" or label in ("autoconfig", "autodiscover"):
        return KeepReason.OLD_CLIENTS
    is_old = label in CLIENT_NAMES or (mx is not None and seen.name in mx_hosts(mx))
    return KeepReason.OLD_HOST if is_old else KeepReason.OTHER


_APEX_REASONS = {
    "A": KeepReason.WEB,
    "AAAA": KeepReason.WEB,
    "NS": KeepReason.NAME_SERVERS,
    "CAA": KeepReason.CAA,
    "TXT": KeepReason.TEXT,
}


# --- who has it today ---------------------------------------------------------------------------


def _provider(mx: Seen | None) -> str:
    found = foreign_provider(mx_hosts(mx)) if mx else None
    return found.code if found else ""


def _hoster(inventory: Inventory) -> str:
    found = recognise(inventory.servers)
    return found.code if found else ""


# --- storing ------------------------------------------------------------------------------------

_TIMES = ("made_at", "switch_not_before", "old_system_until")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _step_from_json(data: Mapping[str, Any]) -> Step:
    not_before = datetime.fromisoformat(data["not_before"])
    return Step(StepCode(data["code"]), not_before, data["ttl_seconds"])


def _change_from_json(data: Mapping[str, Any]) -> Change:
    before, after = tuple(data["before"]), tuple(data["after"])
    return Change(**{**data, "before": before, "after": after, "when": When(data["when"])})


def _keep_from_json(data: Mapping[str, Any]) -> Keep:
    reason = KeepReason(data["reason"])
    return Keep(data["name"], data["type"], tuple(data["values"]), reason, _time(data["until"]))


def _finding_from_json(data: Mapping[str, Any]) -> Finding:
    return Finding(**{**data, "severity": Severity(data["severity"])})
