"""An execution as a Gantt chart: a plotly figure, made of a history and nothing else.

Three drawings of one thing, the first that fits: a row per task (`gantt_rows`); lanes, as many per task name as ran at
the same time (`gantt_lanes`); and how many waited and ran over time, where bars would be thinner than a pixel
(`gantt_numbers`). In all of them what waits is grey, what runs has the colour of its end, what failed also has a
pattern and a symbol, what is still open is hatched, up to `until`, and the critical path stands above the tasks
(`gantt_path`).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.conventions import RETRY_TIMER
from simpleflow_lab.swf.event_types import TIMER
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import AttemptColumns
from simpleflow_lab.views.chart import Chart
from simpleflow_lab.views.chart_head import INK, chart_layout, head_height
from simpleflow_lab.views.formatting import HOVER_LIMIT, count, shortened
from simpleflow_lab.views.gantt_drawing import Drawing
from simpleflow_lab.views.gantt_lanes import GROUPS, SPANS, Lanes
from simpleflow_lab.views.gantt_numbers import draw_numbers
from simpleflow_lab.views.gantt_path import PathMarks
from simpleflow_lab.views.gantt_rows import draw_rows
from simpleflow_lab.views.gantt_time import folds_of, retime
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.history_waits import waits_of
from simpleflow_lab.views.lineage import dependencies_of
from simpleflow_lab.views.markup import escape
from simpleflow_lab.views.opened_child import OpenedChild
from simpleflow_lab.views.style import style_of
from simpleflow_lab.views.summary import ExecutionSummary, execution_summary
from simpleflow_lab.views.task_labels import task_label
from simpleflow_lab.views.uncollected import uncollected
from simpleflow_lab.views.waiting import phrase

MAX_ROWS: Final = 60
"""More tasks than this are drawn in lanes."""
MAX_LANES: Final = 120
"""More lanes than this are drawn as numbers over time."""
NARROW_PLOT: Final = 640
"""Pixels of time axis that there are at least; labels are given room by it."""

_GRID, _BAND = "rgba(128,128,128,.22)", "rgba(128,128,128,.06)"


def gantt(
    history: History | FoldedHistory,
    *,
    until: datetime.datetime | None = None,
    title: str | None = None,
    max_bars: int = 2000,
    waits: str = "",
    by: str | None = None,
    lineage: str | None = None,
    elapsed: bool = False,
    fold: bool | None = None,
    children: Mapping[int, OpenedChild] | None = None,
) -> Chart:
    """The Gantt chart of an execution.

    Open bars run up to `until`, by default the time of the last event. With more than `max_bars` attempts the figure
    shows how many waited and ran over time; its subtitle says so. `title` stands in for the name of the workflow type.
    `waits` says in a few words what an open execution waits for, for the subtitle; by default what the history shows.

    `by` draws lanes: by `name`, `worker` or `task_list`. `lineage` is the id of a task: what it did not depend on and
    what did not depend on it is drawn pale, or in a chart of many tasks left out. With `elapsed` the axis counts
    seconds from the start. Hours without an event are folded if nothing ran in them; with `fold=True` also those in
    which something ran, and minutes; with `fold=False` none.

    `children` are the histories of children, by their `scheduled_event_id`: their tasks stand below them. Then there is
    a row per task, unless there are more of the execution's own than `max_bars`.

    Raises `UsageError` for another `by`, for an `until` that is no time with a zone, and for a task that is not there,
    `HistoryError` if an event refers to nothing known.
    """
    given: object = until
    if given is not None and (not isinstance(given, datetime.datetime) or given.tzinfo is None):
        raise UsageError(f"until is a time, a datetime with its zone, not {until!r:.80}")
    with uncollected():
        folded = fold_history(history, until=until)
        summary = execution_summary(folded)
        marks = PathMarks(folded)
        shown = folded
        if lineage is not None:
            marks.related = _lineage(folded, lineage)
            if len(folded.tasks) > MAX_ROWS:
                related = AttemptColumns.of(filter(marks.is_related, folded.attempts))
                shown = replace(folded, columns=related)
        drawing = _draw(shown, marks, max(max_bars, 1), by, children)
        marks.link(drawing)
        start = summary.started or folded.until
        end = max(folded.until, folded.history[-1].timestamp) if folded.history else folded.until
        waits = waits or phrase(waits_of(folded))
        chart = Chart(drawing.traces(), _layout(drawing, summary, folded, title, start, end, waits))
        folds = [] if fold is False else folds_of(folded, all_pauses=fold is True)
        if folds or elapsed:
            retime(chart, folded, folds=folds, elapsed=elapsed)
        return chart


OPTIONS: Final = ("by", "elapsed", "fold", "lineage", "max_bars", "title", "until", "waits")
"""Further options of a chart whose history is known."""
_LEGEND: Final = 63
"""Pixels that the legend takes at most, if it has room for what it takes on a wide page."""
_BELOW: Final = 175
"""Pixels that legend and times take on a narrow page."""
_WAITS_LIMIT: Final = 110
"""Characters of a subtitle that say what an open execution waits for."""


def _lineage(folded: FoldedHistory, task: str) -> set[int]:
    """The attempts of a task, what they depended on, and what depended on them, by their `scheduled_event_id`."""
    own = [
        each.scheduled_event_id
        for each in folded.attempts
        if task in (each.id, task_label(each.id, None if each.kind == TIMER else each.name))
    ]
    if not own:
        some = ", ".join(dict.fromkeys(shortened(each.id, 40) for each in folded.tasks[:3]))
        raise UsageError(f"no task {task!r:.80} in this execution: there are {some or 'none'}{', …' if some else ''}")
    found = dependencies_of(folded).lineage(own)
    ids = {each.id for each in folded.attempts if each.scheduled_event_id in found}
    pauses = (each for each in folded.attempts if each.kind == TIMER and each.id.startswith(RETRY_TIMER))
    return found | {each.scheduled_event_id for each in pauses if each.id.removeprefix(RETRY_TIMER) in ids}


def _draw(
    folded: FoldedHistory,
    marks: PathMarks,
    max_bars: int,
    by: str | None,
    children: Mapping[int, OpenedChild] | None,
) -> Drawing:
    """The first drawing that fits."""
    attempts = folded.task_columns
    if by is not None and by not in GROUPS:
        raise UsageError(f"lanes are drawn by {', '.join(GROUPS)}, not by {by!r:.80}")
    if len(attempts) <= max_bars:
        if by is None and (
            children or len(set(zip(attempts.by_name["kind"], attempts.by_name["id"], strict=True))) <= MAX_ROWS
        ):
            return draw_rows(folded, marks, children)
        for span in SPANS:
            lanes = Lanes(folded, span, by or "name")
            if lanes.number <= MAX_LANES:
                return lanes.draw(marks)
    return draw_numbers(folded, marks, max_bars)


# -- layout ------------------------------------------------------------------------------------------------------------


def _layout(
    drawing: Drawing,
    summary: ExecutionSummary,
    folded: FoldedHistory,
    title: str | None,
    start: datetime.datetime,
    end: datetime.datetime,
    waits: str,
) -> dict[str, Any]:
    parts = [drawing.note]
    if unhandled := len(folded.unhandled):
        parts.insert(0, f"<b>⚠ {count(unhandled, 'unhandled failure')}</b>")
    if waits:
        parts.append(f"waits for {escape(shortened(waits, _WAITS_LIMIT), HOVER_LIMIT)}")
    head = chart_layout(summary, *parts, title=title)
    margin = max((end - start) * 0.02, datetime.timedelta(milliseconds=20))
    rows = max(drawing.rows, 1)
    plot = max(rows * drawing.row_height, 60)
    # On a narrow page the legend is high, times stand upright, and rows may be half as high.
    bottom = max(46 + 21 * drawing.legend_rows(), _BELOW - plot * 6 // 13)
    return {
        **head,
        "height": head_height(head) + plot + bottom,
        "margin": {"l": 20, "r": 20, "t": head_height(head), "b": bottom},
        "barmode": "overlay",
        "uniformtext": {"minsize": 8, "mode": "hide"},
        "dragmode": "zoom",
        "modebar": {"remove": ["sendChartToCloud", "lasso2d", "select2d"], "bgcolor": "rgba(0,0,0,0)", "color": INK},
        "hoverlabel": {**head["hoverlabel"], "align": "left"},
        # On a narrow page it has many lines: it scrolls before the rows become too low for their labels.
        "legend": {**head["legend"], "traceorder": "normal", "maxheight": max(_LEGEND, 21 * drawing.legend_rows())},
        "xaxis": {
            "type": "date",
            "range": [_plain(start, -margin), _plain(end, max(margin, _room_for_labels(drawing, start, end)))],
            "gridcolor": _GRID,
            "zeroline": False,
            "autotickangles": [0, 90],
            "title": {"text": "time (UTC)", "font": {"size": 11}},
        },
        "yaxis": {
            "range": [rows - 0.5, -0.5],
            "tickvals": list(drawing.labels),
            "ticktext": [str(label) for label in drawing.labels.values()],
            "automargin": True,
            "ticklabelstandoff": 6,
            "fixedrange": True,
            "gridcolor": _GRID,
            "showgrid": not drawing.bands,
            "zeroline": False,
        },
        "shapes": [_band(first, last) for first, last in drawing.bands[::2]],
        "annotations": [] if len(folded.task_columns) else [_nothing_scheduled()],
    }


def _room_for_labels(drawing: Drawing, start: datetime.datetime, end: datetime.datetime) -> datetime.timedelta:
    """The length of the axis beyond the execution, so that labels at the right of their symbols are not cut."""
    room = datetime.timedelta(0)
    for point in (point for points in drawing.points.values() for point in points if point.label):
        share = min((len(point.label) * _CHARACTER + _SYMBOL) / NARROW_PLOT, 0.5)
        room = max(room, (point.at - start) / (1 - share) - (end - start))
    return room


_CHARACTER, _SYMBOL = 6, 10
"""Pixels that a character of a label takes, and a symbol."""


def _plain(when: datetime.datetime, shift: datetime.timedelta) -> str:
    """A time as plotly reads it; a history may hold the last days of the calendar, after which there are none."""
    try:
        shifted = when + shift
    except OverflowError:
        shifted = when
    return shifted.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _band(first: int, last: int) -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": first - 0.5,
        "y1": last + 0.5,
        "fillcolor": _BAND,
        "line": {"width": 0},
        "layer": "below",
    }


def _nothing_scheduled() -> dict[str, Any]:
    colour = style_of("timed_out").colour
    return {
        "text": "<b>nothing was scheduled</b>",
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "xanchor": "center",
        "y": 0.5,
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"color": colour},
    }
