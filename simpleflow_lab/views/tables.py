"""Histories as pandas tables. Every function gives a new frame and leaves the history alone.

A function takes a history, or a `FoldedHistory` of one that grows; the latter has its own `until`.

Times are `datetime64[ms, UTC]` (`NaT`: did not happen), durations are `float64` seconds (`NaN`: did not start), counts
and event ids are integers, texts are as recorded. Frames are built column by column: a row costs about a microsecond a
column, and 25,000 events are a matter of a tenth of a second.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.swf.event_types import TIMER
from simpleflow_lab.swf.fork_start import tag_of_origin
from simpleflow_lab.swf.history import History
from simpleflow_lab.swf.history_entities import Entities
from simpleflow_lab.views.attempts import FAILURES, TASKS, Attempt, AttemptColumns
from simpleflow_lab.views.formatting import well_formed
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.summary import OPEN
from simpleflow_lab.views.time_columns import Times, milliseconds, times_of
from simpleflow_lab.views.uncollected import uncollected

_NAN: Final = float("nan")
_TEXT_DTYPE: Final = "str" if int(pd.__version__.partition(".")[0]) >= 3 else "object"


# -- columns -----------------------------------------------------------------------------------------------------------


def times(values: Sequence[datetime.datetime | None] | Times) -> pd.Series[Any]:
    """A column of times: `datetime64[ms, UTC]`."""
    known = values if isinstance(values, np.ndarray) else milliseconds(values)
    column: pd.Series[Any] = pd.Series(known).dt.tz_localize("UTC")
    return column


def texts(values: Sequence[str | None]) -> pd.Series[Any]:
    """A column of texts: pandas' own text type, `object` before pandas 3."""
    if _is_missing(values):
        return pd.Series(_NAN if _TEXT_DTYPE == "str" else None, index=pd.RangeIndex(len(values)), dtype=_TEXT_DTYPE)
    return pd.Series(np.array(values, dtype="object"), dtype=_TEXT_DTYPE)


def _is_missing(values: Sequence[object]) -> bool:
    """Whether there is no value at all. Many columns of most histories are empty, and need no look at each value."""
    return len(values) > 0 and values[0] is None and values.count(None) == len(values)


def numbers(values: Sequence[float | None]) -> pd.Series[Any]:
    """A column of `float64`, `NaN` for `None`."""
    return pd.Series(np.array(values, dtype="float64"))  # which makes NaN of None


def integers(values: Sequence[int]) -> pd.Series[Any]:
    """A column of `int64`."""
    return pd.Series(np.array(values, dtype="int64"))


def optional_integers(values: Sequence[int | None]) -> pd.Series[Any]:
    """A column of `Int64`, `<NA>` for `None`."""
    if _is_missing(values):
        return pd.Series(pd.arrays.IntegerArray(np.zeros(len(values), "int64"), np.ones(len(values), "bool")))
    if None not in values:
        return pd.Series(pd.arrays.IntegerArray(np.array(values, dtype="int64"), np.zeros(len(values), "bool")))
    missing = np.array([value is None for value in values], dtype=bool)
    known = np.array([0 if value is None else value for value in values], dtype="int64")
    return pd.Series(pd.arrays.IntegerArray(known, missing))


def flags(values: Sequence[bool]) -> pd.Series[Any]:
    """A column of `bool`."""
    return pd.Series(np.array(values, dtype="bool"))


def optional_flags(values: Sequence[bool | None]) -> pd.Series[Any]:
    """A column of `boolean`, `<NA>` for `None`."""
    return pd.Series(values, dtype="boolean")


def objects(values: Sequence[object]) -> pd.Series[Any]:
    """A column of Python objects."""
    return pd.Series(values, dtype="object")


Column = Callable[[Any], "pd.Series[Any]"]
"""Makes a column of a sequence of values."""


