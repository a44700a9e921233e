"""The time that each activity took, as a pandas table.

Waiting is the time on a task list before a worker took the task, running the time from there to its close. What is
open counts up to `until`, by default the time of the last event. Percentages are of the time of the whole execution,
so tasks that run side by side add up to more than 100.
"""

from __future__ import annotations

import datetime
import operator
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import FAILURES, TASKS
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.summary import execution_duration
from simpleflow_lab.views.tables import PROFILE_TABLE, Column, frame, integers, numbers, texts
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
    folded = fold_history(history, until=until)
    columns = folded.columns.by_name
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place, key in enumerate(zip(columns["kind"], columns["name"], strict=True)):
        groups[key].append(place)
    whole = execution_duration(folded)
    running, waiting = (np.array(columns[name], dtype="float64") for name in ("running", "waiting"))  # None is NaN
    rows = [
        (*key, *_statistics(columns, places, running[places], waiting[places], whole))
        for key, places in groups.items()
        if key[0] in TASKS
    ]
    rows.sort(key=operator.itemgetter(list(_PROFILE).index("total_running")), reverse=True)
    return frame(_PROFILE, rows, PROFILE_TABLE)


def _statistics(
    columns: Mapping[str, Sequence[Any]],
    places: Sequence[int],
    running: np.ndarray[Any, np.dtype[np.float64]],
    waiting: np.ndarray[Any, np.dtype[np.float64]],
    whole: float,
) -> tuple[float | int | None, ...]:
    """Those of the attempts at these places, which ran and waited for so long."""
    ids, states, still_open = columns["id"], columns["state"], columns["open"]
    running = running[~np.isnan(running)]
    total = float(running.sum())
    started = len(running) > 0
    return (
        len({ids[place] for place in places}),
        len(places),
        sum([states[place] in FAILURES for place in places]),  # of a timer it would not be as simple
        sum([still_open[place] for place in places]),
        total,
        float(running.mean()) if started else None,
        float(np.median(running)) if started else None,
        float(np.percentile(running, 95)) if started else None,
        float(running.max()) if started else None,
        float(waiting.sum()),
        float(waiting.mean()),
        percentage(total, whole),
    )
