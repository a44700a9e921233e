"""Decisions to events: one function per decision type, and the events of a whole decision task.

Rule: pure. A rule takes the state of the execution after the decisions before it, the decision's attributes and the
registered types, and gives exactly one event. Nothing here reads a clock, a database or a network, and no decision is
refused: one that can't be carried out is recorded as its own `…Failed` event with SWF's cause. Causes are checked in
the order of the code; SWF's own order where several apply is not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

from simpleflow_lab.engine.domains_and_types import DEPRECATED, Kind, Type
from simpleflow_lab.engine.execution_state import ExecutionState
from simpleflow_lab.engine.open_questions import CONTINUE_AS_NEW_INHERITS, FAILED_DECISION_FAILS_CLOSE
from simpleflow_lab.engine.validation import (
    ACTIVITY_DEFAULTS,
    EXECUTION_DEFAULTS,
    Request,
    picked,
    with_defaults,
)
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.decisions import attributes_key
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, LAMBDA, TIMER

Attributes = Mapping[str, Any]
NewEvent = tuple[str, dict[str, Any]]
"""Type and attributes of an event that is to be recorded."""

MAX_OPEN_LAMBDAS: Final = 1_000
"""Not among SWF's published quotas; by analogy with the others."""


class Lookup(Protocol):
    """The rest of the engine, as far as rules depend on it."""

    def find_type(self, domain: str, kind: Kind, name: str, version: str) -> Type | None:
        """The type, registered or deprecated; `None` if it is unknown."""
        ...

    def count_open(self, domain: str) -> int:
        """The number of open executions of a domain."""
        ...

    def new_run_id(self) -> str:
        """A run id that no execution has."""
        ...

    def refuses(self, decision_type: str) -> bool:
        """Whether SWF refuses a decision of this type for now."""
        ...


class DecisionContext(NamedTuple):
    """The facts that a rule depends on besides the decision."""

    execution: ExecutionState
    """The state after the decisions before this one."""
    completed_id: int
    """Id of the DecisionTaskCompleted event."""
    failed_before: bool
    """Whether an earlier decision of the same list failed."""
    lookup: Lookup
    """Types, counts and new run ids."""


def events_of_decisions(
    execution: ExecutionState, scheduled_id: int, started_id: int, request: Request, lookup: Lookup
) -> Iterator[NewEvent]:
    """The events of RespondDecisionTaskCompleted. Each must be applied before the next one is generated."""
    completed = {"scheduledEventId": scheduled_id, "startedEventId": started_id}
    completed.update(picked(request, "executionContext", "taskList", "taskListScheduleToStartTimeout"))
    yield "DecisionTaskCompleted", completed
    completed_id = len(execution.events)
    failed = False
    for decision in request.get("decisions", ()):
        decision_type = decision["decisionType"]
        attributes = decision.get(attributes_key(decision_type)) or {}
        context = DecisionContext(execution, completed_id, failed, lookup)
        refusal = _REFUSALS.get(decision_type)
        if refusal is not None and lookup.refuses(decision_type):
            event_type, cause, *members = refusal
            event = _failed(event_type, cause, context, picked(attributes, *members))
        else:
            event = _RULES[decision_type](attributes, context)
        failed = failed or "cause" in event[1]
        yield event


# -- activity tasks ----------------------------------------------------------------------------------------------------


def _schedule_activity_task(decision: Attributes, context: DecisionContext) -> NewEvent:
    execution = context.execution
    named = decision["activityType"]
    found = context.lookup.find_type(execution.run.domain, "ActivityType", named["name"], named["version"])
    resolved, missing = with_defaults(decision, found.defaults if found else {}, ACTIVITY_DEFAULTS)
    cause = None
    if found is None:
        cause = "ACTIVITY_TYPE_DOES_NOT_EXIST"
    elif found.status == DEPRECATED:
        cause = "ACTIVITY_TYPE_DEPRECATED"
    elif execution.entities.open(ACTIVITY, decision["activityId"]) is not None:
        cause = "ACTIVITY_ID_ALREADY_IN_USE"
    elif missing is not None:
        cause = missing.cause
    elif execution.open_counts[ACTIVITY] >= limits.MAX_OPEN_ACTIVITIES:
        cause = "OPEN_ACTIVITIES_LIMIT_EXCEEDED"
    if cause is not None:
        return _failed("ScheduleActivityTaskFailed", cause, context, picked(decision, "activityType", "activityId"))
    resolved.update(picked(decision, "activityType", "activityId", "input", "control"))
    return _recorded("ActivityTaskScheduled", context, resolved)


