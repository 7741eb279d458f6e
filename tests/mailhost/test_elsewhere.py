"""A domain that is being moved to us: its people log in and send, its mail goes to the old place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostproc import HOSTNAME, PASSWORD, MailHost, Row, domain, letter, mailbox, route, until

pytestmark = pytest.mark.live
Login = tuple[str, str]

MOVING, NAMES, OTHER_NAMES = "umzug.test", "umzugsname.test", "nochda.test"
WER: Login = (f"wer@{MOVING}", PASSWORD)
VOLL: Login = (f"voll@{MOVING}", PASSWORD)


def domains(*, elsewhere: bool, **fields: object) -> list[Row]:
    """The domain, an alias domain of it, and one that moves while its domain is here."""
    return [
        domain(50, MOVING, elsewhere=elsewhere, **fields),
        domain(51, NAMES, canonical_id=50),
        domain(52, OTHER_NAMES, canonical_id=1, elsewhere=elsewhere),
    ]


def inside(kind: str, name: str, *targets: str) -> Row:
    return route(kind, name, *targets, domain_id=50, at=MOVING)


def box(name: str, **fields: object) -> Row:
    return mailbox(name, domain_id=50, at=MOVING, **fields)


@pytest.fixture(scope="module")
def moving(mailhost: MailHost) -> Iterator[str]:
    """It was here first, so that whatever runs knows it as ours; then its mail goes elsewhere."""
    mailhost.apply(
        *domains(elsewhere=False), box("wer"), box("kollegin"), box("aus", state="off"), box("voll", quota_mib=1),
        inside("alias", "zweit", WER[0]), inside("forward", "fort", "info@example.test"),
    )  # fmt: skip
    for name in (WER[0], VOLL[0], f"wer@{NAMES}", f"info@{OTHER_NAMES}"):
        answers(mailhost, name, 250)
    mail = letter("a@outside.example", VOLL[0], body=("y" * 78 + "\n") * 16_000)
    with mailhost.smtp() as client:
        client.send_message(mail)
    assert mailhost.inbox(*VOLL, mail["Subject"])
    answers(mailhost, VOLL[0], 452)
    mailhost.apply(*domains(elsewhere=True, catch_all=WER[0]))
    yield MOVING
    mailhost.apply(*domains(elsewhere=False))


def answers(mailhost: MailHost, to: str, code: int) -> None:
    """Postfix's master takes the signal to reload when it next runs, and then for good."""
    until(lambda: mailhost.rcpt(to)[0] == code, seconds=5, what=f"{code} for {to}")
    assert {mailhost.rcpt(to)[0] for _ in range(3)} == {code}


EVERY_NAME = [
    "wer", "WER+tag", "zweit", "fort", "aus", "voll", "postmaster", "abuse", "niemand",
]  # fmt: skip


@pytest.mark.parametrize("name", EVERY_NAME)
def test_port_25_asks_to_try_again_for_all_of_its_names(
    mailhost: MailHost, moving: str, name: str
) -> None:
    answers(mailhost, f"{name}@{moving}", 450)
    assert "being moved" in mailhost.rcpt(f"{name}@{moving}")[1]


@pytest.mark.parametrize("name", [f"wer@{NAMES}", f"niemand@{NAMES}", f"info@{OTHER_NAMES}"])
def test_alias_domain_goes_with_its_domain_or_by_itself(
    mailhost: MailHost, moving: str, name: str
) -> None:
    answers(mailhost, name, 450)


@pytest.mark.parametrize("port", ["submission", "submissions"])
@pytest.mark.parametrize("name", EVERY_NAME)
def test_neighbour_writes_to_the_old_place(
    mailhost: MailHost, info: Login, moving: str, port: str, name: str
) -> None:
    """Even where the host would know better: who is switched off or full here is not so there."""
    mail = letter(info[0], f"{name}@{moving}")
    with getattr(mailhost, port)(*info) as client:
        client.send_message(mail)
    arrived = mailhost.outside(mail["Subject"])
    assert arrived["X-Envelope-To"] == f"<{name}@{moving}>"
    assert arrived["X-Envelope-From"] == f"<{info[0]}>"
    mailhost.settle()
    assert mailhost.find(*WER, mail["Subject"]) is None
    assert mailhost.find(*info, mail["Subject"]) is None


