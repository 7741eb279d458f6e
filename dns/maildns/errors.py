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


class BadTerm(BadRecord):
    """A part of an SPF record that makes the whole record void.

    `term` is that part as it was written, `rfc` number and section such as "7208 5.6".
    """

    def __init__(self, reason: str, term: str, rfc: str) -> None:
        super().__init__(reason)
        self.term = term
        self.rfc = rfc


class TooManyLookups(DnsError):
    """An SPF record that would need more than ten lookups (RFC 7208, 4.6.4)."""

    def __init__(self, lookups: int) -> None:
        super().__init__(lookups)
        self.lookups = lookups


class LookupFailed(DnsError):
    """A question got no answer, so nothing is known; `reason` is that of the `Answer`.

    For the name servers of a zone there are two more: no_delegation, when there is no zone
    below a top-level domain to ask, and too_many_servers. Only the first says something.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
