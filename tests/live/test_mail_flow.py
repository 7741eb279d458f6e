"""Mail really flows: in, out, forwarded, refused. Over the ports that a user is given."""

from __future__ import annotations

import imaplib
import smtplib
import ssl

import dkim
import pytest
from conftest import PASSWORD
from trial import Panel, Trial, letter, until

pytestmark = pytest.mark.live
Login = tuple[str, str]


def refusal(client: smtplib.SMTP, sender: str, to: str) -> tuple[int, str]:
    """The answer to RCPT on this connection."""
    client.ehlo_or_helo_if_needed()
    client.mail(sender)
    code, text = client.rcpt(to)
    client.rset()
    return code, text.decode()


def test_mail_from_outside_is_read_by_imap_and_pop3(trial: Trial, info: Login) -> None:
    subject = trial.send_in("info@example.test")
    assert trial.inbox(*info, subject)["Subject"] == subject
    client = trial.pop3(*info)
    assert len(client.list()[1]) >= 1
    client.quit()


def test_starttls_on_imap_reads_the_same_mail(trial: Trial, info: Login) -> None:
    subject = trial.send_in("info@example.test")
    trial.inbox(*info, subject)
    client = imaplib.IMAP4(*trial.facts["imap"])
    client.starttls(trial.tls())
    client.login(*info)
    client.select("INBOX")
    assert client.search(None, "SUBJECT", f'"{subject}"')[1][0]
    client.logout()


def test_plus_address_reaches_the_mailbox(trial: Trial, info: Login) -> None:
    assert trial.inbox(*info, trial.send_in("info+rechnung@example.test"))


def test_alias_reaches_its_mailbox_and_may_send(trial: Trial, alice: Panel, info: Login) -> None:
    page = alice.get("/mailboxes/").text
    uid = page.split(">info@example.test<")[0].rsplit("/mailboxes/", 1)[1].split("/")[0]
    alice.wait_live(alice.create_alias("kontakt", f"/mailboxes/{uid}/"))
    assert trial.inbox(*info, trial.send_in("kontakt@example.test"))
    mail = letter("kontakt@example.test", "kunde@outside.example")
    with trial.submissions(*info) as client:
        client.send_message(mail)
    assert trial.outside(mail["Subject"])["X-Envelope-From"] == "<kontakt@example.test>"


def test_forward_leaves_with_a_rewritten_sender_and_its_bounce_comes_back(
    trial: Trial, alice: Panel, info: Login
) -> None:
    alice.wait_live(alice.create_forward("team", "info@example.test", "chef@outside.example"))
    subject = trial.send_in("team@example.test", sender="absender@elsewhere.example")
    assert trial.inbox(*info, subject)
    sender = trial.outside(subject)["X-Envelope-From"].strip("<>")
    assert sender.startswith("SRS0=") and sender.endswith("@mail.postkontor.test")
    with trial.smtp() as client:
        bounce = letter("mailer-daemon@outside.example", sender)
        client.send_message(bounce, "", [sender])
        forged = sender.replace("SRS0=", "SRS0=x", 1)
        assert refusal(client, "", forged)[0] == 550
    assert trial.outside(bounce["Subject"])["X-Envelope-To"] == "<absender@elsewhere.example>"


def test_bounce_of_a_forward_does_not_go_round(trial: Trial, alice: Panel, info: Login) -> None:
    alice.wait_live(alice.create_forward("weiter", "ziel@outside.example"))
    mail = letter("mailer-daemon@elsewhere.example", "weiter@example.test")
    with trial.smtp() as client:
        client.send_message(mail, "", ["weiter@example.test"])
    arrived = trial.outside(mail["Subject"])
    assert arrived["X-Envelope-From"] == "<>"
    assert len(arrived.get_all("Received")) < 5


def test_no_plus_tag_is_carried_to_the_outside(trial: Trial, alice: Panel) -> None:
    alice.wait_live(alice.create_forward("steuer", "berater@outside.example"))
    subject = trial.send_in("steuer+2026@example.test")
    assert trial.outside(subject)["X-Envelope-To"] == "<berater@outside.example>"


