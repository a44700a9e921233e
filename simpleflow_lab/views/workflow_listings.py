"""The listings of the `simpleflow` command in upstream's columns.

Where upstream's figures are wrong, these are right: `workflow.info` gives the execution's own input and time, and
`workflow.profile` keeps what is still open.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.swf.fork_start import tag_of_origin
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import TASKS, Attempt, failures_first, last_attempts
from simpleflow_lab.views.formatting import traceback_text, well_formed
from simpleflow_lab.views.history_fold import attempts_of, tasks_of
from simpleflow_lab.views.listings import Kind, Listing, json_text
from simpleflow_lab.views.summary import OPEN, execution_summary

_WORKFLOW_LIST: Final = {"Workflow ID": Kind.TEXT, "Workflow Type": Kind.TEXT, "Status": Kind.STATE}
_WORKFLOW_FILTER: Final = {
    "Workflow ID": Kind.TEXT,
    "Workflow Type": Kind.TEXT,
    "Workflow Version": Kind.TEXT,
    "Run ID": Kind.TEXT,
    "Status": Kind.STATE,
    "Child Policy": Kind.TEXT,
    "Close Status": Kind.STATE,
    "Start Timestamp": Kind.TIME,
    "Close Timestamp": Kind.TIME,
    "Cancel Requested": Kind.TEXT,
    "Execution Timeout": Kind.TEXT,
    "Input": Kind.TEXT,
    "Tags": Kind.TEXT,
    "Decision Tasks Timeout": Kind.TEXT,
    "Parent Workflow ID": Kind.TEXT,
    "Parent Run ID": Kind.TEXT,
}
_WORKFLOW_INFO: Final = {
    "domain": Kind.TEXT,
    "workflow_type.name": Kind.TEXT,
    "workflow_type.version": Kind.TEXT,
    "task_list": Kind.TEXT,
    "workflow_id": Kind.TEXT,
    "run_id": Kind.TEXT,
    "tag_list": Kind.TEXT,
    "execution_time": Kind.SECONDS,
    "input": Kind.TEXT,
}
_WORKFLOW_TASKS: Final = {
    "Tasks": Kind.TEXT,
    "Last State": Kind.STATE,
    "Last State Time": Kind.TIME,
    "Scheduled Time": Kind.TIME,
}
_TASKS_IN_FULL: Final = {
    **dict.fromkeys(("id", "name", "kind"), Kind.TEXT),
    "attempt": Kind.COUNT,
    "state": Kind.STATE,
    **dict.fromkeys(("scheduled", "started", "closed"), Kind.TIME),
    **dict.fromkeys(("waiting", "running"), Kind.SECONDS),
    **dict.fromkeys(("task_list", "worker", "input", "result", "reason", "line"), Kind.TEXT),
}
"""More columns of `workflow.tasks`, by the names that they have in `views.tables.tasks_table`."""
_WORKFLOW_PROFILE: Final = {
    "Task": Kind.TEXT,
    "Last State": Kind.STATE,
    "Scheduled": Kind.TIME,
    "Time Scheduled": Kind.SECONDS,
    "Start": Kind.TIME,
    "Time Running": Kind.SECONDS,
    "End": Kind.TIME,
    "Percentage of total time": Kind.PERCENTAGE,
}
_WORKFLOW_HISTORY: Final = {"Event": Kind.COUNT, "Time": Kind.TIME, "Type": Kind.TEXT, "Attributes": Kind.JSON}


_EXECUTIONS_IN_FULL: Final = {
    **dict.fromkeys(("version", "run_id"), Kind.TEXT),
    **dict.fromkeys(("started", "closed"), Kind.TIME),
    "duration": Kind.SECONDS,
    **dict.fromkeys(("tags", "parent", "cancel_requested"), Kind.TEXT),
}
"""More columns of `workflow.list`, by the names that they have in `views.tables.executions_table`."""


def workflow_list(
    execution_infos: Iterable[Mapping[str, Any]],
    waits: Mapping[str, str] | None = None,
    *,
    in_full: bool = False,
    until: datetime.datetime | None = None,
) -> Listing:
    """`workflow.list`: one row per execution, from the `executionInfos` of boto3's `list_*_workflow_executions`.

    `waits` says in a few words what open ones wait for, by run id; with it there is one more column. With forks among
    them another one says of which run each is a fork. With `in_full` both are there in any case, and the columns that a
    notebook shows; open ones have lasted up to `until`.
    """
    infos = list(execution_infos)
    rows = [
        (
            well_formed(info["execution"]["workflowId"]),
            well_formed(info["workflowType"]["name"]),
            info.get("closeStatus") or info.get("executionStatus") or OPEN,
        )
        for info in infos
    ]
    columns = dict(_WORKFLOW_LIST)
    more: list[list[str | None]] = []
    if waits or in_full:
        columns["Waits For"] = Kind.TEXT
        more.append([(waits or {}).get(info["execution"]["runId"]) for info in infos])
    origins = [tag_of_origin(info.get("tagList")) for info in infos]
    if any(origins) or in_full:
        columns["Forked From"] = Kind.TEXT
        more.append([None if origin is None else well_formed(origin) for origin in origins])
    if in_full:
        columns |= _EXECUTIONS_IN_FULL
        more += map(list, zip(*(_in_full(info, until) for info in infos), strict=True)) if infos else ()
    return Listing(columns=columns, rows=[(*row, *rest) for row, *rest in zip(rows, *more, strict=True)])


def _in_full(info: Mapping[str, Any], until: datetime.datetime | None) -> tuple[Any, ...]:
    started, closed = info["startTimestamp"], info.get("closeTimestamp")
    end = closed or until
    return (
        well_formed(info["workflowType"]["version"]),
        info["execution"]["runId"],
        started,
        closed,
        None if end is None else max((end - started).total_seconds(), 0.0),
        well_formed(",".join(info.get("tagList") or ())),
        well_formed((info.get("parent") or {}).get("workflowId")),
        str(bool(info.get("cancelRequested"))).lower(),
    )


def workflow_filter(infos: Iterable[Mapping[str, Any]], described: Iterable[Mapping[str, Any]]) -> Listing:
    """`workflow.filter`: one row per execution, from its `executionInfo` and its `executionConfiguration` with the
    `input` beside it. (Upstream has the column "Cancel Requested" twice.)"""
    rows = [
        (
            well_formed(info["execution"]["workflowId"]),
            well_formed(info["workflowType"]["name"]),
            well_formed(info["workflowType"]["version"]),
            info["execution"]["runId"],
            info["executionStatus"],
            configuration.get("childPolicy"),
            info.get("closeStatus"),
            info["startTimestamp"],
            info.get("closeTimestamp"),
            str(bool(info.get("cancelRequested"))).lower(),
            configuration.get("executionStartToCloseTimeout"),
            well_formed(configuration.get("input")),
            well_formed(",".join(info.get("tagList", ()))),
            configuration.get("taskStartToCloseTimeout"),
            well_formed(info.get("parent", {}).get("workflowId")),
            info.get("parent", {}).get("runId"),
        )
        for info, configuration in zip(infos, described, strict=True)
    ]
    return Listing(columns=_WORKFLOW_FILTER, rows=rows)


def workflow_info(
    history: History,
    *,
    domain: str = "",
    workflow_id: str = "",
    run_id: str = "",
    until: datetime.datetime | None = None,
    waits: Sequence[tuple[Any, ...]] = (),
) -> Listing:
    """`workflow.info`: one row. `execution_time` is the seconds of the whole execution, `input` is its own input.

    `waits` are the rows of `views.waiting.Waits`; with them there is one more column, `waiting_for`.
    """
    summary = execution_summary(history, until=until)
    row = (
        domain,
        summary.workflow_type,
        summary.version,
        summary.task_list,
        workflow_id,
        run_id,
        ",".join(summary.tag_list),
        summary.duration,
        summary.input,
    )
    if not waits:
        return Listing(columns=_WORKFLOW_INFO, rows=[row])
    names = ("kind", "waits_for", "since", "until", "what_to_do")
    found = json_text([dict(zip(names, wait, strict=True)) for wait in waits])
    return Listing(columns={**_WORKFLOW_INFO, "waiting_for": Kind.JSON}, rows=[(*row, found)])


@dataclass(frozen=True, kw_only=True)
class TaskChoice:
    """The choice of an execution's tasks that are shown. What is not given leaves none out."""

    states: tuple[str, ...] = ()
    """In one of these states; `open` is any that has not closed."""
    name: str | None = None
    """Of this type, by its name or the last part of it, or of this id."""
    slowest: int | None = None
    """The so many that ran longest, these first."""
    every_attempt: bool = False
    """All attempts, and timers; else each task as its latest attempt left it."""

    def of(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Those of these attempts that are shown, in their order, or the slowest first."""
        chosen = list(attempts) if self.every_attempt else [a for a in last_attempts(attempts) if a.kind in TASKS]
        if self.states:
            chosen = [
                each
                for each in chosen
                if {each.state, each.shown_state, "open" if each.open else each.state} & set(self.states)
            ]
        if self.name is not None:
            chosen = [each for each in chosen if self.name in (each.id, each.name, each.name.rsplit(".", 1)[-1])]
        if self.slowest is not None:
            ran = [each for each in chosen if each.running is not None]
            chosen = sorted(ran, key=lambda each: each.running or 0.0, reverse=True)[: self.slowest]
        return chosen


def workflow_tasks(
    history: History,
    nb_tasks: int | None = None,
    *,
    choice: TaskChoice | None = None,
    until: datetime.datetime | None = None,
    in_full: bool = False,
) -> Listing:
    """`workflow.tasks`: a row per task with its last state, the task scheduled last first; `nb_tasks` rows at most.

    Where that leaves tasks out, those that failed come first. A `choice` leaves tasks out; of the slowest it is told
    which they are and how long they ran, what is open up to `until`. With `in_full` the columns that a notebook shows
    are there, too.
    """
    choice = choice or TaskChoice()
    tasks = shown_tasks(choice.of(tasks_of(history, until=until)), nb_tasks, choice=choice)
    return listing_of_tasks(tasks, with_time=choice.slowest is not None, in_full=in_full)


def listing_of_tasks(tasks: Sequence[Attempt], *, with_time: bool = False, in_full: bool = False) -> Listing:
    """A row per task, as in `workflow_tasks`; `with_time` tells which they are and how long they ran."""
    columns = dict(_WORKFLOW_TASKS)
    rows: list[tuple[Any, ...]] = [(task.name, task.shown_state, task.last_state_at, task.scheduled) for task in tasks]
    if with_time:
        columns |= {"ID": Kind.TEXT, "Time Running": Kind.SECONDS}
        rows = [(*row, task.id, task.running) for row, task in zip(rows, tasks, strict=True)]
    if in_full:
        more = {name: kind for name, kind in _TASKS_IN_FULL.items() if name.upper() not in columns}
        columns |= more
        rows = [(*row, *(getattr(task, name) for name in more)) for row, task in zip(rows, tasks, strict=True)]
    return Listing(columns=columns, rows=rows)


def shown_tasks(tasks: Sequence[Attempt], nb_tasks: int | None, *, choice: TaskChoice) -> list[Attempt]:
    """At most so many of the tasks that were chosen: the slowest first, else the latest, and before them what failed
    if not all are shown."""
    if choice.slowest is not None:
        return list(tasks[:nb_tasks])
    latest = sorted(tasks, key=lambda task: task.scheduled_event_id, reverse=True)
    return latest if nb_tasks is None or nb_tasks >= len(latest) else failures_first(latest)[:nb_tasks]


def workflow_profile(
    history: History, nb_tasks: int | None = None, *, until: datetime.datetime | None = None
) -> Listing:
    """`workflow.profile`: one row per attempt, the one that ran longest first; `nb_tasks` rows at most.

    What is open counts up to `until` or the last event and has no `End`; what has not started has neither `Start` nor
    `Time Running`. The percentage is of the time of the execution.
    """
    tasks = [task for task in attempts_of(history, until=until) if task.kind in TASKS]
    tasks.sort(key=lambda task: -1.0 if task.running is None else task.running, reverse=True)
    whole = execution_summary(history, until=until).duration
    rows = [
        (
            task.id,
            task.shown_state,
            task.scheduled,
            task.waiting,
            task.started,
            task.running,
            task.closed,
            percentage(task.running, whole),
        )
        for task in tasks[:nb_tasks]
    ]
    return Listing(columns=_WORKFLOW_PROFILE, rows=rows)


_TASK_INFO: Final = {
    "type": Kind.TEXT,
    "id": Kind.TEXT,
    "name": Kind.TEXT,
    "version": Kind.TEXT,
    "state": Kind.STATE,
    "timestamp": Kind.TIME,
    "input": Kind.TEXT,
    "result": Kind.TEXT,
    "reason": Kind.TEXT,
    "attempt": Kind.COUNT,
    "running": Kind.SECONDS,
    "worker": Kind.TEXT,
}


def task_info(attempts: Iterable[Attempt], *, details: bool = False) -> Listing:
    """`task.info`: one row per attempt of a task; `timestamp` is when it came into its state."""
    rows = [
        (
            task.kind,
            task.id,
            task.name,
            task.version,
            task.shown_state,
            task.last_state_at,
            task.input,
            task.result,
            task.reason if task.reason is not None else task.timeout_type,
            task.attempt,
            task.running,
            task.worker,
            *((traceback_text(task.details) if task.details is not None else None,) if details else ()),
        )
        for task in attempts
    ]
    return Listing(columns={**_TASK_INFO, "details": Kind.TEXT} if details else _TASK_INFO, rows=rows)


def workflow_history(history: History) -> Listing:
    """`workflow.history`: one row per event, with its attributes by SWF's names."""
    rows = [(event.id, event.timestamp, event.type, json_text(event.attributes)) for event in history]
    return Listing(columns=_WORKFLOW_HISTORY, rows=rows)


def percentage(part: float | None, whole: float) -> float | None:
    """Per cent of the whole; `None` for what did not start, or if the whole took no time."""
    return None if part is None or whole <= 0 else 100.0 * part / whole
