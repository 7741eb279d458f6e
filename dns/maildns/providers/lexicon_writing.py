"""Writes records one by one where nothing is atomic, and looks at each before the next.

Providers differ in how they take and show a value, and dns-lexicon evens out only a part of it:
only what is read back counts. What went wrong is mended once, then taken back.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from maildns.errors import BadRecord, ProviderError, ProviderRefused, ProviderUnreachable
from maildns.providers.base import Edit, PresentRecord, Question
from maildns.records import Record, parse_form_value

# Of these a name has one: several TXT of one kind are void, several CNAME are no zone.
_IN_PLACE = frozenset({"TXT", "CNAME"})
_WITH_PRIORITY = frozenset({"MX", "SRV"})
# Some show a write only after a moment.
LOOKS_AFTER_SECONDS = (0.0, 0.5, 2.0)


class Caller(Protocol):
    """What a `Session` is to a `Writer`."""

    async def call(self, verb: str, **facts: Any) -> Any: ...


@dataclass(frozen=True)
class Step:
    """One call: `new` in the place of `old`, or one of them alone."""

    old: PresentRecord | None
    new: Record | None

    @property
    def question(self) -> Question:
        if self.new is not None:
            return self.new.name, self.new.type
        return self.old.question if self.old is not None else ("", "")


def steps_of(edit: Edit) -> list[Step]:
    """In an order in which as little as possible is missing or void in between."""
    types = {record.type for record in edit.add}
    in_the_way = [each for each in edit.remove if types and each.type not in types]
    old = [each for each in edit.remove if each not in in_the_way]
    new = list(edit.add)
    paired = min(len(old), len(new)) if types <= _IN_PLACE else 0
    removed = [Step(each, None) for each in old[paired:]]
    added = [Step(None, each) for each in new[paired:]]
    replaced = [Step(*pair) for pair in zip(old[:paired], new[:paired], strict=True)]
    first = [Step(each, None) for each in in_the_way]
    if types <= _IN_PLACE:
        return [*first, *removed, *replaced, *added]
    return [*first, *added, *removed]  # two MX do no harm, none does


class Writer:
    """Writes within one log-in; remembers what it last saw at each name and type."""

    def __init__(
        self, session: Caller, zone: str, looks_after_seconds: Sequence[float] = LOOKS_AFTER_SECONDS
    ) -> None:
        self._session = session
        self._zone = zone
        self._looks_after_seconds = looks_after_seconds
        self._held: dict[Question, list[PresentRecord]] = {}

    async def read(self, question: Question) -> list[PresentRecord]:
        name, kind = question
        rows = await self._session.call("list_records", rtype=kind, name=name)
        found = [_present(row, self._zone) for row in rows]
        self._held[question] = [each for each in found if each.question == question]
        return self._held[question]

    async def write(self, edit: Edit) -> None:
        for step in steps_of(edit):
            await self._make(step)

    async def _make(self, step: Step) -> None:
        before = list(self._held.get(step.question) or await self.read(step.question))
        wanted = _values(before)
        if step.old is not None:
            if step.old.value not in wanted:
                return  # two edits had the same alias in their way
            wanted -= Counter([step.old.value])
        if step.new is not None:
            wanted[step.new.value] = 1
        failed: ProviderError | None = None
        try:
            await self._call(step)
        except ProviderError as error:
            failed = error
        if await self._shows(step.question, wanted, patient=failed is None):
            return
        try:
            await self._mend(step, before, wanted, unsent=isinstance(failed, ProviderUnreachable))
            if await self._shows(step.question, wanted, patient=failed is None):
                return
        except ProviderError as error:
            failed = failed or error
        with suppress(ProviderError):
            await self._take_back(step, before)
        raise failed or ProviderRefused("not_as_written")

    async def _call(self, step: Step) -> None:
        old = self._now(step.old) if step.old is not None else None
        if step.new is None:
            if old is not None:
                await self._delete(old)
        elif old is None:
            await self._create(step.new)
        else:
            await self._session.call(
                "update_record", identifier=_raw(old)["id"], **_facts(step.new, _spelling(step.new))
            )

    async def _mend(
        self, step: Step, before: list[PresentRecord], wanted: Counter[str], *, unsent: bool
    ) -> None:
        """Bring what is there to what is wanted, with the other spelling if the first was seen."""
        held = self._held[step.question]
        missing = wanted - _values(held)
        for each in held:
            is_ours = step.old is not None and each.value == step.old.value
            if each.value not in wanted and (is_ours or self._is_misspelt(step, each, before)):
                await self._delete(each)
        for each in before:
            if each.value in missing:  # somebody else's record that went with it
                await self._restore(each)
        if step.new is not None and step.new.value in missing:
            await self._create(step.new, other=not unsent)

    async def _take_back(self, step: Step, before: list[PresentRecord]) -> None:
        held = await self.read(step.question)
        for each in held:
            if self._is_misspelt(step, each, before):
                await self._delete(each)
        for each in before:
            if each.value not in _values(held):
                await self._restore(each)

    def _is_misspelt(
        self, step: Step, record: PresentRecord, before: Iterable[PresentRecord]
    ) -> bool:
        """Whether it came with our write, and is not what we wrote."""
        if step.new is None or record.value in _values(before) or record.value == step.new.value:
            return False
        appeared = _values(self._held[step.question]) - _values(before)
        return step.new.value not in appeared and len(appeared) == 1

    async def _shows(self, question: Question, wanted: Counter[str], *, patient: bool) -> bool:
        for seconds in self._looks_after_seconds if patient else (0.0,):
            await asyncio.sleep(seconds)
            if _values(await self.read(question)) == wanted:
                return True
        return False

    def _now(self, record: PresentRecord) -> PresentRecord | None:
        held = self._held[record.question]
        return next((each for each in held if each.value == record.value), None)

    async def _create(self, record: Record, *, other: bool = False) -> None:
        facts = _facts(record, _other_spelling(record) if other else _spelling(record))
        await self._session.call("create_record", **facts)

    async def _restore(self, record: PresentRecord) -> None:
        await self._session.call(
            "create_record", rtype=record.type, name=record.name,
            content=_raw(record)["content"], ttl=record.ttl_seconds,
        )  # fmt: skip

    async def _delete(self, record: PresentRecord) -> None:
        await self._session.call(
            "delete_record", identifier=_raw(record)["id"], rtype=record.type, name=record.name,
            content=_raw(record)["content"],
        )  # fmt: skip


def _values(records: Iterable[PresentRecord]) -> Counter[str]:
    return Counter(each.value for each in records)


# --- how values are spelt -----------------------------------------------------------------------


def _facts(record: Record, content: str) -> dict[str, Any]:
    priority = record.value.partition(" ")[0] if record.type in _WITH_PRIORITY else None
    return {
        "rtype": record.type, "name": record.name, "content": content,
        "ttl": record.ttl_seconds, "priority": priority,
    }  # fmt: skip


def _spelling(record: Record) -> str:
    """As most take it: a TXT without quotes and in one piece, names with their final dot."""
    return record.value if record.type == "TXT" else record.zone_value()


def _other_spelling(record: Record) -> str:
    """As some take it: a TXT as in a zone file, the priority for itself, no final dot."""
    if record.type == "TXT":
        return record.zone_value()
    if record.type in _WITH_PRIORITY:
        return record.zone_value().partition(" ")[2]
    return record.value


def _present(row: Mapping[str, Any], zone: str) -> PresentRecord:
    kind, content = str(row["type"]), str(row["content"])
    raw = json.dumps({"id": row.get("id"), "content": content})
    name = _name(str(row["name"]), zone)
    return PresentRecord(name, kind, _value(kind, content, row), int(row.get("ttl") or 0), raw)


def _raw(record: PresentRecord) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(record.raw)
    return raw


def _name(name: str, zone: str) -> str:
    """Absolute, whichever way the provider shows names."""
    plain = name.lower().removeprefix("@").strip(".")
    if plain in ("", zone):
        return zone
    return plain if plain.endswith(f".{zone}") else f"{plain}.{zone}"


def _value(kind: str, content: str, row: Mapping[str, Any]) -> str:
    """As in `Answer`; what cannot be read stays as it is, and is nobody's but its owner's."""
    if kind == "TXT" and '" "' in content and not content.startswith('"'):
        content = f'"{content}"'  # dns-lexicon takes off the outer quotes of several strings
    if kind == "TXT" and not content.startswith('"'):
        return content.strip().encode().decode("latin-1")
    priority = row.get("priority")
    if kind in _WITH_PRIORITY and priority is not None and not _has_all_parts(kind, content):
        content = f"{priority} {content}"
    try:
        return parse_form_value(kind, content)
    except BadRecord:
        return content


def _has_all_parts(kind: str, content: str) -> bool:
    return len(content.split()) == {"MX": 2, "SRV": 4}[kind]
