"""Checks whether a mail host is ready: everything at once, within a time.

Ports, certificates and clocks are looked at from the machine that this runs on. Port 25 outward
can only be judged on the mail host itself: elsewhere it reads unknown (not_here).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from maildns.answers import Answer, Ask
from maildns.readiness import addresses, reach, records, tls
from maildns.readiness.dial import Connect, Dial, read_banner, read_certificate
from maildns.readiness.facts import HostFacts, Settings
from maildns.readiness.look import Look
from maildns.readiness.report import Check, Item, ReadinessReport, State, item
from maildns.readiness.sntp import utc_now

_Part = Callable[[Look], Awaitable[list[Item]]]
_PARTS: tuple[tuple[Check, _Part], ...] = (
    (Check.STATIC_ADDRESS, addresses.check_static_address),
    (Check.HOST_NAME, addresses.check_host_name),
    (Check.PTR, addresses.check_ptr_records),
    (Check.BLOCK_LISTS, addresses.check_block_lists),
    (Check.SPF, records.check_spf),
    (Check.DKIM, records.check_dkim),
    (Check.PORT_25, reach.check_port_25),
    (Check.CERTIFICATE, tls.check_certificate),
    (Check.TLSA, tls.check_tlsa),
    (Check.CLOCK, reach.check_clock),
)


async def check_host_readiness(
    facts: HostFacts,
    ask: Ask,
    *,
    settings: Settings,
    now: datetime,
    connect: Connect = read_banner,
    dial: Dial = read_certificate,
    clock: Callable[[], datetime] = utc_now,
) -> ReadinessReport:
    """Look at a mail host from all sides. `ask` is for the world: `Resolver.recursive()`.

    `now` is the time that certificates are judged by, with a time zone. `clock` is the clock that
    is compared with time servers: that of this machine, or one that knows how far another is off.
    Never raises for what the world says. Takes `settings.deadline_seconds` at most; what is not
    finished by then is unknown.
    """
    asked: dict[tuple[str, str], asyncio.Task[Answer]] = {}
    look = Look(facts, settings, _remembered(ask, asked), now, connect, dial, clock)
    try:
        found = await asyncio.gather(*(_within(look, check, part) for check, part in _PARTS))
    finally:
        left = [*asked.values(), *look.dialled.values()]
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    items = tuple(each for part in found for each in part)
    return ReadinessReport(facts.name, now.isoformat(), items)


async def _within(look: Look, check: Check, part: _Part) -> list[Item]:
    try:
        async with asyncio.timeout(look.settings.deadline_seconds):
            return await part(look)
    except TimeoutError:
        return [item(check, "", State.UNKNOWN, "deadline")]


def _remembered(ask: Ask, asked: dict[tuple[str, str], asyncio.Task[Answer]]) -> Ask:
    """Ask each question once: parts of a report must not contradict each other."""

    async def once(name: str, rdtype: str) -> Answer:
        question = name.lower(), rdtype
        if question not in asked:
            asked[question] = asyncio.create_task(_answer(ask, name, rdtype))
        return await asyncio.shield(asked[question])

    return once


async def _answer(ask: Ask, name: str, rdtype: str) -> Answer:
    return await ask(name, rdtype)
