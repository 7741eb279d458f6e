"""The services themselves: who they are, what they may, and that they come back."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import stat
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hostproc import HOSTNAME, MailHost, letter, mailbox, route, until

pytestmark = pytest.mark.live
Login = tuple[str, str]


def processes(mailhost: MailHost) -> dict[int, str]:
    """All processes of this host's services, with their command lines."""
    sessions, found = set(mailhost.sessions()), {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and os.getsid(int(entry.name)) in sessions:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(entry.name)] = line.strip()
    return found


def roots(mailhost: MailHost) -> list[str]:
    found = []
    for pid, line in processes(mailhost).items():
        with suppress(OSError):
            if "\nUid:\t0\t" in Path(f"/proc/{pid}/status").read_text():
                found.append(line)
    return found


def works(look) -> bool:
    try:
        return bool(look())
    except (smtplib.SMTPException, AssertionError, OSError):
        return False


def rcpt(mailhost: MailHost, address: str) -> int:
    """The answer of port 25; 0 when there is none."""
    with suppress(smtplib.SMTPException, OSError):
        return mailhost.rcpt(address)[0]
    return 0


def test_only_those_who_must_are_root(mailhost: MailHost, info: Login) -> None:
    """What speaks with strangers or opens mail never is, not even between two users."""
    mailhost.inbox(*info, mailhost.send_in(info[0]))
    client, pop = mailhost.imap(*info), mailhost.pop3(*info)
    allowed = re.compile(
        r"-m helper|rspamd: main|/usr/sbin/dovecot|postfix/sbin/master|postkontor/(log|config)$"
    )

    def strangers() -> list[str]:
        return [line for line in roots(mailhost) if not allowed.search(line)]

    until(lambda: not strangers(), seconds=5, what=f"no root among {strangers()}")
    running = " ".join(processes(mailhost).values())
    assert all(each in running for each in ("imap", "pop3", "lmtp", "quota-status", "smtpd"))
    client.logout()
    pop.quit()


def test_readers_hold_the_tables_open_for_reading_only(mailhost: MailHost, info: Login) -> None:
    """Postfix opens its tables as root: what it opened for writing it could write ever after."""
    mailhost.imap(*info).logout()
    seen = set()
    with mailhost.smtp() as client:
        client.ehlo()
        client.mail("a@outside.example")
        client.rcpt(info[0])
        for pid, line in processes(mailhost).items():
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    target = str(link.readlink())
                    if ".sqlite" in target and "-m agent" not in line:
                        facts = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
                        flags = re.search(r"flags:\s+(\d+)", facts)
                        assert flags and int(flags[1], 8) & os.O_ACCMODE == os.O_RDONLY, line
                        seen.add(line.split()[0])
    assert "smtpd" in seen and any("auth" in each for each in seen)


@pytest.mark.parametrize(
    ("user", "path", "reads"),
    [
        ("postfix", "lookup/lookup.sqlite", True), ("dovecot", "auth/auth.sqlite", True),
        ("postfix", "auth/auth.sqlite", False), ("postfix", "private/private.sqlite", False),
        ("dovecot", "private/private.sqlite", False), ("pk-vmail", "lookup/lookup.sqlite", False),
        ("pk-vmail", "auth/auth.sqlite", False), ("_rspamd", "private/private.sqlite", False),
        ("_rspamd", "lookup/lookup.sqlite", False), ("nobody", "etc/vault.token", False),
        ("_rspamd", "etc/current/rspamd/rspamd.local.lua", True),
        ("postfix", "etc/current/rspamd/rspamd.local.lua", False),
        ("postfix", "etc/current/rspamd/local.d/dkim_signing.conf", False),
        ("postfix", "etc/srs.secret", False), ("pk-vmail", "tls/host.key", False),
        ("postfix", "tls/ca.key", False), ("nobody", "log/postfix.log", False),
    ],
)  # fmt: skip
def test_files_are_read_by_those_who_need_them(
    mailhost: MailHost, user: str, path: str, reads: bool
) -> None:
    done = mailhost.command("head", "-c1", mailhost.home / path, user=user)
    assert (done.returncode == 0) is reads, done.stderr


def test_readers_cannot_write_and_go_on_without_the_agent(mailhost: MailHost, info: Login) -> None:
    """The last clean close of a writer would take -wal and -shm away from readers."""
    lookup = mailhost.home / "lookup" / "lookup.sqlite"
    write = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('DELETE FROM domain')"
    done = mailhost.command("/usr/bin/python3", "-c", write, lookup, user="postfix")
    assert "readonly" in done.stderr
    agent = mailhost.agent_pid()
    mailhost.mailbox("vorher")
    os.kill(agent, signal.SIGTERM)
    for _number in range(5):
        assert mailhost.rcpt("vorher@example.test")[0] == 250
        assert mailhost.rcpt("nachher@example.test")[0] == 550
        mailhost.imap(*info).logout()
    until(lambda: mailhost.agent_is_back(agent), what="the agent is back")
    mailhost.mailbox("nachher")
    assert mailhost.rcpt("nachher@example.test")[0] == 250


def test_reader_that_starts_while_the_agent_is_dead_finds_its_tables(
    mailhost: MailHost, info: Login
) -> None:
    agent = mailhost.agent_pid()
    os.kill(agent, signal.SIGKILL)
    mailhost.postfix("reload")
    assert mailhost.rcpt(info[0])[0] == 250
    mailhost.imap(*info).logout()
    until(lambda: mailhost.agent_is_back(agent), what="the agent is back")


