"""A time server of our own: right, wrong, broken, lying and silent (RFC 4330, RFC 5905)."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta

import pytest
from timeserver import SINCE_1900, Reply, packet, time_server

from maildns.readiness.sntp import TimeAnswer, ask_time, utc_now


def asked(reply: Reply, ahead_seconds: float = 0.0) -> TimeAnswer:
    """What comes of asking a server by a clock that is ahead by so much."""

    def clock() -> datetime:
        return utc_now() + timedelta(seconds=ahead_seconds)

    async def run() -> TimeAnswer:
        async with time_server(reply) as port:
            return await ask_time("127.0.0.1", port, clock, timeout_seconds=0.4)

    return asyncio.run(run())


@pytest.mark.parametrize("ahead_seconds", [0.0, 3600.0, -3600.0, 86_400.0 * 400, -0.5])
def test_our_clock_is_compared(ahead_seconds: float) -> None:
    found = asked(lambda request: [packet(request)], ahead_seconds)
    assert found.ahead_seconds == pytest.approx(ahead_seconds, abs=0.2)


def test_time_after_2036_is_read() -> None:
    then = datetime(2040, 1, 1, tzinfo=UTC)
    stamp = (int(then.timestamp() + SINCE_1900) * 2**32 % 2**64).to_bytes(8, "big")
    found = asked(lambda request: [packet(request)[:32] + stamp + stamp])
    assert found.ahead_seconds == pytest.approx((utc_now() - then).total_seconds(), abs=1)


def test_question_does_not_tell_our_time_and_is_never_the_same() -> None:
    seen: list[bytes] = []
    for _each in range(2):
        asked(lambda request: [seen.append(request) or packet(request)])
    assert all(len(each) == 48 and each[:40] == b"\x23" + bytes(39) for each in seen)
    assert seen[0] != seen[1]


@pytest.mark.parametrize(
    "reply",
    [
        lambda request: [],
        lambda request: [b""],
        lambda request: [packet(request)[:47]],
        lambda request: [bytes(48), b"\xff" * 2000],
        lambda request: [packet(request, originate=bytes(8))],
        lambda request: [packet(request, first=0b00_100_011)],  # a client
        lambda request: [packet(request, first=0b00_100_101)],  # a broadcast
        lambda request: [request],
    ],
)
def test_what_answers_no_question_of_ours_is_silence(reply: Reply) -> None:
    assert asked(reply) == TimeAnswer(reason="timeout")


def test_forged_replies_do_not_hide_the_real_one() -> None:
    found = asked(
        lambda request: [
            packet(request, ahead_seconds=9000, originate=b"guessed!"),
            b"garbage",
            packet(request),
        ]
    )
    assert found.ahead_seconds == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"stratum": 0}, "kiss"),
        ({"stratum": 16}, "unsynchronized"),
        ({"first": 0b11_100_100}, "unsynchronized"),
        ({"sent": 0}, "unsynchronized"),
    ],
)
def test_server_that_does_not_know_the_time_is_not_believed(
    options: dict[str, int], reason: str
) -> None:
    assert asked(lambda request: [packet(request, **options)]) == TimeAnswer(reason=reason)


def test_closed_port_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    found = asyncio.run(ask_time("127.0.0.1", port, utc_now, timeout_seconds=0.4))
    assert found == TimeAnswer(reason="refused")
