"""An execution as a Gantt chart: a plotly figure, made of a history and nothing else.

Three drawings of one thing, the first that fits: a row per task; lanes, as many per task name as ran at the same time;
and how many waited and ran over time, where bars would be thinner than a pixel. In all of them what waits is grey, what
runs has the colour of its end, what failed also has a pattern and a symbol, and what is still open is hatched, up to
`until`.

plotly reads what it is given as HTML of its own, so hovers and labels are `Html`, which escapes every value put into
it. Bars are columns: one trace for each state and part, times as `datetime64[ms]` (plotly's widget draws nanoseconds
wrong).
"""

from __future__ import annotations

import datetime
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import plotly.graph_objects as go

from simpleflow_lab.swf.conventions import RETRY_TIMER
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, TIMER
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import Attempt, DecisionTask, PointEvent
from simpleflow_lab.views.formatting import (
    HOVER_LIMIT,
    LABEL_LIMIT,
    bounded,
    count,
    duration,
    shortened,
    utc_time,
)
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.history_waits import waits_of
from simpleflow_lab.views.markup import Html, escape
from simpleflow_lab.views.style import POINT_EVENT_STYLES, STATUSES, WAITING, Style, style_of
from simpleflow_lab.views.summary import ExecutionSummary, execution_summary
from simpleflow_lab.views.task_labels import task_label
from simpleflow_lab.views.waiting import phrase

MAX_ROWS: Final = 60
"""More tasks than this are drawn in lanes."""
MAX_LANES: Final = 120
"""More lanes than this are drawn as numbers over time."""
MAX_STEPS: Final = 240
"""Steps in time of that last drawing."""
MAX_NAMES: Final = 16
"""Task names of that last drawing; the others share a row."""

NARROW_PLOT: Final = 640
"""Pixels of time axis that there are at least; labels are given room by it."""

_INK, _GRID, _BAND = "#888", "rgba(128,128,128,.22)", "rgba(128,128,128,.06)"
_THICK, _THIN = 0.66, 0.16
_WRAP: Final = 90
"""Characters in a line of a hover box."""


def gantt(
    history: History | FoldedHistory,
    *,
    until: datetime.datetime | None = None,
    title: str | None = None,
    max_bars: int = 2000,
    waits: str = "",
) -> go.Figure:
    """The Gantt chart of an execution.

    Open bars run up to `until`, by default the time of the last event. With more than `max_bars` attempts the figure
    shows how many waited and ran over time; its subtitle says so. `title` stands in for the name of the workflow type.
    `waits` says in a few words what an open execution waits for, for the subtitle; by default what the history shows.
    Raises `HistoryError` if an event refers to nothing known.
    """
    folded = fold_history(history, until=until)
    summary = execution_summary(folded)
    drawing = _draw(folded, max(max_bars, 1))
    start = summary.started or folded.until
    end = max(folded.until, folded.history[-1].timestamp) if folded.history else folded.until
    waits = waits or phrase(waits_of(folded))
    return go.Figure(drawing.traces(), _layout(drawing, summary, folded, title, start, end, waits))


_WAITS_LIMIT: Final = 110
"""Characters of a subtitle that say what an open execution waits for."""


# -- what is drawn -----------------------------------------------------------------------------------------------------


class _Bar(NamedTuple):
    """One bar: it stands on row `y`, `thickness` rows thick."""

    y: float
    start: datetime.datetime
    end: datetime.datetime
    hover: Html
    thickness: float


class _Point(NamedTuple):
    """One symbol, with a label to its right."""

    y: float
    at: datetime.datetime
    hover: Html
    label: Html = Html("")