@pytest.mark.parametrize("name", [f"wer@{NAMES}", f"info@{OTHER_NAMES}"])
def test_neighbour_writes_to_a_second_name(
    mailhost: MailHost, info: Login, moving: str, name: str
) -> None:
    mail = letter(info[0], name)
    with mailhost.submissions(*info) as client:
        client.send_message(mail)
    assert mailhost.outside(mail["Subject"])["X-Envelope-To"] == f"<{name}>"


@pytest.mark.parametrize("target", ["wer", "zweit", "aus", "voll", "niemand"])
def test_forward_leaves_for_the_old_place_rewritten(
    mailhost: MailHost, moving: str, target: str
) -> None:
    """What is a dead end here need not be one there: it is as good as any target outside."""
    mailhost.apply(
        route("forward", "hinueber", f"{target}@{moving}"),
        route("forward", "weiter.hinueber", "hinueber@example.test"),
    )
    subject = mailhost.send_in("weiter.hinueber@example.test", sender="kunde@outside.example")
    arrived = mailhost.outside(subject)
    assert arrived["X-Envelope-To"] == f"<{target}@{moving}>"
    sender = arrived["X-Envelope-From"].strip("<>")
    assert sender.startswith("SRS0=") and sender.endswith(f"@{HOSTNAME}")
    mailhost.settle()
    assert mailhost.find(*WER, subject) is None


def test_copy_of_a_mailbox_and_a_catch_all_leave_for_the_old_place(
    mailhost: MailHost, moving: str
) -> None:
    login = mailhost.mailbox("kopie.hinueber", targets=[WER[0]])
    mailhost.apply(domain(53, "sammelt.test", catch_all=WER[0]))
    subject = mailhost.send_in(login[0])
    assert mailhost.inbox(*login, subject)
    assert mailhost.outside(subject)["X-Envelope-To"] == f"<{WER[0]}>"
    subject = mailhost.send_in("irgendwer@sammelt.test")
    assert mailhost.outside(subject)["X-Envelope-To"] == f"<{WER[0]}>"


def test_bounce_of_the_old_place_finds_its_way_back(mailhost: MailHost, moving: str) -> None:
    mailhost.apply(route("forward", "rueckweg", f"chefin@{OTHER_NAMES}"))
    subject = mailhost.send_in("rueckweg@example.test", sender="kunde@outside.example")
    bounce_to = mailhost.outside(subject)["X-Envelope-From"].strip("<>")
    bounce = letter(f"mailer-daemon@{OTHER_NAMES}", bounce_to)
    with mailhost.smtp() as client:
        client.send_message(bounce, "", [bounce_to])
    assert mailhost.outside(bounce["Subject"])["X-Envelope-To"] == "<kunde@outside.example>"


def test_its_people_log_in_and_send(mailhost: MailHost, info: Login, moving: str) -> None:
    mailhost.imap(*WER).logout()
    mailhost.pop3(*WER).quit()
    for to in ("kunde@outside.example", f"kollegin@{moving}", WER[0]):
        mail = letter(WER[0], to)
        with mailhost.submissions(*WER) as client:
            client.send_message(mail)
        arrived = mailhost.outside(mail["Subject"])
        assert arrived["X-Envelope-From"] == f"<{WER[0]}>", "its own sender is not rewritten"
        assert arrived["X-Envelope-To"] == f"<{to}>"
    mail = letter(WER[0], info[0])
    with mailhost.submission(*WER) as client:
        client.send_message(mail)
    assert mailhost.inbox(*info, mail["Subject"])


