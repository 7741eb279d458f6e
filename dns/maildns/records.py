"""A DNS record and its three renderings: zone file, a hoster's form, the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass

import dns.exception
import dns.rdatatype
import dns.zonefile

from maildns.errors import BadRecord

# RFC 1035, 3.3: a character-string holds at most 255 octets.
MAX_STRING_OCTETS = 255
# RFC 2181, 8: a TTL is a positive number of 31 bits.
MAX_TTL_SECONDS = 2**31 - 1
# Types whose value ends in a host name; in a zone file it needs its final dot.
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

    `value` is printable ASCII; that of a TXT record is the joined text, without quotes.
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
        if not _PRINTABLE.fullmatch(self.value) or (self.type != "TXT" and not self.value.strip()):
            raise BadRecord("value")
        if not 0 <= self.ttl_seconds <= MAX_TTL_SECONDS:
            raise BadRecord("ttl")

    def wire_strings(self) -> list[bytes]:
        """The strings of a TXT record, each of at most 255 octets; joined without a space."""
        octets = self.value.encode("ascii")
        cuts = range(0, max(len(octets), 1), MAX_STRING_OCTETS)
        return [octets[cut : cut + MAX_STRING_OCTETS] for cut in cuts]

    def form_value(self) -> str:
        """The value as a hoster's form takes it: whole, without quotes."""
        return self.value

    def zone_line(self) -> str:
        """The line of a zone file (RFC 1035, 5.1)."""
        value = self.value
        if self.type == "TXT":
            value = " ".join(f'"{_escaped(part)}"' for part in self.wire_strings())
        elif self.type in _HOST_VALUED:
            value = f"{value.removesuffix('.')}."
        return f"{self.name}. {self.ttl_seconds} IN {self.type} {value}"

    def short_name(self, zone: str) -> str:
        """The name as many hosters want it: without the zone; @ for the zone itself."""
        return "@" if self.name == zone else self.name.removesuffix(f".{zone}")


def _escaped(part: bytes) -> str:
    return part.decode("ascii").replace("\\", "\\\\").replace('"', '\\"')


def parse_zone_line(line: str) -> Record:
    """Read one line of a zone file, a name without a final dot as absolute. Raises BadRecord."""
    try:
        found = dns.zonefile.read_rrsets(line, rdclass=None)
    except (dns.exception.DNSException, ValueError) as error:
        raise BadRecord("zone_line") from error
    if len(found) != 1 or len(found[0]) != 1:
        raise BadRecord("zone_line")
    rrset, rdata = found[0], found[0][0]
    kind = dns.rdatatype.to_text(rrset.rdtype)
    # Latin-1 takes any octet: those that are no printable ASCII are refused below.
    value = b"".join(rdata.strings).decode("latin-1") if kind == "TXT" else rdata.to_text()
    if kind in _HOST_VALUED:
        value = re.sub(r"(?<=[^ ])\.$", "", value)  # but the root alone, of a null MX, stays
    return Record(rrset.name.to_text(omit_final_dot=True).lower(), kind, value, rrset.ttl)
