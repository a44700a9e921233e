"""The listings of the `simpleflow` command, in upstream's columns, as plain Python values.

No pandas here: a command that prints ten lines should not wait for it. Times are timezone-aware `datetime`s, durations
are seconds; whoever prints them decides how they look. Where upstream's figures are wrong they are right here:
`workflow.info` gives the execution's own input and time, and `workflow.profile` keeps what is still open.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import TASKS, attempts_of, last_attempts
from simpleflow_lab.views.formatting import well_formed
from simpleflow_lab.views.summary import OPEN, execution_facts


class Listing(NamedTuple):
    """A table of plain values."""

    headers: tuple[str, ...]
    """One title a column."""
    rows: list[tuple[Any, ...]]
    """One tuple a row, as wide as the headers: `str`, `int`, `float`, `datetime` or `None`."""


def workflow_list(execution_infos: Iterable[Mapping[str, Any]]) -> Listing:
    """`workflow.list`: one row per execution, from the `executionInfos` of boto3's `list_*_workflow_executions`."""
    return Listing(
        ("Workflow ID", "Workflow Type", "Status"),
        [
            (
                well_formed(info["execution"]["workflowId"]),
                well_formed(info["workflowType"]["name"]),
                info.get("closeStatus") or info.get("executionStatus") or OPEN,
            )
            for info in execution_infos
        ],
    )


def workflow_info(
    history: History,
    *,
    domain: str = "",
    workflow_id: str = "",
    run_id: str = "",
    until: datetime.datetime | None = None,
) -> Listing:
    """`workflow.info`: one row. `execution_time` is the seconds of the whole execution, `input` is its own input."""
    facts = execution_facts(history, until=until)
    return Listing(
        (
            "domain",
            "workflow_type.name",
            "workflow_type.version",
            "task_list",
            "workflow_id",
            "run_id",
            "tag_list",
            "execution_time",
            "input",
        ),
        [
            (
                domain,
                facts.workflow_type,
                facts.version,
                facts.task_list,
                workflow_id,
                run_id,
                ",".join(facts.tag_list),
                facts.duration,
                facts.input,
            )
        ],
    )


def workflow_tasks(history: History, nb_tasks: int | None = None) -> Listing:
    """`workflow.tasks`: a row per task with its last state, the task scheduled last first; `nb_tasks` rows at most."""
    tasks = [task for task in last_attempts(attempts_of(history)) if task.kind in TASKS]
    tasks.sort(key=lambda task: task.scheduled_event_id, reverse=True)
    return Listing(
        ("Tasks", "Last State", "Last State Time", "Scheduled Time"),
        [(task.name, task.state, task.last_state_at, task.scheduled) for task in tasks[:nb_tasks]],
    )


def workflow_profile(
    history: History, nb_tasks: int | None = None, *, until: datetime.datetime | None = None
) -> Listing:
    """`workflow.profile`: one row per attempt, the one that ran longest first; `nb_tasks` rows at most.

    `Time Scheduled` and `Time Running` are seconds; what is open counts up to `until` or the last event and has no
    `End`; what has not started has neither `Start` nor `Time Running`. The percentage is of the time of the execution.
    """
    tasks = [task for task in attempts_of(history, until=until) if task.kind in TASKS]
    tasks.sort(key=lambda task: -1.0 if task.running is None else task.running, reverse=True)
    whole = execution_facts(history, until=until).duration
    return Listing(
        (
            "Task",
            "Last State",
            "Scheduled",
            "Time Scheduled",
            "Start",
            "Time Running",
            "End",
            "Percentage of total time",
        ),
        [
            (
                task.id,
                task.state,
                task.scheduled,
                task.waiting,
                task.started,
                task.running,
                task.closed,
                percentage(task.running, whole),
            )
            for task in tasks[:nb_tasks]
        ],
    )


def percentage(part: float | None, whole: float) -> float | None:
    """Per cent of the whole; `None` for what did not start, or if the whole took no time."""
    return None if part is None or whole <= 0 else 100.0 * part / whole
