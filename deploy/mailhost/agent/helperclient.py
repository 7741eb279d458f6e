"""The agent's way to the root helper: one line there, one line back."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from .errors import Refused


class Helper:
    def __init__(self, path: Path) -> None:
        self.path = path

    def call(self, verb: str, **arguments: str) -> dict[str, Any]:
        """Ask for one verb. Raises Refused, also when the helper is away."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
                stream.settimeout(30)
                stream.connect(str(self.path))
                stream.sendall(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
                with stream.makefile("rb") as answers:
                    answer = json.loads(answers.readline(4 * 1024 * 1024) or b"{}")
        except (OSError, ValueError) as error:
            raise Refused("helper_unreachable", detail=str(error)) from error
        if not answer.get("ok"):
            raise Refused(str(answer.get("code", "helper_refused")), **answer.get("facts", {}))
        return dict(answer)
