"""A real name server on loopback, with zones as data."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import dns.exception
import dns.message
import dns.query
from fakedns import NEGATIVE_TTL, TTL, Data

NAMES_LAST = {"CNAME", "MX", "NS", "PTR", "SRV"}


class Knot:
    """Starts knotd on `addresses` and one port, with its files in `folder`; ends by its pid.

    `sections` are lines of the configuration before the zones, as for a key; `zone_lines` such
    as "acl: update" belong to each zone. A zone without text comes by transfer.
    """

    def __init__(
        self,
        folder: Path,
        addresses: Iterable[str],
        zones: dict[str, str],
        port: int = 0,
        sections: Sequence[str] = (),
        zone_lines: Sequence[str] = (),
    ) -> None:
        self.sections, self.zone_lines = sections, zone_lines
        self.addresses = tuple(addresses)
        self.port = port or free_port(self.addresses)
        folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            ["/usr/sbin/knotd", "-c", self._configure(folder, zones)],
            stdout=(folder / "log").open("w"),
            stderr=subprocess.STDOUT,
        )
        self.log = folder / "log"
        self._wait(list(zones))

    def _configure(self, folder: Path, zones: dict[str, str]) -> Path:
        lines = [
            "server:",
            *(f"    listen: {address}@{self.port}" for address in self.addresses),
            f"    rundir: {folder}",
            "    udp-workers: 1",
            "    tcp-workers: 1",
            "    background-workers: 1",
            "database:",
            f"    storage: {folder}",
            "log:",
            "  - target: stdout",
            "    any: warning",
            *self.sections,
            "template:",
            "  - id: default",
            "    zonefile-sync: -1",
            "    zonefile-load: whole",
            "    journal-content: none",
            "zone:",
        ]
        for number, (zone, text) in enumerate(zones.items()):
            file = folder / f"{number}.zone"
            lines += [f"  - domain: {zone}", f"    file: {file}"]
            lines += [f"    {line}" for line in self.zone_lines]
            if text:
                file.write_text(text)
        configuration = folder / "knot.conf"
        configuration.write_text("\n".join(lines) + "\n")
        return configuration

    def _wait(self, zones: list[str]) -> None:
        end = time.monotonic() + 20
        while not all(self._answers(zone) for zone in zones):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(self.log.read_text())
            time.sleep(0.02)

    def _answers(self, zone: str) -> bool:
        query = dns.message.make_query(zone, "SOA")
        try:
            reply = dns.query.udp(query, self.addresses[0], 0.5, self.port)
        except (dns.exception.DNSException, OSError):
            return False
        return bool(reply.answer)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_port(addresses: Iterable[str]) -> int:
    """A port that is free on all addresses, for UDP and TCP."""
    addresses = list(addresses)
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
            first.bind((addresses[0], 0))
            port = first.getsockname()[1]
        if all(_free(address, port) for address in addresses):
            return port


def _free(address: str, port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def zone_text(zone: str, data: Data, servers: Iterable[str] = ("ns.host.example",)) -> str:
    """The part of `data` that lies in a zone, as a zone file."""
    dot = "." if zone == "." else f"{zone}."
    lines = [
        f"$TTL {TTL}",
        f"{dot} SOA ns.host.example. hostmaster.host.example. 1 3600 600 86400 {NEGATIVE_TTL}",
        *(f"{dot} NS {server}." for server in servers),
    ]
    for name, sets in data.items():
        if zone == "." or name == zone or name.endswith(f".{zone}"):
            lines += [
                f"{name}. {kind} {_value(kind, value)}"
                for kind, values in sets.items()
                for value in values
            ]
    return "\n".join(lines) + "\n"


def _value(kind: str, value: str) -> str:
    if kind == "TXT":
        cuts = range(0, max(len(value), 1), 255)
        return " ".join(f'"{_escaped(value[cut : cut + 255])}"' for cut in cuts)
    return f"{value.removesuffix('.')}." if kind in NAMES_LAST else value


def _escaped(text: str) -> str:
    return "".join(
        c if (c.isascii() and c.isalnum()) or c in " =;-_:." else f"\\{ord(c):03d}" for c in text
    )
