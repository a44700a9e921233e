"""Two executions as Gantt charts on one axis of time: the second one is moved so that the lower one begins with it.

Hover boxes keep the times of the execution that they are about.
"""

from __future__ import annotations

from typing import Any, Final

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.chart import Chart
from simpleflow_lab.views.chart_head import HEAD, head_height
from simpleflow_lab.views.gantt import MAX_ROWS, gantt
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.plotly_library import go
from simpleflow_lab.views.svg_text import width_of

_GAP: Final = 64
"""Pixels between the charts, for the title of the second one."""
_LEAST: Final = 0.85
"""The least part of its estimated width that a label takes."""


def gantt_pair(a: History | FoldedHistory, b: History | FoldedHistory, *, max_bars: int = 2000) -> Chart:
    """The charts of two executions, `a` above `b`, as `views.gantt.gantt` draws each. Raises `HistoryError`."""
    folded, other = fold_history(a), fold_history(b)
    tasks = [len({(attempt.kind, attempt.id) for attempt in each.tasks}) for each in (folded, other)]
    by = "name" if max(tasks) > MAX_ROWS else None  # both in lanes, if one of them is: rows beside lanes compare badly
    above, below = (gantt(each, max_bars=max_bars, fold=False, by=by) for each in (folded, other))
    shift = _start(folded) - _start(other)
    heights = [_plot_height(figure) for figure in (above, below)]
    whole = sum(heights) + _GAP + head_height(below.layout) - HEAD
    layout = above.layout.to_plotly_json()
    margin = layout["margin"]
    layout["height"] = whole + margin["t"] + margin["b"]
    layout["yaxis"] |= {"domain": [1 - heights[0] / whole, 1]}
    layout["yaxis2"] = {**below.layout.yaxis.to_plotly_json(), "domain": [0, heights[1] / whole], "anchor": "x"}
    layout["xaxis"] |= {
        "range": _range(above.layout.xaxis.range, [np.datetime64(each) + shift for each in below.layout.xaxis.range]),
        "anchor": "y2",
        "title": {"text": "time (UTC) of the upper one;<br>the lower one begins with it", "font": {"size": 11}},
    }
    shapes = [shape.to_plotly_json() | {"yref": "y2"} for shape in below.layout.shapes]
    layout["shapes"] = [*layout.get("shapes", ()), *shapes]
    layout["annotations"] = [_title(below, heights[1] / whole)]
    return Chart([*above.data, *(_moved(trace, shift, above) for trace in below.data)], layout)


def _start(folded: FoldedHistory) -> np.datetime64:
    first = folded.history[0].timestamp if folded.history else folded.until
    return np.datetime64(first.replace(tzinfo=None), "ms")


def _plot_height(figure: go.Figure) -> int:
    margin = figure.layout.margin
    return int(figure.layout.height - margin.t - margin.b)


def _moved(trace: Any, shift: np.timedelta64, above: go.Figure) -> Any:
    """A trace of the lower chart: later by this, and in the legend only if the upper one has none of its name."""
    if trace.type == "bar":
        trace.base = trace.base + shift
    else:
        trace.x = trace.x + shift
    trace.yaxis = "y2"
    if trace.showlegend is not False and any(
        other.name == trace.name and other.showlegend is not False for other in above.data
    ):
        trace.showlegend = False
    return trace


def _range(*ranges: Any) -> list[str]:
    """The range that covers these."""
    times = [np.datetime64(time, "ms") for each in ranges for time in each]
    return [str(min(times)), str(max(times))]


def _title(figure: go.Figure, top: float) -> dict[str, Any]:
    title = figure.layout.title
    labels = max((width_of(label) for label in figure.layout.yaxis.ticktext), default=0)
    return {
        "text": f"{title.text}<br>{title.subtitle.text}",  # escaped, where they were made
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "xshift": -round(
            _LEAST * labels
        ),  # plotly makes room for the labels beside the plot; the title begins above them
        "y": top,
        "xanchor": "left",
        "yanchor": "bottom",
        "align": "left",
        "showarrow": False,
        "font": {"size": 12},
    }
