"""Fields of requests, each looked at before it is used."""

from __future__ import annotations

import re
from typing import Any

from .errors import Refused
from .store import Position
from .validate import MAX_ID as MAX_ID

_WORD = re.compile(r"[!-~]{0,64}")


def position(request: dict[str, Any], field: str, *, epoch: str | None = None) -> Position:
    """Return the position in `field`; its epoch may be left out where a default is given."""
    value = request.get(field)
    if not isinstance(value, dict):
        raise Refused("bad_request", field=field)
    if epoch is not None:
        value = {"epoch": epoch, **value}
    return Position(word(value, "epoch"), whole(value, "generation"), word(value, "batch"))


def word(request: dict[str, Any], field: str) -> str:
    value = request.get(field)
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise Refused("bad_request", field=field)
    return value


def whole(request: dict[str, Any], field: str) -> int:
    number = request.get(field)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_ID:
        raise Refused("bad_request", field=field)
    return number


def share(request: dict[str, Any], field: str) -> float:
    """A part of a whole, a fifth unless told."""
    number = request.get(field, 0.2)
    if not isinstance(number, (int, float)) or isinstance(number, bool) or not 0 <= number <= 1:
        raise Refused("bad_request", field=field)
    return float(number)


def listed(request: dict[str, Any], field: str) -> list[Any]:
    value = request.get(field)
    if not isinstance(value, list):
        raise Refused("bad_request", field=field)
    return value
