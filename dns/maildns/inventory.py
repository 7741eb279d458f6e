"""What stands in a zone that lives elsewhere today, as far as one can ask without its list.

A server does not list a zone, so names are asked for that mail and the web commonly use: some 75
questions, all at one server that answers; the next one is asked for what it left open.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from maildns.answers import Answer, Ask, Outcome
from maildns.check import Question, Servers
from maildns.errors import LookupFailed
from maildns.mail_providers import SELECTORS
from maildns.resolver import shown
from maildns.spf.terms import spf_values
from maildns.srv import Service

AT_ONCE = 20
MAX_MAIL_HOSTS = 5
# What is kept of a hostile answer: a value's beginning, and so much of all values together.
MAX_VALUE_CHARACTERS = 4096
MAX_CHARACTERS = 32_768

_APEX_TYPES = ("A", "AAAA", "NS", "MX", "TXT", "CAA", "DNSKEY")
_HOST_TYPES = ("CNAME", "A", "AAAA")
WEB_NAMES = ("www",)
CLIENT_NAMES = ("mail", "webmail", "imap", "smtp", "pop", "pop3", "autoconfig", "autodiscover")
_TEXT_NAMES = ("_dmarc", "_mta-sts", "_smtp._tls")


@dataclass(frozen=True)
class Seen:
    """What a server said to one question; `values` and `aliases` are made for people by `shown`.

    `is_wildcard`: nobody entered it here, it is there for every name; a name that begins with
    `*.` is such a wildcard itself. `left_out` values more were seen. SPF records come first.
    """

    name: str
    type: str
    outcome: Outcome
    values: tuple[str, ...] = ()
    ttl_seconds: int = 0
    aliases: tuple[str, ...] = ()
    reason: str = ""
    is_wildcard: bool = False
    left_out: int = 0

    @property
    def is_there(self) -> bool:
        """Whether somebody entered something under this very name."""
        return not self.is_wildcard and (self.outcome is Outcome.FOUND or bool(self.aliases))

    @property
    def is_unreachable(self) -> bool:
        return self.outcome is Outcome.UNREACHABLE


@dataclass(frozen=True)
class Inventory:
    """`asked` are the servers that answered. `failure` says why there is nothing at all.

    no_delegation is the one failure that says something: the domain is not there.
    """

    domain: str
    servers: tuple[str, ...]
    asked: tuple[str, ...]
    seen: tuple[Seen, ...]
    failure: str = ""

    def at(self, name: str, rdtype: str) -> Seen | None:
        """What was seen there; None if it was not asked for."""
        found = (each for each in self.seen if (each.name, each.type) == (name, rdtype))
        return next(found, None)

    def to_json(self) -> dict[str, Any]:
        """A dict that the json module takes, and any database: it holds printable ASCII only."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Inventory:
        seen = tuple(_seen_from_json(each) for each in data["seen"])
        names = tuple(data["servers"]), tuple(data["asked"])
        return cls(data["domain"], *names, seen, data["failure"])


def _seen_from_json(data: Mapping[str, Any]) -> Seen:
    return Seen(**{
        **data,
        "outcome": Outcome(data["outcome"]),
        "values": tuple(data["values"]),
        "aliases": tuple(data["aliases"]),
    })  # fmt: skip


def selector_name(domain: str, selector: str) -> str:
    return f"{selector}._domainkey.{domain}"


async def read_zone(
    domain: str,
    resolver: Servers,
    *,
    also: Iterable[Question] = (),
    deadline_seconds: float = 30.0,
) -> Inventory:
    """Read what can be found of a zone; `also` are names and types of which more is wanted.

    Takes `deadline_seconds` at most; what has not been answered by then is unreachable. Never
    raises for what the world says.
    """
    until = asyncio.get_running_loop().time() + deadline_seconds
    try:
        async with asyncio.timeout_at(until):
            servers = await resolver.authoritative_servers(domain)
    except LookupFailed as failed:
        return Inventory(domain, (), (), (), failed.reason)
    except TimeoutError:
        return Inventory(domain, (), (), (), "timeout")
    reader = _Reader(domain, [(each.name, resolver.ask_server(each)) for each in servers], until)
    questions = [*_questions(domain), *also]
    answers = await reader.ask(list(dict.fromkeys(questions)))
    answers |= await reader.ask(_mail_hosts(domain, answers))
    wildcards = await reader.ask(reader.wildcard_questions(answers.values()))
    names = tuple(each.name for each in servers)
    return Inventory(domain, names, tuple(reader.answered), _seen(domain, answers, wildcards))


