"""Real servers that hold a zone, as providers reach them."""

from __future__ import annotations

from pathlib import Path

from fakedns import Data
from knot import Knot, zone_text
from pdns import API_KEY

from maildns.providers.lexicon import Lexicon
from maildns.providers.rfc2136 import Rfc2136, TsigKey
from maildns.resolver import Resolver, Settings

ZONE = "example.com"
KEY = TsigKey("panel.example", "hmac-sha256", "c2VjaHplaG4gb2RlciBtZWhyIE9rdGV0dGU=")
# Knot knows the key, but it may not write.
READ_KEY = TsigKey("reader.example", "hmac-sha512", "bnVyIGxlc2VuLCBuaWNodCBzY2hyZWliZW4=")
SECTIONS = (
    "key:",
    *(
        line
        for key in (KEY, READ_KEY)
        for line in (
            f"  - id: {key.name}", f"    algorithm: {key.algorithm}", f"    secret: {key.secret}"
        )
    ),
    "acl:",
    "  - id: update",
    f"    key: {KEY.name}",
    "    action: [query, update, transfer]",
    "  - id: read",
    f"    key: {READ_KEY.name}",
    "    action: query",
)  # fmt: skip


def knot_holder(folder: Path, data: Data) -> tuple[Knot, Rfc2136]:
    zones = {ZONE: zone_text(ZONE, data)}
    knot = Knot(folder, ["127.0.0.1"], zones, sections=SECTIONS, zone_lines=["acl: [update, read]"])
    return knot, Rfc2136(ZONE, "127.0.0.1", KEY, knot.port)


def pdns_provider(url: str, token: str = API_KEY, zone: str = ZONE) -> Lexicon:
    return Lexicon(zone, "powerdns", {"pdns_server": url, "auth_token": token})


def resolver_at(*ports: int) -> Resolver:
    at = [("127.0.0.1", port) for port in ports]
    return Resolver(Settings(private_allowed=True, overrides={ZONE: at}))
