"""Tables and values as text for a terminal, a file or a pipe.

Values come from histories, and a history may come from anybody. So what can't be seen is written as Python writes it
(`\\x1b`, `\\u202e`), one line a row; and what a spreadsheet would take for a formula gets an apostrophe in front. `raw`
leaves both out. JSON needs neither: its own escapes do.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from simpleflow_lab.views.listings import Listing

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet runs."""

_COLORS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("completed", "COMPLETED", "fired"), "32"),
    **dict.fromkeys(("failed", "FAILED", "schedule_failed", "start_failed"), "31"),
    **dict.fromkeys(("timed_out", "TIMED_OUT"), "33"),
    **dict.fromkeys(("canceled", "CANCELED", "terminated", "TERMINATED"), "35"),
    **dict.fromkeys(("started", "OPEN", "scheduled", "initiated"), "36"),
}
"""By state, where a state stands in a column of states."""
_STATES: Final = frozenset({"Status", "Last State", "status"})


def render(listing: Listing, format: str, *, header: bool = False, color: bool = False, raw: bool = False) -> str:
    """A table as text, without the last line's end. `format` is one of the command table's."""
    return _FORMATS[format](listing, header, color, raw)


def visible(text: str) -> str:
    """The text on one line, with what can't be seen, or changes how the rest is seen, as Python escapes it."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def visible_lines(text: str) -> str:
    """`visible`, line by line."""
    return "\n".join(visible(line.expandtabs()) for line in text.splitlines())


def as_json(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON that can be shown: what can't be seen is escaped, as JSON does it."""
    text = json.dumps(value, ensure_ascii=False, default=_plain, indent=indent)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


# -- cells -------------------------------------------------------------------------------------------------------------


def _plain(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


def _shown(value: Any, raw: bool) -> str:
    """A cell for people."""
    match value:
        case None:
            return ""
        case float():
            return f"{value:.3f}"
        case bool() | int():
            return str(value)
        case _:
            return _plain(value) if raw else visible(_plain(value))


def _exact(value: Any, raw: bool) -> str:
    """A cell for programs. A number is a number, and no formula."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    text = _plain(value)
    if raw:
        return text
    return ("'" if text.startswith(FORMULA) else "") + visible(text)


# -- formats -----------------------------------------------------------------------------------------------------------


def _tabular(listing: Listing, header: bool, color: bool, raw: bool) -> str:
    cells = [[_shown(value, raw) for value in row] for row in listing.rows]
    lines = [list(listing.headers), *cells] if header else cells
    if not lines:
        return ""
    widths = [max(_width(line[column]) for line in lines) for column in range(len(listing.headers))]
    numbers = [
        bool(listing.rows) and all(isinstance(row[column], int | float | None) for row in listing.rows)
        for column in range(len(listing.headers))
    ]
    states = {column for column, title in enumerate(listing.headers) if color and title in _STATES}
    return "\n".join(
        "  ".join(
            _painted(cell, _padded(cell, widths[column], numbers[column])) if column in states
            else _padded(cell, widths[column], numbers[column])
            for column, cell in enumerate(line)
        ).rstrip()
        for line in lines
    )  # fmt: skip


def _painted(state: str, text: str) -> str:
    found = _COLORS.get(state)
    return text if found is None else f"\x1b[{found}m{text}\x1b[0m"


def _padded(text: str, width: int, number: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if number else text + space


def _width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _human(listing: Listing, header: bool, color: bool, raw: bool) -> str:
    width = max(len(title) for title in listing.headers)
    return "\n\n".join(
        "\n".join(
            f"{title:<{width}}  {_shown(value, raw)}".rstrip()
            for title, value in zip(listing.headers, row, strict=True)
        )
        for row in listing.rows
    )


def _separated(delimiter: str) -> Callable[[Listing, bool, bool, bool], str]:
    def render_separated(listing: Listing, header: bool, color: bool, raw: bool) -> str:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        if header:
            writer.writerow(listing.headers)
        writer.writerows([_exact(value, raw) for value in row] for row in listing.rows)
        return text.getvalue().removesuffix("\n")

    return render_separated


def _json(indent: int | None) -> Callable[[Listing, bool, bool, bool], str]:
    def render_json(listing: Listing, header: bool, color: bool, raw: bool) -> str:
        rows: list[Any] = [
            dict(zip(listing.headers, row, strict=True)) if header else list(row) for row in listing.rows
        ]
        return as_json(rows, indent=indent)

    return render_json


_FORMATS: Final[Mapping[str, Callable[[Listing, bool, bool, bool], str]]] = {
    "tabular": _tabular,
    "human": _human,
    "csv": _separated(","),
    "tsv": _separated("\t"),
    "json": _json(None),
    "prettyjson": _json(2),
}
