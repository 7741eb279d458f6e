"""What the DNS side can refuse."""

from __future__ import annotations


class DnsError(Exception):
    """Something about a zone, a record or a key is not as it must be."""


class BadRecord(DnsError):
    """A record that cannot be made or read; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoSelectorLeft(DnsError):
    """All selectors of a month are used up in one zone."""