@pytest.mark.parametrize("keep", [True, False])
def test_mailbox_forwards_with_and_without_a_copy(trial: Trial, alice: Panel, keep: bool) -> None:
    name = "mitkopie" if keep else "ohnekopie"
    page = alice.create_mailbox(name, PASSWORD)
    fields = {"targets": "privat@outside.example"} | ({"keep_copy": "on"} if keep else {})
    assert alice.post(f"{page}forwarding/", **fields).status == 200
    alice.wait_live(page)
    subject = trial.send_in(f"{name}@example.test")
    assert trial.outside(subject)
    if keep:
        assert trial.inbox(f"{name}@example.test", PASSWORD, subject)
    else:
        assert trial.find(f"{name}@example.test", PASSWORD, subject) is None


def test_catch_all_takes_unknown_names_and_never_beats_a_real_address(
    trial: Trial, alice: Panel, info: Login
) -> None:
    page = alice.create_mailbox("sammel", PASSWORD)
    alice.wait_live(page)
    try:
        answer = alice.post("/domains/example.test/catch-all/", target="sammel@example.test")
        assert answer.status == 200
        alice.wait_live("/domains/example.test/")
        subject = trial.send_in("irgendwer@example.test")
        assert trial.inbox("sammel@example.test", PASSWORD, subject)
        tagged = trial.send_in("info+tag@example.test")
        assert trial.inbox(*info, tagged)
        assert trial.find("sammel@example.test", PASSWORD, tagged) is None
    finally:
        alice.post("/domains/example.test/catch-all/", target="")
        alice.wait_live("/domains/example.test/")


@pytest.mark.parametrize("port", ["submission", "submissions"])
def test_owner_sends_to_the_outside_signed(trial: Trial, info: Login, port: str) -> None:
    mail = letter("info@example.test", "kunde@outside.example")
    with getattr(trial, port)(*info) as client:
        client.send_message(mail)
    arrived = trial.outside(mail["Subject"])
    assert arrived["X-Envelope-From"] == "<info@example.test>"
    record = trial.manage("shell", "-v0", "-c", SHOW_RECORD).strip().encode()
    content = b"".join(
        line
        for line in arrived.as_bytes().splitlines(keepends=True)
        if not line.startswith(b"X-Envelope")
    )
    assert dkim.verify(content.replace(b"\n", b"\r\n"), dnsfunc=lambda *_a, **_k: record)


SHOW_RECORD = "from maildns.models import DkimKey; print(DkimKey.objects.get(state='signing', algorithm='rsa').public_record)"


def test_unknown_recipient_is_refused_at_rcpt(trial: Trial, info: Login) -> None:
    with trial.smtp() as client:
        assert refusal(client, "a@outside.example", "niemand@example.test")[0] == 550


def test_postmaster_always_reaches_somebody(trial: Trial) -> None:
    subject = trial.send_in("postmaster@example.test")
    assert trial.outside(subject)["X-Envelope-To"] == "<alice@outside.example>"


@pytest.mark.parametrize(
    "target",
    [
        "x@outside.example",
        "x%outside.example@mail.postkontor.test",
        "@mail.postkontor.test:x@outside.example",
        '"x@outside.example"@mail.postkontor.test',
        "x@[127.0.0.1]",
    ],
)
def test_case_043_nothing_is_relayed(trial: Trial, target: str) -> None:
    with trial.smtp() as client:
        assert refusal(client, "a@elsewhere.example", target)[0] in (501, 550, 553, 554)


def test_full_mailbox_is_refused_at_rcpt_also_by_its_alias(trial: Trial, alice: Panel) -> None:
    page = alice.create_mailbox("voll", PASSWORD, quota_mib=1)
    alice.wait_live(page)
    alice.wait_live(alice.create_alias("voll.alias", page))
    big = letter("a@outside.example", "voll@example.test", body="x" * 70 + "\r\n" + "y" * 1_200_000)
    with trial.smtp() as client:
        client.send_message(big, "a@outside.example", ["voll@example.test"])
    trial.inbox("voll@example.test", PASSWORD, str(big["Subject"]))
    with trial.smtp() as client:
        assert refusal(client, "a@outside.example", "voll@example.test")[0] == 452
        assert refusal(client, "a@outside.example", "voll.alias@example.test")[0] == 452


