"""A history as attempts: one record for every time something was tried.

An activity that is retried twice is three attempts, each with its own input, times, worker and error. Children, lambdas
and timers are attempts too; what only happens, and takes no time (markers, signals, refused decisions), is a `Moment`.
Tables, listings and figures are made of these records and know no event by other means.

A fold over `swf.entities`: linear in events, the same answer every time, no pandas.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.swf.entities import Entities, Entity, fold
from simpleflow_lab.swf.event_types import (
    ACTIVITY,
    CHILD,
    DECISION_FAILURE,
    EVENT_TYPES,
    EXTERNAL_CANCEL,
    EXTERNAL_SIGNAL,
    LAMBDA,
    MARKER,
    SIGNAL,
    TIMER,
    UNKNOWN,
)
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.formatting import well_formed

TASKS: Final = frozenset({ACTIVITY, CHILD, LAMBDA})
"""Kinds of attempts that do work; a timer only waits."""
FAILURES: Final = frozenset({"failed", "timed_out", "canceled", "terminated", "schedule_failed", "start_failed"})
"""States of an attempt that came to no result."""


class Attempt(NamedTuple):
    """One attempt of an activity task, child execution or lambda, or one timer."""

    kind: str
    """`activity`, `child`, `lambda` or `timer`."""
    name: str
    """Name of the activity or workflow type or of the lambda function; a timer's id."""
    version: str | None
    """Version of that type."""
    id: str
    """`activityId`, `workflowId`, `timerId` or the lambda's `id`."""
    attempt: int
    """1 for the first of this kind and id, then 2, 3, …"""
    state: str
    """SWF's word in lower case: `scheduled`, `started`, `completed`, `failed`, `timed_out`, `canceled`, …"""
    open: bool
    """It has not closed (yet)."""
    scheduled: datetime.datetime
    """When it was scheduled or initiated; for a timer, when it started."""
    started: datetime.datetime | None
    """When a worker took it, or `None`."""
    closed: datetime.datetime | None
    """When it closed, or `None`."""
    waiting: float
    """Seconds from scheduled to started, or for as long as it had not started."""
    running: float | None
    """Seconds from started to closed, or for as long as it had not closed; `None` if it never started."""
    task_list: str | None
    """The task list it was scheduled on."""
    worker: str | None
    """Who took it, as `user@host:pid` where the identity says so in JSON, else the identity as it is."""
    input: str | None
    """As recorded."""
    result: str | None
    """As recorded."""
    reason: str | None
    """The `reason` of a failure, or the `cause` for which SWF refused it."""
    details: str | None
    """As recorded: the traceback of a failure, a heartbeat's last words."""
    timeout_type: str | None
    """Which of its timeouts ended it."""
    priority: int | None
    """Its task priority."""
    cancel_requested: bool
    """Somebody asked for it to be canceled."""
    retried: bool
    """It failed, and there is a later attempt."""
    unhandled: bool
    """It failed for good, the execution completed all the same, and nobody looked at the failure."""
    run_id: str | None
    """The run of a child execution."""
    scheduled_event_id: int
    """The event that opened it."""
    closed_event_id: int | None
    """The event that closed it."""

    @property
    def failed(self) -> bool:
        """It closed without a result. Canceling a timer is no failure."""
        return self.state in FAILURES and not (self.kind == TIMER and self.state == "canceled")

    @property
    def last_state_at(self) -> datetime.datetime:
        """When it came into its state."""
        return self.closed or self.started or self.scheduled


class Moment(NamedTuple):
    """Something that happened and took no time of its own: a marker, a signal, a cancel request, a refused decision."""

    kind: str
    """`marker`, `signal`, `external_signal`, `external_cancel`, `decision_failure`, or `unknown`."""
    name: str
    """Name of the marker or signal, workflow id of a cancel request, type of the event otherwise."""
    state: str
    """The state that its events put it in."""
    at: datetime.datetime
    """When it began."""
    text: str | None
    """What was recorded with it: a marker's details, a signal's input, a refusal's cause."""
    event_id: int
    """The event that opened it."""