OURS: Final = "simpleflow_lab"
"""The name in a frame's `attrs` of what it is a table of: one of the names below."""
TASKS_TABLE: Final = "tasks"
EXECUTIONS_TABLE: Final = "executions"
EVENTS_TABLE: Final = "events"
POINT_EVENTS_TABLE: Final = "point events"
DECISIONS_TABLE: Final = "decisions"
PROFILE_TABLE: Final = "profile"
CRITICAL_PATH_TABLE: Final = "critical path"
SLACK_TABLE: Final = "slack"
TIME_SPENT_TABLE: Final = "time spent"
DIFFERENCES_TABLE: Final = "differences"


def frame(columns: Mapping[str, Column], rows: Sequence[tuple[Any, ...]], table: str = "") -> pd.DataFrame:
    """A frame of these columns, from rows of as many values. `table` says in its `attrs` which of our tables it is."""
    values: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * len(columns)
    made = frame_of_columns(columns, values)
    if table:
        made.attrs[OURS] = table
    return made


def frame_of_columns(columns: Mapping[str, Column], values: Iterable[Sequence[Any] | Times]) -> pd.DataFrame:
    """A frame of these columns, which have these values."""
    # Arrays, for of series pandas would compare the indexes.
    built = {name: column(value).array for (name, column), value in zip(columns.items(), values, strict=True)}
    return pd.DataFrame(built, copy=False)


_OF_KIND: Final[Mapping[Kind, Column]] = {
    Kind.TEXT: texts,
    Kind.STATE: texts,
    Kind.TIME: times,
    Kind.SECONDS: numbers,
    Kind.COUNT: optional_integers,
    Kind.PERCENTAGE: numbers,
    Kind.JSON: texts,
}
"""The pandas column of each kind."""


def listing_table(listing: Listing) -> pd.DataFrame:
    """A listing as a frame, with the listing's titles as the names of the columns."""
    return frame({title: _OF_KIND[kind] for title, kind in listing.columns.items()}, listing.rows)


# -- tables ------------------------------------------------------------------------------------------------------------

_ATTEMPT: Final[dict[str, Column]] = {
    "kind": texts,
    "name": texts,
    "version": texts,
    "id": texts,
    "attempt": integers,
    "state": texts,
    "open": flags,
    "scheduled": times,
    "started": times,
    "closed": times,
    "waiting": numbers,
    "running": numbers,
    "task_list": texts,
    "worker": texts,
    "input": texts,
    "result": texts,
    "reason": texts,
    "details": texts,
    "timeout_type": texts,
    "priority": optional_integers,
    "cancel_requested": flags,
    "retried": flags,
    "unhandled": flags,
    "run_id": texts,
    "scheduled_event_id": integers,
    "closed_event_id": optional_integers,
    "line": texts,
    "decision_event_id": optional_integers,
    "depends_on": objects,
    "max_parallel": optional_integers,
}
assert tuple(_ATTEMPT) == Attempt._fields


