"""The effects of events on the same and on other executions: children, external signals and cancel requests, closing.

Rule: SWF carries these out asynchronously, 20 to 100 ms later; here they run right after the events that caused them
are recorded, in the order of the events, and each records its own. An effect reads the state of the executions at the
time it runs. After a crash the histories alone must tell which effects are missing: see `recovery`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.engine.engine_state import Effect, EngineState, Starter
from simpleflow_lab.engine.execution_state import ExecutionState, cancel_request, started_event
from simpleflow_lab.engine.open_questions import (
    CHILD_OF_CLOSED_PARENT_STARTS,
    CONTINUE_AS_NEW_APPLIES_CHILD_POLICY,
    EXTERNAL_REQUESTS_OUTLIVE_SOURCE,
)
from simpleflow_lab.engine.validation import picked
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, CLOSE_STATUS
from simpleflow_lab.swf.history import HistoryEvent

_STARTED: Final = (
    "input",
    "executionStartToCloseTimeout",
    "taskStartToCloseTimeout",
    "childPolicy",
    "taskList",
    "taskPriority",
    "workflowType",
    "tagList",
    "lambdaRole",
)
"""The attributes that WorkflowExecutionStarted takes from the event that caused it."""


# -- children ----------------------------------------------------------------------------------------------------------


def start_child(state: EngineState, parent: ExecutionState, initiated: HistoryEvent) -> None:
    """Start the child that was initiated, or record that its workflowId is in use."""
    if parent.closed and not CHILD_OF_CLOSED_PARENT_STARTS:
        return
    requested = initiated.attributes
    workflow_id = requested["workflowId"]
    running = state.open_execution(parent.run.domain, workflow_id, None)
    if running is not None or state.damage_of(parent.run.domain, workflow_id) is not None:
        about = picked(requested, "workflowType", "workflowId", "control", "decisionTaskCompletedEventId")
        failed = {**about, "cause": "WORKFLOW_ALREADY_RUNNING", "initiatedEventId": initiated.id}
        _record(state, parent, "StartChildWorkflowExecutionFailed", failed)
        return
    attributes = {
        **picked(requested, *_STARTED),
        "parentWorkflowExecution": parent.run.execution,
        "parentInitiatedEventId": initiated.id,
    }
    child = state.start_execution(parent.run.domain, workflow_id, state.new_run_id(), attributes, Starter.of(parent))
    record_child_started(state, parent, initiated.id, child.run.execution, child.run.workflow_type)


def record_child_started(
    state: EngineState, parent: ExecutionState, initiated_id: int, child: dict[str, str], workflow_type: dict[str, str]
) -> None:
    """Record in the parent that its child was started."""
    attributes = {"workflowExecution": child, "workflowType": workflow_type, "initiatedEventId": initiated_id}
    _record(state, parent, "ChildWorkflowExecutionStarted", attributes)


_CHILD_CLOSED: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "WorkflowExecutionCompleted": ("ChildWorkflowExecutionCompleted", ("result",)),
    "WorkflowExecutionFailed": ("ChildWorkflowExecutionFailed", ("reason", "details")),
    "WorkflowExecutionCanceled": ("ChildWorkflowExecutionCanceled", ("details",)),
    "WorkflowExecutionTerminated": ("ChildWorkflowExecutionTerminated", ()),
    "WorkflowExecutionTimedOut": ("ChildWorkflowExecutionTimedOut", ("timeoutType",)),
}
"""By the child's closing event: the event that is recorded in the parent, and the attributes that it takes over. A
child that continues as new is not reported."""


def notify_parent(state: EngineState, child: ExecutionState, closing: HistoryEvent) -> None:
    """Record in the parent, if it is still open, how its child closed."""
    reported = _CHILD_CLOSED.get(closing.type)
    if reported is None or child.run.parent is None:
        return
    parent = state.open_execution(child.run.domain, *child.run.parent)
    initiated_id = child.configuration["parentInitiatedEventId"]
    entity = parent.entities.get(initiated_id) if parent is not None else None
    if parent is None or entity is None:
        return
    started = entity.at("started")
    if started is None:
        return
    event_type, taken = reported
    attributes = {
        **picked(closing.attributes, *taken),
        "workflowExecution": child.run.execution,
        "workflowType": child.run.workflow_type,
        "initiatedEventId": initiated_id,
        "startedEventId": started.id,
    }
    _record(state, parent, event_type, attributes)


def apply_child_policy(state: EngineState, parent: ExecutionState, closing: HistoryEvent) -> None:
    """Apply the child policy to each open child of an execution that closed."""
    if closing.type == "WorkflowExecutionContinuedAsNew" and not CONTINUE_AS_NEW_APPLIES_CHILD_POLICY:
        return
    policy = closing.attributes.get("childPolicy", parent.configuration["childPolicy"])
    for entity in parent.entities.of(CHILD):
        child = state.open_execution(parent.run.domain, str(entity.name), None)
        if child is not None and child.run.parent == (parent.run.workflow_id, parent.run.run_id):
            apply_policy_to(state, child, policy)


def apply_policy_to(state: EngineState, child: ExecutionState, policy: str) -> None:
    """Apply a child policy to one child: terminate it, request its cancellation, or leave it alone."""
    if policy == "TERMINATE":
        attributes = {"cause": "CHILD_POLICY_APPLIED", "childPolicy": child.configuration["childPolicy"]}
        _record(state, child, "WorkflowExecutionTerminated", attributes)
    elif policy == "REQUEST_CANCEL" and child.run.parent is not None:
        workflow_id, run_id = child.run.parent
        attributes = {
            "cause": "CHILD_POLICY_APPLIED",
            "externalWorkflowExecution": {"workflowId": workflow_id, "runId": run_id},
            "externalInitiatedEventId": 0,
        }
        _record(state, child, "WorkflowExecutionCancelRequested", attributes)


# -- closing -----------------------------------------------------------------------------------------------------------


def close(state: EngineState, execution: ExecutionState, closing: HistoryEvent) -> None:
    """Start the next run, notify the parent and apply the child policy."""
    if closing.type == "WorkflowExecutionContinuedAsNew":
        start_next_run(state, execution, closing)
    notify_parent(state, execution, closing)
    apply_child_policy(state, execution, closing)


def start_next_run(state: EngineState, execution: ExecutionState, closing: HistoryEvent) -> None:
    """Start the run as which a closed one continues; it has the same parent."""
    attributes = {
        **picked(closing.attributes, *_STARTED),
        **picked(execution.configuration, "parentWorkflowExecution", "parentInitiatedEventId"),
        "continuedExecutionRunId": execution.run.run_id,
    }
    run = execution.run
    state.start_execution(
        run.domain, run.workflow_id, closing.attributes["newExecutionRunId"], attributes, Starter.of(execution)
    )


# -- signals and cancel requests to other executions -------------------------------------------------------------------


def signal_external(state: EngineState, source: ExecutionState, initiated: HistoryEvent) -> None:
    """Deliver a signal to an execution, and record in its source whether it was delivered."""
    attributes = {
        **picked(initiated.attributes, "signalName", "input"),
        "externalWorkflowExecution": source.run.execution,
        "externalInitiatedEventId": initiated.id,
    }
    _deliver(state, source, initiated, ("WorkflowExecutionSignaled", attributes), _SIGNALED)


def cancel_external(state: EngineState, source: ExecutionState, initiated: HistoryEvent) -> None:
    """Deliver a cancel request to an execution, and record in its source whether it was delivered."""
    attributes = {"externalWorkflowExecution": source.run.execution, "externalInitiatedEventId": initiated.id}
    _deliver(state, source, initiated, ("WorkflowExecutionCancelRequested", attributes), _CANCEL_REQUESTED)


_SIGNALED: Final = ("ExternalWorkflowExecutionSignaled", "SignalExternalWorkflowExecutionFailed")
_CANCEL_REQUESTED: Final = ("ExternalWorkflowExecutionCancelRequested", "RequestCancelExternalWorkflowExecutionFailed")


def _deliver(
    state: EngineState,
    source: ExecutionState,
    initiated: HistoryEvent,
    message: tuple[str, dict[str, Any]],
    outcomes: tuple[str, str],
) -> None:
    if source.closed and not EXTERNAL_REQUESTS_OUTLIVE_SOURCE:
        return
    requested = initiated.attributes
    target = state.open_execution(source.run.domain, requested["workflowId"], requested.get("runId"))
    if target is not None:
        state.record(target, [message])
        execution = target.run.execution
        _record(state, source, outcomes[0], {"workflowExecution": execution, "initiatedEventId": initiated.id})
    else:
        about = picked(requested, "workflowId", "runId", "control", "decisionTaskCompletedEventId")
        failed = {**about, "cause": "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION", "initiatedEventId": initiated.id}
        _record(state, source, outcomes[1], failed)


# -- tasks -------------------------------------------------------------------------------------------------------------


def cancel_unstarted_activity(state: EngineState, execution: ExecutionState, requested: HistoryEvent) -> None:
    """Cancel an activity task that no worker has started."""
    if execution.closed:
        return
    scheduled = execution.entities.open(ACTIVITY, requested.attributes["activityId"])
    if scheduled is None or started_event(scheduled) is not None:
        return
    latest = cancel_request(scheduled)
    attributes = {"scheduledEventId": scheduled.id, "startedEventId": 0}
    attributes["latestCancelRequestedEventId"] = latest.id if latest else 0
    _record(state, execution, "ActivityTaskCanceled", attributes)


NO_ROLE: Final = "No IAM role is attached to the current workflow execution."
NO_LAMBDA: Final = "The embedded engine runs no AWS Lambda functions."


def refuse_lambda(state: EngineState, execution: ExecutionState, scheduled: HistoryEvent) -> None:
    """Fail a Lambda function as SWF does when its role can't be assumed."""
    message = NO_LAMBDA if "lambdaRole" in execution.configuration else NO_ROLE
    attributes = {"scheduledEventId": scheduled.id, "cause": "ASSUME_ROLE_FAILED", "message": message}
    _record(state, execution, "StartLambdaFunctionFailed", attributes)


def _record(state: EngineState, execution: ExecutionState, event_type: str, attributes: dict[str, Any]) -> None:
    """Record an event, unless the execution is closed."""
    if not execution.closed:
        state.record(execution, [(event_type, attributes)])


EFFECTS: Final[Mapping[str, Effect]] = {
    "StartChildWorkflowExecutionInitiated": start_child,
    "SignalExternalWorkflowExecutionInitiated": signal_external,
    "RequestCancelExternalWorkflowExecutionInitiated": cancel_external,
    "ActivityTaskCancelRequested": cancel_unstarted_activity,
    "LambdaFunctionScheduled": refuse_lambda,
    **dict.fromkeys(CLOSE_STATUS, close),
}
"""The effects by the type of the event that causes them."""
