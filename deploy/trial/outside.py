"""The outside of a trial: an SMTP server that takes mail for everybody, into a Maildir."""

from __future__ import annotations

import argparse
import asyncio
import mailbox
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Store:
    """Keeps each mail with its envelope in front: X-Envelope-From, X-Envelope-To."""

    def __init__(self, folder: Path) -> None:
        for name in ("cur", "new", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.maildir = mailbox.Maildir(folder, create=False)

    async def handle_DATA(  # noqa: N802  (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        head = f"X-Envelope-From: <{(envelope.mail_from or '').strip('<>')}>\r\n"
        head += "".join(f"X-Envelope-To: <{each}>\r\n" for each in envelope.rcpt_tos)
        content = envelope.original_content or b""
        self.maildir.add(head.encode() + content)
        return "250 2.0.0 Taken"


async def serve(port: int, folder: Path) -> None:
    store = Store(folder)

    def session() -> SMTP:
        return SMTP(store, data_size_limit=64 * 1024 * 1024, enable_SMTPUTF8=True)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.folder))


if __name__ == "__main__":
    main()