def test_quota_below_what_is_used_is_refused_and_says_how_much(trial: Trial, alice: Panel) -> None:
    page = alice.create_mailbox("belegt", PASSWORD, quota_mib=20)
    alice.wait_live(page)
    mail = letter("a@outside.example", "belegt@example.test", body=("z" * 70 + "\n") * 45_000)
    with trial.smtp() as client:
        client.send_message(mail, "a@outside.example", ["belegt@example.test"])
    trial.inbox("belegt@example.test", PASSWORD, str(mail["Subject"]), seconds=40)
    answer = alice.post(f"{page}quota/", quota_mib="2")
    assert answer.status == 422 and "4 MiB are in use" in answer.text
    assert alice.post(f"{page}quota/", quota_mib="10").status == 200


def test_message_over_the_limit_is_refused(trial: Trial, info: Login) -> None:
    with trial.smtp() as client:
        client.ehlo()
        code, _text = client.docmd("MAIL", "FROM:<a@outside.example> SIZE=99999999")
        assert code == 552


def test_case_044_no_log_in_on_port_25_and_none_in_clear(trial: Trial, info: Login) -> None:
    with trial.smtp() as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] in (502, 503)
    client = smtplib.SMTP(*trial.facts["submission"])
    client.ehlo()
    assert not client.has_extn("auth")
    assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] in (502, 503, 530, 538)
    client.close()
    imap = imaplib.IMAP4(*trial.facts["imap"])
    assert "AUTH=PLAIN" not in imap.capabilities
    with pytest.raises(imaplib.IMAP4.error, match=r"(?i)disallowed|disabled|privacy"):
        imap.login(*info)
    imap.shutdown()


@pytest.mark.parametrize("port", ["imaps", "submissions", "pop3s"])
def test_tls_below_1_2_is_refused(trial: Trial, port: str) -> None:
    import socket
    import warnings

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(trial.facts[port]) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain)


@pytest.mark.parametrize(
    ("envelope", "header"),
    [
        ("alice.mueller@example.test", "info@example.test"),
        ("fremd@outside.example", "info@example.test"),
        ("info@example.test", "alice.mueller@example.test"),
        ("info@example.test", "chef@outside.example"),
        ("info@example.test", '"alice.mueller@example.test" <chef@outside.example>'),
        ("", "alice.mueller@example.test"),
        ("info@example.test", "info@example.test, alice.mueller@example.test"),
    ],
)
def test_case_041_042_nobody_sends_as_somebody_else(
    trial: Trial, info: Login, envelope: str, header: str
) -> None:
    mail = letter("info@example.test", "kunde@outside.example")
    del mail["From"]
    mail["From"] = header
    with trial.submissions(*info) as client:
        with pytest.raises(
            (smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)
        ) as refused:
            client.sendmail(envelope, ["kunde@outside.example"], mail.as_bytes())
        assert "5.7.1" in str(refused.value)
    assert trial.find_outside(str(mail["Subject"])) is None


def test_case_042_two_from_headers_are_refused(trial: Trial, info: Login) -> None:
    text = (
        b"From: info@example.test\r\nFrom: alice.mueller@example.test\r\nSubject: two\r\n\r\nx\r\n"
    )
    with trial.submissions(*info) as client, pytest.raises(smtplib.SMTPDataError):
        client.sendmail(info[0], ["kunde@outside.example"], text)


def test_own_tag_and_upper_case_may_be_written(trial: Trial, info: Login) -> None:
    mail = letter("Info+angebot@Example.test", "kunde@outside.example")
    with trial.submissions(*info) as client:
        client.send_message(mail)
    assert trial.outside(mail["Subject"])


