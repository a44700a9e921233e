"""The parts of the engine's responses, as boto3 gives them.

Rule: a response belongs to the caller: it shares no mutable object with the engine's state. What our own decider takes
from a `WireEvent` is the exception: it changes no event.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from simpleflow_lab.engine import visibility
from simpleflow_lab.engine.domains_and_types import ARN_PREFIX, WORKFLOW_TYPE, Domain, Type
from simpleflow_lab.engine.execution_state import ExecutionState, to_datetime
from simpleflow_lab.engine.validation import picked
from simpleflow_lab.service.protocol import Answer, Structure
from simpleflow_lab.swf.event_types import ACTIVITY, ATTRIBUTES_KEYS, CHILD, LAMBDA, TIMER, attributes_key
from simpleflow_lab.swf.history import HistoryEvent, WireEvent


def wires(events: Iterable[HistoryEvent]) -> list[WireEvent]:
    """Events as boto3 gives them."""
    found = []
    for event in events:
        id, type, timestamp, attributes = event
        wire = WireEvent(eventTimestamp=timestamp, eventType=type, eventId=id)
        wire[ATTRIBUTES_KEYS.get(type) or attributes_key(type)] = copied(attributes)
        wire.event = event
        found.append(wire)
    return found


def copied(attributes: Structure) -> dict[str, Any]:
    """A copy of an event's attributes, whose values are nested no deeper than one list or structure."""
    copy = dict(attributes)
    for name, value in copy.items():
        if type(value) is dict:
            copy[name] = dict(value)
        elif type(value) is list:
            copy[name] = list(value)
    return copy


def domain_info(domain: Domain) -> dict[str, Any]:
    """SWF's structure DomainInfo."""
    info = {"name": domain.name, "status": domain.status, "arn": ARN_PREFIX + domain.name}
    return info if domain.description is None else {**info, "description": domain.description}


def type_info(found: Type) -> dict[str, Any]:
    """SWF's structure WorkflowTypeInfo or ActivityTypeInfo."""
    kind = "workflowType" if found.kind == WORKFLOW_TYPE else "activityType"
    info: dict[str, Any] = {
        kind: {"name": found.name, "version": found.version},
        "status": found.status,
        "creationDate": to_datetime(found.created_at),
    }
    if found.description is not None:
        info["description"] = found.description
    if found.deprecated_at is not None:
        info["deprecationDate"] = to_datetime(found.deprecated_at)
    return info


_CONFIGURATION: Final = (
    "taskStartToCloseTimeout",
    "executionStartToCloseTimeout",
    "taskList",
    "taskPriority",
    "childPolicy",
    "lambdaRole",
)


def execution_detail(execution: ExecutionState) -> Answer:
    """SWF's structure WorkflowExecutionDetail."""
    counts = execution.open_counts
    answer: Answer = {
        "executionInfo": visibility.execution_info(execution.run, cancel_requested=execution.cancel_requested),
        "executionConfiguration": picked(execution.configuration, *_CONFIGURATION),
        "openCounts": {
            "openActivityTasks": counts[ACTIVITY],
            "openDecisionTasks": int(bool(execution.queued or execution.started)),
            "openTimers": counts[TIMER],
            "openChildWorkflowExecutions": counts[CHILD],
            "openLambdaFunctions": counts[LAMBDA],
        },
    }
    if execution.latest_activity is not None:
        answer["latestActivityTaskTimestamp"] = execution.latest_activity
    if execution.context is not None:
        answer["latestExecutionContext"] = execution.context
    return answer
