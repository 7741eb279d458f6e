"""The push against a real agent, with faults from outside."""

from __future__ import annotations

import json
import socketserver
import threading

import pytest
from django.db import connection
from factories import OPERATOR, make_account, make_alias, make_domain, make_forward, make_mailbox

from mailadmin.models import Address, Domain, Drift, HostRow, Mailbox, MailHost
from mailadmin.models.states import State
from mailadmin.push import apply, drift, hostrows, lease, render, wire
from mailadmin.services import addresses, domains, mailboxes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_lines():
    yield
    for url in list(wire._idle):
        wire.forget(url)


@pytest.fixture
def domain(host) -> Domain:
    return make_domain(
        make_account("Alice", max_domains=5, max_mailboxes=100, max_quota_mib=100_000)
    )


def push(host: MailHost) -> MailHost:
    MailHost.objects.filter(pk=host.pk).update(next_attempt_at=None)
    apply.push_host(host.pk)
    host.refresh_from_db()
    return host


def assert_same(host: MailHost, agent) -> None:
    """The panel and the host's files say the same; read from the files themselves."""
    emails = set(agent.rows(
        "lookup",
        "SELECT a.local_part || '@' || d.name, a.state FROM address a JOIN domain d ON d.id = a.domain_id",
    ))  # fmt: skip
    assert emails == {(row.email, render.address_row(row)["state"]) for row in render.addresses()}
    logins = dict(agent.rows("auth", "SELECT address_id, hash FROM credential"))
    assert logins == {box.pk: box.credentials.get().hash for box in Mailbox.objects.all()}
    generations = {
        agent.rows(name, "SELECT generation FROM meta")[0][0]
        for name in ("lookup", "auth", "private")
    }
    assert generations == {host.applied_generation}
    assert drift.compare(host) == []


def test_all_kinds_of_rows_reach_the_files(host, agent, domain) -> None:
    mailbox = make_mailbox(domain)
    make_alias(mailbox)
    make_forward(domain)
    push(host)
    assert host.condition == "ok" and host.lag == 0
    assert_same(host, agent)
    assert agent.rows("lookup", "SELECT address FROM sender ORDER BY 1") == [
        ("info@example.test",), ("kontakt@example.test",),
    ]  # fmt: skip


def test_many_changes_of_one_object_are_one_row(host, agent, domain) -> None:
    mailbox = make_mailbox(domain)
    for quota in (10, 20, 30):
        mailboxes.change_quota(mailbox, quota, by=OPERATOR)
    assert HostRow.objects.filter(kind="address").count() == 1
    push(host)
    assert agent.rows("lookup", "SELECT quota_mib FROM address") == [(30,)]


def test_proof_that_cannot_be_had_is_not_live(host, agent, domain) -> None:
    push(host)
    row = HostRow.objects.get(kind="domain")
    assert row.is_applied and not row.is_live
    assert row.fault_code == "rcpt_unreachable"


def test_f03_answer_lost_after_the_effect_is_taken_in(host, agent, line, domain) -> None:
    push(host)
    make_mailbox(domain)
    line.drop_answers = '"verb":"apply"'
    push(host)
    assert agent.call("hello")["generation"] == host.generation, "the batch had its effect"
    assert host.condition == "ok" and host.lag == 0, "and the next greeting told it"
    line.drop_answers = ""
    assert_same(host, agent)


@pytest.mark.parametrize("cut", [1, 100, 700])
def test_f02_batch_cut_in_transfer_changes_nothing(host, agent, line, domain, cut: int) -> None:
    line.drop_after = cut
    push(host)
    make_mailbox(domain)
    push(host)
    assert_same(host, agent)


def test_f04_agent_killed_at_any_moment_converges(host, agent, domain) -> None:
    for number in range(12):
        make_mailbox(domain, f"box{number}")
        timer = threading.Timer(0.002 * number, agent.kill)
        timer.start()
        push(host)
        timer.join()
        agent.start()
        push(host)
        assert host.lag == 0
        assert_same(host, agent)


