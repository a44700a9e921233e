"""What `Workflow.on_task_failure` is told of a failed attempt: the task, and the attempt as upstream describes it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.data.fields import PATHS_KEY
from simpleflow_lab.data.references import all_loaded
from simpleflow_lab.exceptions import TaskException, WorkflowException
from simpleflow_lab.futures import Future
from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.run import Run
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.task import ActivityTask, TaskFailureContext, WorkflowTask


def failure_context(
    run: Run,
    command: Command,
    event: HistoryEvent,
    error: Exception,
    task: ActivityTask | WorkflowTask,
    started_event_id: int,
) -> TaskFailureContext:
    """The context for the hook; `event` ended the attempt with `error`, and was first seen by this decision."""
    task = copy.copy(task)
    # Copies, for the hook may change them in place, however deep; and large values themselves.
    args, kwargs = copy.deepcopy(all_loaded(command.arguments))
    task.args, task.kwargs = tuple(args), kwargs
    attempt = _as_upstream(run, command, event)
    if isinstance(attempt.get("input"), dict) and attempt["input"].pop(PATHS_KEY, None):
        attempt["input"].update(copy.deepcopy({"args": args, "kwargs": kwargs}))
    ended = Future(task_id=command.id)
    ended.set_exception(error)
    return TaskFailureContext(
        task,
        attempt,
        ended,
        TaskException if isinstance(task, ActivityTask) else WorkflowException,
        history=run.history,
        current_started_decision_id=started_event_id,
        last_completed_decision_id=next(
            (n for n in range(started_event_id, 0, -1) if run.events[n - 1].type == "DecisionTaskCompleted"), None
        ),
    )


def timeout_value(command: Command, kind: str) -> Any:
    """Seconds of one of the task's timeouts, or the value that SWF has instead of a number."""
    options = command.options
    value = options.get(f"{kind.lower()}_timeout", options.get(f"execution_{kind.lower()}_timeout"))
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _as_upstream(run: Run, command: Command, event: HistoryEvent) -> dict[str, Any]:
    """The attempt as upstream's dict of it: its keys, by what the attempt's events say."""
    is_activity = isinstance(command.task, ActivityTask)
    found: dict[str, Any] = {
        "type": "activity" if is_activity else "child_workflow",
        "id": command.id,
        "name": command.type[0] if command.type else None,
        "version": command.type[1] if command.type else None,
        "retry": command.attempts.failures.total() - 1,
    }
    keys = _ACTIVITY_KEYS if is_activity else _CHILD_KEYS
    for attribute in ("scheduledEventId", "initiatedEventId", "startedEventId"):
        event_id = event.attributes.get(attribute)
        if event_id:
            _describe(run, found, run.events[event_id - 1], keys)
    _describe(run, found, event, keys)
    if isinstance(found.get("timeout_type"), str):
        found["timeout_value"] = timeout_value(command, found["timeout_type"])
    return found


def _describe(run: Run, found: dict[str, Any], event: HistoryEvent, keys: Mapping[str, str]) -> None:
    state = event.row.state
    attributes = event.attributes
    id_key, time_key = _STATE_KEYS.get(state, (f"{state}_id", f"{state}_timestamp"))
    found.update({"state": _UPSTREAM_STATES.get(state, state), id_key: event.id, time_key: event.timestamp})
    found.update({key: attributes[name] for name, key in keys.items() if name in attributes})
    if "input" in attributes:
        found["input"] = run.fields.decode(attributes["input"])
    if "taskList" in attributes:
        found["task_list"] = attributes["taskList"]["name"]
    if "workflowExecution" in attributes:
        execution = attributes["workflowExecution"]
        found.update({"workflow_id": execution["workflowId"], "run_id": execution["runId"]})


_UPSTREAM_STATES: Final = {"initiated": "start_initiated"}
_STATE_KEYS: Final = {"initiated": ("initiated_event_id", "initiated_event_timestamp")}
_COMMON_KEYS: Final = {
    "decisionTaskCompletedEventId": "decision_task_completed_event_id",
    "control": "control",
    "reason": "reason",
    "details": "details",
    "timeoutType": "timeout_type",
    "cause": "cause",
}
_ACTIVITY_KEYS: Final[Mapping[str, str]] = {**_COMMON_KEYS, "identity": "identity", "activityType": "activity_type"}
_CHILD_KEYS: Final[Mapping[str, str]] = {
    **_COMMON_KEYS,
    "input": "raw_input",
    "childPolicy": "child_policy",
    "tagList": "tag_list",
}
