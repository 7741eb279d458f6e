"""`make reset`: forget the trial's data, mail and log-ins; asks first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import places as trial_places
from places import CHECKOUT
from stop import stop


def main() -> None:
    places = trial_places.find()
    if not places.state.exists():
        print("There is nothing to remove.")
        return
    if not (places.run.is_dir() or places.panel.is_dir() or places.mailhost.is_dir()):
        sys.exit(f"error: {places.state} does not look like a trial's; nothing is removed.")
    if os.environ.get("RESET") != "yes":
        try:
            answer = input(f"Remove all data, mail and log-ins in {places.state}? Type yes: ")
        except EOFError:
            answer = ""
        if answer.strip() != "yes":
            sys.exit("Nothing is removed.")
    stop(places)
    if os.geteuid() == 0:
        shutil.rmtree(places.state)
    else:
        subprocess.run(["sudo", "rm", "-rf", "--", str(places.state)], check=True)
    link = CHECKOUT / "var"
    if link.is_symlink():
        link.unlink()
    print("Removed. The next `make run` starts from nothing.")


if __name__ == "__main__":
    main()
