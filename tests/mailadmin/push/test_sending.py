"""Stopping a mailbox, its alarms and rates, against a real agent."""

from __future__ import annotations

import http.client
import json
import socketserver
import threading
import urllib.parse

import pytest
from django.core import mail
from django.test import Client
from factories import OPERATOR, actor, make_user, make_world

from mailadmin.errors import NotFound, NotStopped, StateConflict
from mailadmin.models import AuditEvent, Mailbox, MailHost, SendingAlarm
from mailadmin.models.mailboxes import Waiting
from mailadmin.push import apply, render, sent, wire
from mailadmin.services import accounts, addresses, sending

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_lines():
    yield
    for url in list(wire._idle):
        wire.forget(url)


@pytest.fixture
def world(host):
    return make_world()


@pytest.fixture
def box(world) -> Mailbox:
    return world.mailbox


@pytest.fixture
def helper(agent):
    """Stands where the root helper stands; hears what it is asked."""
    heard: list[dict] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            heard.append(json.loads(self.rfile.readline()))
            self.wfile.write(b'{"ok": true, "count": 2}\n')

    path = agent.state / "run/helper/helper.sock"
    path.unlink(missing_ok=True)
    server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
    path.chmod(0o666)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield heard
    server.shutdown()
    server.server_close()


def push(host: MailHost) -> None:
    MailHost.objects.filter(pk=host.pk).update(next_attempt_at=None)
    apply.push_host(host.pk)


def hand_in(agent, login: str, count: int) -> str:
    token = (agent.state / "etc/vault.token").read_text().strip()
    fields = [
        ("login", login),
        ("from", login),
        *[("rcpt", f"r{n}@outside.example") for n in range(count)],
    ]
    link = http.client.HTTPConnection("127.0.0.1", agent.settings.ports.agent_http, timeout=20)
    link.request("POST", "/v1/sender", urllib.parse.urlencode(fields), {"X-Vault-Token": token})
    return str(json.loads(link.getresponse().read())["full"])


def asked(heard: list[dict]) -> list[tuple[str, str]]:
    return [(each["action"], each["sender"]) for each in heard if each["verb"] == "queue_of"]


def test_case_050_stop_ends_log_ins_and_holds_what_waits(host, agent, world, box, helper) -> None:
    push(host)
    sending.stop(box, by=actor(world.alice))
    box.refresh_from_db()
    assert box.stopped_at and box.waiting == Waiting.HOLD
    sending.settle_queues()
    assert asked(helper) == [], "the host has not learnt it yet: more could come"
    push(host)
    assert agent.rows("auth", "SELECT state FROM login WHERE local_part = 'info'") == [
        ("login_off",)
    ]
    assert {"verb": "kick", "login": "info@example.test"} in helper
    sending.settle_queues()
    assert asked(helper) == [("hold", "info@example.test")]
    box.refresh_from_db()
    assert box.waiting == ""
    assert hand_in(agent, "info@example.test", 1) == "" and not allowed(agent)


def allowed(agent) -> bool:
    token = (agent.state / "etc/vault.token").read_text().strip()
    link = http.client.HTTPConnection("127.0.0.1", agent.settings.ports.agent_http, timeout=20)
    body = "login=info%40example.test&from=info%40example.test"
    link.request("POST", "/v1/sender", body, {"X-Vault-Token": token})
    return bool(json.loads(link.getresponse().read())["allowed"])


@pytest.mark.parametrize("waiting", [Waiting.RELEASE, Waiting.DELETE])
def test_lift_lets_it_log_in_again(host, agent, world, box, helper, waiting) -> None:
    push(host)
    sending.stop(box, by=actor(world.alice))
    push(host)
    sending.settle_queues()
    sending.lift(box, waiting, by=actor(world.alice))
    push(host)
    sending.settle_queues()
    assert agent.rows("auth", "SELECT state FROM login WHERE local_part = 'info'") == [("active",)]
    assert asked(helper)[-1] == (waiting.value, "info@example.test")
    assert {"mailbox.stopped", "mailbox.lifted"} <= set(
        AuditEvent.objects.values_list("code", flat=True)
    )
    with pytest.raises(NotStopped):
        sending.lift(box, waiting, by=actor(world.alice))


