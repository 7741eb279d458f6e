"""What a check of a mail host came to: codes and evidence, no sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from maildns.resolver import shown

# What a report keeps of a hostile world, for each item.
MAX_EVIDENCE = 20
MAX_EVIDENCE_CHARACTERS = 512


class State(StrEnum):
    """The first are the worst. What nobody answered is unknown, and never bad."""

    BAD = "bad"  # mail is refused or lost because of it
    WARNING = "warning"  # some receivers will mind, or soon all
    UNKNOWN = "unknown"
    OK = "ok"


class Check(StrEnum):
    STATIC_ADDRESS = "static_address"
    HOST_NAME = "host_name"
    PTR = "ptr"
    SPF = "spf"
    DKIM = "dkim"
    BLOCK_LISTS = "block_lists"
    PORT_25 = "port_25"
    CERTIFICATE = "certificate"
    TLSA = "tlsa"
    CLOCK = "clock"


_WORST_FIRST = list(State)


@dataclass(frozen=True)
class Item:
    """One thing found. `code` names a sentence of the panel, together with `check`.

    `address` is the sending address that is meant, empty for the host as a whole. `evidence` are
    labels (codes too) and what was seen, printable ASCII of a bounded size. `rfc` is the source
    as number and section, such as "1912 2.1", empty where there is none.
    """

    check: Check
    address: str
    state: State
    code: str
    evidence: tuple[tuple[str, str], ...] = ()
    rfc: str = ""


def item(
    check: Check,
    address: str,
    state: State,
    code: str,
    *evidence: tuple[str, str],
    rfc: str = "",
) -> Item:
    """Make an item whose evidence may come from anybody."""
    kept = tuple(
        (label, shown(seen)[:MAX_EVIDENCE_CHARACTERS]) for label, seen in evidence[:MAX_EVIDENCE]
    )
    left_out = len(evidence) - len(kept)
    if left_out:
        kept = (*kept, ("left_out", str(left_out)))
    return Item(check, address, state, code, kept, rfc)


def worst(items: tuple[Item, ...]) -> State:
    """The state of several items together; unknown if there are none."""
    return min((each.state for each in items), key=_WORST_FIRST.index, default=State.UNKNOWN)


@dataclass(frozen=True)
class ReadinessReport:
    """Every check has at least one item; each problem has its own. `checked_at` is ISO 8601."""

    host: str
    checked_at: str
    items: tuple[Item, ...]

    def of(self, check: Check, address: str | None = None) -> tuple[Item, ...]:
        """The items of a check; those of one address, and those of the host as a whole."""
        return tuple(
            each
            for each in self.items
            if each.check is check and (address is None or each.address in ("", address))
        )

    def state(self, check: Check, address: str | None = None) -> State:
        return worst(self.of(check, address))

    def to_json(self) -> dict[str, Any]:
        """A dict that the json module takes, and any database: it holds printable ASCII only."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ReadinessReport:
        items = tuple(_item_from_json(each) for each in data["items"])
        return cls(data["host"], data["checked_at"], items)


def _item_from_json(data: Mapping[str, Any]) -> Item:
    return Item(**{
        **data,
        "check": Check(data["check"]),
        "state": State(data["state"]),
        "evidence": tuple((label, seen) for label, seen in data["evidence"]),
    })  # fmt: skip
