"""Compares what is wanted in the DNS with what every authoritative server shows.

The state of a record is the worst of those of its servers, in the order of RecordState. A server
that cannot be reached makes a record unreachable at best: it never makes it missing.

Questions for a zone of n records: n to each server, and at most n more (see `_second_question`).
"""

from __future__ import annotations

import asyncio
import operator
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from maildns.answers import Answer, Ask, Outcome
from maildns.errors import LookupFailed
from maildns.resolver import Server, shown

# What a report keeps of a hostile answer: at most 20 values of 2 KiB for a record and server.
MAX_SEEN = 20
MAX_SEEN_CHARACTERS = 2048
MAX_NAME = 253
ZONES_AT_ONCE = 20

Question: TypeAlias = tuple[str, str]  # name and type
Asked: TypeAlias = tuple[str, Question]  # by name of the server
_NOT_ASKED: Asked = ("", ("", ""))


class RecordState(StrEnum):
    """What a server shows of a record. The first are the worst.

    `several`: more than is wanted; several TXT of one kind are void (RFC 7208, 4.5; 6376,
    3.6.2.2). `differs`: something else. `missing`: the server says that there is nothing.
    `unreachable`: nobody knows. `ok`: what is wanted, and only that.
    """

    SEVERAL = "several"
    DIFFERS = "differs"
    MISSING = "missing"
    UNREACHABLE = "unreachable"
    OK = "ok"


_WORST_FIRST = list(RecordState)


class Hint(StrEnum):
    """What most likely happened."""

    WILDCARD = "wildcard"  # what is seen is there for every name, so nobody entered it here
    DOUBLED_NAME = "doubled_name"  # entered as x.example.com.example.com
    ALIAS_BESIDE_DATA = "alias_beside_data"  # a CNAME excludes all else: RFC 1034, 3.6.2
    OLD_AT_SOME = "old_at_some"  # right at one server, and not yet at another
    SPLIT_DNS = "split_dns"  # right at none, and not the same at all


class Mode(StrEnum):
    """EXACT: the values, and no others of their kind. AMONG_OTHERS: others do not matter."""

    EXACT = "exact"
    AMONG_OTHERS = "among_others"


def _every(_value: str) -> bool:
    return True


@dataclass(frozen=True)
class Wanted:
    """Records of one name and type that are wanted; no `values` if there shall be none.

    `kind` is the caller's word for them: spf, dkim, mx … `is_of_kind` picks, from the values
    that a server shows, those that count, as a TXT that begins with v=spf1. `same` compares a
    wanted value with a seen one by meaning. A wanted value is written as in `Answer.values`.
    """

    kind: str
    name: str
    type: str
    values: tuple[str, ...]
    mode: Mode = Mode.EXACT
    same: Callable[[str, str], bool] = operator.eq
    is_of_kind: Callable[[str], bool] = _every

    @property
    def question(self) -> Question:
        return self.name, self.type

    def compare(self, seen: Sequence[str]) -> RecordState:
        of_kind = [value for value in seen if self.is_of_kind(value)]
        present = all(any(self.same(each, value) for value in of_kind) for each in self.values)
        if self.mode is Mode.AMONG_OTHERS:
            return RecordState.OK if present else RecordState.MISSING
        if not of_kind and self.values:
            return RecordState.MISSING
        too_many = len(of_kind) > len(self.values)
        if too_many and (present or self.type == "TXT"):
            return RecordState.SEVERAL
        return RecordState.OK if present else RecordState.DIFFERS


@dataclass(frozen=True)
class ServerReport:
    """What one server showed: `seen` is made for people by `shown`, and cut to a bounded size.

    `left_out` values more were seen. `reason` says why a server is unreachable.
    """

    server: str
    state: RecordState
    seen: tuple[str, ...] = ()
    left_out: int = 0
    aliases: tuple[str, ...] = ()
    ttl_seconds: int = 0
    reason: str = ""


@dataclass(frozen=True)
class RecordReport:
    """`ttl_seconds`: for how long others may go on with what the servers show now."""

    kind: str
    name: str
    type: str
    values: tuple[str, ...]
    state: RecordState
    servers: tuple[ServerReport, ...]
    hints: tuple[Hint, ...] = ()
    ttl_seconds: int = 0


