"""The lists of tags in DKIM, DMARC, MTA-STS and TLS-RPT records, and the addresses in them."""

from __future__ import annotations

import re
from urllib.parse import quote

from maildns.errors import BadRecord

BLANK = " \t\r\n"

_FIELD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
# RFC 3986 without `,` `!` and `;`, which end an address in these records.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@$&'()*+=-]|%[0-9A-Fa-f]{2})+")
_URI_SAFE = "%-._~:/?#[]@$&'()*+="
_ADDRESS_SAFE = "-._~@$'*+="


def split_tags(text: str) -> list[tuple[str, str | None]]:
    """Split at the semicolons, the last of which may end the list (RFC 6376, 3.2).

    A part without `=` has None for its value. Blanks around names and values are taken off.
    """
    parts = text.split(";")
    if not parts[-1].strip(BLANK):
        parts.pop()
    cut = [part.partition("=") for part in parts]
    return [
        (name.strip(BLANK), value.strip(BLANK) if equals else None) for name, equals, value in cut
    ]


def versioned_fields(text: str, version: str) -> list[tuple[str, str]]:
    """Read the fields behind `v=<version>;` as in RFC 8461, 3.1 and RFC 8460, 3.

    Stricter than `split_tags`: exact case, no blanks around `=`, no empty values.
    Raises BadRecord: "version" for what is no such record, "fields" for a broken one.
    """
    first, *parts = text.split(";")
    if first.rstrip(" \t") != f"v={version}":
        raise BadRecord("version")
    if parts and not parts[-1].strip(" \t"):
        parts.pop()
    return [_field(part.strip(" \t")) for part in parts]


def _field(part: str) -> tuple[str, str]:
    name, _equals, value = part.partition("=")
    if not _FIELD_NAME.fullmatch(name) or not value:
        raise BadRecord("fields")
    return name, value


def version_fault(text: str, version: str) -> str:
    """Why a text that means to be a record of `version` is none, as the code of a finding."""
    found = dict(reversed(split_tags(text))).get("v") or ""
    if "\\;" in text:
        return "escaped"
    if found == version:
        return "version_not_first"
    return "version_case" if found.lower() == version.lower() else "version"


def mailto(address: str) -> str:
    """The URI of a mail address, with whatever a record would misread %-encoded."""
    return encoded_uri(f"mailto:{quote(address, safe=_ADDRESS_SAFE, errors='replace')}")


def encoded_uri(uri: str) -> str:
    """The URI with `,` `!` `;` and what is no URI character %-encoded. Raises BadRecord."""
    encoded = quote(uri, safe=_URI_SAFE, errors="replace")
    if not is_report_uri(encoded):
        raise BadRecord("uri")
    return encoded


def is_report_uri(text: str) -> bool:
    """Whether reports could be sent there; a mailto needs an address (RFC 6068, 2)."""
    if not _URI.fullmatch(text):
        return False
    scheme, _colon, rest = text.partition(":")
    local, _at, domain = rest.partition("?")[0].rpartition("@")
    return scheme.lower() != "mailto" or bool(local and domain)
