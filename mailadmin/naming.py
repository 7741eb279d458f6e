"""Names in their one stored form: domains as lower-case A-labels, local parts in lower case."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import cache

import idna
from confusable_homoglyphs import confusables
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
MAX_TARGETS = 50

_LOCAL_PART = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
# RFC 5321, 4.1.2 Dot-string, without what other programs take for a path, a pipe or routing.
_TARGET_LOCAL = re.compile(r"[A-Za-z0-9#&*=?^_~][A-Za-z0-9#&'*+/=?^_~.-]{0,63}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "o", "ł": "l"})


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)


def canonical_domain(text: str, *, allow_special: bool = False) -> str:
    """Return a domain as its lower-case A-label without a final dot. Raises BadDomainName.

    UTS 46, non-transitional: faß.de is not fass.de (RFC 5891). With `allow_special`, names of
    RFC 6761 such as example.test are taken, for trials.
    """
    name = _to_a_label(text)
    labels = name.split(".")
    if len(labels) < 2:
        raise BadDomainName(reason="single", text=text)
    if labels[-1] in SPECIAL_USE:
        if not allow_special or labels[-1] == "arpa":
            raise BadDomainName(reason="special", text=text)
    elif _suffixes().privatesuffix(name) is None:
        raise BadDomainName(reason="public_suffix", text=text)
    return name


def _to_a_label(text: str) -> str:
    """The syntax alone: what any e-mail address may have behind the @."""
    text = text.strip().removesuffix(".")
    if not text or any(
        unicodedata.category(char) in ("Cc", "Cf", "Zs", "Zl", "Zp") for char in text
    ):
        raise BadDomainName(reason="syntax", text=text)
    if len(text) > 1000:
        raise BadDomainName(reason="too_long", text=text[:80])
    if _is_ip(text):
        raise BadDomainName(reason="ip", text=text)
    try:
        name = idna.encode(text, uts46=True, std3_rules=True, transitional=False).decode("ascii")
        name = name.lower()
        shown = idna.decode(name)
    except UnicodeError as error:  # idna's own errors are of this kind
        too_long = "too long" in str(error).lower()
        raise BadDomainName(reason="too_long" if too_long else "syntax", text=text) from error
    if len(name) > 253:
        raise BadDomainName(reason="too_long", text=text)
    if _is_ip(name):
        raise BadDomainName(reason="ip", text=text)
    if (
        not all(_LABEL.fullmatch(label) for label in name.split("."))
        or name.split(".")[-1].isdigit()
    ):
        raise BadDomainName(reason="syntax", text=text)
    for label in shown.split("."):
        if not label.isascii() and confusables.is_dangerous(label):
            raise BadDomainName(reason="mixed_script", text=text)
    return name


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


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
    text = text.strip()
    lowered = unicodedata.normalize("NFC", text).lower()
    if not lowered:
        raise BadLocalPart(reason="empty", suggestion="", text=text)
    if not lowered.isascii():
        raise BadLocalPart(reason="umlaut", suggestion=_ascii_form(lowered), text=text)
    if len(lowered) > 64:
        raise BadLocalPart(reason="too_long", suggestion="", text=text[:80])
    if "+" in lowered:
        raise BadLocalPart(
            reason="plus", suggestion=_valid_or_empty(lowered.partition("+")[0]), text=text
        )
    if lowered.startswith(".") or lowered.endswith(".") or ".." in lowered:
        raise BadLocalPart(
            reason="dots", suggestion=_valid_or_empty(_squeeze_dots(lowered)), text=text
        )
    if not _LOCAL_PART.fullmatch(lowered):
        raise BadLocalPart(reason="characters", suggestion=_ascii_form(lowered), text=text)
    if lowered in FORBIDDEN:
        raise BadLocalPart(reason="forbidden", suggestion="", text=text)
    return lowered


def _ascii_form(text: str) -> str:
    """A spelling that works everywhere: müller becomes mueller, café becomes cafe."""
    plain = unicodedata.normalize("NFKD", text.translate(_GERMAN))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return _valid_or_empty(_squeeze_dots(re.sub(r"[^a-z0-9._-]+", "", plain)))


def _squeeze_dots(text: str) -> str:
    return re.sub(r"\.{2,}", ".", text).strip("._-")


def _valid_or_empty(text: str) -> str:
    return text if _LOCAL_PART.fullmatch(text) and ".." not in text else ""


def parse_address(text: str, *, domain: str) -> str:
    """Return the local part of what was typed for an address in `domain`.

    The whole address is accepted too, its tail removed. Raises BadLocalPart.
    """
    local_part, at, typed_domain = text.strip().rpartition("@")
    if not at:
        return parse_local_part(text)
    try:
        same = _to_a_label(typed_domain) == domain
    except BadDomainName:
        same = False
    if not same:
        raise BadLocalPart(reason="other_domain", suggestion="", text=text[:80])
    return parse_local_part(local_part)


def parse_target(text: str, *, line: int = 1) -> str:
    """Return an address that mail may be forwarded to. Raises BadTarget.

    A Dot-string of RFC 5321, 4.1.2 in at most 254 octets; no quoted string, no address literal,
    and nothing that a mail program could take for a command, a file or a list.
    """
    text = text.strip()
    local_part, at, domain = text.rpartition("@")
    usable = (
        at
        and _TARGET_LOCAL.fullmatch(local_part)
        and ".." not in local_part
        and not local_part.endswith(".")
    )
    if not usable:
        raise BadTarget(line=line, text=text[:100], reason="syntax")
    try:
        name = _to_a_label(domain)
    except BadDomainName as error:
        raise BadTarget(line=line, text=text[:100], reason="syntax") from error
    email = f"{local_part.lower()}@{name}"
    if "." not in name or len(email) > 254:
        raise BadTarget(line=line, text=text[:100], reason="syntax")
    if name == "localhost" or name.endswith((".localhost", ".arpa", ".local", ".onion")):
        raise BadTarget(line=line, text=text[:100], reason="special")
    return email


def parse_targets(text: str) -> list[str]:
    """Return the addresses of a text, one or more per line, without doubles. Raises BadTarget."""
    found: dict[str, None] = {}
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        for part in re.split(r"[,;]", line):
            if part.strip():
                found[parse_target(part, line=number)] = None
    if not found:
        raise BadTarget(line=1, text="", reason="empty")
    if len(found) > MAX_TARGETS:
        raise BadTarget(line=1, text="", reason="too_many")
    return list(found)
