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


class BadOption(DnsError):
    """Something that a provider is reached with is missing or is none; `reason` is a code."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}")
        self.option = option
        self.reason = reason


class ProviderError(DnsError):
    """`reason` is a code; `fact` belongs to it, such as the status of an HTTP answer.

    Neither ever holds what the provider said in words, in which there may be credentials.
    """

    def __init__(self, reason: str, fact: str = "") -> None:
        super().__init__(f"{reason} {fact}".rstrip())
        self.reason = reason
        self.fact = fact


class ProviderRefused(ProviderError):
    """Who holds the zone said no, and nothing was written.

    For the credentials: bad_key (unknown, or not one for this), bad_signature, bad_time,
    bad_credentials, login_or_zone, bad_options. For the zone: no_such_zone, not_allowed,
    outside_zone, no_updates. For what was to be written: changed_meanwhile, too_big, rejected,
    not_as_written.
    """


class ProviderUnreachable(ProviderError):
    """No answer, or none that can be trusted: what became of a write is not known.

    timeout, refused (no connection), malformed, unsigned, server_error, rate_limited, failed.
    """


class HalfDone(ProviderError):
    """The first `done` edits are written; `cause` ended the one after them, perhaps midway."""

    def __init__(self, done: int, cause: ProviderError) -> None:
        super().__init__(cause.reason, cause.fact)
        self.done = done
        self.cause = cause
