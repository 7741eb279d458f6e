"""A DNS record and its three renderings: zone file, a hoster's form, the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass

from maildns.errors import BadRecord

# RFC 1035, 3.3: a character-string holds at most 255 octets.
MAX_STRING_OCTETS = 255


@dataclass(frozen=True)
class Record:
    """One wanted record. `name` is a lower-case A-label without a final dot."""

    name: str
    type: str
    value: str
    ttl_seconds: int = 3600

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
        return f"{self.name}. {self.ttl_seconds} IN {self.type} {value}"

    def short_name(self, zone: str) -> str:
        """The name as many hosters want it: without the zone; @ for the zone itself."""
        return "@" if self.name == zone else self.name.removesuffix(f".{zone}")


def _escaped(part: bytes) -> str:
    return part.decode("ascii").replace("\\", "\\\\").replace('"', '\\"')


def parse_zone_line(line: str) -> Record:
    """Read back what `zone_line` wrote. Raises BadRecord."""
    found = re.fullmatch(r"(\S+)\. (\d+) IN ([A-Z]+) (.+)", line)
    if found is None:
        raise BadRecord("not a zone line")
    name, ttl, kind, value = found.groups()
    if kind == "TXT":
        strings = re.findall(r'"((?:[^"\\]|\\.)*)"', value)
        value = "".join(re.sub(r"\\(.)", r"\1", string) for string in strings)
    return Record(name, kind, value, int(ttl))
