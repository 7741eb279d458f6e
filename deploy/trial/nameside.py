"""The name servers of a trial: a private Knot, and a second one that transfers from it.

They serve the demo domains as their hoster left them (a website, nothing of mail), the zone of the
mail host, the reverse zone of loopback, and `test` itself, in which lies every further name that
somebody adds. All of it may be updated with one TSIG key (RFC 2136, RFC 8945) and is kept.
Standard library only: it also runs as root, on the system's Python.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from supervisor import Service

USER = "knot"
ADDRESS = "127.0.0.1"
KEY_NAME = "postkontor-trial"
KEY_ALGORITHM = "hmac-sha256"
DOMAINS = ("example.test",)
TOP_LEVEL = "test"
REVERSE = "127.in-addr.arpa"
# A website somewhere (RFC 5737): it must stay as it is.
WEBSITE = "192.0.2.80"
TTL_SECONDS = 300
# How long "there is no such name" is remembered; a new key waits for that long before it signs.
NEGATIVE_TTL_SECONDS = 10


@dataclass(frozen=True)
class NameServers:
    """`state` holds their files, `key_file` the TSIG secret in base64. The first port is the
    primary's."""

    state: str
    ports: tuple[int, int]
    key_file: str
    mail_host: str

    @property
    def root(self) -> Path:
        return Path(self.state)

    @property
    def zones(self) -> dict[str, str]:
        """What they serve: the text of each zone as it is at first."""
        host, _dot, own = self.mail_host.partition(".")
        servers = [f"ns1.{own}.", f"ns2.{own}."]
        website = [("www", "A", WEBSITE)]
        glue = [(server, "A", ADDRESS) for server in servers]
        return {
            **{domain: _zone_text(domain, servers, website) for domain in DOMAINS},
            own: _zone_text(own, servers, _provider(host, own)),
            REVERSE: _zone_text(REVERSE, servers, []),
            TOP_LEVEL: _zone_text(TOP_LEVEL, servers, glue, delegated=(*DOMAINS, own)),
        }


def _provider(host: str, zone: str) -> list[tuple[str, str, str]]:
    """What a provider has set up before his first customer; all but the PTR record."""
    return [
        *((name, "A", ADDRESS) for name in (host, "panel", "ns1", "ns2")),
        (host, "TXT", '"v=spf1 a -all"'),
        ("_spf.panel", "TXT", f'"v=spf1 ip4:{ADDRESS} -all"'),
        ("reports.panel", "MX", f"10 {host}.{zone}."),
        ("*._report._dmarc.reports.panel", "TXT", '"v=DMARC1"'),
    ]


def save(servers: NameServers, path: Path) -> None:
    path.write_text(json.dumps(asdict(servers), indent=2), encoding="utf-8")


def load(path: Path) -> NameServers:
    facts = json.loads(path.read_text(encoding="utf-8"))
    first, second = facts.pop("ports")
    return NameServers(**facts, ports=(first, second))


def overrides(servers: NameServers) -> str:
    """The setting by which the panel finds them: POSTKONTOR_DNS_OVERRIDES."""
    hosts = ",".join(f"{ADDRESS}:{port}" for port in servers.ports)
    return ";".join(f"{zone}={hosts}" for zone in servers.zones)


def _zone_text(
    zone: str,
    servers: list[str],
    records: list[tuple[str, str, str]],
    delegated: tuple[str, ...] = (),
) -> str:
    hostmaster = "hostmaster." + servers[0].partition(".")[2]
    # Refreshed each minute: what the second one misses while it is down, it asks for soon.
    timers = f"1 60 5 604800 {NEGATIVE_TTL_SECONDS}"
    lines = [
        f"$ORIGIN {zone}.",
        f"$TTL {TTL_SECONDS}",
        f"@ {NEGATIVE_TTL_SECONDS} SOA {servers[0]} {hostmaster} {timers}",
        *(f"@ NS {server}" for server in servers),
        *(f"{name}. NS {server}" for name in delegated for server in servers),
        *(f"{name} {kind} {value}" for name, kind, value in records),
    ]
    return "\n".join(lines) + "\n"


