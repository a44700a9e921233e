"""Listings as tables of text.

Values come from histories, and a history may come from anybody. So a character that can't be seen is written as Python
writes it (`\\x1b`, `\\u202e`), and a row takes one line; letters that a recorded JSON text has as escapes are shown.
`raw` leaves that out.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any, Final

from simpleflow_lab.views.formatting import readable
from simpleflow_lab.views.listings import Kind, Listing, plain


def text_table(
    listing: Listing,
    *,
    header: bool = False,
    raw: bool = False,
    paint: Callable[[str, str], str] | None = None,
    width: int | None = None,
) -> str:
    """A listing as text, without the end of its last line. `paint(state, text)` gives a cell of a column of states.

    Where a line would be wider than `width`, the cells of the widest columns of text are cut, with `…` in the middle.
    """
    kinds = list(listing.columns.values())
    lines = [[shown_cell(kind, value, raw) for kind, value in zip(kinds, row, strict=True)] for row in listing.rows]
    to_the_right = [bool(lines) and kind.is_number for kind in kinds]
    if header:
        lines.insert(0, list(listing.headers))
    if not lines:
        return ""
    widths = [max(_width(cell) for cell in column) for column in zip(*lines, strict=True)]
    if width is not None and not raw:
        widths = _fitted(widths, [kind.is_number or kind in (Kind.TIME, Kind.STATE) for kind in kinds], width)
        lines = [[_cut(cell, limit) for cell, limit in zip(line, widths, strict=True)] for line in lines]

    def cell(column: int, text: str) -> str:
        padded = _padded(text, widths[column], to_the_right[column])
        return padded if paint is None or kinds[column] is not Kind.STATE else paint(text, padded)

    return "\n".join("  ".join(cell(column, text) for column, text in enumerate(line)).rstrip() for line in lines)


def visible(text: str) -> str:
    """The text on one line; Python's escapes stand for what can't be seen or changes how the rest is seen."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def visible_lines(text: str) -> str:
    """The text with `visible` applied to each of its lines."""
    return "\n".join(visible(line.expandtabs()) for line in text.splitlines())


def visible_json(text: str) -> str:
    """A JSON text in which JSON's escapes stand for what can't be seen."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def shown_cell(kind: Kind, value: Any, raw: bool) -> str:
    """A cell for people."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return f"{value:.3f}" if isinstance(value, float) else str(value)
    return text_cell(kind, value if raw or kind is Kind.JSON else readable(plain(value)), raw)


def text_cell(kind: Kind, value: Any, raw: bool) -> str:
    """A cell that is no number."""
    # What a cell holds decides whether it is safe to print, whatever its column announces.
    text = visible_json(plain(value)) if kind is Kind.JSON else plain(value)
    return text if raw else visible(text)


_LEAST_WIDTH: Final = 8
"""No column is made narrower than this."""
_GAP: Final = 2
"""Spaces between two columns."""


def _fitted(widths: list[int], is_fixed: list[bool], width: int) -> list[int]:
    """The widths, with those of the widest columns of text lessened until a line fits."""
    fitted = list(widths)
    excess = sum(fitted) + _GAP * (len(fitted) - 1) - width
    while excess > 0:
        elastic = [i for i, fixed in enumerate(is_fixed) if not fixed and fitted[i] > _LEAST_WIDTH]
        if not elastic:
            break
        widest = max(fitted[i] for i in elastic)
        at_widest = [i for i in elastic if fitted[i] == widest]
        next_lower = max([fitted[i] for i in elastic if fitted[i] < widest], default=_LEAST_WIDTH)
        step = min(max(excess // len(at_widest), 1), widest - next_lower)
        for index in at_widest:
            taken = min(step, excess)
            fitted[index] -= taken
            excess -= taken
    return fitted


def _cut(text: str, width: int) -> str:
    """The beginning and the end of a text, which for ids and names says more."""
    if _width(text) <= width:
        return text
    head, tail = text[: width // 2], text[-((width - 1) // 2) :]
    while _width(head) + _width(tail) > width - 1:
        head, tail = (head[:-1], tail) if _width(head) > _width(tail) else (head, tail[1:])
    return f"{head}…{tail}"


def _padded(text: str, width: int, number: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if number else text + space


def _width(text: str) -> int:
    """The columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )
