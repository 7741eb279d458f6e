"""The one renderer: templates with @name@ places become the configuration of a host."""

from __future__ import annotations

import grp
import os
import pwd
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from settings import HostSettings

TEMPLATES = Path(__file__).parent / "templates"
# Files that hold a secret, and the group that may read them.
SECRET = {"rspamd/local.d/dkim_signing.conf": "_rspamd", "rspamd/rspamd.local.lua": "_rspamd"}

# A local part without its +tag, in SQL; Postfix puts the quoted local part for %u.
_BARE = "CASE instr('%u', '+') WHEN 0 THEN '%u' ELSE substr('%u', 1, instr('%u', '+') - 1) END"

# Names that always reach somebody (RFC 5321, 4.5.1; RFC 2142).
_RESERVED = "('postmaster', 'abuse', 'hostmaster', 'webmaster', 'security')"


# --- the way of a mail through the tables, in SQL: from route to route until somebody reads it ---
# ruff: noqa: S608  (texts of queries for others to run, put together from constants)


def _place(join: str, target: str) -> str:
    """Join where an address lies: t its domain, u the one with the names, b its row.

    A domain whose mail goes elsewhere has no t: what is in it is outside.
    """
    local_part = f"substr({target}, 1, min(instr({target} || '+', '+'), instr({target}, '@')) - 1)"
    return (
        f"{join} receiving t ON t.name = substr({target}, instr({target}, '@') + 1)"
        f" {join} domain u ON u.id = coalesce(t.canonical_id, t.id)"
        f" LEFT JOIN address b ON b.domain_id = u.id AND b.state <> 'trash'"
        f" AND b.local_part = {local_part}"
    )


_TAKES = "t.state <> 'off' AND u.state <> 'off'"
_READ = f"{_TAKES} AND b.type = 'mailbox' AND b.state IN ('active', 'login_off')"
_IS_RESERVED = (
    "b.id IS NULL AND u.postmaster IS NOT NULL"
    f" AND substr(way.target, 1, instr(way.target, '@') - 1) IN {_RESERVED}"
)


def _way(start: str) -> str:
    """The table way(target): `start` and all that it leads to."""
    return (
        f"way(target) AS (SELECT lower({start}) UNION"
        f" SELECT lower(CASE WHEN b.id IS NOT NULL THEN r.target WHEN {_IS_RESERVED}"
        " THEN u.postmaster ELSE u.catch_all END)"
        f" FROM way {_place('JOIN', 'way.target')}"
        " LEFT JOIN route r ON r.address_id = b.id"
        f" WHERE {_TAKES} AND (b.state IN ('active', 'login_off') AND r.target IS NOT NULL"
        f" OR {_IS_RESERVED} OR b.id IS NULL AND u.catch_all IS NOT NULL))"
    )


def _alive(start: str) -> str:
    """Whether somebody reads what is sent to `start`: a mailbox here, or whoever is outside."""
    return (
        f"EXISTS (WITH RECURSIVE {_way(start)}"
        f" SELECT 1 FROM way {_place('LEFT JOIN', 'way.target')}"
        f" WHERE t.id IS NULL OR {_READ} OR {_TAKES} AND {_IS_RESERVED})"
    )


def _only_reader(start: str) -> str:
    """The id of the mailbox that stores what is sent to `start`, when it is the only reader."""
    return (
        f"(WITH RECURSIVE {_way(start)} SELECT CASE count(DISTINCT coalesce(b.id, way.target))"
        f" WHEN 1 THEN max(b.id) END FROM way {_place('LEFT JOIN', 'way.target')}"
        f" WHERE t.id IS NULL OR {_READ} AND (b.keep_copy"
        " OR NOT EXISTS (SELECT 1 FROM route r WHERE r.address_id = b.id)))"
    )


def places(settings: HostSettings, token: str, etc: Path) -> dict[str, str]:
    """All values that templates may name; `etc` is where the files will be found."""
    mail = pwd.getpwnam(settings.mail_user)
    values = {key: str(value) for key, value in asdict(settings).items() if key != "ports"}
    values |= {f"port_{key}": str(value) for key, value in asdict(settings.ports).items()}
    values |= {
        "etc": str(etc),
        "bare": _BARE,
        "reserved": _RESERVED,
        "alive_target": _alive("r.target"),
        "alive_catch_all": _alive("d.catch_all"),
        "alive_postmaster": _alive("d.postmaster"),
        "only_reader": _only_reader("'%Lu'"),
        "token": token,
        "relay_transport": f"smtp:{settings.relay}",
        "mail_uid": str(mail.pw_uid),
        "mail_gid": str(mail.pw_gid),
        "certificate": settings.certificate or f"{settings.state}/tls/host.pem",
        "certificate_key": settings.certificate_key or f"{settings.state}/tls/host.key",
        "message_size_mib": str(settings.message_size_limit // 1_048_576),
        "name_servers": _name_servers(settings),
        "inet_protocols": "ipv4" if "." in settings.address else "all",
    }
    return values


def _name_servers(settings: HostSettings) -> str:
    if not settings.name_servers:
        return ""
    return "nameserver = [" + ", ".join(f'"{each}"' for each in settings.name_servers) + "];"


def rendered(settings: HostSettings, token: str, etc: Path) -> Iterator[tuple[str, str]]:
    """Yield (relative path, text) of each file. Raises KeyError for an unknown place."""
    values = places(settings, token, etc)
    for template in sorted(TEMPLATES.rglob("*")):
        if template.is_file():
            text = template.read_text(encoding="utf-8")
            yield (
                str(template.relative_to(TEMPLATES)),
                re.sub(r"@([a-z][a-z0-9_]*)@", lambda found: values[found[1]], text),
            )


def write(settings: HostSettings, token: str, folder: Path, *, etc: Path) -> None:
    """Write all files below a new folder, each with its mode from the start.

    The files name each other as lying below `etc`.
    """
    for name, text in rendered(settings, token, etc):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        if group := SECRET.get(name):
            os.chown(path, 0, grp.getgrnam(group).gr_gid)
            path.chmod(0o640)
        else:
            path.chmod(0o644)
    for place in [folder, *folder.rglob("*")]:
        if place.is_dir():
            place.chmod(0o755)
