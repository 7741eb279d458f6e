"""A DNS record and its three renderings: zone file, a hoster's form, the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype
import dns.zonefile
from dns.rdtypes.ANY.TXT import TXT

from maildns.errors import BadRecord

# RFC 1035, 3.3: a character-string holds at most 255 octets.
MAX_STRING_OCTETS = 255
# RFC 2181, 8: a TTL is a positive number of 31 bits.
MAX_TTL_SECONDS = 2**31 - 1
# Types whose value ends in a host name; in a zone file it has its final dot, here it has none.
_HOST_VALUED = frozenset({"CNAME", "MX", "NS", "PTR", "SRV"})
# Labels as in names of hosts, and with the underscores of RFC 8552; a wildcard only in front.
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
    r"(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_PRINTABLE = re.compile(r"[ -~]*")


@dataclass(frozen=True)
class Record:
    """One wanted record. `name` and names in `value` are A-labels without a final dot.

    `value` is printable ASCII; that of a TXT record is the joined text, without quotes, that of
    another type its one canonical spelling: `10 mail.example.net`, hexadecimal in lower case.
    Raises BadRecord for what would say something else in one of the renderings.
    """

    name: str
    type: str
    value: str
    ttl_seconds: int = 3600

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadRecord("name")
        if not re.fullmatch(r"[A-Z]{1,10}", self.type):
            raise BadRecord("type")
        if not _PRINTABLE.fullmatch(self.value):
            raise BadRecord("value")
        if self.type != "TXT" and value_of(_rdata(self.type, self.value)) != self.value:
            raise BadRecord("value")
        if not 0 <= self.ttl_seconds <= MAX_TTL_SECONDS:
            raise BadRecord("ttl")

    def wire_strings(self) -> list[bytes]:
        """The strings of a TXT record, each of at most 255 octets; joined without a space."""
        octets = self.value.encode("ascii")
        cuts = range(0, max(len(octets), 1), MAX_STRING_OCTETS)
        return [octets[cut : cut + MAX_STRING_OCTETS] for cut in cuts]

    def wire(self) -> bytes:
        """The RDATA of RFC 1035, 3.2.1, its names not compressed."""
        return bytes(_rdata(self.type, self.zone_value()).to_wire() or b"")

    def form_value(self) -> str:
        """The value as a hoster's form takes it: whole, and in quotes only where it needs them."""
        if self.type == "TXT" and (self.value[:1] == '"' or self.value != self.value.strip()):
            return self.zone_value()
        return self.value

    def zone_line(self) -> str:
        """The line of a zone file (RFC 1035, 5.1)."""
        return f"{self.name}. {self.ttl_seconds} IN {self.type} {self.zone_value()}"

    def short_name(self, zone: str) -> str:
        """The name as many hosters want it: without the zone; @ for the zone itself."""
        return "@" if self.name == zone else self.name.removesuffix(f".{zone}")

    def zone_value(self) -> str:
        if self.type == "TXT":
            return " ".join(f'"{_escaped(part)}"' for part in self.wire_strings())
        return _rdata(self.type, self.value).to_text()


def parse_zone_line(line: str) -> Record:
    """Read one line of a zone file, a name without a final dot as absolute. Raises BadRecord."""
    try:
        found = dns.zonefile.read_rrsets(line, rdclass=None)
    except (dns.exception.DNSException, ValueError) as error:
        raise BadRecord("zone_line") from error
    if len(found) != 1 or len(found[0]) != 1:
        raise BadRecord("zone_line")
    rrset = found[0]
    name = rrset.name.to_text(omit_final_dot=True).lower()
    return Record(name, dns.rdatatype.to_text(rrset.rdtype), value_of(rrset[0]), rrset.ttl)


def parse_form_value(kind: str, text: str) -> str:
    """Read what stands in a hoster's form: names with or without a final dot, quotes or none.

    Returns the value as in a Record. Raises BadRecord.
    """
    text = text.strip(" \t\r\n")
    if kind == "TXT" and not (text[:1] == '"' and text[-1:] == '"'):
        return text
    return value_of(_rdata(kind, text))


def parse_wire(name: str, kind: str, octets: bytes, ttl_seconds: int = 3600) -> Record:
    """Read the RDATA of one record. Raises BadRecord."""
    try:
        rdata = dns.rdata.from_wire("IN", kind, octets, 0, len(octets))
    except (dns.exception.DNSException, ValueError) as error:
        raise BadRecord("wire") from error
    return Record(name, kind, value_of(rdata), ttl_seconds)


def _escaped(part: bytes) -> str:
    return part.decode("ascii").replace("\\", "\\\\").replace('"', '\\"')


def _rdata(kind: str, text: str) -> dns.rdata.Rdata:
    try:
        return dns.rdata.from_text("IN", kind, text, origin=dns.name.root, relativize=False)
    except dns.rdatatype.UnknownRdatatype as error:
        raise BadRecord("type") from error
    except (dns.exception.DNSException, ValueError) as error:
        raise BadRecord("value") from error


def value_of(rdata: dns.rdata.Rdata) -> str:
    """The one spelling of a value that a Record takes."""
    if isinstance(rdata, TXT):
        # Latin-1 takes any octet: a Record refuses those that are no printable ASCII.
        return b"".join(rdata.strings).decode("latin-1")
    kind, text = dns.rdatatype.to_text(rdata.rdtype), rdata.to_text()
    if kind in _HOST_VALUED:
        # But the root alone, of a null MX or of an SRV record that says no, keeps its dot.
        return re.sub(r"(?<=[^ ])\.$", "", text.lower())
    if kind == "TLSA":
        usage, selector, matching, *data = text.split()
        return f"{usage} {selector} {matching} {''.join(data)}"
    return text
