"""The name servers of a trial: their configuration, and what they keep when they end badly."""

from __future__ import annotations

import base64
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.tsig
import dns.update
import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "deploy" / "trial"))

import nameside  # noqa: E402
import places as trial_places  # noqa: E402
from supervisor import end_recorded  # noqa: E402

SECRET = base64.b64encode(b"s" * 32).decode()
ZONES = ["example.test", "postkontor.test", "127.in-addr.arpa", "test"]

PROGRAM = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
import nameside
from supervisor import Supervisor, on_signals
folder = pathlib.Path(sys.argv[2])
servers = nameside.load(folder / "names.json")
nameside.prepare(servers)
supervisor = Supervisor(nameside.services(servers), folder / "log", folder / "services.json")
on_signals(lambda: setattr(supervisor, "stopping", True))
try:
    supervisor.launch(supervisor.services)
    supervisor.wait_ready()
    (folder / "ready").touch()
    supervisor.watch()
finally:
    supervisor.stop()
"""


def until(look: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return answer


def free_port() -> int:
    while True:
        with socket.socket(type=socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if not trial_places.is_taken("dns", port):
            return port


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that Knot's user can traverse, with a short path."""
    with tempfile.TemporaryDirectory(prefix="pk-names-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def servers(folder: Path) -> nameside.NameServers:
    key = folder / "tsig.key"
    key.write_text(SECRET)
    return nameside.NameServers(
        str(folder / "names"), (free_port(), free_port()), str(key), "mail.postkontor.test"
    )


class Running:
    def __init__(self, servers: nameside.NameServers, folder: Path) -> None:
        self.servers, self.folder = servers, folder
        nameside.save(servers, folder / "names.json")
        self.start()

    def start(self) -> None:
        (self.folder / "ready").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(CHECKOUT / "deploy/trial"), str(self.folder)]
        )
        until(lambda: (self.folder / "ready").exists() or self.process.poll() is not None)
        assert self.process.poll() is None

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(20)
        end_recorded(self.folder / "services.json")

    def pids(self) -> list[int]:
        """Of the primary and of the second one."""
        return [int(pid) for pid in json.loads((self.folder / "services.json").read_text())]

    def texts(self, number: int, name: str, kind: str = "TXT") -> list[str]:
        query = dns.message.make_query(name, kind)
        try:
            reply = dns.query.udp(query, "127.0.0.1", 1, self.servers.ports[number])
        except (dns.exception.DNSException, OSError):
            return []
        return sorted(item.to_text() for rrset in reply.answer for item in rrset)

    def publish(self, zone: str, name: str, value: str) -> None:
        key = dns.tsig.Key(nameside.KEY_NAME, SECRET, nameside.KEY_ALGORITHM)
        update = dns.update.UpdateMessage(zone, keyring=key)
        update.add(f"{name}.", 60, "TXT", value)
        reply = dns.query.tcp(update, "127.0.0.1", 5, self.servers.ports[0])
        assert reply.rcode() == 0


@pytest.fixture
def running(servers: nameside.NameServers, folder: Path) -> Iterator[Running]:
    started = Running(servers, folder)
    yield started
    started.stop()


@pytest.mark.parametrize("number", [0, 1])
def test_knot_accepts_the_configuration(servers: nameside.NameServers, number: int) -> None:
    nameside.prepare(servers)
    file = servers.root / str(number + 1) / "knot.conf"
    done = subprocess.run(
        ["knotc", "-c", file, "conf-check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stdout + done.stderr


def test_zones_are_valid_to_both_checkers(servers: nameside.NameServers, folder: Path) -> None:
    assert list(servers.zones) == ZONES
    for zone, text in servers.zones.items():
        file = folder / zone
        file.write_text(text)
        subprocess.run(["kzonecheck", "-o", zone, file], check=True)
        # Integrity of names in other zones (-i none): only what is in this one is checked.
        subprocess.run(
            ["named-checkzone", "-q", "-i", "none", "-k", "fail", "-n", "fail", zone, file],
            check=True,
        )


def test_demo_domain_has_a_website_and_nothing_of_mail(servers: nameside.NameServers) -> None:
    lines = servers.zones["example.test"].splitlines()[2:]
    assert [line.split()[-2] for line in lines if " SOA " not in line] == ["NS", "NS", "A"]


def test_secret_is_readable_by_its_user_only(servers: nameside.NameServers) -> None:
    nameside.prepare(servers)
    holding = [path for path in servers.root.rglob("*") if path.is_file()]
    secret = [path for path in holding if SECRET in path.read_text()]
    assert len(secret) == 2
    for path in secret:
        assert path.stat().st_mode & 0o077 == 0
        assert path.stat().st_uid == pwd.getpwnam("knot").pw_uid


def test_sockets_are_short_enough_below_the_longest_state(servers: nameside.NameServers) -> None:
    spool = "/mailhost/spool/private/dovecot-quota"
    state = Path("/" + "x" * (100 - len(spool) - 1))
    places = trial_places.Places(state, {})
    assert len(str(places.names / "2" / "knot.sock")) <= 100


def test_both_run_as_their_own_user(running: Running) -> None:
    for pid in running.pids():
        assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("knot").pw_uid


def test_published_record_outlives_stop_and_start(running: Running) -> None:
    running.publish("example.test", "kept.example.test", "kept")
    until(lambda: running.texts(1, "kept.example.test"))
    running.stop()
    running.start()
    assert running.texts(0, "kept.example.test") == ['"kept"']
    assert running.texts(1, "kept.example.test") == ['"kept"']


@pytest.mark.parametrize("number", [0, 1])
def test_killed_server_comes_back_with_what_was_published(running: Running, number: int) -> None:
    until(lambda: len(running.pids()) == 2)
    running.publish("test", "_postkontor.my.test", "before")
    os.kill(running.pids()[number], signal.SIGKILL)
    until(lambda: running.texts(number, "_postkontor.my.test") == ['"before"'])
    running.publish("test", "_postkontor.my.test", "behind")
    for each in (0, 1):
        until(lambda each=each: len(running.texts(each, "_postkontor.my.test")) == 2)


def test_second_one_learns_what_it_missed_while_it_was_down(running: Running) -> None:
    second = running.pids()[1]
    os.kill(second, signal.SIGSTOP)
    running.publish("example.test", "missed.example.test", "missed")
    time.sleep(2)  # the primary's word comes a second later, and is lost
    os.kill(second, signal.SIGKILL)
    until(lambda: running.texts(1, "missed.example.test"), 30)


def test_stale_process_id_does_not_stop_it(running: Running) -> None:
    running.stop()
    # After a restart of the machine the number may be anybody's.
    (running.servers.root / "1" / "knot.pid").write_text(f"{os.getpid()}\n")
    running.start()
    assert running.texts(0, "www.example.test", "A") == [nameside.WEBSITE]


def test_port_taken_for_udp_alone_is_an_error(monkeypatch, tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("POSTKONTOR_STATE", str(tmp_path))
        monkeypatch.setattr(trial_places, "PORTS", {"dns": ("POSTKONTOR_DNS_PORT", port)})
        with pytest.raises(trial_places.Unusable, match=f"{port}.*POSTKONTOR_DNS_PORT"):
            trial_places.refuse_taken_ports(trial_places.find())
