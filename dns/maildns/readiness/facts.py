"""What a check of a mail host must be told: the host, and how to look at it."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from maildns.errors import BadRecord


class ListKind(StrEnum):
    """Why a list has an address in it. The last two say: no mail server should be there."""

    SPAM = "spam"
    POLICY = "policy"
    DIAL_UP = "dial_up"


@dataclass(frozen=True)
class BlockList:
    """A list of addresses in a DNS zone (RFC 5782). `codes` are answers of another `kind`.

    `four` and `six` say which addresses it lists; a list of both is tested by its IPv4 entries.
    `removal` is the page where its owner says what to do.
    """

    zone: str
    kind: ListKind = ListKind.SPAM
    codes: Mapping[str, ListKind] = field(default_factory=dict)
    four: bool = True
    six: bool = False
    removal: str = ""

    def covers(self, address: str) -> bool:
        return self.six if ":" in address else self.four

    def kind_of(self, code: str) -> ListKind:
        return self.codes.get(code, self.kind)


# Few on purpose: most public lists are hardly used, and some are for sale. What these two say
# of themselves, looked up in November 2026:
# docs.spamhaus.com, "Available Zones" (.10 and .11 are the policy list, all others spam);
# psbl.org/howto (one code; "Anybody is free to use PSBL").
# Spamhaus answers public resolvers, and much traffic, with an error: then it reads unknown.
BLOCK_LISTS = (
    BlockList(
        "zen.spamhaus.org",
        codes={"127.0.0.10": ListKind.POLICY, "127.0.0.11": ListKind.POLICY},
        six=True,
        removal="https://check.spamhaus.org/",
    ),
    BlockList("psbl.surriel.com", removal="https://psbl.org/remove"),
)

# Big receivers that any mail host will write to; what is looked at is whether a banner comes.
PORT_25_NAMES = ("gmail.com", "gmx.net", "outlook.com")

# Open to all, of the institute that keeps the legal time of Germany, at two sites:
# www.ptb.de, working group Q.42, looked up in November 2026. Not pool.ntp.org, which asks
# software to bring names of its own.
TIME_SERVERS = (("ptbtime1.ptb.de", 123), ("ptbtime2.ptb.de", 123), ("ptbtime4.ptb.de", 123))


@dataclass(frozen=True)
class Settings:
    """How to look. `private_allowed` is for a trial: else private addresses are bad and not
    knocked at.

    `port_25_names` are domains whose mail exchangers are tried; `port_25_hosts` and
    `time_servers` are names or addresses, with ports. `ca_file` replaces the system's
    authorities. `tenant_zones` are zones whose names no PTR record should show.
    """

    block_lists: tuple[BlockList, ...] = BLOCK_LISTS
    port_25_names: tuple[str, ...] = PORT_25_NAMES
    port_25_hosts: tuple[tuple[str, int], ...] = ()
    time_servers: tuple[tuple[str, int], ...] = TIME_SERVERS
    ca_file: str = ""
    certificate_warning_days: int = 21
    clock_warning_seconds: float = 5.0
    clock_bad_seconds: float = 300.0
    connect_seconds: float = 10.0
    time_seconds: float = 3.0
    deadline_seconds: float = 60.0
    private_allowed: bool = False
    tenant_zones: Collection[str] = ()


@dataclass(frozen=True)
class HostFacts:
    """A mail host as we mean it to be. Names are lower-case A-labels, `addresses` those that its
    mail leaves from.

    `spf_include` is the name that customers include. `dkim_record` is the value that must stand
    at `dkim_selector` of `dkim_domain`. `certificate` is what the host itself says that it shows
    at `smtp_port`, in PEM: used where it cannot be dialled. `tlsa_is_signed` says whether its
    zone is proven by DNSSEC, None if that is not known. Raises BadRecord.
    """

    name: str
    helo: str
    addresses: tuple[str, ...]
    spf_include: str = ""
    dkim_domain: str = ""
    dkim_selector: str = ""
    dkim_record: str = ""
    certificate: str = ""
    tlsa_is_signed: bool | None = None
    smtp_port: int = 25

    def __post_init__(self) -> None:
        if not self.addresses:
            raise BadRecord("address")
        for address in self.addresses:
            try:
                ipaddress.ip_address(address)
            except ValueError as error:
                raise BadRecord("address") from error
