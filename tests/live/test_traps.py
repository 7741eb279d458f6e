"""Traps of a mail host that looks right and is not: each with the client that would fall in."""

from __future__ import annotations

import base64
import imaplib
import smtplib
import socket
import sqlite3
import threading
import time

import dkim
import pytest
from conftest import PASSWORD
from trial import Panel, Trial, letter, until

pytestmark = pytest.mark.live


def rcpt(trial: Trial, address: str) -> tuple[int, str]:
    with trial.smtp() as client:
        client.ehlo()
        client.mail("a@outside.example")
        code, text = client.rcpt(address)
        return code, text.decode()


def panel_code(trial: Trial, code: str) -> str:
    return trial.manage("shell", "-v0", "-c", code)


HOLD = """
from mailadmin.actors import operator_by_command
from mailadmin.models import Account
from mailadmin.services import domains
domains.hold_domain_by_word("{name}", Account.objects.get(kind="customer"), reason="test", by=operator_by_command())
"""


def test_new_domain_that_was_refused_before_is_taken_at_once(trial: Trial) -> None:
    """A running smtpd keeps the refusal it gave before the domain existed: one reload cures it."""
    for _ in range(3):
        assert rcpt(trial, "info@neu-hier.test")[0] == 554
    panel_code(trial, HOLD.format(name="neu-hier.test"))
    until(
        lambda: "unknown" in rcpt(trial, "info@neu-hier.test")[1].lower(), what="550 unknown user"
    )
    assert rcpt(trial, "postmaster@neu-hier.test")[0] == 250
    trial.manage("wait_until_even", "--seconds", "30")


def test_alias_domain_accepts_no_unknown_user(trial: Trial, info) -> None:
    """Rewriting the domain alone would accept anybody, and bounce later."""
    panel_code(trial, HOLD.format(name="zweitname.test"))
    panel_code(trial, """
from mailadmin.actors import operator_by_command
from mailadmin.models import Domain
from mailadmin.push import hostrows
domain = Domain.objects.get(name="zweitname.test")
domain.canonical = Domain.objects.get(name="example.test")
domain.save()
hostrows.touch(domain, by=operator_by_command())
""")  # fmt: skip
    trial.manage("wait_until_even", "--seconds", "30")
    assert rcpt(trial, "niemand@zweitname.test")[0] == 550
    assert trial.inbox(*info, trial.send_in("info@zweitname.test"))


def managesieve(trial: Trial, login: str, password: str, script: str) -> None:
    """Upload a script over ManageSieve (RFC 5804), after STARTTLS."""
    with socket.create_connection(trial.facts["managesieve"], timeout=20) as plain:
        lines = plain.makefile("rb")

        def answer() -> bytes:
            while True:
                line = lines.readline()
                if line.upper().startswith((b"OK", b"NO", b"BYE")):
                    return line

        greeting = b""
        while not (line := lines.readline()).upper().startswith(b"OK"):
            greeting += line
        assert b"PLAIN" not in greeting, "no log-in before TLS"
        plain.sendall(b"STARTTLS\r\n")
        assert answer().upper().startswith(b"OK")
        with trial.tls().wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            lines = stream.makefile("rb")
            answer()
            token = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
            stream.sendall(f'AUTHENTICATE "PLAIN" "{token}"\r\n'.encode())
            assert answer().upper().startswith(b"OK")
            data = script.encode()
            stream.sendall(b'PUTSCRIPT "main" {%d+}\r\n%s\r\n' % (len(data), data))
            assert answer().upper().startswith(b"OK")
            stream.sendall(b'SETACTIVE "main"\r\n')
            assert answer().upper().startswith(b"OK")


def test_absence_note_leaves_by_its_own_door_and_once(trial: Trial, alice: Panel) -> None:
    alice.wait_live(alice.create_mailbox("urlaub", PASSWORD))
    subject = f"Abwesend {time.time_ns()}"
    managesieve(
        trial, "urlaub@example.test", PASSWORD,
        f'require "vacation"; vacation :days 1 :subject "{subject}" "Ich bin im Urlaub.";',
    )  # fmt: skip
    first = trial.send_in("urlaub@example.test")
    trial.inbox("urlaub@example.test", PASSWORD, first)
    note = trial.outside(subject)
    assert note["Auto-Submitted"] and note["X-Envelope-To"] == "<kunde@outside.example>"
    second = trial.send_in("urlaub@example.test")
    trial.inbox("urlaub@example.test", PASSWORD, second)
    time.sleep(1)
    import mailbox

    notes = [mail for mail in mailbox.Maildir(trial.facts["outside"]) if mail["Subject"] == subject]
    assert len(notes) == 1


