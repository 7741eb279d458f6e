"""Start: keepers first, then Rspamd's door, then the socket."""

from __future__ import annotations

import argparse
import os
import signal
import threading

from .config import load
from .logs import log
from .rspamd_http import RspamdServer
from .server import Agent, serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="postkontor-agent")
    parser.add_argument("--config", required=True)
    config = load(parser.parse_args().config)
    os.umask(0o027)
    # Leave at once and close nothing: a clean close of the last writer would delete -wal and
    # -shm, and readers without the right to write would fail until the next start.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    agent = Agent(config)
    agent.start()
    token = config.vault_token_file.read_text(encoding="ascii").strip()
    doors = RspamdServer(config.http_port, agent.store, agent.sending, token)
    threading.Thread(target=doors.serve_forever, daemon=True).start()
    serve(agent)


def _leave(number: int, frame: object) -> None:
    log("leaving", signal=number)
    os._exit(0)


if __name__ == "__main__":
    main()
