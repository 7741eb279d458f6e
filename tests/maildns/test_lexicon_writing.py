"""Writing one by one to providers of all sorts: what is read back decides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from maildns.errors import ProviderError, ProviderRefused, ProviderUnreachable
from maildns.providers.base import Edit, PresentRecord
from maildns.providers.lexicon_writing import Step, Writer, steps_of
from maildns.records import Record

ZONE = "example.com"


@dataclass
class Provider:
    """A provider as dns-lexicon shows it: rows of type, content and more; overridden below."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    async def call(self, verb: str, **facts: Any) -> Any:
        self.calls.append(verb)
        return getattr(self, verb)(**facts)

    def list_records(self, rtype: str, name: str) -> list[dict[str, Any]]:
        return [self.shown(row) for row in self.rows if (row["type"], row["name"]) == (rtype, name)]

    def shown(self, row: dict[str, Any]) -> dict[str, Any]:
        return dict(row)

    def create_record(
        self, rtype: str, name: str, content: str, ttl: int, priority: str | None = None
    ) -> None:
        number = max((row["id"] for row in self.rows), default=0) + 1
        row = {"type": rtype, "name": name, "content": content, "ttl": ttl, "id": number}
        self.rows.append(self.kept(row, priority))

    def kept(self, row: dict[str, Any], priority: str | None) -> dict[str, Any]:
        return row

    def update_record(self, identifier: int, content: str, **_facts: Any) -> None:
        for row in self.rows:
            if row["id"] == identifier:
                row["content"] = content

    def delete_record(self, identifier: int, **_facts: Any) -> None:
        self.rows = [row for row in self.rows if row["id"] != identifier]

    def put(self, kind: str, *contents: str) -> None:
        for content in contents:
            self.create_record(kind, ZONE, content, 300)

    def contents(self) -> list[str]:
        return sorted(row["content"] for row in self.rows)


class PriorityApart(Provider):
    """Keeps the priority of an MX for itself and refuses it in the content."""

    def kept(self, row: dict[str, Any], priority: str | None) -> dict[str, Any]:
        if row["type"] == "MX" and " " in row["content"]:
            raise ProviderRefused("rejected", "422")
        return {**row, "priority": int(priority or 0), "content": row["content"].rstrip(".")}


class PriorityTwice(Provider):
    """Takes the content as it is, and shows a priority in front."""

    def kept(self, row: dict[str, Any], priority: str | None) -> dict[str, Any]:
        return {**row, "content": f"{priority} {row['content']}"}


class Quoting(Provider):
    """Wants a TXT as in a zone file, and cuts off what else it gets at 255 octets."""

    def kept(self, row: dict[str, Any], priority: str | None) -> dict[str, Any]:
        text = row["content"]
        return {**row, "content": text if text[0] == '"' else f'"{text[:255]}"'}


class DeletesAll(Provider):
    """Deletes all that stands at the name."""

    def delete_record(self, **facts: Any) -> None:
        self.rows = [row for row in self.rows if row["type"] != facts["rtype"]]


class AddsInsteadOfUpdating(Provider):
    def update_record(self, identifier: int, **facts: Any) -> None:
        self.create_record(**facts)


class LosesInsteadOfUpdating(Provider):
    """Fails between its deleting and its creating, and then for good."""

    def update_record(self, identifier: int, **_facts: Any) -> None:
        self.delete_record(identifier)
        raise ProviderUnreachable("server_error", "500")


class Garbling(Provider):
    """Puts the zone behind each name, whatever is done about it."""

    def kept(self, row: dict[str, Any], priority: str | None) -> dict[str, Any]:
        return {**row, "content": f"{row['content'].rstrip('.')}.{ZONE}."}


class Relative(Provider):
    """Shows names without the zone, TXT in quotes, and types in its own order."""

    def shown(self, row: dict[str, Any]) -> dict[str, Any]:
        text = row["content"]
        name = row["name"].removesuffix(ZONE).strip(".") or "@"
        return {**row, "name": name, "content": f'"{text}"' if row["type"] == "TXT" else text}


