"""Writes what a plan says, and believes only what is read back.

First at the provider: that tells what was written, whatever became of the calls. Then at every
authoritative server, which follow the primary by transfer, as long as the deadline allows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from maildns.check import Servers, Wanted, ZoneReport, all_seen, check_zone
from maildns.errors import HalfDone, ProviderError, ProviderRefused
from maildns.plan import Change, Plan
from maildns.providers.base import PresentRecord, Provider, Question

FIRST_LOOK_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 8.0


class ChangeState(StrEnum):
    """What became of a change.

    WRITTEN: the provider holds it, and every server shows it. UNSEEN: not every server does yet.
    REFUSED: the provider said no; it holds what it held. FAILED: the same after a fault on the
    way. HALF: it holds a part of it; a new plan finishes that. NOT_TRIED: it came after the one
    that failed. NOT_TICKED: it needs a tick. UNKNOWN: the provider could not be read again.
    """

    WRITTEN = "written"
    UNSEEN = "unseen"
    REFUSED = "refused"
    FAILED = "failed"
    HALF = "half"
    NOT_TRIED = "not_tried"
    NOT_TICKED = "not_ticked"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ChangeResult:
    """`reason` and `fact` are those of the `ProviderError`, where there was one."""

    change: Change
    state: ChangeState
    reason: str = ""
    fact: str = ""


@dataclass(frozen=True)
class PublishOutcome:
    """`report` is the last look at the servers; None if there was none."""

    zone: str
    results: tuple[ChangeResult, ...]
    report: ZoneReport | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all that was to be written is there for the world to see."""
        done = (ChangeState.WRITTEN, ChangeState.NOT_TICKED)
        return all(each.state in done for each in self.results)


async def publish(
    plan: Plan,
    ticked: Collection[str],
    provider: Provider,
    resolver: Servers,
    *,
    deadline_seconds: float = 60.0,
) -> PublishOutcome:
    """Write the changes that need no tick, and those whose `key` is in `ticked`.

    Waits `deadline_seconds` at most for the servers to show what was written. Raises nothing for
    what providers and servers do; what is not finished, a new plan from what is there finishes.
    """
    chosen = [each for each in plan.changes if not each.needs_tick or each.key in ticked]
    results = {each.key: ChangeResult(each, ChangeState.NOT_TICKED) for each in plan.changes}
    if not chosen:
        return PublishOutcome(plan.zone, tuple(results.values()))
    failed = await _write(provider, chosen)
    held = await _read_back(provider, chosen)
    for number, change in enumerate(chosen):
        results[change.key] = _result(number, change, failed, held)
    written = [each for each in chosen if results[each.key].state is ChangeState.UNSEEN]
    report = None
    if written:
        report = await _watch(plan.zone, written, resolver, deadline_seconds)
        for change, record in zip(written, report.records, strict=True):
            if all_seen(record):
                results[change.key] = ChangeResult(change, ChangeState.WRITTEN)
    return PublishOutcome(plan.zone, tuple(results.values()), report)


async def _write(provider: Provider, chosen: Sequence[Change]) -> ProviderError | None:
    try:
        await provider.apply([each.edit for each in chosen])
    except ProviderError as error:
        return error
    return None


async def _read_back(
    provider: Provider, chosen: Sequence[Change]
) -> dict[Question, list[PresentRecord]] | None:
    questions = [question for each in chosen for question in each.edit.touched]
    found: dict[Question, list[PresentRecord]] = {each: [] for each in questions}
    try:
        for record in await provider.records(questions):
            found[record.question].append(record)
    except ProviderError:
        return None
    return found


def _result(
    number: int,
    change: Change,
    failed: ProviderError | None,
    held: dict[Question, list[PresentRecord]] | None,
) -> ChangeResult:
    state = _state(change, held)
    if state is ChangeState.HALF and isinstance(failed, ProviderRefused):
        state = None  # nothing was written: what is gone, somebody else took
    if state is None:
        tried = not isinstance(failed, HalfDone) or number <= failed.done
        refused = isinstance(_cause(failed), ProviderRefused)
        state = ChangeState.REFUSED if refused else ChangeState.FAILED
        state = state if tried else ChangeState.NOT_TRIED
    if state in (ChangeState.UNSEEN, ChangeState.NOT_TRIED):
        return ChangeResult(change, state)
    failed = failed or ProviderRefused("not_as_written")  # it said yes, and did not do it
    return ChangeResult(change, state, failed.reason, failed.fact)


def _state(change: Change, held: dict[Question, list[PresentRecord]] | None) -> ChangeState | None:
    """What the provider holds of a change; None if nothing of it was done."""
    if held is None:
        return ChangeState.UNKNOWN
    there = {(*question, each.value) for question, found in held.items() for each in found}
    came = [(each.name, each.type, each.value) in there for each in change.after]
    gone = [(*each.question, each.value) not in there for each in change.before]
    if all([*came, *gone]):
        return ChangeState.UNSEEN  # until the servers are seen to show it
    return ChangeState.HALF if any([*came, *gone]) else None


def _cause(failed: ProviderError | None) -> ProviderError | None:
    return failed.cause if isinstance(failed, HalfDone) else failed


async def _watch(
    zone: str, written: Sequence[Change], resolver: Servers, deadline_seconds: float
) -> ZoneReport:
    """Look, with longer and longer pauses, until all servers show all or the time is up."""
    wanted = [_as_wanted(each) for each in written]
    until = time.monotonic() + deadline_seconds
    pause = FIRST_LOOK_SECONDS
    while True:
        left = max(1.0, until - time.monotonic())
        report = await check_zone(zone, wanted, resolver, deadline_seconds=min(20.0, left))
        if all(map(all_seen, report.records)) or time.monotonic() + pause >= until:
            return report
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _as_wanted(change: Change) -> Wanted:
    """Exactly what was written, and nothing of what was taken away."""
    after = tuple(record.value for record in change.after)
    before = [each.value for each in change.before if each.type == change.type]
    return Wanted(
        change.of,
        change.name,
        change.type,
        after,
        is_of_kind=frozenset([*after, *before]).__contains__,
    )
