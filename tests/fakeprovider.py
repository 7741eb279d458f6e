"""A provider that keeps its zone in memory: what maildns.providers are in life."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fakedns import TTL, Data

from maildns.errors import HalfDone, ProviderError, ProviderRefused
from maildns.providers.base import Edit, PresentRecord, Question


@dataclass
class FakeProvider:
    """Behaves as the real ones do, which tests/contract/test_providers.py proves.

    `unreadable` and `unwritable` are raised instead of an answer; writing goes on for
    `writes_first` edits before.
    """

    zone: str
    data: Data
    unreadable: ProviderError | None = None
    unwritable: ProviderError | None = None
    writes_first: int = 0
    asked: list[Question] = field(default_factory=list)

    async def records(self, questions: Iterable[Question]) -> tuple[PresentRecord, ...]:
        if self.unreadable is not None:
            raise self.unreadable
        found: list[PresentRecord] = []
        for question in dict.fromkeys(questions):
            self.asked.append(question)
            found += self._held(question)
        return tuple(found)

    async def apply(self, edits: Sequence[Edit]) -> None:
        for edit in edits:
            for question in edit.touched:
                seen = sorted(each.value for each in edit.seen if each.question == question)
                if seen != sorted(each.value for each in self._held(question)):
                    raise ProviderRefused("changed_meanwhile")
            planned = {(each.name, each.type) for each in edit.seen}
            for new in edit.add:
                came = {(new.name, kind) for kind in self.data.get(new.name, {})} - planned
                if any("CNAME" in (kind, new.type) for _name, kind in came):
                    raise ProviderRefused("changed_meanwhile")
        for number, edit in enumerate(edits):
            if self.unwritable is not None and number == self.writes_first:
                if number:
                    raise HalfDone(number, self.unwritable)
                raise self.unwritable
            self._write(edit)

    def _held(self, question: Question) -> list[PresentRecord]:
        name, kind = question
        values = self.data.get(name, {}).get(kind, [])
        return [PresentRecord(name, kind, value, TTL, value) for value in values]

    def _write(self, edit: Edit) -> None:
        for gone in edit.remove:
            values = self.data.get(gone.name, {}).get(gone.type, [])
            if gone.value in values:
                values.remove(gone.value)
            if not values:
                self.data.get(gone.name, {}).pop(gone.type, None)
        for new in edit.add:
            self.data.setdefault(new.name, {}).setdefault(new.type, []).append(new.value)
