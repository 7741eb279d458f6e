"""Make a mail host ready: users, directories, certificate, code, configuration. Run as root.

Safe to repeat. The configuration is rendered into a new directory, checked there, and switched to
in one step; what does not pass the checks changes nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import grp
import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import render
import settings as host_settings
from settings import HostSettings

HERE = Path(__file__).parent


class NotReady(Exception):
    """The host cannot be made ready; the text says why."""


def prepare(settings: HostSettings) -> None:
    _users(settings)
    _directories(settings)
    _code(settings)
    token = _token(settings)
    if not settings.certificate:
        _certificate(settings)
    _agent_config(settings)
    _configuration(settings, token)
    _left_behind(settings)


def _users(settings: HostSettings) -> None:
    """Two users of our own; nobody else's are changed."""
    for name in (settings.agent_user, settings.mail_user):
        try:
            pwd.getpwnam(name)
        except KeyError:
            _run(
                "/usr/sbin/useradd", "--system", "--user-group", "--no-create-home",
                "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name,
            )  # fmt: skip


def _directories(settings: HostSettings) -> None:
    agent, mail = settings.agent_user, settings.mail_user
    for name, owner, group, mode in (
        ("", "root", "root", 0o755),
        ("etc", "root", "root", 0o755),
        ("tls", "root", "root", 0o755),
        ("log", "root", "root", 0o755),
        ("run", "root", "root", 0o755),
        # Set-group-id: the agent's files belong to the group of those who read them.
        ("lookup", agent, "postfix", 0o2750),
        ("auth", agent, "dovecot", 0o2750),
        ("private", agent, agent, 0o700),
        ("run/agent", agent, settings.panel_group, 0o2750),
        ("run/helper", "root", agent, 0o750),
        ("run/dovecot", "root", "root", 0o755),
        ("run/dovecot-state", "root", "root", 0o755),
        ("run/rspamd", "_rspamd", "_rspamd", 0o755),
        ("rspamd", "_rspamd", "_rspamd", 0o750),
        ("spool", "root", "root", 0o755),
        ("data", "postfix", "postfix", 0o700),
        ("mail", mail, mail, 0o700),
    ):
        path = settings.root / name
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        os.chown(path, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
        path.chmod(mode)
    for name, owner in (
        ("rspamd.log", "_rspamd"),
        ("dovecot.log", "root"),
        ("postfix.log", "root"),
    ):
        path = settings.root / "log" / name
        path.touch(mode=0o640)
        os.chown(path, pwd.getpwnam(owner).pw_uid, 0)
    _secret(settings.root / "etc" / "srs.secret", 24)


def _secret(path: Path, size: int) -> None:
    """Make a random secret once; it is there whole or not at all."""
    if not path.exists() or not path.read_text(encoding="ascii").strip():
        aside = path.with_suffix(".new")
        aside.unlink(missing_ok=True)
        aside.touch(mode=0o600)
        aside.write_text(secrets.token_urlsafe(size) + "\n", encoding="ascii")
        aside.replace(path)


def _code(settings: HostSettings) -> None:
    """Install the agent's code where its user can read it."""
    code, old = settings.root / "code", settings.root / "code.old"
    for left in settings.root.glob("code.*"):
        shutil.rmtree(left)
    new = settings.root / f"code.{secrets.token_hex(4)}"
    new.mkdir(mode=0o755)
    for name in ("agent", "helper", "schema"):
        shutil.copytree(HERE / name, new / name, ignore=shutil.ignore_patterns("__pycache__"))
    for place in new.rglob("*"):
        place.chmod(0o755 if place.is_dir() else 0o644)
    if code.exists():
        code.rename(old)
    new.rename(code)
    shutil.rmtree(old, ignore_errors=True)


def _token(settings: HostSettings) -> str:
    path = settings.root / "etc" / "vault.token"
    _secret(path, 32)
    os.chown(path, 0, pwd.getpwnam(settings.agent_user).pw_gid)
    path.chmod(0o640)
    return path.read_text(encoding="ascii").strip()


def _certificate(settings: HostSettings) -> None:
    """A private authority and a certificate of it, for trials: 127.0.0.1 is in its names."""
    tls = settings.root / "tls"
    names = tls / "names.ext"
    wanted = (
        f"subjectAltName=DNS:{settings.hostname},DNS:localhost,IP:127.0.0.1\n"
        "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
    )
    if (tls / "host.pem").exists() and names.exists() and names.read_text("ascii") == wanted:
        return
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    _run(
        "openssl", "req", "-x509", *key, "-days", "3650", "-subj", "/CN=Postkontor trial CA",
        "-addext", "basicConstraints=critical,CA:TRUE",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout", str(tls / "ca.key"), "-out", str(tls / "ca.pem"),
    )  # fmt: skip
    _run(
        "openssl", "req", "-new", *key, "-subj", f"/CN={settings.hostname}",
        "-keyout", str(tls / "host.key"), "-out", str(tls / "host.csr"),
    )  # fmt: skip
    names.write_text(wanted, encoding="ascii")
    _run(
        "openssl", "x509", "-req", "-in", str(tls / "host.csr"), "-CA", str(tls / "ca.pem"),
        "-CAkey", str(tls / "ca.key"), "-CAcreateserial", "-days", "825",
        "-extfile", str(names), "-out", str(tls / "host.pem"),
    )  # fmt: skip
    for name in ("ca.key", "host.key"):
        (tls / name).chmod(0o600)
    for name in ("ca.pem", "host.pem"):
        (tls / name).chmod(0o644)


def _agent_config(settings: HostSettings) -> None:
    path = settings.root / "etc" / "agent.json"
    facts = {
        "state": settings.state,
        "hostname": settings.hostname,
        "host_id": settings.host_id,
        "http_port": settings.ports.agent_http,
        "probe_smtp_port": settings.ports.probe,
        "imaps_port": settings.ports.imaps,
        "rspamd_port": settings.ports.scan,
        "vault_token_file": str(settings.root / "etc" / "vault.token"),
        "agent_user": settings.agent_user,
        "mail_user": settings.mail_user,
        "panel_group": settings.panel_group,
    }
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    path.chmod(0o644)


def _configuration(settings: HostSettings, token: str) -> None:
    """Render aside and check there, then switch: a process that starts meanwhile reads the old one.

    The files name each other by their place, so what is checked differs from what is switched to
    in the name of its directory, and in nothing else.
    """
    etc = settings.root / "etc"
    current = etc / "current"
    name = secrets.token_hex(4)
    trial, new = etc / f"check-{name}", etc / f"config-{name}"
    try:
        for folder, place in ((trial, trial), (new, current)):
            folder.mkdir(mode=0o755)
            render.write(settings, token, folder, etc=place)
        check(settings, trial)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    before = current.resolve().name if current.is_symlink() else ""
    _point(current, new.name)
    for old in (*etc.glob("config-*"), *etc.glob("check-*")):
        if old.name not in (new.name, before):
            shutil.rmtree(old)


def _point(link: Path, target: str) -> None:
    aside = link.with_name(f"{link.name}.{secrets.token_hex(4)}")
    aside.symlink_to(target)
    aside.replace(link)


def check(settings: HostSettings, folder: Path) -> None:
    """Have each program read its configuration. Raises NotReady with what it says."""
    _run_on_terminal("/usr/sbin/postfix", "-c", str(folder / "postfix"), "check")
    _run("/usr/bin/doveconf", "-c", str(folder / "dovecot" / "dovecot.conf"), "-n")
    places = rspamd_places(settings, folder / "rspamd")
    _run("/usr/bin/rspamadm", *places, "configtest", "-c", "/etc/rspamd/rspamd.conf")


def rspamd_places(settings: HostSettings, local: Path) -> list[str]:
    """Rspamd's own places, and `local`, where its settings lie."""
    root = settings.root
    return [
        f"--var=DBDIR={root / 'rspamd'}",
        f"--var=RUNDIR={root / 'run' / 'rspamd'}",
        f"--var=LOGDIR={root / 'log'}",
        f"--var=LOCAL_CONFDIR={local}",
    ]


def _left_behind(settings: HostSettings) -> None:
    """Dovecot believes in a pid file for as long as anybody has its number.

    After a restart of the machine that is likely somebody else, and Dovecot would not start.
    """
    path = settings.root / "run" / "dovecot" / "master.pid"
    try:
        pid = int(path.read_text(encoding="ascii"))
        line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ValueError):
        line = []
    if str(settings.root / "etc" / "current" / "dovecot" / "dovecot.conf").encode() not in line:
        path.unlink(missing_ok=True)


def _run(*argv: str) -> None:
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise NotReady(f"{' '.join(argv[:3])}: {(done.stderr or done.stdout).strip()[-2000:]}")


def _run_on_terminal(*argv: str) -> None:
    """For Postfix: what is wrong it says on a terminal, or else in a log that may not exist yet."""
    ours, theirs = os.openpty()
    said = b""
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        # Reading fails when the last one who could write has closed it.
        with contextlib.suppress(OSError):
            while data := os.read(ours, 4096):
                said += data
    os.close(ours)
    if child.returncode:
        text = said.decode(errors="replace").strip()[-2000:]
        raise NotReady(f"{' '.join(argv[:3])}: {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", type=Path, help="JSON file with the host's settings")
    try:
        prepare(host_settings.load(parser.parse_args().settings))
    except NotReady as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