class DecisionTask(NamedTuple):
    """One decision task."""

    state: str
    """`scheduled`, `started`, `completed` or `timed_out`."""
    open: bool
    """It has not closed (yet)."""
    scheduled: datetime.datetime
    """When it was scheduled."""
    started: datetime.datetime | None
    """When a decider took it."""
    closed: datetime.datetime | None
    """When it was completed or timed out."""
    waiting: float
    """Seconds from scheduled to started, or for as long as it had not started."""
    deciding: float | None
    """Seconds from started to closed, or for as long as it had not closed."""
    worker: str | None
    """The decider that took it."""
    new_events: int
    """Events that it brought the decider: those after the start of the decision task that was completed before it."""
    decisions: int
    """Decisions made, refused ones included."""
    kinds: Mapping[str, int]
    """How many decisions of each of SWF's decision types."""
    scheduled_event_id: int
    """The event that opened it."""
    closed_event_id: int | None
    """The event that closed it."""


class Attempts(NamedTuple):
    """All that a history speaks of, folded once."""

    attempts: tuple[Attempt, ...]
    """In the order in which they were scheduled."""
    moments: tuple[Moment, ...]
    """In the order in which they happened."""
    decision_tasks: tuple[DecisionTask, ...]
    """In the order in which they were scheduled."""
    until: datetime.datetime
    """Up to when open attempts are counted."""


def attempts_of(history: History, *, until: datetime.datetime | None = None) -> tuple[Attempt, ...]:
    """The attempts of a history. What is open counts up to `until`, by default the time of the last event.

    What was still open when the execution closed counts up to there, whatever `until` says. Raises `HistoryError` if an
    event refers to nothing known.
    """
    return _attempts(history, fold(history), _end(history, until))


def fold_attempts(history: History, *, until: datetime.datetime | None = None) -> Attempts:
    """Attempts, moments and decision tasks of a history, from one fold. Raises `HistoryError`."""
    entities, end = fold(history), _end(history, until)
    return Attempts(
        _attempts(history, entities, end),
        tuple(_moment(entity) for entity in entities if entity.kind in _MOMENTS),
        _decision_tasks(history, entities, end),
        end,
    )


def unhandled_ids(history: History) -> frozenset[str] | None:
    """Ids of the failures that nobody looked at, as the last decider wrote them down; `None` if none did.

    Our replay records them in the `executionContext` of its decision tasks: `{"simpleflow_lab":
    {"unhandled_failures": [id, …]}}`.
    """
    for event in reversed(history):
        if event.type == "DecisionTaskCompleted":
            context = event.attributes.get("executionContext")
            if isinstance(context, str) and '"simpleflow_lab"' in context:
                ours = _json_object(context).get("simpleflow_lab")
                # "unnoticed_failures" is how version 0.1.0 spelled it.
                found = ours if isinstance(ours, dict) else {}
                ids = found.get("unhandled_failures", found.get("unnoticed_failures"))
                if isinstance(ids, list):
                    return frozenset(item for item in ids if isinstance(item, str))
    return None


# -- entities to records -----------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """Where the events of a kind of attempt keep their facts."""

    type: str | None
    """The attribute with the name and the version of its type."""
    name: str
    """The attribute with the name, if there is no type."""


_KINDS: Final[dict[str, _Kind]] = {
    ACTIVITY: _Kind("activityType", "activityId"),
    CHILD: _Kind("workflowType", "workflowId"),
    LAMBDA: _Kind(None, "name"),
    TIMER: _Kind(None, "timerId"),
}
_CLOSING: Final = frozenset(name for name, row in EVENT_TYPES.items() if row.closes)
_STARTING: Final = frozenset(name for name, row in EVENT_TYPES.items() if row.state == "started")
"""A timer runs from its first event on."""
_MOMENTS: Final = frozenset({MARKER, SIGNAL, EXTERNAL_SIGNAL, EXTERNAL_CANCEL, DECISION_FAILURE, UNKNOWN})


def _attempts(history: History, entities: Entities, until: datetime.datetime) -> tuple[Attempt, ...]:
    ours = [entity for entity in entities if entity.kind in _KINDS]
    latest = {(entity.kind, entity.name): entity for entity in ours}
    looked_away = _LookedAway(history)
    workers: dict[str, str] = {}
    counts: dict[tuple[str, str | None], int] = {}
    found = []
    for entity in ours:
        key = entity.kind, entity.name
        counts[key] = number = counts.get(key, 0) + 1
        found.append(_attempt(entity, number, latest[key] is entity, looked_away, until, workers))
    return tuple(found)


class _LookedAway:
    """Whether a final failure of this history went unhandled."""

    def __init__(self, history: History):
        self._completed = history.close_status == "COMPLETED"
        self._ids = unhandled_ids(history) if self._completed else frozenset()

    def __contains__(self, task_id: str) -> bool:
        return self._completed and (self._ids is None or task_id in self._ids)


