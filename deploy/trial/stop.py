"""`make stop`: end a running trial, also when its supervisor was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import places as trial_places
from places import Places
from supervisor import end_recorded, start_time


def stop(places: Places) -> bool:
    """End what runs; return whether something did."""
    ran = _stop_supervisor(places)
    record = places.run / "services.json"
    mail_record = places.mailhost / "run" / "services.json"
    ran = ran or record.exists() or mail_record.exists()
    end_recorded(record)
    if mail_record.exists():
        _end_mail_side(mail_record)
    places.endpoints.unlink(missing_ok=True)
    places.supervisor.unlink(missing_ok=True)
    return ran


def _stop_supervisor(places: Places) -> bool:
    try:
        known = json.loads(places.supervisor.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    pid = known["pid"]
    if not known["began"] or start_time(pid) != known["began"]:
        return False
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 60
    while start_time(pid) == known["began"] and time.monotonic() < end:
        time.sleep(0.1)
    return True


def _end_mail_side(record: Path) -> None:
    """The mail host's services are not ours to signal, unless we are root."""
    if os.geteuid() == 0:
        end_recorded(record)
        return
    code = "import sys; sys.path.insert(0, sys.argv[1]); import supervisor, pathlib; "
    code += "supervisor.end_recorded(pathlib.Path(sys.argv[2]))"
    subprocess.run(
        ["sudo", "/usr/bin/python3", "-B", "-c", code, str(Path(__file__).parent), str(record)],
        check=False,
    )


def main() -> None:
    places = trial_places.find()
    print("Stopped." if stop(places) else "Nothing was running.")


if __name__ == "__main__":
    main()
