"""A drawing of a Gantt chart: bars and points by their styles, and the rows they stand on, as traces of plotly.

Bars are columns: one trace for each state and part, times as `datetime64[ms]` (plotly's widget draws nanoseconds
wrong). plotly reads hovers and labels as HTML of its own, so they are `Html`, which escapes every value put into it.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.views.markup import Html
from simpleflow_lab.views.style import Style, style_of
from simpleflow_lab.views.time_columns import milliseconds

THICK: Final = 0.66
"""Thickness of a bar of what runs, in rows."""
THIN: Final = 0.16
"""Thickness of a bar of what waits."""
PATH: Final = "critical path"
"""The name of the line along the critical path."""
OPEN_END: Final = Style("still open", style_of("started").colour, symbol="triangle-right")
"""The symbol at the end of a bar that is still growing."""


class Bar(NamedTuple):
    """One bar: it stands on row `y`, `thickness` rows thick."""

    y: float
    start: datetime.datetime
    end: datetime.datetime
    hover: Html
    thickness: float
    text: Html = Html("")
    """The words in it, if there is room."""


class Point(NamedTuple):
    """One symbol, with a label to its right."""

    y: float
    at: datetime.datetime
    hover: Html
    label: Html = Html("")


@dataclass
class Drawing:
    """Bars and points by their styles, and the rows they are drawn on."""

    note: str
    """A note on what is shown, for the subtitle."""
    row_height: int
    """Pixels."""
    labels: dict[float, Html] = field(default_factory=dict)
    """Labels of rows."""
    rows: int = 0
    """Number of rows."""
    bands: list[tuple[int, int]] = field(default_factory=list)
    """Groups of rows: first and last."""
    bars: dict[tuple[str, Style], list[Bar]] = field(default_factory=dict)
    """By part (`path`, `waiting`, `running`, `deciding`) and style."""
    points: dict[Style, list[Point]] = field(default_factory=dict)
    """By style."""
    places: dict[int, float] = field(default_factory=dict)
    """The row of each attempt, by its `scheduled_event_id`."""
    path: list[tuple[datetime.datetime, float]] = field(default_factory=list)
    """A line along the bars of the critical path."""

    def add_row(self, label: Html | None = None) -> int:
        """A new lowest row; gives its number."""
        if label is not None:
            self.labels[self.rows] = label
        self.rows += 1
        return self.rows - 1

    def bar(self, part: str, of: Style, bar: Bar) -> None:
        """Add a bar."""
        self.bars.setdefault((part, of), []).append(bar)

    def point(self, of: Style, point: Point) -> None:
        """Add a point."""
        self.points.setdefault(of, []).append(point)

    def traces(self) -> list[dict[str, Any]]:
        """plotly's traces; those of one style share a place in the legend.

        They are dicts, of which `Chart` makes plotly's objects: objects it would make again.
        """
        made = [_bar_trace(part, of, bars) for (part, of), bars in self.bars.items()]
        made += [_point_trace(of, points) for of, points in self.points.items()]
        named: set[str] = {OPEN_END.word}
        for trace in made:
            if "showlegend" not in trace:
                trace["showlegend"] = trace["name"] not in named
                named.add(trace["name"])
        return [*made, _path_trace(self.path)] if self.path else made

    def legend_rows(self) -> int:
        """Lines that the legend takes, on a page as wide as a notebook."""
        words = {of.word for part, of in self.bars if part != "path"} | ({PATH} if self.path else set())
        words |= {of.word for of in self.points} - {OPEN_END.word}
        return -(-len(words) // 5)


_PATTERN: Final = {"size": 6, "fillmode": "overlay", "fgcolor": "#fff"}
_SOLID, _FAINT = 0.35, 0.12
"""The part of a bar that its pattern covers; less where words stand in it."""


def _bar_trace(part: str, of: Style, bars: Sequence[Bar]) -> dict[str, Any]:
    starts, ends = milliseconds([bar.start for bar in bars]), milliseconds([bar.end for bar in bars])
    faint = part == "waiting" and not of.pattern
    pattern = {**_PATTERN, "shape": of.pattern, "solidity": _FAINT if part == "path" else _SOLID}
    trace: dict[str, Any] = {
        "type": "bar",
        "name": of.word,
        "legendgroup": of.word,
        "orientation": "h",
        "base": starts,
        "x": (ends - starts).astype("int64"),
        "y": np.array([bar.y for bar in bars]),
        "width": np.array([bar.thickness for bar in bars]),
        "hovertext": [str(bar.hover) for bar in bars],
        "hoverinfo": "text",
        "opacity": 0.55 if faint else 1.0,
        "marker": {
            "color": of.colour,
            # A line as thick as a pixel keeps bars that took no time in sight.
            "line": {"color": of.colour, "width": 0 if part == "number" else 1},
            **({"pattern": pattern} if of.pattern else {}),
        },
    }
    if part == "path":
        trace |= {
            "legendgroup": PATH,
            "text": [str(bar.text) for bar in bars],
            "textposition": "inside",
            "insidetextanchor": "middle",
            "textfont": {"size": 10},
            "showlegend": False,
        }
    return trace


_PATH_COLOUR: Final = "#c2408f"


def _path_trace(points: Sequence[tuple[datetime.datetime, float]]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": PATH,
        "legendgroup": PATH,
        "mode": "lines",
        "x": milliseconds([at for at, _ in points]),
        "y": np.array([y for _, y in points]),
        "hoverinfo": "skip",
        "line": {"color": _PATH_COLOUR, "width": 2},
    }


def _point_trace(of: Style, points: Sequence[Point]) -> dict[str, Any]:
    labelled = any(point.label for point in points)
    return {
        "type": "scatter",
        "name": of.word,
        "legendgroup": of.word,
        "mode": "markers+text" if labelled else "markers",
        "x": milliseconds([point.at for point in points]),
        "y": np.array([point.y for point in points]),
        **({"text": [str(point.label) for point in points]} if labelled else {}),
        "textposition": "middle right",
        "textfont": {"color": of.colour, "size": 11},
        "hovertext": [str(point.hover) for point in points],
        "hoverinfo": "text",
        "cliponaxis": False,
        "marker": {
            "symbol": of.symbol or "circle",
            "color": of.colour,
            "size": 11,
            "line": {"color": of.colour if "open" in (of.symbol or "") else "rgba(255,255,255,.8)", "width": 1},
        },
    }
