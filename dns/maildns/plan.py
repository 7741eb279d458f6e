"""What would be written to make a zone as wanted, and for which part somebody must say yes.

What we wrote ourselves may be changed; all else is foreign and needs a tick for each change.
Values of other kinds at the same names are never part of a plan.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from maildns.check import Mode, Wanted
from maildns.compare import same_value
from maildns.providers.base import Edit, PresentRecord, Question
from maildns.records import Record
from maildns.resolver import shown

# What may stand beside an alias that is wanted, and must go.
_BESIDE_ALIAS = ("A", "AAAA", "MX", "TXT")


class ChangeKind(StrEnum):
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


class Why(StrEnum):
    """MISSING: nothing of the kind is there. OUTDATED: our own, as it no longer should be.
    FOREIGN: somebody else's stands in its place. SEVERAL: what is wanted, and more beside it.
    ALIAS: a CNAME excludes all else at a name, or all else a CNAME (RFC 1034, 3.6.2).
    NOT_WANTED: nothing of the kind shall be there.
    """

    MISSING = "missing"
    OUTDATED = "outdated"
    FOREIGN = "foreign"
    SEVERAL = "several"
    ALIAS = "alias"
    NOT_WANTED = "not_wanted"


@dataclass(frozen=True)
class Change:
    """One line of a plan, which is written as a whole or not at all.

    `of` is the caller's word for it (spf, dkim …), as in `Wanted.kind`.
    """

    of: str
    name: str
    type: str
    why: Why
    needs_tick: bool
    edit: Edit

    @property
    def kind(self) -> ChangeKind:
        if not self.edit.remove:
            return ChangeKind.ADD
        return ChangeKind.CHANGE if self.edit.add else ChangeKind.REMOVE

    @property
    def before(self) -> tuple[PresentRecord, ...]:
        return self.edit.remove

    @property
    def after(self) -> tuple[Record, ...]:
        return self.edit.add

    @property
    def key(self) -> str:
        """What a tick is for: this change, and no other that may be planned later."""
        facts = json.dumps(_edit_to_json(self.edit), sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Plan:
    """`changes` is empty where nothing is to be done."""

    zone: str
    changes: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        """A dict that the json module takes, and any database: it holds printable ASCII only."""
        changes = [
            {
                "of": each.of, "name": each.name, "type": each.type, "why": each.why,
                "needs_tick": each.needs_tick, "edit": _edit_to_json(each.edit),
            }
            for each in self.changes
        ]  # fmt: skip
        return {"zone": self.zone, "changes": changes}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        changes = tuple(
            Change(**{**each, "why": Why(each["why"]), "edit": _edit_from_json(each["edit"])})
            for each in data["changes"]
        )
        return cls(data["zone"], changes)


def questions_for(wanted: Iterable[Wanted]) -> tuple[Question, ...]:
    """What a provider must be asked before `make_plan`."""
    found: dict[Question, None] = {}
    for each in wanted:
        beside = _BESIDE_ALIAS if each.type == "CNAME" else ("CNAME",)
        found |= dict.fromkeys([each.question, *((each.name, kind) for kind in beside)])
    return tuple(found)


def make_plan(
    zone: str,
    wanted: Sequence[Wanted],
    present: Sequence[PresentRecord],
    ours: Collection[Record],
    *,
    ttl_seconds: int = 3600,
) -> Plan:
    """Compare what is wanted with all that is `present` at `questions_for` it.

    `ours` are the records that we wrote before. A `Wanted` without values is for what shall go.
    A new record has `ttl_seconds`, or the TTL of those that it joins (RFC 2181, 5.2). Raises
    BadRecord for a wanted value that is none.
    """
    held: dict[Question, list[PresentRecord]] = {}
    for each in present:
        held.setdefault(each.question, []).append(each)
    own: dict[Question, list[Record]] = {}
    for record in ours:
        own.setdefault((record.name, record.type), []).append(record)
    changes = (_change(each, held, own, ttl_seconds) for each in wanted)
    return Plan(zone, tuple(filter(None, changes)))


def _change(
    wanted: Wanted,
    held: Mapping[Question, Sequence[PresentRecord]],
    own: Mapping[Question, Sequence[Record]],
    ttl_seconds: int,
) -> Change | None:
    here = held.get(wanted.question, ())
    of_kind = [each for each in here if wanted.is_of_kind(each.value)]
    right = _right(wanted, of_kind)
    missing = [value for value in wanted.values if not _is_there(wanted, value, right)]
    extra = [each for each in of_kind if each not in right] if wanted.mode is Mode.EXACT else []
    in_the_way = _in_the_way(wanted, held) if missing else []
    remove = (*in_the_way, *extra)
    if not missing and not remove:
        return None
    stays = len(here) > len(extra)
    ttl = here[0].ttl_seconds if stays else ttl_seconds
    add = tuple(Record(wanted.name, wanted.type, value, ttl) for value in missing)
    foreign = [each for each in remove if not _is_ours(each, own)]
    why = _why(wanted, bool(in_the_way), bool(missing), bool(extra), bool(foreign))
    edit = Edit(remove, add, (*in_the_way, *here))
    return Change(wanted.kind, wanted.name, wanted.type, why, bool(foreign), edit)


def _right(wanted: Wanted, of_kind: Sequence[PresentRecord]) -> list[PresentRecord]:
    """Those that stay: for each wanted value the first that says the same."""
    found = []
    for value in wanted.values:
        same = [each for each in of_kind if each not in found and wanted.same(value, each.value)]
        found += sorted(same, key=lambda each: each.value != value)[:1]
    return found


def _is_there(wanted: Wanted, value: str, right: Sequence[PresentRecord]) -> bool:
    return any(wanted.same(value, each.value) for each in right)


def _in_the_way(
    wanted: Wanted, held: Mapping[Question, Sequence[PresentRecord]]
) -> list[PresentRecord]:
    others = _BESIDE_ALIAS if wanted.type == "CNAME" else ("CNAME",)
    return [each for kind in others for each in held.get((wanted.name, kind), ())]


def _is_ours(record: PresentRecord, own: Mapping[Question, Sequence[Record]]) -> bool:
    return any(same_value(each, record.value) for each in own.get(record.question, ()))


def _why(wanted: Wanted, in_the_way: bool, missing: bool, extra: bool, foreign: bool) -> Why:
    if in_the_way:
        return Why.ALIAS
    if not extra:
        return Why.MISSING
    if not wanted.values:
        return Why.NOT_WANTED
    if not missing:
        return Why.SEVERAL
    return Why.FOREIGN if foreign else Why.OUTDATED


# --- to and from JSON ---------------------------------------------------------------------------


def _edit_to_json(edit: Edit) -> dict[str, Any]:
    data = asdict(edit)
    for each in (*data["remove"], *data["seen"]):
        each["value"] = shown(each["value"])
    return data


def _edit_from_json(data: Mapping[str, Any]) -> Edit:
    return Edit(
        tuple(map(_present_from_json, data["remove"])),
        tuple(Record(**each) for each in data["add"]),
        tuple(map(_present_from_json, data["seen"])),
    )


def _present_from_json(data: Mapping[str, Any]) -> PresentRecord:
    value = re.sub(r"\\(\\|[0-9]{3})", _unescaped, data["value"])
    return PresentRecord(**{**data, "value": value})


def _unescaped(found: re.Match[str]) -> str:
    return "\\" if found[1] == "\\" else chr(int(found[1]))
