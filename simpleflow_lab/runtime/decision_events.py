"""The events of a decision task: those that it brings, on however many pages, those before them, and what they say.

Each event is shared with whoever else reads the same history in this process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simpleflow_lab.constants import DEFAULT_DECISION_TASK_TIMEOUT
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.swf.conventions import deaths_of
from simpleflow_lab.swf.history import HistoryEvent, shared_events


def new_events(context: WorkerContext, task_list: str, task: Mapping[str, Any]) -> list[HistoryEvent]:
    """The events since the previous decision task, all pages."""
    events = shared_events(task["events"])
    page = task.get("nextPageToken")
    while page:
        answer = context.service.poll_for_decision_task(
            domain=context.domain,
            taskList={"name": task_list},
            identity=context.identity,
            startAtPreviousStartedEvent=True,
            nextPageToken=page,
        )
        events.extend(shared_events(answer["events"]))
        page = answer.get("nextPageToken")
    return events


def events_before(context: WorkerContext, task: Mapping[str, Any], event_id: int) -> list[HistoryEvent]:
    """The events of the execution of a decision task before this id."""
    events: list[HistoryEvent] = []
    if event_id == 1:
        return events
    page: dict[str, Any] = {}
    while True:
        answer = context.service.get_workflow_execution_history(
            domain=context.domain, execution=dict(task["workflowExecution"]), **page
        )
        events.extend(shared_events(event for event in answer["events"] if event["eventId"] < event_id))
        if not answer.get("nextPageToken") or len(events) >= event_id - 1:
            return events
        page = {"nextPageToken": answer["nextPageToken"]}


def deaths_in(task: Mapping[str, Any]) -> int:
    """The number of processes in a row that have died deciding this task."""
    for event in reversed(task["events"]):
        if event["eventId"] == task["startedEventId"]:
            return deaths_of(event.get("decisionTaskStartedEventAttributes", {}).get("identity"))
    return 0


def timeout_of(events: Sequence[HistoryEvent]) -> float:
    """The timeout, in seconds, of the decision task that these events end with."""
    for event in reversed(events):
        if event.type == "DecisionTaskScheduled":
            timeout = str(event.attributes.get("startToCloseTimeout"))
            return float(timeout if timeout.isdigit() else DEFAULT_DECISION_TASK_TIMEOUT)
    return float(DEFAULT_DECISION_TASK_TIMEOUT)
