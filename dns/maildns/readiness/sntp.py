"""Asks a time server how far our clock is off: a client of RFC 5905 in the form of RFC 4330."""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from maildns.readiness.reasons import reason_of

_PACKET = struct.Struct("!BBbbII4sQ8sQQ")  # RFC 5905, 7.3
_REQUEST = 0b00_100_011  # version 4, mode client
_MODE_SERVER, _UNSYNCHRONIZED = 4, 3
_SINCE_1900 = 2_208_988_800  # RFC 5905, 6: 1970 in seconds of NTP
_ERA_SECONDS = 1 << 32


@dataclass(frozen=True)
class TimeAnswer:
    """`ahead_seconds` is how far our clock is ahead of the server's; None without an answer, and
    then `reason` says why: timeout, refused, no_route, failed, kiss, unsynchronized.
    """

    ahead_seconds: float | None = None
    reason: str = ""


async def ask_time(
    address: str, port: int, clock: Callable[[], datetime], *, timeout_seconds: float
) -> TimeAnswer:
    """Ask one server, at an address. What does not answer our question is passed over."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[TimeAnswer] = loop.create_future()
    try:
        transport, question = await loop.create_datagram_endpoint(
            lambda: _Question(answered, clock), remote_addr=(address, port)
        )
    except OSError as error:
        return TimeAnswer(reason=reason_of(error))
    try:
        async with asyncio.timeout(timeout_seconds):
            question.send(transport)
            return await answered
    except TimeoutError:
        return TimeAnswer(reason="timeout")
    finally:
        transport.close()


class _Question(asyncio.DatagramProtocol):
    """One question. Its time stamp is a random number that the server gives back: who has not
    seen it cannot answer, and nobody learns our clock from it.
    """

    def __init__(self, answered: asyncio.Future[TimeAnswer], clock: Callable[[], datetime]) -> None:
        self.answered = answered
        self.clock = clock
        self.nonce = secrets.token_bytes(8)
        self.sent_at, self.sent_ticks = 0.0, 0.0

    def send(self, transport: asyncio.DatagramTransport) -> None:
        self.sent_at, self.sent_ticks = self.clock().timestamp(), time.monotonic()
        transport.sendto(bytes([_REQUEST]) + bytes(39) + self.nonce)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        answer = self._read(data)
        if answer is not None and not self.answered.done():
            self.answered.set_result(answer)

    def error_received(self, exc: Exception) -> None:
        if not self.answered.done():
            reason = reason_of(exc) if isinstance(exc, OSError) else "failed"
            self.answered.set_result(TimeAnswer(reason=reason))

    def _read(self, data: bytes) -> TimeAnswer | None:
        """RFC 4330, 5: what to make of a reply; None for what is none to our question."""
        if len(data) < _PACKET.size:
            return None
        first, stratum, *_rest, originate, received, sent = _PACKET.unpack_from(data)
        if first & 7 != _MODE_SERVER or originate != self.nonce:
            return None
        if stratum == 0:
            return TimeAnswer(reason="kiss")
        if stratum > 15 or first >> 6 == _UNSYNCHRONIZED or not sent or not received:
            return TimeAnswer(reason="unsynchronized")
        waited = time.monotonic() - self.sent_ticks
        middle = (_unix_seconds(received) + _unix_seconds(sent)) / 2
        return TimeAnswer(self.sent_at + waited / 2 - middle)


def _unix_seconds(stamp: int) -> float:
    """RFC 4330, 3: a stamp whose first bit is 0 is one after February 2036."""
    era = 0 if stamp >> 63 else _ERA_SECONDS
    return era + stamp / _ERA_SECONDS - _SINCE_1900


def utc_now() -> datetime:
    return datetime.now(UTC)
