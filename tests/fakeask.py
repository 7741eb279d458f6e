"""Zones as data, in place of the resolver."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from maildns.answers import Answer, Outcome

MAX_ALIASES = 8


class FakeAsk:
    """Answers from `zones`: values by name and type; a name in `failing` that has no values of
    the type asked for is unreachable. `asked` are the questions so far."""

    def __init__(
        self,
        zones: Mapping[str, Mapping[str, Sequence[str]]],
        failing: Collection[str] = (),
    ) -> None:
        self.zones = {name.lower(): records for name, records in zones.items()}
        self.failing = {name.lower() for name in failing}
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, name: str, rdtype: str) -> Answer:
        self.asked.append((name, rdtype))
        target, aliases = name, []
        while alias := self.zones.get(target, {}).get("CNAME"):
            target = alias[0].lower().removesuffix(".")
            aliases.append(target)
            if len(aliases) > MAX_ALIASES:
                return Answer(name, rdtype, Outcome.UNREACHABLE, reason="alias_loop")
        values = tuple(self.zones.get(target, {}).get(rdtype, ()))
        if values:
            return Answer(name, rdtype, Outcome.FOUND, values, 3600, tuple(aliases))
        if target in self.failing:
            return Answer(name, rdtype, Outcome.UNREACHABLE, reason="timeout")
        outcome = Outcome.NO_DATA if target in self.zones else Outcome.NO_NAME
        return Answer(name, rdtype, outcome, aliases=tuple(aliases))
