"""What attackers try first: lists of passwords, and what people make of the words on them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from django.contrib.auth.password_validation import CommonPasswordValidator

DATA = Path(__file__).parent / "data"
# `sommer2026!` and `!2026sommer` are sommer; more than this is a number worth guessing.
MAX_TRIMMINGS = 8
MAX_RUNS = 3

_FOLDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_LEET = str.maketrans("013457@$!", "oieastasi")
_ROWS = [
    "abcdefghijklmnopqrstuvwxyz",
    "12345678901234567890",
    "qwertzuiopasdfghjklyxcvbnm",
    "qwertzuiopueasdfghjkloeae",
    "qwertyuiopasdfghjklzxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6zhn7ujm",
    "1qay2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6z7u8i9o0p",
    "1q2w3e4r5t6y7u8i9o0p",
]


def is_easy(lowered: str) -> bool:
    """Whether a password, in lower case, is listed, or made from a listed word in the usual way."""
    folded = lowered.translate(_FOLDED)
    return (
        len(set(folded)) < 4
        or any(stem in listed() for stem in stems(folded))
        or _is_repetition(folded)
        or _is_on_the_keyboard(folded)
    )


@cache
def listed() -> frozenset[str]:
    """20,000 passwords that come with Django, and ours, which know German."""
    own = (DATA / "common_passwords.txt").read_text(encoding="utf-8").split()
    return frozenset(CommonPasswordValidator().passwords) | frozenset(own)


def stems(folded: str) -> Iterable[str]:
    """What may be the word in it: as it stands, without digits around, with letters for digits."""
    yield folded
    plain = folded.translate(_LEET)
    yield plain
    for each in (folded, plain):
        stem = re.sub(r"^[^a-z]+|[^a-z]+$", "", each)
        if stem and len(each) - len(stem) <= MAX_TRIMMINGS:
            yield stem
            yield stem.translate(_LEET)
            yield re.sub(r"[^a-z]", "", stem)


def _is_repetition(folded: str) -> bool:
    """`abc1abc1abc1`, or a listed word twice."""
    for length in range(1, len(folded) // 2 + 1):
        unit = folded[:length]
        if (unit * len(folded)).startswith(folded):
            return length < 6 or any(stem in listed() for stem in stems(unit))
    return False


def _is_on_the_keyboard(folded: str) -> bool:
    """Made of at most `MAX_RUNS` runs along a row, forwards or backwards."""
    rest = folded
    for _run in range(MAX_RUNS):
        length = next(
            (
                size
                for size in range(len(rest), 2, -1)
                if any(rest[:size] in row for row in _runs())
            ),
            0,
        )
        rest = rest[length:]
        if not rest:
            return True
        if not length:
            return False
    return False


@cache
def _runs() -> list[str]:
    return [*_ROWS, *(row[::-1] for row in _ROWS)]
