"""One typed table, `Listing`, and the listings of the `simpleflow` command in upstream's columns.

A listing holds plain Python values and says of each column what kind of values it holds. Shell, CSV, JSON and notebook
each have one way to write a kind, so they show any listing without knowing which command made it.

No pandas here: a command that prints ten lines should not wait for it. Where upstream's figures are wrong, these are
right: `workflow.info` gives the execution's own input and time, and `workflow.profile` keeps what is still open.
"""

from __future__ import annotations

import datetime
import enum
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import TASKS, last_attempts
from simpleflow_lab.views.formatting import well_formed
from simpleflow_lab.views.history_fold import attempts_of
from simpleflow_lab.views.summary import OPEN, execution_summary


class Kind(enum.Enum):
    """What a column of a listing holds. Any cell may also be `None`: there is no value."""

    TEXT = "text"
    """`str`, as recorded."""
    STATE = "state"
    """The state of a task (`completed`) or the status of an execution (`COMPLETED`), a `str` in SWF's spelling."""
    TIME = "time"
    """A timezone-aware `datetime`."""
    SECONDS = "seconds"
    """A duration: `float` or `int`."""
    COUNT = "count"
    """A whole number: of things, or an event id."""
    PERCENTAGE = "percentage"
    """A share of a whole: `float`, 0 to 100."""
    JSON = "json"
    """A JSON text, made by `json_text`. Where listings are written as JSON, it becomes the value itself."""

    @property
    def is_number(self) -> bool:
        """Whether cells are numbers, which people read from the right."""
        return self in (Kind.SECONDS, Kind.COUNT, Kind.PERCENTAGE)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A table of plain values, with the kind of each column."""

    columns: Mapping[str, Kind]
    """The kind of each column by its title, in the order of the columns."""
    rows: Sequence[tuple[Any, ...]]
    """One tuple a row, with one value a column."""

    @property
    def headers(self) -> tuple[str, ...]:
        """The titles of the columns."""
        return tuple(self.columns)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """A value as a JSON text in which all alphabets stay readable; what JSON does not have becomes `plain` text."""
    return json.dumps(value, ensure_ascii=False, default=plain, indent=indent)


def plain(value: Any) -> str:
    """A value that is no number as text: a time in ISO 8601, in UTC with milliseconds; anything else as its `str`."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


# -- upstream's listings -----------------------------------------------------------------------------------------------

_WORKFLOW_LIST: Final = {"Workflow ID": Kind.TEXT, "Workflow Type": Kind.TEXT, "Status": Kind.STATE}
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


def workflow_list(execution_infos: Iterable[Mapping[str, Any]], waits: Mapping[str, str] | None = None) -> Listing:
    """`workflow.list`: one row per execution, from the `executionInfos` of boto3's `list_*_workflow_executions`.

    `waits` says in a few words what open ones wait for, by run id; with it there is one more column.
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
    if not waits:
        return Listing(columns=_WORKFLOW_LIST, rows=rows)
    reasons = [waits.get(info["execution"]["runId"]) for info in infos]
    return Listing(
        columns={**_WORKFLOW_LIST, "Waits For": Kind.TEXT},
        rows=[(*row, reason) for row, reason in zip(rows, reasons, strict=True)],
    )


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


def workflow_tasks(history: History, nb_tasks: int | None = None) -> Listing:
    """`workflow.tasks`: a row per task with its last state, the task scheduled last first; `nb_tasks` rows at most."""
    tasks = [task for task in last_attempts(attempts_of(history)) if task.kind in TASKS]
    tasks.sort(key=lambda task: task.scheduled_event_id, reverse=True)
    rows = [(task.name, task.state, task.last_state_at, task.scheduled) for task in tasks[:nb_tasks]]
    return Listing(columns=_WORKFLOW_TASKS, rows=rows)


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
            task.state,
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


def workflow_history(history: History) -> Listing:
    """`workflow.history`: one row per event, with its attributes by SWF's names."""
    rows = [(event.id, event.timestamp, event.type, json_text(event.attributes)) for event in history]
    return Listing(columns=_WORKFLOW_HISTORY, rows=rows)


def percentage(part: float | None, whole: float) -> float | None:
    """Per cent of the whole; `None` for what did not start, or if the whole took no time."""
    return None if part is None or whole <= 0 else 100.0 * part / whole
