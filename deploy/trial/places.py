"""Where a trial keeps its things, and on which ports it answers."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent

# name: (the variable that moves it, default)
PORTS = {
    "panel": ("POSTKONTOR_PORT", 8025),
    "smtp": ("POSTKONTOR_SMTP_PORT", 2525),
    "submission": ("POSTKONTOR_SUBMISSION_PORT", 2587),
    "submissions": ("POSTKONTOR_SUBMISSIONS_PORT", 2465),
    "imap": ("POSTKONTOR_IMAP_PORT", 2143),
    "imaps": ("POSTKONTOR_IMAPS_PORT", 2993),
    "pop3s": ("POSTKONTOR_POP3S_PORT", 2995),
    "managesieve": ("POSTKONTOR_MANAGESIEVE_PORT", 2419),
    "imap_inner": ("POSTKONTOR_IMAP_INNER_PORT", 2144),
    "managesieve_inner": ("POSTKONTOR_MANAGESIEVE_INNER_PORT", 2420),
    "probe": ("POSTKONTOR_PROBE_PORT", 2526),
    "local": ("POSTKONTOR_LOCAL_PORT", 2527),
    "srs_hop": ("POSTKONTOR_SRS_HOP_PORT", 2530),
    "srs_forward": ("POSTKONTOR_SRS_FORWARD_PORT", 2531),
    "srs_reverse": ("POSTKONTOR_SRS_REVERSE_PORT", 2532),
    "outside": ("POSTKONTOR_OUTSIDE_PORT", 2535),
    "milter": ("POSTKONTOR_MILTER_PORT", 2541),
    "scan": ("POSTKONTOR_SCAN_PORT", 2542),
    "agent_http": ("POSTKONTOR_AGENT_HTTP_PORT", 2543),
    "redis": ("POSTKONTOR_REDIS_PORT", 2579),
    "dns": ("POSTKONTOR_DNS_PORT", 15353),
    "dns_second": ("POSTKONTOR_DNS_SECOND_PORT", 15354),
}
# Those that must be free for UDP, too.
BY_UDP = ("dns", "dns_second")


class Unusable(Exception):
    """Something that a person must change; the text says what."""


@dataclass(frozen=True)
class Places:
    """`state` is short and can be traversed by the mail host's users; `var/` links to it."""

    state: Path
    ports: dict[str, int]

    @property
    def panel(self) -> Path:
        return self.state / "panel"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def mailhost(self) -> Path:
        return self.state / "mailhost"

    @property
    def outside(self) -> Path:
        return self.state / "outside"

    @property
    def names(self) -> Path:
        return self.state / "names"

    @property
    def endpoints(self) -> Path:
        return self.run / "endpoints.json"

    @property
    def supervisor(self) -> Path:
        return self.run / "supervisor.json"


def find() -> Places:
    """Read the environment. Raises Unusable."""
    own = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
    state = Path(os.environ.get("POSTKONTOR_STATE") or f"/var/lib/postkontor/{own}")
    if not state.is_absolute():
        raise Unusable("POSTKONTOR_STATE must be an absolute path.")
    if len(str(state / "mailhost/spool/private/dovecot-quota")) > 100:
        raise Unusable(
            "POSTKONTOR_STATE is too long: a Unix socket's path has at most 107 bytes. "
            "Choose a shorter directory."
        )
    ports = {}
    for name, (variable, default) in PORTS.items():
        text = os.environ.get(variable, str(default))
        if not text.isdigit() or not 1024 <= int(text) <= 65535:
            raise Unusable(f"{variable} must be a port from 1024 to 65535, not {text!r}.")
        ports[name] = int(text)
    doubled = {port for port in ports.values() if list(ports.values()).count(port) > 1}
    if doubled:
        names = [PORTS[name][0] for name, port in ports.items() if port in doubled]
        raise Unusable(f"{' and '.join(names)} name the same port.")
    return Places(state, ports)


def refuse_taken_ports(places: Places) -> None:
    """Raises Unusable for the first port that somebody else has."""
    for name, port in places.ports.items():
        if is_taken(name, port):
            raise Unusable(
                f"Port {port} ({name}) is taken. Free it, or choose another one with "
                f"{PORTS[name][0]}, for example: {PORTS[name][0]}={port + 10000} make run"
            )


def is_taken(name: str, port: int) -> bool:
    kinds = [socket.SOCK_STREAM, *([socket.SOCK_DGRAM] if name in BY_UDP else [])]
    return not all(_can_bind(kind, port) for kind in kinds)


def _can_bind(kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(type=kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
