"""Mail of owners: log-in, whose name they write, and the signature it leaves with."""

from __future__ import annotations

import base64
import imaplib
import mailbox as maildirs
import os
import signal
import smtplib
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import Message

import dkim
import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hostproc import PASSWORD, MailHost, Row, domain, letter, mailbox, number_of, route, until

from maildns.dkim import generate_rsa_key

pytestmark = pytest.mark.live
Login = tuple[str, str]


def key_row(selector: str, algorithm: str, private_key: str, domain_id: int = 1) -> Row:
    name = {1: "example.test", 2: "nachbar.test"}[domain_id]
    return {
        "kind": "dkim", "key": str(number_of(selector, "keys")), "domain_id": domain_id,
        "domain": name, "selector": selector, "algorithm": algorithm, "private_key": private_key,
        "signing": True,
    }  # fmt: skip


@pytest.fixture(scope="module")
def records(mailhost: MailHost) -> dict[str, bytes]:
    """Two keys that sign for example.test; the DNS records by selector."""
    rsa, young = generate_rsa_key(), Ed25519PrivateKey.generate()
    seed = base64.b64encode(young.private_bytes_raw()).decode()
    mailhost.apply(key_row("r1", "rsa", rsa.private_pem), key_row("e1", "ed25519", seed))
    public = base64.b64encode(young.public_key().public_bytes_raw())
    return {"r1": rsa.public_record.encode(), "e1": b"v=DKIM1; k=ed25519; p=" + public}


def assert_signed(arrived: Message, records: dict[str, bytes]) -> None:
    """By each key once, and each signature verifies."""
    content = b"".join(
        line
        for line in arrived.as_bytes().splitlines(keepends=True)
        if not line.startswith(b"X-Envelope")
    ).replace(b"\n", b"\r\n")
    assert len(arrived.get_all("DKIM-Signature") or []) == len(records)

    def answer(name: bytes, timeout: float = 5) -> bytes:
        return records[name.decode().split(".")[0]]

    for index in range(len(records)):
        assert dkim.DKIM(content).verify(idx=index, dnsfunc=answer)


@pytest.mark.parametrize("port", ["submission", "submissions"])
@pytest.mark.parametrize("sender", ["info@example.test", "info+tag@example.test"])
def test_owner_sends_signed_by_both_keys(
    mailhost: MailHost, info: Login, records: dict[str, bytes], port: str, sender: str
) -> None:
    mail = letter(sender, "kunde@outside.example")
    with getattr(mailhost, port)(*info) as client:
        client.send_message(mail)
    arrived = mailhost.outside(mail["Subject"])
    assert arrived["X-Envelope-From"] == f"<{sender}>"
    assert_signed(arrived, records)


def test_new_key_signs_the_next_mail(mailhost: MailHost) -> None:
    """No reload, and the mail that went out unsigned before is forgotten."""
    mailhost.apply(mailbox("erste", domain_id=2, at="nachbar.test"))
    with mailhost.submissions("erste@nachbar.test", PASSWORD) as client:
        before = letter("erste@nachbar.test", "kunde@outside.example")
        client.send_message(before)
        pair = generate_rsa_key()
        mailhost.apply(key_row("neu", "rsa", pair.private_pem, 2))
        after = letter("erste@nachbar.test", "kunde@outside.example")
        client.send_message(after)
    assert mailhost.outside(before["Subject"])["DKIM-Signature"] is None
    assert_signed(mailhost.outside(after["Subject"]), {"neu": pair.public_record.encode()})


def test_mail_from_outside_is_never_signed(mailhost: MailHost, records: dict[str, bytes]) -> None:
    """Somebody writes our address in From and sends it through one of our forwards."""
    mailhost.apply(route("forward", "durch", "ziel@outside.example"))
    subject = mailhost.send_in("durch@example.test", header_from="info@example.test")
    assert mailhost.outside(subject)["DKIM-Signature"] is None


def test_granted_address_may_be_used_and_its_tag(mailhost: MailHost) -> None:
    mailhost.apply(
        mailbox("chefin", send_as=("team.a@example.test",)),
        route("alias", "team.a", "chefin@example.test"),
    )
    for sender in ("team.a@example.test", "Team.A+x@Example.test"):
        mail = letter(sender, "kunde@outside.example")
        with mailhost.submissions("CHEFIN@example.test", PASSWORD) as client:
            client.send_message(mail)
        assert mailhost.outside(mail["Subject"])


