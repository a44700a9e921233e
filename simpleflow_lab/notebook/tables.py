"""Tables, texts and the list of commands as values of cells, each with its HTML.

A cell of HTML is written by the kind of its column, as in any listing; the commands themselves are not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from simpleflow_lab.commands.command_specs import CommandSpec
from simpleflow_lab.views import html
from simpleflow_lab.views.formatting import duration
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.style import STATUSES, look
from simpleflow_lab.views.tables import Column, frame, numbers, optional_integers, texts, times


class Table(pd.DataFrame):
    """A DataFrame that shows the columns that people read; what is made of it is a plain DataFrame."""

    _metadata: Final = ["_shown", "_html"]

    def __init__(self, frame: pd.DataFrame, shown: Sequence[str], html_text: str):
        super().__init__(frame)  # type: ignore[call-arg]
        self._shown = list(shown)
        self._html = html_text

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return repr(pd.DataFrame(self)[self._shown])

    def _repr_html_(self) -> str:
        return self._html


def table_of_listing(listing: Listing) -> Table:
    """A listing as a table."""
    columns = {title: _COLUMNS[kind] for title, kind in listing.columns.items()}
    return Table(frame(columns, listing.rows), listing.headers, listing_html(listing))


def table_of_frame(
    frame: pd.DataFrame, shown: Mapping[str, Kind], shorten: Mapping[str, Callable[[str], str]] | None = None
) -> Table:
    """A frame as a table that shows these columns, by their kinds. `shorten` makes the texts of a column shorter."""
    columns = {name: frame[name].tolist() for name in shown}
    for name, function in (shorten or {}).items():
        columns[name] = [function(text) if isinstance(text, str) else text for text in columns[name]]
    listing = Listing(
        columns={name.replace("_", " "): kind for name, kind in shown.items()},
        rows=list(zip(*columns.values(), strict=True)),
    )
    return Table(frame, list(shown), listing_html(listing))


def listing_html(listing: Listing) -> str:
    """A listing as an HTML table."""
    kinds = listing.columns.values()
    rows = ([_cell(kind, value) for kind, value in zip(kinds, row, strict=True)] for row in listing.rows)
    return html.table(listing.headers, rows)


def _cell(kind: Kind, value: Any) -> Any:
    """The value that `html.table` gets for a cell."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return duration(None) if kind is Kind.SECONDS else None
    match kind:
        case Kind.STATE:
            of = STATUSES.get(value) or look(value)
            return f"{of.sign} {of.word}"
        case Kind.SECONDS:
            return duration(value)
        case Kind.PERCENTAGE:
            return f"{value:.1f} %"
        case _:
            return value


_COLUMNS: Final[Mapping[Kind, Column]] = {
    Kind.TEXT: texts,
    Kind.STATE: texts,
    Kind.TIME: times,
    Kind.SECONDS: numbers,
    Kind.COUNT: optional_integers,
    Kind.PERCENTAGE: numbers,
    Kind.JSON: texts,
}
"""The pandas column of each kind."""


class Text:
    """Text in a font of fixed width."""

    def __init__(self, text: str):
        self._text = text.rstrip()

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return html.piece(f"<pre>{html.escape(self._text, _MAX_HELP)}</pre>")


_MAX_HELP: Final = 20_000


class Commands:
    """Every command, as a table."""

    def __init__(self, specs: Iterable[CommandSpec]):
        self._rows = [(spec.name, spec.summary) for spec in specs if spec.name]

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self._rows)
        lines = [f"%simpleflow {name.ljust(width)}  {summary}" for name, summary in self._rows]
        return "\n".join([*lines, _MORE_HELP])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>%simpleflow {html.escape(name)}</code></td><td>{html.escape(summary)}</td></tr>"
            for name, summary in self._rows
        )
        return html.piece(
            f"<table><thead><tr><th>command</th><th>what it does</th></tr></thead><tbody>{rows}</tbody></table>",
            f'<div class="sfl-quiet">{html.escape(_MORE_HELP)}</div>',
        )


_MORE_HELP: Final = (
    "%simpleflow help COMMAND shows its options. -o NAME keeps the result in a variable; --input takes JSON or the "
    "name of a variable. %%simpleflow runs the definitions of a cell and says what they are."
)
