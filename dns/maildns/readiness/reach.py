"""Judges what can be reached from the machine that this runs on: port 25, and the time."""

from __future__ import annotations

import asyncio
import ipaddress
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from maildns.answers import Answer, Outcome
from maildns.readiness.dial import Banner
from maildns.readiness.look import Look
from maildns.readiness.report import Check, Item, State, item
from maildns.readiness.sntp import TimeAnswer, ask_time

MAX_TARGETS = 16
MAX_TIME_SERVERS = 16


@dataclass(frozen=True)
class _Place:
    """Where something is to be asked; without an address `reason` says why not."""

    name: str
    address: str = ""
    port: int = 0
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name} [{self.address}]:{self.port}" if self.address else self.name


async def _place(look: Look, name: str, port: int, *, six: bool) -> _Place:
    """The first address of a kind that a name has."""
    try:
        is_six = ipaddress.ip_address(name).version == 6
    except ValueError:
        answer = await look.ask(name, "AAAA" if six else "A")
        if answer.outcome is Outcome.UNREACHABLE:
            return _Place(name, reason=answer.reason)
        usable = [each for each in answer.values if look.may_use(each)]
        return _Place(name, usable[0], port) if usable else _Place(name, reason="no_address")
    return _Place(name, name, port) if is_six is six else _Place(name, reason="no_address")


# --- port 25 ------------------------------------------------------------------------------------


async def check_port_25(look: Look) -> list[Item]:
    """Whether mail can leave from each address. One receiver that answers is enough."""
    targets = [*look.settings.port_25_hosts, *await _exchangers(look)]
    if not targets:
        code = "dns_error" if look.settings.port_25_names else "no_targets"
        return [item(Check.PORT_25, "", State.UNKNOWN, code)]
    return [await _port_25(look, each, targets[:MAX_TARGETS]) for each in look.facts.addresses]


async def _exchangers(look: Look) -> list[tuple[str, int]]:
    """The preferred host of each domain (RFC 5321, 5.1)."""
    names = look.settings.port_25_names
    answers = await asyncio.gather(*(look.ask(name, "MX") for name in names))
    return [(_preferred(each), 25) for each in answers if each.values]


def _preferred(answer: Answer) -> str:
    return min((value.split() for value in answer.values), key=lambda each: int(each[0]))[1]


async def _port_25(look: Look, address: str, targets: Sequence[tuple[str, int]]) -> Item:
    six = ":" in address
    places = await asyncio.gather(*(_place(look, *each, six=six) for each in targets))
    known = [each for each in places if each.address]
    if not known:
        seen = [("target", f"{each}: {each.reason}") for each in places]
        return item(Check.PORT_25, address, State.UNKNOWN, "no_targets", *seen)
    seconds = look.settings.connect_seconds
    banners = await asyncio.gather(
        *(look.connect(each.address, each.port, address, seconds) for each in known)
    )
    state, code = _judge_port(banners)
    seen = [
        ("target", f"{place}: {banner.text or banner.reason}")
        for place, banner in zip(known, banners, strict=True)
    ]
    return item(Check.PORT_25, address, state, code, *seen, rfc="5321 2.3.1")


def _judge_port(banners: Sequence[Banner]) -> tuple[State, str]:
    reasons = {each.reason for each in banners}
    if "" in reasons:
        return State.OK, "open"
    if "not_here" in reasons:
        return State.UNKNOWN, "not_here"
    if reasons & {"silent", "no_smtp"}:
        # Something answers for everybody that is no mail server.
        return State.WARNING, "no_banner"
    return State.BAD, "no_route" if reasons == {"no_route"} else "blocked"


# --- the clock ----------------------------------------------------------------------------------


async def check_clock(look: Look) -> list[Item]:
    """Whether the clock is right, by the word of more than half of those who answer."""
    servers = look.settings.time_servers[:MAX_TIME_SERVERS]
    if not servers:
        return [item(Check.CLOCK, "", State.UNKNOWN, "no_servers")]
    places = await asyncio.gather(*(_time_place(look, *each) for each in servers))
    answers = await asyncio.gather(*(_time(look, each) for each in places))
    offsets = [each.ahead_seconds for each in answers if each.ahead_seconds is not None]
    seen = [
        ("server", f"{place}: {_spoken(answer)}")
        for place, answer in zip(places, answers, strict=True)
    ]
    if not offsets:
        return [item(Check.CLOCK, "", State.UNKNOWN, "unreachable", *seen)]
    agreed = _agreed(offsets, look.settings.clock_warning_seconds)
    if agreed is None:
        return [item(Check.CLOCK, "", State.UNKNOWN, "disagree", *seen)]
    ahead = ("ahead_seconds", f"{agreed:.3f}")
    return [item(Check.CLOCK, "", *_judge_clock(look, agreed), ahead, *seen, rfc="4330 5")]


async def _time_place(look: Look, name: str, port: int) -> _Place:
    four = await _place(look, name, port, six=False)
    return four if four.address else await _place(look, name, port, six=True)


async def _time(look: Look, place: _Place) -> TimeAnswer:
    if not place.address:
        return TimeAnswer(reason=place.reason)
    seconds = look.settings.time_seconds
    return await ask_time(place.address, place.port, look.clock, timeout_seconds=seconds)


def _spoken(answer: TimeAnswer) -> str:
    return answer.reason if answer.ahead_seconds is None else f"{answer.ahead_seconds:.3f}"


def _agreed(offsets: Sequence[float], tolerance: float) -> float | None:
    """What more than half say, within a tolerance; a few wrong clocks do not count."""
    groups = [[each for each in offsets if abs(each - one) <= tolerance] for one in offsets]
    largest = max(groups, key=len)
    return statistics.median(largest) if len(largest) * 2 > len(offsets) else None


def _judge_clock(look: Look, ahead: float) -> tuple[State, str]:
    if abs(ahead) > look.settings.clock_bad_seconds:
        return State.BAD, "wrong"
    if abs(ahead) > look.settings.clock_warning_seconds:
        return State.WARNING, "off"
    return State.OK, "right"
