"""What a name server says to one question, in one form for all who ask."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """The four things that can come of a question; the last one is no statement about the name."""

    FOUND = "found"
    NO_DATA = "no_data"  # the name exists without records of this type
    NO_NAME = "no_name"  # NXDOMAIN
    UNREACHABLE = "unreachable"  # no answer, a refusal, SERVFAIL, a malformed or foreign answer


@dataclass(frozen=True)
class Answer:
    """`values` in presentation form: names lower case without a final dot (the root is "."),
    a TXT value as its joined octets in Latin-1, `10 mx.example` for an MX record.

    `aliases` are the CNAME targets walked to reach the values, in order. `ttl_seconds` is the
    lowest TTL of the answer, or the negative TTL (RFC 2308, 5) when there are no values.
    `reason` says why a server is unreachable: timeout, refused, servfail, lame, malformed,
    too_big, alias_loop, private_address.
    """

    name: str
    rdtype: str
    outcome: Outcome
    values: tuple[str, ...] = ()
    ttl_seconds: int = 0
    aliases: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_absent(self) -> bool:
        """Whether the server said that there is nothing, which silence never does."""
        return self.outcome in (Outcome.NO_DATA, Outcome.NO_NAME)


class Ask(Protocol):
    """Asks one question: of a resolver, of one server, or of zones as data in the tests.

    `name` is an A-label name without a final dot, `rdtype` such as "TXT". Never raises for what
    the world answers; that is in the outcome.
    """

    async def __call__(self, name: str, rdtype: str) -> Answer: ...