def test_missing_tables_are_no_unknown_user_and_are_not_made_by_readers(mailhost: MailHost) -> None:
    """Postfix opens them as root: it would make an empty one that the agent cannot write."""
    lookup = mailhost.home / "lookup" / "lookup.sqlite"
    away = lookup.with_name("away")
    lookup.rename(away)
    try:
        mailhost.postfix("reload")
        assert rcpt(mailhost, "info@example.test") // 100 in (0, 4)
        assert not lookup.exists()
    finally:
        away.rename(lookup)
        # Programs that died on the file are throttled for a minute; a fresh start is not.
        os.kill(mailhost.pid("postfix/sbin/master"), signal.SIGKILL)
    until(lambda: rcpt(mailhost, "info@example.test") == 250, seconds=40, what="250 again")


def test_killed_srs_comes_back_and_no_mail_is_lost(mailhost: MailHost) -> None:
    mailhost.apply(route("forward", "ohne.srs", "ziel@outside.example"))
    os.kill(mailhost.pid("postsrsd"), signal.SIGKILL)
    until(
        lambda: works(lambda: mailhost.outside(mailhost.send_in("ohne.srs@example.test"))),
        seconds=60, what="mail passes again",
    )  # fmt: skip


@pytest.mark.parametrize(
    "what", ["postfix/sbin/master", "/usr/sbin/dovecot", "rspamd:", "-m helper"]
)
def test_killed_master_is_started_again(mailhost: MailHost, info: Login, what: str) -> None:
    killed = mailhost.pid(what)
    os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in mailhost.sessions() and mailhost.is_up(), seconds=60, what=what)
    until(
        lambda: works(lambda: mailhost.inbox(*info, mailhost.send_in(info[0]), seconds=5)),
        seconds=60, what="mail passes again",
    )  # fmt: skip


def test_all_killed_at_once_start_again_over_what_they_left(
    mailhost: MailHost, info: Login
) -> None:
    """As after a power cut: pid files, sockets and locks lie about, the queue is kept."""
    own = mailhost.mailbox("stromweg")
    mail = letter("a@outside.example", own[0])
    with mailhost.smtp() as client:
        client.ehlo()
        client.mail("a@outside.example")
        client.rcpt(own[0])
        # Its delivery finds nobody: what was taken must come through the cut.
        for pid, line in processes(mailhost).items():
            if "postkontor/lmtp" in line:
                os.kill(pid, signal.SIGSTOP)
        assert client.data(mail.as_bytes())[0] == 250
    victims = list(processes(mailhost))
    assert mailhost.process is not None
    mailhost.process.kill()
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    mailhost.process.wait()
    # Somebody else has got Dovecot's number meanwhile.
    (mailhost.home / "run/dovecot/master.pid").write_text(f"{os.getpid()}\n")
    (mailhost.home / "run" / "ready").unlink(missing_ok=True)
    mailhost.start()
    assert mailhost.inbox(*info, mailhost.send_in(info[0]))
    mailhost.postfix("flush")
    assert mailhost.inbox(*own, str(mail["Subject"]), seconds=60)


def test_clean_stop_leaves_nobody_and_a_start_finds_all(mailhost: MailHost, info: Login) -> None:
    subject = mailhost.send_in(info[0])
    assert mailhost.inbox(*info, subject)
    before = set(processes(mailhost))
    mailhost.stop()
    assert not [pid for pid in before if Path(f"/proc/{pid}").exists()]
    mailhost.start()
    assert mailhost.find(*info, subject)


def test_proofs_do_not_use_up_the_tokens_of_the_flow(mailhost: MailHost) -> None:
    """RCPT without DATA, many times: with in_flow_delay each would take a second in the end."""
    with smtplib.SMTP("127.0.0.1", mailhost.ports["probe"], timeout=20) as client:
        client.ehlo()
        started = time.monotonic()
        for _number in range(60):
            client.mail("a@outside.example")
            assert client.rcpt("info@example.test")[0] == 250
            client.rset()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("port", ["probe", "smtp"])
def test_proofs_hear_what_port_25_says(mailhost: MailHost, port: str) -> None:
    mailhost.apply(mailbox("aus.probe", state="off"))
    with smtplib.SMTP("127.0.0.1", mailhost.ports[port], timeout=20) as client:
        client.ehlo("x.example")
        client.mail("a@outside.example")
        answers = [
            client.rcpt(each)[0]
            for each in (
                "info@example.test", "niemand@example.test", "aus.probe@example.test",
                "x@outside.example",
            )
        ]  # fmt: skip
    assert answers == [250, 550, 550, 554]


def test_mail_lies_below_its_storage_id_and_belongs_to_one_user(
    mailhost: MailHost, info: Login
) -> None:
    assert mailhost.inbox(*info, mailhost.send_in(info[0]))
    storage = mailbox("info")["storage_id"]
    home = mailhost.home / "mail" / storage[:2] / storage
    for path in (home, home / "Maildir"):
        assert path.owner() == "pk-vmail" and not path.stat().st_mode & stat.S_IRWXO


def test_certificate_names_the_host_and_loopback(mailhost: MailHost) -> None:
    shown = mailhost.command(
        "openssl", "x509", "-in", mailhost.home / "tls/host.pem", "-noout", "-text"
    ).stdout
    for name in (f"DNS:{HOSTNAME}", "DNS:localhost", "IP Address:127.0.0.1", "prime256v1"):
        assert name in shown


def test_no_log_says_that_something_is_not_as_it_should_be(mailhost: MailHost) -> None:
    """After all that was done above: no right missing, no setting unknown, no crash."""
    words = re.compile(
        r"(?i)permission denied|unsupported dictionary|unused parameter|undefined parameter"
        r"|deprecated|overriding earlier|unknown setting|panic|killed with signal (6|11)"
    )
    found = [
        line
        for name in ("postfix", "dovecot", "rspamd")
        for line in mailhost.log(name).splitlines()
        if words.search(line)
    ]
    assert found == []