def _attempt(
    entity: Entity,
    number: int,
    is_last: bool,
    looked_away: _LookedAway,
    until: datetime.datetime,
    workers: dict[str, str],
) -> Attempt:
    first = entity.events[0]
    started = closing = None
    cancel_requested = False
    for event in entity.events:
        if event.type in _CLOSING:
            closing = event
        elif event.type in _STARTING:
            started = event
        elif event.type == "ActivityTaskCancelRequested":
            cancel_requested = True
    state = (started or first).row.state if entity.state == "cancel_requested" else entity.state
    failed = state in FAILURES and not (entity.kind == TIMER and state == "canceled")
    at_first = first.attributes
    at_start = started.attributes if started is not None else _NOTHING
    at_close = closing.attributes if closing is not None else _NOTHING
    # Most attempts complete; only the others have something to say about it.
    at_failure = at_close if state != "completed" else _NOTHING
    begun = started.timestamp if started is not None else None
    closed = closing.timestamp if closing is not None else None
    type_key, name_key = _KINDS[entity.kind]
    of_type = _object(at_first, type_key)
    task_id = str(entity.name)
    return Attempt(
        entity.kind,
        well_formed(of_type.get("name") or at_first.get(name_key)) or task_id,
        well_formed(of_type.get("version")),
        well_formed(task_id) or "",
        number,
        state,
        closing is None,
        first.timestamp,
        begun,
        closed,
        _seconds(first.timestamp, begun or closed or until),
        None if begun is None else _seconds(begun, closed or until),
        well_formed(_object(at_first, "taskList").get("name")),
        _worker(at_start.get("identity"), workers),
        well_formed(at_first.get("input")),
        well_formed(at_close.get("result")),
        well_formed(at_failure.get("reason") or at_failure.get("cause")),
        well_formed(at_failure.get("details")),
        well_formed(at_failure.get("timeoutType")),
        _integer(at_first.get("taskPriority")),
        cancel_requested,
        failed and not is_last,
        failed and is_last and task_id in looked_away,
        well_formed(_object(at_start, "workflowExecution").get("runId")) if entity.kind == CHILD else None,
        first.id,
        None if closing is None else closing.id,
    )


_NOTHING: Final[dict[str, Any]] = {}


def _object(attributes: Mapping[str, Any], key: str | None) -> Mapping[str, Any]:
    """An attribute that is an object; an empty one if it is not there, or something else."""
    value = attributes.get(key) if key else None
    return value if isinstance(value, dict) else _NOTHING


def _moment(entity: Entity) -> Moment:
    event = entity.first
    attributes = event.attributes
    text = next((attributes[key] for key in ("details", "input", "cause") if attributes.get(key) is not None), None)
    named = entity.kind not in (DECISION_FAILURE, UNKNOWN) and entity.name is not None
    return Moment(
        entity.kind,
        well_formed(entity.name if named else event.type) or "",
        entity.state,
        event.timestamp,
        well_formed(text),
        event.id,
    )


def _decision_tasks(history: History, entities: Entities, until: datetime.datetime) -> tuple[DecisionTask, ...]:
    made: dict[int, dict[str, int]] = {}
    for event in history:
        decision_type = _DECISION_OF_EVENT.get(event.type)
        if decision_type is not None:
            # A child that could not start after all has been counted when it was initiated.
            if event.type in _LATE and event.attributes.get("initiatedEventId"):
                continue
            kinds = made.setdefault(event.attributes.get("decisionTaskCompletedEventId", 0), {})
            kinds[decision_type] = kinds.get(decision_type, 0) + 1
    workers: dict[str, str] = {}
    found, seen = [], 0
    for entity in entities.of("decision_task"):
        first, started = entity.first, entity.at("started")
        closing = entity.last if entity.closed else None
        kinds = made.get(closing.id, {}) if closing is not None else {}
        end = closing.timestamp if closing is not None else until
        found.append(
            DecisionTask(
                entity.state,
                closing is None,
                first.timestamp,
                started.timestamp if started else None,
                closing.timestamp if closing else None,
                _seconds(first.timestamp, started.timestamp if started else end),
                _seconds(started.timestamp, end) if started else None,
                _worker(started.attributes.get("identity"), workers) if started else None,
                started.id - seen if started else 0,
                sum(kinds.values()),
                kinds,
                first.id,
                closing.id if closing else None,
            )
        )
        if entity.state == "completed" and started is not None:
            seen = started.id
    return tuple(found)


