"""The supervisor: starts again what dies, finds orphans, stops its own and nothing else."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "deploy" / "trial"))

import places as trial_places  # noqa: E402
from supervisor import end_recorded, session_members  # noqa: E402

PROGRAM = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
from supervisor import Service, Supervisor, on_signals
folder = pathlib.Path(sys.argv[2])
supervisor = Supervisor(
    [Service("sleeper", ("/bin/sh", "-c", "sleep 1000 & echo $! > %s/child; exec sleep 1001" % folder))],
    folder / "log", folder / "services.json",
)
on_signals(lambda: setattr(supervisor, "stopping", True))
try:
    supervisor.launch(supervisor.services)
    supervisor.watch()
finally:
    supervisor.stop()
"""


def until(look, seconds: float = 15):
    end = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return answer


@pytest.fixture
def running(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(CHECKOUT / "deploy/trial"), str(tmp_path)]
    )
    until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().strip())
    until(lambda: (tmp_path / "services.json").exists())
    yield process, tmp_path
    if process.poll() is None:
        process.kill()
        process.wait()
    end_recorded(tmp_path / "services.json")


def session(folder: Path) -> int:
    return int(next(iter(json.loads((folder / "services.json").read_text()))))


def test_killed_service_is_started_again_and_its_orphan_ended(running) -> None:
    _process, folder = running
    first, orphan = session(folder), int((folder / "child").read_text())
    os.kill(first, signal.SIGKILL)
    until(lambda: orphan not in session_members(first))
    until(lambda: session(folder) != first)


def test_stop_ends_all_of_its_own_and_nothing_else(running) -> None:
    process, folder = running
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    mine = session(folder)
    process.terminate()
    assert process.wait(20) == 0
    assert session_members(mine) == []
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_what_a_killed_supervisor_left_is_found_by_its_record(running) -> None:
    process, folder = running
    mine = session(folder)
    process.kill()
    process.wait()
    end_recorded(folder / "services.json")
    assert session_members(mine) == []


def test_pid_that_somebody_else_has_by_now_is_left_alone(tmp_path) -> None:
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    record = tmp_path / "services.json"
    record.write_text(json.dumps({str(stranger.pid): "12345"}))
    end_recorded(record)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_taken_port_names_itself_and_the_variable(monkeypatch, tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("POSTKONTOR_STATE", str(tmp_path))
        monkeypatch.setattr(trial_places, "PORTS", {"imaps": ("POSTKONTOR_IMAPS_PORT", port)})
        with pytest.raises(trial_places.Unusable) as refused:
            trial_places.refuse_taken_ports(trial_places.find())
    assert str(port) in str(refused.value) and "POSTKONTOR_IMAPS_PORT" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("POSTKONTOR_SMTP_PORT", "x", "POSTKONTOR_SMTP_PORT"),
        ("POSTKONTOR_SMTP_PORT", "25", "1024"),
        ("POSTKONTOR_SMTP_PORT", "2993", "same port"),
        ("POSTKONTOR_STATE", "relative", "absolute"),
        ("POSTKONTOR_STATE", "/" + "x" * 100, "too long"),
    ],
)
def test_bad_setting_is_an_error_that_names_it(monkeypatch, name, value, says) -> None:
    monkeypatch.setenv("POSTKONTOR_STATE", "/tmp/pk")  # noqa: S108
    monkeypatch.setenv(name, value)
    with pytest.raises(trial_places.Unusable, match=says):
        trial_places.find()


def test_reset_asks_and_removes_nothing_without_a_yes(tmp_path) -> None:
    (tmp_path / "panel").mkdir()
    done = subprocess.run(
        [sys.executable, "deploy/trial/reset.py"], cwd=CHECKOUT, input="no\n", text=True,
        capture_output=True, env={**os.environ, "POSTKONTOR_STATE": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode != 0 and (tmp_path / "panel").exists()


def test_reset_refuses_what_is_no_trial(tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    done = subprocess.run(
        [sys.executable, "deploy/trial/reset.py"], cwd=CHECKOUT, capture_output=True,
        env={**os.environ, "POSTKONTOR_STATE": str(tmp_path), "RESET": "yes"},
    )  # fmt: skip
    assert done.returncode != 0 and (tmp_path / "thesis.txt").exists()
