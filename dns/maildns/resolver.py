"""Asks the live DNS. The only module that does.

An answer counts only if it is for the question that was asked, and for one server only if that
server is authoritative. All else is unreachable with a reason, and never "there is nothing".
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import re
import socket
import time
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from maildns.answers import Answer, Ask, Outcome
from maildns.errors import LookupFailed

# DNS Flag Day 2020: what passes every path without fragments.
UDP_PAYLOAD = 1232
# Aliases and delegations that one question may lead through.
MAX_STEPS = 8
# More NS than any real zone has; each server is asked for each record.
MAX_SERVERS = 16
MAX_ADDRESSES = 4
# Delegations on the way down from the root; ip6.arpa has the deepest.
MAX_CUTS = 20
# Servers whose names lie in zones whose servers' names lie in zones …: there, few must do, or a
# hostile zone would have us ask by the thousand (NXNSAttack, 2020).
MAX_NESTED_SERVERS = 2
# Datagrams that do not answer the question: somebody guesses, or the server is broken.
MAX_STRAYS = 16
KEPT_ENTRIES = 10_000
KEPT_SECONDS = 3600

# a.root-servers.net to d, f and k: https://www.iana.org/domains/root/servers
ROOTS = (
    ("198.41.0.4", 53), ("170.247.170.2", 53), ("192.33.4.12", 53), ("199.7.91.13", 53),
    ("192.5.5.241", 53), ("193.0.14.129", 53),
)  # fmt: skip

_T = TypeVar("_T")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_FINAL_DOT = re.compile(r"(?<=[^ ])\.\Z")
_NOT_SHOWN = re.compile(r"[^ -\[\]-~]")
_NAME_VALUED = frozenset({"CNAME", "MX", "NS", "PTR", "SRV"})
_RCODES = {dns.rcode.SERVFAIL: "servfail", dns.rcode.REFUSED: "refused", dns.rcode.NOTAUTH: "lame"}


@dataclass(frozen=True)
class Settings:
    """How to ask. `recursive` servers, when there are any, spare the walk down from the `roots`.

    A server is given `tries` times `timeout_seconds` for a question, and everything that one call
    needs `deadline_seconds`. `overrides` names the servers of zones that no delegation leads to.
    `private_allowed` is for a trial: else a server in a private network is never asked, so that
    nobody can have us knock at doors inside. It does not concern `recursive`.
    """

    recursive: tuple[tuple[str, int], ...] = ()
    roots: tuple[tuple[str, int], ...] = ROOTS
    port: int = 53
    timeout_seconds: float = 2.0
    tries: int = 2
    deadline_seconds: float = 15.0
    max_octets: int = 65_535
    max_txt: int = 1000
    private_allowed: bool = False
    overrides: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """A name server of `zone`. Without addresses it is named but cannot be asked: `reason`."""

    name: str
    addresses: tuple[str, ...]
    port: int = 53
    zone: str = ""
    reason: str = ""


class _Failed(Exception):
    """No usable reply; says nothing about the name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def shown(text: str) -> str:
    """Text of an answer for people: what is no printable ASCII as in RFC 1035, 5.1 (`\\000`)."""
    return _NOT_SHOWN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return "\\\\" if found[0] == "\\" else f"\\{ord(found[0]):03d}"


