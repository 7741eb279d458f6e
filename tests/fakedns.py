"""Zones as data, and a set of servers that fail: what `maildns.resolver` is in life."""

from __future__ import annotations

from dataclasses import dataclass, field

from maildns.answers import Answer, Ask, Outcome
from maildns.errors import LookupFailed
from maildns.resolver import Server

TTL = 300
NEGATIVE_TTL = 60

# Values by name and type, as in Answer.values; a name may begin with "*.".
Data = dict[str, dict[str, list[str]]]


@dataclass
class FakeResolver:
    """`servers` of a zone each with data of their own; `failing` maps a server to its reason.

    Behaves as the real one does, which tests/live/test_dns_check.py proves.
    """

    zone: str
    servers: dict[str, Data]
    failing: dict[str, str] = field(default_factory=dict)
    lookup_fails: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def authoritative_servers(self, zone: str) -> tuple[Server, ...]:
        if self.lookup_fails:
            raise LookupFailed(zone, self.lookup_fails)
        return tuple(Server(name, ("192.0.2.1",), 53, self.zone) for name in self.servers)

    def ask_server(self, server: Server) -> Ask:
        async def ask(name: str, rdtype: str) -> Answer:
            self.asked.append((server.name, name, rdtype))
            if server.name in self.failing:
                reason = self.failing[server.name]
                return Answer(name, rdtype, Outcome.UNREACHABLE, reason=reason)
            return _answer(self.servers[server.name], name, rdtype)

        return ask

    def recursive(self) -> Ask:
        return self.ask_server(Server(next(iter(self.servers)), ("192.0.2.1",), 53, self.zone))


def _answer(data: Data, name: str, rdtype: str) -> Answer:
    aliases: list[str] = []
    at = name
    while (found := _at(data, at)) and "CNAME" in found and rdtype != "CNAME":
        at = found["CNAME"][0]
        if at in (name, *aliases):
            return Answer(name, rdtype, Outcome.UNREACHABLE, reason="alias_loop")
        aliases.append(at)
    if found and rdtype in found:
        values = tuple(sorted(found[rdtype]))
        return Answer(name, rdtype, Outcome.FOUND, values, TTL, tuple(aliases))
    outcome = Outcome.NO_NAME if found is None else Outcome.NO_DATA
    return Answer(name, rdtype, outcome, (), NEGATIVE_TTL, tuple(aliases))


def _at(data: Data, name: str) -> dict[str, list[str]] | None:
    """What is at a name, by itself or by a wildcard (RFC 4592); None if it does not exist."""
    if name in data:
        return data[name]
    if _exists(data, name):
        return {}
    parent = name.partition(".")[2]
    while parent and not _exists(data, parent):
        parent = parent.partition(".")[2]
    return data.get(f"*.{parent}")


def _exists(data: Data, name: str) -> bool:
    return any(other == name or other.endswith(f".{name}") for other in data)