def _questions(domain: str) -> list[Question]:
    hosts = (*WEB_NAMES, *CLIENT_NAMES, "mta-sts")
    return [
        *((domain, rdtype) for rdtype in _APEX_TYPES),
        *((f"{host}.{domain}", rdtype) for host in hosts for rdtype in _HOST_TYPES),
        *((f"{name}.{domain}", "TXT") for name in _TEXT_NAMES),
        *((f"_{service}._tcp.{domain}", "SRV") for service in Service),
        *((selector_name(domain, each.name), "TXT") for each in SELECTORS),
    ]


def _mail_hosts(domain: str, answers: Mapping[Question, Answer]) -> list[Question]:
    """Hosts of MX records that are in the zone themselves."""
    hosts = [value.rpartition(" ")[2] for value in answers[domain, "MX"].values]
    inside = [host for host in hosts if host.endswith(f".{domain}")][:MAX_MAIL_HOSTS]
    asked = ((host, rdtype) for host in inside for rdtype in _HOST_TYPES)
    return [each for each in dict.fromkeys(asked) if each not in answers]


class _Reader:
    """Asks the servers in turn; `answered` are those that were of use."""

    def __init__(self, domain: str, asks: Sequence[tuple[str, Ask]], until: float) -> None:
        self.domain = domain
        self.asks = list(asks)
        self.until = until
        self.answered: dict[str, None] = {}
        self.nobody = f"pk-{secrets.token_hex(8)}"

    async def ask(self, questions: Sequence[Question]) -> dict[Question, Answer]:
        answers = {each: _late(each) for each in questions}
        for server, ask in self.asks:
            left = [each for each, answer in answers.items() if _is_open(answer)]
            # One question first: a dead server would cost its patience for each of 75.
            if not left or _is_open((await self._all(ask, [(self.domain, "SOA")]))[0]):
                continue
            self.answered[server] = None
            answers |= zip(left, await self._all(ask, left), strict=True)
        return answers

    async def _all(self, ask: Ask, questions: Sequence[Question]) -> list[Answer]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(question: Question) -> Answer:
            try:
                async with asyncio.timeout_at(self.until), gate:
                    return await ask(*question)
            except TimeoutError:
                return _late(question)

        return await asyncio.gather(*map(one, questions))

    def wildcard_questions(self, answers: Iterable[Answer]) -> list[Question]:
        """Ask for a name that nobody entered, beside each that was found: RFC 4592."""
        beside = [
            (f"{self.nobody}.{parent}", answer.rdtype)
            for answer in answers
            if answer.name != self.domain and _is_something(answer)
            for parent in (answer.name.partition(".")[2], self.domain)
        ]
        return list(dict.fromkeys([(f"{self.nobody}.{self.domain}", "MX"), *beside]))


def _late(question: Question) -> Answer:
    return Answer(*question, Outcome.UNREACHABLE, reason="timeout")


def _is_open(answer: Answer) -> bool:
    return answer.outcome is Outcome.UNREACHABLE


def _is_something(answer: Answer) -> bool:
    return answer.outcome is Outcome.FOUND or bool(answer.aliases)


def _seen(
    domain: str, answers: Mapping[Question, Answer], wildcards: Mapping[Question, Answer]
) -> tuple[Seen, ...]:
    at_parent = {
        (name.partition(".")[2], rdtype): answer
        for (name, rdtype), answer in wildcards.items()
        if _is_something(answer)
    }
    own = [
        _one_seen(answer, name, _is_same(answer, at_parent.get((name.partition(".")[2], rdtype))))
        for (name, rdtype), answer in answers.items()
    ]
    stars = [
        _one_seen(answer, f"*.{parent}", False)
        for (parent, rdtype), answer in at_parent.items()
        # One wildcard answers for names further down too.
        if parent == domain or not _is_same(answer, at_parent.get((domain, rdtype)))
    ]
    return (*own, *stars)


def _is_same(answer: Answer, wildcard: Answer | None) -> bool:
    if wildcard is None or not _is_something(answer):
        return False
    return (answer.values, answer.aliases) == (wildcard.values, wildcard.aliases)


def _one_seen(answer: Answer, name: str, is_wildcard: bool) -> Seen:
    values = _kept(answer.values)
    return Seen(
        name,
        answer.rdtype,
        answer.outcome,
        values,
        answer.ttl_seconds,
        tuple(map(shown, answer.aliases)),
        answer.reason,
        is_wildcard,
        len(answer.values) - len(values),
    )


def _kept(values: Sequence[str]) -> tuple[str, ...]:
    """SPF records first: to take one for absent would make a second one."""
    spf = spf_values(values)
    ordered = [*spf, *(each for each in values if each not in spf)]
    texts = [shown(each)[:MAX_VALUE_CHARACTERS] for each in ordered]
    sizes = itertools.accumulate(map(len, texts))
    return tuple(text for text, size in zip(texts, sizes, strict=True) if size <= MAX_CHARACTERS)
