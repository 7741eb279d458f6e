"""Mail that would come back to where it started: found before it is saved."""

from __future__ import annotations

from collections.abc import Callable

# Longer chains are refused as if they were loops: the host stops expanding too.
MAX_CHAIN = 10


def find_loop(
    start: str, targets: list[str], lead_further: Callable[[str], list[str]]
) -> list[str]:
    """Return the chain by which mail to `start` comes back to an address it has passed.

    `lead_further` returns where mail to an address goes on to; nothing when it stays there. The
    result is empty when there is no loop, else begins with `start` and ends with the repeated one.
    """
    return _follow([start], targets, lead_further, set())


def _follow(
    chain: list[str],
    targets: list[str],
    lead_further: Callable[[str], list[str]],
    harmless: set[str],
) -> list[str]:
    for target in targets:
        base = _without_tag(target)
        if base in chain or len(chain) > MAX_CHAIN:
            return [*chain, base]
        if base in harmless:
            continue
        further = lead_further(base)
        if base in further:
            # Leads to itself: kept there, and what else it leads to is followed.
            further = [email for email in further if email != base]
        if found := _follow([*chain, base], further, lead_further, harmless):
            return found
        harmless.add(base)
    return []


def _without_tag(email: str) -> str:
    """A `+tag` changes nothing about where mail goes."""
    local_part, _at, domain = email.rpartition("@")
    return f"{local_part.partition('+')[0]}@{domain}"
