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


def places(settings: HostSettings, token: str) -> dict[str, str]:
    """All values that templates may name."""
    mail = pwd.getpwnam(settings.mail_user)
    values = {key: str(value) for key, value in asdict(settings).items() if key != "ports"}
    values |= {f"port_{key}": str(value) for key, value in asdict(settings.ports).items()}
    values |= {
        "etc": f"{settings.state}/etc/current",
        "bare": _BARE,
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


def rendered(settings: HostSettings, token: str) -> Iterator[tuple[str, str]]:
    """Yield (relative path, text) of each file. Raises KeyError for an unknown place."""
    values = places(settings, token)
    for template in sorted(TEMPLATES.rglob("*")):
        if template.is_file():
            text = template.read_text(encoding="utf-8")
            yield (
                str(template.relative_to(TEMPLATES)),
                re.sub(r"@([a-z][a-z0-9_]*)@", lambda found: values[found[1]], text),
            )


def write(settings: HostSettings, token: str, folder: Path) -> None:
    """Write all files below a new folder, each with its mode from the start."""
    for name, text in rendered(settings, token):
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
