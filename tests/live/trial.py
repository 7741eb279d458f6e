"""A whole trial of its own for the tests, and the clients that drive it."""

from __future__ import annotations

import http.cookiejar
import imaplib
import json
import mailbox
import os
import poplib
import re
import smtplib
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "deploy" / "trial"))

from places import PORTS  # noqa: E402


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, by TCP and UDP, outside the range from which the system gives its own."""
    found: list[int] = []
    for port in range(12000 + os.getpid() % 2000, 32000):
        with socket.socket() as probe, socket.socket(type=socket.SOCK_DGRAM) as by_udp:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                by_udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")


def until(look: Callable[[], Any], *, seconds: float = 20, what: str = "") -> Any:
    """Return the first true answer of `look`; an AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s: {what or look}"
        time.sleep(0.1)


class Trial:
    """`make run` as its users have it, with a state directory and ports of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        numbers = free_ports(len(PORTS))
        self.environment = {
            **os.environ,
            "POSTKONTOR_STATE": str(state),
            "POSTKONTOR_KEEP_LINK": "1",
            **{
                variable: str(port)
                for (variable, _), port in zip(PORTS.values(), numbers, strict=True)
            },
        }
        self.ports = dict(zip(PORTS, numbers, strict=True))
        self.process: subprocess.Popen[bytes] | None = None
        self.facts: dict[str, Any] = {}

    def start(self) -> None:
        log = self.state.with_suffix(".out")
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "deploy/trial/run.py"],
                cwd=CHECKOUT, env=self.environment, stdout=out, stderr=out,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        endpoints = self.state / "run" / "endpoints.json"

        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, log.read_text()
            return endpoints.exists()

        until(ready, seconds=90, what=f"endpoints.json; see {log}")
        self.facts = json.loads(endpoints.read_text())

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)

    def manage(self, *arguments: str, given: str = "") -> str:
        """Run a management command of this trial's panel."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT, env={**self.environment, **self.panel_environment()},
            input=given, text=True, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def panel_environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": f"sqlite:///{self.state}/panel/db.sqlite3",
            "REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "SECRET_KEY": "",
            "FIELD_KEY": "",
            "SECRET_KEY_FILE": f"{self.state}/panel/secret.key",
            "FIELD_KEY_FILE": f"{self.state}/panel/field.key",
            "POSTKONTOR_PUBLIC_URL": self.facts["panel"],
            "POSTKONTOR_DNS_OVERRIDES": self.dns_overrides(),
            "POSTKONTOR_DNS_PRIVATE_ADDRESSES": "1",
            "POSTKONTOR_LOG_FORMAT": "json",
        }

    def dns_overrides(self) -> str:
        servers = ",".join(f"{address}:{port}" for address, port in self.facts["dns_servers"])
        return ";".join(f"{zone}={servers}" for zone in self.facts["dns_publishing"]["zones"])

    def panel(self, who: str = "customer") -> Panel:
        person = self.facts["demo"][who]
        panel = Panel(self.facts["panel"])
        panel.log_in(person["email"], person["password"])
        return panel

    # --- mail -----------------------------------------------------------------------------------

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.facts["ca"])

    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP(
            *self.facts["smtp"], local_hostname="client.outside.example", timeout=30
        )

    def submissions(self, login: str, password: str) -> smtplib.SMTP_SSL:
        client = smtplib.SMTP_SSL(*self.facts["submissions"], context=self.tls(), timeout=30)
        client.login(login, password)
        return client

    def submission(self, login: str, password: str) -> smtplib.SMTP:
        client = smtplib.SMTP(*self.facts["submission"], timeout=30)
        client.starttls(context=self.tls())
        client.login(login, password)
        return client

    def imap(self, login: str, password: str) -> imaplib.IMAP4_SSL:
        client = imaplib.IMAP4_SSL(*self.facts["imaps"], ssl_context=self.tls(), timeout=30)
        client.login(login, password)
        return client

    def pop3(self, login: str, password: str) -> poplib.POP3_SSL:
        client = poplib.POP3_SSL(*self.facts["pop3s"], context=self.tls(), timeout=30)
        client.user(login)
        client.pass_(password)
        return client

    def send_in(self, *to: str, sender: str = "kunde@outside.example", **headers: str) -> str:
        """Send a mail from outside to port 25; return its subject, which is its own."""
        mail = letter(sender, ", ".join(to), **headers)
        with self.smtp() as client:
            client.send_message(mail, sender, list(to))
        return str(mail["Subject"])

    def inbox(self, login: str, password: str, subject: str, *, seconds: float = 20) -> Message:
        """The mail with this subject, once it is in the INBOX."""
        return until(lambda: self.find(login, password, subject), seconds=seconds, what=subject)

    def find(self, login: str, password: str, subject: str) -> Message | None:
        import email

        client = self.imap(login, password)
        try:
            client.select("INBOX", readonly=True)
            _ok, found = client.search(None, "SUBJECT", f'"{subject}"')
            for number in found[0].split():
                _ok, parts = client.fetch(number, "(RFC822)")
                return email.message_from_bytes(parts[0][1])
        finally:
            client.logout()
        return None

    def outside(self, subject: str, *, seconds: float = 20) -> Message:
        """The mail with this subject, once it is outside."""
        return until(lambda: self.find_outside(subject), seconds=seconds, what=subject)

    def find_outside(self, subject: str) -> Message | None:
        for mail in mailbox.Maildir(self.facts["outside"]):
            if mail["Subject"] == subject:
                return mail
        return None


