"""What differs between mail hosts: addresses, ports, certificates. All else is in the templates."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path


@dataclass(frozen=True)
class Ports:
    """The ports of one host; the inner ones are on loopback everywhere."""

    smtp: int = 25
    submission: int = 587
    submissions: int = 465
    imap: int = 143
    imaps: int = 993
    pop3s: int = 995
    managesieve: int = 4190
    probe: int = 2526
    local: int = 2527
    srs_hop: int = 2530
    srs_forward: int = 2531
    srs_reverse: int = 2532
    milter: int = 2541
    scan: int = 2542
    agent_http: int = 2543


@dataclass(frozen=True)
class HostSettings:
    """One mail host. Sizes are in bytes."""

    state: str
    hostname: str
    host_id: str
    # Where it listens for the world; loopback in a trial.
    address: str = "127.0.0.1"
    ports: Ports = field(default_factory=Ports)
    # Where mail to others goes, such as [127.0.0.1]:2535; empty: by their MX.
    relay: str = ""
    operator_address: str = "operator@outside.example"
    message_size_limit: int = 26_214_400
    panel_group: str = "root"
    # Name servers that Rspamd asks; empty: those of the system.
    name_servers: tuple[str, ...] = ()
    certificate: str = ""
    certificate_key: str = ""

    agent_user: str = "pk-agent"
    mail_user: str = "pk-vmail"

    @property
    def root(self) -> Path:
        return Path(self.state)


def load(path: Path) -> HostSettings:
    facts = json.loads(path.read_text(encoding="utf-8"))
    known = {each.name for each in fields(HostSettings)}
    facts = {key: value for key, value in facts.items() if key in known}
    facts["ports"] = Ports(**facts.get("ports", {}))
    facts["name_servers"] = tuple(facts.get("name_servers", ()))
    return HostSettings(**facts)


def save(settings: HostSettings, path: Path) -> None:
    path.write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")
