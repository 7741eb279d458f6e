"""Kill what runs, take Redis away, break what is proved: nothing is lost, and no page lies."""

from __future__ import annotations

import json
import os
import random
import signal
import smtplib
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from conftest import PASSWORD
from trial import Panel, Trial, letter, until

pytestmark = pytest.mark.live


def pids(trial: Trial, *needles: str) -> list[int]:
    """Processes of this trial whose command line holds all of `needles`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if all(needle in line for needle in needles):
            found.append(int(entry.name))
    return found


def victims(trial: Trial) -> dict[str, list[str]]:
    """Words by which each process of the trial is told from all others on the machine."""
    state = str(trial.state)
    return {
        "agent": ["-m agent", state],
        "helper": ["-m helper", state],
        "postfix": ["postfix/sbin/master", state],
        "dovecot": ["/usr/sbin/dovecot", state],
        "rspamd": ["rspamd: main process"],
        "redis": ["redis-server", f":{trial.ports['redis']}"],
        "worker": ["celery -A panel worker"],
        "gunicorn": ["gunicorn", f":{trial.ports['panel']}"],
    }


def kill(trial: Trial, name: str) -> None:
    session = trial_sessions(trial)
    hit = [pid for pid in pids(trial, *victims(trial)[name]) if in_sessions(pid, session)]
    assert hit, f"{name} does not run"
    for pid in hit:
        os.kill(pid, signal.SIGKILL)


def trial_sessions(trial: Trial) -> set[int]:
    found: set[int] = set()
    for record in ("run/services.json", "mailhost/run/services.json"):
        path = trial.state / record
        if path.exists():
            found |= {int(pid) for pid in json.loads(path.read_text())}
    return found


def in_sessions(pid: int, sessions: set[int]) -> bool:
    try:
        return os.getsid(pid) in sessions
    except ProcessLookupError:
        return False


def panel_database(trial: Trial) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{trial.state}/panel/db.sqlite3?mode=ro", uri=True, timeout=20)


def assert_panel_equals_host(trial: Trial) -> None:
    """Compare the panel's database with the host's files, read from outside."""
    with panel_database(trial) as panel:
        wanted = set(panel.execute(
            "SELECT a.id, a.local_part, d.name, a.state FROM mailadmin_address a"
            " JOIN mailadmin_domain d ON d.id = a.domain_id WHERE a.kind = 'mailbox'"
        ))  # fmt: skip
        hashes = set(panel.execute("SELECT mailbox_id, hash FROM mailadmin_credential"))
    with sqlite3.connect(
        f"file:{trial.state}/mailhost/lookup/lookup.sqlite?mode=ro", uri=True
    ) as lookup:
        there = set(lookup.execute(
            "SELECT a.id, a.local_part, d.name, a.state FROM address a"
            " JOIN domain d ON d.id = a.domain_id WHERE a.type = 'mailbox'"
        ))  # fmt: skip
    with sqlite3.connect(f"file:{trial.state}/mailhost/auth/auth.sqlite?mode=ro", uri=True) as auth:
        assert set(auth.execute("SELECT address_id, hash FROM credential")) == hashes
    assert there == wanted


def test_f05_save_succeeds_while_redis_is_stopped_and_goes_live_after(
    trial: Trial, alice: Panel
) -> None:
    sessions = trial_sessions(trial)
    (redis,) = [p for p in pids(trial, *victims(trial)["redis"]) if in_sessions(p, sessions)]
    os.kill(redis, signal.SIGSTOP)
    try:
        started = time.monotonic()
        page = alice.create_mailbox("ohneredis", PASSWORD)
        assert time.monotonic() - started < 5, "four pages, and none waits for Redis"
        assert alice.status(page) == "saved"
        assert "Saved" in alice.get(page).text
    finally:
        os.kill(redis, signal.SIGCONT)
    alice.wait_live(page, seconds=40)


def test_f06_killed_redis_comes_back_and_the_sweep_delivers(trial: Trial, alice: Panel) -> None:
    kill(trial, "redis")
    page = alice.create_mailbox("redisweg", PASSWORD)
    alice.wait_live(page, seconds=60)


@pytest.mark.parametrize(
    "name", ["agent", "helper", "postfix", "dovecot", "rspamd", "worker", "gunicorn"]
)
def test_f01_killed_process_comes_back_and_the_change_goes_live(
    trial: Trial, alice: Panel, name: str
) -> None:
    page = alice.create_mailbox(f"kill.{name}", PASSWORD)
    kill(trial, name)
    until(lambda: answers(alice), what="the panel answers")
    assert alice.post(f"{page}quota/", quota_mib="77").status == 200
    alice.wait_live(page, seconds=90)
    assert_panel_equals_host(trial)


def answers(alice: Panel) -> bool:
    try:
        return alice.get("/healthz").status == 200
    except OSError:
        return False


def test_no_answer_of_the_agent_is_a_temporary_refusal(trial: Trial, info) -> None:
    """Rspamd asks whose the log-in is; while nobody answers, nothing is sent as anybody."""
    sessions = trial_sessions(trial)
    (agent,) = [p for p in pids(trial, *victims(trial)["agent"]) if in_sessions(p, sessions)]
    client = trial.submissions(*info)
    os.kill(agent, signal.SIGSTOP)
    try:
        mail = letter("info@example.test", "kunde@outside.example")
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.send_message(mail)
        assert refused.value.smtp_code == 451
    finally:
        os.kill(agent, signal.SIGCONT)
        client.close()


def test_f47_unreadable_map_never_bounces(trial: Trial, info) -> None:
    """A look-up that fails is no unknown user: a temporary refusal, or no answer at all."""
    path = trial.state / "mailhost/lookup/lookup.sqlite"
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        postfix(trial, "reload")
        for address in ("info@example.test", "niemand@example.test"):
            assert rcpt(trial, address) // 100 in (0, 4)
    finally:
        away.rename(path)
        # Programs that died on the file are throttled for a minute; a fresh start is not.
        kill(trial, "postfix")
    until(lambda: rcpt(trial, "info@example.test") == 250, seconds=40, what="250 again")


def postfix(trial: Trial, verb: str) -> None:
    etc = trial.state / "mailhost/etc/current"
    subprocess.run(["postfix", "-c", etc / "postfix", verb], check=True, capture_output=True)


def rcpt(trial: Trial, address: str) -> int:
    try:
        with smtplib.SMTP(*trial.facts["smtp"], local_hostname="x.example", timeout=6) as client:
            client.ehlo()
            client.mail("a@outside.example")
            return client.rcpt(address)[0]
    except (smtplib.SMTPException, OSError):
        return 0


@pytest.mark.parametrize(
    ("what", "breaks", "mends"),
    [
        ("the maildir", lambda t: (t.state / "mailhost/mail").chmod(0o000), lambda t: (t.state / "mailhost/mail").chmod(0o700)),
        ("the map", lambda t: swap(maps(t), "WHERE", "WHERE 0 AND"), lambda t: swap(maps(t), "WHERE 0 AND", "WHERE")),
        ("the hash", lambda t: (t.state / "mailhost/auth").chmod(0o700), lambda t: (t.state / "mailhost/auth").chmod(0o2750)),
    ],
)  # fmt: skip
def test_page_does_not_turn_green_while_something_is_broken(
    trial: Trial, alice: Panel, what, breaks, mends
) -> None:
    name = "kaputt." + what.split()[-1]
    page = alice.create_mailbox(name, PASSWORD)
    alice.wait_live(page)
    breaks(trial)
    restart_readers(trial)
    try:
        alice.post(f"{page}password/", password="neu-Segel-27-Ofen")
        until(lambda: alice.status(page) == "failed", seconds=30, what=f"{what}: failed")
        assert "not active yet" in alice.get(page).text
    finally:
        mends(trial)
        restart_readers(trial)
    alice.wait_live(page, seconds=90)


def maps(trial: Trial) -> Path:
    return (trial.state / "mailhost/etc/current/postfix/maps/domains.cf").resolve()


def swap(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def restart_readers(trial: Trial) -> None:
    """Processes that hold a file open do not notice; new ones do."""
    etc = trial.state / "mailhost/etc/current"
    postfix(trial, "reload")
    subprocess.run(
        ["doveadm", "-c", etc / "dovecot/dovecot.conf", "reload"], check=True, capture_output=True
    )


def test_broken_signing_key_is_noticed(trial: Trial, alice: Panel) -> None:
    """The key on the host is another one than the panel's: the probe's signature does not verify."""
    from maildns.dkim import generate_rsa_key

    private = trial.state / "mailhost/private/private.sqlite"
    with sqlite3.connect(private, timeout=10) as database:
        (before,) = database.execute(
            "SELECT private_key FROM dkim WHERE domain = 'example.test' AND algorithm = 'rsa'"
        ).fetchone()
        database.execute(
            "UPDATE dkim SET private_key = ? WHERE domain = 'example.test' AND algorithm = 'rsa'",
            (generate_rsa_key().private_pem,),
        )
    trial.manage("shell", "-v0", "-c", PROVE_KEY)
    with panel_database(trial) as panel:
        (code,) = panel.execute(KEY_FAULT).fetchone()
    assert code == "signature_invalid"
    with sqlite3.connect(private, timeout=10) as database:
        database.execute(
            "UPDATE dkim SET private_key = ? WHERE domain = 'example.test' AND algorithm = 'rsa'",
            (before,),
        )
    trial.manage("shell", "-v0", "-c", PROVE_KEY)
    with panel_database(trial) as panel:
        (code,) = panel.execute(KEY_FAULT).fetchone()
    assert code == ""


KEY_FAULT = (
    "SELECT h.fault_code FROM mailadmin_hostrow h JOIN maildns_dkimkey k ON h.key = k.id"
    " JOIN maildns_zone z ON z.id = k.zone_id WHERE h.kind = 'dkim' AND z.name = 'example.test' AND k.algorithm = 'rsa'"
)
PROVE_KEY = """
from django.utils import timezone
from mailadmin.models import HostRow
from mailadmin.push import proof
from maildns.models import DkimKey
key = DkimKey.objects.get(zone__name="example.test", algorithm="rsa")
row = HostRow.objects.get(kind="dkim", key=str(key.pk))
HostRow.objects.filter(pk=row.pk).update(next_proof_at=timezone.now())
proof.prove_due(row.host_id)
"""


def test_readers_cannot_write_and_go_on_across_an_agent_restart(trial: Trial, info) -> None:
    """WAL with read-only readers: the trap is a reader that fails once the writer has left."""
    path = trial.state / "mailhost/lookup/lookup.sqlite"
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "print(c.execute('SELECT count(*) FROM domain').fetchone()[0]);"
        "c.execute('UPDATE domain SET state = state')"
    )
    as_postfix = ["setpriv", "--reuid=postfix", "--regid=postfix", "--clear-groups"]
    for attempt in range(2):
        done = subprocess.run(
            [*as_postfix, "/usr/bin/python3", "-c", code, path], capture_output=True, text=True
        )
        assert done.stdout.strip().isdigit() and "readonly" in done.stderr
        if attempt == 0:
            sessions = trial_sessions(trial)
            (agent,) = [
                p for p in pids(trial, *victims(trial)["agent"]) if in_sessions(p, sessions)
            ]
            os.kill(agent, signal.SIGTERM)
            time.sleep(0.05)
            assert rcpt(trial, "info@example.test") == 250


def test_postfix_cannot_read_what_is_dovecots_and_vmail_nothing_at_all(trial: Trial, info) -> None:
    for user, path in (
        ("postfix", "auth/auth.sqlite"), ("postfix", "private/private.sqlite"),
        ("dovecot", "private/private.sqlite"), ("pk-vmail", "lookup/lookup.sqlite"),
        ("pk-vmail", "auth/auth.sqlite"), ("pk-vmail", "private/private.sqlite"),
        ("_rspamd", "private/private.sqlite"), ("nobody", "mail"), ("nobody", "etc/vault.token"),
    ):  # fmt: skip
        done = subprocess.run(
            ["setpriv", f"--reuid={user}", f"--regid={gid(user)}", "--clear-groups", "ls", "-l", "--",
             trial.state / "mailhost" / path, ],
            capture_output=True,
        )  # fmt: skip
        readable = subprocess.run(
            ["setpriv", f"--reuid={user}", f"--regid={gid(user)}", "--clear-groups", "head", "-c1", "--",
             trial.state / "mailhost" / path],
            capture_output=True,
        ).returncode == 0  # fmt: skip
        assert not readable, (user, path, done.stdout)


def gid(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def test_case_076_canary_password_is_found_nowhere(trial: Trial, alice: Panel) -> None:
    canary = "Kanarien-Vogel-4711-xyzzy"
    page = alice.create_mailbox("kanarie", canary)
    alice.wait_live(page)
    trial.imap("kanarie@example.test", canary).logout()
    hit = subprocess.run(
        ["grep", "-rlaF", canary, trial.state], capture_output=True, text=True
    ).stdout.splitlines()
    assert hit == []


def test_one_change_id_goes_from_the_click_to_the_agent(trial: Trial, alice: Panel) -> None:
    page = alice.create_mailbox("spur", PASSWORD)
    alice.wait_live(page)
    key = None
    with panel_database(trial) as panel:
        key, change = panel.execute(
            "SELECT h.key, h.change_id FROM mailadmin_hostrow h JOIN mailadmin_address a"
            " ON h.kind = 'address' AND h.key = a.id WHERE a.local_part = 'spur'"
        ).fetchone()
    for log in ("log/panel.log", "log/worker.log", "mailhost/log/agent.log"):
        assert change in (trial.state / log).read_text(), (log, key)


@pytest.mark.long
def test_random_kills_lose_nothing(trial: Trial, alice: Panel) -> None:
    """Twenty changes, each with a random kill at a random moment; the seed is printed."""
    seed = int(os.environ.get("POSTKONTOR_SEED", random.randrange(10**6)))
    print(f"POSTKONTOR_SEED={seed}")
    dice = random.Random(seed)
    names = ["agent", "helper", "postfix", "dovecot", "worker", "redis", "rspamd"]
    pages = []
    for number in range(20):
        page = alice.create_mailbox(f"zufall{number}", PASSWORD, quota_mib=5)
        pages.append(page)
        time.sleep(dice.random() * 0.5)
        try:
            kill(trial, dice.choice(names))
        except AssertionError:
            continue  # the last victim is still on its way back
    for page in pages:
        alice.wait_live(page, seconds=120)
    assert_panel_equals_host(trial)
