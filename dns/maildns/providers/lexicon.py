"""Zones at those whose interfaces dns-lexicon speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from maildns.errors import HalfDone, ProviderError, ProviderRefused
from maildns.providers.base import Edit, PresentRecord, Question
from maildns.providers.lexicon_choices import check_options
from maildns.providers.lexicon_session import Session, opened
from maildns.providers.lexicon_writing import Writer


@dataclass(frozen=True)
class Lexicon:
    """The zone at a provider of `provider_choices`. Raises BadOption.

    Each call logs in and takes `timeout_seconds` at most. Nothing is atomic here: records are
    written one by one, in an order that keeps mail flowing, and each is looked at before the next.
    """

    zone: str
    name: str
    options: Mapping[str, str] = field(repr=False)
    timeout_seconds: float = 60.0

    def __post_init__(self) -> None:
        check_options(self.name, self.options)

    async def records(self, questions: Iterable[Question]) -> tuple[PresentRecord, ...]:
        found: list[PresentRecord] = []
        async with opened(self.name, self.zone, self.options, self.timeout_seconds) as session:
            for question in dict.fromkeys(questions):
                found += await Writer(session, self.zone).read(question)
        return tuple(found)

    async def apply(self, edits: Sequence[Edit]) -> None:
        done = 0
        session: Session | None = None
        try:
            async with opened(self.name, self.zone, self.options, self.timeout_seconds) as session:
                writer = Writer(session, self.zone)
                for edit in edits:
                    await _refuse_changed(writer, edit)
                for edit in edits:
                    await writer.write(edit)
                    done += 1
        except ProviderError as error:
            if session is None or not session.writes:
                raise
            raise HalfDone(done, error) from None


async def _refuse_changed(writer: Writer, edit: Edit) -> None:
    for question in edit.touched:
        held = sorted(each.value for each in await writer.read(question))
        if held != sorted(each.value for each in edit.seen if each.question == question):
            raise ProviderRefused("changed_meanwhile")