def test_case_055_bare_line_feeds_smuggle_no_second_mail(trial: Trial, info: Login) -> None:
    subject = letter("a@b.example", "c@d.example")["Subject"]
    with trial.smtp() as client:
        client.ehlo()
        client.mail("a@outside.example")
        client.rcpt("info@example.test")
        client.docmd("DATA")
        evil = (
            f"Subject: {subject}\r\n\r\nfirst\n.\nMAIL FROM:<x@outside.example>\r\n"
            "RCPT TO:<info@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nsecond\r\n.\r\n"
        )
        client.send(evil.encode())
        client.getreply()
    mail = trial.inbox(*info, str(subject))
    assert "smuggled" in mail.get_payload() or trial.find(*info, "smuggled") is None


def test_imported_tls_names_hold_the_address(trial: Trial, info: Login) -> None:
    client = trial.imap(*info)
    assert client.noop()[0] == "OK"
    client.logout()


def test_delivery_to_a_forward_with_a_dead_inside_target_is_refused(
    trial: Trial, alice: Panel
) -> None:
    page = alice.create_mailbox("bald.weg", PASSWORD)
    alice.wait_live(page)
    alice.wait_live(alice.create_forward("zu.bald.weg", "bald.weg@example.test"))
    uid = page.strip("/").split("/")[-1]
    alice.post(f"/addresses/{uid}/trash/")
    alice.wait_live(page)
    with trial.smtp() as client:
        assert refusal(client, "a@outside.example", "zu.bald.weg@example.test")[0] == 550


def test_states_do_what_they_say(trial: Trial, alice: Panel) -> None:
    page = alice.create_mailbox("zustand", PASSWORD)
    alice.wait_live(page)
    uid, login = page.strip("/").split("/")[-1], ("zustand@example.test", PASSWORD)
    kept = trial.send_in("zustand@example.test")
    trial.inbox(*login, kept)

    alice.post(f"/addresses/{uid}/state/", state="login_off")
    alice.wait_live(page)
    with pytest.raises(imaplib.IMAP4.error):
        trial.imap(*login)
    with trial.smtp() as client:
        assert refusal(client, "a@outside.example", login[0])[0] == 250

    alice.post(f"/addresses/{uid}/state/", state="off")
    alice.wait_live(page)
    with trial.smtp() as client:
        code, text = refusal(client, "a@outside.example", login[0])
        assert code == 550 and "switched off" in text

    alice.post(f"/addresses/{uid}/trash/")
    alice.wait_live(page)
    with trial.smtp() as client:
        assert "switched off" not in refusal(client, "a@outside.example", login[0])[1]

    assert alice.post(f"/addresses/{uid}/restore/").status == 200
    alice.post(f"/addresses/{uid}/state/", state="active")
    alice.wait_live(page)
    assert trial.find(*login, kept)


def test_case_052_new_mailbox_of_the_same_name_starts_empty(trial: Trial, alice: Panel) -> None:
    page = alice.create_mailbox("neuanfang", PASSWORD)
    alice.wait_live(page)
    uid, login = page.strip("/").split("/")[-1], ("neuanfang@example.test", PASSWORD)
    old = trial.send_in(login[0])
    trial.inbox(*login, old)
    alice.post(f"/addresses/{uid}/trash/")
    answer = alice.post(f"/addresses/{uid}/delete/", confirm=login[0])
    assert answer.status == 200
    alice.wait_live(alice.create_mailbox("neuanfang", PASSWORD))
    assert trial.find(*login, old) is None


def test_old_password_ends_when_the_new_one_is_live(trial: Trial, alice: Panel) -> None:
    page = alice.create_mailbox("kennwort", PASSWORD)
    alice.wait_live(page)
    session = trial.imap("kennwort@example.test", PASSWORD)
    alice.post(f"{page}password/", password="rot-Anker-81-Wiese")
    alice.wait_live(page)
    trial.imap("kennwort@example.test", "rot-Anker-81-Wiese").logout()
    with pytest.raises(imaplib.IMAP4.error):
        trial.imap("kennwort@example.test", PASSWORD)

    def ended() -> bool:
        try:
            session.noop()
        except (imaplib.IMAP4.error, OSError):
            return True
        return False

    until(ended, what="the old session has ended")
