"""A Gantt chart of more tasks than have room: how many of each name waited and ran over time."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.swf.event_types import TIMER
from simpleflow_lab.views.attempts import EPOCH, FAILURES, AttemptColumns, is_failure
from simpleflow_lab.views.formatting import duration, shortened, utc_time
from simpleflow_lab.views.gantt_drawing import Bar, Drawing, Point
from simpleflow_lab.views.gantt_path import PathMarks
from simpleflow_lab.views.gantt_words import bold, counted, in_lines
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.style import WAITING, Style, style_of
from simpleflow_lab.views.time_columns import Times, times_of

MAX_STEPS: Final = 240
"""Steps in time."""
MAX_NAMES: Final = 16
"""Task names; the others share a row."""


def draw_numbers(folded: FoldedHistory, marks: PathMarks, max_bars: int) -> Drawing:
    """Draw the number of attempts of each name that wait (upper half of a row) and run (lower half), step by step."""
    attempts = folded.task_columns
    groups = _most_used(attempts)
    times = _Times.of(attempts)
    start = _ms(attempts.by_name["scheduled"][0])
    end = max(start + 1, _ms(folded.until), times.last)
    steps = max(min(MAX_STEPS, max_bars // (2 * len(groups))), 60)
    edges = np.linspace(start, end, steps + 1)
    at = [_at(edge) for edge in edges]
    step = duration((edges[1] - edges[0]) / 1000)
    note = f"{counted(attempts)}; above, how many wait, below, how many run, in steps of {step}"
    drawing = Drawing(note, row_height=64)
    marks.draw_row(drawing)
    when = [in_lines(f"{utc_time(each)}, {step}") for each in at]
    for name, places in groups.items():
        row, title = drawing.add_row(), bold(name)
        drawing.bands.append((row, row))
        of_name = times.at(places)
        waiting, running = of_name.waiting(end), of_name.running(end)
        waits, runs = waiting.average(edges), running.average(edges)
        for part, of, numbers, floor in (("waiting", WAITING, waits, row - 0.02), ("running", _RAN, runs, row + 0.46)):
            peak = max(float(numbers.max()), 1e-9)
            for i, number in enumerate(numbers.tolist()):
                if number <= 1e-6:
                    continue
                thickness = max(0.42 * number / peak, 0.015)
                hover = in_lines(title, f"{number:,.1f} {part}", when[i])
                bar = Bar(floor - thickness / 2, at[i], at[i + 1], hover, thickness)
                drawing.bar("number", of, bar)
        drawing.labels[row] = in_lines(
            f"{shortened(name, 36)} × {len(places):,}",
            f"at most {waiting.peak():,} waiting, {running.peak():,} running",
        )
        _draw_failures(drawing, attempts, places, row, edges)
    return drawing


def _most_used(attempts: AttemptColumns) -> dict[str, list[int]]:
    """The places of attempts by name, in the order of scheduling; what is beyond `MAX_NAMES` shares a name."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for place, (kind, name) in enumerate(zip(attempts.by_name["kind"], attempts.by_name["name"], strict=True)):
        groups[_TIMERS if kind == TIMER else name].append(place)
    if len(groups) <= MAX_NAMES:
        return groups
    shown = sorted(groups, key=lambda name: len(groups[name]), reverse=True)[: MAX_NAMES - 1]
    rest = f"{len(groups) - len(shown):,} other names"
    merged: dict[str, list[int]] = {}
    for name, group in groups.items():
        merged.setdefault(name if name in shown else rest, []).extend(group)
    return merged


_TIMERS: Final = "timers"


def _draw_failures(
    drawing: Drawing, attempts: AttemptColumns, places: Sequence[int], row: int, edges: np.ndarray[Any, Any]
) -> None:
    """A symbol for every step in which attempts at these places failed, and how many."""
    failures: Counter[tuple[str, int]] = Counter()
    kinds, states, closed = (attempts.by_name[name] for name in ("kind", "state", "closed"))
    for place in places:
        if states[place] in FAILURES and is_failure(kinds[place], states[place]) and closed[place] is not None:
            i = int(np.searchsorted(edges, _ms(closed[place]), side="right")) - 1
            failures[states[place], min(i, len(edges) - 2)] += 1
    for (state, i), number in failures.items():
        hover = in_lines(f"{number:,} {style_of(state).word}", utc_time(_at(edges[i])))
        drawing.point(style_of(state), Point(row + 0.02, _at((edges[i] + edges[i + 1]) / 2), hover))


class _Times:
    """The times of some attempts, in milliseconds since 1970; what has not happened is NaN."""

    def __init__(self, times: np.ndarray[Any, Any]) -> None:
        """`times` has a row for each of the three."""
        self._times = times
        self._scheduled, self._started, self._closed = times

    @classmethod
    def of(cls, attempts: AttemptColumns) -> _Times:
        """Those of these attempts."""
        return cls(np.array([_milliseconds(times_of(attempts, name)) for name in ("scheduled", "started", "closed")]))

    def at(self, places: Sequence[int]) -> _Times:
        """Those of the attempts at these places."""
        return _Times(self._times[:, places])

    @property
    def last(self) -> float:
        """The latest of them."""
        return float(np.nanmax(self._times, initial=0))

    def waiting(self, end: float) -> _Spans:
        """The times between which each waited, at most until this time."""
        until = np.where(np.isnan(self._closed), end, self._closed)
        return _Spans(self._scheduled, np.where(np.isnan(self._started), until, self._started))

    def running(self, end: float) -> _Spans:
        """The same of those that ran."""
        ran = ~np.isnan(self._started)
        return _Spans(self._started[ran], np.where(np.isnan(self._closed), end, self._closed)[ran])


class _Spans:
    """Spans of time, counted."""

    def __init__(self, starts: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]) -> None:
        self._starts, self._ends = np.sort(starts), np.sort(ends)

    def average(self, edges: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The number of them that cover each step between edges, on average over the step."""
        # From the first edge on: sums of thousands of times since 1970 are more than a double holds.
        first = edges[0]
        begun, ended = (_since(edges - first, times - first) for times in (self._starts, self._ends))
        covered: np.ndarray[Any, Any] = np.diff(begun - ended)
        return covered / np.diff(edges)

    def peak(self) -> int:
        """The most of them that there are at one time."""
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
    return (when - EPOCH) // _MILLISECOND


def _milliseconds(times: Times) -> np.ndarray[Any, Any]:
    return np.where(np.isnat(times), np.nan, times.view("int64"))


def _at(ms: float) -> datetime.datetime:
    return EPOCH + datetime.timedelta(milliseconds=float(ms))


_MILLISECOND: Final = datetime.timedelta(milliseconds=1)
