"""The helper's socket: only the agent's user and root are heard."""

from __future__ import annotations

import argparse
import grp
import json
import os
import pwd
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Any

from .verbs import NotDone, Verbs

MAX_LINE_BYTES = 4096


def main() -> None:
    parser = argparse.ArgumentParser(prog="postkontor-helper")
    parser.add_argument("--config", required=True)
    facts = json.loads(Path(parser.parse_args().config).read_text(encoding="utf-8"))
    state = Path(facts["state"])
    agent = pwd.getpwnam(facts["agent_user"])
    verbs = Verbs(state)
    path = state / "run" / "helper" / "helper.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        old = os.umask(0o177)
        listener.bind(str(path))
        os.umask(old)
        os.chown(path, 0, grp.getgrgid(agent.pw_gid).gr_gid)
        path.chmod(0o660)
        listener.listen(32)
        while True:
            stream, _peer = listener.accept()
            threading.Thread(
                target=_converse, args=(verbs, stream, {0, agent.pw_uid}), daemon=True
            ).start()


def _converse(verbs: Verbs, stream: socket.socket, heard: set[int]) -> None:
    with stream:
        stream.settimeout(10)
        try:
            _pid, uid, _gid = struct.unpack(
                "3i", stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            )
            # Read in any case: to hang up on an unread request would take the answer with it.
            with stream.makefile("rb") as requests:
                line = requests.readline(MAX_LINE_BYTES)
            answer: dict[str, Any] = {"ok": False, "code": "not_heard"}
            if uid in heard:
                answer = _answer(verbs, line)
            stream.sendall(json.dumps(answer).encode() + b"\n")
        except OSError as error:
            sys.stderr.write(json.dumps({"event": "hung_up", "error": str(error)}) + "\n")


def _answer(verbs: Verbs, line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
        if not isinstance(request, dict) or not line.endswith(b"\n"):
            raise NotDone("bad_request")
        sys.stderr.write(json.dumps({"event": "verb", "request": request}) + "\n")
        sys.stderr.flush()
        return {"ok": True, **verbs.call(request)}
    except NotDone as refusal:
        return {"ok": False, "code": refusal.code, "facts": refusal.facts}
    except (ValueError, RecursionError):
        return {"ok": False, "code": "bad_request", "facts": {}}


if __name__ == "__main__":
    main()
