"""The terms of an SPF record: RFC 7208, 4.5, 4.6.1, 5 and 6."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from maildns.errors import BadTerm
from maildns.spf.macros import MacroString, parse_domain_spec, parse_macro_string

MAX_LOOKUPS = 10  # RFC 7208, 4.6.4: terms that ask the DNS, those of included records too
# RFC 7208, 3.4: with the name and its other TXT records the answer should fit in 512 octets.
MAX_OCTETS = 450
# The mechanisms that count; of the modifiers it is redirect, while exp is free.
ASKING = frozenset({"include", "a", "mx", "ptr", "exists"})
MECHANISMS = ASKING | {"all", "ip4", "ip6"}

_FLAGS = re.IGNORECASE | re.ASCII
_VERSION = re.compile(r"v=spf1(?= |\Z)", _FLAGS)
_TERM = re.compile(r"([-+?~]?)([a-z][a-z0-9_.-]*)(.*)", _FLAGS | re.DOTALL)
# What looks like a length at the end; no domain-spec can end so.
_LENGTHS = re.compile(r"(?:/([0-9]*))?(?://([0-9]*))?\Z")
# Leading zeros are not in the grammar.
_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")


@dataclass(frozen=True)
class Mechanism:
    """`text` as written, `name` in lower case, `qualifier` one of + - ~ ?.

    `target` is None where the domain in question is meant; `network` is that of ip4 and ip6, the
    two prefix lengths are those of a and mx.
    """

    text: str
    name: str
    qualifier: str = "+"
    target: MacroString | None = None
    network: IPv4Network | IPv6Network | None = None
    ip4_prefix: int = 32
    ip6_prefix: int = 128


@dataclass(frozen=True)
class Modifier:
    """`name` is in lower case; only redirect and exp have a meaning."""

    text: str
    name: str
    value: MacroString


Term = Mechanism | Modifier


@dataclass(frozen=True)
class SpfRecord:
    """A record without errors; `terms` are all of them, in order."""

    terms: tuple[Term, ...]

    @property
    def mechanisms(self) -> tuple[Mechanism, ...]:
        """Those that can be reached: RFC 7208, 5.1: what stands behind `all` is ignored."""
        found = [term for term in self.terms if isinstance(term, Mechanism)]
        names = [mechanism.name for mechanism in found]
        return tuple(found[: names.index("all") + 1] if "all" in names else found)

    @property
    def has_all(self) -> bool:
        return any(isinstance(term, Mechanism) and term.name == "all" for term in self.terms)

    @property
    def redirect(self) -> Modifier | None:
        """The redirect in force: RFC 7208, 6.1: none where the record has an `all`."""
        return None if self.has_all else self._modifier("redirect")

    @property
    def exp(self) -> Modifier | None:
        return self._modifier("exp")

    @property
    def lookups(self) -> int:
        """How many terms of this record ask the DNS when no earlier one matches."""
        asking = sum(mechanism.name in ASKING for mechanism in self.mechanisms)
        return asking + (self.redirect is not None)

    def _modifier(self, name: str) -> Modifier | None:
        found = (term for term in self.terms if isinstance(term, Modifier) and term.name == name)
        return next(found, None)


def spf_values(texts: Iterable[str]) -> list[str]:
    """Those of the TXT values at a name that are SPF records, broken or not (RFC 7208, 4.5)."""
    return [text for text in texts if _VERSION.match(text)]


def parse_record(text: str) -> SpfRecord:
    """Read a whole record as strictly as a verifier must (RFC 7208, 4.6).

    Raises BadTerm for the first error anywhere in the record, also behind a match.
    """
    record = SpfRecord(tuple(read_term(word) for word in split_record(text)))
    if repeated := repeated_modifier(record):
        raise BadTerm("modifier_twice", repeated.text, "7208 6")
    return record


def repeated_modifier(record: SpfRecord) -> Term | None:
    """The second redirect or exp of a record, if there is one (RFC 7208, 6)."""
    for name in ("redirect", "exp"):
        named = [term for term in record.terms if term.name == name]
        if named[1:]:
            return named[1]
    return None


def split_record(text: str) -> list[str]:
    """The words behind the version; parted by spaces and nothing else. Raises BadTerm."""
    version = _VERSION.match(text)
    if version is None:
        raise BadTerm("bad_version", text, "7208 4.5")
    return [word for word in text[version.end() :].split(" ") if word]


def read_term(text: str) -> Term:
    """Read one directive or modifier (RFC 7208, 4.6.1). Raises BadTerm with the whole term."""
    found = _TERM.fullmatch(text)
    if found is None:
        raise BadTerm("bad_term", text, "7208 4.6.1")
    qualifier, name, rest = found[1], found[2].lower(), found[3]
    try:
        if rest.startswith("="):
            return _read_modifier(text, qualifier, name, rest[1:])
        return _read_mechanism(text, qualifier or "+", name, rest)
    except BadTerm as error:
        raise BadTerm(error.reason, text, error.rfc) from error


def _read_modifier(text: str, qualifier: str, name: str, value: str) -> Modifier:
    if qualifier:
        raise BadTerm("qualified_modifier", text, "7208 4.6.1")
    known = name in ("redirect", "exp")
    return Modifier(text, name, parse_domain_spec(value) if known else parse_macro_string(value))


def _read_mechanism(text: str, qualifier: str, name: str, rest: str) -> Mechanism:
    match name:
        case "all":
            if rest:
                raise BadTerm("unwanted_argument", rest, "7208 5.1")
            return Mechanism(text, name, qualifier)
        case "include" | "exists":
            return Mechanism(text, name, qualifier, parse_domain_spec(_argument(rest)))
        case "ptr":
            return Mechanism(text, name, qualifier, _optional_domain(rest))
        case "a" | "mx":
            target, ip4_prefix, ip6_prefix = _domain_and_lengths(rest)
            return Mechanism(text, name, qualifier, target, None, ip4_prefix, ip6_prefix)
        case "ip4" | "ip6":
            return Mechanism(text, name, qualifier, network=_network(name, _argument(rest)))
    raise BadTerm("unknown_mechanism", text, "7208 5")


def _argument(rest: str) -> str:
    if not rest.startswith(":"):
        raise BadTerm("no_argument", rest, "7208 12")
    return rest[1:]


def _optional_domain(rest: str) -> MacroString | None:
    return parse_domain_spec(_argument(rest)) if rest else None


def _domain_and_lengths(rest: str) -> tuple[MacroString | None, int, int]:
    """RFC 7208, 5.6: dual-cidr-length, as in a:example.com/24//64."""
    domain, ip4_length, ip6_length = _cut_lengths(rest)
    return _optional_domain(domain), _prefix(ip4_length, 32), _prefix(ip6_length, 128)


def _cut_lengths(rest: str) -> tuple[str, str | None, str | None]:
    found = _LENGTHS.search(rest)
    if found is None:
        return rest, None, None
    return rest[: found.start()], found[1], found[2]


def _prefix(length: str | None, longest: int) -> int:
    if length is None:
        return longest
    if not _LENGTH.fullmatch(length) or int(length) > longest:
        raise BadTerm("bad_prefix_length", length, "7208 5.6")
    return int(length)


def _network(name: str, argument: str) -> IPv4Network | IPv6Network:
    """RFC 7208, 5.6; bits behind the prefix length are allowed and without a meaning."""
    address, slash, length = argument.partition("/")
    given = length if slash else None
    try:
        if name == "ip4":
            ip4 = IPv4Address(address)
            return IPv4Network((ip4, _prefix(given, 32)), strict=False)
        if "%" in address:  # a zone index, which Python reads and the grammar does not know
            raise BadTerm("bad_address", argument, "7208 5.6")
        return IPv6Network((IPv6Address(address), _prefix(given, 128)), strict=False)
    except ValueError as error:
        raise BadTerm("bad_address", argument, "7208 5.6") from error
