"""JSON lines on standard error."""

from __future__ import annotations

import json
import sys
import threading
from datetime import datetime, timezone

_lock = threading.Lock()


def log(event: str, **facts: object) -> None:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")  # noqa: UP017
    line = json.dumps({"timestamp": now, "event": event, **facts}, default=str)
    with _lock:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