def tasks_table(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> pd.DataFrame:
    """One row per attempt of every activity task, child execution, lambda and timer, in the order of scheduling.

    The columns are the fields of `views.attempts.Attempt`, which says what each means: `kind name version id state
    task_list worker input result reason details timeout_type run_id line` (text), `attempt scheduled_event_id`
    (`int64`), `priority closed_event_id decision_event_id max_parallel` (`Int64`), `open cancel_requested retried
    unhandled` (`bool`), `scheduled started closed` (`datetime64[ms, UTC]`), `waiting running` (`float64`, seconds),
    `depends_on` (a tuple of ids). What is open counts up to `until`, by default the time of the last event. `line` and
    `max_parallel` are missing and `depends_on` is empty where a decider other than ours decided.

    The timers by which deciders wait for a retry or have themselves called again are no tasks of the author's:
    `events_table` has them. That of a deadline is there: code asked for it with a `timeout`. Markers and signals take
    no time and are no tasks: `point_events_table` has them.
    """
    return attempts_table(fold_history(history, until=until).task_columns)


def attempts_table(attempts: AttemptColumns) -> pd.DataFrame:
    """The table of tasks with a row for each of these attempts, which may be those of several histories."""
    with uncollected():
        known = attempts.by_name
        values = (times_of(attempts, name) if _ATTEMPT[name] is times else known[name] for name in _ATTEMPT)
        table = frame_of_columns(_ATTEMPT, values)
    table.attrs[OURS] = TASKS_TABLE
    return table


IN_CHILD: Final = "in_child"
"""The column with the workflow id of the child in which a task failed."""


def failed_rows_first(table: pd.DataFrame, *, limit: int | None) -> pd.DataFrame:
    """A table of tasks with those that failed and were not tried again first, if it has more rows than are shown.

    Any other table is given back, as is a table in another order than that of scheduling: somebody asked for it.
    """
    if table.attrs.get(OURS) != TASKS_TABLE or not {"kind", "state", "retried"} <= set(table.columns):
        return table
    if limit is None or len(table) <= limit or not _is_in_order_of_scheduling(table):
        return table
    failed = table["state"].isin(sorted(FAILURES)) & ~table["retried"].astype(bool)
    failed &= ~((table["kind"] == TIMER) & (table["state"] == "canceled"))
    return pd.concat([table[failed], table[~failed]])


def _is_in_order_of_scheduling(table: pd.DataFrame) -> bool:
    """Whether the tasks of each execution are in that order; an index that was made anew does not say it."""
    if not table.index.is_monotonic_increasing or "scheduled_event_id" not in table.columns:
        return bool(table.index.is_monotonic_increasing)
    ids = [name for name in ("workflow_id", "workflow_run_id") if name in table.columns]
    tasks = table.groupby(ids, sort=False, dropna=False) if ids else table.groupby(lambda _: 0)
    return bool(tasks["scheduled_event_id"].is_monotonic_increasing.all())


def unhandled_failures(history: History | FoldedHistory, below: Sequence[tuple[str, Attempt]] = ()) -> pd.DataFrame:
    """The rows of `tasks_table` that failed at their last attempt, and whose failure the workflow never handled; of an
    open execution those that have failed so far: its code may handle them yet.

    After them those in its children (`below`). One more column, `in_child` (text), has the workflow id of the child,
    and nothing where the task is the execution's own.
    """
    folded = fold_history(history)
    is_open = bool(folded.history) and folded.history.close_status is None
    own = list(filter(_has_failed, folded.attempts)) if is_open else folded.unhandled
    table = frame(_ATTEMPT, [*own, *(attempt for _, attempt in below)], TASKS_TABLE)
    table[IN_CHILD] = texts([*([None] * len(own)), *(well_formed(child) for child, _ in below)])
    return table


def _has_failed(attempt: Attempt) -> bool:
    return attempt.failed and attempt.kind in TASKS and not (attempt.retried or attempt.open)


def point_events_table(history: History | FoldedHistory) -> pd.DataFrame:
    """One row per marker, signal, cancel request and refused decision.

    Columns: `kind name state` (text), `at` (`datetime64[ms, UTC]`), `text` (details, input or cause, as recorded),
    `event_id` (`int64`).
    """
    columns: dict[str, Column] = {
        "kind": texts,
        "name": texts,
        "state": texts,
        "at": times,
        "text": texts,
        "event_id": integers,
    }
    return frame(columns, fold_history(history).point_events, POINT_EVENTS_TABLE)


def events_table(history: History) -> pd.DataFrame:
    """One row per event.

    Columns: `id` (`int64`), `timestamp` (`datetime64[ms, UTC]`), `elapsed` (`float64`, seconds since the first event),
    `type` (text), `kind name state` (text: what the event is about, and the state it puts that in), `entity`
    (`int64`: id of the first event about the same thing), `attributes` (a dict by SWF's names).
    """
    columns: dict[str, Column] = {
        "id": integers,
        "timestamp": times,
        "elapsed": numbers,
        "type": texts,
        "kind": texts,
        "name": texts,
        "state": texts,
        "entity": integers,
        "attributes": objects,
    }
    entities = Entities()
    rows = []
    for event in history:
        entity = entities.apply(event)
        rows.append(
            (
                event.id,
                event.timestamp,
                (event.timestamp - history[0].timestamp).total_seconds(),
                well_formed(event.type),
                entity.kind,
                well_formed(entity.name),
                event.row.state,
                entity.id,
                dict(event.attributes),
            )
        )
    return frame(columns, rows, EVENTS_TABLE)


def decisions_table(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> pd.DataFrame:
    """One row per decision task.

    Columns: `state` (text), `open` (`bool`), `scheduled started completed` (`datetime64[ms, UTC]`; `completed` is when
    it closed, also by a timeout), `waiting deciding` (`float64`, seconds), `worker` (text), `new_events` (`int64`:
    events since the decision task completed before it), `decisions` (`int64`), `kinds` (text:
    `ScheduleActivityTask × 2, StartTimer`), `scheduled_event_id` (`int64`), `closed_event_id` (`Int64`).
    """
    columns: dict[str, Column] = {
        "state": texts,
        "open": flags,
        "scheduled": times,
        "started": times,
        "completed": times,
        "waiting": numbers,
        "deciding": numbers,
        "worker": texts,
        "new_events": integers,
        "decisions": integers,
        "kinds": texts,
        "scheduled_event_id": integers,
        "closed_event_id": optional_integers,
    }
    rows = [task._replace(kinds=_kinds(task.kinds)) for task in fold_history(history, until=until).decision_tasks]  # type: ignore[arg-type]
    return frame(columns, rows, DECISIONS_TABLE)


def _kinds(kinds: Mapping[str, int]) -> str:
    return ", ".join(kind if number == 1 else f"{kind} × {number}" for kind, number in kinds.items())


_EXECUTION: Final[dict[str, Column]] = {
    "workflow_id": texts,
    "run_id": texts,
    "workflow_type": texts,
    "version": texts,
    "status": texts,
    "started": times,
    "closed": times,
    "duration": numbers,
    "tags": objects,
    "parent": texts,
    "cancel_requested": flags,
    "forked_from": texts,
}
EXECUTION_COLUMNS: Final = tuple(_EXECUTION)
"""The columns of `executions_table`."""


def executions_table(
    execution_infos: Iterable[Mapping[str, Any]], *, until: datetime.datetime | None = None
) -> pd.DataFrame:
    """One row per execution, from the `executionInfos` of boto3's `list_open_` and `list_closed_workflow_executions`.

    Columns: `workflow_id run_id workflow_type version status` (text; `OPEN` or SWF's close status), `started closed`
    (`datetime64[ms, UTC]`), `duration` (`float64`, seconds; of an open one up to `until`, else `NaN`), `tags` (a
    tuple), `parent` (text: workflow id), `cancel_requested` (`bool`), `forked_from` (text: run id).
    """
    return frame(_EXECUTION, [_execution(info, until) for info in execution_infos], EXECUTIONS_TABLE)


def _execution(info: Mapping[str, Any], until: datetime.datetime | None) -> tuple[Any, ...]:
    started, closed = info["startTimestamp"], info.get("closeTimestamp")
    end = closed or until
    return (
        well_formed(info["execution"]["workflowId"]),
        well_formed(info["execution"]["runId"]),
        well_formed(info["workflowType"]["name"]),
        well_formed(info["workflowType"]["version"]),
        info.get("closeStatus") or info.get("executionStatus") or OPEN,
        started,
        closed,
        None if end is None else max((end - started).total_seconds(), 0.0),
        tuple(well_formed(tag) for tag in info.get("tagList") or ()),
        well_formed((info.get("parent") or {}).get("workflowId")),
        bool(info.get("cancelRequested")),
        well_formed(tag_of_origin(info.get("tagList"))),
    )
