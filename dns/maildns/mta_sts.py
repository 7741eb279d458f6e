"""MTA-STS: the record that announces a policy, and the policy itself (RFC 8461)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from maildns.errors import BadRecord
from maildns.findings import Finding, Severity
from maildns.names import is_host_name
from maildns.records import Record
from maildns.tags import version_fault, versioned_fields

MAX_AGE_SECONDS = 31_557_600  # RFC 8461, 3.2: a year
MAX_POLICY_OCTETS = 65_536  # RFC 8461, 3.3 suggests 64 KB

_VERSION = "STSv1"
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_TXT_VALUE = re.compile(r"[!-:<>-~]+")
# RFC 8461, 3.2: a value begins and ends with a visible character; blanks around it do not count.
_LINE = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*"
    r"([^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?)[ \t]*"
)
_DIGITS = re.compile(r"[0-9]{1,10}")


class Mode(StrEnum):
    """What a sender does with a host that fails (RFC 8461, 5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@dataclass(frozen=True)
class StsPolicy:
    """A policy. `mx` are host names, or `*.` and the rest of one. Raises BadRecord."""

    mode: Mode
    mx: tuple[str, ...]
    max_age_seconds: int

    def __post_init__(self) -> None:
        if not all(is_host_name(pattern.removeprefix("*.")) for pattern in self.mx):
            raise BadRecord("mx")
        if not self.mx and self.mode is not Mode.NONE:
            raise BadRecord("mx")
        if not 0 <= self.max_age_seconds <= MAX_AGE_SECONDS:
            raise BadRecord("max_age")

    def covers(self, host: str) -> bool:
        """Whether a host of an MX record matches; a wildcard stands for one label (4.1)."""
        return host in self.mx or f"*.{host.partition('.')[2]}" in self.mx

    def uncovered(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """The hosts that senders would refuse to deliver to under `enforce`."""
        return tuple(host for host in hosts if not self.covers(host))

    def text(self) -> str:
        """The body of the policy file (RFC 8461, 3.2)."""
        lines = [f"version: {_VERSION}", f"mode: {self.mode}"]
        lines += [f"mx: {pattern}" for pattern in self.mx]
        lines.append(f"max_age: {self.max_age_seconds}")
        return "".join(f"{line}\r\n" for line in lines)


def policy_id(now: datetime) -> str:
    """A new id for the record, such as 20261123120000Z. `now` knows its time zone."""
    return f"{now.astimezone(UTC):%Y%m%d%H%M%S}Z"


def mta_sts_record(zone: str, id_: str) -> Record:
    """The TXT record at _mta-sts.<zone>. Raises BadRecord.

    The id changes with every change of the policy, after the new policy can be fetched.
    """
    if not _ID.fullmatch(id_):
        raise BadRecord("id")
    return Record(f"_mta-sts.{zone}", "TXT", f"v={_VERSION}; id={id_};")


def policy_host_record(zone: str, host: str) -> Record:
    """The alias under which our host serves the policy of a zone (RFC 8461, 3.3 and 8.2)."""
    return Record(f"mta-sts.{zone}", "CNAME", host)


def parse_mta_sts(text: str) -> str:
    """Return the id of a record (RFC 8461, 3.1). Raises BadRecord."""
    fields = versioned_fields(text, _VERSION)
    if not all(_TXT_VALUE.fullmatch(value) for _name, value in fields):
        raise BadRecord("fields")
    # RFC 8461, 3.1: of fields of one name the first counts.
    ids = [value for name, value in fields if name == "id"]
    if not ids:
        raise BadRecord("no_id")
    if not _ID.fullmatch(ids[0]):
        raise BadRecord("id")
    return ids[0]


def parse_policy(text: str) -> StsPolicy:
    """Read the body of a policy file, strictly (RFC 8461, 3.2). Raises BadRecord.

    Unknown fields are ignored, and of repeated ones the first counts, but for mx.
    """
    if len(text.encode("utf-8", "replace")) > MAX_POLICY_OCTETS:
        raise BadRecord("too_long")
    lines = re.split(r"\r?\n", text)
    if not lines[-1]:
        lines.pop()
    pairs = [_line(line) for line in lines]
    fields = dict(reversed(pairs))
    if fields.get("version") != _VERSION:
        raise BadRecord("version")
    if fields.get("mode") not in tuple(Mode):
        raise BadRecord("mode")
    if not _DIGITS.fullmatch(fields.get("max_age", "")):
        raise BadRecord("max_age")
    mx = tuple(value.lower() for name, value in pairs if name == "mx")
    return StsPolicy(Mode(fields["mode"]), mx, int(fields["max_age"]))


def _line(line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if not match:
        raise BadRecord("line")
    return match[1], match[2]


def lint_mta_sts(texts: Sequence[str]) -> tuple[Finding, ...]:
    """Check all TXT values at _mta-sts.<domain>."""
    meant = [text for text in texts if "stsv1" in text.lower()]
    found = [
        Finding("foreign_text", text, "8461 3.1", Severity.NOTE)
        for text in texts
        if text not in meant
    ]
    if len(meant) > 1:
        found.append(Finding("several", str(len(meant)), "8461 3.1", Severity.ERROR))
    for text in meant:
        try:
            parse_mta_sts(text)
        except BadRecord as error:
            code = version_fault(text, _VERSION) if error.reason == "version" else error.reason
            found.append(Finding(code, text, "8461 3.1", Severity.ERROR))
    return tuple(found)


def lint_policy(text: str, mx_hosts: Sequence[str]) -> tuple[Finding, ...]:
    """Check a fetched policy against the hosts of the MX records it must cover."""
    try:
        policy = parse_policy(text)
    except BadRecord as error:
        return (Finding(error.reason, "mta-sts.txt", "8461 3.2", Severity.ERROR),)
    severity = Severity.ERROR if policy.mode is Mode.ENFORCE else Severity.WARNING
    uncovered = policy.uncovered(mx_hosts) if policy.mode is not Mode.NONE else ()
    return tuple(Finding("uncovered_mx", host, "8461 4.1", severity) for host in uncovered)
