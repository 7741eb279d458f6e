"""Lists page by keyset: constant cost on every page, and no counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

PAGE_ROWS = 50


@dataclass(frozen=True)
class Page:
    """One page of a list; `next_key` is empty on the last."""

    rows: list[Any]
    next_key: str


def by_key(rows: QuerySet[Any], field: str, after: str, *, size: int = PAGE_ROWS) -> Page:
    """Return the rows whose unique `field` sorts after `after`."""
    if after:
        rows = rows.filter(**{f"{field}__gt": after})
    found = list(rows.order_by(field)[: size + 1])
    return _cut(found, field, size)


def newest_first(rows: QuerySet[Any], before: str, *, size: int = PAGE_ROWS) -> Page:
    """Return the rows with primary keys below `before`, newest first."""
    if before.isdigit():
        rows = rows.filter(pk__lt=int(before))
    return _cut(list(rows.order_by("-pk")[: size + 1]), "pk", size)


def _cut(found: list[Any], field: str, size: int) -> Page:
    more, rows = len(found) > size, found[:size]
    key = ""
    if more:
        value: Any = rows[-1]
        for part in field.split("__"):
            value = getattr(value, part)
        key = str(value)
    return Page(rows, key)
