"""Recorded decisions against asked ones.

Each decision leaves one event right behind its `DecisionTaskCompleted`. While a history is replayed, every such event
must be something the code asked for, of the same type and with the same input; and what the code asked for by then must
be there. Otherwise the code is not the code that wrote this history: `NondeterminismError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.data.codec import parse
from simpleflow_lab.data.references import is_reference, same_text
from simpleflow_lab.exceptions import NondeterminismError
from simpleflow_lab.replay import requests
from simpleflow_lab.replay.requests import Asked, Request, describe, line_text
from simpleflow_lab.swf.control import read_control
from simpleflow_lab.swf.history import HistoryEvent


class Recorded(NamedTuple):
    """What kind of request an event records, and the attribute that holds the request's id."""

    kind: str
    id_attribute: str | None
    close: str | None = None
    """For events of a close decision: the decision type."""


RECORDED: Final[Mapping[str, Recorded]] = {
    "ActivityTaskScheduled": Recorded(requests.ACTIVITY, "activityId"),
    "ScheduleActivityTaskFailed": Recorded(requests.ACTIVITY, "activityId"),
    "ActivityTaskCancelRequested": Recorded(requests.CANCEL_ACTIVITY, "activityId"),
    "RequestCancelActivityTaskFailed": Recorded(requests.CANCEL_ACTIVITY, "activityId"),
    "RequestCancelExternalWorkflowExecutionInitiated": Recorded(requests.CANCEL_CHILD, "workflowId"),
    "RequestCancelExternalWorkflowExecutionFailed": Recorded(requests.CANCEL_CHILD, "workflowId"),
    "StartChildWorkflowExecutionInitiated": Recorded(requests.CHILD, "workflowId"),
    "StartChildWorkflowExecutionFailed": Recorded(requests.CHILD, "workflowId"),
    "TimerStarted": Recorded(requests.TIMER, "timerId"),
    "StartTimerFailed": Recorded(requests.TIMER, "timerId"),
    "TimerCanceled": Recorded(requests.CANCEL_TIMER, "timerId"),
    "CancelTimerFailed": Recorded(requests.CANCEL_TIMER, "timerId"),
    "MarkerRecorded": Recorded(requests.MARKER, "markerName"),
    "RecordMarkerFailed": Recorded(requests.MARKER, "markerName"),
    "SignalExternalWorkflowExecutionInitiated": Recorded(requests.SIGNAL, "signalName"),
    # It names only whom the signal was for.
    "SignalExternalWorkflowExecutionFailed": Recorded(requests.SIGNAL, None),
    "WorkflowExecutionCompleted": Recorded(requests.CLOSE, None, "CompleteWorkflowExecution"),
    "CompleteWorkflowExecutionFailed": Recorded(requests.CLOSE, None, "CompleteWorkflowExecution"),
    "WorkflowExecutionFailed": Recorded(requests.CLOSE, None, "FailWorkflowExecution"),
    "FailWorkflowExecutionFailed": Recorded(requests.CLOSE, None, "FailWorkflowExecution"),
    "WorkflowExecutionCanceled": Recorded(requests.CLOSE, None, "CancelWorkflowExecution"),
    "CancelWorkflowExecutionFailed": Recorded(requests.CLOSE, None, "CancelWorkflowExecution"),
    "WorkflowExecutionContinuedAsNew": Recorded(requests.CLOSE, None, "ContinueAsNewWorkflowExecution"),
    "ContinueAsNewWorkflowExecutionFailed": Recorded(requests.CLOSE, None, "ContinueAsNewWorkflowExecution"),
}
"""The events that record a decision. Decisions no workflow of ours can ask for are not in it."""

_WITHOUT_INPUT: Final = frozenset({requests.CANCEL_ACTIVITY, requests.CANCEL_CHILD, requests.CANCEL_TIMER})

_INPUT_ATTRIBUTE: Final = {requests.TIMER: "startToFireTimeout", requests.MARKER: "details"}


def match(event: HistoryEvent, asked: Asked) -> Request:
    """The request that this event records. Raises `NondeterminismError` if the code did not ask for it, or not so."""
    recorded = RECORDED[event.type]
    event_id = recorded.close or str(event.attributes.get(recorded.id_attribute or ""))
    if recorded.id_attribute or recorded.close:
        candidates = asked.named(recorded.kind, event_id)
    else:
        candidates = [request for request in asked if request.kind == recorded.kind and _same(event, request)]
    for request in candidates:
        if _same(event, request):
            return request
    if candidates:
        raise _error(event, candidates[0])
    raise _error(event, next((request for request in asked if request.kind == recorded.kind), next(iter(asked), None)))


def nothing_left(completed: HistoryEvent, asked: Iterable[Request]) -> None:
    """Raise `NondeterminismError` for a request that the history should have recorded by this decision task."""
    for request in asked:
        raise NondeterminismError(
            event_id=completed.id,
            recorded=None,
            requested=request.describe(),
            requested_line=line_text(request.line) if request.line else None,
        )


def _same(event: HistoryEvent, request: Request) -> bool:
    attributes = event.attributes
    if request.type is not None:
        kind = attributes.get("activityType") or attributes.get("workflowType") or {}
        if kind.get("name") not in (request.type[0], request.alias) or kind.get("version") != request.type[1]:
            return False
    if request.kind == requests.CLOSE:
        return event.type != "WorkflowExecutionCompleted" or _same_json(
            attributes.get("result"), request.members.get("result")
        )
    name = _INPUT_ATTRIBUTE.get(request.kind, "input")
    if request.kind == requests.SIGNAL:
        # The same signal may go to several executions; upstream adds keys to the input that tell of the run.
        return bool(attributes.get("workflowId") == request.members["workflow_id"])
    if request.kind in _WITHOUT_INPUT or (name not in attributes and event.type.endswith("Failed")):
        return True
    return _same_json(attributes.get(name), request.input)


def _same_json(recorded: str | None, requested: str | None) -> bool:
    """The same value, whoever wrote it and however it was spaced."""
    if recorded == requested:
        return True
    if recorded is not None and requested is not None and is_reference(recorded):
        return same_text(recorded, requested)
    try:
        return bool(_value(recorded) == _value(requested))
    except ValueError:
        return False


def _value(text: str | None) -> Any:
    value = None if text is None else parse(text)
    if isinstance(value, dict) and "__extra" in value:
        value.pop("__extra")
    return value


def _error(event: HistoryEvent, request: Request | None) -> NondeterminismError:
    recorded = RECORDED[event.type]
    attributes = event.attributes
    kind = attributes.get("activityType") or (
        attributes.get("workflowType") if recorded.kind == requests.CHILD else None
    )
    what = describe(
        recorded.kind,
        recorded.close or str(attributes.get(recorded.id_attribute or "")),
        (str(kind.get("name")), str(kind.get("version"))) if kind else None,
        attributes.get("result" if recorded.close else _INPUT_ATTRIBUTE.get(recorded.kind, "input")),
    )
    return NondeterminismError(
        event_id=event.id,
        recorded=what,
        requested=request.describe() if request is not None else None,
        recorded_line=read_control(attributes.get("control")).line,
        requested_line=line_text(request.line) if request is not None and request.line else None,
    )
