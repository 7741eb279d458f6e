"""The mail host and the name servers of a trial: made ready, run and watched.

Runs as root, on the system's Python; one program, so that sudo asks for a password once.

Stops when its standard input is closed, so it never outlives who started it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "mailhost")]

import nameside
import prepare
import services as mailhost
import settings as host_settings
from supervisor import NotStarted, Service, Supervisor, on_signals


def main() -> None:
    """Arguments: the settings of the mail host, and those of the name servers if there are any."""
    settings = host_settings.load(Path(sys.argv[1]))
    names = [nameside.load(Path(each)) for each in sys.argv[2:]]
    try:
        for each in names:
            nameside.prepare(each)
        prepare.prepare(settings)
    except prepare.NotReady as error:
        sys.exit(f"error: {error}")
    supervisor = Supervisor(
        [
            *(service for each in names for service in nameside.services(each)),
            *(
                Service(
                    name=each.name,
                    argv=each.argv,
                    folder=each.folder,
                    user=each.user,
                    port=each.port,
                    socket=each.socket,
                    first=each.first,
                )
                for each in mailhost.services(settings)
            ),
        ],
        settings.root / "log",
        settings.root / "run" / "services.json",
        say=lambda name: print(f"ready: {name}", flush=True),
    )

    def stop() -> None:
        supervisor.stopping = True

    on_signals(stop, 0)
    ready = settings.root / "run" / "ready"
    ready.unlink(missing_ok=True)
    try:
        supervisor.launch(supervisor.services)
        supervisor.wait_ready()
        ready.touch()
        supervisor.watch()
    except NotStarted as error:
        print(f"error: {error}", flush=True)
        sys.exit(1)
    finally:
        ready.unlink(missing_ok=True)
        supervisor.stop()


if __name__ == "__main__":
    main()
