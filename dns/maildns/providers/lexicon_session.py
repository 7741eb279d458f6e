"""One log-in at a provider: a process of its own that is asked line by line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from maildns.errors import ProviderError, ProviderRefused, ProviderUnreachable

MAX_ANSWER_OCTETS = 32 * 1024 * 1024
# -P: the folder of the file, where our lexicon.py lies, is no place to import from.
COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("lexicon_child.py")))
# Of our environment only what leads out: no setting, no ~/.netrc, no LEXICON_…
_KEPT = frozenset({
    "PATH", "PYTHONPATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
})  # fmt: skip
_STATUS_REFUSALS = {401: "bad_credentials", 403: "bad_credentials", 404: "no_such_zone"}


class Session:
    """Calls the methods of lexicon's Provider. `writes` counts what may have changed the zone."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.writes = 0

    async def call(self, verb: str, **facts: Any) -> Any:
        """Returns what the method does. Raises ProviderRefused and ProviderUnreachable."""
        self.writes += verb in ("create_record", "update_record", "delete_record")
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise ProviderUnreachable("failed")
        try:
            process.stdin.write(json.dumps({"verb": verb, **facts}).encode() + b"\n")
            await process.stdin.drain()
            answer = json.loads(await process.stdout.readline())
        except (OSError, ValueError) as error:
            raise ProviderUnreachable("failed") from error
        if "error" in answer:
            raise _error(verb, answer["error"])
        return answer["result"]


@asynccontextmanager
async def opened(
    name: str, zone: str, options: Mapping[str, str], timeout_seconds: float
) -> AsyncIterator[Session]:
    """Log in; all that is done with it has `timeout_seconds`, or the process is killed."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, env=environment(), limit=MAX_ANSWER_OCTETS, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_seconds):
            session = Session(process)
            await session.call("open", name=name, zone=zone, options=dict(options))
            yield session
    except TimeoutError:
        raise ProviderUnreachable("timeout") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key.upper() in _KEPT}
    return {**kept, "HOME": os.devnull}


def _error(verb: str, error: Mapping[str, Any]) -> ProviderError:
    if error["kind"] == "http":
        return _error_of_status(error["status"])
    if error["kind"] == "login":
        return ProviderRefused("login_or_zone")
    if error["kind"] in ("timeout", "connection"):
        return ProviderUnreachable("timeout" if error["kind"] == "timeout" else "refused")
    if verb == "open":
        return ProviderRefused("bad_options", error["name"])
    return ProviderUnreachable("failed", error["name"])


def _error_of_status(status: int) -> ProviderError:
    if status == 429:
        return ProviderUnreachable("rate_limited", str(status))
    if 400 <= status < 500:
        return ProviderRefused(_STATUS_REFUSALS.get(status, "rejected"), str(status))
    return ProviderUnreachable("server_error", str(status))
