"""The context of a failed attempt for `Workflow.on_task_failure`: the task, and upstream's record of the attempt."""

from __future__ import annotations

import copy
from typing import Any

from simpleflow_lab.data.fields import take_paths
from simpleflow_lab.data.references import all_loaded
from simpleflow_lab.exceptions import TaskException, WorkflowException
from simpleflow_lab.futures import Future
from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.replay.task_records import Record
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.task import ActivityTask, TaskFailureContext, WorkflowTask


def failure_context(
    run: ReplayedRun,
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
    attempt = _attempt(run, command, event)
    if isinstance(attempt.get("input"), dict) and take_paths(attempt["input"]):
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


def _attempt(run: ReplayedRun, command: Command, event: HistoryEvent) -> Record:
    """Upstream's record of the attempt, with its input decoded and large values in it."""
    name, version = command.type or (None, None)
    record = {"name": name, "version": version, **run.history.attempt(event)}
    record["retry"] = command.attempts.failures.total() - 1
    if record.get("input") is not None:
        record["input"] = run.fields.decode(record["input"])
    if isinstance(record.get("timeout_type"), str):
        record["timeout_value"] = timeout_value(command, record["timeout_type"])
    return record
