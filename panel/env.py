"""Reads settings from the environment; a secret also from the file that `NAME_FILE` names."""

import ipaddress
import os
import re
import secrets
from pathlib import Path

import environ

env = environ.Env()

NameServers = tuple[tuple[str, int], ...]

_ADDRESS_AND_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<v4>[^:]+)):(?P<port>[0-9]{1,5})")
_ZONE = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


def secret(name: str, *, trial: bool) -> str:
    """Return the secret `name` from `NAME`, else from the file in `NAME_FILE`.

    In trial mode a missing secret is made up for this process; elsewhere it is an error.
    """
    if value := env.str(name, default=""):
        return str(value)
    if path := env.str(f"{name}_FILE", default=""):
        return Path(path).read_text(encoding="utf-8").strip()
    if trial:
        os.environ[name] = secrets.token_urlsafe(48)
        return os.environ[name]
    raise environ.ImproperlyConfigured(f"Set {name}, or {name}_FILE to a file that holds it.")


def host_name(host: str) -> str:
    """The name in `host` or `host:port`; empty for an address or a single label."""
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    is_name = "." in name and not name.rpartition(".")[2].isdigit() and "[" not in name
    return name.lower() if is_name else ""


def servers(text: str, port: int) -> tuple[tuple[str, int], ...]:
    """Names or addresses, each with its own port behind a colon or with `port`."""
    found = []
    for each in text.replace(",", " ").split():
        name, colon, own = each.rpartition(":")
        if colon and own.isdigit() and name.count(":") == 0:
            found.append((name, int(own)))
        else:
            found.append((each.strip("[]"), port))
    return tuple(found)


def name_servers(name: str) -> NameServers:
    """Return the name servers in `name`, `192.0.2.1,192.0.2.1:5353,[2001:db8::1]:53`."""
    return tuple(_name_server(name, each) for each in _parts(env.str(name, default=""), ","))


def zone_servers(name: str) -> dict[str, NameServers]:
    """Return the zones in `name` with their servers, `zone=server,server;zone=server`."""
    zones: dict[str, NameServers] = {}
    for each in _parts(env.str(name, default=""), ";"):
        text, _equals, hosts = each.partition("=")
        zone = text.strip().lower().removesuffix(".")
        if not _ZONE.fullmatch(zone):
            raise environ.ImproperlyConfigured(f"{name}: {text!r} is not the name of a zone.")
        if zone in zones:
            raise environ.ImproperlyConfigured(f"{name}: {zone} is named twice.")
        zones[zone] = tuple(_name_server(name, host) for host in _parts(hosts, ","))
        if not zones[zone]:
            raise environ.ImproperlyConfigured(f"{name}: {zone} has no server; {_FORM}")
    return zones


_FORM = "write 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:53."


def _parts(text: str, mark: str) -> list[str]:
    return [part.strip() for part in text.split(mark) if part.strip()]


def _name_server(name: str, text: str) -> tuple[str, int]:
    """Addresses only: whoever finds name servers cannot look up their names first."""
    found = _ADDRESS_AND_PORT.fullmatch(text)
    host = (found["v6"] or found["v4"]) if found else text
    port = int(found["port"]) if found else 53
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise environ.ImproperlyConfigured(
            f"{name}: {text!r} is not the address of a server; {_FORM}"
        ) from None
    if not 1 <= port <= 65_535:
        raise environ.ImproperlyConfigured(f"{name}: {port} is not a port, in {text!r}.")
    return str(address), port