@dataclass(frozen=True)
class ZoneReport:
    """`failure` says why no server could be asked; then all records are unreachable.

    no_delegation is the one failure that says something: the domain is not there at all.
    """

    zone: str
    servers: tuple[str, ...]
    records: tuple[RecordReport, ...]
    failure: str = ""

    def to_json(self) -> dict[str, Any]:
        """A dict that the json module takes, and any database: it holds printable ASCII only."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ZoneReport:
        records = tuple(_record_from_json(each) for each in data["records"])
        return cls(data["zone"], tuple(data["servers"]), records, data["failure"])


def _record_from_json(data: Mapping[str, Any]) -> RecordReport:
    return RecordReport(**{
        **data,
        "values": tuple(data["values"]),
        "state": RecordState(data["state"]),
        "servers": tuple(_server_from_json(each) for each in data["servers"]),
        "hints": tuple(Hint(each) for each in data["hints"]),
    })  # fmt: skip


def _server_from_json(data: Mapping[str, Any]) -> ServerReport:
    return ServerReport(**{
        **data,
        "state": RecordState(data["state"]),
        "seen": tuple(data["seen"]),
        "aliases": tuple(data["aliases"]),
    })  # fmt: skip


class Servers(Protocol):
    """What a check needs of `maildns.resolver.Resolver`."""

    async def authoritative_servers(self, zone: str) -> tuple[Server, ...]: ...

    def ask_server(self, server: Server) -> Ask: ...


def all_seen(record: RecordReport) -> bool:
    """Whether every authoritative server answered and showed exactly what is wanted."""
    return bool(record.servers) and all(each.state is RecordState.OK for each in record.servers)


async def check_many(
    zones: Iterable[tuple[str, Sequence[Wanted]]],
    resolver: Servers,
    *,
    at_once: int = ZONES_AT_ONCE,
    deadline_seconds: float = 20.0,
) -> AsyncIterator[ZoneReport]:
    """Check zones as they come, `at_once` at a time; reports come as they are ready.

    Holds no more than that: `zones` may be an iterator over any number.
    """
    running: set[asyncio.Task[ZoneReport]] = set()
    try:
        for zone, wanted in zones:
            checking = check_zone(zone, wanted, resolver, deadline_seconds=deadline_seconds)
            running.add(asyncio.create_task(checking))
            if len(running) >= at_once:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for finished in done:
                    yield finished.result()
        for each in asyncio.as_completed(running):
            yield await each
    finally:
        for left in running:
            left.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def check_zone(
    zone: str, wanted: Sequence[Wanted], resolver: Servers, *, deadline_seconds: float = 20.0
) -> ZoneReport:
    """Ask every authoritative server for all that is wanted in the zone.

    Takes `deadline_seconds` at most; a server that has not answered by then is unreachable.
    """
    until = time.monotonic() + deadline_seconds
    try:
        async with asyncio.timeout(deadline_seconds):
            servers = await resolver.authoritative_servers(zone)
    except LookupFailed as failed:
        return _unasked(zone, wanted, failed.reason)
    except TimeoutError:
        return _unasked(zone, wanted, "timeout")
    asks = {server.name: resolver.ask_server(server) for server in servers}
    questions = list(dict.fromkeys(each.question for each in wanted))
    first = await _ask([(name, each) for each in questions for name in asks], asks, until)
    nobody = f"pk-{secrets.token_hex(8)}"
    more = {each: _second_question(zone, each, first, list(asks), nobody) for each in questions}
    second = await _ask(list(dict.fromkeys(filter(None, more.values()))), asks, until)
    records = [
        _record_report(zone, each, list(asks), first, second.get(more[each.question] or _NOT_ASKED))
        for each in wanted
    ]
    return ZoneReport(zone, tuple(asks), tuple(records))


def _unasked(zone: str, wanted: Sequence[Wanted], reason: str) -> ZoneReport:
    records = tuple(_record(each, RecordState.UNREACHABLE, ()) for each in wanted)
    return ZoneReport(zone, (), records, reason)


def _record(
    wanted: Wanted,
    state: RecordState,
    servers: tuple[ServerReport, ...],
    hints: tuple[Hint, ...] = (),
) -> RecordReport:
    return RecordReport(
        wanted.kind, wanted.name, wanted.type, wanted.values, state, servers, hints,
        max((each.ttl_seconds for each in servers), default=0),
    )  # fmt: skip


async def _ask(
    asked: Sequence[Asked], asks: Mapping[str, Ask], until: float
) -> dict[Asked, Answer]:
    """All at once; who has not answered at the deadline is unreachable."""
    if not asked:
        return {}
    tasks = [asyncio.create_task(asks[server](*question)) for server, question in asked]
    try:
        await asyncio.wait(tasks, timeout=max(0.0, until - time.monotonic()))
        return {
            each: task.result() if task.done() else _late(each[1])
            for each, task in zip(asked, tasks, strict=True)
        }
    finally:
        for task in tasks:
            task.cancel()


def _late(question: Question) -> Answer:
    return Answer(*question, Outcome.UNREACHABLE, reason="timeout")


def _second_question(
    zone: str,
    question: Question,
    first: Mapping[Asked, Answer],
    servers: Sequence[str],
    nobody: str,
) -> Asked | None:
    """One question more, at one server, by what the first answers make one ask.

    Something is there: is it there for `nobody` too (a wildcard)? Nothing is there: was it
    entered with the zone twice? Names under one parent share the question about the wildcard.
    """
    name, rdtype = question
    for server in servers:
        if _is_something(first[server, question]):
            random = f"{nobody}.{name.partition('.')[2]}"
            return None if name == zone else (server, (random, rdtype))
    for server in servers:
        if first[server, question].is_absent and len(f"{name}.{zone}") <= MAX_NAME:
            return server, (f"{name}.{zone}", rdtype)
    return None


def _is_something(answer: Answer) -> bool:
    return answer.outcome is Outcome.FOUND or bool(answer.aliases)


# --- what it means ------------------------------------------------------------------------------


def _record_report(
    zone: str,
    wanted: Wanted,
    servers: Sequence[str],
    first: Mapping[Asked, Answer],
    second: Answer | None,
) -> RecordReport:
    answers = {server: first[server, wanted.question] for server in servers}
    reports = tuple(_server_report(server, wanted, answers[server]) for server in servers)
    state = min((each.state for each in reports), key=_WORST_FIRST.index)
    hints = _hints_of_second(zone, wanted, list(answers.values()), second)
    if Hint.WILDCARD not in hints and any(
        _alias_excludes(zone, report, first, wanted.question) for report in reports
    ):
        hints.append(Hint.ALIAS_BESIDE_DATA)
    hints += _hints_of_servers(reports, list(answers.values()))
    return _record(wanted, state, reports, tuple(hints))


def _server_report(server: str, wanted: Wanted, answer: Answer) -> ServerReport:
    state = RecordState.UNREACHABLE
    if answer.outcome is not Outcome.UNREACHABLE:
        state = wanted.compare(answer.values)
    return ServerReport(
        server,
        state,
        seen=tuple(shown(each)[:MAX_SEEN_CHARACTERS] for each in answer.values[:MAX_SEEN]),
        left_out=max(0, len(answer.values) - MAX_SEEN),
        aliases=tuple(map(shown, answer.aliases)),
        ttl_seconds=answer.ttl_seconds,
        reason=answer.reason,
    )


def _hints_of_second(
    zone: str, wanted: Wanted, answers: Sequence[Answer], second: Answer | None
) -> list[Hint]:
    if second is None or not _is_something(second):
        return []
    if second.name == f"{wanted.name}.{zone}":
        is_ours = wanted.compare(second.values) is not RecordState.MISSING
        return [Hint.DOUBLED_NAME] if is_ours else []
    same = any((each.values, each.aliases) == (second.values, second.aliases) for each in answers)
    return [Hint.WILDCARD] if same else []


def _alias_excludes(
    zone: str, report: ServerReport, first: Mapping[Asked, Answer], question: Question
) -> bool:
    """Whether a CNAME stands where this record must be, or where there is other data.

    A name that is wanted through an alias, as a DKIM key elsewhere, is right; never so the zone
    itself, which has its SOA and NS.
    """
    if not _is_alias(first[report.server, question]):
        return False
    beside = any(
        server == report.server and other[0] == question[0] and _is_data(answer)
        for (server, other), answer in first.items()
    )
    in_the_way = question[1] != "CNAME" and report.state is not RecordState.OK
    return in_the_way or question[0] == zone or beside


def _is_alias(answer: Answer) -> bool:
    return bool(answer.aliases) or (answer.rdtype == "CNAME" and answer.outcome is Outcome.FOUND)


def _is_data(answer: Answer) -> bool:
    return answer.outcome is Outcome.FOUND and not _is_alias(answer)


def _hints_of_servers(reports: Sequence[ServerReport], answers: Sequence[Answer]) -> list[Hint]:
    states = {each.state for each in reports} - {RecordState.UNREACHABLE}
    if RecordState.OK in states:
        return [Hint.OLD_AT_SOME] if len(states) > 1 else []
    shown_there = {each.values for each in answers if each.outcome is not Outcome.UNREACHABLE}
    return [Hint.SPLIT_DNS] if len(shown_there) > 1 else []
