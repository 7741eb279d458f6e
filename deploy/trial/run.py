"""`make run`: the panel, its worker, a private mail host and name servers, until Ctrl-C."""

from __future__ import annotations

import base64
import getpass
import grp
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import nameside
import places as trial_places
from places import CHECKOUT, Places, Unusable
from supervisor import NotStarted, Service, Supervisor, on_signals, start_time

HOSTNAME = "mail.postkontor.test"
WEB_NAME = "panel.postkontor.test"
PYTHON = str(CHECKOUT / ".venv" / "bin" / "python")
WORDS = CHECKOUT / "mailadmin" / "data" / "words_en.txt"


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    try:
        places = trial_places.find()
        refuse_second_start(places)
        make_places(places)
        trial_places.refuse_taken_ports(places)
        run(places)
    except (Unusable, NotStarted) as error:
        sys.exit(f"error: {error}")


def refuse_second_start(places: Places) -> None:
    try:
        known = json.loads(places.supervisor.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if known["began"] and start_time(known["pid"]) == known["began"]:
        raise Unusable("It is running already. Stop it with Ctrl-C there, or with: make stop")


def make_places(places: Places) -> None:
    """The state directory, made with root's help where /var/lib is not ours; var/ links to it."""
    if not places.state.is_dir():
        try:
            places.state.mkdir(parents=True)
        except PermissionError:
            user = getpass.getuser()
            say(f"Making {places.state} with sudo …")
            command = ["sudo", "install", "-d", "-o", user, "-m", "755", str(places.state)]
            if subprocess.run(command, check=False).returncode:
                raise Unusable(
                    f"Make the directory yourself: sudo install -d -o {user} {places.state}"
                ) from None
    places.state.chmod(0o755)
    for folder in (places.panel, places.run, places.logs, places.outside):
        folder.mkdir(exist_ok=True)
    places.panel.chmod(0o700)
    link = CHECKOUT / "var"
    if "POSTKONTOR_KEEP_LINK" in os.environ:
        pass  # a second trial of this checkout, such as that of the tests
    elif link.is_symlink() or not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(places.state)
    places.endpoints.unlink(missing_ok=True)


def run(places: Places) -> None:
    began = time.monotonic()
    record = {"pid": os.getpid(), "began": start_time(os.getpid())}
    places.supervisor.write_text(json.dumps(record), encoding="utf-8")
    trial = trial_facts(places)
    environment = panel_environment(places)
    supervisor = Supervisor(
        services(places, environment), places.logs, places.run / "services.json",
        say=lambda name: say(f"  {name} is ready"),
    )  # fmt: skip

    def stop() -> None:
        supervisor.stopping = True

    on_signals(stop)
    try:
        say("Starting the mail host and the name servers, preparing the panel …")
        by_name = {service.name: service for service in supervisor.services}
        early = [by_name[name] for name in ("mailhost", "redis", "outside")]
        supervisor.launch(early)
        compile_languages(environment)
        manage(environment, "prepare_trial", given=json.dumps(host_facts(places) | trial))
        supervisor.launch([each for each in supervisor.services if each not in early])
        supervisor.wait_ready()
        if not supervisor.stopping:
            wait_until_pushed(environment)
            write_endpoints(places, trial)
            show(places, trial, time.monotonic() - began)
        supervisor.watch()
    finally:
        places.endpoints.unlink(missing_ok=True)
        say("Stopping …")
        supervisor.stop()
        places.supervisor.unlink(missing_ok=True)
        say("Stopped.")


def trial_facts(places: Places) -> dict[str, Any]:
    """The log-ins: made once at random, kept for the next start."""
    path = places.panel / "trial.json"
    if path.exists():
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return facts
    facts = {
        name: {"email": email, "password": passphrase()}
        for name, email in (
            ("admin", "ada@operator.example"),
            ("reseller", "bob@reseller.example"),
            ("customer", "alice@customer.example"),
        )
    }
    facts["mailbox"] = {"address": "alice.mueller@example.test", "password": passphrase()}
    write_secret(path, json.dumps(facts, indent=2))
    return facts


def passphrase() -> str:
    words = WORDS.read_text(encoding="utf-8").split()
    picked = [secrets.choice(words) for _number in range(4)]
    return "-".join([*picked, str(secrets.randbelow(90) + 10)])


def write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def kept_secret(path: Path) -> str:
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(48))
    return str(path)


def name_servers(places: Places) -> nameside.NameServers:
    """The panel owns the key by which it publishes; the name servers get a copy."""
    key = places.panel / "tsig.key"
    if not key.exists():
        write_secret(key, base64.b64encode(secrets.token_bytes(32)).decode())
    ports = places.ports["dns"], places.ports["dns_second"]
    return nameside.NameServers(str(places.names), ports, str(key), HOSTNAME)


