"""Names that SPF asks for, made of macros and so of anything: RFC 7208, 4.3, 5.5 and 7.3."""

from __future__ import annotations

import re
from collections.abc import Sequence

from maildns.spf.macros import is_toplabel

MAX_NAME_OCTETS = 253

# RFC 8616, 4: a name that macros made non-ASCII never matches; a backslash would be an escape.
_LABEL = re.compile(r"[ -\[\]-~]{1,63}")


def normal(name: str) -> str:
    """Lower case, without a final dot; what is not ASCII stays so (the Kelvin sign has a k)."""
    return (name.lower() if name.isascii() else name).removesuffix(".")


def shortened(name: str) -> str:
    """Drop labels on the left until the name is no longer too long (RFC 7208, 7.3)."""
    if len(name) <= MAX_NAME_OCTETS:
        return name
    return name[-MAX_NAME_OCTETS - 1 :].partition(".")[2]


def is_askable(name: str) -> bool:
    """Whether a question can be made of the name (RFC 1035, 2.3.4)."""
    labels = name.split(".")
    return len(name) <= MAX_NAME_OCTETS and all(_LABEL.fullmatch(label) for label in labels)


def is_domain(name: str) -> bool:
    """Whether there can be a record: several labels, none malformed, no address (RFC 7208, 4.3)."""
    _head, dot, toplabel = name.rpartition(".")
    return bool(dot) and is_toplabel(toplabel) and is_askable(name)


def is_within(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def best_name(names: Sequence[str], domain: str) -> str:
    """What %{p} means: the domain itself, else one below it, else any (RFC 7208, 7.3)."""
    if domain in names:
        return domain
    below = [name for name in names if is_within(name, domain)]
    return next(iter(below or names), "unknown")
