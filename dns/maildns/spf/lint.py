"""What is wrong with an SPF record, as far as it can be seen without asking anyone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from maildns.errors import BadTerm
from maildns.findings import Finding
from maildns.spf.rules import finding, syntax_finding
from maildns.spf.terms import (
    MAX_LOOKUPS,
    MAX_OCTETS,
    MECHANISMS,
    Mechanism,
    Modifier,
    SpfRecord,
    Term,
    read_term,
    repeated_modifier,
    spf_values,
    split_record,
)

# Wider than this is more than one sender's network.
WIDEST_IP4_PREFIX, WIDEST_IP6_PREFIX = 16, 32

_PRIVATE: tuple[IPv4Network | IPv6Network, ...] = (
    *(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    *(IPv4Network(text) for text in ("100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")),
    *(IPv6Network(text) for text in ("::1/128", "fc00::/7", "fe80::/10")),
)
# Meant as SPF and none for a verifier: with a quote or a space in front, v=spf2, spf1 alone.
_NEAR_MISS = re.compile(r"[\s\"']*(?:v\s*=\s*)?spf[\s-]*[0-9]", re.IGNORECASE | re.ASCII)
_SENDER_ID = re.compile(r"spf2\.0/", re.IGNORECASE | re.ASCII)
_ADDRESS_AS_NAME = re.compile(r"[-+?~]?[a-z]+:[0-9]+(?:\.[0-9]+){3}(?:/.*)?", re.IGNORECASE)


def lint_spf(texts: Sequence[str]) -> tuple[Finding, ...]:
    """Judge all TXT values at one name, as joined octets in Latin-1 (RFC 7208, 3 to 7).

    Finds all errors and not the first alone; `where` is a term as written, a whole value, or
    empty where something is missing. One with the effect VOID (see effect_of) is there if and only
    if the record is void by itself: it is not alone, breaks the grammar, or asks more than ten.
    """
    records = spf_values(texts)
    found = [*_passed_over(texts)]
    if not records:
        found.append(finding("no_record", ""))
    found.extend(finding("several_records", text) for text in records[1:])
    for text in records:
        found.extend(_lint_record(text))
    return tuple(dict.fromkeys(found))


def _passed_over(texts: Sequence[str]) -> Iterator[Finding]:
    for text in texts:
        if _SENDER_ID.match(text):
            yield finding("sender_id", text)
        elif _NEAR_MISS.match(text) and not spf_values([text]):
            yield finding("near_miss", text)


def _lint_record(text: str) -> Iterator[Finding]:
    terms: list[Term] = []
    errors: list[Finding] = []
    for word in split_record(text):
        try:
            terms.append(read_term(word))
        except BadTerm as error:
            errors.append(syntax_finding(_reason(error), word, error.rfc))
    record = SpfRecord(tuple(terms))
    if repeated := repeated_modifier(record):
        errors.append(syntax_finding("modifier_twice", repeated.text, "7208 6"))
    yield from errors
    for term in terms:
        yield from _lint_term(term)
    if not errors:  # what a term was meant to be is not known, and `all` may be among them
        yield from _lint_whole(record)
    if len(text) > MAX_OCTETS:
        yield finding("too_long", text)


def _reason(error: BadTerm) -> str:
    """A common mistake has its own code: an address where a name is wanted."""
    if error.reason == "bad_domain" and _ADDRESS_AS_NAME.fullmatch(error.term):
        return "address_as_name"
    return error.reason


def _lint_term(term: Term) -> Iterator[Finding]:
    spec = term.value if isinstance(term, Modifier) else term.target
    if spec is not None and "p" in spec.letters:
        yield finding("p_macro", term.text)
    if isinstance(term, Modifier):
        yield from _lint_modifier(term)
    elif term.name == "ptr":
        yield finding("ptr", term.text)
    elif term.network is not None:
        yield from _lint_network(term, term.network)
    elif term.qualifier == "+" and _is_wide(term.ip4_prefix, term.ip6_prefix):
        yield finding("wide_network", term.text)


def _lint_modifier(modifier: Modifier) -> Iterator[Finding]:
    if modifier.name in MECHANISMS:
        yield finding("mechanism_as_modifier", modifier.text)
    elif modifier.name not in ("redirect", "exp"):
        yield finding("unknown_modifier", modifier.text)


def _lint_network(mechanism: Mechanism, network: IPv4Network | IPv6Network) -> Iterator[Finding]:
    length = network.prefixlen
    wide = _is_wide(length, 128) if network.version == 4 else _is_wide(32, length)
    if wide and mechanism.qualifier == "+":
        yield finding("wide_network" if length else "pass_all", mechanism.text)
    if any(_is_part_of(network, private) for private in _PRIVATE):
        yield finding("private_network", mechanism.text)
    address = mechanism.text.partition(":")[2].partition("/")[0]
    if ip_address(address) != network.network_address:
        yield finding("host_bits", mechanism.text)


def _is_wide(ip4_prefix: int, ip6_prefix: int) -> bool:
    return ip4_prefix < WIDEST_IP4_PREFIX or ip6_prefix < WIDEST_IP6_PREFIX


def _is_part_of(network: IPv4Network | IPv6Network, whole: IPv4Network | IPv6Network) -> bool:
    return network.network_address in whole and network.prefixlen >= whole.prefixlen


def _lint_whole(record: SpfRecord) -> Iterator[Finding]:
    yield from _lint_end(record)
    reached = record.mechanisms
    behind = [term for term in record.terms if isinstance(term, Mechanism)][len(reached) :]
    yield from (finding("after_all", mechanism.text) for mechanism in behind)
    counted = Counter(mechanism.text.lower().removeprefix("+") for mechanism in reached)
    yield from (finding("twice", text) for text, times in counted.items() if times > 1)
    if record.lookups > MAX_LOOKUPS:
        yield finding("too_many_lookups", "")


def _lint_end(record: SpfRecord) -> Iterator[Finding]:
    """What becomes of mail that no mechanism matched."""
    if not record.has_all:
        if record.redirect is None:
            yield finding("no_all", "")
        return
    last = record.mechanisms[-1]
    if last.qualifier in "+?":
        yield finding("pass_all" if last.qualifier == "+" else "neutral_all", last.text)
    for term in record.terms:
        if term.name == "redirect":
            yield finding("redirect_and_all", term.text)