def _request_cancel_activity_task(decision: Attributes, context: DecisionContext) -> NewEvent:
    activity_id = decision["activityId"]
    if context.execution.entities.open(ACTIVITY, activity_id) is None:
        return _failed("RequestCancelActivityTaskFailed", "ACTIVITY_ID_UNKNOWN", context, {"activityId": activity_id})
    return _recorded("ActivityTaskCancelRequested", context, {"activityId": activity_id})


# -- timers and markers ------------------------------------------------------------------------------------------------


def _start_timer(decision: Attributes, context: DecisionContext) -> NewEvent:
    cause = None
    if context.execution.entities.open(TIMER, decision["timerId"]) is not None:
        cause = "TIMER_ID_ALREADY_IN_USE"
    elif context.execution.open_counts[TIMER] >= limits.MAX_OPEN_TIMERS:
        cause = "OPEN_TIMERS_LIMIT_EXCEEDED"
    if cause is not None:
        return _failed("StartTimerFailed", cause, context, picked(decision, "timerId"))
    return _recorded("TimerStarted", context, picked(decision, "timerId", "startToFireTimeout", "control"))


def _cancel_timer(decision: Attributes, context: DecisionContext) -> NewEvent:
    timer = context.execution.entities.open(TIMER, decision["timerId"])
    if timer is None:
        return _failed("CancelTimerFailed", "TIMER_ID_UNKNOWN", context, picked(decision, "timerId"))
    return _recorded("TimerCanceled", context, {"timerId": decision["timerId"], "startedEventId": timer.id})


def _record_marker(decision: Attributes, context: DecisionContext) -> NewEvent:
    return _recorded("MarkerRecorded", context, picked(decision, "markerName", "details"))


# -- other executions --------------------------------------------------------------------------------------------------


def _start_child_workflow_execution(decision: Attributes, context: DecisionContext) -> NewEvent:
    execution = context.execution
    named = decision["workflowType"]
    found = context.lookup.find_type(execution.run.domain, "WorkflowType", named["name"], named["version"])
    resolved, missing = with_defaults(decision, found.defaults if found else {}, EXECUTION_DEFAULTS)
    cause = None
    if found is None:
        cause = "WORKFLOW_TYPE_DOES_NOT_EXIST"
    elif found.status == DEPRECATED:
        cause = "WORKFLOW_TYPE_DEPRECATED"
    elif missing is not None:
        cause = missing.cause
    elif execution.open_counts[CHILD] >= limits.MAX_OPEN_CHILDREN:
        cause = "OPEN_CHILDREN_LIMIT_EXCEEDED"
    elif context.lookup.count_open(execution.run.domain) >= limits.MAX_OPEN_EXECUTIONS:
        cause = "OPEN_WORKFLOWS_LIMIT_EXCEEDED"
    if cause is not None:
        about = picked(decision, "workflowType", "workflowId", "control")
        return _failed("StartChildWorkflowExecutionFailed", cause, context, {**about, "initiatedEventId": 0})
    resolved.update(picked(decision, "workflowId", "workflowType", "control", "input", "tagList"))
    return _recorded("StartChildWorkflowExecutionInitiated", context, resolved)


def _signal_external_workflow_execution(decision: Attributes, context: DecisionContext) -> NewEvent:
    about = picked(decision, "workflowId", "runId", "signalName", "input", "control")
    return _recorded("SignalExternalWorkflowExecutionInitiated", context, about)


def _request_cancel_external_workflow_execution(decision: Attributes, context: DecisionContext) -> NewEvent:
    about = picked(decision, "workflowId", "runId", "control")
    return _recorded("RequestCancelExternalWorkflowExecutionInitiated", context, about)


def _schedule_lambda_function(decision: Attributes, context: DecisionContext) -> NewEvent:
    cause = None
    if context.execution.entities.open(LAMBDA, decision["id"]) is not None:
        cause = "ID_ALREADY_IN_USE"
    elif context.execution.open_counts[LAMBDA] >= MAX_OPEN_LAMBDAS:
        cause = "OPEN_LAMBDA_FUNCTIONS_LIMIT_EXCEEDED"
    if cause is not None:
        return _failed("ScheduleLambdaFunctionFailed", cause, context, picked(decision, "id", "name"))
    return _recorded(
        "LambdaFunctionScheduled",
        context,
        picked(decision, "id", "name", "control", "input", "startToCloseTimeout"),
    )


# -- closing -----------------------------------------------------------------------------------------------------------


def _unhandled(context: DecisionContext) -> bool:
    """Whether there are events that the decider has not seen, so that SWF refuses to close the execution."""
    return bool(context.execution.queued) or (FAILED_DECISION_FAILS_CLOSE and context.failed_before)


def _complete_workflow_execution(decision: Attributes, context: DecisionContext) -> NewEvent:
    if _unhandled(context):
        return _failed("CompleteWorkflowExecutionFailed", "UNHANDLED_DECISION", context, {})
    return _recorded("WorkflowExecutionCompleted", context, picked(decision, "result"))


