"""The time that each activity took, as a pandas table.

Waiting is the time on a task list before a worker took the task, running the time from there to its close. What is
open counts up to `until`, by default the time of the last event. Percentages are of the time of the whole execution,
so tasks that run side by side add up to more than 100.
"""

from __future__ import annotations

import datetime
from typing import Final

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import FAILURES, TASKS, Attempt
from simpleflow_lab.views.history_fold import FoldedHistory, attempts_of
from simpleflow_lab.views.summary import execution_summary
from simpleflow_lab.views.tables import Column, frame, integers, numbers, texts
from simpleflow_lab.views.workflow_listings import percentage

_PROFILE: Final[dict[str, Column]] = {
    "kind": texts,
    "name": texts,
    "count": integers,
    "attempts": integers,
    "failed": integers,
    "open": integers,
    "total_running": numbers,
    "mean_running": numbers,
    "median_running": numbers,
    "p95_running": numbers,
    "max_running": numbers,
    "total_waiting": numbers,
    "mean_waiting": numbers,
    "percentage": numbers,
}


def profile_table(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> pd.DataFrame:
    """One row per kind and name of task, the one that ran longest in total first.

    Columns: `kind name` (text), `count` (`int64`: tasks, by id), `attempts failed open` (`int64`: attempts, those that
    failed, those that are open), `total_ mean_ median_ p95_ max_running` and `total_ mean_waiting` (`float64`, seconds
    per attempt; `NaN` if none started), `percentage` (`float64`: running, in per cent of the time of the execution).
    """
    groups: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in attempts_of(history, until=until):
        key = attempt[:2]  # kind and name
        group = groups.get(key)
        if group is not None:
            group.append(attempt)
        elif attempt.kind in TASKS:
            groups[key] = [attempt]
    whole = execution_summary(history, until=until).duration
    table = frame(_PROFILE, [(*key, *_statistics(attempts, whole)) for key, attempts in groups.items()])
    return table.sort_values("total_running", ascending=False, kind="stable", ignore_index=True)


def _statistics(attempts: list[Attempt], whole: float) -> tuple[float | int | None, ...]:
    running = np.array([attempt.running for attempt in attempts if attempt.running is not None])
    waiting = np.array([attempt.waiting for attempt in attempts])
    total = float(running.sum())
    started = len(running) > 0
    return (
        len({attempt.id for attempt in attempts}),
        len(attempts),
        sum([attempt.state in FAILURES for attempt in attempts]),  # of a timer it would not be as simple
        sum([attempt.open for attempt in attempts]),
        total,
        float(running.mean()) if started else None,
        float(np.median(running)) if started else None,
        float(np.percentile(running, 95)) if started else None,
        float(running.max()) if started else None,
        float(waiting.sum()),
        float(waiting.mean()),
        percentage(total, whole),
    )
