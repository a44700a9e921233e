"""The 54 event types of Amazon SWF, one row each.

A history is a list of events, and each event is about one *entity*: an activity task, a timer, a child execution, …
A row has the kind of the entity, the state into which the event puts it, and how the event finds it:

* `opens(name)`: the event is the first of a new entity, named by this attribute (or by nothing);
* `follows(attribute)`: the attribute is the event id of an earlier event of the entity;
* `follows_open(attribute)`: the attribute is the name of the entity, which is open;
* `follows_or_opens(attribute, name)`: `follows` if the attribute is an event id, `opens` if it is 0.

States are SWF's words in lower case, spelled as SWF spells them (`canceled`).

Rule: the engine, the replay and the views fold histories by this table; none of them has a table of event types of its
own.

Source: the service model of Amazon SWF 2012-01-25, `HistoryEvent` and `EventType`; which events schedule a decision
task was read from recorded histories.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypedDict

# Kinds of entity.
EXECUTION: Final = "execution"
DECISION_TASK: Final = "decision_task"
ACTIVITY: Final = "activity"
TIMER: Final = "timer"
CHILD: Final = "child"
SIGNAL: Final = "signal"
MARKER: Final = "marker"
EXTERNAL_SIGNAL: Final = "external_signal"
EXTERNAL_CANCEL: Final = "external_cancel"
LAMBDA: Final = "lambda"
DECISION_FAILURE: Final = "decision_failure"
"""A refused decision that concerns no entity, or one that does not exist."""
UNKNOWN: Final = "unknown"
"""An event of a type that is not in this table: it is kept and shown, and changes nothing."""


class Find(NamedTuple):
    """The way in which an event finds its entity."""

    follows: str | None = None
    """The attribute that holds the id of an earlier event of the entity."""
    follows_open: str | None = None
    """The attribute that holds the name of an open entity."""
    opens: bool = False
    """A new entity starts here (when `follows` leads nowhere, if that is given too)."""
    name: str | None = None
    """The attribute that holds the name of a new entity; `None` for entities without a name."""


class EventType(NamedTuple):
    """One row of the table."""

    entity: str
    """Kind of entity the event is about."""
    state: str
    """The state it puts the entity in."""
    find: Find
    """The way in which the event finds its entity."""
    closes: bool = False
    """No later event is about this entity."""
    wakes: bool = False
    """SWF schedules a decision task after it, unless one is scheduled already."""
    decision: str | None = None
    """The type of the decision that the event records, carried out or refused; `None` if it records none. For one
    event see `HistoryEvent.decision`."""


def _opens(name: str | None = None) -> Find:
    return Find(opens=True, name=name)


def _follows(attribute: str) -> Find:
    return Find(follows=attribute)


def _follows_or_opens(attribute: str, name: str) -> Find:
    return Find(follows=attribute, opens=True, name=name)


class _Flags(TypedDict, total=False):
    closes: bool
    wakes: bool


_CLOSES: Final[_Flags] = {"closes": True}
_WAKES: Final[_Flags] = {"wakes": True}
_CLOSES_AND_WAKES: Final[_Flags] = {"closes": True, "wakes": True}
_THE_EXECUTION: Final = Find()

_CARRIED_OUT: Final = {
    "WorkflowExecutionCompleted": "CompleteWorkflowExecution",
    "WorkflowExecutionFailed": "FailWorkflowExecution",
    "WorkflowExecutionCanceled": "CancelWorkflowExecution",
    "WorkflowExecutionContinuedAsNew": "ContinueAsNewWorkflowExecution",
    "ActivityTaskScheduled": "ScheduleActivityTask",
    "ActivityTaskCancelRequested": "RequestCancelActivityTask",
    "MarkerRecorded": "RecordMarker",
    "TimerStarted": "StartTimer",
    "TimerCanceled": "CancelTimer",
    "StartChildWorkflowExecutionInitiated": "StartChildWorkflowExecution",
    "SignalExternalWorkflowExecutionInitiated": "SignalExternalWorkflowExecution",
    "RequestCancelExternalWorkflowExecutionInitiated": "RequestCancelExternalWorkflowExecution",
    "LambdaFunctionScheduled": "ScheduleLambdaFunction",
}
"""The decision that each of these events records as carried out. One that SWF refused is recorded by an event named
after the decision, as in `StartTimerFailed`."""
_DECISIONS: Final = _CARRIED_OUT | {f"{decision}Failed": decision for decision in _CARRIED_OUT.values()}

_ROWS: Final[dict[str, EventType]] = {
    "WorkflowExecutionStarted": EventType(EXECUTION, "started", _opens(), **_WAKES),
    "WorkflowExecutionCancelRequested": EventType(EXECUTION, "cancel_requested", _THE_EXECUTION, **_WAKES),
    "WorkflowExecutionCompleted": EventType(EXECUTION, "completed", _THE_EXECUTION, **_CLOSES),
    "CompleteWorkflowExecutionFailed": EventType(DECISION_FAILURE, "complete_failed", _opens(), **_CLOSES_AND_WAKES),
    "WorkflowExecutionFailed": EventType(EXECUTION, "failed", _THE_EXECUTION, **_CLOSES),
    "FailWorkflowExecutionFailed": EventType(DECISION_FAILURE, "fail_failed", _opens(), **_CLOSES_AND_WAKES),
    "WorkflowExecutionTimedOut": EventType(EXECUTION, "timed_out", _THE_EXECUTION, **_CLOSES),
    "WorkflowExecutionCanceled": EventType(EXECUTION, "canceled", _THE_EXECUTION, **_CLOSES),
    "CancelWorkflowExecutionFailed": EventType(DECISION_FAILURE, "cancel_failed", _opens(), **_CLOSES_AND_WAKES),
    "WorkflowExecutionContinuedAsNew": EventType(EXECUTION, "continued_as_new", _THE_EXECUTION, **_CLOSES),
    "ContinueAsNewWorkflowExecutionFailed": EventType(
        DECISION_FAILURE, "continue_as_new_failed", _opens(), **_CLOSES_AND_WAKES
    ),
    "WorkflowExecutionTerminated": EventType(EXECUTION, "terminated", _THE_EXECUTION, **_CLOSES),
    "DecisionTaskScheduled": EventType(DECISION_TASK, "scheduled", _opens()),
    "DecisionTaskStarted": EventType(DECISION_TASK, "started", _follows("scheduledEventId")),
    "DecisionTaskCompleted": EventType(DECISION_TASK, "completed", _follows("scheduledEventId"), **_CLOSES),
    "DecisionTaskTimedOut": EventType(DECISION_TASK, "timed_out", _follows("scheduledEventId"), **_CLOSES_AND_WAKES),
    "ActivityTaskScheduled": EventType(ACTIVITY, "scheduled", _opens("activityId")),
    "ScheduleActivityTaskFailed": EventType(ACTIVITY, "schedule_failed", _opens("activityId"), **_CLOSES_AND_WAKES),
    "ActivityTaskStarted": EventType(ACTIVITY, "started", _follows("scheduledEventId")),
    "ActivityTaskCompleted": EventType(ACTIVITY, "completed", _follows("scheduledEventId"), **_CLOSES_AND_WAKES),
    "ActivityTaskFailed": EventType(ACTIVITY, "failed", _follows("scheduledEventId"), **_CLOSES_AND_WAKES),
    "ActivityTaskTimedOut": EventType(ACTIVITY, "timed_out", _follows("scheduledEventId"), **_CLOSES_AND_WAKES),
    "ActivityTaskCanceled": EventType(ACTIVITY, "canceled", _follows("scheduledEventId"), **_CLOSES_AND_WAKES),
    "ActivityTaskCancelRequested": EventType(ACTIVITY, "cancel_requested", Find(follows_open="activityId")),
    "RequestCancelActivityTaskFailed": EventType(
        DECISION_FAILURE, "request_cancel_activity_failed", _opens("activityId"), **_CLOSES_AND_WAKES
    ),
    "WorkflowExecutionSignaled": EventType(SIGNAL, "signaled", _opens("signalName"), **_CLOSES_AND_WAKES),
    "MarkerRecorded": EventType(MARKER, "recorded", _opens("markerName"), **_CLOSES),
    "RecordMarkerFailed": EventType(MARKER, "record_failed", _opens("markerName"), **_CLOSES_AND_WAKES),
    "TimerStarted": EventType(TIMER, "started", _opens("timerId")),
    "StartTimerFailed": EventType(TIMER, "start_failed", _opens("timerId"), **_CLOSES_AND_WAKES),
    "TimerFired": EventType(TIMER, "fired", _follows("startedEventId"), **_CLOSES_AND_WAKES),
    "TimerCanceled": EventType(TIMER, "canceled", _follows("startedEventId"), **_CLOSES),
    "CancelTimerFailed": EventType(DECISION_FAILURE, "cancel_timer_failed", _opens("timerId"), **_CLOSES_AND_WAKES),
    "StartChildWorkflowExecutionInitiated": EventType(CHILD, "initiated", _opens("workflowId")),
    # Refused at once, without an Initiated event, it has initiatedEventId 0; found running later, it has the real one.
    "StartChildWorkflowExecutionFailed": EventType(
        CHILD, "start_failed", _follows_or_opens("initiatedEventId", "workflowId"), **_CLOSES_AND_WAKES
    ),
    "ChildWorkflowExecutionStarted": EventType(CHILD, "started", _follows("initiatedEventId"), **_WAKES),
    "ChildWorkflowExecutionCompleted": EventType(CHILD, "completed", _follows("initiatedEventId"), **_CLOSES_AND_WAKES),
    "ChildWorkflowExecutionFailed": EventType(CHILD, "failed", _follows("initiatedEventId"), **_CLOSES_AND_WAKES),
    "ChildWorkflowExecutionTimedOut": EventType(CHILD, "timed_out", _follows("initiatedEventId"), **_CLOSES_AND_WAKES),
    "ChildWorkflowExecutionCanceled": EventType(CHILD, "canceled", _follows("initiatedEventId"), **_CLOSES_AND_WAKES),
    "ChildWorkflowExecutionTerminated": EventType(
        CHILD, "terminated", _follows("initiatedEventId"), **_CLOSES_AND_WAKES
    ),
    "SignalExternalWorkflowExecutionInitiated": EventType(EXTERNAL_SIGNAL, "initiated", _opens("signalName")),
    "SignalExternalWorkflowExecutionFailed": EventType(
        EXTERNAL_SIGNAL, "failed", _follows_or_opens("initiatedEventId", "workflowId"), **_CLOSES_AND_WAKES
    ),
    "ExternalWorkflowExecutionSignaled": EventType(
        EXTERNAL_SIGNAL, "signaled", _follows("initiatedEventId"), **_CLOSES_AND_WAKES
    ),
    "RequestCancelExternalWorkflowExecutionInitiated": EventType(EXTERNAL_CANCEL, "initiated", _opens("workflowId")),
    "RequestCancelExternalWorkflowExecutionFailed": EventType(
        EXTERNAL_CANCEL, "failed", _follows_or_opens("initiatedEventId", "workflowId"), **_CLOSES_AND_WAKES
    ),
    "ExternalWorkflowExecutionCancelRequested": EventType(
        EXTERNAL_CANCEL, "cancel_requested", _follows("initiatedEventId"), **_CLOSES_AND_WAKES
    ),
    "LambdaFunctionScheduled": EventType(LAMBDA, "scheduled", _opens("id")),
    "LambdaFunctionStarted": EventType(LAMBDA, "started", _follows("scheduledEventId")),
    "LambdaFunctionCompleted": EventType(LAMBDA, "completed", _follows("scheduledEventId"), **_CLOSES_AND_WAKES),
    "LambdaFunctionFailed": EventType(LAMBDA, "failed", _follows("scheduledEventId"), **_CLOSES_AND_WAKES),
    "LambdaFunctionTimedOut": EventType(LAMBDA, "timed_out", _follows("scheduledEventId"), **_CLOSES_AND_WAKES),
    "ScheduleLambdaFunctionFailed": EventType(LAMBDA, "schedule_failed", _opens("id"), **_CLOSES_AND_WAKES),
    "StartLambdaFunctionFailed": EventType(LAMBDA, "start_failed", _follows("scheduledEventId"), **_CLOSES_AND_WAKES),
}

EVENT_TYPES: Final = {name: row._replace(decision=_DECISIONS.get(name)) for name, row in _ROWS.items()}
"""The row of each of SWF's 54 event types."""

UNKNOWN_EVENT_TYPE: Final = EventType(UNKNOWN, "recorded", _opens(), closes=True)


def attributes_key(event_type: str) -> str:
    """The member of SWF's `HistoryEvent` that holds the attributes: `TimerFired` gives `timerFiredEventAttributes`."""
    return ATTRIBUTES_KEYS.get(event_type) or f"{event_type[:1].lower()}{event_type[1:]}EventAttributes"


ATTRIBUTES_KEYS: Final[dict[str, str]] = {name: f"{name[0].lower()}{name[1:]}EventAttributes" for name in EVENT_TYPES}
"""`attributes_key` of every known type, computed once."""

CLOSE_STATUS: Final[dict[str, str]] = {
    "WorkflowExecutionCompleted": "COMPLETED",
    "WorkflowExecutionFailed": "FAILED",
    "WorkflowExecutionCanceled": "CANCELED",
    "WorkflowExecutionTerminated": "TERMINATED",
    "WorkflowExecutionContinuedAsNew": "CONTINUED_AS_NEW",
    "WorkflowExecutionTimedOut": "TIMED_OUT",
}
"""SWF's close status by the event that closes an execution."""
