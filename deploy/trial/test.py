"""`make test`: all tests, then those of services and models on a PostgreSQL of our own."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PYTEST = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
ON_BOTH = ["tests/mailadmin", "tests/maildns"]


def main() -> None:
    os.chdir(CHECKOUT)
    if os.geteuid() != 0:
        as_root()
    if "--long" in sys.argv:
        sys.exit(run([*PYTEST, "-m", "long", "tests"]))
    codes = [run([*PYTEST, "-m", "not long", "tests"])]
    with postgresql() as url:
        print("The services and models on PostgreSQL:", flush=True)
        codes.append(run([*PYTEST, "-m", "not long", *ON_BOTH], DATABASE_URL=url))
    sys.exit(max(codes))


def as_root() -> None:
    """Begin again with sudo: the tests start services as their production users.

    What they write in the checkout would be root's, so they write no bytecode there.
    """
    print("The tests start a mail host as its service users; that needs sudo.", flush=True)
    keep = "PYTHONDONTWRITEBYTECODE,OPENSPF_SUITE"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.execvp("sudo", ["sudo", f"--preserve-env={keep}", sys.executable, *sys.argv])  # noqa: S606


def run(command: list[str], **environment: str) -> int:
    """Run pytest; a skipped test counts as a failure."""
    child = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None  # noqa: S101
    last = ""
    for line in child.stdout:
        print(line, end="", flush=True)
        last = line.strip() or last
    code = child.wait()
    if " skipped" in last:
        print("error: a test was skipped; every test must run.", flush=True)
        return code or 1
    return code


@contextmanager
def postgresql() -> Iterator[str]:
    """A cluster in a temporary folder, on loopback; yields its DATABASE_URL."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    # initdb refuses root: then the package's own user runs it.
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="postkontor-pg-"))
    shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
    data, port = folder / "data", free_port()
    as_user = ["runuser", "-u", user, "--"] if os.geteuid() == 0 else []
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [*as_user, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    initdb = [*as_user, str(programs / "initdb"), "-D", str(data), "-U", "postkontor"]
    try:
        subprocess.run([*initdb, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"], **quiet)  # type: ignore[call-overload]
        subprocess.run([*control, "-l", str(folder / "log"), "-o", options, "start"], **quiet)  # type: ignore[call-overload]
        yield f"postgres://postkontor@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, cwd=folder)
        time.sleep(0.1)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
