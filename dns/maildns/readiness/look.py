"""What each part of a check works with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from maildns.answers import Ask
from maildns.names import is_host_name
from maildns.readiness.blocklists import TESTS_FOUR, Listing, look_up
from maildns.readiness.dial import Connect, Dial, Presented
from maildns.readiness.facts import HostFacts, Settings
from maildns.readiness.report import Item
from maildns.resolver import is_public


@dataclass(frozen=True)
class Look:
    """One look at one host."""

    facts: HostFacts
    settings: Settings
    ask: Ask
    now: datetime
    connect: Connect
    dial: Dial
    clock: Callable[[], datetime]
    dialled: dict[str, asyncio.Task[Presented]] = field(default_factory=dict)

    async def at_each_address(
        self, judge: Callable[[Look, str], Awaitable[list[Item]]]
    ) -> list[Item]:
        """Judge all sending addresses at once."""
        judged = await asyncio.gather(*(judge(self, each) for each in self.facts.addresses))
        return [item for items in judged for item in items]

    def may_use(self, address: str) -> bool:
        return self.settings.private_allowed or is_public(address)

    async def listings(self, address: str) -> list[Listing]:
        """What the lists that cover an address say of it; nothing of one that nobody can see.

        The two that lists have for tests mean nothing, also in a trial.
        """
        if not self.may_use(address) or address in TESTS_FOUR:
            return []
        lists = [each for each in self.settings.block_lists if each.covers(address)]
        return list(await asyncio.gather(*(look_up(address, each, self.ask) for each in lists)))

    async def presented(self, address: str) -> Presented:
        """The certificate shown at an address, dialled once."""
        facts, settings = self.facts, self.settings
        if not is_host_name(facts.name):
            return Presented(reason="no_host_name")
        if not self.may_use(address):
            return Presented(reason="private")
        if address not in self.dialled:
            dialling = self.dial(
                address,
                facts.smtp_port,
                facts.name,
                ca_file=settings.ca_file,
                timeout_seconds=settings.connect_seconds,
            )
            self.dialled[address] = asyncio.ensure_future(dialling)
        return await asyncio.shield(self.dialled[address])
