"""A time server on loopback that says what a test wants."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

# What to send for a request, as it is.
Reply = Callable[[bytes], "list[bytes]"]
SINCE_1900 = 2_208_988_800


def packet(
    request: bytes,
    *,
    ahead_seconds: float = 0.0,
    first: int = 0b00_100_100,
    stratum: int = 1,
    originate: bytes | None = None,
    sent: int | None = None,
) -> bytes:
    """RFC 5905, 7.3: the reply of a good server whose clock is ahead by so much."""
    stamp = int((time.time() + ahead_seconds + SINCE_1900) * 2**32) % 2**64
    originate = request[40:48] if originate is None else originate
    head = struct.pack("!BBbbII4s", first, stratum, 6, -20, 0, 0, b"TEST")
    times = struct.pack("!Q8sQQ", stamp, originate, stamp, stamp if sent is None else sent)
    return head + times


@asynccontextmanager
async def time_server(reply: Reply) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.create_datagram_endpoint(
        lambda: _Server(reply), local_addr=("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


class _Server(asyncio.DatagramProtocol):
    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        for wire in self.reply(data):
            self.transport.sendto(wire, addr)
