"""Tables of what an execution's time was spent on, and of how much went on at once.

Rule: each moment from the start to the close (or to `until`) counts once, for the first of these that holds: a task
runs; a task is queued for a worker; a decider decides; a decision is queued for a decider; a pause before a retry
passes; its code waits for a signal; a timer of its code runs; nothing of its own goes on.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.conventions import RETRY_TIMER
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, LAMBDA, TIMER
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import Attempt, is_own_timer
from simpleflow_lab.views.chart import Chart
from simpleflow_lab.views.chart_head import chart_layout, head_height
from simpleflow_lab.views.decision_triggers import DecisionTriggers
from simpleflow_lab.views.formatting import shortened
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.markup import escape
from simpleflow_lab.views.plotly_library import go
from simpleflow_lab.views.style import style_of
from simpleflow_lab.views.summary import execution_summary
from simpleflow_lab.views.tables import TIME_SPENT_TABLE, Column, frame, numbers, texts
from simpleflow_lab.views.workflow_listings import percentage

RUNNING: Final = "running"
QUEUED: Final = "waiting for a worker"
DECIDING: Final = "deciding"
NO_DECIDER: Final = "waiting for a decider"
SIGNALS: Final = "waiting for a signal"
TIMERS: Final = "waiting for a timer"
IDLE: Final = "idle"
PARTS: Final = (RUNNING, QUEUED, DECIDING, NO_DECIDER, SIGNALS, TIMERS, IDLE)
"""The parts of the time: a moment counts for the first that holds."""
GROUPS: Final = ("name", "task_list", "worker")
"""Attributes of an attempt by which `concurrency` can tell tasks apart."""
MAX_STEPS: Final = 600
"""Steps of a line; in a longer history each is the most there was in its time."""
MAX_GROUPS: Final = 8
"""Lines of groups; the others share one."""
APART: Final = 4
"""Queued tasks for each that runs at once, from which number on they have an axis of their own."""
_COLOURS: Final = ("#2a9d8f", "#4c8fcc", "#9d78c2", "#dd8a1c", "#a0705a", "#d1495b", "#5b6b82", "#8b95a5")
_DECISIONS: Final = "#a0705a"
"""Neither that of what runs nor that of what is queued: two of the three lines are dashed."""

Span = tuple[float, float]


class Spent(NamedTuple):
    """The time that an execution spent on one thing."""

    part: str
    """`running`, `waiting for a worker`, `deciding`, `waiting for a decider`, `waiting for a signal`,
    `waiting for a timer` (also the pause before a retry) or `idle`."""
    seconds: float
    """Seconds that it took."""
    percentage: float
    """Of the time of the execution."""


def time_spent(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> tuple[Spent, ...]:
    """The time that an execution spent on each of `PARTS`, a row for each; together they are all of it.

    What is open counts up to `until`, by default the time of the last event. Raises `HistoryError`.
    """
    folded = fold_history(history, until=until)
    if not folded.history:
        return tuple(Spent(part, 0.0, 0.0) for part in PARTS)
    start, end = folded.history[0].timestamp.timestamp(), folded.until.timestamp()
    whole = max(end - start, 0.0)
    found = dict.fromkeys(PARTS, 0.0)
    covered: list[Span] = []
    before = 0.0
    for part, spans in _spans(folded, end):
        covered = _union([*covered, *spans], start, end)
        after = sum(last - first for first, last in covered)
        found[part] += after - before
        before = after
    found[IDLE] = max(whole - before, 0.0)
    return tuple(Spent(part, found[part], percentage(found[part], whole) or 0.0) for part in PARTS)


_SPENT: Final[dict[str, Column]] = {"part": texts, "seconds": numbers, "percentage": numbers}
assert tuple(_SPENT) == Spent._fields


def time_spent_table(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> pd.DataFrame:
    """One row for each of `PARTS`, in that order, also for those that took no time.

    Columns: `part` (text), `seconds` (`float64`), `percentage` (`float64`, of the time of the execution).
    """
    return frame(_SPENT, time_spent(history, until=until), TIME_SPENT_TABLE)


def _spans(folded: FoldedHistory, end: float) -> Iterable[tuple[str, list[Span]]]:
    tasks = [attempt for attempt in folded.attempts if attempt.kind in (ACTIVITY, CHILD, LAMBDA)]
    decisions = folded.decision_tasks
    yield RUNNING, [(_at(each.started), _at(each.closed, end)) for each in tasks if each.started is not None]
    yield QUEUED, [(_at(each.scheduled), _at(each.started or each.closed, end)) for each in tasks]
    yield DECIDING, [(_at(each.started), _at(each.closed, end)) for each in decisions if each.started is not None]
    yield NO_DECIDER, [(_at(each.scheduled), _at(each.started or each.closed, end)) for each in decisions]
    timers = [attempt for attempt in folded.attempts if attempt.kind == TIMER]
    pauses = [attempt for attempt in timers if attempt.id.startswith(RETRY_TIMER)]
    yield TIMERS, [(_at(each.scheduled), _at(each.closed, end)) for each in pauses]
    yield SIGNALS, list(_signal_waits(folded.history, end))
    yield TIMERS, [(_at(each.scheduled), _at(each.closed, end)) for each in timers]


def _signal_waits(history: History, end: float) -> Iterator[Span]:
    """From each decision after which the code waited for a signal, up to the next one that was made."""
    triggers = DecisionTriggers(history)
    closed = [_at(decision.closed, end) for decision in triggers.completed]
    for waits, (first, last) in zip(triggers.waits_after, itertools.pairwise([*closed, end]), strict=True):
        if waits.signals:
            yield first, last


def _at(when: datetime.datetime | None, otherwise: float = 0.0) -> float:
    return otherwise if when is None else when.timestamp()


def _union(spans: Sequence[Span], start: float, end: float) -> list[Span]:
    """The time that is in any of these, in pieces apart from each other, within these bounds."""
    apart: list[Span] = []
    for first, last in sorted((max(first, start), min(last, end)) for first, last in spans):
        if last <= first:
            continue
        if apart and first <= apart[-1][1]:
            if last > apart[-1][1]:
                apart[-1] = apart[-1][0], last
        else:
            apart.append((first, last))
    return apart


# -- how much at once --------------------------------------------------------------------------------------------------


def concurrency(
    history: History | FoldedHistory,
    *,
    by: str | None = None,
    until: datetime.datetime | None = None,
    title: str | None = None,
) -> Chart:
    """The numbers of tasks that ran, of tasks that were queued for a worker, and of open decisions, over time.

    `by` tells what runs apart: by `name`, `task_list` or `worker`. If many more were queued than ran at once, how many
    were queued has an axis of its own, above the other. Raises `UsageError` for another `by`.
    """
    if by is not None and by not in GROUPS:
        raise UsageError(f"tasks are told apart by {', '.join(GROUPS)}, not by {by!r:.80}")
    folded = fold_history(history, until=until)
    summary = execution_summary(folded)
    start = summary.started or folded.until
    end = max(folded.until, start + datetime.timedelta(milliseconds=1))
    tasks = [attempt for attempt in folded.attempts if attempt.kind != TIMER and not is_own_timer(attempt)]
    lines = [
        _line(
            word,
            colour,
            [(_at(each.started), _at(each.closed, _at(end))) for each in members if each.started],
            start,
            end,
        )
        for word, colour, members in _groups(tasks, by)
    ]
    queued = [(_at(each.scheduled), _at(each.started or each.closed, _at(end))) for each in tasks]
    queue = _line("queued for a worker", style_of("scheduled").colour, queued, start, end, dash="dot")
    lines.append(queue)
    open_ = [(_at(each.scheduled), _at(each.closed, _at(end))) for each in folded.decision_tasks]
    lines.append(_line("decisions open", _DECISIONS, open_, start, end, dash="longdash"))
    spent = {each.part: each for each in time_spent(folded)}
    parts = [f"{word} {spent[word].percentage:.0f} %" for word in PARTS if spent[word].percentage >= 0.5]
    head = chart_layout(summary, *parts, title=title)
    at_once = max((_most(line) for line in lines if line is not queue), default=1.0)
    is_apart = _most(queue) > APART * max(at_once, 1.0)
    axes = {"yaxis": _axis(at_once if is_apart else max(at_once, _most(queue)))}
    if is_apart:
        queue.yaxis = "y2"
        axes["yaxis"] |= {"domain": [0, 0.6]}
        axes["yaxis2"] = {**_axis(_most(queue), ticks=2), "domain": [0.7, 1], "anchor": "x"}
    layout = {
        **head,
        "height": 294 + head_height(head),
        "margin": {"l": 50, "r": 36, "t": 6 + head_height(head), "b": 74},
        "hovermode": "x unified",
        "hoversubplots": "axis",
        # plotly would cut a name after 15 characters, and in the middle of what is escaped; ours are short
        "hoverlabel": {**head["hoverlabel"], "namelength": -1},
        "xaxis": {"type": "date", "range": [_plain(start), _plain(end)], "gridcolor": "rgba(128,128,128,.22)",
               "autotickangles": [0, 90], "title": {"text": "time (UTC)", "font": {"size": 11}}},
        **axes,
    }  # fmt: skip
    return Chart(lines, layout)


def _most(line: Any) -> float:
    return float(max(line.y, default=0))


def _axis(most: float, ticks: int = 5) -> dict[str, Any]:
    """The axis of what is at most so much."""
    whole = _whole_ticks(most, ticks)
    return {"range": [0, max(most * 1.08, 1)], **whole, "zeroline": False, "gridcolor": "rgba(128,128,128,.22)"}


def _whole_ticks(most: float, ticks: int) -> dict[str, list[Any]]:
    """At most so many ticks, beside 0, at whole numbers, for there is no half task."""
    steps = (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))
    step = next(step for step in steps if most / step <= ticks)
    values = list(range(0, int(most) + 1, step))
    return {"tickvals": values, "ticktext": [f"{value:,}" for value in values]}


def _plain(when: datetime.datetime) -> str:
    return when.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _groups(tasks: Sequence[Attempt], by: str | None) -> Iterable[tuple[str, str, list[Attempt]]]:
    if by is None:
        return [("running", _COLOURS[0], list(tasks))]
    groups: dict[str, list[Attempt]] = {}
    for attempt in tasks:
        if attempt.started is not None:
            groups.setdefault(getattr(attempt, by) or "none", []).append(attempt)
    largest = sorted(groups, key=lambda name: (-len(groups[name]), name))
    shown = largest[:MAX_GROUPS] if len(largest) <= MAX_GROUPS else largest[: MAX_GROUPS - 1]
    found = [
        (str(escape(_short(name, by))), colour, groups[name]) for name, colour in zip(shown, _COLOURS, strict=False)
    ]
    rest = [attempt for name in largest[len(shown) :] for attempt in groups[name]]
    return [*found, (f"{len(largest) - len(shown):,} others", _COLOURS[-1], rest)] if rest else found


def _short(name: str, by: str) -> str:
    return shortened(name.rsplit(".", 1)[-1] if by == "name" else name, 40)


def _line(
    word: str,
    colour: str,
    spans: Sequence[Span],
    start: datetime.datetime,
    end: datetime.datetime,
    *,
    dash: str | None = None,
) -> Any:
    xs, ys = _steps(spans, _at(start), _at(end))
    times = (np.round(xs * 1000)).astype("int64").astype("datetime64[ms]")
    most = int(ys.max()) if len(ys) else 0
    return go.Scatter(
        name=f"{word}, at most {most:,}",
        mode="lines",
        x=times,
        y=ys,
        line={"color": colour, "width": 1.6, "shape": "hv", "dash": dash},
        fill=None if dash else "tozeroy",
        hoverinfo="name+y",
    )


def _steps(spans: Sequence[Span], start: float, end: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The number of these at one time: when it changes, and to what."""
    clipped = [(max(first, start), min(last, end)) for first, last in spans if last > first]
    firsts = np.sort(np.array([first for first, _ in clipped], dtype="float64"))
    lasts = np.sort(np.array([last for _, last in clipped], dtype="float64"))
    times = np.unique(np.concatenate(([start], firsts, lasts, [end])))
    at_once = np.searchsorted(firsts, times, side="right") - np.searchsorted(lasts, times, side="right")
    if len(times) <= MAX_STEPS:
        return times, at_once
    edges = np.linspace(start, end, MAX_STEPS + 1)
    place = np.searchsorted(times, edges[:-1], side="right") - 1
    most = np.maximum.reduceat(at_once, np.minimum(place, len(at_once) - 1))
    return edges, np.append(most, at_once[-1])