def test_kept_connection_survives_an_agent_restart(host, agent, domain) -> None:
    push(host)
    agent.restart()
    make_mailbox(domain)
    push(host)
    assert host.condition == "ok" and host.lag == 0


def test_f09_unreachable_host_is_tried_again_later_and_later(host, agent, domain) -> None:
    agent.kill()
    for attempt in (1, 2, 3):
        push(host)
        assert (host.condition, host.attempts) == ("unreachable", attempt)
    assert host.next_attempt_at is not None
    before = host.attempts
    apply.push_host(host.pk)
    host.refresh_from_db()
    assert host.attempts == before, "not before its time"


def test_f18_second_worker_leaves_a_leased_host_alone(host, agent, domain) -> None:
    with lease.held(host.pk) as token:
        assert token is not None
        assert lease.take(host.pk) is None
        apply.push_host(host.pk)
    host.refresh_from_db()
    assert host.lag > 0
    push(host)
    assert host.lag == 0


def test_f21_late_worker_is_refused_by_its_token(host, agent, domain) -> None:
    push(host)
    base = {"epoch": host.epoch, "generation": host.applied_generation, "batch": host.batch}
    to = {**base, "generation": 99, "batch": "late"}
    answer = agent.call("apply", token=host.lease_token - 1, base=base, to=to, rows=[])
    assert answer["code"] == "stale_token"
    with pytest.raises(lease.LeaseLost):
        lease.extend(host.pk, host.lease_token - 1)


def test_f20_older_generation_is_refused(host, agent, domain) -> None:
    push(host)
    old = {"epoch": host.epoch, "generation": host.applied_generation, "batch": host.batch}
    make_mailbox(domain)
    push(host)
    answer = agent.call("apply", token=host.lease_token, base=old, to=old, rows=[])
    assert answer["code"] == "fork"
    assert answer["facts"]["generation"] == host.applied_generation


def test_f30_panel_from_an_older_backup_stops_and_removes_nothing(host, agent, domain) -> None:
    push(host)
    old = {"applied_generation": host.applied_generation, "batch": host.batch}
    make_mailbox(domain)
    push(host)
    MailHost.objects.filter(pk=host.pk).update(**old)
    make_mailbox(domain, "zweite")
    push(host)
    assert host.condition == "forked"
    assert host.fault_facts["there"]["generation"] > host.fault_facts["ours"]["generation"]
    assert agent.rows("lookup", "SELECT count(*) FROM address") == [(1,)]
    push(host)
    assert host.condition == "forked", "it waits for a person"
    assert drift.resync_host(host.pk)
    host.refresh_from_db()
    assert host.condition == "ok"
    assert_same(host, agent)


def test_f31_host_rebuilt_empty_stops_and_is_filled_by_a_resync(host, agent, domain) -> None:
    make_mailbox(domain)
    push(host)
    agent.forget_everything()
    make_mailbox(domain, "zweite")
    push(host)
    assert host.condition == "forked"
    assert drift.resync_host(host.pk)
    host.refresh_from_db()
    assert_same(host, agent)


def test_resync_drops_what_the_panel_does_not_have(host, agent, domain) -> None:
    mailbox = make_mailbox(domain)
    make_mailbox(domain, "zweite")
    push(host)
    agent.write("lookup", "UPDATE address SET state = 'off'")
    agent.write(
        "lookup",
        "INSERT INTO address VALUES (999, 1, 'fremd', 'mailbox', 'active', 'x', NULL, 1)",
    )
    assert drift.resync_host(host.pk)
    host.refresh_from_db()
    assert_same(host, agent)
    assert mailbox.address.email


