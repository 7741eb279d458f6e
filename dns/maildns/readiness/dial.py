"""Speaks to SMTP servers: reads a banner, and the certificate behind STARTTLS (RFC 3207).

Certificates are judged by OpenSSL, in several handshakes, each with one question: which
certificate is it, is it made out to the name, does it come from an authority.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from maildns.readiness.reasons import reason_of

MAX_LINES = 100  # of one reply
MAX_LINE = 4096
_REPLY = re.compile(rb"([2-5][0-9]{2})([ -]|\Z)([^\r\n]*)")
_Handshake = Callable[[ssl.SSLContext], Awaitable[bytes]]
# X509_V_ERR_…
_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED, _OTHER_NAME = 9, 10, 18, 62


@dataclass(frozen=True)
class Banner:
    """The first line of an SMTP server; without one `reason` says why.

    timeout, refused, no_route, closed, failed: no connection. silent, no_smtp: nobody who
    speaks SMTP. not_here: the source is no address of this machine, so nothing was tried.
    """

    text: str = ""
    reason: str = ""


class Connect(Protocol):
    """Reads the banner of an address and port, from the address `source` if it is not empty."""

    async def __call__(
        self, address: str, port: int, source: str, timeout_seconds: float
    ) -> Banner: ...


async def read_banner(address: str, port: int, source: str, timeout_seconds: float) -> Banner:
    connected = False
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            _connection(address, port, source) as (reader, writer),
        ):
            connected = True
            code, lines = await _reply(reader)
            writer.write(b"QUIT\r\n")
            return Banner(f"{code} {lines[0]}")
    except _NoReply as error:
        return Banner(reason=error.reason)
    except OSError as error:
        return Banner(reason="silent" if connected else reason_of(error))


@dataclass(frozen=True)
class Presented:
    """The certificate that a host shows, in PEM, and what OpenSSL says of it.

    `is_named` says whether it is made out to the name. `chain_fault` is empty for a chain to an
    authority, else self_signed, untrusted, or dates (only the time is wrong, of it or of one
    above), with OpenSSL's own `detail`. Without a certificate, `fault` is what the server did
    (no_starttls, starttls_refused, handshake_failed), or `reason` why nothing is known: those of
    `Banner`, smtp_refused, or no_authorities (`ca_file` cannot be read).
    """

    certificate: str = ""
    is_named: bool = False
    chain_fault: str = ""
    detail: str = ""
    fault: str = ""
    reason: str = ""


class Dial(Protocol):
    """Reads and judges the certificate that an SMTP server shows for the name `host`."""

    async def __call__(
        self, address: str, port: int, host: str, *, ca_file: str, timeout_seconds: float
    ) -> Presented: ...


async def read_certificate(
    address: str, port: int, host: str, *, ca_file: str = "", timeout_seconds: float
) -> Presented:
    """`host` must be a valid host name. `ca_file` replaces the system's authorities.

    `timeout_seconds` are for each of three connections.
    """

    async def handshake(context: ssl.SSLContext) -> bytes:
        async with asyncio.timeout(timeout_seconds):
            return await _handshake(address, port, host, context)

    try:
        trusting = _trusting(ca_file)
    except OSError as error:
        return Presented(reason="no_authorities", detail=type(error).__name__)
    try:
        return await _presented(handshake, trusting)
    except _NoTls as error:
        return Presented(fault=error.fault, detail=error.detail)
    except _NoReply as error:
        return Presented(reason=error.reason, detail=error.detail)
    except ssl.SSLError as error:
        return Presented(fault="handshake_failed", detail=error.reason or "")
    except OSError as error:
        return Presented(reason=reason_of(error))


async def _presented(handshake: _Handshake, trusting: ssl.SSLContext) -> Presented:
    shown = await handshake(_reading())
    certificate = ssl.DER_cert_to_PEM_cert(shown)
    named, _detail = await _verified(handshake, _naming(shown))
    code, detail = await _verified(handshake, trusting)
    fault = ""
    if code:
        fault = "self_signed" if code == _SELF_SIGNED else "untrusted"
        if code in (_EXPIRED, _NOT_YET_VALID):
            # OpenSSL looks at dates last: all else is right, as it is at any other time.
            fault = "dates"
    return Presented(certificate, named != _OTHER_NAME, fault, detail)


async def _verified(handshake: _Handshake, context: ssl.SSLContext) -> tuple[int, str]:
    """OpenSSL's code and message; 0 if it agrees."""
    try:
        await handshake(context)
    except ssl.SSLCertVerificationError as error:
        return error.verify_code, error.verify_message
    return 0, ""


