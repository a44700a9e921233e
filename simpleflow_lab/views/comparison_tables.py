"""The tasks of two executions as a pandas table; what `views.tables` says of columns holds here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.views.tables import DIFFERENCES_TABLE, Column, frame, integers, numbers, optional_flags, texts
from simpleflow_lab.views.task_differences import TaskDifference

_DIFFERENCES: Final[dict[str, Column]] = {
    "kind": texts,
    "name": texts,
    "id": texts,
    "state_a": texts,
    "state_b": texts,
    "attempts_a": integers,
    "attempts_b": integers,
    "waiting_a": numbers,
    "waiting_b": numbers,
    "running_a": numbers,
    "running_b": numbers,
    "longer": numbers,
    "same_input": optional_flags,
    "same_result": optional_flags,
}
assert tuple(_DIFFERENCES) == TaskDifference._fields


def differences_table(differences: Sequence[TaskDifference]) -> pd.DataFrame:
    """One row per task of two executions, in the order of scheduling.

    The columns are the fields of `views.task_differences.TaskDifference`: `kind name id state_a state_b` (text),
    `attempts_a attempts_b` (`int64`), `waiting_a waiting_b running_a running_b longer` (`float64`, seconds; `NaN` where
    the task is not there), `same_input same_result` (`boolean`).
    """
    return frame(_DIFFERENCES, differences, DIFFERENCES_TABLE)