@pytest.mark.parametrize(
    ("name", "statement", "what"),
    [
        ("lookup", "UPDATE address SET quota_mib = 7", "differs"),
        ("lookup", "DELETE FROM address", "differs"),
        ("auth", "UPDATE credential SET hash = '{ARGON2ID}nobody'", "differs"),
        ("auth", "UPDATE domain SET state = 'off'", "differs"),
        ("private", "UPDATE dkim SET private_key = 'x' WHERE algorithm = 'rsa'", "differs"),
        ("private", "DELETE FROM dkim WHERE algorithm = 'rsa'", "missing"),
        ("lookup", "INSERT INTO address VALUES (999, (SELECT id FROM domain), 'fremd', 'forward', 'active', NULL, NULL, 1)", "extra"),
    ],
)  # fmt: skip
def test_drift_is_found_recorded_and_mended(host, agent, domain, name, statement, what) -> None:
    make_mailbox(domain)
    push(host)
    assert drift.check_drift(host.pk, by=OPERATOR) == 0
    agent.write(name, statement)
    assert drift.check_drift(host.pk, by=OPERATOR) == 1
    assert Drift.objects.get(mended_at=None).what == what
    push(host)
    assert_same(host, agent)


def test_drift_is_not_judged_while_changes_wait(host, agent, domain) -> None:
    push(host)
    make_mailbox(domain)
    assert drift.check_drift(host.pk, by=OPERATOR) is None


def test_refused_row_fails_alone_and_says_why(host, agent, domain) -> None:
    bad = make_domain(domain.account, "zweite.test")
    mailbox = make_mailbox(domain)
    Domain.objects.filter(pk=bad.pk).update(catch_all="|rm@x")
    push(host)
    assert host.condition == "ok" and host.lag == 0
    row = HostRow.objects.get(kind="domain", key=str(bad.pk))
    assert (row.fault_code, row.fault_facts) == ("bad_row", {"field": "catch_all"})
    assert agent.rows("lookup", "SELECT id FROM address") == [(mailbox.pk,)]


def test_domain_that_is_being_moved_is_told_and_comes_back(host, agent, domain) -> None:
    make_mailbox(domain)
    for elsewhere in (True, False):
        domains.set_mail_elsewhere(domain, elsewhere, by=OPERATOR)
        push(host)
        assert agent.rows("lookup", "SELECT elsewhere FROM domain") == [(int(elsewhere),)]
        assert agent.rows("lookup", "SELECT count(*) FROM receiving") == [(int(not elsewhere),)]
        assert_same(host, agent)


