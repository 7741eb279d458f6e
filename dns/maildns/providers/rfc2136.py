"""Dynamic update (RFC 2136) of a primary server, signed with TSIG (RFC 8945)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import ipaddress
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.tsig
import dns.update

from maildns.errors import BadOption, ProviderRefused, ProviderUnreachable
from maildns.providers.base import Edit, PresentRecord, Question
from maildns.records import value_of

# RFC 8945, 6; what it no longer recommends, MD5 and SHA-1, is not offered.
ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
MIN_SECRET_OCTETS = 16

Exchange: TypeAlias = Callable[[dns.message.Message], Awaitable[dns.message.Message]]

_TSIG_REASONS: dict[type[dns.exception.DNSException], str] = {
    dns.tsig.PeerBadKey: "bad_key",
    dns.tsig.PeerBadSignature: "bad_signature",
    dns.tsig.PeerBadTime: "bad_time",
    dns.tsig.BadTime: "bad_time",
}
_REFUSALS = {
    dns.rcode.REFUSED: "not_allowed",
    dns.rcode.NOTAUTH: "no_such_zone",
    dns.rcode.NOTZONE: "outside_zone",
    dns.rcode.NOTIMP: "no_updates",
    # RFC 2136, 2.2: what a prerequisite says is not so.
    dns.rcode.NXRRSET: "changed_meanwhile",
    dns.rcode.YXRRSET: "changed_meanwhile",
    dns.rcode.NXDOMAIN: "changed_meanwhile",
    dns.rcode.YXDOMAIN: "changed_meanwhile",
}


@dataclass(frozen=True)
class TsigKey:
    """A key that the primary server knows; `secret` in base64. Raises BadOption."""

    name: str
    algorithm: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            dns.name.from_text(self.name.encode("ascii").decode())
        except (dns.exception.DNSException, UnicodeError) as error:
            raise BadOption("name", "name") from error
        if not self.name.strip("."):
            raise BadOption("name", "name")
        if self.algorithm not in ALGORITHMS:
            raise BadOption("algorithm", "algorithm")
        try:
            octets = base64.b64decode(self.secret, validate=True)
        except (binascii.Error, ValueError):
            raise BadOption("secret", "base64") from None  # the cause would show the secret
        if len(octets) < MIN_SECRET_OCTETS:
            raise BadOption("secret", "short")

    def key(self) -> dns.tsig.Key:
        return dns.tsig.Key(self.name, self.secret, self.algorithm)


@dataclass(frozen=True)
class Rfc2136:
    """The zone at its primary server. Whether one may be sent to `address` is for the caller.

    Each call is one connection, and takes `timeout_seconds` at most.
    """

    zone: str
    address: str
    key: TsigKey
    port: int = 53
    timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        try:
            ipaddress.ip_address(self.address)
        except ValueError as error:
            raise BadOption("address", "address") from error

    async def records(self, questions: Iterable[Question]) -> tuple[PresentRecord, ...]:
        found: list[PresentRecord] = []
        wild: dict[Question, set[str]] = {}
        nobody = f"pk-{secrets.token_hex(8)}"
        async with self._connected() as exchange:
            for name, kind in dict.fromkeys(questions):
                here = await self._ask(exchange, name, kind)
                parent = name.partition(".")[2]
                if here and name != self.zone and (parent, kind) not in wild:
                    other = await self._ask(exchange, f"{nobody}.{parent}", kind)
                    wild[parent, kind] = {each.raw for each in other}
                # What is there for every name is made up by a wildcard, not entered here.
                if name == self.zone or {each.raw for each in here} != wild.get((parent, kind)):
                    found += here
        return tuple(found)

    async def apply(self, edits: Sequence[Edit]) -> None:
        """All edits are one message, which RFC 2136, 3.7 makes atomic."""
        update = dns.update.UpdateMessage(_to_name(self.zone))
        for name, kind, seen in _prerequisites(edits):
            if seen:
                update.present(name, _rdataset(seen))
            elif kind:
                update.absent(name, kind)
            else:
                update.absent(name)
        for edit in edits:
            for gone in edit.remove:
                update.delete(_to_name(gone.name), _rdata(gone))
        for edit in edits:
            for new in edit.add:
                rdata = dns.rdata.from_wire("IN", new.type, new.wire(), 0, len(new.wire()))
                update.add(_to_name(new.name), new.ttl_seconds, rdata)
        async with self._connected() as exchange:
            await exchange(update)

    async def _ask(self, exchange: Exchange, name: str, kind: str) -> list[PresentRecord]:
        query = dns.message.make_query(_to_name(name), kind, flags=0)
        reply = await exchange(query)
        asked = query.question[0]
        rrset = reply.get_rrset(dns.message.ANSWER, asked.name, asked.rdclass, asked.rdtype)
        if rrset is None:
            return []
        return [
            PresentRecord(name, kind, value_of(each), rrset.ttl, each.to_wire().hex())
            for each in rrset
        ]

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Exchange]:
        """Yields what sends one message and returns the reply, if that is signed and no error."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        backend: Any = dns.asyncbackend.get_backend("asyncio")
        at = (self.address, self.port)
        with _told_apart():
            async with asyncio.timeout(self.timeout_seconds):
                sock = await backend.make_socket(family, socket.SOCK_STREAM, 0, None, at)
                async with sock:
                    yield functools.partial(self._exchange, sock)

    async def _exchange(self, sock: Any, message: dns.message.Message) -> dns.message.Message:
        message.use_tsig(self.key.key())
        await dns.asyncquery.send_tcp(sock, message)
        reply, _at = await dns.asyncquery.receive_tcp(sock, keyring=False)  # type: ignore[arg-type]
        if reply.had_tsig:
            octets, key = reply.wire or b"", message.keyring
            reply = dns.message.from_wire(octets, keyring=key, request_mac=message.mac)
        if not message.is_response(reply):
            raise ProviderUnreachable("malformed")
        _refuse(message, reply)
        return reply


