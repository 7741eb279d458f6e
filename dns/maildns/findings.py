"""What a linter has to say about a published record, in one form for all record types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"  # the record does not do what it is there for
    WARNING = "warning"  # it does, but not as its owner will have meant it
    NOTE = "note"  # nothing is wrong; worth knowing


@dataclass(frozen=True)
class Finding:
    """`code` names a sentence of the panel; `where` is the part of the record that is meant.

    `rfc` is the source as number and section, such as "7208 3.2".
    """

    code: str
    where: str
    rfc: str
    severity: Severity
