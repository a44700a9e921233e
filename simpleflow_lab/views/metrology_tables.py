"""The amounts that activities read and wrote, as pandas tables: their figures, with the times of the history.

The figures come from objects that others may have written: values of a wrong type are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.swf.event_types import ACTIVITY
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.tables import Column, frame, integers, numbers, texts

_STEPS: Final[dict[str, Column]] = {
    "task": texts,
    "name": texts,
    "attempt": integers,
    "state": texts,
    "waiting": numbers,
    "running": numbers,
    "step": texts,
    "seconds": numbers,
    "read_bytes": integers,
    "read_records": integers,
    "write_bytes": integers,
    "write_records": integers,
}
_FIGURES: Final = ("read_bytes", "read_records", "write_bytes", "write_records")


def metrology_table(history: History | FoldedHistory, records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per step of each attempt of an activity task, in the history's order.

    Columns: `task name state step` (text: the task's id, the activity's name, the attempt's state, the step's name),
    `attempt` (`int64`), `waiting running` (`float64`: the attempt's seconds), `seconds` (`float64`: the step's; `NaN`
    if it did not end), `read_bytes read_records write_bytes write_records` (`int64`), and each of these four per second
    (`float64`, `…_s`; `NaN` where the step took no time).
    """
    table = frame(_STEPS, list(_rows(fold_history(history), records)))
    return _with_rates(table)


def metrology_by_activity(table: pd.DataFrame) -> pd.DataFrame:
    """The steps of `metrology_table` summed up, one row per activity and step: `name step count seconds`, the four
    figures, and each of them per second."""
    groups = table.groupby(["name", "step"], sort=False)
    summed = groups[["seconds", *_FIGURES]].sum().reset_index()
    summed.insert(2, "count", groups.size().to_numpy())
    return _with_rates(summed)


def _with_rates(table: pd.DataFrame) -> pd.DataFrame:
    seconds = table["seconds"].to_numpy()
    for name in _FIGURES:
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = table[name].to_numpy() / seconds
        table[f"{name}_s"] = np.where(seconds > 0, rates, np.nan)
    return table


def _rows(folded: FoldedHistory, records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    attempts = {attempt.scheduled_event_id: attempt for attempt in folded.attempts if attempt.kind == ACTIVITY}
    by_start = {record["started_event_id"]: record for record in records}
    for event in folded.history:
        record = by_start.get(event.id) if event.type == "ActivityTaskStarted" else None
        attempt = attempts.get(event.attributes["scheduledEventId"]) if record is not None else None
        if record is not None and attempt is not None and isinstance(record.get("steps"), list):
            for step in record["steps"]:
                if isinstance(step, dict):
                    yield _row(attempt, step)


def _row(attempt: Attempt, step: Mapping[str, Any]) -> tuple[Any, ...]:
    seconds = step.get("time_total")
    return (
        attempt.id,
        attempt.name,
        attempt.attempt,
        attempt.state,
        attempt.waiting,
        attempt.running,
        str(step.get("name")),
        float(seconds) if isinstance(seconds, int | float) else None,
        *(_count(step.get(side), what) for side in ("read", "write") for what in ("bytes", "records")),
    )


def _count(side: Any, what: str) -> int:
    value = side.get(what) if isinstance(side, dict) else None
    return int(value) if isinstance(value, int | float) and abs(value) < 2**63 else 0
