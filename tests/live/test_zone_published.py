"""The demo domain's zone: red, published, green; and the mail that its keys sign.

Last of the live tests, for from here on two keys sign.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import dkim
import dns.message
import dns.query
import dns.tsigkeyring
import dns.update
import pytest
from trial import Panel, Trial, letter, until

pytestmark = pytest.mark.live

PAGE = "/domains/example.test/dns/"
Login = tuple[str, str]


def answers(trial: Trial, name: str, kind: str) -> list[set[str]]:
    """What each name server of the trial shows."""
    found = []
    for address, port in trial.facts["dns_servers"]:
        reply = dns.query.udp(dns.message.make_query(name, kind), address, 5, port)
        found.append({each.to_text() for rrset in reply.answer for each in rrset})
    return found


def text_at(trial: Trial, name: bytes, _timeout: int = 5) -> bytes | None:
    """For dkimpy: the TXT record as the live zone has it."""
    address, port = trial.facts["dns"]
    query = dns.message.make_query(name.decode(), "TXT")
    reply = dns.query.tcp(query, address, 5, port)
    for rrset in reply.answer:
        return b"".join(rrset[0].strings)
    return None


def checked(alice: Panel) -> str:
    alice.post(f"{PAGE}check/")
    until(lambda: "Being checked" not in alice.get(PAGE).text, what="the look is over")
    return alice.get(PAGE).text


@pytest.fixture(scope="module")
def published(trial: Trial, alice: Panel) -> str:
    """The page after *publish*."""
    before = checked(alice)
    assert "Receiving does not work" in before
    plan = alice.post(f"{PAGE}publish/").url
    until(lambda: ">Publish</button>" in alice.get(plan).text, what="the plan")
    alice.post(f"{plan}write/")
    until(lambda: "All is written and seen." in alice.get(plan).text, seconds=60, what="written")
    return alice.get(PAGE).text


def test_published_zone_is_green_on_both_servers(trial: Trial, published: str) -> None:
    assert "Receiving works." in published
    assert "5 of 5 needed records are right." in published
    assert answers(trial, "example.test", "MX") == [{"10 mail.postkontor.test."}] * 2


def test_website_of_the_zone_stays(trial: Trial, published: str) -> None:
    assert answers(trial, "www.example.test", "A") == [{"192.0.2.80"}] * 2


def test_zone_takes_updates_with_the_key_only(trial: Trial, published: str) -> None:
    address, port = trial.facts["dns"]
    update = dns.update.UpdateMessage("example.test")
    update.add("evil", 60, "A", "192.0.2.1")
    assert dns.query.tcp(update, address, 5, port=port).rcode() != 0
    facts = trial.facts["dns_publishing"]
    secret = Path(facts["tsig_file"]).read_text()
    keyring = dns.tsigkeyring.from_text({facts["tsig_name"]: secret})
    update = dns.update.UpdateMessage("test", keyring=keyring, keyalgorithm=facts["tsig_algorithm"])
    update.add("_postkontor.neu", 60, "TXT", "hello")
    assert dns.query.tcp(update, address, 5, port=port).rcode() == 0
    until(
        lambda: answers(trial, "_postkontor.neu.test", "TXT") == [{'"hello"'}] * 2,
        what="at both servers",
    )


def test_signatures_of_both_kinds_verify_against_the_live_zone(
    trial: Trial, alice: Panel, info: Login, published: str
) -> None:
    until(lambda: "Ed25519, signs outgoing mail" in checked(alice), seconds=40, what="both sign")
    trial.manage("wait_until_even", "--seconds", "20")
    mail = letter("info@example.test", "kunde@outside.example")
    with trial.submissions(*info) as client:
        client.send_message(mail)
    content = as_sent(trial.outside(mail["Subject"]).as_bytes())
    assert len(verified(trial, content)) == 2


class Flow(threading.Thread):
    """Mail that goes out without a pause; each must verify when it arrives."""

    def __init__(self, trial: Trial, login: Login) -> None:
        super().__init__(daemon=True)
        self.trial, self.login = trial, login
        self.over = threading.Event()
        self.faults: list[str] = []
        self.selectors: list[set[str]] = []

    def run(self) -> None:
        while not self.over.is_set():
            try:
                self.selectors.append(self.one())
            except Exception as error:  # noqa: BLE001  (told at the end)
                self.faults.append(repr(error))

    def one(self) -> set[str]:
        """Send a mail; return the selectors of its signatures, all of which verify."""
        mail = letter("info@example.test", "kunde@outside.example")
        with self.trial.submissions(*self.login) as client:
            client.send_message(mail)
        content = as_sent(self.trial.outside(mail["Subject"]).as_bytes())
        return verified(self.trial, content)

    def until_signed_by(self, selectors: set[str]) -> None:
        until(
            lambda: self.selectors and self.selectors[-1] == selectors,
            seconds=30, what=f"signed by {selectors}",
        )  # fmt: skip

    def __enter__(self) -> Flow:
        self.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        self.over.set()
        self.join(60)


def verified(trial: Trial, content: bytes) -> set[str]:
    count = len(re.findall(rb"(?m)^DKIM-Signature:", content))
    selectors = set()
    for index in range(count):
        found = dkim.DKIM(content)
        assert found.verify(idx=index, dnsfunc=lambda name, timeout=5: text_at(trial, name))
        selectors.add(found.signature_fields[b"s"].decode())
    assert len(selectors) == 2
    return selectors


LOOK = """
from datetime import timedelta
from django.utils import timezone
from mailadmin.models import Domain
from mailadmin.services import zones
domain = Domain.objects.get(name="example.test")
looked = zones.check([domain], now=timezone.now() + timedelta(hours={hours}))
print(looked, *(f"{{k.selector}}:{{k.state}}" for k in domain.zone.dkim_keys.filter(gone_at=None)))
"""


def look(trial: Trial, *, hours: float) -> dict[str, str]:
    """Look at the zone with a clock that is ahead; the state of each key of which records stand."""

    def looked() -> list[str]:
        words = trial.manage("shell", "-v0", "-c", LOOK.format(hours=hours)).split()
        return words[1:] if words[0] == "1" else []  # else a worker is looking

    words = until(looked, what="a look")
    trial.manage("wait_until_even", "--seconds", "20")
    return dict(each.split(":") for each in words)


def in_state(found: dict[str, str], state: str) -> set[str]:
    return {selector for selector, its in found.items() if its == state}


def test_rotation_runs_through_while_mail_flows(
    trial: Trial, alice: Panel, info: Login, published: str
) -> None:
    until(lambda: "Ed25519, signs outgoing mail" in checked(alice), seconds=40, what="both sign")
    trial.manage("wait_until_even", "--seconds", "20")
    old = in_state(look(trial, hours=0), "signing")
    assert len(old) == 2
    with Flow(trial, info) as flow:
        flow.until_signed_by(old)
        alice.post(f"{PAGE}keys/")
        new = in_state(look(trial, hours=0), "staged") | in_state(look(trial, hours=0), "published")
        assert len(new) == 2
        for selector in new:  # written by itself: a person has published here before
            shown_at_both(trial, selector, "p=")
        assert in_state(look(trial, hours=0), "published") == new
        flow.until_signed_by(old)

        # Everybody has forgotten that the new ones were missing.
        found = look(trial, hours=2)
        assert in_state(found, "signing") == new and in_state(found, "retiring") == old
        flow.until_signed_by(new)

        # What waited in a queue for four days still verifies.
        assert in_state(look(trial, hours=2 + 4 * 24), "retiring") == old
        assert {tuple(sorted(each)) for each in flow.selectors} == {
            tuple(sorted(old)), tuple(sorted(new)),
        }  # fmt: skip

        assert in_state(look(trial, hours=2 + 6 * 24), "retired") == old
        look(trial, hours=2 + 6 * 24)
        for selector in old:
            shown_at_both(trial, selector, "v=DKIM1; p=")
        look(trial, hours=2 + 7 * 24)
        look(trial, hours=2 + 14 * 24)
        look(trial, hours=2 + 14 * 24)
        for selector in old:
            until(
                lambda name=f"{selector}._domainkey.example.test": answers(trial, name, "TXT")
                == [set(), set()],
                seconds=30, what=f"{selector} is gone",
            )  # fmt: skip
        assert set(look(trial, hours=3 + 14 * 24)) == new
        flow.until_signed_by(new)
    assert flow.faults == []
    assert len(flow.selectors) > 20


def shown_at_both(trial: Trial, selector: str, text: str) -> None:
    name = f"{selector}._domainkey.example.test"

    def shown() -> bool:
        found = answers(trial, name, "TXT")
        ends = text.endswith("; p=")
        return all(
            len(each) == 1 and (min(each) == f'"{text}"' if ends else text in min(each))
            for each in found
        )

    until(shown, seconds=30, what=f"{selector} shows {text}")


def as_sent(content: bytes) -> bytes:
    """Without what our outside server adds."""
    lines = content.splitlines(keepends=True)
    return b"".join(each for each in lines if not each.startswith(b"X-Envelope")).replace(
        b"\n", b"\r\n"
    )


@pytest.mark.parametrize(
    "program", [["/usr/bin/kzonecheck", "-o", "example.test"], ["/usr/bin/named-checkzone"]]
)
def test_exported_zone_is_one(
    trial: Trial, alice: Panel, published: str, tmp_path, program
) -> None:
    exported = alice.get(f"{PAGE}zone/").text
    file = tmp_path / "zone"
    file.write_text(
        "example.test. 60 IN SOA ns1.example.test. hostmaster.example.test. 1 60 60 60 60\n"
        "example.test. 60 IN NS ns1.example.test.\nns1.example.test. 60 IN A 127.0.0.1\n" + exported
    )
    name = ["example.test"] if "named" in program[0] else []
    done = subprocess.run([*program, *name, file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dead_name_server_is_unreachable_and_not_missing(
    trial: Trial, alice: Panel, published: str
) -> None:
    services = trial.state / "mailhost" / "run" / "services.json"
    pids = [int(pid) for pid in json.loads(services.read_text())]
    (second,) = (pid for pid in pids if b"names/2/" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(second, signal.SIGSTOP)
    try:
        page = checked(alice)
        assert "not reachable" in page and "Receiving: nobody knows at the moment." in page
        assert ">missing<" not in page
    finally:
        os.kill(second, signal.SIGCONT)
    assert "Receiving works." in checked(alice)