def test_queue_is_settled_when_the_host_comes_back(host, agent, world, box) -> None:
    push(host)
    sending.stop(box, by=OPERATOR)
    push(host)
    agent.kill()
    sending.settle_queues()
    box.refresh_from_db()
    assert box.waiting == Waiting.HOLD
    assert sent.of(box) is None


def test_stranger_viewer_and_trash_are_refused(host, world, box) -> None:
    with pytest.raises(NotFound):
        sending.stop(box, by=actor(world.charlie))
    addresses.move_to_trash(box.address, by=OPERATOR)
    with pytest.raises(StateConflict):
        sending.stop(box, by=OPERATOR)


def test_case_050_alarm_is_told_once_to_owner_reseller_and_operator(
    host, agent, world, box
) -> None:
    make_user("alice@outside.example", world.alice)
    make_user("bob@outside.example", world.bob)
    make_user("ada@outside.example", is_superuser=True)
    accounts.override_limit(world.alice, "sent_mailbox", 5, by=OPERATOR)
    push(host)
    assert hand_in(agent, "info@example.test", 5) == ""
    assert hand_in(agent, "info@example.test", 1) == "mailbox"
    for _time in range(2):
        sending.watch_hosts()
    alarm = SendingAlarm.objects.get()
    assert (alarm.address, alarm.what, alarm.count, alarm.allowed) == (box.address, "mailbox", 6, 5)
    assert sorted(letter.to[0] for letter in mail.outbox) == [
        "ada@outside.example", "alice@outside.example", "bob@outside.example",
    ]  # fmt: skip
    assert f"/mailboxes/{box.address.uid}/sent/" in mail.outbox[0].body


def test_rates_of_a_plan_reach_the_host_when_it_changes(host, agent, world) -> None:
    push(host)
    query = "SELECT rate_mailbox, rate_domain, rate_account FROM domain WHERE name = 'example.test'"
    assert agent.rows("lookup", query) == [(200, 1000, 2000)]
    plan = world.alice.plan
    plan.max_sent_domain = 50
    accounts.save_plan(plan, changed=["max_sent_domain"], by=OPERATOR)
    accounts.override_limit(world.alice, "sent_account", None, by=OPERATOR)
    push(host)
    assert agent.rows("lookup", query) == [(200, 50, None)]


def test_rates_cost_no_query_for_each_domain(world, django_assert_num_queries) -> None:
    with django_assert_num_queries(2):
        assert len([render.domain_row(domain) for domain in render.domains()]) == 2


def test_page_shows_what_went_out_and_stops_it(host, agent, world, box, client: Client) -> None:
    push(host)
    hand_in(agent, "info@example.test", 2)
    client.force_login(make_user("alice@outside.example", world.alice))
    page = f"/mailboxes/{box.address.uid}/sent/"
    shown = client.get(page).content.decode()
    assert "r1@outside.example" in shown and "2 of 200 recipients in the last hour." in shown
    assert "Stop this mailbox" in shown
    shown = client.post(page.replace("/sent/", "/stop/"), follow=True).content.decode()
    assert "Stopped since" in shown and "Let it send again" in shown
    shown = client.post(
        page.replace("/sent/", "/lift/"), {"waiting": "delete"}, follow=True
    ).content.decode()
    assert "Stop this mailbox" in shown
    box.refresh_from_db()
    assert (box.stopped_at, box.waiting) == (None, "delete")
    agent.kill()
    assert "does not answer" in client.get(page).content.decode()


def test_name_of_a_recipient_is_escaped(host, agent, world, box, client: Client) -> None:
    push(host)
    token = (agent.state / "etc/vault.token").read_text().strip()
    link = http.client.HTTPConnection("127.0.0.1", agent.settings.ports.agent_http, timeout=20)
    body = urllib.parse.urlencode([
        ("login", "info@example.test"), ("from", "info@example.test"), ("rcpt", "<script>@x.example"),
    ])  # fmt: skip
    link.request("POST", "/v1/sender", body, {"X-Vault-Token": token})
    link.getresponse().read()
    client.force_login(make_user("alice@outside.example", world.alice))
    assert "<script>@" not in client.get(f"/mailboxes/{box.address.uid}/sent/").content.decode()
