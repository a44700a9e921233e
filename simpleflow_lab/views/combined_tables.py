"""The tables of many executions as one frame, and the profile of all their tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.views.attempts import FAILURES, TASKS, Attempt, AttemptColumns
from simpleflow_lab.views.formatting import well_formed
from simpleflow_lab.views.tables import OURS, PROFILE_TABLE, attempts_table, texts

IDS: Final = ("workflow_id", "workflow_run_id")
"""The columns that stand before those of the table of one execution. Of a child, `run_id` is its own."""


class Attempts(NamedTuple):
    """The attempts of the tasks of one of the executions, with its ids."""

    workflow_id: str
    run_id: str
    attempts: Sequence[Attempt]


def combined_tasks(parts: Iterable[Attempts]) -> pd.DataFrame:
    """The table of tasks of all parts, in order, behind the columns `IDS` (text): one frame, made once."""
    attempts: list[Attempt] = []
    ids: list[tuple[str | None, str | None]] = []
    for part in parts:
        attempts += part.attempts
        ids += [(well_formed(part.workflow_id), well_formed(part.run_id))] * len(part.attempts)
    table = attempts_table(AttemptColumns.of(attempts))
    for place, column in enumerate(IDS):
        table.insert(place, column, texts([each[place] for each in ids]))
    return table


class Part(NamedTuple):
    """The table of one of the executions, with its ids; each is empty if it is not known."""

    workflow_id: str
    run_id: str
    table: pd.DataFrame


def combined(parts: Iterable[Part], nothing: pd.DataFrame) -> pd.DataFrame:
    """The rows of all parts, in order, behind the columns `IDS` (text).

    `nothing` is the table without rows: the columns and their types are always the same.
    """
    named = [_named(part) for part in parts if len(part.table)] or [_named(Part("", "", nothing))]
    return named[0] if len(named) == 1 else pd.concat(named, ignore_index=True)


def _named(part: Part) -> pd.DataFrame:
    table = part.table.copy(deep=False)
    for place, (column, value) in enumerate(zip(IDS, (part.workflow_id, part.run_id), strict=True)):
        table.insert(place, column, texts([well_formed(value)] * len(table)))
    return table


def profile_of_many(tasks: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """One row per kind and name of task, the one that ran longest in total first.

    `tasks` is the combined table of tasks, `seconds` the time of all executions together. The columns are those of
    `views.profile.profile_table`, with `executions` (`int64`: in how many of them there is such a task) after the name;
    `percentage` is of the time of all executions.
    """
    attempts = tasks[tasks["kind"].isin(sorted(TASKS))]
    attempts = attempts.assign(
        failed=attempts["state"].isin(sorted(FAILURES)),
        execution=attempts.groupby([*IDS], sort=False, dropna=False).ngroup(),
        task=attempts.groupby([*IDS, "id"], sort=False, dropna=False).ngroup(),
    )
    groups = attempts.groupby(["kind", "name"], sort=False, dropna=False)
    running, waiting = groups["running"], groups["waiting"]
    total = running.sum().astype("float64")
    table = pd.DataFrame(
        {
            "executions": groups["execution"].nunique().astype("int64"),
            "count": groups["task"].nunique().astype("int64"),
            "attempts": groups.size().astype("int64"),
            "failed": groups["failed"].sum().astype("int64"),
            "open": groups["open"].sum().astype("int64"),
            "total_running": total,
            "mean_running": running.mean().astype("float64"),
            "median_running": running.median().astype("float64"),
            "p95_running": running.quantile(0.95).astype("float64"),
            "max_running": running.max().astype("float64"),
            "total_waiting": waiting.sum().astype("float64"),
            "mean_waiting": waiting.mean().astype("float64"),
            "percentage": total / seconds * 100 if seconds > 0 else total * np.nan,
        }
    ).reset_index()
    table["kind"], table["name"] = texts(list(table["kind"])), texts(list(table["name"]))
    table.attrs = {OURS: PROFILE_TABLE}
    return table.sort_values("total_running", ascending=False, kind="stable", ignore_index=True)
