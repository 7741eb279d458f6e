"""The public openspf suite for RFC 7208, read from the file that OPENSPF_SUITE names.

The file is no part of this repository; without the variable there are no cases here, and the
table made from the text of the RFC stands alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fakeask import FakeAsk


class SuiteCase(NamedTuple):
    """`explanation` is None where the suite says nothing about it; DEFAULT is ours, empty."""

    id: str
    ask: FakeAsk
    ip: str
    helo: str
    sender: str
    results: tuple[str, ...]
    explanation: str | None


def suite_cases() -> Iterator[SuiteCase]:
    if path := os.environ.get("OPENSPF_SUITE"):
        import yaml

        for document in yaml.safe_load_all(Path(path).read_text("utf-8")):
            yield from _cases(document)


def _cases(document: dict[str, Any]) -> Iterator[SuiteCase]:
    ask = _ask(document["zonedata"])
    for name, test in document["tests"].items():
        results = test["result"] if isinstance(test["result"], list) else [test["result"]]
        explanation = test.get("explanation")
        yield SuiteCase(
            name,
            ask,
            test["host"],
            test["helo"],
            test["mailfrom"],
            tuple(results),
            "" if explanation == "DEFAULT" else explanation,
        )


def _ask(zonedata: dict[str, list[Any]]) -> FakeAsk:
    zones = {name: _records(entries) for name, entries in zonedata.items()}
    return FakeAsk(zones, [name for name, entries in zonedata.items() if "TIMEOUT" in entries])


def _records(entries: list[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        if isinstance(entry, dict):
            ((rdtype, value),) = entry.items()
            found.setdefault(rdtype, []).append(_value(rdtype, value))
    found.setdefault("TXT", found.get("SPF", []))  # the suite is older than the end of type SPF
    return {rdtype: [] if values == ["NONE"] else values for rdtype, values in found.items()}


def _value(rdtype: str, value: Any) -> str:
    if isinstance(value, list):
        return (" " if rdtype == "MX" else "").join(str(part) for part in value)
    return str(value)
