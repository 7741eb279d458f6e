"""What is said to have become of each change, whatever the provider said."""

from __future__ import annotations

import asyncio
import time
from copy import deepcopy

import pytest
from fakedns import Data, FakeResolver
from fakeprovider import FakeProvider

from maildns.check import Wanted
from maildns.errors import ProviderRefused, ProviderUnreachable
from maildns.plan import make_plan, questions_for
from maildns.publish import PublishOutcome, publish

ZONE = "example.com"
THREE = [Wanted("x", f"x{number}.{ZONE}", "TXT", ("there",)) for number in range(3)]


def written(provider: FakeProvider, *servers: Data, seconds: float = 0.3) -> PublishOutcome:
    async def run() -> PublishOutcome:
        present = await FakeProvider(ZONE, provider.data).records(questions_for(THREE))
        plan = make_plan(ZONE, THREE, present, ())
        named = {f"ns{number}": data for number, data in enumerate(servers or [provider.data])}
        resolver = FakeResolver(ZONE, named)
        return await publish(plan, (), provider, resolver, deadline_seconds=seconds)

    return asyncio.run(run())


def states(outcome: PublishOutcome) -> list[tuple[str, str]]:
    return [(str(each.state), each.reason) for each in outcome.results]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ProviderRefused("not_allowed"), "refused"),
        (ProviderUnreachable("timeout"), "failed"),
    ],
)
def test_half_done_is_told_change_by_change_and_finished_later(error, state: str) -> None:
    provider = FakeProvider(ZONE, {}, unwritable=error, writes_first=1)
    outcome = written(provider)
    assert states(outcome) == [("written", ""), (state, error.reason), ("not_tried", "")]
    assert not outcome.is_complete
    provider.unwritable = None
    assert states(written(provider)) == [("written", "")] * 2
    assert states(written(provider)) == []


def test_nothing_done_is_the_same_for_all() -> None:
    provider = FakeProvider(ZONE, {}, unwritable=ProviderUnreachable("timeout"))
    assert states(written(provider)) == [("failed", "timeout")] * 3


def test_provider_that_says_yes_and_does_nothing_is_found_out() -> None:
    class Idle(FakeProvider):
        async def apply(self, edits) -> None: ...

    assert states(written(Idle(ZONE, {}))) == [("failed", "not_as_written")] * 3


def test_unreadable_provider_makes_it_unknown() -> None:
    provider = FakeProvider(ZONE, {}, unreadable=ProviderUnreachable("timeout"))
    assert {state for state, _reason in states(written(provider))} == {"unknown"}


def test_server_that_stays_behind_is_waited_for_until_the_deadline() -> None:
    provider = FakeProvider(ZONE, {})
    begun = time.monotonic()
    outcome = written(provider, provider.data, deepcopy(provider.data), seconds=0.6)
    assert 0.2 < time.monotonic() - begun < 2
    assert states(outcome) == [("unseen", "")] * 3
    assert [[str(each.state) for each in record.servers] for record in outcome.report.records] == [
        ["ok", "missing"]
    ] * 3


def test_server_that_catches_up_is_seen() -> None:
    provider = FakeProvider(ZONE, {})
    behind: Data = {}

    async def catch_up() -> None:
        await asyncio.sleep(0.3)
        behind.update(provider.data)

    async def run() -> PublishOutcome:
        plan = make_plan(ZONE, THREE, (), ())
        resolver = FakeResolver(ZONE, {"ns1": provider.data, "ns2": behind})
        following = asyncio.ensure_future(catch_up())
        outcome = await publish(plan, (), provider, resolver, deadline_seconds=5)
        await following
        return outcome

    assert states(asyncio.run(run())) == [("written", "")] * 3
