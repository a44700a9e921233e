"""Listings and values as text for a terminal, a file or a pipe.

Values come from histories, and a history may come from anybody. So a character that can't be seen is written as Python
writes it (`\\x1b`, `\\u202e`), and a row takes one line. CSV, TSV and tables with titles may go to a spreadsheet: a
cell that one would take for a formula gets an apostrophe in front. Without titles they are for programs, as `xargs`,
and exact, and so is a table in a terminal. `raw` leaves all that out. JSON does without: its own escapes do.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.views.listings import Kind, Listing, json_text, plain
from simpleflow_lab.views.spreadsheet_texts import for_spreadsheet
from simpleflow_lab.views.text_tables import shown_cell, text_cell, text_table, visible_json

_COLORS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("completed", "COMPLETED", "fired"), "32"),
    **dict.fromkeys(("failed", "FAILED", "schedule_failed", "start_failed", "DAMAGED"), "31"),
    **dict.fromkeys(("timed_out", "TIMED_OUT", "lost", "given_back", "unfinished"), "33"),
    **dict.fromkeys(("canceled", "CANCELED", "terminated", "TERMINATED"), "35"),
    **dict.fromkeys(("started", "OPEN", "scheduled", "initiated"), "36"),
}
"""The terminal's color of each state in a column of states."""


class _Style(NamedTuple):
    """The format in which a listing is written."""

    header: bool
    color: bool
    raw: bool
    width: int | None


def render(
    listing: Listing,
    format: str,
    *,
    header: bool | None = None,
    color: bool = False,
    raw: bool = False,
    width: int | None = None,
) -> str:
    """A listing as text, without the end of its last line. `format` is one of `output_options.FORMATS`.

    Without `header`, formats for programs have the titles of columns: CSV and TSV a first line, JSON objects. `width`
    is that of the terminal: a table with titles is written into one, and long cells are cut to its width.
    """
    if header is None:
        header = format in _FOR_PROGRAMS or width is not None
    return _FORMATS[format](listing, _Style(header=header, color=color, raw=raw, width=width))


def as_json(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON that can be shown; JSON's escapes stand for what can't be seen."""
    return visible_json(json_text(value, indent=indent))


# -- cells -------------------------------------------------------------------------------------------------------------


def _exact(kind: Kind, value: Any, style: _Style) -> str:
    """A cell for programs. A number stays a number: a minus sign begins no formula."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = text_cell(kind, value, style.raw)
    return text if style.raw or not style.header else for_spreadsheet(plain(value), text)


def _value(kind: Kind, value: Any) -> Any:
    """A cell as a value of JSON."""
    return json.loads(value) if kind is Kind.JSON and value is not None else value


# -- formats -----------------------------------------------------------------------------------------------------------


def _tabular(listing: Listing, style: _Style) -> str:
    paint = _painted if style.color else None
    if style.header and style.width is None and not style.raw:
        rows = [tuple(for_spreadsheet(cell) if isinstance(cell, str) else cell for cell in row) for row in listing.rows]
        listing = Listing(columns=listing.columns, rows=rows)
    return text_table(listing, header=style.header, raw=style.raw, paint=paint, width=style.width)


def _painted(state: str, text: str) -> str:
    found = _COLORS.get(state)
    return text if found is None else f"\x1b[{found}m{text}\x1b[0m"


def _human(listing: Listing, style: _Style) -> str:
    width = max(len(title) for title in listing.columns)
    return "\n\n".join(
        "\n".join(
            f"{title:<{width}}  {shown_cell(kind, value, style.raw)}".rstrip()
            for (title, kind), value in zip(listing.columns.items(), row, strict=True)
        )
        for row in listing.rows
    )


def _separated(delimiter: str) -> Callable[[Listing, _Style], str]:
    def render_separated(listing: Listing, style: _Style) -> str:
        import csv

        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        if style.header:
            writer.writerow(listing.headers)
        writer.writerows(
            [_exact(kind, value, style) for kind, value in zip(listing.columns.values(), row, strict=True)]
            for row in listing.rows
        )
        return text.getvalue().removesuffix("\n")

    return render_separated


def _json(indent: int | None) -> Callable[[Listing, _Style], str]:
    def render_json(listing: Listing, style: _Style) -> str:
        rows = [
            {title: _value(kind, value) for (title, kind), value in zip(listing.columns.items(), row, strict=True)}
            for row in listing.rows
        ]
        return as_json(rows if style.header else [list(row.values()) for row in rows], indent=indent)

    return render_json


_FOR_PROGRAMS: Final = ("csv", "tsv", "json", "prettyjson")
_FORMATS: Final[Mapping[str, Callable[[Listing, _Style], str]]] = {
    "tabular": _tabular,
    "human": _human,
    "csv": _separated(","),
    "tsv": _separated("\t"),
    "json": _json(None),
    "prettyjson": _json(2),
}
