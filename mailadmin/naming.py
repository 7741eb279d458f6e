"""Names in their one stored form: domains as lower-case A-labels, local parts in lower case."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import cache

import idna
from confusable_homoglyphs import categories, confusables
from publicsuffixlist import PublicSuffixList

from mailadmin.errors import BadDomainName, BadLocalPart, BadTarget

# RFC 2142 and RFC 5321, 4.5.1: names that always reach somebody.
ALWAYS_REACHABLE = frozenset({"postmaster", "abuse", "hostmaster", "webmaster", "security"})
# Names of the mail system itself.
FORBIDDEN = frozenset({"mailer-daemon", "root", "double-bounce", "nobody"})
# RFC 6761, 6762, 7686 and their kin.
SPECIAL_USE = frozenset(
    {"test", "example", "invalid", "localhost", "local", "onion", "internal", "alt", "arpa"}
)
# Endings to which no mail can go, not even in a trial.
UNREACHABLE = frozenset({"localhost", "local", "onion", "invalid", "alt", "arpa"})
MAX_TARGETS = 50
# RFC 5321, 4.5.3.1.3: a path has at most 256 octets, of which < and > are two (erratum 1690).
MAX_ADDRESS_OCTETS = 254

_LOCAL_PART = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
# RFC 5321, 4.1.2 Dot-string, without what other programs take for a path, a pipe or routing.
_TARGET_LOCAL = re.compile(r"[A-Za-z0-9#&*=?^_~][A-Za-z0-9#&'*+/=?^_~.-]{0,63}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_NORDIC_AND_POLISH = str.maketrans({"æ": "ae", "ø": "o", "ł": "l", "đ": "d", "œ": "oe", "ı": "i"})
# UTS 39, 5.2 "highly restrictive": the only scripts that may stand in one label together.
_SCRIPTS_TOGETHER = [
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "BOPOMOFO"},
    {"LATIN", "HAN", "HANGUL"},
]
_ENDINGS_WITH_DOTLESS_I = frozenset({"tr", "az"})


def canonical_domain(text: str, *, allow_special: bool = False) -> str:
    """Return a domain as its lower-case A-label without a final dot. Raises BadDomainName.

    UTS 46, non-transitional: faß.de is not fass.de (RFC 5891). With `allow_special`, names of
    RFC 6761 such as example.test are taken, for trials.
    """
    name = _to_a_label(text)
    ending = name.rpartition(".")[2]
    if "." not in name:
        raise BadDomainName(reason="single", text=_shown(text))
    if ending in SPECIAL_USE:
        if not allow_special or ending == "arpa":
            raise BadDomainName(reason="special", text=_shown(text))
        return name
    suffix = _suffixes().publicsuffix(name)
    if suffix is None:
        raise BadDomainName(reason="unknown_ending", text=_shown(text))
    if suffix == name:
        raise BadDomainName(reason="public_suffix", text=_shown(text))
    return name


@cache
def _suffixes() -> PublicSuffixList:
    """The list that comes with the library: never fetched at run time."""
    return PublicSuffixList(accept_unknown=False)


def _to_a_label(text: str) -> str:
    """The syntax alone: what any e-mail address may have behind the @."""
    text = text.strip(" ")
    if len(text) > 1000:  # idna's time grows with the square of the length
        raise BadDomainName(reason="too_long", text=_shown(text))
    if text.startswith("[") or _is_ip(text):
        raise BadDomainName(reason="ip", text=_shown(text))
    try:
        # UTS 46 maps invisible characters to nothing: what looks the same must not be taken.
        if any(_is_invisible(char) for char in text):
            raise BadDomainName(reason="syntax", text=_shown(text))
        encoded = idna.encode(text, uts46=True, std3_rules=True, transitional=False)
        # idna leaves the case of labels that are ASCII already.
        name = encoded.decode("ascii").lower().removesuffix(".")
        label_texts = idna.decode(name).split(".")
    except UnicodeError as error:  # idna's own errors are of this kind
        too_long = "too long" in str(error).lower()
        reason = "too_long" if too_long else "syntax"
        raise BadDomainName(reason=reason, text=_shown(text)) from error
    labels = name.split(".")
    if _is_ip(name):
        raise BadDomainName(reason="ip", text=_shown(text))
    # RFC 3696, 2: the last label is never all digits; none that exists begins with one.
    if not all(map(_LABEL.fullmatch, labels)) or not labels[-1][0].isalpha():
        raise BadDomainName(reason="syntax", text=_shown(text))
    for label in label_texts:
        if any(map(_is_invisible, label)):
            raise BadDomainName(reason="syntax", text=_shown(text))
        if reason := _deception(label, ending=label_texts[-1]):
            raise BadDomainName(reason=reason, text=_shown(text))
    return name


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_invisible(char: str) -> bool:
    if char.isascii():
        return not char.isprintable()
    return unicodedata.category(char)[0] in "CZ" or idna.uts46_remap(char, True, False) == ""


def _deception(label: str, *, ending: str) -> str:
    """Say why a label may be taken for another one: a reason, or empty."""
    if label.isascii():
        return ""
    scripts = {_script(char) for char in label} - {"COMMON", "INHERITED"}
    if len(scripts) > 1:
        return "" if any(scripts <= group for group in _SCRIPTS_TOGETHER) else "mixed_script"
    if scripts == {"LATIN"}:
        own = "ı" if ending in _ENDINGS_WITH_DOTLESS_I else ""
        return "lookalike" if any(_has_ascii_twin(c) for c in label if c not in own) else ""
    # аррӏе is one script, yet reads as Latin. Under an ending of its script nobody expects Latin.
    letters = [char for char in label if _script(char) in scripts]
    if ending.isascii() and letters and all(map(_has_ascii_twin, letters)):
        return "lookalike"
    return ""


def _script(char: str) -> str:
    return str(categories.alias(char))


@cache
def _has_ascii_twin(char: str) -> bool:
    if char.isascii():
        return False
    found = confusables.is_confusable(char, greedy=True)
    return bool(found) and any(
        twin["c"].isascii() and twin["c"].isalnum() and len(twin["c"]) == 1
        for twin in found[0]["homoglyphs"]
    )


def _shown(text: str) -> str:
    """What was typed, fit for a sentence: short, and nothing invisible in it."""
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:100]
    )


def display_domain(name: str) -> str:
    """Return the name as people write it (U-label); the A-label where it has no such form."""
    try:
        return idna.decode(name)
    except UnicodeError:
        return name


def domain_of(email: str) -> str:
    """Return what stands behind the last @."""
    return email.rpartition("@")[2]


def parse_local_part(text: str) -> str:
    """Return the part before the @ in lower case. Raises BadLocalPart with a suggestion."""
    lowered = unicodedata.normalize("NFC", text.strip(" ")[:1000]).lower()
    if reason := _fault(lowered):
        raise BadLocalPart(
            reason=reason, suggestion=_suggestion(lowered, reason), text=_shown(text)
        )
    return lowered


def _fault(lowered: str) -> str:
    if not lowered:
        return "empty"
    if not lowered.isprintable():
        return "characters"
    if not lowered.isascii():
        return "umlaut" if any(char in "äöüß" for char in lowered) else "foreign_letters"
    if len(lowered) > 64:
        return "too_long"
    if "+" in lowered:
        return "plus"
    if lowered.startswith(".") or lowered.endswith(".") or ".." in lowered:
        return "dots"
    if not _LOCAL_PART.fullmatch(lowered):
        return "characters"
    return "forbidden" if lowered in FORBIDDEN else ""


def _suggestion(lowered: str, reason: str) -> str:
    """A spelling that works everywhere: müller becomes mueller, café becomes cafe."""
    text = lowered.partition("+")[0] if reason == "plus" else lowered
    text = text.translate(_GERMAN).translate(_NORDIC_AND_POLISH)
    plain = unicodedata.normalize("NFKD", text)
    plain = re.sub(r"[^a-z0-9._-]+", "", re.sub(r"\s+", ".", plain))
    plain = re.sub(r"\.{2,}", ".", plain).strip("._-")
    return "" if _fault(plain) else plain


def parse_address(text: str, *, domain: str) -> str:
    """Return the local part of what was typed for an address in `domain`, an A-label.

    The whole address is accepted too, its tail removed. Raises BadLocalPart.
    """
    typed, at, typed_domain = text.strip(" ").rpartition("@")  # also `info@`
    if typed_domain and at and not _is_same_domain(typed_domain, domain):
        raise BadLocalPart(reason="other_domain", suggestion="", text=_shown(text))
    local_part = parse_local_part(typed if at else text)
    if len(local_part) + 1 + len(domain) > MAX_ADDRESS_OCTETS:
        raise BadLocalPart(reason="address_too_long", suggestion="", text=_shown(text))
    return local_part


def _is_same_domain(typed: str, domain: str) -> bool:
    try:
        return _to_a_label(typed) == domain
    except BadDomainName:
        return False


def parse_target(text: str, *, line: int | None = None) -> str:
    """Return an address that mail may be forwarded to. Raises BadTarget.

    A Dot-string of RFC 5321, 4.1.2 in at most 254 octets; no quoted string, no address literal,
    and nothing that a mail program could take for a command, a file or a list.
    """
    text = text.strip(" ")
    local_part, _at, domain = text.rpartition("@")
    fits = _TARGET_LOCAL.fullmatch(local_part) and ".." not in local_part
    if not fits or local_part.endswith("."):
        raise BadTarget(reason="syntax", text=_shown(text), line=line)
    try:
        name = _to_a_label(domain)
    except BadDomainName as error:
        raise BadTarget(reason="syntax", text=_shown(text), line=line) from error
    email = f"{local_part.lower()}@{name}"
    if name.rpartition(".")[2] in UNREACHABLE:
        raise BadTarget(reason="special", text=_shown(text), line=line)
    if "." not in name or len(email) > MAX_ADDRESS_OCTETS:
        raise BadTarget(reason="syntax", text=_shown(text), line=line)
    return email


def parse_targets(text: str) -> list[str]:
    """Return the addresses of a text, one or more per line, without doubles. Raises BadTarget."""
    found: dict[str, None] = {}
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        for part in re.split(r"[,;]", line):
            typed = part.strip(" \t")
            if not typed:
                continue
            found[parse_target(typed, line=number)] = None
            if len(found) > MAX_TARGETS:
                raise BadTarget(reason="too_many", line=number)
    if not found:
        raise BadTarget(reason="empty")
    return list(found)
