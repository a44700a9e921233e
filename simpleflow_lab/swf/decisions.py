"""Decisions in SWF's shape: one builder per decision type.

A decision is what a decider answers: `{"decisionType": …, "…DecisionAttributes": {…}}`. Builders leave out what is
`None`, for SWF takes no nulls, and write durations as SWF does: strings of whole seconds, or `NONE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Decision = dict[str, Any]

DECISION_TYPES: Final[tuple[str, ...]] = (
    "ScheduleActivityTask",
    "RequestCancelActivityTask",
    "CompleteWorkflowExecution",
    "FailWorkflowExecution",
    "CancelWorkflowExecution",
    "ContinueAsNewWorkflowExecution",
    "RecordMarker",
    "StartTimer",
    "CancelTimer",
    "SignalExternalWorkflowExecution",
    "RequestCancelExternalWorkflowExecution",
    "StartChildWorkflowExecution",
    "ScheduleLambdaFunction",
)
"""SWF's decision types, in the order of its service model."""

CLOSING_DECISIONS: Final = frozenset(
    {
        "CompleteWorkflowExecution",
        "FailWorkflowExecution",
        "CancelWorkflowExecution",
        "ContinueAsNewWorkflowExecution",
    }
)
"""Decisions that close the execution; such a one must be the last of its list."""


def attributes_key(decision_type: str) -> str:
    """The member that holds a decision's attributes."""
    return f"{decision_type[0].lower()}{decision_type[1:]}DecisionAttributes"


def attributes(decision: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of a decision."""
    found: Mapping[str, Any] = decision.get(attributes_key(decision["decisionType"]), {})
    return found


def seconds(value: int | float | str | None) -> str | None:
    """A duration as SWF writes it: `None` gives `NONE`, no limit."""
    if value is None:
        return "NONE"
    return value if isinstance(value, str) else str(int(value))


def _decision(decision_type: str, /, **members: Any) -> Decision:
    return {
        "decisionType": decision_type,
        attributes_key(decision_type): {name: value for name, value in members.items() if value is not None},
    }


def schedule_activity_task(
    *,
    activity_id: str,
    name: str,
    version: str,
    input: str | None = None,
    control: str | None = None,
    task_list: str | None = None,
    task_priority: int | str | None = None,
    schedule_to_start_timeout: str | None = None,
    schedule_to_close_timeout: str | None = None,
    start_to_close_timeout: str | None = None,
    heartbeat_timeout: str | None = None,
) -> Decision:
    """Schedule an activity task. Timeouts are SWF's strings; `None` leaves the type's default."""
    return _decision(
        "ScheduleActivityTask",
        activityId=activity_id,
        activityType={"name": name, "version": version},
        input=input,
        control=control,
        taskList=_named(task_list),
        taskPriority=None if task_priority is None else str(task_priority),
        scheduleToStartTimeout=schedule_to_start_timeout,
        scheduleToCloseTimeout=schedule_to_close_timeout,
        startToCloseTimeout=start_to_close_timeout,
        heartbeatTimeout=heartbeat_timeout,
    )


def request_cancel_activity_task(*, activity_id: str) -> Decision:
    """Ask for an open activity task to be canceled."""
    return _decision("RequestCancelActivityTask", activityId=activity_id)


def start_timer(*, timer_id: str, start_to_fire_timeout: int | str, control: str | None = None) -> Decision:
    """Start a timer, in whole seconds; 0 fires at once."""
    return _decision("StartTimer", timerId=timer_id, startToFireTimeout=str(start_to_fire_timeout), control=control)


def cancel_timer(*, timer_id: str) -> Decision:
    """Cancel an open timer."""
    return _decision("CancelTimer", timerId=timer_id)


def record_marker(*, name: str, details: str | None = None) -> Decision:
    """Record a marker."""
    return _decision("RecordMarker", markerName=name, details=details)


def start_child_workflow_execution(
    *,
    workflow_id: str,
    name: str,
    version: str,
    input: str | None = None,
    control: str | None = None,
    task_list: str | None = None,
    task_priority: int | str | None = None,
    execution_start_to_close_timeout: str | None = None,
    task_start_to_close_timeout: str | None = None,
    child_policy: str | None = None,
    tag_list: Sequence[str] | None = None,
    lambda_role: str | None = None,
) -> Decision:
    """Start a child workflow execution. `None` leaves the type's default."""
    return _decision(
        "StartChildWorkflowExecution",
        workflowId=workflow_id,
        workflowType={"name": name, "version": version},
        input=input,
        control=control,
        taskList=_named(task_list),
        taskPriority=None if task_priority is None else str(task_priority),
        executionStartToCloseTimeout=execution_start_to_close_timeout,
        taskStartToCloseTimeout=task_start_to_close_timeout,
        childPolicy=child_policy,
        tagList=None if tag_list is None else list(tag_list),
        lambdaRole=lambda_role,
    )


def signal_external_workflow_execution(
    *,
    workflow_id: str,
    signal_name: str,
    run_id: str | None = None,
    input: str | None = None,
    control: str | None = None,
) -> Decision:
    """Signal another execution, or this one."""
    return _decision(
        "SignalExternalWorkflowExecution",
        workflowId=workflow_id,
        runId=run_id,
        signalName=signal_name,
        input=input,
        control=control,
    )


def request_cancel_external_workflow_execution(
    *, workflow_id: str, run_id: str | None = None, control: str | None = None
) -> Decision:
    """Ask another execution to cancel."""
    return _decision("RequestCancelExternalWorkflowExecution", workflowId=workflow_id, runId=run_id, control=control)


def complete_workflow_execution(*, result: str | None = None) -> Decision:
    """Close the execution as completed."""
    return _decision("CompleteWorkflowExecution", result=result)


def fail_workflow_execution(*, reason: str | None = None, details: str | None = None) -> Decision:
    """Close the execution as failed."""
    return _decision("FailWorkflowExecution", reason=reason, details=details)


def cancel_workflow_execution(*, details: str | None = None) -> Decision:
    """Close the execution as canceled."""
    return _decision("CancelWorkflowExecution", details=details)


def continue_as_new_workflow_execution(
    *,
    input: str | None = None,
    task_list: str | None = None,
    task_priority: int | str | None = None,
    execution_start_to_close_timeout: str | None = None,
    task_start_to_close_timeout: str | None = None,
    child_policy: str | None = None,
    tag_list: Sequence[str] | None = None,
    workflow_type_version: str | None = None,
    lambda_role: str | None = None,
) -> Decision:
    """Close this run and start the next one with an empty history."""
    return _decision(
        "ContinueAsNewWorkflowExecution",
        input=input,
        taskList=_named(task_list),
        taskPriority=None if task_priority is None else str(task_priority),
        executionStartToCloseTimeout=execution_start_to_close_timeout,
        taskStartToCloseTimeout=task_start_to_close_timeout,
        childPolicy=child_policy,
        tagList=None if tag_list is None else list(tag_list),
        workflowTypeVersion=workflow_type_version,
        lambdaRole=lambda_role,
    )


def _named(task_list: str | None) -> dict[str, str] | None:
    return None if task_list is None else {"name": task_list}
