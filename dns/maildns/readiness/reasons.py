"""Why no connection came about, in one word."""

from __future__ import annotations

import errno

_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})


def reason_of(error: OSError) -> str:
    """timeout, refused, no_route, not_here (no address of this machine), closed, or failed."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "closed"
    if error.errno == errno.EADDRNOTAVAIL:
        return "not_here"
    return "no_route" if error.errno in _NO_ROUTE else "failed"
