"""The providers that dns-lexicon knows, and what each wants to be told."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maildns.errors import BadOption
from maildns.providers.lexicon_session import COMMAND, environment

# auto guesses; ddns is maildns.providers.rfc2136, with its answers not looked at; localzone
# writes files of this machine.
_NOT_OFFERED = frozenset({"auto", "ddns", "localzone"})
_SECRET = re.compile(r"token|pass|psw|secret|key|2fa|service_account")
# Where a value says whom to talk to, or which file to read.
_PLACE = re.compile(r"(server|endpoint|host|filename|file)\Z")
# Names as their owners write them, where a capital letter in front does not do.
_LABELS = {
    "cloudns": "ClouDNS", "desec": "deSEC", "digitalocean": "DigitalOcean",
    "directadmin": "DirectAdmin", "dnsimple": "DNSimple", "godaddy": "GoDaddy",
    "henet": "Hurricane Electric", "hostingde": "hosting.de", "httpnet": "http.net",
    "inwx": "INWX", "ionos": "IONOS", "luadns": "LuaDNS", "namecom": "Name.com", "netcup": "netcup",
    "ovh": "OVHcloud", "powerdns": "PowerDNS", "rcodezero": "RcodeZero", "transip": "TransIP",
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """`is_switch`: its value is "1" or nothing. `choices` is empty where anything may stand."""

    name: str
    help: str
    is_secret: bool
    choices: tuple[str, ...] = ()
    is_switch: bool = False


@dataclass(frozen=True)
class Choice:
    """`names_a_place`: the fields say which server is talked to, so not for just anybody."""

    name: str
    label: str
    fields: tuple[Field, ...]
    names_a_place: bool


@functools.cache
def provider_choices() -> tuple[Choice, ...]:
    """All providers whose modules have what they need here, by label.

    The first call takes half a second, as it loads them all.
    """
    done = subprocess.run(  # noqa: S603  our own file
        COMMAND, input=b'{"verb": "choices"}\n', env=environment(), check=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    rows = json.loads(done.stdout)["result"]
    choices = [_choice(row) for row in rows if row["name"] not in _NOT_OFFERED]
    return tuple(sorted(choices, key=lambda choice: choice.label.lower()))


def check_options(name: str, options: Mapping[str, str]) -> None:
    """Raises BadOption for a provider, field or value that cannot be."""
    choice = next((each for each in provider_choices() if each.name == name), None)
    if choice is None:
        raise BadOption("provider", "unknown")
    fields = {each.name: each for each in choice.fields}
    for option, value in options.items():
        if option not in fields:
            raise BadOption(option, "unknown")
        if fields[option].choices and value not in fields[option].choices:
            raise BadOption(option, "choice")
        # Some take the path of a socket for a server.
        if _PLACE.search(option) and "/" in value and not re.match(r"https?://", value):
            raise BadOption(option, "path")


def _choice(row: Mapping[str, Any]) -> Choice:
    name = row["name"]
    fields = tuple(
        Field(
            each["name"], each["help"], bool(_SECRET.search(each["name"])),
            tuple(each["choices"]), each["is_switch"],
        )
        for each in row["fields"]
    )  # fmt: skip
    place = any(_PLACE.search(each.name) for each in fields)
    return Choice(name, _LABELS.get(name, name.capitalize()), fields, place)
