"""What is true of every history, whoever wrote it: I1 to I4, I8 and I9 of our notes on reliability, executable.

Rule: `violations` sees events as boto3 gives them and knows no engine.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, CLOSE_STATUS, EVENT_TYPES, TIMER
from simpleflow_lab.swf.history import event_from_wire
from simpleflow_lab.swf.history_entities import Entities

LONGEST = {
    **dict.fromkeys(("input", "result", "control", "executionContext"), limits.MAX_DATA),
    **dict.fromkeys(("reason", "identity", "activityId", "timerId", "workflowId", "signalName", "markerName"), 256),
    "details": limits.MAX_DATA,
}


def violations(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with a history, in words."""
    wrong = [*_order(events), *_sizes(events), *_decision_tasks(events)]
    entities = Entities()
    for wire in events:
        event = event_from_wire(wire)
        row = EVENT_TYPES[event.type]
        before = entities.get(event.attributes.get(row.find.follows or "", 0))
        if before is not None and before.closed and row.closes:
            wrong.append(f"event {event.id}: {event.type} closes what event {before.last.id} closed")
        try:
            entities.apply(event)
        except HistoryError as error:
            wrong.append(str(error))
    closing = [wire["eventId"] for wire in events if wire["eventType"] in CLOSE_STATUS]
    if len(closing) > 1 or (closing and closing[0] != len(events)):
        wrong.append(f"closed by events {closing} of {len(events)}")
    for kind, greatest in ((ACTIVITY, 1000), (TIMER, 1000), (CHILD, 1000)):
        if sum(not entity.closed for entity in entities.of(kind)) > greatest:
            wrong.append(f"more than {greatest} open entities of kind {kind}")
    return wrong


def _order(events: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for position, event in enumerate(events, start=1):
        if event["eventId"] != position:
            yield f"event {event['eventId']} stands at {position}"
    for earlier, later in itertools.pairwise(events):
        if later["eventTimestamp"] < earlier["eventTimestamp"]:
            yield f"event {later['eventId']} is earlier than the one before"
        if later["eventTimestamp"].microsecond % 1000:
            yield f"event {later['eventId']} has more than milliseconds"
    if len(events) > limits.MAX_HISTORY_EVENTS:
        yield f"{len(events)} events"


def _sizes(events: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for event in events:
        (attributes,) = (value for name, value in event.items() if name.endswith("Attributes"))
        for name, value in attributes.items():
            if value is None:
                yield f"event {event['eventId']}: {name} is None"
            elif isinstance(value, str) and len(value) > LONGEST.get(name, 1 << 30):
                yield f"event {event['eventId']}: {name} has {len(value)} characters"


def _decision_tasks(events: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """At most one is queued and one is started, and a wake-up leaves none unqueued."""
    queued: int | None = None
    started: int | None = None
    for position, event in enumerate(events):
        event_type = event["eventType"]
        if event_type == "DecisionTaskScheduled":
            if queued is not None:
                yield f"event {event['eventId']}: two decision tasks are queued"
            queued = event["eventId"]
        elif event_type == "DecisionTaskStarted":
            if started is not None:
                yield f"event {event['eventId']}: two decision tasks are started"
            started, queued = queued, None
        elif (
            event_type == "DecisionTaskTimedOut" and not event["decisionTaskTimedOutEventAttributes"]["startedEventId"]
        ):
            queued = None
        elif event_type in ("DecisionTaskCompleted", "DecisionTaskTimedOut"):
            started = None
        last_of_transaction = (
            position + 1 == len(events) or events[position + 1]["eventTimestamp"] > event["eventTimestamp"]
        )
        wakes = EVENT_TYPES[event_type].wakes and event_type not in CLOSE_STATUS
        if wakes and last_of_transaction and queued is None:
            yield f"event {event['eventId']}: {event_type}, and no decision task is queued"


def stalled(description: Mapping[str, Any]) -> bool:
    """I9: an open execution on which nothing works and that waits for nothing but a signal or its timeout."""
    return description["executionInfo"]["executionStatus"] == "OPEN" and not any(description["openCounts"].values())
