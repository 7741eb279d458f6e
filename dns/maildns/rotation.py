"""When a DKIM key may sign and when it may go: by what the name servers show, and by time.

staged > published > signing > retiring > retired. Each look gives a sight of what is wanted of a
key; where nobody knows, nothing moves. Times are those of the clock that the caller passes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from maildns.check import RecordReport, RecordState, all_seen
from maildns.dkim import key_record, revoked_record
from maildns.models import DkimKey
from maildns.records import Record

State = DkimKey.State

# RFC 5321, 4.5.4.1: a mail may wait for four to five days, and is verified when it arrives.
QUEUE_LIFETIME = timedelta(days=5)
ROTATE_AFTER = timedelta(days=182)  # M3AAWG: twice a year
# No resolver keeps longer what it did not find (RFC 2308, 5) or has found (RFC 8767, 4).
LONGEST_NEGATIVE_TTL = timedelta(days=1)
LONGEST_TTL = timedelta(days=7)
# Where no server was ever seen without the record: what zones of hosters have at most, mostly.
UNKNOWN_NEGATIVE_TTL = timedelta(hours=1)


class Sight(StrEnum):
    """What one look at all servers says of a key."""

    EVERYWHERE = "everywhere"  # every server answered, and showed what is wanted
    NOT_EVERYWHERE = "not_everywhere"  # some server said that it has something else, or nothing
    UNKNOWN = "unknown"  # some server did not answer, and no other contradicts


def sight_of(report: RecordReport) -> Sight:
    if all_seen(report):
        return Sight.EVERYWHERE
    known = {each.state for each in report.servers} - {RecordState.UNREACHABLE}
    return Sight.UNKNOWN if known <= {RecordState.OK} else Sight.NOT_EVERYWHERE


def wanted_record(key: DkimKey) -> Record | None:
    """What must stand in the DNS for this key now; None when it may be gone."""
    if key.state != State.RETIRED:
        return key_record(key.zone.name, key.selector, key.public_record)
    if key.may_go_at is None:
        return revoked_record(key.zone.name, key.selector)
    return None


def observe(key: DkimKey, report: RecordReport, now: datetime) -> None:
    """Note one look at the record that is wanted of the key. Changes fields, saves nothing."""
    sight = sight_of(report)
    if sight is Sight.EVERYWHERE:
        key.seen_since = key.seen_since or now
        key.ttl_seconds = report.ttl_seconds
    elif sight is Sight.NOT_EVERYWHERE:
        key.seen_since = None
        without = [each for each in report.servers if each.state is RecordState.MISSING]
        key.negative_ttl_seconds = max(
            [key.negative_ttl_seconds, *(each.ttl_seconds for each in without)]
        )


def next_state(key: DkimKey, sight: Sight, now: datetime) -> DkimKey.State:
    """The state that the key may have after this look. It says so; the caller switches."""
    if sight is Sight.UNKNOWN:
        return State(key.state)
    seen = sight is Sight.EVERYWHERE
    if key.state == State.STAGED and seen:
        return State.SIGNING if may_sign(key, now) else State.PUBLISHED
    if key.state == State.PUBLISHED:
        if not seen:
            return State.STAGED
        return State.SIGNING if may_sign(key, now) else State.PUBLISHED
    if key.state == State.RETIRING and may_retire(key, now):
        return State.RETIRED
    return State(key.state)


def signs_from(key: DkimKey) -> datetime | None:
    """When a key that is seen everywhere may sign: nobody still remembers that it was missing."""
    if key.seen_since is None:
        return None
    negative = timedelta(seconds=key.negative_ttl_seconds) or UNKNOWN_NEGATIVE_TTL
    return key.seen_since + min(negative, LONGEST_NEGATIVE_TTL)


def may_sign(key: DkimKey, now: datetime) -> bool:
    at = signs_from(key)
    return at is not None and now >= at and not key.is_compromised


def retires_at(key: DkimKey) -> datetime | None:
    """When the last mail that it signed has arrived or bounced."""
    if key.retiring_since is None:
        return None
    return (
        key.retiring_since + min(timedelta(seconds=key.ttl_seconds), LONGEST_TTL) + QUEUE_LIFETIME
    )


def may_retire(key: DkimKey, now: datetime) -> bool:
    at = retires_at(key)
    return at is not None and now >= at


def goes_at(key: DkimKey) -> datetime | None:
    """When everybody who knew the key has learnt that it is void."""
    if key.state != State.RETIRED or key.seen_since is None or key.retired_at is None:
        return None
    since = max(key.seen_since, key.retired_at)
    return since + min(timedelta(seconds=key.ttl_seconds), LONGEST_TTL) + QUEUE_LIFETIME


def is_old(key: DkimKey, now: datetime) -> bool:
    """Whether a key has signed for long enough to be followed by another."""
    return key.signing_since is not None and now - key.signing_since >= ROTATE_AFTER


def next_at(key: DkimKey) -> datetime | None:
    """When, by time alone, the next look may move this key."""
    if key.state in (State.STAGED, State.PUBLISHED):
        return signs_from(key)
    if key.state == State.RETIRING:
        return retires_at(key)
    return goes_at(key) if key.may_go_at is None else None