_DECISION_OF_EVENT: Final[dict[str, str]] = {
    "ActivityTaskScheduled": "ScheduleActivityTask",
    "ScheduleActivityTaskFailed": "ScheduleActivityTask",
    "ActivityTaskCancelRequested": "RequestCancelActivityTask",
    "RequestCancelActivityTaskFailed": "RequestCancelActivityTask",
    "WorkflowExecutionCompleted": "CompleteWorkflowExecution",
    "CompleteWorkflowExecutionFailed": "CompleteWorkflowExecution",
    "WorkflowExecutionFailed": "FailWorkflowExecution",
    "FailWorkflowExecutionFailed": "FailWorkflowExecution",
    "WorkflowExecutionCanceled": "CancelWorkflowExecution",
    "CancelWorkflowExecutionFailed": "CancelWorkflowExecution",
    "WorkflowExecutionContinuedAsNew": "ContinueAsNewWorkflowExecution",
    "ContinueAsNewWorkflowExecutionFailed": "ContinueAsNewWorkflowExecution",
    "MarkerRecorded": "RecordMarker",
    "RecordMarkerFailed": "RecordMarker",
    "TimerStarted": "StartTimer",
    "StartTimerFailed": "StartTimer",
    "TimerCanceled": "CancelTimer",
    "CancelTimerFailed": "CancelTimer",
    "SignalExternalWorkflowExecutionInitiated": "SignalExternalWorkflowExecution",
    "SignalExternalWorkflowExecutionFailed": "SignalExternalWorkflowExecution",
    "RequestCancelExternalWorkflowExecutionInitiated": "RequestCancelExternalWorkflowExecution",
    "RequestCancelExternalWorkflowExecutionFailed": "RequestCancelExternalWorkflowExecution",
    "StartChildWorkflowExecutionInitiated": "StartChildWorkflowExecution",
    "StartChildWorkflowExecutionFailed": "StartChildWorkflowExecution",
    "LambdaFunctionScheduled": "ScheduleLambdaFunction",
    "ScheduleLambdaFunctionFailed": "ScheduleLambdaFunction",
}
"""The decision that each event answers; these events carry `decisionTaskCompletedEventId`."""
_LATE: Final = frozenset(
    {
        "SignalExternalWorkflowExecutionFailed",
        "RequestCancelExternalWorkflowExecutionFailed",
        "StartChildWorkflowExecutionFailed",
    }
)


# -- values ------------------------------------------------------------------------------------------------------------


def _end(history: History, until: datetime.datetime | None) -> datetime.datetime:
    """Up to when what is open counts. Nothing goes on after the execution closed."""
    if until is not None and history.close_status is None:
        return until
    return history[-1].timestamp if history else datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def _seconds(start: datetime.datetime, end: datetime.datetime) -> float:
    """Seconds between two times; 0 if the second comes before the first."""
    return max((end - start).total_seconds(), 0.0)


def _integer(text: Any) -> int | None:
    """A 32-bit integer from SWF's text for one, or `None`."""
    if text is None:
        return None
    try:
        value = int(text)
    except (TypeError, ValueError):
        return None
    return value if -(2**31) <= value < 2**31 else None


def _worker(identity: Any, known: dict[str, str]) -> str | None:
    if not identity:
        return None
    text = well_formed(identity) or ""
    shown = known.get(text)
    if shown is None:
        known[text] = shown = _identity(text)
    return shown


def _identity(text: str) -> str:
    """`{"user": u, "hostname": h, "pid": p}` as `u@h:p`; anything else as it is."""
    parts = _json_object(text) if text.startswith("{") else {}
    host = parts.get("hostname")
    if not isinstance(host, str):
        return text
    user, pid = parts.get("user"), parts.get("pid")
    before = f"{user}@" if isinstance(user, str) and user else ""
    after = f":{pid}" if isinstance(pid, int) else ""
    return well_formed(f"{before}{host}{after}") or text


def _json_object(text: str) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else. Reading JSON runs no code."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def last_attempts(attempts: Iterable[Attempt]) -> list[Attempt]:
    """The latest attempt of every kind and id, in the order of their first attempts."""
    latest: dict[tuple[str, str], Attempt] = {}
    for attempt in attempts:
        latest[attempt.kind, attempt.id] = attempt
    return list(latest.values())
