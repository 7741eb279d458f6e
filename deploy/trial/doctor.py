"""`make doctor`: what is missing, what is taken, what runs. Standard library only."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import places as trial_places
from places import CHECKOUT, PORTS, Places, Unusable
from supervisor import answers, start_time


def main() -> None:
    try:
        places = trial_places.find()
    except Unusable as error:
        sys.exit(f"error: {error}")
    running = is_running(places)
    faults = [*packages(), *python(), *room(places), *([] if running else ports(places))]
    print(f"State:    {places.state}" + ("" if places.state.exists() else " (not made yet)"))
    print(f"Running:  {'yes' if running else 'no'}")
    for name, port in places.ports.items():
        if running:
            print(f"  {'ok ' if answers(port) else 'NO '} {name:<13}{port}")
    for fault in faults:
        print(f"! {fault}")
    print("Nothing is missing." if not faults else f"{len(faults)} to look at.")
    sys.exit(1 if faults else 0)


def is_running(places: Places) -> bool:
    try:
        known = json.loads(places.supervisor.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(known["began"]) and start_time(known["pid"]) == known["began"]


def packages() -> list[str]:
    script = (CHECKOUT / "deploy/trial/bootstrap.sh").read_text(encoding="utf-8")
    names = re.search(r'^packages="([^"]+)"', script, re.MULTILINE)
    wanted = names[1].split() if names else []
    missing = []
    for name in wanted:
        asked = ["dpkg-query", "-W", "-f", "${db:Status-Status}", name]
        said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        if said != "installed":
            missing.append(name)
    if not missing:
        return []
    line = "sudo sh deploy/trial/packages.sh " + " ".join(missing)
    return [f"Debian packages are missing; make run installs them, or: {line}"]


def python() -> list[str]:
    if (CHECKOUT / ".venv/bin/python").exists():
        return []
    return ["The virtual environment is missing; make run makes it."]


def room(places: Places) -> list[str]:
    there = next(path for path in (places.state, *places.state.parents) if path.exists())
    free = shutil.disk_usage(there).free
    return [] if free > 1_000_000_000 else [f"Less than 1 GB is free at {there}."]


def ports(places: Places) -> list[str]:
    return [
        f"Port {port} ({name}) is taken; {PORTS[name][0]} chooses another."
        for name, port in places.ports.items()
        if trial_places.is_taken(name, port)
    ]


if __name__ == "__main__":
    main()
