"""TLS-RPT: where reports about failed encryption go (RFC 8460)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from maildns.errors import BadRecord
from maildns.findings import Finding, Severity
from maildns.records import Record
from maildns.tags import encoded_uri, is_report_uri, version_fault, versioned_fields

_VERSION = "TLSRPTv1"
_EXTENSION_VALUE = re.compile(r"[!-:<>-~]+")
_SCHEMES = ("mailto:", "https:")  # RFC 8460, 3


def tls_rpt_record(zone: str, rua: Sequence[str]) -> Record:
    """The TXT record at _smtp._tls.<zone>. `rua` are mailto and https URIs. Raises BadRecord."""
    uris = [encoded_uri(uri) for uri in rua]
    if not uris or not all(uri.startswith(_SCHEMES) for uri in uris):
        raise BadRecord("uri")
    return Record(f"_smtp._tls.{zone}", "TXT", f"v={_VERSION}; rua={','.join(uris)}")


def parse_tls_rpt(text: str) -> tuple[str, ...]:
    """Return the URIs for the reports (RFC 8460, 3). Raises BadRecord."""
    uris: list[str] = []
    for name, value in versioned_fields(text, _VERSION):
        if name == "rua":
            uris += (uri.strip(" \t") for uri in value.split(","))
        elif not _EXTENSION_VALUE.fullmatch(value):
            raise BadRecord("fields")
    if not uris:
        raise BadRecord("no_rua")
    if not all(map(is_report_uri, uris)):
        raise BadRecord("uri")
    return tuple(uris)


def lint_tls_rpt(texts: Sequence[str]) -> tuple[Finding, ...]:
    """Check all TXT values at _smtp._tls.<domain>."""
    meant = [text for text in texts if "tlsrptv1" in text.lower()]
    found = [
        Finding("foreign_text", text, "8460 3", Severity.NOTE)
        for text in texts
        if text not in meant
    ]
    if len(meant) > 1:
        found.append(Finding("several", str(len(meant)), "8460 3", Severity.ERROR))
    for text in meant:
        found += _findings(text)
    return tuple(found)


def _findings(text: str) -> list[Finding]:
    try:
        uris = parse_tls_rpt(text)
    except BadRecord as error:
        code = version_fault(text, _VERSION) if error.reason == "version" else error.reason
        return [Finding(code, text, "8460 3", Severity.ERROR)]
    return [
        Finding("scheme", uri, "8460 3", Severity.WARNING)
        for uri in uris
        if not uri.lower().startswith(_SCHEMES)
    ]