@dataclass
class _Drawing:
    """Bars and points by their styles, and the rows they are drawn on."""

    note: str
    """What is shown, for the subtitle."""
    row_height: int
    """Pixels."""
    labels: dict[float, Html] = field(default_factory=dict)
    """Labels of rows."""
    rows: int = 0
    """Number of rows."""
    bands: list[tuple[int, int]] = field(default_factory=list)
    """Groups of rows: first and last."""
    bars: dict[tuple[str, Style], list[_Bar]] = field(default_factory=dict)
    """By part (`waiting`, `running`, `deciding`) and style."""
    points: dict[Style, list[_Point]] = field(default_factory=dict)
    """By style."""

    def add_row(self, label: Html | None = None) -> int:
        """A new lowest row; gives its number."""
        if label is not None:
            self.labels[self.rows] = label
        self.rows += 1
        return self.rows - 1

    def bar(self, part: str, of: Style, bar: _Bar) -> None:
        """Add a bar."""
        self.bars.setdefault((part, of), []).append(bar)

    def point(self, of: Style, point: _Point) -> None:
        """Add a point."""
        self.points.setdefault(of, []).append(point)

    def traces(self) -> list[Any]:
        """plotly's traces; those of one style share a place in the legend."""
        made = [_bar_trace(part, of, bars) for (part, of), bars in self.bars.items()]
        made += [_point_trace(of, points) for of, points in self.points.items()]
        named: set[str] = {_OPEN_END.word}
        for trace in made:
            trace.showlegend = trace.name not in named
            named.add(trace.name)
        return made

    def legend_rows(self) -> int:
        """Lines that the legend takes, on a page as wide as a notebook."""
        words = {of.word for _, of in self.bars} | {of.word for of in self.points} - {_OPEN_END.word}
        return -(-len(words) // 5)


def _bar_trace(part: str, of: Style, bars: Sequence[_Bar]) -> go.Bar:
    starts, ends = _times(bar.start for bar in bars), _times(bar.end for bar in bars)
    faint = part == "waiting" and not of.pattern
    return go.Bar(
        name=of.word,
        legendgroup=of.word,
        orientation="h",
        base=starts,
        x=(ends - starts).astype("int64"),
        y=np.array([bar.y for bar in bars]),
        width=np.array([bar.thickness for bar in bars]),
        hovertext=[str(bar.hover) for bar in bars],
        hoverinfo="text",
        opacity=0.55 if faint else 1.0,
        marker={
            "color": of.colour,
            # A line as thick as a pixel keeps bars that took no time in sight.
            "line": {"color": of.colour, "width": 0 if part == "number" else 1},
            "pattern": {"shape": of.pattern, "size": 6, "solidity": 0.35, "fillmode": "overlay", "fgcolor": "#fff"}
            if of.pattern
            else None,
        },
    )


def _point_trace(of: Style, points: Sequence[_Point]) -> go.Scatter:
    labelled = any(point.label for point in points)
    return go.Scatter(
        name=of.word,
        legendgroup=of.word,
        mode="markers+text" if labelled else "markers",
        x=_times(point.at for point in points),
        y=np.array([point.y for point in points]),
        text=[str(point.label) for point in points] if labelled else None,
        textposition="middle right",
        textfont={"color": of.colour, "size": 11},
        hovertext=[str(point.hover) for point in points],
        hoverinfo="text",
        cliponaxis=False,
        marker={
            "symbol": of.symbol or "circle",
            "color": of.colour,
            "size": 11,
            "line": {"color": of.colour if "open" in (of.symbol or "") else "rgba(255,255,255,.8)", "width": 1},
        },
    )


def _times(values: Iterable[datetime.datetime]) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    return np.array([value.replace(tzinfo=None) for value in values], dtype="datetime64[ms]")


def _draw(folded: FoldedHistory, max_bars: int) -> _Drawing:
    """The first drawing that fits."""
    attempts = folded.attempts
    ids = {(attempt.kind, attempt.id) for attempt in attempts}
    if len(ids) <= MAX_ROWS and len(attempts) <= max_bars:
        return _draw_rows(folded)
    if len(attempts) <= max_bars:
        for span in _SPANS:
            lanes = _Lanes(folded, span)
            if lanes.number <= MAX_LANES:
                return lanes.draw()
    return _draw_numbers(folded, max_bars)


# -- a row per task ----------------------------------------------------------------------------------------------------


def _draw_rows(folded: FoldedHistory) -> _Drawing:
    attempts = folded.attempts
    drawing = _Drawing(note=_counted(attempts), row_height=26)
    _draw_point_events(drawing, folded.point_events)
    _draw_decisions(drawing, folded)
    rows: dict[tuple[str, str], int] = {}
    tries = Counter((attempt.kind, attempt.id) for attempt in attempts)
    for attempt in attempts:
        key = attempt.kind, attempt.id
        if key not in rows:
            row = _row_of_the_retried(attempt, rows)
            rows[key] = drawing.add_row(_row_label(attempt)) if row is None else row
        _draw_attempt(drawing, attempt, rows[key], folded.until, tries[key], HOVER_LIMIT, labelled=True)
    return drawing


def _row_of_the_retried(attempt: Attempt, rows: Mapping[tuple[str, str], int]) -> int | None:
    """The row of the task that waits for its next attempt, if this is the timer by which it does."""
    if attempt.kind != TIMER or not attempt.id.startswith(RETRY_TIMER):
        return None
    task_id = attempt.id.removeprefix(RETRY_TIMER)
    return next((rows[kind, task_id] for kind in (ACTIVITY, CHILD) if (kind, task_id) in rows), None)


def _draw_attempt(
    drawing: _Drawing,
    attempt: Attempt,
    y: float,
    until: datetime.datetime,
    tries: int,
    limit: int,
    *,
    labelled: bool,
    with_waiting: bool = True,
) -> None:
    hover = _hover(attempt, tries, limit)
    of = style_of(attempt.state)
    end = attempt.closed or max(until, attempt.started or attempt.scheduled)
    if attempt.started is None:
        waits = of if attempt.open else WAITING
        drawing.bar("waiting", waits, _Bar(y, attempt.scheduled, end, hover, _THICK if attempt.open else _THIN))
    else:
        if with_waiting and attempt.started > attempt.scheduled:
            short = _lines(_bold(attempt.name), f"waiting {duration(attempt.waiting)}")
            drawing.bar("waiting", WAITING, _Bar(y, attempt.scheduled, attempt.started, short, _THIN))
        thickness = _THICK / 2 if attempt.kind == TIMER else _THICK
        drawing.bar("running", of, _Bar(y, attempt.started, end, hover, thickness))
    if attempt.open:
        drawing.point(_OPEN_END, _Point(y, end, hover, escape(of.word) if labelled else Html("")))
    elif of.symbol is not None:
        final = labelled and attempt.failed and not attempt.retried
        drawing.point(of, _Point(y, end, hover, Html(" {}").format(_why(attempt)) if final else Html("")))


_OPEN_END: Final = Style("still open", style_of("started").colour, symbol="triangle-right")


def _draw_point_events(drawing: _Drawing, point_events: Sequence[PointEvent]) -> None:
    if not point_events:
        return
    y = drawing.add_row(Html("<i>markers, signals</i>"))
    for event in point_events:
        style = POINT_EVENT_STYLES[event.kind]
        lines = [_bold(event.name), f"{style.word}: {event.state}", f"{utc_time(event.at)}, event {event.event_id}"]
        if event.text:
            lines.append(_wrapped(event.text, HOVER_LIMIT))
        drawing.point(style, _Point(y, event.at, _lines(*lines)))


def _draw_decisions(drawing: _Drawing, folded: FoldedHistory) -> None:
    if not folded.decision_tasks:
        return
    y = drawing.add_row(Html("<i>decisions</i>"))
    for task in folded.decision_tasks:
        of = _DECIDING if task.state in ("completed", "started") else style_of(task.state)
        start = task.started or task.scheduled
        end = task.closed or max(folded.until, start)
        drawing.bar("deciding", of, _Bar(y, start, end, _decision_hover(task), _THICK / 2))


_DECIDING: Final = Style("deciding", "#5b6b82")


# -- lanes -------------------------------------------------------------------------------------------------------------


Span = Callable[[Attempt, datetime.datetime], tuple[datetime.datetime, datetime.datetime]]


def _whole(attempt: Attempt, until: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """An attempt takes its lane from when it is scheduled."""
    return attempt.scheduled, attempt.closed or max(until, attempt.last_state_at)


def _running(attempt: Attempt, until: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """An attempt takes its lane from when it starts; how many wait is not shown."""
    end = attempt.closed or max(until, attempt.last_state_at)
    return attempt.started or end, end


_SPANS: Final[tuple[Span, ...]] = (_whole, _running)


class _Lanes:
    """Attempts packed into lanes, by name: one that starts takes the first lane that is free."""

    def __init__(self, folded: FoldedHistory, span: Span):
        self._folded = folded
        self._span = span
        self._groups: dict[tuple[str, str], list[Attempt]] = {}
        for attempt in folded.attempts:
            name = "timers" if attempt.kind == TIMER else attempt.name
            self._groups.setdefault((attempt.kind, name), []).append(attempt)
        self._lanes = {key: self._pack(attempts) for key, attempts in self._groups.items()}
        self.number = sum(max(lanes, default=-1) + 1 for lanes in self._lanes.values())

    def _pack(self, attempts: list[Attempt]) -> list[int]:
        """The lane of each attempt."""
        spans = [self._span(attempt, self._folded.until) for attempt in attempts]
        free: list[int] = []
        busy: list[tuple[datetime.datetime, int]] = []
        lanes, used = [0] * len(spans), 0
        for i in sorted(range(len(spans)), key=lambda i: spans[i]):
            start, end = spans[i]
            while busy and busy[0][0] <= start:
                heapq.heappush(free, heapq.heappop(busy)[1])
            if free:
                lanes[i] = heapq.heappop(free)
            else:
                lanes[i], used = used, used + 1
            heapq.heappush(busy, (end, lanes[i]))
        return lanes

    def draw(self) -> _Drawing:
        """The drawing: the lanes of a name together, and its name beside them."""
        folded, with_waiting = self._folded, self._span is _whole
        note = f"{_counted(folded.attempts)}, in lanes by name"
        drawing = _Drawing(note if with_waiting else f"{note}, waiting not drawn", row_height=15)
        _draw_point_events(drawing, folded.point_events)
        _draw_decisions(drawing, folded)
        tries = Counter((attempt.kind, attempt.id) for attempt in folded.attempts)
        limit = HOVER_LIMIT if len(folded.attempts) <= 500 else HOVER_LIMIT // 3
        for (kind, name), attempts in self._groups.items():
            lanes = self._lanes[kind, name]
            top = drawing.rows
            for _ in range(max(lanes) + 1):
                drawing.add_row()
            drawing.bands.append((top, drawing.rows - 1))
            label = f"{_kind_sign(kind)}{shortened(name, 36)} × {len(attempts):,}"
            drawing.labels[(top + drawing.rows - 1) / 2] = escape(label)
            for attempt, lane in zip(attempts, lanes, strict=True):
                _draw_attempt(
                    drawing,
                    attempt,
                    top + lane,
                    folded.until,
                    tries[attempt.kind, attempt.id],
                    limit,
                    labelled=False,
                    with_waiting=with_waiting,
                )
        return drawing


# -- numbers over time -------------------------------------------------------------------------------------------------


def _draw_numbers(folded: FoldedHistory, max_bars: int) -> _Drawing:
    """How many attempts of each name wait (upper half of a row) and run (lower half), step by step."""
    groups = _most_used(folded.attempts)
    start = folded.attempts[0].scheduled
    end = max(folded.until, *(attempt.last_state_at for attempt in folded.attempts))
    steps = max(min(MAX_STEPS, max_bars // (2 * len(groups))), 60)
    edges = np.linspace(_ms(start), max(_ms(end), _ms(start) + 1), steps + 1)
    step = duration((edges[1] - edges[0]) / 1000)
    note = f"{_counted(folded.attempts)}; above, how many wait, below, how many run, in steps of {step}"
    drawing = _Drawing(note, row_height=64)
    for name, attempts in groups.items():
        row, title = drawing.add_row(), _bold(name)
        drawing.bands.append((row, row))
        waiting = _Spans([(a.scheduled, a.started or a.closed or end) for a in attempts])
        running = _Spans([(a.started, a.closed or end) for a in attempts if a.started is not None])
        waits, runs = waiting.average(edges), running.average(edges)
        for part, of, numbers, floor in (("waiting", WAITING, waits, row - 0.02), ("running", _RAN, runs, row + 0.46)):
            peak = max(float(numbers.max()), 1e-9)
            for i in np.flatnonzero(numbers > 1e-6):
                thickness = max(0.42 * float(numbers[i]) / peak, 0.015)
                hover = _lines(title, f"{numbers[i]:,.1f} {part}", f"{utc_time(_at(edges[i]))}, {step}")
                bar = _Bar(floor - thickness / 2, _at(edges[i]), _at(edges[i + 1]), hover, thickness)
                drawing.bar("number", of, bar)
        drawing.labels[row] = _lines(
            f"{shortened(name, 36)} × {len(attempts):,}",
            f"at most {waiting.peak():,} waiting, {running.peak():,} running",
        )
        _draw_failures(drawing, attempts, row, edges)
    return drawing


def _most_used(attempts: Sequence[Attempt]) -> dict[str, list[Attempt]]:
    """Attempts by name, in the order of scheduling; what is beyond `MAX_NAMES` shares a name."""
    numbers = Counter(_group_name(attempt) for attempt in attempts)
    shown = {name for name, _ in numbers.most_common(MAX_NAMES if len(numbers) <= MAX_NAMES else MAX_NAMES - 1)}
    rest = f"{len(numbers) - len(shown):,} other names"
    groups: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        name = _group_name(attempt)
        groups.setdefault(name if name in shown else rest, []).append(attempt)
    return groups


def _group_name(attempt: Attempt) -> str:
    return "timers" if attempt.kind == TIMER else attempt.name


def _draw_failures(drawing: _Drawing, attempts: Sequence[Attempt], row: int, edges: np.ndarray[Any, Any]) -> None:
    """A symbol for every step in which attempts failed, and how many."""
    failures: Counter[tuple[str, int]] = Counter()
    for attempt in attempts:
        if attempt.failed and attempt.closed is not None:
            i = int(np.searchsorted(edges, _ms(attempt.closed), side="right")) - 1
            failures[attempt.state, min(i, len(edges) - 2)] += 1
    for (state, i), number in failures.items():
        hover = _lines(f"{number:,} {style_of(state).word}", utc_time(_at(edges[i])))
        drawing.point(style_of(state), _Point(row + 0.02, _at((edges[i] + edges[i + 1]) / 2), hover))


class _Spans:
    """Spans of time, counted."""

    def __init__(self, spans: Sequence[tuple[datetime.datetime, datetime.datetime]]):
        self._starts = np.sort(np.array([_ms(start) for start, _ in spans], dtype="float64"))
        self._ends = np.sort(np.array([_ms(end) for _, end in spans], dtype="float64"))

    def average(self, edges: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """How many of them cover each step between edges, on average over the step."""
        covered: np.ndarray[Any, Any] = np.diff(_since(edges, self._starts) - _since(edges, self._ends))
        return covered / np.diff(edges)

    def peak(self) -> int:
        """How many of them there are at most at one time."""
        begun = np.arange(1, len(self._starts) + 1)
        ended = np.searchsorted(self._ends, self._starts, side="right")
        return int(np.max(begun - ended, initial=0))


def _since(edges: np.ndarray[Any, Any], times: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """At each edge, the time since each of the (sorted) times before it, summed."""
    before = np.searchsorted(times, edges)
    sums = np.concatenate(([0.0], np.cumsum(times)))
    since: np.ndarray[Any, Any] = edges * before - sums[before]
    return since


_RAN: Final = Style("running", style_of("started").colour)


def _ms(when: datetime.datetime) -> int:
    return (when - _EPOCH) // _MILLISECOND


def _at(ms: float) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(milliseconds=float(ms))


_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)


# -- words -------------------------------------------------------------------------------------------------------------


def _hover(attempt: Attempt, tries: int, limit: int) -> Html:
    of = style_of(attempt.state)
    lines: list[str] = [_bold(attempt.name)]
    if attempt.id != attempt.name:
        lines.append(bounded(attempt.id, LABEL_LIMIT))
    tried = f", attempt {attempt.attempt} of {tries}" if tries > 1 else ""
    requested = ", cancel requested" if attempt.cancel_requested else ""
    lines.append(f"{attempt.kind}: {of.glyph} {of.word}{tried}{requested}")
    running = "" if attempt.running is None else f", running {duration(attempt.running)}"
    lines.append(f"waiting {duration(attempt.waiting)}{running}")
    lines.append(f"scheduled {utc_time(attempt.scheduled)}")
    if attempt.started is not None and attempt.kind != TIMER:
        lines.append(f"started {utc_time(attempt.started)}")
    if attempt.closed is not None:
        lines.append(f"closed {utc_time(attempt.closed)}")
    if attempt.worker:
        lines.append(f"worker {bounded(attempt.worker, LABEL_LIMIT)}")
    for word, value in (
        ("input", attempt.input),
        ("result", attempt.result),
        ("timeout", attempt.timeout_type),
        ("reason", attempt.reason),
        ("details", attempt.details),
    ):
        if value:
            lines.append(Html("{}: {}").format(word, _wrapped(value, limit)))
    return _lines(*lines)


def _decision_hover(task: DecisionTask) -> Html:
    kinds = ", ".join(f"{kind} × {number}" for kind, number in task.kinds.items())
    return _lines(
        Html("<b>decision task</b>: {}").format(task.state),
        f"waiting {duration(task.waiting)}, deciding {duration(task.deciding)}",
        f"scheduled {utc_time(task.scheduled)}",
        f"{count(task.new_events, 'new event')}; {kinds or 'no decision'}",
    )


def _lines(*lines: str) -> Html:
    """The lines of a hover box or a label."""
    return Html("<br>").join(lines)


def _bold(name: str) -> Html:
    return Html("<b>{}</b>").format(bounded(name, LABEL_LIMIT))


def _wrapped(value: str, limit: int) -> Html:
    """A value in lines of a hover box, bounded."""
    lines = [line[i : i + _WRAP] for line in bounded(value, limit).splitlines() for i in range(0, len(line), _WRAP)]
    return _lines(*lines)


def _why(attempt: Attempt) -> str:
    """Why it failed, in a few words."""
    word = style_of(attempt.state).word
    why = attempt.reason or attempt.timeout_type
    return f"{word}: {shortened(why, 24)}" if why else word


def _row_label(attempt: Attempt) -> Html:
    """A task in few characters, with its kind if that is no activity."""
    label = task_label(attempt.id, None if attempt.kind == TIMER else attempt.name)
    return escape(f"{_kind_sign(attempt.kind)}{label}")


def _kind_sign(kind: str) -> str:
    return {"child": "child ", "lambda": "lambda ", "timer": "timer "}.get(kind, "")


def _counted(attempts: Sequence[Attempt]) -> str:
    work = [attempt for attempt in attempts if attempt.kind != TIMER]
    tasks = len({(attempt.kind, attempt.id) for attempt in work})
    again = f" in {len(work):,} attempts" if len(work) > tasks else ""
    timers = len(attempts) - len(work)
    return f"{count(tasks, 'task')}{again}" + (f", {count(timers, 'timer')}" if timers else "")


# -- layout ------------------------------------------------------------------------------------------------------------


def _layout(
    drawing: _Drawing,
    summary: ExecutionSummary,
    folded: FoldedHistory,
    title: str | None,
    start: datetime.datetime,
    end: datetime.datetime,
    waits: str,
) -> dict[str, Any]:
    status = STATUSES[summary.status]
    subtitle = f"{status.glyph} {status.word} · {duration(summary.duration)} · {drawing.note}"
    if waits:
        subtitle += f" · waits for {escape(shortened(waits, _WAITS_LIMIT), HOVER_LIMIT)}"
    margin = max((end - start) * 0.02, datetime.timedelta(milliseconds=20))
    rows = max(drawing.rows, 1)
    top = 82 + 21 * drawing.legend_rows()
    return {
        "title": {
            "text": str(escape(title or summary.workflow_type, LABEL_LIMIT)),
            "subtitle": {"text": subtitle, "font": {"size": 13}},
            "x": 0,
            "xref": "paper",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 14},
        },
        "height": top + max(rows * drawing.row_height, 60) + 46,
        "margin": {"l": 20, "r": 20, "t": top, "b": 46},
        "barmode": "overlay",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": _INK, "size": 12},
        "hoverlabel": {"bgcolor": "#22272e", "bordercolor": "#555", "font": {"color": "#f2f2f2"}, "align": "left"},
        "hovermode": "closest",
        "dragmode": "zoom",
        "modebar": {"remove": ["sendChartToCloud", "lasso2d", "select2d"], "bgcolor": "rgba(0,0,0,0)", "color": _INK},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal"},
        "showlegend": True,
        "xaxis": {
            "type": "date",
            "range": [_plain(start, -margin), _plain(end, max(margin, _room_for_labels(drawing, start, end)))],
            "gridcolor": _GRID,
            "zeroline": False,
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
        "annotations": _annotations(folded, top),
    }


def _room_for_labels(drawing: _Drawing, start: datetime.datetime, end: datetime.datetime) -> datetime.timedelta:
    """How much longer than the execution the axis must be, so that labels at the right of their symbols are not cut."""
    room = datetime.timedelta(0)
    for point in (point for points in drawing.points.values() for point in points if point.label):
        share = min((len(point.label) * _CHARACTER + _SYMBOL) / NARROW_PLOT, 0.5)
        room = max(room, (point.at - start) / (1 - share) - (end - start))
    return room


_CHARACTER, _SYMBOL = 6, 10
"""Pixels that a character of a label takes, and a symbol."""


def _plain(when: datetime.datetime, shift: datetime.timedelta) -> str:
    """A time as plotly reads it; a history may hold the last day of the calendar, after which there is none."""
    shifted = when + shift if _FIRST_DAY < when < _LAST_DAY else when
    return shifted.replace(tzinfo=None).isoformat(timespec="milliseconds")


_FIRST_DAY: Final = datetime.datetime(1000, 1, 1, tzinfo=datetime.UTC)
_LAST_DAY: Final = datetime.datetime(5000, 1, 1, tzinfo=datetime.UTC)


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


def _annotations(folded: FoldedHistory, top: int) -> list[dict[str, Any]]:
    unhandled = sum(attempt.unhandled for attempt in folded.attempts)
    if unhandled:
        # On the line of the title, left of where plotly's buttons appear.
        shift = {"xanchor": "right", "xshift": -205, "yshift": top - 36}
        return [_annotation(f"⚠ unhandled failures: {unhandled:,}", x=1, y=1, **shift)]
    if not folded.attempts:
        return [_annotation("nothing was scheduled", x=0.5, y=0.5, xanchor="center")]
    return []


def _annotation(text: str, **place: Any) -> dict[str, Any]:
    colour = style_of("timed_out").colour
    return {
        "text": f"<b>{text}</b>",
        "xref": "paper",
        "yref": "paper",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"color": colour},
        "bordercolor": colour,
        "borderpad": 4,
        **place,
    }
