"""Macros in the names and texts of SPF: RFC 7208, 7."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from maildns.errors import BadTerm

_PIECE = re.compile(
    r"(?P<literal>[!-$&-~]+)"
    r"|(?P<space> +)"
    r"|%(?P<escape>[%_-])"
    r"|%\{(?P<letter>[slodiphcrtv])(?P<digits>[0-9]*)(?P<reverse>r?)(?P<delimiters>[-.+,/_=]*)\}",
    re.IGNORECASE | re.ASCII,
)
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}
# RFC 7208, 7.2: these three have a meaning in an explanation only.
_EXPLANATION_ONLY = frozenset("crt")
# RFC 7208, 7.1: letters, digits and inner hyphens, but never digits alone.
_TOPLABEL = re.compile(r"(?=.*[a-z-])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
# No name has more labels, and a hostile number can have thousands of digits.
_MAX_PARTS = 128


@dataclass(frozen=True)
class Macro:
    """`letter` is in lower case; `keep` counts right-hand parts, 0 means all of them."""

    letter: str
    is_escaped: bool
    keep: int
    is_reversed: bool
    delimiters: str

    def expand(self, value: str) -> str:
        """Split, reverse, cut and join `value` (RFC 7208, 7.3)."""
        parts = re.split(f"[{re.escape(self.delimiters)}]", value)
        if self.is_reversed:
            parts.reverse()
        kept = ".".join(parts[-self.keep :])
        return quote(kept, safe="", errors="replace") if self.is_escaped else kept


@dataclass(frozen=True)
class MacroString:
    """`text` as written; `parts` are literal texts and macros in order."""

    text: str
    parts: tuple[str | Macro, ...]
    ends_in_macro: bool

    @property
    def letters(self) -> frozenset[str]:
        return frozenset(part.letter for part in self.parts if isinstance(part, Macro))

    def expand(self, values: Mapping[str, str]) -> str:
        """Put in the values, by letter; each letter of `letters` must be there."""
        return "".join(
            part if isinstance(part, str) else part.expand(values[part.letter])
            for part in self.parts
        )


def parse_macro_string(text: str, *, is_explanation: bool = False) -> MacroString:
    """Read a macro-string, or an explain-string with its spaces (RFC 7208, 7.1). Raises BadTerm."""
    parts: list[str | Macro] = []
    ends_in_macro, at = False, 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            reason = "bad_macro" if text[at] == "%" else "bad_character"
            raise BadTerm(reason, text, "7208 7.1")
        parts.append(_part(piece, text, is_explanation))
        ends_in_macro, at = piece["literal"] is None, piece.end()
    return MacroString(text, tuple(parts), ends_in_macro)


def _part(piece: re.Match[str], text: str, is_explanation: bool) -> str | Macro:
    if piece["escape"]:
        return _ESCAPES[piece["escape"]]
    if piece["letter"]:
        return _macro(piece, text, is_explanation)
    if piece["space"] and not is_explanation:
        raise BadTerm("bad_character", text, "7208 7.1")
    return piece[0]


def _macro(piece: re.Match[str], text: str, is_explanation: bool) -> Macro:
    letter, digits = piece["letter"].lower(), piece["digits"].lstrip("0")
    if piece["digits"] and not digits:
        raise BadTerm("bad_macro", text, "7208 7.3")
    if letter in _EXPLANATION_ONLY and not is_explanation:
        raise BadTerm("bad_macro", text, "7208 7.2")
    return Macro(
        letter,
        is_escaped=piece["letter"].isupper(),
        keep=min(int(digits[:4] or 0), _MAX_PARTS),
        is_reversed=bool(piece["reverse"]),
        delimiters=piece["delimiters"] or ".",
    )


def parse_domain_spec(text: str) -> MacroString:
    """Read a domain-spec: it ends in a macro or in a top label (RFC 7208, 7.1). Raises BadTerm."""
    if not text:
        raise BadTerm("no_domain", text, "7208 7.1")
    spec = parse_macro_string(text)
    if not spec.ends_in_macro and not _ends_in_toplabel(str(spec.parts[-1])):
        raise BadTerm("bad_domain", text, "7208 7.1")
    return spec


def _ends_in_toplabel(literal: str) -> bool:
    _head, dot, label = literal.removesuffix(".").rpartition(".")
    return bool(dot) and is_toplabel(label)


def is_toplabel(label: str) -> bool:
    return _TOPLABEL.fullmatch(label) is not None
