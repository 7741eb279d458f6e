"""SPF records of our own, and ours within a customer's: RFC 7208, 3, 10.1 and 6.1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from maildns.errors import BadRecord, TooManyLookups
from maildns.records import Record
from maildns.spf.names import is_domain, normal
from maildns.spf.terms import (
    MAX_LOOKUPS,
    MAX_OCTETS,
    Mechanism,
    SpfRecord,
    Term,
    parse_record,
    read_term,
)

IPNetwork = IPv4Network | IPv6Network

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")


def spf_record(
    zone: str,
    *,
    includes: Sequence[str] = (),
    networks: Sequence[IPNetwork] = (),
    mechanisms: Sequence[str] = (),
    all_qualifier: str = "~",
) -> Record:
    """Build the SPF record of a domain that sends mail.

    `mechanisms` are written as in the record, such as "mx" or "a:mail.example.com"; what costs no
    lookup comes first. `all_qualifier` is - ~ or ?, never +, which would let anyone send.
    Raises BadRecord, and TooManyLookups for more than ten terms that ask (RFC 7208, 4.6.4).
    """
    if all_qualifier not in ("-", "~", "?"):
        raise BadRecord("qualifier")
    for text in mechanisms:
        term = read_term(text)
        if not isinstance(term, Mechanism) or term.name == "all":
            raise BadRecord("mechanism")
    names = dict.fromkeys(_include(name) for name in includes)
    terms = [*_network_terms(networks), *mechanisms, *names, f"{all_qualifier}all"]
    return Record(zone, "TXT", _joined(terms))


def provider_record(name: str, networks: Sequence[IPNetwork]) -> tuple[Record, ...]:
    """Build what our customers include: our networks and nothing that needs another lookup.

    What is too long for one answer goes on at 2.<name>, 3.<name> and so on, each included by the
    one before it and at the cost of one more lookup. Raises BadRecord and TooManyLookups.
    """
    room = MAX_OCTETS - len(_joined([_include(f"{MAX_LOOKUPS}.{name}"), "-all"]))
    chunks = _chunked(_network_terms(networks), room)
    if len(chunks) > MAX_LOOKUPS:
        raise TooManyLookups(len(chunks))
    names = [name, *(f"{number}.{name}" for number in range(2, len(chunks) + 1))]
    links = [[_include(following)] for following in names[1:]]
    return tuple(
        Record(at, "TXT", _joined([*chunk, *link, "-all"]))
        for at, chunk, link in zip(names, chunks, [*links, []], strict=True)
    )


def helo_record(host: str) -> Record:
    """The record of a mail host: bounces have no sender, and its name is checked (2.4, 10.1.3)."""
    return Record(host, "TXT", "v=spf1 a -all")


def parked_record(zone: str) -> Record:
    """The record of a domain that sends no mail (RFC 7208, 10.1.2)."""
    return Record(zone, "TXT", "v=spf1 -all")


def merge_spf(existing: str, wanted_include: str) -> str:
    """Return the customer's record with our include in it; unchanged if it already lets us send.

    His terms stay as they are and in their order. Ours comes last of the mechanisms that are
    read: all that matched before matches as before, and `all` or a redirect still decides about
    the rest. An include of ours that has no effect, behind `all` or not as a pass, is moved here.

    Raises BadTerm for a record that is void anyway, BadRecord for a name that is none, and
    TooManyLookups if the terms of this record alone are more than ten (RFC 7208, 4.6.4); those
    of included records are not known here.
    """
    wanted, record = _include(wanted_include), parse_record(existing)
    if not _lets_send(record, normal(wanted_include)):
        kept = [term for term in record.terms if not _is_include_of(term, normal(wanted_include))]
        place = _place_of_last(kept)
        words = [term.text for term in kept]
        return _joined([*words[:place], wanted, *words[place:]])
    if record.lookups > MAX_LOOKUPS:
        raise TooManyLookups(record.lookups)
    return existing


def _lets_send(record: SpfRecord, name: str) -> bool:
    """Whether mail that `name` lets pass, passes: by an include, or by a redirect to it."""
    for mechanism in record.mechanisms:
        if _is_include_of(mechanism, name):
            return mechanism.qualifier == "+"
    return record.redirect is not None and normal(record.redirect.value.text) == name


def _is_include_of(term: Term, name: str) -> bool:
    if not isinstance(term, Mechanism) or term.name != "include" or term.target is None:
        return False
    return normal(term.target.text) == name


def _place_of_last(terms: Sequence[Term]) -> int:
    """Before `all`; without one behind the last mechanism, where redirect is not yet read."""
    place = 0
    for number, term in enumerate(terms):
        if term.name == "all" and isinstance(term, Mechanism):
            return number
        if isinstance(term, Mechanism):
            place = number + 1
    return place


def _include(name: str) -> str:
    plain = normal(name)
    if not is_domain(plain) or not all(_LABEL.fullmatch(label) for label in plain.split(".")):
        raise BadRecord("name")
    return f"include:{plain}"


def _network_terms(networks: Iterable[IPNetwork]) -> list[str]:
    """As few terms as say the same, in one order for the same networks."""
    given = list(networks)
    ip4 = collapse_addresses(network for network in given if isinstance(network, IPv4Network))
    ip6 = collapse_addresses(network for network in given if isinstance(network, IPv6Network))
    return [f"ip4:{_short(network)}" for network in ip4] + [
        f"ip6:{_short(network)}" for network in ip6
    ]


def _short(network: IPNetwork) -> str:
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address if single else network)


def _chunked(terms: Iterable[str], room: int) -> list[list[str]]:
    chunks: list[list[str]] = [[]]
    for term in terms:
        if len(" ".join([*chunks[-1], term])) >= room and chunks[-1]:
            chunks.append([])
        chunks[-1].append(term)
    return chunks


def _joined(terms: Iterable[str]) -> str:
    """The text of a record. Raises BadTerm and TooManyLookups."""
    text = " ".join(["v=spf1", *terms])
    lookups = parse_record(text).lookups
    if lookups > MAX_LOOKUPS:
        raise TooManyLookups(lookups)
    return text