def panel_environment(places: Places) -> dict[str, str]:
    ports = places.ports
    return {
        "POSTKONTOR_STATE": str(places.state),
        "POSTKONTOR_TRIAL": "1",
        "POSTKONTOR_PUBLIC_URL": f"http://127.0.0.1:{ports['panel']}",
        "DATABASE_URL": f"sqlite:///{places.panel / 'db.sqlite3'}",
        "REDIS_URL": f"redis://127.0.0.1:{ports['redis']}/0",
        # The trial's own, whatever the shell has set.
        "SECRET_KEY": "",
        "FIELD_KEY": "",
        "SECRET_KEY_FILE": kept_secret(places.panel / "secret.key"),
        "FIELD_KEY_FILE": kept_secret(places.panel / "field.key"),
        "EMAIL_PORT": str(ports["local"]),
        "DEFAULT_FROM_EMAIL": f"Postkontor <postkontor@{HOSTNAME}>",
        "POSTKONTOR_OPERATOR_ADDRESS": "operator@outside.example",
        "POSTKONTOR_WEB_NAME": WEB_NAME,
        # No internet is asked: port 25 outward is that of the trial's outside.
        "POSTKONTOR_BLOCK_LISTS": "",
        "POSTKONTOR_PORT_25_NAMES": "",
        "POSTKONTOR_PORT_25_HOSTS": f"127.0.0.1:{ports['outside']}",
        "POSTKONTOR_TIME_SERVERS": "",
        "POSTKONTOR_CA_FILE": str(places.mailhost / "tls" / "ca.pem"),
        "POSTKONTOR_DNS_OVERRIDES": nameside.overrides(name_servers(places)),
        "POSTKONTOR_DNS_PRIVATE_ADDRESSES": "1",
        "DJANGO_SETTINGS_MODULE": "panel.settings",
        "PYTHONUNBUFFERED": "1",
    }


