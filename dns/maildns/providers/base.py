"""What publishing needs of whoever holds a zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from maildns.records import Record

Question: TypeAlias = tuple[str, str]  # name and type


@dataclass(frozen=True)
class PresentRecord:
    """A record that a provider holds; `name` and `value` are written as in `Answer`.

    `raw` is how the provider itself tells it from others, for that provider alone to read.
    """

    name: str
    type: str
    value: str
    ttl_seconds: int
    raw: str

    @property
    def question(self) -> Question:
        return self.name, self.type


@dataclass(frozen=True)
class Edit:
    """Records that come and go together.

    `seen` is all that was there at their names and types when this was planned. Who writes makes
    sure first that it is still so.
    """

    remove: tuple[PresentRecord, ...]
    add: tuple[Record, ...]
    seen: tuple[PresentRecord, ...]

    @property
    def touched(self) -> tuple[Question, ...]:
        """The names and types at which something comes or goes, or was looked at."""
        added = [(record.name, record.type) for record in self.add]
        return tuple(dict.fromkeys([*added, *(each.question for each in self.seen)]))


class Provider(Protocol):
    """Reads and writes one zone. Both raise ProviderRefused and ProviderUnreachable."""

    @property
    def zone(self) -> str: ...

    async def records(self, questions: Iterable[Question]) -> tuple[PresentRecord, ...]:
        """All that stands at these names and types; nothing that only a wildcard makes up."""
        ...

    async def apply(self, edits: Sequence[Edit]) -> None:
        """Write the edits in their order. Raises HalfDone too, if not all or none are written.

        Refuses with changed_meanwhile what was planned on something that is no longer there.
        """
        ...