class Resolver:
    """Asks servers and finds them; holds nothing open. `questions_sent` counts, with repeats."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.questions_sent = 0
        self._addresses = _Kept[tuple[str, ...]]()
        self._top_levels = _Kept[tuple[Server, ...]]()

    async def authoritative_servers(self, zone: str) -> tuple[Server, ...]:
        """The servers of the zone that `zone` lies in, which may begin further up.

        Raises LookupFailed when they cannot be found.
        """
        try:
            async with asyncio.timeout(self.settings.deadline_seconds):
                servers = await self._servers_of(zone, 0)
        except TimeoutError:
            raise LookupFailed(zone, "timeout") from None
        except _Failed as failed:
            raise LookupFailed(zone, failed.reason) from None
        if not self._overriding(zone) and any("." not in each.zone[:-1] for each in servers):
            # The servers of a top-level domain only say that nothing is delegated.
            raise LookupFailed(zone, "no_delegation")
        return servers

    def ask_server(self, server: Server) -> Ask:
        """Ask one authoritative server; an alias or delegation away from it is followed."""

        async def ask(name: str, rdtype: str) -> Answer:
            return await self._bounded(name, rdtype, self._at(server, name, rdtype, ()))

        return ask

    def recursive(self) -> Ask:
        """Ask the world, as for names that are not ours."""

        async def ask(name: str, rdtype: str) -> Answer:
            return await self._bounded(name, rdtype, self._anywhere(name, rdtype, (), 0))

        return ask

    async def _bounded(self, name: str, rdtype: str, asking: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self.settings.deadline_seconds):
                return replace(await asking, name=name)
        except TimeoutError:
            return _unreachable(name, rdtype, "timeout")
        except _Failed as failed:
            return _unreachable(name, rdtype, failed.reason)

    # --- one question -----------------------------------------------------------------------

    async def _at(
        self, server: Server, name: str, rdtype: str, walked: tuple[str, ...], depth: int = 0
    ) -> Answer:
        """Ask one server, and elsewhere for what it hands on to. Raises _Failed."""
        reply = await self._reply(server, name, rdtype)
        answer, at_end = self._read(reply, name, rdtype, walked)
        if not (answer.aliases or reply.flags & dns.flags.AA):
            below = _delegated(reply, server.zone, name)
            if below is None:
                raise _Failed("lame")
            servers = await self._below(below, reply, server.zone, depth + 1)
            return await self._any_of(servers, name, rdtype, walked, depth + 1)
        if at_end:
            return answer
        target, aliases = answer.aliases[-1], answer.aliases
        rest = await self._anywhere(target, rdtype, (*walked, name, *aliases[:-1]), depth + 1)
        ttl = min(answer.ttl_seconds, rest.ttl_seconds)
        return replace(rest, aliases=(*aliases, *rest.aliases), ttl_seconds=ttl)

    async def _anywhere(
        self, name: str, rdtype: str, walked: tuple[str, ...], depth: int
    ) -> Answer:
        """Ask whoever knows. Raises _Failed with the reason of the last who did not answer."""
        if name in walked:
            raise _Failed("alias_loop")
        servers = self._overriding(name)
        if not servers and self.settings.recursive:
            return await self._recursively(name, rdtype, walked)
        servers = servers or await self._servers_of(name, depth)
        return await self._any_of(servers, name, rdtype, walked, depth)

    async def _any_of(
        self,
        servers: Sequence[Server],
        name: str,
        rdtype: str,
        walked: tuple[str, ...],
        depth: int,
    ) -> Answer:
        if depth > MAX_STEPS:
            raise _Failed("alias_loop")
        failed = _Failed("lame")
        for server in servers:
            try:
                return await self._at(server, name, rdtype, walked, depth)
            except _Failed as error:
                failed = error
        raise failed

    async def _recursively(self, name: str, rdtype: str, walked: tuple[str, ...]) -> Answer:
        failed = _Failed("timeout")
        for address, port in self.settings.recursive:
            try:
                reply = await self._exchange(address, port, name, rdtype, recursion=True)
                answer, at_end = self._read(reply, name, rdtype, walked)
                if at_end or reply.flags & dns.flags.RA:
                    return answer
                failed = _Failed("lame")  # it would have us go on ourselves
            except _Failed as error:
                failed = error
        raise failed

    async def _reply(self, server: Server, name: str, rdtype: str) -> dns.message.Message:
        """What the server says at the first of its addresses that answers. Raises _Failed."""
        if not server.addresses:
            raise _Failed(server.reason or "lame")
        failed = _Failed("private_address")
        for address in server.addresses:
            if self.settings.private_allowed or is_public(address):
                try:
                    return await self._exchange(address, server.port, name, rdtype)
                except _Failed as error:
                    failed = error
        raise failed

    async def _exchange(
        self, address: str, port: int, name: str, rdtype: str, *, recursion: bool = False
    ) -> dns.message.Message:
        """Send a question to an address; return the reply to it, NOERROR or NXDOMAIN."""
        query = dns.message.make_query(
            _to_name(name), rdtype, use_edns=0, payload=UDP_PAYLOAD,
            flags=dns.flags.RD if recursion else 0,
        )  # fmt: skip
        reply = await self._by_udp_repeated(query, address, port)
        if reply.flags & dns.flags.TC:
            reply = await self._by_tcp(query, address, port)
        if len(reply.wire or b"") > self.settings.max_octets:
            raise _Failed("too_big")
        if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise _Failed(_RCODES.get(reply.rcode(), "malformed"))
        return reply

    async def _by_udp_repeated(
        self, query: dns.message.Message, address: str, port: int
    ) -> dns.message.Message:
        failed = _Failed("timeout")
        for _try in range(self.settings.tries):
            try:
                return await self._by_udp(query, address, port)
            except _Failed as error:
                failed = error
        raise failed

    async def _by_udp(
        self, query: dns.message.Message, address: str, port: int
    ) -> dns.message.Message:
        """A socket for each question: its port is a second secret beside the id (RFC 5452, 9.2).

        What does not answer the question is passed over, as anybody can send it; it only
        colours the reason.
        """
        self.questions_sent += 1
        reason = "timeout"
        try:
            async with (
                asyncio.timeout(self.settings.timeout_seconds),
                await _udp_socket(address, port) as sock,
            ):
                await sock.sendto(query.to_wire(), None, None)
                for _stray in range(MAX_STRAYS):
                    reply = await _datagram(sock)
                    if reply is not None and query.is_response(reply):
                        return reply
                    reason = "malformed"
        except TimeoutError:
            pass
        except OSError as error:
            raise _Failed(_reason_of(error)) from error
        raise _Failed(reason)

    async def _by_tcp(
        self, query: dns.message.Message, address: str, port: int
    ) -> dns.message.Message:
        self.questions_sent += 1
        try:
            reply = await dns.asyncquery.tcp(query, address, self.settings.timeout_seconds, port)
        except dns.exception.Timeout as error:
            raise _Failed("timeout") from error
        except (dns.exception.DNSException, EOFError, ValueError) as error:
            raise _Failed("malformed") from error
        except OSError as error:
            raise _Failed(_reason_of(error)) from error
        if reply.flags & dns.flags.TC:
            raise _Failed("malformed")
        return reply

    # --- reading ----------------------------------------------------------------------------

    def _read(
        self, reply: dns.message.Message, name: str, rdtype: str, walked: tuple[str, ...]
    ) -> tuple[Answer, bool]:
        """The answer, and whether it is at its end or must be asked for at its last alias."""
        kind = dns.rdatatype.from_text(rdtype)
        aliases: list[str] = []
        ttls: list[int] = []
        found, at = _rrset(reply, _to_name(name), kind), _to_name(name)
        while found is None and kind != dns.rdatatype.CNAME:
            alias = _rrset(reply, at, dns.rdatatype.CNAME)
            if alias is None:
                break
            at = alias[0].target
            if len(aliases) >= MAX_STEPS or _text(at) in (name, *walked, *aliases):
                raise _Failed("alias_loop")
            aliases.append(_text(at))
            ttls.append(alias.ttl)
            found = _rrset(reply, at, kind)
        if found is not None:
            ttl = min([*ttls, found.ttl])
            values = self._values(found)
            answer = Answer(name, rdtype, Outcome.FOUND, values, ttl, tuple(aliases))
            return answer, True
        outcome = Outcome.NO_NAME if reply.rcode() == dns.rcode.NXDOMAIN else Outcome.NO_DATA
        at_end = not aliases or _speaks_for(reply, at)
        ttl = min([*ttls, _negative_ttl(reply)] if at_end else ttls)
        return Answer(name, rdtype, outcome, (), ttl, tuple(aliases)), at_end

    def _values(self, rrset: dns.rrset.RRset) -> tuple[str, ...]:
        if len(rrset) > self.settings.max_txt:
            raise _Failed("too_big")
        if rrset.rdtype == dns.rdatatype.TXT:
            return tuple(sorted(b"".join(each.strings).decode("latin-1") for each in rrset))
        texts = sorted(each.to_text() for each in rrset)
        if dns.rdatatype.to_text(rrset.rdtype) in _NAME_VALUED:
            # The root stays as it is: the "." of a null MX.
            return tuple(_FINAL_DOT.sub("", text.lower()) for text in texts)
        return tuple(texts)

    # --- finding the servers ----------------------------------------------------------------

    async def _servers_of(self, name: str, depth: int) -> tuple[Server, ...]:
        if depth > MAX_STEPS:
            raise _Failed("lame")
        if found := self._overriding(name):
            return found
        if self.settings.recursive:
            return await self._climb(name, depth)
        return await self._descend(name, depth)

    def _overriding(self, name: str) -> tuple[Server, ...]:
        for zone in _upwards(name):
            if zone in self.settings.overrides:
                hosts = self.settings.overrides[zone]
                return tuple(Server(f"{at}:{port}", (at,), port, zone) for at, port in hosts)
        return ()

    async def _climb(self, name: str, depth: int) -> tuple[Server, ...]:
        """Ask for NS records from the name upwards: the first that has them is the zone."""
        for zone in _upwards(name):
            if "." not in zone:
                break
            answer = await self._recursively(zone, "NS", ())
            if answer.outcome is Outcome.FOUND and not answer.aliases:
                return await self._with_addresses(zone, answer.values, {}, depth)
        raise _Failed("no_delegation")

    async def _descend(self, name: str, depth: int) -> tuple[Server, ...]:
        """Follow the delegations from the root down to the zone that holds the name."""
        cut, servers = self._start(name)
        wanted = name
        for _cut in range(MAX_CUTS):
            reply = await self._first_reply(servers, wanted)
            own = _rrset(reply, _to_name(wanted), dns.rdatatype.NS)
            if own is not None and reply.flags & dns.flags.AA:
                # Both sides count: resolvers use either, and they may differ.
                above = [server.name for server in servers] if cut == wanted else []
                names = dict.fromkeys([*above, *(_text(each.target) for each in own)])
                known = {server.name: server.addresses for server in servers}
                return await self._with_addresses(wanted, names, known, depth)
            below = _delegated(reply, cut, name)
            if below is not None:
                servers = await self._below(below, reply, cut, depth)
                cut = _text(below.name)
                self._remember_top_level(cut, servers)
                continue
            if not reply.flags & dns.flags.AA:
                raise _Failed("lame")
            inner = _zone_that_speaks(reply, cut)
            if inner in (cut, wanted):
                return servers
            wanted = inner  # the same server also holds a zone below: what are its servers?
        raise _Failed("lame")

    def _start(self, name: str) -> tuple[str, tuple[Server, ...]]:
        top = name.rpartition(".")[2]
        if known := self._top_levels.get(top):
            return top, known
        return ".", tuple(Server(at, (at,), port, ".") for at, port in self.settings.roots)

    def _remember_top_level(self, cut: str, servers: tuple[Server, ...]) -> None:
        if "." not in cut:
            self._top_levels.put(cut, servers, KEPT_SECONDS)

    async def _first_reply(self, servers: Sequence[Server], name: str) -> dns.message.Message:
        failed = _Failed("lame")
        for server in servers:
            try:
                return await self._reply(server, name, "NS")
            except _Failed as error:
                failed = error
        raise failed

    async def _below(
        self, delegation: dns.rrset.RRset, reply: dns.message.Message, zone: str, depth: int
    ) -> tuple[Server, ...]:
        names = [_text(each.target) for each in delegation]
        return await self._with_addresses(_text(delegation.name), names, _glue(reply, zone), depth)

    async def _with_addresses(
        self,
        zone: str,
        names: Iterable[str],
        known: Mapping[str, tuple[str, ...]],
        depth: int,
    ) -> tuple[Server, ...]:
        names = sorted(names)
        if len(names) > MAX_SERVERS:
            raise _Failed("too_many_servers")
        if depth:
            names = sorted(names, key=lambda name: name not in known)[:MAX_NESTED_SERVERS]
        return tuple([await self._server(zone, name, known, depth) for name in names])

    async def _server(
        self, zone: str, name: str, known: Mapping[str, tuple[str, ...]], depth: int
    ) -> Server:
        if known.get(name):
            return Server(name, known[name][:MAX_ADDRESSES], self.settings.port, zone)
        try:
            addresses = await self._addresses_of(name, depth)
        except _Failed as failed:
            return Server(name, (), self.settings.port, zone, failed.reason)
        return Server(name, addresses, self.settings.port, zone, "" if addresses else "lame")

    async def _addresses_of(self, name: str, depth: int) -> tuple[str, ...]:
        """IPv4 first: not every host of ours has IPv6."""
        if (known := self._addresses.get(name)) is not None:
            return known
        answers = [await self._address_answer(name, kind, depth) for kind in ("A", "AAAA")]
        addresses = tuple(value for answer in answers for value in answer.values[:MAX_ADDRESSES])
        if not addresses and answers[0].outcome is Outcome.UNREACHABLE:
            raise _Failed(answers[0].reason)
        ttls = [answer.ttl_seconds for answer in answers if answer.values]
        self._addresses.put(name, addresses, min(ttls, default=0))
        return addresses

    async def _address_answer(self, name: str, rdtype: str, depth: int) -> Answer:
        try:
            return await self._anywhere(name, rdtype, (), depth + 1)
        except _Failed as failed:
            return _unreachable(name, rdtype, failed.reason)


class _Kept(Generic[_T]):
    """What was learned, for as long as its TTL says, an hour at most, and the newest only."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, _T | None]] = {}

    def get(self, key: str) -> _T | None:
        until, value = self._kept.get(key, (0.0, None))
        return value if time.monotonic() < until else None

    def put(self, key: str, value: _T, ttl_seconds: int) -> None:
        self._kept.pop(key, None)
        while len(self._kept) >= KEPT_ENTRIES:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (time.monotonic() + min(ttl_seconds, KEPT_SECONDS), value)