# --- whose name they write ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "sender", ["bob@example.test", "nobody@example.test", "x@outside.example", "erste@nachbar.test"]
)
def test_envelope_of_somebody_else_is_refused(mailhost: MailHost, info: Login, sender: str) -> None:
    mailhost.apply(mailbox("bob"))
    with mailhost.submissions(*info) as client:
        client.mail(sender)
        code, text = client.rcpt("kunde@outside.example")
    assert code == 553 and b"not owned" in text


@pytest.mark.parametrize("sender", ["info@example.test", ""])
@pytest.mark.parametrize(
    "header",
    [
        b"From: bob@example.test",
        b"From: chef@outside.example",
        b'From: "info@example.test" <chef@outside.example>',
        b"From: info@example.test <chef@outside.example>",
        b"From: <info@example.test> <chef@outside.example>",
        b"From: info@example.test, bob@example.test",
        b"From: bob@example.test, info@example.test",
        b"From: info@example.test\r\nFrom: bob@example.test",
        b"From: bob@example.test\r\nFrom: info@example.test",
        b"From: info@example.test\r\nFrom : bob@example.test",
        b"from: bob@example.test",
        b"From:\r\n bob@example.test",
        b"From: team: bob@example.test;",
        b"From: info@example.test\r\nSender: bob@example.test",
        b"From: info@example.test\r\nResent-From: bob@example.test",
        b"From: =?utf-8?q?bob=40example=2Etest?= <chef@outside.example>",
        b"From: info(x)@example.test@outside.example",
        b"From:",
        b"From: nobody",
        b"From: <>",
    ],
    ids=repr,
)
def test_header_of_somebody_else_is_refused(
    mailhost: MailHost, info: Login, header: bytes, sender: str
) -> None:
    mailhost.apply(mailbox("bob"))
    data = header + b"\r\nTo: kunde@outside.example\r\nSubject: x\r\n\r\ntext\r\n"
    with mailhost.submissions(*info) as client:
        code, text = mailhost.refused_data(client, sender, data)
    assert code in (550, 554) and "5.7.1" in text


@pytest.mark.parametrize("header", [b"X-Other: no From", b"From : bob@example.test"], ids=repr)
def test_missing_from_becomes_the_envelope_sender(
    mailhost: MailHost, info: Login, header: bytes
) -> None:
    """Also when a name with a space hides from programs that are strict, and not from others."""
    mailhost.apply(mailbox("bob"))
    subject = f"kein Absender {time.time_ns()}"
    data = header + f"\r\nSubject: {subject}\r\n\r\ntext\r\n".encode()
    with mailhost.submissions(*info) as client:
        assert mailhost.refused_data(client, "info@example.test", data)[0] == 250
        assert mailhost.refused_data(client, "", data)[0] in (550, 554)
    arrived = mailhost.outside(subject)
    assert arrived.get_all("From") == ["info@example.test"] and arrived["From "] is None


def test_several_own_addresses_in_from_are_fine(mailhost: MailHost) -> None:
    login = mailhost.mailbox("doppelt", send_as=("zweitname@example.test",))
    mail = letter(
        login[0], "kunde@outside.example", header_from="doppelt@example.test, zweitname@example.test"
    )  # fmt: skip
    mail["Sender"] = login[0]
    with mailhost.submissions(*login) as client:
        client.send_message(mail, login[0], ["kunde@outside.example"])
    assert mailhost.outside(mail["Subject"])


def test_empty_envelope_with_an_own_header_is_a_read_receipt(
    mailhost: MailHost, info: Login
) -> None:
    """RFC 8098, 3: such a notification is sent from <>."""
    mail = letter("info@example.test", "kunde@outside.example")
    with mailhost.submissions(*info) as client:
        client.send_message(mail, "", ["kunde@outside.example"])
    assert mailhost.outside(mail["Subject"])["X-Envelope-From"] == "<>"


def test_suspended_owner_sends_no_more_on_an_open_connection(mailhost: MailHost) -> None:
    row = mailbox("gesperrt")
    mailhost.apply(row)
    with mailhost.submissions("gesperrt@example.test", PASSWORD) as client:
        mailhost.apply({**row, "state": "login_off"})
        client.mail("gesperrt@example.test")
        assert client.rcpt("kunde@outside.example")[0] == 553


# --- when somebody does not answer --------------------------------------------------------------


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


OWN = b"From: info@example.test\r\nTo: kunde@outside.example\r\nSubject: x\r\n\r\ntext\r\n"


def test_no_answer_of_the_agent_is_a_temporary_refusal(mailhost: MailHost, info: Login) -> None:
    client = mailhost.submissions(*info)
    with frozen(mailhost.agent_pid()):
        code, text = mailhost.refused_data(client, "info@example.test", OWN)
    client.close()
    assert code == 451 and "4.7.1" in text


