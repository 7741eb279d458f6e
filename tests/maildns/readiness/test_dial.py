"""Real SMTP servers with certificates of all sorts, and servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority
from cryptography.hazmat.primitives.serialization import Encoding
from smtphost import Serve, says, smtp_host, tcp_host

from maildns.readiness.dial import Banner, Presented, read_banner, read_certificate

HOST = "mail.panel.example"
LOCAL = "127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def presented(pem: Path | None, authority: Authority, host: str = HOST) -> Presented:
    async def run() -> Presented:
        async with smtp_host(pem) as port:
            return await read_certificate(
                LOCAL, port, host, ca_file=str(authority.file), timeout_seconds=5
            )

    return asyncio.run(run())


@pytest.mark.parametrize("names", [(HOST,), ("other.example", "*.panel.example")])
def test_good_certificate_is_named_and_trusted(
    authority: Authority, names: tuple[str, ...]
) -> None:
    file, made = authority.issue("good", *names)
    found = presented(file, authority)
    assert found == Presented(made.public_bytes(Encoding.PEM).decode(), is_named=True)


@pytest.mark.parametrize(
    "names",
    [
        ("other.example",),
        ("*.example",),  # a wildcard is one label
        ("*.mail.panel.example",),
        ("ma*.panel.example",),
        ("mail.panel.example.attacker.example",),
    ],
)
def test_other_name_is_told_apart_from_trust(authority: Authority, names: tuple[str, ...]) -> None:
    file, _made = authority.issue("other", *names)
    found = presented(file, authority)
    assert (found.is_named, found.chain_fault) == (False, "")


@pytest.mark.parametrize(
    ("days", "self_signed", "fault"),
    [(-5, False, "dates"), (90, True, "self_signed"), (-5, True, "self_signed")],
)
def test_chain_fault_does_not_hide_the_name(
    authority: Authority, days: int, self_signed: bool, fault: str
) -> None:
    file, _made = authority.issue("bad", HOST, days=days, self_signed=self_signed)
    found = presented(file, authority)
    assert (found.is_named, found.chain_fault) == (True, fault)
    assert found.detail
    other = presented(file, authority, "www.panel.example")
    assert (other.is_named, other.chain_fault) == (False, fault)


def test_unknown_authority_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    file, _made = Authority(tmp_path, "Nobody").issue("good", HOST)
    found = presented(file, authority)
    assert (found.is_named, found.chain_fault) == (True, "untrusted")


def test_expired_authority_is_a_fault_of_the_dates(tmp_path: Path) -> None:
    old = Authority(tmp_path, "Old", days=-1)
    file, _made = old.issue("good", HOST)
    found = presented(file, old)
    assert (found.is_named, found.chain_fault) == (True, "dates")


def test_system_authorities_are_used_without_a_file(authority: Authority) -> None:
    file, _made = authority.issue("good", HOST)

    async def run() -> Presented:
        async with smtp_host(file) as port:
            return await read_certificate(LOCAL, port, HOST, timeout_seconds=5)

    assert asyncio.run(run()).chain_fault == "untrusted"


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_authorities_that_cannot_be_read_are_our_fault(
    authority: Authority, tmp_path: Path, content: str | None
) -> None:
    file, _made = authority.issue("good", HOST)
    authorities = tmp_path / "authorities.pem"
    if content is not None:
        authorities.write_text(content)

    async def run() -> Presented:
        async with smtp_host(file) as port:
            return await read_certificate(
                LOCAL, port, HOST, ca_file=str(authorities), timeout_seconds=5
            )

    found = asyncio.run(run())
    assert (found.reason, found.fault) == ("no_authorities", "")


def test_server_without_tls_is_at_fault(authority: Authority) -> None:
    assert presented(None, authority).fault == "no_starttls"


# --- servers that misbehave ---------------------------------------------------------------------

HELLO, OFFER = b"220 mx.test ESMTP\r\n", b"250-mx.test\r\n250 STARTTLS\r\n"


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220-" + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def long_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220 " + b"x" * 10_000)
        await writer.drain()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"2")
        await asyncio.sleep(0.05)


async def no_tls_after_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for line in (HELLO, OFFER, b"220 go ahead\r\n"):
        writer.write(line)
        await reader.readline()
    writer.write(b"SSH-2.0-nothing of the kind\r\n" * 10)
    await asyncio.sleep(3600)


@pytest.mark.parametrize(
    ("serve", "fault", "reason"),
    [
        (says(), "", "timeout"),
        (says(HELLO), "", "timeout"),
        (says(HELLO, OFFER, b"220 go\r\n"), "", "timeout"),
        (hang_up, "", "closed"),
        (flood, "", "no_smtp"),
        (long_line, "", "no_smtp"),
        (drip, "", "timeout"),
        (says(b"SSH-2.0-OpenSSH\r\n"), "", "no_smtp"),
        (says(b"\x00\xff\xfe\r\n"), "", "no_smtp"),
        (says(b"554 5.7.1 no\r\n"), "", "smtp_refused"),
        (says(HELLO, b"502 what\r\n"), "", "smtp_refused"),
        (says(HELLO, b"250 mx.test\r\n"), "no_starttls", ""),
        (says(HELLO, b"250-STARTTLS\r\n250 NOSTARTTLS\r\n"), "no_starttls", ""),
        (says(HELLO, OFFER, b"454 4.7.0 TLS not available\r\n"), "starttls_refused", ""),
        (no_tls_after_all, "handshake_failed", ""),
    ],
)
def test_misbehaving_server_is_told_from_a_silent_one(
    serve: Serve, fault: str, reason: str
) -> None:
    async def run() -> Presented:
        async with tcp_host(serve) as port:
            return await read_certificate(LOCAL, port, HOST, timeout_seconds=0.4)

    found = asyncio.run(run())
    assert not found.certificate
    assert found.fault == fault
    assert found.reason in ((reason, "silent") if reason == "closed" else (reason,))


# --- banners ------------------------------------------------------------------------------------


def banner(serve: Serve, source: str = LOCAL) -> Banner:
    async def run() -> Banner:
        async with tcp_host(serve) as port:
            return await read_banner(LOCAL, port, source, 0.4)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("serve", "expected"),
    [
        (says(HELLO), Banner("220 mx.test ESMTP")),
        (says(b"220-hold on\r\n220 mx.test\r\n"), Banner("220 hold on")),
        (says(b"554 5.7.1 dial-up\r\n"), Banner("554 5.7.1 dial-up")),
        (says(), Banner(reason="silent")),
        (drip, Banner(reason="silent")),
        (flood, Banner(reason="no_smtp")),
        (says(b"HTTP/1.1 400 Bad Request\r\n"), Banner(reason="no_smtp")),
    ],
)
def test_banner_is_the_first_line(serve: Serve, expected: Banner) -> None:
    assert banner(serve) == expected


def test_connection_comes_from_the_sending_address() -> None:
    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"220 {writer.get_extra_info('peername')[0]}\r\n".encode())
        await reader.readline()

    assert banner(tell, "127.0.0.9") == Banner("220 127.0.0.9")


def test_ipv6_is_dialled_too(authority: Authority) -> None:
    file, _made = authority.issue("six", HOST)

    async def run() -> tuple[Presented, Banner]:
        async with smtp_host(file, "::1") as port:
            shown = await read_certificate(
                "::1", port, HOST, ca_file=str(authority.file), timeout_seconds=5
            )
            return shown, await read_banner("::1", port, "::1", 5)

    shown, banner = asyncio.run(run())
    assert (shown.is_named, shown.chain_fault) == (True, "")
    assert banner.text.startswith("220 mx.test")


def test_address_of_another_machine_is_not_here() -> None:
    assert banner(says(HELLO), "192.0.2.1") == Banner(reason="not_here")


@pytest.fixture
def dropping_port() -> Iterator[int]:
    """A port whose queue is full: further packets are dropped, as by a provider's filter."""
    with socket.socket() as listener:
        listener.bind((LOCAL, 0))
        listener.listen(0)
        waiting = [socket.socket() for _each in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for each in waiting:
            each.close()


def test_dropped_packets_are_a_timeout(dropping_port: int) -> None:
    found = asyncio.run(read_banner(LOCAL, dropping_port, LOCAL, 0.3))
    assert found == Banner(reason="timeout")


def test_closed_port_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind((LOCAL, 0))
        found = asyncio.run(read_banner(LOCAL, taken.getsockname()[1], LOCAL, 0.3))
    assert found == Banner(reason="refused")