def manage(environment: dict[str, str], *arguments: str, given: str | None = None) -> None:
    done = subprocess.run(
        [PYTHON, "manage.py", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        input=given or "",
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise Unusable(f"manage.py {arguments[0]} failed:\n{done.stderr[-3000:]}")


def compile_languages(environment: dict[str, str]) -> None:
    """Compile the languages whose texts are newer than what was compiled last."""
    for source in (CHECKOUT / "locale").rglob("*.po"):
        made = source.with_suffix(".mo")
        if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
            manage(environment, "compilemessages", "-v0", "--ignore=.venv")
            return


def services(places: Places, environment: dict[str, str]) -> list[Service]:
    ports = places.ports
    checkout = str(CHECKOUT)
    settings = places.run / "mailhost.json"
    settings.write_text(json.dumps(mailhost_settings(places), indent=2), encoding="utf-8")
    names = places.run / "names.json"
    nameside.save(name_servers(places), names)
    mailside = (
        "/usr/bin/python3", "-B", str(CHECKOUT / "deploy/trial/mailside.py"),
        str(settings), str(names),
    )  # fmt: skip
    redis_folder = places.panel / "redis"
    redis_folder.mkdir(exist_ok=True)
    return [
        Service(
            "redis",
            (
                "redis-server", "--port", str(ports["redis"]), "--bind", "127.0.0.1",
                "--save", "", "--appendonly", "no", "--dir", str(redis_folder),
            ),
            port=ports["redis"],
        ),
        Service(
            "outside",
            (PYTHON, "deploy/trial/outside.py", str(ports["outside"]), str(places.outside)),
            folder=checkout, port=ports["outside"],
        ),
        Service(
            "doors",
            (
                PYTHON, "deploy/trial/doors.py",
                f"{ports['imap']}:{ports['imap_inner']}",
                f"{ports['managesieve']}:{ports['managesieve_inner']}",
            ),
            folder=checkout, port=ports["imap"],
        ),
        Service(
            "worker",
            (
                PYTHON, "-m", "celery", "-A", "panel", "worker", "-P", "threads", "-c", "8",
                "-Q", "push", "-l", "INFO", "--without-gossip", "--without-mingle",
            ),
            folder=checkout, environment=environment,
        ),
        Service(
            "beat",
            (PYTHON, "-m", "celery", "-A", "panel", "beat", "-l", "WARNING", "--pidfile="),
            folder=checkout, environment=environment,
        ),
        Service(
            "panel",
            (
                PYTHON, "-m", "gunicorn", "panel.wsgi", "-k", "gthread", "-w", "2",
                "--threads", "4",
                "-b", f"127.0.0.1:{ports['panel']}", "--worker-tmp-dir", "/dev/shm",  # noqa: S108
                "--graceful-timeout", "5",
            ),
            folder=checkout, environment=environment,
        ),
        Service(
            "mailhost",
            mailside if os.geteuid() == 0 else ("sudo", *mailside),
            session=os.geteuid() == 0,
            stdin=True,
            ready=(places.mailhost / "run" / "ready").exists,
        ),
        Service(
            "page",
            ("/bin/sleep", "infinity"),
            ready=lambda: page_answers(ports["panel"]),
        ),
    ]  # fmt: skip


def page_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/accounts/login/", timeout=5
        ) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        raise NotStarted(f"the log-in page answers {error.code}; see log/panel.log") from error
    except OSError:
        return False


def mailhost_settings(places: Places) -> dict[str, Any]:
    path = places.run / "host_id"
    if not path.exists():
        path.write_text(str(uuid.uuid4()), encoding="ascii")
    # What is not the mail host's, or is reached by a door of the trial.
    others = (
        "panel", "redis", "outside", "imap_inner", "managesieve_inner", "dns", "dns_second",
    )  # fmt: skip
    ports = {name: port for name, port in places.ports.items() if name not in others}
    ports |= {name: places.ports[f"{name}_inner"] for name in ("imap", "managesieve")}
    return {
        "state": str(places.mailhost),
        "hostname": HOSTNAME,
        "host_id": path.read_text(encoding="ascii"),
        "address": "127.0.0.1",
        "ports": ports,
        "relay": f"[127.0.0.1]:{places.ports['outside']}",
        "operator_address": "operator@outside.example",
        "panel_group": grp.getgrgid(os.getegid()).gr_name,
        # A trial asks no name server: on a closed port each question ends at once.
        "name_servers": ["127.0.0.1:9"],
    }


def host_facts(places: Places) -> dict[str, Any]:
    ports = places.ports
    return {
        "host": HOSTNAME,
        "agent": f"unix:{places.mailhost / 'run' / 'agent' / 'agent.sock'}",
        "client_settings": {
            "smtp": ["127.0.0.1", ports["smtp"]],
            "imaps": ["127.0.0.1", ports["imaps"]],
            "imap": ["127.0.0.1", ports["imap"]],
            "pop3s": ["127.0.0.1", ports["pop3s"]],
            "submissions": ["127.0.0.1", ports["submissions"]],
            "submission": ["127.0.0.1", ports["submission"]],
            "message_size_mib": 25,
        },
        "addresses": ["127.0.0.1"],
        "dns": publishing_facts(places),
    }


def publishing_facts(places: Places) -> dict[str, Any]:
    """What one must know to update the trial's zones (RFC 2136, RFC 8945)."""
    servers = name_servers(places)
    return {
        "server": [nameside.ADDRESS, servers.ports[0]],
        "zones": list(servers.zones),
        "tsig_name": nameside.KEY_NAME,
        "tsig_algorithm": nameside.KEY_ALGORITHM,
        "tsig_file": servers.key_file,
    }


def wait_until_pushed(environment: dict[str, str]) -> None:
    """The first change of the trial has gone all the way: panel, worker, agent, proof."""
    manage(environment, "wait_until_even", "--seconds", "30")


def write_endpoints(places: Places, trial: dict[str, Any]) -> None:
    """Last of all: who reads this finds everything answering."""
    ports = places.ports
    facts = {
        "panel": f"http://127.0.0.1:{ports['panel']}",
        **{
            name: ["127.0.0.1", ports[name]]
            for name in (
                "smtp", "submission", "submissions", "imap", "imaps", "pop3s", "managesieve",
            )
        },
        "dns": ["127.0.0.1", ports["dns"]],
        "dns_servers": [["127.0.0.1", ports[name]] for name in ("dns", "dns_second")],
        "dns_publishing": publishing_facts(places),
        "ca": str(places.mailhost / "tls" / "ca.pem"),
        "outside": str(places.outside),
        "logs": {
            path.stem: str(path)
            for folder in (places.logs, places.mailhost / "log")
            for path in sorted(folder.glob("*.log"))
        },
        "demo": trial,
    }  # fmt: skip
    aside = places.endpoints.with_suffix(".new")
    aside.touch(mode=0o600)
    aside.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    aside.replace(places.endpoints)


def show(places: Places, trial: dict[str, Any], seconds: float) -> None:
    ports = places.ports
    line = "─" * min(72, shutil.get_terminal_size().columns)
    say(f"\n{line}\n  Postkontor runs: http://127.0.0.1:{ports['panel']}   (in {seconds:.1f} s)\n")
    for name in ("customer", "reseller", "admin"):
        person = trial[name]
        say(f"  {name:<10}{person['email']:<28}{person['password']}")
    box = trial["mailbox"]
    say(f"  {'mailbox':<10}{box['address']:<28}{box['password']}\n")
    names = ("smtp", "submission", "submissions", "imap", "imaps", "pop3s", "managesieve")
    say("  Mail on 127.0.0.1: " + ", ".join(f"{name} {ports[name]}" for name in names[:4]))
    say("                     " + ", ".join(f"{name} {ports[name]}" for name in names[4:]))
    say(f"  Name servers:         127.0.0.1 ports {ports['dns']} and {ports['dns_second']}")
    say(f"  Certificate to trust: {places.mailhost / 'tls' / 'ca.pem'}")
    say(f"  Mail to the outside:  {places.outside}")
    say(f"  Ctrl-C stops it all.\n{line}")


if __name__ == "__main__":
    main()
