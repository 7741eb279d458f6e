"""Mail from outside: who gets it, who is told no, and nothing is accepted that would bounce."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import time

import pytest
from hostproc import (
    HOSTNAME,
    PASSWORD,
    MailHost,
    credential,
    domain,
    letter,
    mailbox,
    number_of,
    removal,
    route,
    until,
)

pytestmark = pytest.mark.live
Login = tuple[str, str]


def fill(mailhost: MailHost, login: Login, *, megabytes: float = 1.3) -> None:
    """Put a mail of this size into a mailbox."""
    mail = letter(
        "a@outside.example", login[0], body=("y" * 78 + "\n") * int(megabytes * 1_000_000 / 80)
    )
    with mailhost.smtp() as client:
        client.send_message(mail, "a@outside.example", [login[0]])
    assert mailhost.inbox(*login, str(mail["Subject"]))


# --- who gets it --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["info", "INFO", "info+rechnung", "Info+A+B"])
def test_mailbox_takes_its_name_in_any_case_and_with_a_tag(
    mailhost: MailHost, info: Login, name: str
) -> None:
    assert mailhost.inbox(*info, mailhost.send_in(f"{name}@Example.TEST"))


def test_mail_is_read_over_imaps_imap_and_pop3s(mailhost: MailHost, info: Login) -> None:
    subject = mailhost.send_in("info@example.test")
    assert mailhost.inbox(*info, subject)
    client = mailhost.imap_unencrypted()
    client.starttls(mailhost.tls())
    client.login(*info)
    client.select("INBOX")
    assert client.search(None, "SUBJECT", f'"{subject}"')[1][0]
    client.logout()
    pop = mailhost.pop3(*info)
    assert len(pop.list()[1]) >= 1
    pop.quit()


def test_alias_reaches_all_its_mailboxes(mailhost: MailHost, info: Login) -> None:
    other = mailhost.mailbox("zweite")
    mailhost.apply(route("alias", "beide", "info@example.test", "zweite@example.test"))
    subject = mailhost.send_in("beide@example.test")
    assert mailhost.inbox(*info, subject) and mailhost.inbox(*other, subject)


def test_alias_domain_has_the_names_of_its_domain_and_no_others(
    mailhost: MailHost, info: Login
) -> None:
    mailhost.apply(
        domain(3, "zweitname.test", canonical_id=1), route("alias", "kontakt", "info@example.test")
    )
    assert mailhost.inbox(*info, mailhost.send_in("info+tag@zweitname.test"))
    assert mailhost.inbox(*info, mailhost.send_in("kontakt@zweitname.test"))
    assert mailhost.rcpt("niemand@zweitname.test")[0] == 550


def test_catch_all_takes_the_rest_and_never_beats_an_address(
    mailhost: MailHost, info: Login
) -> None:
    rest = mailhost.mailbox("rest")
    mailhost.apply(
        mailbox("ab", state="off"), mailbox("kopie", targets=["info@example.test"]),
        route("alias", "alias", "info@example.test"),
        domain(1, "example.test", catch_all="rest@example.test"),
    )  # fmt: skip
    try:
        for name in ("irgendwer", "irgend+wer"):
            assert mailhost.inbox(*rest, mailhost.send_in(f"{name}@example.test"))
        for name in ("info", "info+tag", "alias", "alias+tag", "kopie+tag"):
            subject = mailhost.send_in(f"{name}@example.test")
            assert mailhost.inbox(*info, subject)
            assert mailhost.find(*rest, subject) is None
        for name in ("ab", "ab+tag"):
            assert mailhost.rcpt(f"{name}@example.test")[0] == 550
    finally:
        mailhost.apply(domain(1, "example.test"))


def test_postmaster_of_every_domain_reaches_somebody(mailhost: MailHost) -> None:
    """RFC 5321, 4.5.1: with the domain, and without one."""
    for name, reader in (
        ("postmaster@example.test", "alice@outside.example"),
        ("Abuse@example.test", "alice@outside.example"),
        (f"postmaster@{HOSTNAME}", "operator@outside.example"),
        ("postmaster", "operator@outside.example"),
    ):
        subject = mailhost.send_in(name)
        assert mailhost.outside(subject)["X-Envelope-To"] == f"<{reader}>"


def test_postmaster_whose_reader_is_gone_reaches_the_operator(mailhost: MailHost) -> None:
    mailhost.apply(domain(4, "verwaist.test", postmaster="weg@example.test"))
    subject = mailhost.send_in("postmaster@verwaist.test")
    assert mailhost.outside(subject)["X-Envelope-To"] == "<operator@outside.example>"


# --- forwards -----------------------------------------------------------------------------------


def test_forward_leaves_rewritten_and_its_bounce_finds_the_way_back(
    mailhost: MailHost, info: Login
) -> None:
    mailhost.apply(route("forward", "team", "info@example.test", "chef@outside.example"))
    subject = mailhost.send_in("team@example.test", sender="absender@elsewhere.example")
    inside = mailhost.inbox(*info, subject)
    assert inside["Return-Path"] == "<absender@elsewhere.example>"
    sender = mailhost.outside(subject)["X-Envelope-From"].strip("<>")
    assert sender.startswith("SRS0=") and sender.endswith(f"@{HOSTNAME}")
    bounce = letter("mailer-daemon@outside.example", sender)
    with mailhost.smtp() as client:
        client.send_message(bounce, "", [sender])
    assert mailhost.outside(bounce["Subject"])["X-Envelope-To"] == "<absender@elsewhere.example>"


def test_forged_and_made_up_srs_addresses_are_refused(mailhost: MailHost) -> None:
    for local_part in (
        "SRS0=xxxx=AA=elsewhere.example=absender", "SRS1=xxxx=elsewhere.example==AA=b.example=c",
        "SRS0", "SRS0=", "niemand",
    ):  # fmt: skip
        assert mailhost.rcpt(f"{local_part}@{HOSTNAME}", "")[0] == 550


def test_bounce_through_a_forward_does_not_go_round(mailhost: MailHost) -> None:
    mailhost.apply(route("forward", "weiter", "ziel@outside.example"))
    mail = letter("mailer-daemon@elsewhere.example", "weiter@example.test")
    with mailhost.smtp() as client:
        client.send_message(mail, "", ["weiter@example.test"])
    arrived = mailhost.outside(mail["Subject"])
    assert arrived["X-Envelope-From"] == "<>" and len(arrived.get_all("Received")) < 4


def test_own_sender_is_not_rewritten(mailhost: MailHost, info: Login) -> None:
    mailhost.apply(route("forward", "hinaus", "ziel@outside.example"))
    mail = letter("info@example.test", "hinaus@example.test")
    with mailhost.submissions(*info) as client:
        client.send_message(mail)
    assert mailhost.outside(mail["Subject"])["X-Envelope-From"] == "<info@example.test>"


def test_no_tag_is_carried_outside(mailhost: MailHost) -> None:
    mailhost.apply(
        route("forward", "steuer", "berater@outside.example"),
        domain(5, "sammel.test", catch_all="alles@outside.example"),
    )
    for name, reader in (
        ("steuer+2026@example.test", "berater"), ("wer+was@sammel.test", "alles"),
        ("postmaster+x@example.test", "alice"),
    ):  # fmt: skip
        subject = mailhost.send_in(name)
        assert mailhost.outside(subject)["X-Envelope-To"] == f"<{reader}@outside.example>"


@pytest.mark.parametrize("keep", [True, False])
def test_mailbox_forwards_with_and_without_a_copy(mailhost: MailHost, keep: bool) -> None:
    login = mailhost.mailbox(f"kopie{keep}".lower(), targets=["p@outside.example"], keep_copy=keep)
    subject = mailhost.send_in(login[0])
    assert mailhost.outside(subject)
    mailhost.settle()
    assert (mailhost.find(*login, subject) is not None) is keep


def test_route_of_dead_ends_is_refused_however_long_it_is(mailhost: MailHost, info: Login) -> None:
    gone, box = mailbox("bald.weg"), mailbox("aus", state="off")
    mailhost.apply(
        gone, box, domain(6, "aus.test", state="off"), domain(8, "leer.test"),
        route("forward", "d1", "bald.weg@example.test"),
        route("forward", "d2", "d1@example.test"),
        route("alias", "d3", "d2@example.test", "aus@example.test"),
        route("forward", "d4", "jemand@aus.test"),
        route("forward", "d5", "nie@leer.test", "d6@example.test"),
        route("forward", "d6", "d5@example.test"),
        route("forward", "halb", "d3@example.test", "info@example.test"),
    )  # fmt: skip
    assert {mailhost.rcpt(f"d{n}@example.test")[0] for n in (1, 2, 3)} == {250}
    mailhost.apply(removal(gone))
    for number in range(1, 7):
        assert mailhost.rcpt(f"d{number}@example.test")[0] == 550, number
    assert mailhost.inbox(*info, mailhost.send_in("halb@example.test"))
    mailhost.settle()
    assert "status=bounced" not in log_of(mailhost, "bald.weg@example.test")


def test_route_over_postmaster_or_catch_all_is_alive(mailhost: MailHost, info: Login) -> None:
    mailhost.apply(
        domain(7, "lebt.test", catch_all="info@example.test"),
        route("forward", "l1", "postmaster@nachbar.test"),
        route("forward", "l2", "egal@lebt.test"),
    )
    assert mailhost.outside(mailhost.send_in("l1@example.test"))
    assert mailhost.inbox(*info, mailhost.send_in("l2@example.test"))


def log_of(mailhost: MailHost, address: str) -> str:
    return "\n".join(
        line for line in mailhost.log("postfix").splitlines() if f"to=<{address}>" in line
    )


# --- who is told no -----------------------------------------------------------------------------


def test_unknown_name_is_refused_at_rcpt(mailhost: MailHost) -> None:
    code, text = mailhost.rcpt("niemand@example.test")
    assert code == 550 and "5.1.1" in text


@pytest.mark.parametrize(
    "to",
    [
        "x@outside.example",
        f"x%outside.example@{HOSTNAME}",
        f"@{HOSTNAME}:x@outside.example",
        f'"x@outside.example"@{HOSTNAME}',
        "x@[127.0.0.1]",
        "x@127.0.0.1",
        "x!y@outside.example",
        "outside.example!x",
        f"x@localhost.{HOSTNAME}",
    ],
)
def test_nothing_is_relayed_not_even_for_loopback(mailhost: MailHost, to: str) -> None:
    assert mailhost.rcpt(to)[0] in (501, 504, 550, 553, 554)


def test_full_mailbox_is_refused_by_all_its_names(mailhost: MailHost) -> None:
    """Accepting it would mean a bounce to a sender that may be forged."""
    login = mailhost.mailbox("voll", quota_mib=1)
    mailhost.apply(
        domain(9, "vollname.test", canonical_id=1),
        domain(10, "vollrest.test", catch_all=login[0]),
        route("alias", "voll.alias", login[0]),
        route("alias", "voll.kette", "voll.alias@example.test"),
        route("forward", "voll.weiter", login[0]),
    )
    assert mailhost.rcpt(login[0])[0] == 250
    fill(mailhost, login)
    for name in (
        "voll@example.test", "VOLL+tag@example.test", "voll.alias@example.test",
        "voll.alias+x@example.test", "voll.kette@example.test", "voll.weiter@example.test",
        "voll@vollname.test", "voll.alias@vollname.test", "irgendwer@vollrest.test",
    ):  # fmt: skip
        code, text = mailhost.rcpt(name)
        assert (code, "full" in text) == (452, True), name
    for port in ("submission", "submissions"):
        with getattr(mailhost, port)("info@example.test", PASSWORD) as client:
            client.mail("info@example.test")
            assert client.rcpt(login[0])[0] == 452


def test_full_mailbox_that_keeps_no_copy_goes_on_forwarding(mailhost: MailHost) -> None:
    login = mailhost.mailbox("volldurch", quota_mib=1)
    fill(mailhost, login)
    assert mailhost.rcpt(login[0])[0] == 452
    mailhost.mailbox("volldurch", quota_mib=1, targets=["p@outside.example"], keep_copy=False)
    assert mailhost.outside(mailhost.send_in(login[0]))


def test_one_full_reader_among_several_gets_nobody_a_bounce(
    mailhost: MailHost, info: Login
) -> None:
    """RCPT cannot refuse for one of them: his copy waits in the queue."""
    login = mailhost.mailbox("vollgruppe", quota_mib=1)
    mailhost.apply(route("alias", "gruppe", "info@example.test", login[0]))
    fill(mailhost, login)
    assert mailhost.rcpt("gruppe@example.test")[0] == 250
    # Beyond the grace of one message, too: what is stored is made to count more than it is.
    mailhost.mailbox("vollgruppe", quota_mib=30)
    for _number in range(2):
        fill(mailhost, login, megabytes=20)
    mailhost.mailbox("vollgruppe", quota_mib=1)
    subject = mailhost.send_in("gruppe@example.test", sender="kunde@outside.example")
    assert mailhost.inbox(*info, subject)
    until(lambda: "status=deferred" in log_of(mailhost, login[0]), what="deferred")
    assert "status=bounced" not in log_of(mailhost, login[0])
    mailhost.mailbox("vollgruppe", quota_mib=100)
    mailhost.postfix("flush")
    assert mailhost.inbox(*login, subject)


def test_message_over_the_limit_is_refused_announced_or_not(mailhost: MailHost) -> None:
    with mailhost.smtp() as client:
        client.ehlo()
        assert int(client.esmtp_features["size"]) == 26_214_400
        assert client.docmd("MAIL", "FROM:<a@outside.example> SIZE=26214401")[0] == 552
        client.rset()
        assert client.mail("a@outside.example")[0] == 250
        assert client.rcpt("info@example.test")[0] == 250
        assert client.data(b"Subject: x\r\n\r\n" + (b"y" * 70 + b"\r\n") * 380_000)[0] == 552


def test_vrfy_tells_nothing(mailhost: MailHost) -> None:
    with mailhost.smtp() as client:
        client.ehlo()
        assert client.vrfy("info@example.test")[0] == client.vrfy("niemand@example.test")[0] == 502


@pytest.mark.parametrize(
    ("own", "of_domain", "rcpt", "words", "log_in"),
    [
        ("active", "active", 250, "", True),
        ("login_off", "active", 250, "", False),
        ("active", "login_off", 250, "", False),
        ("off", "active", 550, "address is switched off", False),
        ("active", "off", 550, "domain is switched off", False),
        ("trash", "active", 550, "unknown", False),
        ("trash", "off", 550, "domain is switched off", False),
    ],
)
def test_states(
    mailhost: MailHost, own: str, of_domain: str, rcpt: int, words: str, log_in: bool
) -> None:
    at = f"{own}-{of_domain}.test".replace("_", "")
    number = number_of("", at)
    row = mailbox("wer", domain_id=number, at=at, state=own)
    mailhost.apply(domain(number, at, state=of_domain), row)
    login = (f"wer@{at}", PASSWORD)
    code, text = mailhost.rcpt(login[0])
    assert code == rcpt and words in text
    answers = set()
    for client in (mailhost.imap, mailhost.pop3, mailhost.submissions):
        try:
            client(*login)
            answers.add(True)
        except (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPException) as error:
            assert "uth" in str(error)
            answers.add(False)
    assert answers == {log_in}


def test_suspension_counts_on_an_open_connection(mailhost: MailHost) -> None:
    row = mailbox("offen")
    mailhost.apply(row)
    with mailhost.smtp() as client:
        client.ehlo()
        client.mail("a@outside.example")
        assert client.rcpt("offen@example.test")[0] == 250
        mailhost.apply({**row, "state": "off"})
        assert client.rcpt("offen@example.test")[0] == 550
        mailhost.apply(row)
        assert client.rcpt("offen@example.test")[0] == 250
        mailhost.apply(removal(row))
        assert client.rcpt("offen@example.test")[0] == 550


def test_new_domain_that_was_refused_before_is_taken(mailhost: MailHost) -> None:
    """A running smtpd keeps its refusal: the batch that brings the domain reloads it.

    Postfix's master takes the signal when it next runs; from then on every smtpd is a new one.
    """
    for _number in range(3):
        assert mailhost.rcpt("wer@spaeter.test")[0] == 554
    answer = mailhost.apply(
        domain(11, "spaeter.test"), mailbox("wer", domain_id=11, at="spaeter.test")
    )
    assert answer["reload"] == "done"
    until = time.monotonic() + 5
    while mailhost.rcpt("wer@spaeter.test")[0] != 250:
        assert time.monotonic() < until
        time.sleep(0.05)
    for _number in range(5):
        assert mailhost.rcpt("wer@spaeter.test")[0] == 250


# --- smuggling (CVE-2023-51764) ------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\n", b"\r\n\0.\r\n", b"\n\0.\r\n"],
    ids=repr,
)  # fmt: skip
def test_only_one_end_of_data_counts(mailhost: MailHost, info: Login, end: bytes) -> None:
    """Neither here nor at the next server does a mail hold a second one."""
    mailhost.apply(route("forward", "schmuggel", "info@example.test", "chef@outside.example"))
    mark = f"schmuggel {time.time_ns()}"
    inner = (
        b"MAIL FROM:<evil@outside.example>\r\nRCPT TO:<info@example.test>\r\nDATA\r\n"
        b"Subject: zweite %s\r\n\r\nboo\r\n.\r\n" % mark.encode()
    )
    with mailhost.smtp() as client:
        client.ehlo()
        client.mail("a@outside.example")
        client.rcpt("schmuggel@example.test")
        client.docmd("DATA")
        client.send(b"Subject: erste %s\r\n\r\ntext" % mark.encode() + end + inner)
        client.getreply()
        client.close()
    mailhost.settle()
    assert mailhost.find(*info, f"zweite {mark}") is None
    assert mailhost.find_outside(f"zweite {mark}") is None


def test_commands_before_their_turn_are_refused(mailhost: MailHost) -> None:
    with mailhost.smtp() as client:
        client.ehlo()
        client.mail("a@outside.example")
        client.rcpt("info@example.test")
        client.send(b"DATA\r\nSubject: early\r\n\r\nx\r\n.\r\nQUIT\r\n")
        assert client.getreply()[0] in (503, 554)


# --- the quota that an owner sees ---------------------------------------------------------------


def test_owner_sees_the_quota_and_cannot_store_over_it(mailhost: MailHost) -> None:
    login = mailhost.mailbox("kontingent", quota_mib=1)
    client = mailhost.imap(*login)
    assert b"STORAGE 0 1024" in client.getquotaroot("INBOX")[1][1][0]
    big = b"Subject: x\r\n\r\n" + b"y" * 2_000_000
    assert client.append("INBOX", None, None, big)[0] in ("OK", "NO")
    assert client.append("INBOX", None, None, b"y" * 30_000_000)[0] == "NO"
    client.logout()


def test_credential_counts_for_its_protocols_and_its_time(mailhost: MailHost) -> None:
    mailhost.mailbox("nurimap", credentials=[credential(protocols=["imap"])])
    mailhost.mailbox("abgelaufen", credentials=[credential(expires=1_000_000_000)])
    mailhost.imap("nurimap@example.test", PASSWORD).logout()
    with pytest.raises(smtplib.SMTPAuthenticationError):
        mailhost.submissions("nurimap@example.test", PASSWORD)
    with pytest.raises(Exception, match=r"(?i)auth"):
        mailhost.pop3("nurimap@example.test", PASSWORD)
    with pytest.raises(Exception, match=r"(?i)auth"):
        mailhost.imap("abgelaufen@example.test", PASSWORD)
