"""The programs of a mail host, in the order of their start, each to be run in the foreground."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from prepare import rspamd_places
from settings import HostSettings


@dataclass(frozen=True)
class Service:
    """`user` None is root. Ready when the port answers or the socket exists."""

    name: str
    argv: tuple[str, ...]
    user: str | None = None
    folder: str = "/"
    port: int | None = None
    socket: str | None = None
    # Those behind it need it.
    first: bool = False


def services(settings: HostSettings) -> list[Service]:
    root, ports = settings.root, settings.ports
    current = root / "etc" / "current"
    agent_config = str(root / "etc" / "agent.json")
    python = "/usr/bin/python3"
    return [
        Service(
            "helper",
            (python, "-B", "-m", "helper", "--config", agent_config),
            folder=str(root / "code"),
            socket=str(root / "run" / "helper" / "helper.sock"),
            first=True,
        ),
        # Before Postfix and Dovecot: it keeps the files open that they read.
        Service(
            "agent",
            (python, "-B", "-m", "agent", "--config", agent_config),
            user=settings.agent_user,
            folder=str(root / "code"),
            socket=str(root / "run" / "agent" / "agent.sock"),
            first=True,
        ),
        Service(
            "srs",
            (
                "/usr/sbin/postsrsd", f"-f{ports.srs_forward}", f"-r{ports.srs_reverse}",
                f"-d{settings.hostname}", f"-s{root / 'etc' / 'srs.secret'}",
                "-upostsrsd", "-l127.0.0.1",
            ),
            port=ports.srs_forward,
        ),
        Service(
            "rspamd",
            (
                "/usr/bin/rspamd", *rspamd_places(settings, current / "rspamd"),
                "-c", "/etc/rspamd/rspamd.conf", "-f", "-u", "_rspamd", "-g", "_rspamd",
            ),
            port=ports.scan,
        ),
        Service(
            "dovecot",
            ("/usr/sbin/dovecot", "-F", "-c", str(current / "dovecot" / "dovecot.conf")),
            port=ports.imaps,
        ),
        Service(
            "postfix",
            # As `postfix start-fg` does it, but without a shell in between and in one session:
            # then the process that is watched is the one that matters.
            (
                "/usr/bin/env", f"MAIL_CONFIG={current / 'postfix'}", "POSTLOG_SERVICE=postlog",
                f"POSTLOG_HOSTNAME={settings.hostname}", "/usr/lib/postfix/sbin/master",
                "-c", str(current / "postfix"), "-d",
            ),
            port=ports.smtp,
        ),
    ]  # fmt: skip