def letter(
    sender: str, to: str, *, subject: str = "", body: str = "Guten Tag", **headers: str
) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = headers.pop("header_from", sender), to
    mail["Subject"] = subject or f"test {time.time_ns()}"
    mail["Message-ID"] = f"<{time.time_ns()}@client.outside.example>"
    mail["Date"] = "Mon, 23 Nov 2026 12:00:00 +0000"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    return mail


@dataclass
class Answer:
    status: int
    url: str
    text: str


class Panel:
    """A browser without JavaScript: cookies, forms, redirects."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.language = "en"

    def get(self, path: str) -> Answer:
        return self._open(urllib.request.Request(self._absolute(path)))  # noqa: S310

    def post(self, path: str, **fields: str) -> Answer:
        """Send a form, with the token that its page would have had."""
        token = next((c.value for c in self.cookies if c.name == "csrf"), None)
        if token is None:
            self.get("/accounts/login/")
            token = next(c.value for c in self.cookies if c.name == "csrf")
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
        return self._open(urllib.request.Request(self._absolute(path), data))  # noqa: S310

    def _absolute(self, path: str) -> str:
        return path if path.startswith("http") else self.url + path

    def _open(self, request: urllib.request.Request) -> Answer:
        request.add_header("Accept-Language", self.language)
        try:
            with self.opener.open(request, timeout=30) as answer:
                return Answer(answer.status, answer.geturl(), answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.geturl(), error.read().decode())

    def log_in(self, email: str, password: str) -> None:
        answer = self.post("/accounts/login/", login=email, password=password)
        assert "/accounts/login/" not in answer.url, answer.text

    # --- what a customer does -------------------------------------------------------------------

    def create_mailbox(self, local_part: str, password: str, *, quota_mib: int = 100) -> str:
        """Go through the wizard; return the path of the mailbox's page."""
        answer = self.post(
            "/mailboxes/new/",
            local_part=local_part,
            domain="example.test",
            kind="mailbox",
            targets="",
        )
        assert answer.url.endswith("/person/"), answer.text
        answer = self.post(
            "/mailboxes/new/person/", password=password, name="", quota_mib=str(quota_mib)
        )
        assert answer.url.endswith("/review/"), answer.text
        answer = self.post("/mailboxes/new/review/")
        assert answer.status == 200, answer.text
        return path_of(answer.url)

    def create_alias(self, local_part: str, mailbox_page: str) -> str:
        uid = mailbox_page.strip("/").split("/")[-1]
        answer = self.post(
            "/aliases/new/", local_part=local_part, domain="example.test", mailbox=uid
        )
        assert answer.status == 200, answer.text
        return path_of(answer.url)

    def create_forward(self, local_part: str, *targets: str) -> str:
        answer = self.post(
            "/forwards/new/",
            local_part=local_part,
            domain="example.test",
            targets="\n".join(targets),
        )
        assert answer.status == 200, answer.text
        return path_of(answer.url)

    def status(self, page: str) -> str:
        """live, failed, saved, … as the page shows it."""
        if page.startswith("/domains/"):
            answer = self.get(page.replace("/domains/", "/domain-status/"))
        else:
            answer = self.get("/addresses/" + page.strip("/").split("/")[-1] + "/status/")
        found = re.search(r'class="status (\w+)"', answer.text)
        assert found, answer.text
        return found[1]

    def wait_live(self, page: str, *, seconds: float = 20) -> None:
        until(lambda: self.status(page) == "live", seconds=seconds, what=f"{page} live")


def path_of(url: str) -> str:
    return urllib.parse.urlsplit(url).path
