"""The doors of IMAP and ManageSieve in a trial.

Dovecot takes a client whose address is its own for a local one, and lets it log in without TLS.
Everything in a trial comes from 127.0.0.1; behind these doors it comes from 127.0.0.2, and the
rule of production holds: no password over an unencrypted connection.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial

CLIENT = "127.0.0.2"


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def enter(inner: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        there = await asyncio.open_connection("127.0.0.1", inner, local_addr=(CLIENT, 0))
    except OSError:
        writer.close()
        return
    await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))


async def serve(pairs: list[tuple[int, int]]) -> None:
    for outer, inner in pairs:
        await asyncio.start_server(partial(enter, inner), "127.0.0.1", outer)
    await asyncio.Event().wait()


def main() -> None:
    """Arguments: OUTER:INNER …"""
    pairs = [(int(each.split(":")[0]), int(each.split(":")[1])) for each in sys.argv[1:]]
    asyncio.run(serve(pairs))


if __name__ == "__main__":
    main()
