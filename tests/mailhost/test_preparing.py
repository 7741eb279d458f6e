"""Rendering and checking a host's configuration, without starting it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import prepare
import pytest
import render
from hostproc import free_ports
from settings import HostSettings, Ports


@pytest.fixture
def wanted() -> Iterator[HostSettings]:
    folder = Path(tempfile.mkdtemp(prefix="pkc-", dir="/tmp"))
    folder.chmod(0o755)
    # As in production: the world's ports, and each mail by its own MX. Postfix wants an address
    # that the machine has.
    yield HostSettings(
        state=str(folder), hostname="mx1.hoster.example", host_id="1", relay="",
        ports=replace(Ports(), agent_http=free_ports(1)[0]),
    )  # fmt: skip
    shutil.rmtree(folder)


def test_production_settings_pass_the_checks_of_all_programs(wanted: HostSettings) -> None:
    prepare.prepare(wanted)
    shown = subprocess.run(
        ["postconf", "-c", wanted.root / "etc/current/postfix", "-x", "mynetworks", "relayhost",
         "default_transport", "smtpd_forbid_bare_newline", "disable_vrfy_command",
         "smtpd_sasl_auth_enable", "milter_default_action"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    values = dict(line.replace(" ", "").split("=", 1) for line in shown.stdout.splitlines())
    assert values == {
        "mynetworks": "", "relayhost": "", "default_transport": "smtp:",
        "smtpd_forbid_bare_newline": "normalize", "disable_vrfy_command": "yes",
        "smtpd_sasl_auth_enable": "no", "milter_default_action": "tempfail",
    }  # fmt: skip
    assert shown.stderr == ""


def test_what_is_not_for_the_world_listens_on_loopback(wanted: HostSettings) -> None:
    prepare._users(wanted)
    texts = dict(render.rendered(replace(wanted, address="192.0.2.25"), "token", Path("/srv/etc")))
    lines = [line for line in texts["postfix/master.cf"].splitlines() if line[:1].isalnum()]
    doors = {line.split()[0] for line in lines if line.split()[1] == "inet"}
    assert {each for each in doors if not each.startswith("127.0.0.1:")} == {
        "192.0.2.25:25", "192.0.2.25:465", "192.0.2.25:587",
    }  # fmt: skip
    assert all(line.split()[4] == "n" for line in lines), "no service is in a chroot"
    for name in ("worker-normal.inc", "worker-proxy.inc"):
        assert 'bind_socket = "127.0.0.1:' in texts[f"rspamd/local.d/{name}"]
    assert "listen = 192.0.2.25" in texts["dovecot/dovecot.conf"]


def test_without_a_relay_mail_goes_to_the_mx_also_from_the_hop(wanted: HostSettings) -> None:
    prepare._users(wanted)
    texts = dict(render.rendered(wanted, "token", Path("/srv/etc")))
    assert "{<> = smtp:}" in texts["postfix/main.cf"]
    assert "{@mx1.hoster.example = smtp:}" in texts["postfix/main.cf"]
    assert "{ content_filter = smtp: }" in texts["postfix/master.cf"]


def test_what_does_not_pass_changes_nothing_and_says_why(wanted: HostSettings, monkeypatch) -> None:
    prepare.prepare(wanted)
    etc = wanted.root / "etc"
    before = {path.name for path in etc.iterdir()}, (etc / "current").readlink()
    broken = wanted.root / "templates"
    shutil.copytree(render.TEMPLATES, broken)
    for name, text, words in (
        ("postfix/main.cf", "queue_directory = /nonexistent/spool\n", "nonexistent"),
        ("postfix/main.cf", "inet_interfaces = 192.0.2.99\n", r"192\.0\.2\.99"),
        ("dovecot/dovecot.conf", "service imap {\n", "doveconf"),
        ("rspamd/local.d/options.inc", "dns { timeout = \n", "rspamadm"),
    ):
        whole = (broken / name).read_text()
        (broken / name).write_text(whole + text)
        seen = set()

        def check(settings: HostSettings, folder: Path, real=prepare.check, seen=seen) -> None:
            seen.add((etc / "current").readlink())
            real(settings, folder)

        monkeypatch.setattr(render, "TEMPLATES", broken)
        monkeypatch.setattr(prepare, "check", check)
        with pytest.raises(prepare.NotReady, match=words):
            prepare._configuration(wanted, "token")
        monkeypatch.undo()
        assert seen == {before[1]}, "while it is checked, the old one is in force"
        assert ({path.name for path in etc.iterdir()}, (etc / "current").readlink()) == before
        (broken / name).write_text(whole)


def test_checked_files_differ_from_those_in_force_by_their_place_alone(
    wanted: HostSettings,
) -> None:
    prepare._users(wanted)
    here, there = Path("/srv/a"), Path("/srv/b")
    for (name, one), (_name, other) in zip(
        render.rendered(wanted, "token", here), render.rendered(wanted, "token", there), strict=True
    ):
        assert one.replace(str(here), str(there)) == other, name


def test_preparing_again_keeps_what_must_be_kept(wanted: HostSettings) -> None:
    prepare.prepare(wanted)
    kept = ("etc/vault.token", "etc/srs.secret", "tls/ca.pem", "tls/host.pem", "tls/host.key")
    before = [(wanted.root / name).read_bytes() for name in kept]
    old = (wanted.root / "etc/current").readlink()
    for _number in range(2):
        prepare.prepare(wanted)
    assert [(wanted.root / name).read_bytes() for name in kept] == before
    assert (wanted.root / "etc/current").readlink() != old
    # The one before is kept, to go back to.
    assert len(list((wanted.root / "etc").glob("config-*"))) == 2
    assert not list(wanted.root.glob("code.*")) + list((wanted.root / "etc").glob("check-*"))


def test_new_name_gets_a_new_certificate(wanted: HostSettings) -> None:
    prepare.prepare(wanted)
    prepare.prepare(replace(wanted, hostname="mx2.hoster.example"))
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", wanted.root / "tls/ca.pem", "-verify_hostname",
         "mx2.hoster.example", wanted.root / "tls/host.pem"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_secret_that_was_cut_short_is_made_anew(wanted: HostSettings) -> None:
    """An empty token would be one that everybody knows."""
    prepare.prepare(wanted)
    paths = [wanted.root / "etc" / name for name in ("vault.token", "srs.secret")]
    for path in paths:
        path.write_text("")
    prepare.prepare(wanted)
    for path in paths:
        assert len(path.read_text().strip()) > 20 and not path.stat().st_mode & 0o007


def test_agent_reads_what_is_written_for_it(wanted: HostSettings) -> None:
    prepare.prepare(wanted)
    facts = json.loads((wanted.root / "etc/agent.json").read_text())
    assert facts["imaps_port"] == 993 and facts["probe_smtp_port"] == wanted.ports.probe
    code = "from agent.config import load; import sys; load(sys.argv[1])"
    done = subprocess.run(
        ["/usr/bin/python3", "-B", "-c", code, wanted.root / "etc/agent.json"],
        cwd=wanted.root / "code", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_unknown_place_in_a_template_is_an_error(wanted: HostSettings, monkeypatch) -> None:
    broken = wanted.root / "templates"
    broken.mkdir()
    (broken / "x.conf").write_text("a = @no_such_place@\n")
    monkeypatch.setattr(render, "TEMPLATES", broken)
    prepare._users(wanted)
    with pytest.raises(KeyError):
        list(render.rendered(wanted, "token", Path("/srv/a")))


def test_nothing_names_the_system_s_own_postfix(wanted: HostSettings) -> None:
    prepare._users(wanted)
    for name, text in render.rendered(wanted, "token", Path("/srv/etc")):
        named = [line for line in text.splitlines() if re.search(r"(?<!/srv)/etc/postfix", line)]
        assert named in ([], ["meta_directory = /etc/postfix"]), name
