"""An execution as a whole, as its history tells it: type, status, times, input and result.

The ids of an execution and its domain are not in its history, and so not here.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.swf.fork_start import input_of_run
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.formatting import well_formed
from simpleflow_lab.views.history_fold import FoldedHistory

OPEN: Final = "OPEN"
"""The status of an execution that has not closed."""


@dataclass(frozen=True, kw_only=True)
class ExecutionSummary:
    """One execution."""

    workflow_type: str
    """Name of its workflow type."""
    version: str
    """Version of its workflow type."""
    task_list: str
    """The task list of its decision tasks."""
    tag_list: tuple[str, ...]
    """Its tags."""
    status: str
    """`OPEN`, or SWF's close status."""
    started: datetime.datetime | None
    """Time of its first event; `None` for a history without events."""
    closed: datetime.datetime | None
    """When it closed."""
    duration: float
    """Seconds from its start to its close, or up to now (`until`)."""
    input: str | None
    """The execution's input, as recorded."""
    result: str | None
    """Its result, as recorded."""
    reason: str | None
    """Why it failed or was terminated, or which timeout it ran into."""
    details: str | None
    """The details of that, as recorded: a traceback."""
    cancel_requested: bool
    """Its cancellation was requested."""
    parent: str | None
    """Workflow id of its parent execution."""
    continues: str | None
    """Run id of the execution that it continues."""
    continued_as: str | None
    """Run id of the execution that continues it."""
    events: int
    """Number of events so far."""


def execution_summary(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> ExecutionSummary:
    """The summary of an execution; while it is open, `duration` counts up to `until` or the last event."""
    duration = execution_duration(history, until=until)
    events: Iterable[HistoryEvent] = history.others if isinstance(history, FoldedHistory) else history
    history = history.history if isinstance(history, FoldedHistory) else history
    first: Mapping[str, Any] = history[0].attributes if history else {}
    last: Mapping[str, Any] = history[-1].attributes if history and history.close_status else {}
    tags = first.get("tagList")
    return ExecutionSummary(
        workflow_type=well_formed(history.workflow_type) or "?",
        version=_inner(first, "workflowType", "version") or "",
        task_list=_inner(first, "taskList", "name") or "",
        tag_list=tuple(well_formed(tag) or "" for tag in tags) if isinstance(tags, list) else (),
        status=history.close_status or OPEN,
        started=history[0].timestamp if history else None,
        closed=history[-1].timestamp if history.close_status else None,
        duration=duration,
        input=well_formed(input_of_run(first.get("input"))),
        result=well_formed(last.get("result")),
        reason=well_formed(last.get("reason") or last.get("cause") or last.get("timeoutType")),
        details=well_formed(last.get("details")),
        cancel_requested=any(event.type == "WorkflowExecutionCancelRequested" for event in events),
        parent=_inner(first, "parentWorkflowExecution", "workflowId"),
        continues=well_formed(first.get("continuedExecutionRunId")),
        continued_as=well_formed(last.get("newExecutionRunId")),
        events=len(history),
    )


def execution_duration(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> float:
    """Seconds from its start to its close; while it is open, up to `until` or the last event."""
    if isinstance(history, FoldedHistory):
        until, history = history.until, history.history
    if not history:
        return 0.0
    last = history[-1].timestamp
    end = last if history.close_status or until is None else until
    return max((end - history[0].timestamp).total_seconds(), 0.0)


def _inner(attributes: Mapping[str, Any], outer: str, inner: str) -> str | None:
    value = attributes.get(outer)
    return well_formed(value.get(inner)) if isinstance(value, Mapping) else None
