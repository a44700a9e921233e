"""Chooses the rows and columns of a listing that are shown, and their order.

Rule: a filter is literal text or a glob, never a regular expression, so that no pattern takes long.
"""

from __future__ import annotations

import datetime
import fnmatch
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.views.listings import Kind, Listing, plain

_FILTER: Final = re.compile(r"(?P<column>[^=<>!]+)(?P<operator>!=|<=|>=|=|<|>)(?P<value>.*)", re.DOTALL)
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Shape(NamedTuple):
    """The columns, rows and order that a listing is to have. Columns are named by their titles; case, spaces, `_`, `-`
    and `.` don't matter."""

    filters: tuple[str, ...] = ()
    """`COLUMN=TEXT`, where TEXT may have `*` and `?`; `!=`; `<`, `<=`, `>`, `>=`. All of them must hold."""
    sort: tuple[str, ...] = ()
    """Columns to sort by, the first one first; `-COLUMN` is from the largest down. Empty cells come last."""
    limit: int | None = None
    """The most rows, after sorting."""
    columns: tuple[str, ...] = ()
    """The columns to show, in this order; none for all."""

    def __bool__(self) -> bool:
        return bool(self.filters or self.sort or self.columns) or self.limit is not None

    def of(self, listing: Listing, *, shown: Sequence[str] | None = None) -> Listing:
        """The listing in this shape. Raises `UsageError`, in one line, for a column that it does not have.

        Only the columns that are `shown` are there unless others are asked for; `None` is all.
        """
        titles = list(listing.columns)
        rows = [listing.rows[place] for place in self.places(listing)]
        if not self.columns and shown is None:
            return Listing(columns=listing.columns, rows=rows)
        chosen = [titles.index(column_named(name, titles)) for name in self.columns or shown or ()]
        kinds = list(listing.columns.values())
        return Listing(
            columns={titles[index]: kinds[index] for index in chosen},
            rows=[tuple(row[index] for index in dict.fromkeys(chosen)) for row in rows],
        )

    def places(self, listing: Listing) -> list[int]:
        """The places of the rows that are shown, in the order in which they are. Raises `UsageError` as `of` does."""
        titles, rows = list(listing.columns), listing.rows
        places = list(range(len(rows)))
        for text in self.filters:
            index, holds = _condition(text, listing)
            places = [place for place in places if holds(rows[place][index])]
        for name in reversed(self.sort):
            index = titles.index(column_named(name.removeprefix("-"), titles))
            cells = [row[index] for row in rows]
            places = _sorted(places, cells, descending=name.startswith("-"))
        return places[: self.limit]


def column_named(name: str, titles: Sequence[str]) -> str:
    """The title that is meant: `workflow_id` is `Workflow ID`. Raises `UsageError`."""
    known = {_key(title): title for title in titles}
    found = known.get(_key(name))
    if found is not None:
        return found
    import difflib  # noqa: PLC0415  only for an error

    close = difflib.get_close_matches(_key(name), list(known), n=1)
    hint = f"did you mean {known[close[0]]!r}?" if close else f"there are {', '.join(titles)}"
    raise UsageError(f"no column {name!r}: {hint}")


def _key(title: str) -> str:
    return re.sub(r"[\s_.-]+", "", title).casefold()


def _condition(text: str, listing: Listing) -> tuple[int, Callable[[Any], bool]]:
    found = _FILTER.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no filter: write COLUMN=TEXT, with != < <= > >= as well")
    title = column_named(found["column"].strip(), list(listing.columns))
    index, kind, value = list(listing.columns).index(title), listing.columns[title], found["value"].strip()
    if found["operator"] in ("=", "!="):
        equal = _equals(kind, value)
        return index, equal if found["operator"] == "=" else lambda cell: not equal(cell)
    limit, compare = _comparable(kind, value, title), _ORDER[found["operator"]]
    return index, lambda cell: cell is not None and compare(cell if not isinstance(limit, str) else plain(cell), limit)


def _equals(kind: Kind, value: str) -> Callable[[Any], bool]:
    if kind.is_number:
        try:
            number = float(value)
        except ValueError:
            pass
        else:
            return lambda cell: cell is not None and cell == number
    pattern = value.casefold().replace("[", "[[]")  # which fnmatch would take for the begin of a set
    return lambda cell: fnmatch.fnmatchcase("" if cell is None else plain(cell).casefold(), pattern)


def _comparable(kind: Kind, value: str, title: str) -> float | datetime.datetime | str:
    try:
        if kind.is_number:
            return float(value)
        if kind is Kind.TIME:
            return datetime.datetime.fromisoformat(value).astimezone(datetime.UTC)
    except (ValueError, OverflowError, OSError):
        what = "a number" if kind.is_number else "a time, as 2026-11-23T14:05"
        raise UsageError(f"{value!r} can't be compared with column {title!r}: give {what}") from None
    return value


def _sorted(places: list[int], cells: Sequence[Any], *, descending: bool) -> list[int]:
    """These places by their cells; those of empty cells come last."""

    def is_empty(cell: Any) -> bool:
        return cell is None or (isinstance(cell, float) and math.isnan(cell))

    def key(place: int) -> Any:
        cell = cells[place]
        return cell if isinstance(cell, int | float | datetime.datetime) else plain(cell)

    full = [place for place in places if not is_empty(cells[place])]
    try:
        full.sort(key=key, reverse=descending)
    except TypeError:  # a column of cells that can't be compared with each other
        full.sort(key=lambda place: plain(cells[place]), reverse=descending)
    return full + [place for place in places if is_empty(cells[place])]