def test_mail_that_cannot_be_signed_waits(
    mailhost: MailHost, info: Login, records: dict[str, bytes]
) -> None:
    """A fault behind the keys must not turn into mail without a signature."""
    keys = mailhost.home / "private" / "private.sqlite"
    away = keys.with_suffix(".away")
    keys.rename(away)
    try:
        with mailhost.submissions(*info) as client:
            code, text = mailhost.refused_data(client, "info@example.test", OWN)
        assert code == 451 and "signed" in text
    finally:
        away.rename(keys)
    with mailhost.submissions(*info) as client:
        assert mailhost.refused_data(client, "info@example.test", OWN)[0] == 250


def test_no_answer_of_rspamd_is_a_temporary_refusal(mailhost: MailHost, info: Login) -> None:
    """Neither in nor out goes anything unchecked."""
    workers = [
        int(pid)
        for pid in mailhost.command("pgrep", "-P", str(mailhost.pid("rspamd:"))).stdout.split()
    ]
    outward, inward = mailhost.submissions(*info), mailhost.smtp()
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    os.kill(mailhost.pid("rspamd:"), signal.SIGSTOP)
    rspamd = mailhost.pid("rspamd:")
    try:
        assert mailhost.refused_data(outward, "info@example.test", OWN)[0] // 10 == 45
        inward.ehlo()
        inward.mail("a@outside.example")
        code, _text = inward.rcpt("info@example.test")
        assert code // 100 == 4 or inward.data(OWN)[0] // 100 == 4
    finally:
        os.kill(rspamd, signal.SIGCONT)
        outward.close()
        inward.close()

    def signs_again() -> bool:
        with mailhost.submissions(*info) as client:
            return mailhost.refused_data(client, "info@example.test", OWN)[0] == 250

    until(signs_again, seconds=40, what="Rspamd is back")


# --- log-in -------------------------------------------------------------------------------------


def test_port_25_offers_no_log_in(mailhost: MailHost) -> None:
    with mailhost.smtp() as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] in (502, 503)
        client.starttls(context=mailhost.tls())
        client.ehlo()
        assert not client.has_extn("auth")


def test_no_password_without_tls(mailhost: MailHost, info: Login) -> None:
    with smtplib.SMTP(*mailhost.facts["submission"], timeout=20) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] in (502, 503, 530, 538)
        assert client.docmd("MAIL", "FROM:<info@example.test>")[0] == 530
    imap = mailhost.imap_unencrypted()
    assert "AUTH=PLAIN" not in imap.capabilities
    with pytest.raises(imaplib.IMAP4.error, match=r"(?i)disallowed|disabled|privacy"):
        imap.login(*info)
    imap.shutdown()
    with socket.create_connection(
        mailhost.facts["managesieve"], 20, source_address=("127.0.0.2", 0)
    ) as sieve:
        greeting = sieve.recv(4096)
        assert b"STARTTLS" in greeting and b"PLAIN" not in greeting
        sieve.sendall(b'AUTHENTICATE "PLAIN" "AGluZm9AZXhhbXBsZS50ZXN0AHg="\r\n')
        assert sieve.recv(4096).startswith(b"NO")


@pytest.mark.parametrize("port", ["imaps", "submissions", "pop3s"])
def test_tls_below_1_2_is_refused(mailhost: MailHost, port: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(mailhost.facts[port], 20) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain)


