"""Name servers that lie, stumble or keep silent, in the loop of the test."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from knot import free_port

# What to send for a question: nothing, or datagrams as they are. The flag says whether by TCP.
Behaviour = Callable[[dns.message.Message, bool], "list[bytes]"]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def liar(behaviour: Behaviour, by_tcp: Serve | None = None) -> AsyncIterator[int]:
    """Serve on loopback, by UDP and TCP; yields the port. `by_tcp` replaces the TCP server."""
    address = "127.0.0.1"
    port = free_port([address])
    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.create_datagram_endpoint(
        lambda: _Udp(behaviour), local_addr=(address, port)
    )
    server = await asyncio.start_server(by_tcp or _tcp(behaviour), address, port)
    try:
        yield port
    finally:
        transport.close()
        server.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        for wire in self.behaviour(dns.message.from_wire(data), False):
            self.transport.sendto(wire, addr)


def _tcp(behaviour: Behaviour):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            octets = await reader.readexactly(length)
            question = dns.message.from_wire(octets, keyring=False)  # signed or not
            for wire in behaviour(question, True):
                writer.write(struct.pack("!H", len(wire)) + wire)
            await writer.drain()
        finally:
            writer.close()

    return serve


def answer(
    question: dns.message.Message,
    *rrsets: dns.rrset.RRset,
    aa: bool = True,
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    authority: tuple[dns.rrset.RRset, ...] = (),
) -> dns.message.Message:
    reply = dns.message.make_response(question)
    if aa:
        reply.flags |= dns.flags.AA
    reply.set_rcode(rcode)
    reply.answer, reply.authority = list(rrsets), list(authority)
    return reply


def txt(name: str, *values: bytes) -> dns.rrset.RRset:
    """A TXT set; a long value becomes strings of 255 octets."""
    return dns.rrset.from_text_list(
        f"{name}.", 300, "IN", "TXT", [_quoted(each) for each in values]
    )


def _quoted(value: bytes) -> str:
    cuts = range(0, max(len(value), 1), 255)
    parts = (value[cut : cut + 255] for cut in cuts)
    return " ".join('"' + "".join(f"\\{octet:03d}" for octet in part) + '"' for part in parts)


def rrset(name: str, kind: str, *values: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(f"{name}.", 300, "IN", kind, *values)


def wire(message: dns.message.Message) -> bytes:
    return message.to_wire(max_size=65_535)