def test_many_log_ins_at_once_have_memory_for_argon2(trial: Trial, info) -> None:
    """An auth process short of memory says only that the password is wrong."""
    refused: list[str] = []

    def log_in() -> None:
        try:
            trial.imap(*info).logout()
        except (imaplib.IMAP4.error, OSError) as error:
            refused.append(str(error))

    threads = [threading.Thread(target=log_in) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []


def test_ed25519_key_as_a_raw_seed_signs_beside_rsa(trial: Trial, info) -> None:
    """A PEM would be skipped in silence, and the mail would go out with one signature."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    seed = base64.b64encode(key.private_bytes_raw()).decode()
    with sqlite3.connect(trial.state / "mailhost/private/private.sqlite", timeout=10) as private:
        private.execute(
            "INSERT INTO dkim SELECT 999, domain_id, domain, 'ed', 'ed25519', ?, 1 FROM dkim WHERE domain = 'example.test' AND algorithm = 'rsa'", (seed,)
        )  # fmt: skip
    try:
        mail = letter("info@example.test", "kunde@outside.example")
        with trial.submissions(*info) as client:
            client.send_message(mail)
        arrived = trial.outside(mail["Subject"])
        signatures = arrived.get_all("DKIM-Signature")
        assert len(signatures) == 2 and any("ed25519-sha256" in each for each in signatures)
        public = base64.b64encode(key.public_key().public_bytes_raw())
        content = b"".join(
            line
            for line in arrived.as_bytes().splitlines(keepends=True)
            if not line.startswith(b"X-Envelope")
        ).replace(b"\n", b"\r\n")
        index = next(n for n, each in enumerate(signatures) if "ed25519" in each)
        record = b"v=DKIM1; k=ed25519; p=" + public
        assert dkim.DKIM(content).verify(idx=index, dnsfunc=lambda *_a, **_k: record)
    finally:
        with sqlite3.connect(
            trial.state / "mailhost/private/private.sqlite", timeout=10
        ) as private:
            private.execute("DELETE FROM dkim WHERE id = 999")


def test_proofs_are_slowed_neither_by_failed_log_ins_nor_by_their_own_number(
    trial: Trial, alice: Panel
) -> None:
    page = alice.create_mailbox("tempo", PASSWORD)
    alice.wait_live(page)
    for _ in range(4):
        with pytest.raises(imaplib.IMAP4.error):
            trial.imap("tempo@example.test", "falsch-falsch-falsch")
    took = []
    for number in range(40):
        alice.post(f"{page}quota/", quota_mib=str(50 + number))
        alice.wait_live(page, seconds=5)
        took.append(took_ms(trial, "tempo"))
    # in_flow_delay would make each of the later ones a second longer, the penalty four.
    assert sorted(took[-15:])[7] < sorted(took[:15])[7] + 900, took


def took_ms(trial: Trial, local_part: str) -> int:
    path = trial.state / "panel/db.sqlite3"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20) as panel:
        return panel.execute(
            "SELECT h.took_ms FROM mailadmin_hostrow h JOIN mailadmin_address a"
            " ON h.kind = 'address' AND h.key = a.id WHERE a.local_part = ?", (local_part,)
        ).fetchone()[0]  # fmt: skip


def test_switched_off_log_in_is_proved_without_waiting_for_the_delay(
    trial: Trial, alice: Panel
) -> None:
    page = alice.create_mailbox("zuegig", PASSWORD)
    alice.wait_live(page)
    alice.post(f"/addresses/{page.strip('/').split('/')[-1]}/state/", state="login_off")
    alice.wait_live(page, seconds=5)


def test_password_reset_reaches_its_owner(trial: Trial) -> None:
    """The panel's own mails go through the mail host."""
    stranger = Panel(trial.facts["panel"])
    stranger.post("/accounts/password/reset/", email=trial.facts["demo"]["customer"]["email"])
    mail = trial.outside("Set a new password for Postkontor")
    assert (
        trial.facts["panel"] + "/accounts/password/reset/key/"
        in mail.get_payload(decode=True).decode()
    )


def test_submission_of_a_big_mail_and_one_over_the_limit(trial: Trial, info) -> None:
    mail = letter("info@example.test", "kunde@outside.example", body=("x" * 70 + "\n") * 100_000)
    # More than once: what crashes Rspamd on megabytes of text does so now and then.
    for _ in range(5):
        with trial.submissions(*info) as client:
            client.send_message(mail)
    assert trial.outside(mail["Subject"], seconds=40)
    log = trial.state / "mailhost" / "log" / "rspamd.log"
    assert "fatal signal 11" not in log.read_text("utf-8", "replace")
    with trial.submissions(*info) as client, pytest.raises(smtplib.SMTPException) as refused:
        client.sendmail(
            "info@example.test",
            ["kunde@outside.example"],
            b"From: info@example.test\r\n\r\n" + b"y" * 70 * 400_000,
        )
    assert "552" in str(refused.value)