def _reading() -> ssl.SSLContext:
    """Takes any certificate, key and version: to read is not to trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _naming(certificate: bytes) -> ssl.SSLContext:
    """Trusts this certificate itself. OpenSSL looks at the name before the dates."""
    context = _reading()
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    context.hostname_checks_common_name = False  # RFC 9525, 2: only subjectAltName counts
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=certificate)
    return context


def _trusting(ca_file: str) -> ssl.SSLContext:
    """Asks for an authority and keys that are not weak; the name is another question."""
    context = _reading()
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_ciphers("ALL:@SECLEVEL=1")
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    else:
        context.load_default_certs()
    return context


# --- SMTP ---------------------------------------------------------------------------------------


class _NoReply(Exception):
    """No usable reply; says nothing about the certificate."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


class _NoTls(Exception):
    """The server speaks SMTP, and no TLS."""

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(fault)
        self.fault, self.detail = fault, detail


async def _handshake(address: str, port: int, host: str, context: ssl.SSLContext) -> bytes:
    """Return the certificate shown, in DER."""
    async with _connection(address, port, "") as (reader, writer):
        await _expect(reader, "220")
        writer.write(b"EHLO " + _literal(writer).encode() + b"\r\n")
        offers = await _expect(reader, "250")
        if "STARTTLS" not in (each.strip().upper() for each in offers[1:]):
            raise _NoTls("no_starttls", " ".join(offers[1:]))
        writer.write(b"STARTTLS\r\n")
        code, lines = await _reply(reader)
        if code != "220":
            raise _NoTls("starttls_refused", f"{code} {lines[0]}")
        await writer.start_tls(context, server_hostname=host)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if not shown:
            raise _NoTls("handshake_failed", "")
        return bytes(shown)


def _literal(writer: asyncio.StreamWriter) -> str:
    """RFC 5321, 4.1.3: we have no name to give here."""
    own = writer.get_extra_info("sockname")[0].partition("%")[0]
    return f"[IPv6:{own}]" if ":" in own else f"[{own}]"


@asynccontextmanager
async def _connection(
    address: str, port: int, source: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(
        address, port, limit=MAX_LINE, local_addr=(source, 0) if source else None
    )
    try:
        yield reader, writer
    finally:
        # A server that does not close its side must not keep us.
        writer.transport.abort()


async def _expect(reader: asyncio.StreamReader, wanted: str) -> list[str]:
    code, lines = await _reply(reader)
    if code != wanted:
        raise _NoReply("smtp_refused", f"{code} {lines[0]}")
    return lines


async def _reply(reader: asyncio.StreamReader) -> tuple[str, list[str]]:
    """The code and lines of a reply (RFC 5321, 4.2.1)."""
    lines: list[str] = []
    for _line in range(MAX_LINES):
        try:
            raw = await reader.readline()
        except ValueError as error:  # longer than any line may be
            raise _NoReply("no_smtp") from error
        if not raw:
            raise _NoReply("silent")
        match = _REPLY.match(raw.rstrip(b"\r\n"))
        if not match:
            raise _NoReply("no_smtp")
        lines.append(match[3].decode("latin-1"))
        if match[2] != b"-":
            return match[1].decode(), lines
    raise _NoReply("no_smtp")