def test_parallel_log_ins_have_memory_for_argon2(mailhost: MailHost, info: Login) -> None:
    """An auth process that is short of memory says that the password is wrong."""
    refused: list[str] = []

    def log_in() -> None:
        try:
            mailhost.imap(*info).logout()
        except (imaplib.IMAP4.error, OSError) as error:
            refused.append(str(error))

    threads = [threading.Thread(target=log_in) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []


def test_failed_log_ins_slow_nobody_else_at_the_same_address(
    mailhost: MailHost, info: Login
) -> None:
    for _number in range(4):
        with pytest.raises(imaplib.IMAP4.error):
            mailhost.imap(info[0], "falsch-falsch-falsch")
    started = time.monotonic()
    mailhost.imap(*info).logout()
    assert time.monotonic() - started < 1.5


def test_new_password_counts_at_once_and_the_old_one_no_more(mailhost: MailHost) -> None:
    """What a cache of log-ins would get wrong, in both directions."""
    row = mailbox("frisch")
    with pytest.raises(imaplib.IMAP4.error):
        mailhost.imap("frisch@example.test", PASSWORD)
    mailhost.apply(row)
    mailhost.imap("frisch@example.test", PASSWORD).logout()
    other = "{ARGON2ID}" + PasswordHasher(2, 19456, 1).hash("neu-Segel-27-Ofen")
    mailhost.apply({**row, "credentials": [{**row["credentials"][0], "hash": other}]})
    # Ending the sessions of the old password may end this one, too.
    with suppress(imaplib.IMAP4.abort):
        mailhost.imap("frisch@example.test", "neu-Segel-27-Ofen").logout()
    with pytest.raises(imaplib.IMAP4.error):
        mailhost.imap("frisch@example.test", PASSWORD)


def test_app_password_is_chosen_by_its_first_group(mailhost: MailHost) -> None:
    app = "{ARGON2ID}" + PasswordHasher(2, 19456, 1).hash("tel7.abcd.efgh.ijkl")
    row = mailbox("apps")
    first = row["credentials"][0]
    row["credentials"].append({**first, "prefix": "tel7", "hash": app, "protocols": ["imap"]})
    mailhost.apply(row)
    for password in ("tel7.abcd.efgh.ijkl", PASSWORD):
        mailhost.imap("apps@example.test", password).logout()
    for password in ("tel7.falsch", "tel8.abcd.efgh.ijkl", ".", "'; --", "a' OR '1'='1"):
        with pytest.raises(imaplib.IMAP4.error):
            mailhost.imap("apps@example.test", password)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        mailhost.submissions("apps@example.test", "tel7.abcd.efgh.ijkl")


def test_absence_note_leaves_by_its_own_door_once_and_as_automatic(
    mailhost: MailHost, info: Login
) -> None:
    login = mailhost.mailbox("urlaub")
    subject = f"abwesend {time.time_ns()}"
    script = f'require "vacation"; vacation :days 1 :subject "{subject}" "Ich bin weg.";'
    put_script(mailhost, login, script)
    first = mailhost.send_in(login[0])
    assert mailhost.inbox(*login, first)
    note = mailhost.outside(subject)
    assert note["X-Envelope-To"] == "<kunde@outside.example>"
    assert note["X-Envelope-From"] == "<>" and note["Auto-Submitted"].startswith("auto-replied")
    assert mailhost.inbox(*login, mailhost.send_in(login[0]))
    mailhost.settle()
    notes = [
        each for each in maildirs.Maildir(mailhost.facts["outside"]) if each["Subject"] == subject
    ]
    assert len(notes) == 1


def test_sieve_redirect_leaves_with_a_rewritten_sender(mailhost: MailHost) -> None:
    login = mailhost.mailbox("umleitung")
    put_script(mailhost, login, 'redirect "fern@outside.example";')
    subject = mailhost.send_in(login[0], sender="kunde@elsewhere.example")
    assert mailhost.outside(subject)["X-Envelope-From"].startswith("<SRS0=")


def put_script(mailhost: MailHost, login: Login, script: str) -> None:
    """Over ManageSieve (RFC 5804), after STARTTLS."""
    with socket.create_connection(mailhost.facts["managesieve"], timeout=20) as plain:
        lines = plain.makefile("rb")
        answer(lines)
        plain.sendall(b"STARTTLS\r\n")
        assert answer(lines).startswith(b"OK")
        with mailhost.tls().wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            lines = stream.makefile("rb")
            answer(lines)
            token = base64.b64encode(f"\0{login[0]}\0{login[1]}".encode()).decode()
            data = script.encode()
            for command in (
                f'AUTHENTICATE "PLAIN" "{token}"\r\n'.encode(),
                b'PUTSCRIPT "main" {%d+}\r\n%s\r\n' % (len(data), data),
                b'SETACTIVE "main"\r\n',
            ):
                stream.sendall(command)
                assert answer(lines).startswith(b"OK")


def answer(lines: object) -> bytes:
    while True:
        line: bytes = lines.readline()  # type: ignore[attr-defined]
        if line.upper().startswith((b"OK", b"NO", b"BYE")) or not line:
            return line.upper()


def test_domain_state_is_joined_into_sending(mailhost: MailHost) -> None:
    mailhost.apply(domain(30, "pause.test"), mailbox("wer", domain_id=30, at="pause.test"))
    with mailhost.submissions("wer@pause.test", PASSWORD) as client:
        mailhost.apply(domain(30, "pause.test", state="login_off"))
        client.mail("wer@pause.test")
        assert client.rcpt("kunde@outside.example")[0] == 553