def _refuse(message: dns.message.Message, reply: dns.message.Message) -> None:
    rcode = reply.rcode()
    is_query = not isinstance(message, dns.update.UpdateMessage)
    if rcode == dns.rcode.NOERROR or (is_query and rcode == dns.rcode.NXDOMAIN):
        # RFC 8945, 5.3: the answer to a signed message is signed, or anybody may have sent it. A
        # refusal may well be without, as from a server that does not know the zone, nor its keys.
        if not reply.had_tsig:
            raise ProviderUnreachable("unsigned")
        if is_query and not reply.flags & dns.flags.AA:
            raise ProviderRefused("no_such_zone")
        return
    if is_query and rcode == dns.rcode.REFUSED and not reply.had_tsig:
        # For a zone of its own it would have looked at the key before it says no.
        raise ProviderRefused("no_such_zone", dns.rcode.to_text(rcode))
    if rcode in _REFUSALS:
        raise ProviderRefused(_REFUSALS[rcode], dns.rcode.to_text(rcode))
    raise ProviderUnreachable("server_error", dns.rcode.to_text(rcode))


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except tuple(_TSIG_REASONS) as error:
        raise ProviderRefused(_TSIG_REASONS[type(error)]) from None
    except dns.exception.TooBig as error:
        raise ProviderRefused("too_big") from error
    except (dns.exception.Timeout, TimeoutError) as error:
        raise ProviderUnreachable("timeout") from error
    except (dns.exception.DNSException, EOFError, ValueError) as error:
        raise ProviderUnreachable("malformed") from error
    except OSError as error:
        raise ProviderUnreachable("refused") from error


Prerequisite = tuple[dns.name.Name, str, tuple[PresentRecord, ...]]


def _prerequisites(edits: Sequence[Edit]) -> list[Prerequisite]:
    """What must still stand there, each set once: RFC 2136, 2.4. No type: the name is unused."""
    found: dict[Question, tuple[PresentRecord, ...]] = {}
    for edit in edits:
        for question in edit.touched:
            found[question] = tuple(each for each in edit.seen if each.question == question)
        for record in edit.add:
            # A server passes over data beside a CNAME in silence: RFC 2136, 3.4.2.2.
            there = any(each.name == record.name for each in edit.seen)
            if record.type != "CNAME":
                found.setdefault((record.name, "CNAME"), ())
            elif not there:
                found[record.name, ""] = ()
    return [(_to_name(name), kind, seen) for (name, kind), seen in found.items()]


def _rdataset(records: Sequence[PresentRecord]) -> dns.rdataset.Rdataset:
    return dns.rdataset.from_rdata_list(0, [_rdata(each) for each in records])


def _rdata(record: PresentRecord) -> dns.rdata.Rdata:
    octets = bytes.fromhex(record.raw)
    return dns.rdata.from_wire("IN", record.type, octets, 0, len(octets))


def _to_name(name: str) -> dns.name.Name:
    return dns.name.from_text(name)
