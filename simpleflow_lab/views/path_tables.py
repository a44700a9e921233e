"""The critical path and the slack of tasks as pandas tables; what `views.tables` says of columns holds here, too."""

from __future__ import annotations

import datetime
from typing import Final

from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import TASKS
from simpleflow_lab.views.critical_path import Segment, critical_path
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.slack import slack
from simpleflow_lab.views.tables import (
    CRITICAL_PATH_TABLE,
    SLACK_TABLE,
    Column,
    flags,
    frame,
    integers,
    numbers,
    optional_integers,
    texts,
    times,
)
from simpleflow_lab.views.workflow_listings import percentage

_SEGMENTS: Final[dict[str, Column]] = {
    "kind": texts,
    "start": times,
    "end": times,
    "seconds": numbers,
    "id": texts,
    "name": texts,
    "attempt": optional_integers,
    "state": texts,
    "task_list": texts,
    "at_once": optional_integers,
    "limit": optional_integers,
    "scheduled_event_id": optional_integers,
}
assert tuple(_SEGMENTS) == Segment._fields

_SLACK: Final[dict[str, Column]] = {
    "kind": texts,
    "name": texts,
    "id": texts,
    "attempt": integers,
    "state": texts,
    "waiting": numbers,
    "running": numbers,
    "slack": numbers,
    "on_path": flags,
    "scheduled_event_id": integers,
}


def critical_path_table(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> pd.DataFrame:
    """One row per segment of the critical path, in the order of time: together they are the time of the execution.

    The columns are the fields of `views.critical_path.Segment`, which says what each means, and `percentage`: `kind id
    name state task_list` (text), `start end` (`datetime64[ms, UTC]`), `seconds percentage` (`float64`; per cent of the
    time of the execution), `attempt at_once limit scheduled_event_id` (`Int64`).
    """
    path = critical_path(history, until=until)
    whole = path.seconds()
    columns = {**_SEGMENTS, "percentage": numbers}
    return frame(
        columns, [(*segment, percentage(segment.seconds, whole)) for segment in path.segments], CRITICAL_PATH_TABLE
    )


def slack_table(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> pd.DataFrame:
    """One row per attempt of every activity task, child and lambda, the one with the least slack first.

    Columns: `kind name id state` (text), `attempt scheduled_event_id` (`int64`), `waiting running` (`float64`, seconds,
    as in `tasks_table`), `slack` (`float64`, seconds: by how much longer it could have taken, at least, and nothing
    that followed would have come later; 0 on the critical path; `NaN` if nothing followed it), `on_path` (`bool`).
    `views.slack` says how it is found.
    """
    folded = fold_history(history, until=until)
    path = critical_path(folded)
    found, on_path = slack(folded, path), path.attempts()
    rows = [
        (
            attempt.kind,
            attempt.name,
            attempt.id,
            attempt.attempt,
            attempt.state,
            attempt.waiting,
            attempt.running,
            found.get(attempt.scheduled_event_id),
            attempt.scheduled_event_id in on_path,
            attempt.scheduled_event_id,
        )
        for attempt in folded.attempts
        if attempt.kind in TASKS
    ]
    return frame(_SLACK, rows, SLACK_TABLE).sort_values("slack", kind="stable", ignore_index=True)
