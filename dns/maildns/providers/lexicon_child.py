"""The process in which dns-lexicon runs: one JSON object a line in, one out.

Its modules wait without a limit, write what they like to logs and exceptions, and read the
environment. Here they can be ended at any moment, and only codes leave. Started as a file by
`maildns.providers.lexicon_session`; imports nothing of ours.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from lexicon._private.discovery import find_providers, load_provider_module
from lexicon.config import ConfigResolver
from lexicon.exceptions import AuthenticationError
from lexicon.interfaces import Provider


def main() -> None:
    logging.disable(logging.CRITICAL)
    session, answers = _Session(), sys.stdout
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        for line in sys.stdin:
            try:
                answer = {"result": session.answer(**json.loads(line))}
            except (Exception, SystemExit) as error:  # noqa: BLE001  providers raise anything
                answer = {"error": _code_of(error)}
            print(json.dumps(answer), file=answers, flush=True)


class _Session:
    def __init__(self) -> None:
        self.provider: Provider | None = None
        self.settings: dict[str, Any] = {}

    def answer(self, verb: str, **facts: Any) -> Any:
        if verb == "choices":
            return [_choice(name) for name, is_usable in find_providers().items() if is_usable]
        if verb == "open":
            name, zone, options = facts["name"], facts["zone"], facts["options"]
            self.settings = {"provider_name": name, "domain": zone, name: options}
        provider, self.provider = self.provider or self._logged_in(), None
        # Lexicon takes these from its configuration, and not with the record.
        self.settings.update(ttl=facts.pop("ttl", None), priority=facts.pop("priority", None))
        result = getattr(provider, verb)(**facts) if verb != "open" else None
        self.provider = provider  # not after a failure: what it remembers may be wrong then
        return result

    def _logged_in(self) -> Provider:
        name = self.settings["provider_name"]
        made = _mended(name, load_provider_module(name).Provider)
        config = ConfigResolver().with_dict(self.settings)  # type: ignore[no-untyped-call]
        provider: Provider = made(config)
        provider.authenticate()
        return provider


def _choice(name: str) -> dict[str, Any]:
    """A provider, and the fields that its command-line options are."""
    parser = argparse.ArgumentParser(add_help=False)
    load_provider_module(name).Provider.configure_parser(parser)
    fields = [
        {
            "name": action.dest,
            "help": action.help or "",
            "choices": [str(each) for each in action.choices or ()],
            "is_switch": action.nargs == 0,
        }
        for action in parser._actions
    ]
    return {"name": name, "fields": fields}


def _mended(name: str, provider: Any) -> Any:
    """The provider without three faults of dns-lexicon 3.25, where it is PowerDNS."""
    if name != "powerdns":
        return provider

    class PowerDns(provider):  # type: ignore[misc]
        # An alias to a host outside had the zone put behind it, on the way out and back.
        def _clean_content(self, rtype: str, content: str) -> str:
            return content if rtype == "CNAME" else str(super()._clean_content(rtype, content))

        def _unclean_content(self, rtype: str, content: str) -> str:
            return (
                content if rtype in ("CNAME", "TXT") else super()._unclean_content(rtype, content)
            )

        # Only a value up to its first slash was found again, so it was left beside its successor.
        def _parse_identifier(self, identifier: str) -> tuple[str, str, str]:
            rtype, _slash, rest = identifier.partition("/")
            name, _sign, content = rest.partition("=")
            return rtype, name, content

    return PowerDns


def _code_of(error: BaseException) -> dict[str, Any]:
    """What kind of failure it is; the words of the exception stay here."""
    at: BaseException | None = error
    while at is not None:
        status = getattr(getattr(at, "response", None), "status_code", None)
        if isinstance(status, int):
            return {"kind": "http", "status": status}
        at = at.__cause__ or at.__context__
    if isinstance(error, AuthenticationError):
        return {"kind": "login"}
    if isinstance(error, OSError):  # as all exceptions of requests are
        return {"kind": "timeout" if "Timeout" in type(error).__name__ else "connection"}
    return {"kind": "other", "name": type(error).__name__}


if __name__ == "__main__":
    main()