def test_nobody_else_sends_as_them(mailhost: MailHost, info: Login, moving: str) -> None:
    with mailhost.submissions(*info) as client:
        client.mail(WER[0])
        assert client.rcpt("kunde@outside.example")[0] == 553


def test_proof_shows_a_foreign_domain_and_a_log_in(mailhost: MailHost, moving: str) -> None:
    key = box("wer")["key"]
    rows = [
        {"kind": "domain", "key": "50", "expect": {"name": moving, "local_part": "k7q2-x", "rcpt": 450}},
        {"kind": "address", "key": key, "expect": {"address": WER[0], "rcpt": 450, "login": True}},
    ]  # fmt: skip
    results = mailhost.call("prove", rows=rows)["results"]
    assert [each.get("code", "ok") for each in results] == ["ok", "ok"], results
    rows[1]["expect"]["rcpt"] = 250
    results = mailhost.call("prove", rows=rows)["results"]
    assert [each.get("code", "ok") for each in results] == ["ok", "rcpt_refused"], results


def test_switch_ends_no_session_restarts_nothing_and_loses_no_mail(
    mailhost: MailHost, info: Login, moving: str
) -> None:
    """There and back while somebody reads: each mail goes where the switch stood."""
    running = mailhost.sessions()
    reader = mailhost.imap(*WER)
    reader.select("INBOX")
    for elsewhere in (False, True, False, True):
        answer = mailhost.apply(*domains(elsewhere=elsewhere))
        assert answer["reload"] == "done"
        answers(mailhost, WER[0], 450 if elsewhere else 250)
        answers(mailhost, f"niemand@{moving}", 450 if elsewhere else 550)
        answers(mailhost, f"wer@{NAMES}", 450 if elsewhere else 250)
        answers(mailhost, f"info@{OTHER_NAMES}", 450 if elsewhere else 250)
        mail = letter(info[0], WER[0])
        with mailhost.submissions(*info) as client:
            client.send_message(mail)
        if elsewhere:
            assert mailhost.outside(mail["Subject"])
        else:
            assert mailhost.inbox(*WER, mail["Subject"])
            assert mailhost.inbox(*WER, mailhost.send_in(f"zweit@{moving}"))
        mailhost.settle()
        assert (mailhost.find(*WER, mail["Subject"]) is None) is elsewhere
        assert (mailhost.find_outside(mail["Subject"]) is None) is not elsewhere
    assert reader.noop()[0] == "OK"
    reader.logout()
    assert mailhost.sessions() == running


def test_mail_that_waits_for_the_old_place_is_delivered_here_after_the_switch(
    mailhost: MailHost, info: Login, moving: str
) -> None:
    assert mailhost.sink is not None
    """Who was behind an address there is nobody's business here: each is looked up anew."""
    mailhost.apply(route("forward", "wartet", f"zweit@{MOVING}"))
    mailhost.sink.terminate()
    mailhost.sink.wait()
    try:
        mail = letter(info[0], WER[0], Cc=f"zweit+tag@{MOVING}, fort@{MOVING}, wer@{NAMES}")
        with mailhost.submissions(*info) as client:
            client.send_message(mail)
        subject = mailhost.send_in("wartet@example.test")
        until(lambda: {each["queue_name"] for each in mailhost.queue()} == {"deferred"})
        assert mailhost.apply(*domains(elsewhere=False))["reload"] == "done"
        answers(mailhost, WER[0], 250)
        until(lambda: "deferred" not in {each["queue_name"] for each in mailhost.queue()})
        mailhost.postfix("flush")
        assert mailhost.inbox(*WER, mail["Subject"])
        assert mailhost.inbox(*WER, subject)
        assert mailhost.inbox(*info, mail["Subject"]), "by the forward, which was not his own"
        mailhost.settle()
        assert "status=bounced" not in mailhost.log("postfix").rpartition("refreshing the")[2]
    finally:
        mailhost.start_sink()
        mailhost.apply(*domains(elsewhere=True))
