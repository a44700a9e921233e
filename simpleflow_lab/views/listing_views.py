"""Listings that display themselves: as text, as HTML in a notebook, and as a pandas frame on request.

Rule: a cell is written by the kind of its column, whatever made the listing.
"""

from __future__ import annotations

import abc
import datetime
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from simpleflow_lab.views.formatting import duration
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.markup import Unbroken
from simpleflow_lab.views.style import STATUSES, style_of
from simpleflow_lab.views.text_tables import text_table

if TYPE_CHECKING:
    import pandas as pd

Item = TypeVar("Item")


class ListingView(Sequence[Item]):
    """A sequence that displays itself as a table, one row for each item."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = tuple(items)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self._items[index]

    @abc.abstractmethod
    def listing(self) -> Listing:
        """The table, of typed values."""

    @property
    @abc.abstractmethod
    def _nothing(self) -> str:
        """The text that is shown of an empty one."""

    def to_pandas(self, *, timezone: str | datetime.tzinfo | None = "UTC") -> pd.DataFrame:
        """The table as a pandas frame, with its times in this time zone; with `None` in UTC and without a zone."""
        from simpleflow_lab.views.tables import listing_table
        from simpleflow_lab.views.time_zones import in_time_zone

        return in_time_zone(listing_table(self.listing()), timezone)

    def __repr__(self) -> str:
        return text_table(self.listing(), header=True) if self._items else self._nothing

    def _repr_html_(self) -> str:
        from simpleflow_lab.views import html

        return listing_html(self.listing()) if self._items else html.quiet(self._nothing)


def listing_html(listing: Listing, *, limit: int | None = None, ends: bool = False) -> str:
    """A listing as an HTML table of at most `limit` rows, by default 50: the first, with `ends` the first and the
    last."""
    from simpleflow_lab.views import html

    kinds = listing.columns.values()
    rows = ([_cell(kind, value) for kind, value in zip(kinds, row, strict=True)] for row in listing.rows)
    return html.table(listing.headers, rows, limit=html.MAX_ROWS if limit is None else limit, ends=ends)


def _cell(kind: Kind, value: Any) -> Any:
    """The value that `html.table` gets for a cell."""
    if value is None:
        return duration(None) if kind is Kind.SECONDS else None
    match kind:
        case Kind.STATE:
            of = STATUSES.get(value) or style_of(value)
            return Unbroken(f"{of.glyph} {of.word}")
        case Kind.SECONDS:
            return Unbroken(duration(value))
        case Kind.PERCENTAGE:
            return Unbroken(f"{value:.1f} %")
        case _:
            return value
