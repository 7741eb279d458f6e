"""Rates on a real host: what is too much is put off, and what waits can be held and deleted."""

from __future__ import annotations

import smtplib

import pytest
from hostproc import PASSWORD, MailHost, domain, letter, mailbox, until

pytestmark = pytest.mark.live

ANNA, BERT = "anna@raten.test", "bert@raten.test"
RATES = {"mailbox": 3, "domain": 5, "account": None}


@pytest.fixture(scope="module", autouse=True)
def rated(mailhost: MailHost) -> None:
    mailhost.apply(
        domain(61, "raten.test", account_id=61, rates=RATES),
        *(mailbox(name, domain_id=61, at="raten.test") for name in ("anna", "bert", "carl")),
    )


def send(mailhost: MailHost, login: str, count: int, *, sender: str = "") -> str:
    mail = letter(sender or login, "kunde@outside.example")
    recipients = [f"k{number}@outside.example" for number in range(count)]
    with mailhost.submissions(login, PASSWORD) as client:
        client.send_message(mail, sender or login, recipients)
    return str(mail["Subject"])


def test_too_many_recipients_are_put_off_and_others_go_on(mailhost: MailHost) -> None:
    assert mailhost.outside(send(mailhost, ANNA, 2))
    assert mailhost.outside(send(mailhost, ANNA, 1))
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(mailhost, ANNA, 1)
    assert refused.value.smtp_code == 451
    assert b"Too many recipients within an hour" in refused.value.smtp_error
    assert mailhost.outside(send(mailhost, BERT, 2))
    with pytest.raises(smtplib.SMTPDataError):
        send(mailhost, BERT, 1)  # the domain is full
    assert mailhost.outside(send(mailhost, "info@example.test", 5))


def test_case_050_what_went_out_can_be_seen(mailhost: MailHost) -> None:
    mails = mailhost.call("sent", login=ANNA, before=0)["mails"]
    assert [mail["count"] for mail in mails] == [1, 2]
    assert mails[1]["recipients"] == ["k0@outside.example", "k1@outside.example"]
    assert mails[0]["sender"] == ANNA and mails[0]["bytes"] > 200
    assert "client.outside.example" in mails[0]["message_id"]


def test_case_050_alarm_tells_who_was_put_off(mailhost: MailHost) -> None:
    alarms = mailhost.call("alarms", after=0)["alarms"]
    found = {
        each["login"]: each["what"] for each in alarms if each["login"].endswith("@raten.test")
    }
    assert found == {ANNA: "mailbox", BERT: "domain"}


def test_case_050_queue_of_one_sender_is_held_released_and_deleted(mailhost: MailHost) -> None:
    mailhost.apply(domain(61, "raten.test", account_id=61))
    assert mailhost.sink is not None
    mailhost.sink.kill()
    mailhost.sink.wait()
    try:
        send(mailhost, "carl@raten.test", 1)
        send(mailhost, "carl@raten.test", 1, sender="carl+neu@raten.test")
        send(mailhost, ANNA, 1)
        until(lambda: len(waiting(mailhost)) == 3, what="three mails wait")
        assert loose(mailhost, "hold") == 2
        assert waiting(mailhost) == {
            "carl@raten.test": "hold", "carl+neu@raten.test": "hold", ANNA: "deferred",
        }  # fmt: skip
        assert loose(mailhost, "release") == 2
        until(lambda: "hold" not in waiting(mailhost).values(), what="released")
        assert loose(mailhost, "delete") == 2
        until(lambda: set(waiting(mailhost)) == {ANNA}, what="deleted")
        assert loose(mailhost, "delete") == 0
    finally:
        mailhost.start_sink()
        until(lambda: mailhost.postfix("flush") or not waiting(mailhost), what="all is sent")


def loose(mailhost: MailHost, action: str) -> int:
    return int(mailhost.call("loose", login="carl@raten.test", action=action)["count"])


def waiting(mailhost: MailHost) -> dict[str, str]:
    return {
        each["sender"]: each["queue_name"]
        for each in mailhost.queue()
        if each["sender"].endswith("@raten.test")
    }