def test_f33_agent_of_another_protocol_is_waited_for_and_no_row_is_lost(
    host, agent, domain, tmp_path
) -> None:
    """Its own refusal of each row would be final, and the change gone."""
    old = tmp_path / "agent.sock"
    answer = b'{"id": 1, "ok": false, "code": "bad_version", "facts": {"protocols": [1]}}\n'

    class Old(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for _line in self.rfile:
                self.wfile.write(answer)

    with socketserver.ThreadingUnixStreamServer(str(old), Old) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        MailHost.objects.filter(pk=host.pk).update(agent_url=f"unix:{old}")
        push(host)
        assert (host.condition, host.fault_code) == ("refused", "bad_version")
        server.shutdown()
    MailHost.objects.filter(pk=host.pk).update(agent_url=agent.url)
    push(host)
    assert host.condition == "ok"
    assert_same(host, agent)


def test_f42_mass_removal_waits_for_a_person(host, agent, domain) -> None:
    boxes = [make_mailbox(domain, f"box{number}") for number in range(12)]
    push(host)
    for box in boxes:
        addresses.move_to_trash(box.address, by=OPERATOR)
        addresses.delete_for_ever(Address.objects.get(pk=box.pk), by=OPERATOR)
    push(host)
    assert host.condition == "mass_removal"
    assert agent.rows("lookup", "SELECT count(*) FROM address") == [(12,)]
    MailHost.objects.filter(pk=host.pk).update(allow_mass_removal=True, condition="ok")
    push(host)
    assert agent.rows("lookup", "SELECT count(*) FROM address") == [(0,)]


def test_address_that_is_deleted_and_made_anew_in_one_batch(host, agent, domain) -> None:
    old = make_mailbox(domain)
    push(host)
    addresses.move_to_trash(old.address, by=OPERATOR)
    addresses.delete_for_ever(Address.objects.get(pk=old.pk), by=OPERATOR)
    new = make_mailbox(domain)
    push(host)
    assert agent.rows("lookup", "SELECT id, storage_id FROM address") == [(new.pk, new.storage_id)]
    assert old.storage_id != new.storage_id


def test_bulk_rows_are_applied_and_only_a_sample_is_proved(host, agent, domain) -> None:
    push(host)
    boxes = [make_mailbox(domain, f"box{number}").address for number in range(5)]
    hostrows.touch(*boxes, by=OPERATOR, bulk=True)
    push(host)
    rows = HostRow.objects.filter(kind="address")
    assert rows.filter(sampled=True).count() == 4
    assert rows.filter(sampled=False).get().fault_code == "rcpt_unreachable"


def test_batches_are_cut_and_nothing_is_left_out(host, agent, domain, settings) -> None:
    settings.PUSH_BATCH_ROWS = 3
    for number in range(10):
        make_mailbox(domain, f"box{number}")
    push(host)
    assert_same(host, agent)


def test_change_of_a_person_overtakes_an_import(host, agent, line, domain, settings) -> None:
    push(host)
    boxes = [make_mailbox(domain, f"box{number}").address for number in range(20)]
    hostrows.touch(*boxes, by=OPERATOR, bulk=True)
    mine = make_mailbox(domain, "mine")
    settings.PUSH_BATCH_ROWS = 5
    line.seen.clear()
    push(host)
    batches = [
        [row["key"] for row in sent["rows"]] for sent in line.seen if sent["verb"] == "apply"
    ]
    assert len(batches) == 5
    assert batches[0][-1] == str(mine.pk) and len(batches[0]) == 6
    assert_same(host, agent)


def test_change_that_needs_what_comes_before_it_is_no_fault(
    host, agent, line, domain, settings
) -> None:
    push(host)
    box = make_mailbox(domain)
    boxes = [make_mailbox(domain, f"box{number}").address for number in range(9)]
    addresses.delete_for_ever(addresses.move_to_trash(box.address, by=OPERATOR), by=OPERATOR)
    hostrows.touch(*boxes, by=OPERATOR, bulk=True)
    settings.PUSH_BATCH_ROWS = 3
    make_mailbox(domain)
    push(host)
    assert_same(host, agent)
    assert not HostRow.objects.filter(fault_code="conflict").exists()


def test_suspended_account_switches_its_domains_off_on_the_host(host, agent, domain) -> None:
    from mailadmin.services import accounts

    push(host)
    accounts.set_account_state(domain.account, State.LOGIN_OFF, by=OPERATOR)
    push(host)
    assert agent.rows("lookup", "SELECT state FROM domain") == [("login_off",)]
    assert agent.rows("auth", "SELECT state FROM domain") == [("login_off",)]


def test_no_secret_in_the_database_log_or_audit(host, agent, domain) -> None:
    from mailadmin.models import AuditDetail
    from maildns.models import DkimKey

    make_mailbox(domain)
    push(host)
    assert not any("PRIVATE" in key.private_key_sealed for key in DkimKey.objects.all())
    log = agent.log.read_text()
    assert "PRIVATE" not in log and "ARGON2" not in log
    texts = json.dumps([[d.before, d.after] for d in AuditDetail.objects.all()])
    assert "ARGON2" not in texts and "PRIVATE" not in texts


@pytest.mark.django_db(transaction=True)
def test_f18_two_workers_at_once_leave_one_state(host, agent, domain) -> None:
    for number in range(15):
        make_mailbox(domain, f"box{number}")
        workers = [threading.Thread(target=_push_in_thread, args=(host.pk,)) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    push(host)
    assert_same(host, agent)


def _push_in_thread(host_id: int) -> None:
    try:
        apply.push_host(host_id)
    except lease.LeaseLost:
        pass
    finally:
        connection.close()