def _fail_workflow_execution(decision: Attributes, context: DecisionContext) -> NewEvent:
    if _unhandled(context):
        return _failed("FailWorkflowExecutionFailed", "UNHANDLED_DECISION", context, {})
    return _recorded("WorkflowExecutionFailed", context, picked(decision, "reason", "details"))


def _cancel_workflow_execution(decision: Attributes, context: DecisionContext) -> NewEvent:
    if _unhandled(context):
        return _failed("CancelWorkflowExecutionFailed", "UNHANDLED_DECISION", context, {})
    return _recorded("WorkflowExecutionCanceled", context, picked(decision, "details"))


def _continue_as_new_workflow_execution(decision: Attributes, context: DecisionContext) -> NewEvent:
    run = context.execution.run
    version = decision.get("workflowTypeVersion", run.type_version)
    found = context.lookup.find_type(run.domain, "WorkflowType", run.type_name, version)
    explicit = {**_inherited(context.execution), **decision} if CONTINUE_AS_NEW_INHERITS else decision
    resolved, missing = with_defaults(explicit, found.defaults if found else {}, EXECUTION_DEFAULTS)
    cause = None
    if _unhandled(context):
        cause = "UNHANDLED_DECISION"
    elif found is None:
        cause = "WORKFLOW_TYPE_DOES_NOT_EXIST"
    elif found.status == DEPRECATED:
        cause = "WORKFLOW_TYPE_DEPRECATED"
    elif missing is not None:
        cause = missing.cause
    if cause is not None:
        return _failed("ContinueAsNewWorkflowExecutionFailed", cause, context, {})
    resolved.update(picked(decision, "input", "tagList"))
    resolved["workflowType"] = {"name": run.type_name, "version": version}
    resolved["newExecutionRunId"] = context.lookup.new_run_id()
    return _recorded("WorkflowExecutionContinuedAsNew", context, resolved)


def _inherited(execution: ExecutionState) -> dict[str, Any]:
    return picked(execution.configuration, *(row.member for row in EXECUTION_DEFAULTS), "tagList")


def _recorded(event_type: str, context: DecisionContext, attributes: dict[str, Any]) -> NewEvent:
    attributes["decisionTaskCompletedEventId"] = context.completed_id
    return event_type, attributes


def _failed(event_type: str, cause: str, context: DecisionContext, attributes: dict[str, Any]) -> NewEvent:
    return event_type, {**attributes, "cause": cause, "decisionTaskCompletedEventId": context.completed_id}


_RULES: Final[dict[str, Callable[[Attributes, DecisionContext], NewEvent]]] = {
    "ScheduleActivityTask": _schedule_activity_task,
    "RequestCancelActivityTask": _request_cancel_activity_task,
    "CompleteWorkflowExecution": _complete_workflow_execution,
    "FailWorkflowExecution": _fail_workflow_execution,
    "CancelWorkflowExecution": _cancel_workflow_execution,
    "ContinueAsNewWorkflowExecution": _continue_as_new_workflow_execution,
    "RecordMarker": _record_marker,
    "StartTimer": _start_timer,
    "CancelTimer": _cancel_timer,
    "SignalExternalWorkflowExecution": _signal_external_workflow_execution,
    "RequestCancelExternalWorkflowExecution": _request_cancel_external_workflow_execution,
    "StartChildWorkflowExecution": _start_child_workflow_execution,
    "ScheduleLambdaFunction": _schedule_lambda_function,
}
_REFUSALS: Final[Mapping[str, tuple[str, ...]]] = {
    "ScheduleActivityTask": (
        "ScheduleActivityTaskFailed",
        "ACTIVITY_CREATION_RATE_EXCEEDED",
        "activityType",
        "activityId",
    ),
    "StartTimer": ("StartTimerFailed", "TIMER_CREATION_RATE_EXCEEDED", "timerId"),
    "StartChildWorkflowExecution": (
        "StartChildWorkflowExecutionFailed",
        "CHILD_CREATION_RATE_EXCEEDED",
        "workflowType",
        "workflowId",
        "control",
    ),
    "CompleteWorkflowExecution": ("CompleteWorkflowExecutionFailed", "OPERATION_NOT_PERMITTED"),
    "FailWorkflowExecution": ("FailWorkflowExecutionFailed", "OPERATION_NOT_PERMITTED"),
    "CancelWorkflowExecution": ("CancelWorkflowExecutionFailed", "OPERATION_NOT_PERMITTED"),
}
"""The event, the cause and the attributes with which Amazon refuses a decision for reasons of the account: too many at
once, or not allowed. What it refuses later, a signal or a cancel request to another execution, is not among them."""
