"""The time axis of a Gantt chart: wall time, or time since the start; with hours in which nothing happened folded.

Rule: folding moves bars and points, and changes no hover box: those say the times that were recorded. Times in a fold
keep their order.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.swf.event_types import TIMER
from simpleflow_lab.views.formatting import duration
from simpleflow_lab.views.history_fold import FoldedHistory

LONG: Final = 3600.0
"""Seconds without an event and without a running task that are folded if nothing is said."""
LONG_SHARE: Final = 0.2
"""The share of the execution that they are, at least."""
SHORT: Final = 60.0
"""Seconds without an event that are folded with `all_pauses`."""
SHORT_SHARE: Final = 0.05
"""The share of the execution that they are, at least."""
MAX_FOLDS: Final = 30
"""Of more folds the longest are made."""
_LEFT: Final = 0.03
"""The share of the time that is not folded which a fold takes in the chart."""
_TICKS: Final = 7
_MOST_TICKS: Final = 100
"""Of more between two folds the first are drawn."""

Numbers = np.ndarray[Any, np.dtype[np.float64]]


class Fold(NamedTuple):
    """A time that is folded, in seconds since the start."""

    start: float
    end: float


def folds_of(folded: FoldedHistory, *, all_pauses: bool) -> list[Fold]:
    """The times without an event that are long enough to be folded, in order.

    Without `all_pauses` only those in which no task ran: how long a task ran is then always to be seen.
    """
    if not folded.history:
        return []
    origin = folded.history[0].timestamp
    if not all_pauses and _seconds(folded.until, origin) < LONG:
        return []
    at = np.array([_seconds(event.timestamp, origin) for event in folded.history] + [_seconds(folded.until, origin)])
    at = np.unique(at[at >= 0])  # a clock that was set back may have recorded some from before the start
    whole = float(at[-1] - at[0])
    gaps = np.diff(at)
    least = max(SHORT, SHORT_SHARE * whole) if all_pauses else max(LONG, LONG_SHARE * whole)
    found = [Fold(float(at[place]), float(at[place + 1])) for place in np.flatnonzero(gaps >= least)]
    if not all_pauses:
        found = [fold for fold in found if not _runs_in(fold, folded, origin)]
    return sorted(sorted(found, key=lambda fold: fold.start - fold.end)[:MAX_FOLDS])


def _runs_in(fold: Fold, folded: FoldedHistory, origin: datetime.datetime) -> bool:
    for attempt in folded.attempts:
        if attempt.started is not None and attempt.kind != TIMER and _seconds(attempt.started, origin) <= fold.start:
            end = fold.end if attempt.closed is None else _seconds(attempt.closed, origin)
            if end >= fold.end:
                return True
    return False


def _seconds(when: datetime.datetime, origin: datetime.datetime) -> float:
    return (when - origin).total_seconds()


class TimeAxis:
    """The axis of times: in seconds since the start, with each fold made short."""

    def __init__(self, folds: Sequence[Fold], whole: float) -> None:
        self.folds = folds
        left = max(whole - sum(fold.end - fold.start for fold in folds), 1e-3)
        self.short = left * _LEFT
        """Seconds that a fold takes."""
        real, shown = [0.0], [0.0]
        for fold in folds:
            real += [fold.start, fold.end]
            shown.append(shown[-1] + fold.start - real[-3])
            shown.append(shown[-1] + self.short)
        self._real, self._shown = np.array(real), np.array(shown)

    def place(self, seconds: Numbers) -> Numbers:
        """The places of these times on the axis."""
        placed = np.interp(seconds, self._real, self._shown)
        # Before the start and behind the last fold a second is a second.
        placed = np.where(seconds < 0, seconds, placed)
        return np.where(seconds > self._real[-1], self._shown[-1] + seconds - self._real[-1], placed)


def retime(figure: Any, folded: FoldedHistory, *, folds: Sequence[Fold], elapsed: bool) -> None:
    """Draw a chart with an axis of seconds since the start, folded; ticks say wall time unless it is `elapsed`."""
    start = folded.history[0].timestamp if folded.history else folded.until
    origin = np.datetime64(start.replace(tzinfo=None), "ms")
    edges = np.array(figure.layout.xaxis.range, dtype="datetime64[ms]")
    low, high = _in_seconds(edges, origin).tolist()
    whole = max(_seconds(folded.until, start), 1e-3)
    axis = TimeAxis(folds, whole)

    def place(times: Any) -> Numbers:
        return axis.place(_in_seconds(np.asarray(times), origin))

    for trace in figure.data:
        if trace.type == "bar":
            starts = np.asarray(trace.base).astype("datetime64[ms]")
            ends = place(starts + np.asarray(trace.x).astype("timedelta64[ms]"))
            begins = place(starts)
            trace.base, trace.x = begins, ends - begins
        else:
            trace.x = place(trace.x)
    shown = float(axis.place(np.array([whole]))[0])
    first, last = low / whole * shown, shown + (high - whole) / whole * shown  # the margins shrink, too
    title = "seconds since the start" if elapsed else "time (UTC)"
    figure.update_xaxes(type="linear", range=[first, last], title_text=title)
    if folds:
        ticks = list(_ticks(axis, whole, start, elapsed=elapsed))
        title = "time since the start" if elapsed else "time (UTC)"
        figure.update_xaxes(
            tickvals=[each for each, _ in ticks], ticktext=[text for _, text in ticks], title_text=title
        )
    for fold in folds:
        at = float(axis.place(np.array([fold.start]))[0])
        figure.add_shape(
            type="rect", xref="x", yref="paper", x0=at, x1=at + axis.short, y0=0, y1=1,
            fillcolor="rgba(128,128,128,.16)", line={"width": 0}, layer="below",
        )  # fmt: skip
        figure.add_annotation(
            text=f"{duration(fold.end - fold.start)} ⁄⁄", x=at + axis.short / 2, y=0, xref="x", yref="paper",
            xanchor="center", yanchor="bottom", showarrow=False, font={"size": 10},
        )  # fmt: skip


def _in_seconds(times: np.ndarray[Any, Any], origin: np.datetime64) -> Numbers:
    since: np.ndarray[Any, Any] = times.astype("datetime64[ms]") - origin
    return since.astype("int64") / 1000


_STEPS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200),
    *(86_400, 172_800, 604_800, 1_209_600, 2_592_000),
)


def _ticks(axis: TimeAxis, whole: float, start: datetime.datetime, *, elapsed: bool) -> Iterator[tuple[float, str]]:
    """Ticks at round times that are not in a fold, and at the end of each fold."""
    pieces = list(_pieces(axis, whole))
    shown = sum(last - first for first, last in pieces)
    step = next((each for each in _STEPS if shown / each <= _TICKS), _STEPS[-1])
    shift = 0.0 if elapsed else (start - _EPOCH).total_seconds()
    room, last_at = float(axis.place(np.array([whole]))[0]) / 12, -math.inf
    for number, (first, last) in enumerate(pieces):
        begin = np.ceil((first + shift) / step)
        number_of_ones = int(np.clip(np.floor((last + shift) / step) + 1 - begin, 0, _MOST_TICKS))
        round_ones = (begin + np.arange(number_of_ones)) * step - shift
        for seconds in ([first] if number else []) + [float(each) for each in round_ones]:
            at = float(axis.place(np.array([seconds]))[0])
            if at - last_at >= room:
                yield at, _label(seconds, start, step, elapsed=elapsed)
                last_at = at


_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def _pieces(axis: TimeAxis, whole: float) -> Iterator[tuple[float, float]]:
    """The times between the folds."""
    at = 0.0
    for fold in axis.folds:
        yield at, fold.start
        at = fold.end
    yield at, whole


def _label(seconds: float, start: datetime.datetime, step: float, *, elapsed: bool) -> str:
    if elapsed:
        return duration(max(seconds, 0.0))
    when = start + datetime.timedelta(seconds=seconds)
    clock = when.strftime("%H:%M" if step >= 60 else "%H:%M:%S")
    return f"{clock}<br>{when:%b} {when.day}"