def prepare(servers: NameServers) -> None:
    """Write the configurations, and the zones that are not there yet. Run as root."""
    secret = Path(servers.key_file).read_text(encoding="ascii").strip()
    owner = pwd.getpwnam(USER)
    _folder(servers.root, owner)
    for number in (0, 1):
        folder = servers.root / str(number + 1)
        for path in (folder, folder / "zones"):
            _folder(path, owner)
        # Its process id may be somebody else's by now; Knot would take that for itself.
        (folder / "knot.pid").unlink(missing_ok=True)
        _file(folder / "knot.conf", configuration(servers, number, secret), owner)
    for zone, text in servers.zones.items():
        if not (path := _zone_file(servers, 0, zone)).exists():
            _file(path, text, owner)


def _folder(path: Path, owner: pwd.struct_passwd) -> None:
    path.mkdir(exist_ok=True)
    os.chown(path, owner.pw_uid, owner.pw_gid)
    path.chmod(0o750)


def _file(path: Path, text: str, owner: pwd.struct_passwd) -> None:
    """There whole or not at all, and for its owner only."""
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    aside.touch(mode=0o600)
    os.chown(aside, owner.pw_uid, owner.pw_gid)
    aside.write_text(text, encoding="ascii")
    aside.replace(path)


def configuration(servers: NameServers, number: int, secret: str) -> str:
    """The knot.conf of the primary (0) or of the one that transfers from it (1)."""
    folder = servers.root / str(number + 1)
    other = servers.ports[1 - number]
    zone_lines = (
        ["    notify: other", "    acl: [update]"]
        if number == 0
        else ["    master: other", "    acl: [notify]"]
    )
    lines = [
        "server:",
        f"    listen: {ADDRESS}@{servers.ports[number]}",
        f'    rundir: "{folder}"',
        "    udp-workers: 1",
        "    tcp-workers: 1",
        "    background-workers: 1",
        "database:",
        f'    storage: "{folder}"',
        "    journal-db-max-size: 64M",
        "log:",
        "  - target: stdout",
        "    any: info",
        "key:",
        f"  - id: {KEY_NAME}",
        f"    algorithm: {KEY_ALGORITHM}",
        f"    secret: {secret}",
        "remote:",
        "  - id: other",
        f"    address: {ADDRESS}@{other}",
        f"    key: {KEY_NAME}",
        "acl:",
        "  - id: update",
        f"    key: {KEY_NAME}",
        "    action: [update, transfer]",
        "  - id: notify",
        f"    key: {KEY_NAME}",
        "    action: [notify]",
        "template:",
        "  - id: default",
        f'    storage: "{folder / "zones"}"',
        # Into its file at once, and into the journal before: a kill loses nothing.
        "    zonefile-sync: 0",
        "    journal-content: changes",
        *zone_lines,
        "zone:",
        *(f"  - domain: {zone}" for zone in servers.zones),
    ]
    return "\n".join(lines) + "\n"


def _zone_file(servers: NameServers, number: int, zone: str) -> Path:
    return servers.root / str(number + 1) / "zones" / f"{zone}.zone"


def services(servers: NameServers) -> list[Service]:
    """Ready when each has all zones."""
    return [
        Service(
            name=f"nameserver{number + 1}",
            argv=("/usr/sbin/knotd", "-c", str(servers.root / str(number + 1) / "knot.conf")),
            user=USER,
            ready=lambda number=number: has_all_zones(servers, number),  # type: ignore[misc]
        )
        for number in (0, 1)
    ]


def has_all_zones(servers: NameServers, number: int) -> bool:
    socket = servers.root / str(number + 1) / "knot.sock"
    return all(
        subprocess.run(
            ["/usr/sbin/knotc", "-t", "2", "-s", str(socket), "zone-read", zone, "@", "SOA"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        ).returncode == 0
        for zone in servers.zones
    )  # fmt: skip