def run(provider: Provider, kind: str, add: list[str], remove: list[str] = ()) -> None:
    async def write() -> None:
        writer = Writer(provider, ZONE, looks_after_seconds=[0])
        seen = tuple(await writer.read((ZONE, kind)))
        gone = tuple(each for each in seen if each.value in remove)
        await writer.write(Edit(gone, tuple(Record(ZONE, kind, each) for each in add), seen))

    asyncio.run(write())


@pytest.mark.parametrize("sort", [Provider, Relative, AddsInsteadOfUpdating, Quoting])
def test_value_is_replaced_and_others_stay(sort: type[Provider]) -> None:
    provider = sort()
    provider.put("TXT", "v=spf1 -all", "other")
    run(provider, "TXT", ["v=spf1 mx -all"], ["v=spf1 -all"])
    assert [each.strip('"') for each in provider.contents()] == ["other", "v=spf1 mx -all"]


def test_usual_provider_is_called_no_more_than_needed() -> None:
    provider = Provider()
    provider.put("TXT", "v=spf1 -all", "other")
    run(provider, "TXT", ["v=spf1 mx -all"], ["v=spf1 -all"])
    assert provider.calls == ["list_records", "update_record", "list_records"]


def test_priority_is_given_as_the_provider_wants_it() -> None:
    apart = PriorityApart()
    apart.rows = [
        {"type": "MX", "name": ZONE, "content": "old.example", "ttl": 1, "id": 1, "priority": 5}
    ]
    run(apart, "MX", ["10 mx.host.example"], ["5 old.example"])
    assert [(row["priority"], row["content"]) for row in apart.rows] == [(10, "mx.host.example")]
    twice = PriorityTwice()
    run(twice, "MX", ["10 mx.host.example"])
    assert twice.contents() == ["10 mx.host.example."]


def test_long_text_is_quoted_where_it_must_be() -> None:
    provider = Quoting()
    run(provider, "TXT", ["v=DKIM1; p=" + "x" * 400])
    assert provider.contents() == ['"v=DKIM1; p=' + "x" * 244 + '" "' + "x" * 156 + '"']


def test_foreign_record_that_went_too_is_put_back() -> None:
    provider = DeletesAll()
    provider.put("TXT", "v=spf1 -all", "other")
    run(provider, "TXT", [], ["v=spf1 -all"])
    assert provider.contents() == ["other"]


def test_what_was_lost_on_the_way_is_finished() -> None:
    provider = LosesInsteadOfUpdating()
    provider.put("TXT", "v=spf1 -all", "other")
    run(provider, "TXT", ["v=spf1 mx -all"], ["v=spf1 -all"])
    assert provider.contents() == ["other", "v=spf1 mx -all"]


def test_what_cannot_be_written_rightly_is_taken_back() -> None:
    provider = Garbling()
    provider.rows = [{"type": "MX", "name": ZONE, "content": "5 old.example.", "ttl": 1, "id": 1}]
    with pytest.raises(ProviderError) as caught:
        run(provider, "MX", ["10 mx.host.example"], ["5 old.example"])
    assert caught.value.reason == "not_as_written"
    assert provider.contents() == ["5 old.example."]


def present(value: str, kind: str = "TXT") -> PresentRecord:
    return PresentRecord(ZONE, kind, value, 300, "")


def test_order_leaves_as_little_as_possible_missing_or_void() -> None:
    a, b, new = present("a"), present("b"), Record(ZONE, "TXT", "new")
    assert steps_of(Edit((a, b), (new,), ())) == [Step(b, None), Step(a, new)]
    old, mx = present("5 old.example", "MX"), Record(ZONE, "MX", "10 mx.example")
    assert steps_of(Edit((old,), (mx,), ())) == [Step(None, mx), Step(old, None)]
    alias = present("far.example", "CNAME")
    assert steps_of(Edit((alias,), (new,), ())) == [Step(alias, None), Step(None, new)]
    assert steps_of(Edit((alias, a), (), ())) == [Step(alias, None), Step(a, None)]
