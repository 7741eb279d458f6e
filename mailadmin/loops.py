"""Mail that would come back to where it started, or become too much: found before it is saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailadmin.errors import RouteTooLarge

# Both are half of what the host stops at (virtual_alias_recursion_limit and
# virtual_alias_expansion_limit): there, mail would wait in the queue and nobody would know why.
MAX_HOPS = 10
MAX_RECIPIENTS = 100

# Where mail to an address goes on to; nothing when it stays there.
LeadFurther = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class _Reach:
    """What mail to one address becomes: the longest way, and the number of last addresses."""

    hops: int
    recipients: int


def find_loop(start: str, targets: Sequence[str], lead_further: LeadFurther) -> list[str]:
    """Return the chain by which mail to `start`, once it leads to `targets`, goes round in circles.

    The result is empty when there is no loop, else begins with `start` and ends with the address
    that is repeated. Addresses are in canonical form; a `+tag` makes no difference.
    Raises RouteTooLarge when a mail would pass more than `MAX_HOPS` addresses behind `start` or
    reach more than `MAX_RECIPIENTS`.
    """
    return _follow([_without_tag(start)], targets, lead_further, {})


def _follow(
    chain: list[str], targets: Sequence[str], lead_further: LeadFurther, known: dict[str, _Reach]
) -> list[str]:
    """Note in `known` what the last address of `chain` becomes, unless it leads into a loop."""
    hops, recipients = 0, 0
    for target in targets:
        email = _without_tag(target)
        if email in chain:
            return [*chain, email]
        if email not in known:
            # An address among its own targets keeps the mail: what else it leads to is followed.
            further = [each for each in lead_further(email) if _without_tag(each) != email]
            if len(chain) > MAX_HOPS:
                raise RouteTooLarge(address=chain[0], hops=MAX_HOPS)
            if loop := _follow([*chain, email], further, lead_further, known):
                return loop
        hops = max(hops, known[email].hops + 1)
        recipients += known[email].recipients
        if len(chain) - 1 + hops > MAX_HOPS:
            raise RouteTooLarge(address=chain[0], hops=MAX_HOPS)
        if recipients > MAX_RECIPIENTS:
            raise RouteTooLarge(address=chain[0], recipients=MAX_RECIPIENTS)
    known[chain[-1]] = _Reach(hops, max(recipients, 1))
    return []


def _without_tag(email: str) -> str:
    """A `+tag` changes nothing about where mail goes."""
    local_part, _at, domain = email.rpartition("@")
    return f"{local_part.partition('+')[0]}@{domain}"