def is_public(address: str) -> bool:
    """Whether an address is one of the Internet, also where it wraps an IPv4 address."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def _unreachable(name: str, rdtype: str, reason: str) -> Answer:
    return Answer(name, rdtype, Outcome.UNREACHABLE, reason=reason)


async def _udp_socket(address: str, port: int) -> Any:
    """Connected: the kernel drops what others send, and reports a closed port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    backend: Any = dns.asyncbackend.get_backend("asyncio")
    return await backend.make_socket(family, socket.SOCK_DGRAM, 0, None, (address, port))


async def _datagram(sock: Any) -> dns.message.Message | None:
    """The next message, None if it cannot be read; a truncated one as far as it goes."""
    reply: dns.message.Message
    try:
        reply, _at, _sender = await dns.asyncquery.receive_udp(sock, raise_on_truncation=True)
    except dns.message.Truncated as error:
        reply = error.kwargs["message"]
    except (dns.exception.DNSException, ValueError):
        return None
    return reply


def _reason_of(error: OSError) -> str:
    return "refused" if isinstance(error, ConnectionError) else "timeout"


@functools.lru_cache(1024)  # a name goes to each server, and is compared with what comes back
def _to_name(name: str) -> dns.name.Name:
    try:
        return dns.name.from_text(name.encode("ascii").decode())
    except (dns.exception.DNSException, UnicodeError) as error:
        raise _Failed("malformed") from error


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _upwards(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.partition(".")[2]


def _rrset(
    reply: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    return reply.get_rrset(dns.message.ANSWER, name, dns.rdataclass.IN, kind)


def _authority(
    reply: dns.message.Message, kind: dns.rdatatype.RdataType
) -> Iterator[dns.rrset.RRset]:
    return (each for each in reply.authority if each.rdtype == kind)


def _speaks_for(reply: dns.message.Message, name: dns.name.Name) -> bool:
    """Whether the SOA of a negative answer is that of a zone which holds the name."""
    return any(name.is_subdomain(soa.name) for soa in _authority(reply, dns.rdatatype.SOA))


def _negative_ttl(reply: dns.message.Message) -> int:
    """RFC 2308, 5."""
    return min(
        (min(soa.ttl, soa[0].minimum) for soa in _authority(reply, dns.rdatatype.SOA)), default=0
    )


def _zone_that_speaks(reply: dns.message.Message, cut: str) -> str:
    return next((_text(soa.name) for soa in _authority(reply, dns.rdatatype.SOA)), cut)


def _delegated(reply: dns.message.Message, zone: str, name: str) -> dns.rrset.RRset | None:
    """The NS records by which a server of `zone` hands on the name to a zone below."""
    above, wanted = _to_name(zone), _to_name(name)
    for found in _authority(reply, dns.rdatatype.NS):
        below = found.name.is_subdomain(above) and found.name != above
        if below and wanted.is_subdomain(found.name):
            return found
    return None


def _glue(reply: dns.message.Message, zone: str) -> dict[str, tuple[str, ...]]:
    """Addresses of servers as their parent gives them; only of names it may speak for."""
    glue: dict[str, tuple[str, ...]] = {}
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        for found in reply.additional:
            if found.rdtype == kind and found.name.is_subdomain(_to_name(zone)):
                name = _text(found.name)
                glue[name] = (*glue.get(name, ()), *(each.address for each in found))
    return glue
