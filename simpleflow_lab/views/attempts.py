"""A history as records: one attempt for every time something was tried, one point event for what takes no time.

An activity that is retried twice is three attempts, each with its own input, times, worker and error. Children, lambdas
and timers are attempts too. Markers, signals and refused decisions only happen, and are point events. Tables, listings
and figures are made of these records and know no event by other means.

Rule: a record is made of one entity of the history, and of what `views.history_fold` knows about the others. Nothing
here reads a clock, needs pandas or raises for attributes of a wrong type.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.swf.control import read_control
from simpleflow_lab.swf.conventions import DEFINITION_DIFFERS_KEY, loss_text
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
from simpleflow_lab.swf.history_entities import Entity
from simpleflow_lab.views.formatting import well_formed

ATTEMPTS: Final = frozenset({ACTIVITY, CHILD, LAMBDA, TIMER})
"""Kinds of entities that are attempts."""
TASKS: Final = frozenset({ACTIVITY, CHILD, LAMBDA})
"""Kinds of attempts that do work; a timer only waits."""
POINT_EVENTS: Final = frozenset({MARKER, SIGNAL, EXTERNAL_SIGNAL, EXTERNAL_CANCEL, DECISION_FAILURE, UNKNOWN})
"""Kinds of entities that are point events."""
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
    """The worker that took it, as `user@host:pid` if its identity is JSON with these, else the identity as it is. A
    note says so if its process had another definition of the task's type than the one that the execution went by."""
    input: str | None
    """As recorded."""
    result: str | None
    """As recorded."""
    reason: str | None
    """The `reason` of a failure, the `cause` for which SWF refused it, or that its process died or gave it back."""
    details: str | None
    """As recorded: the traceback of a failure, a heartbeat's last words."""
    timeout_type: str | None
    """Which of its timeouts ended it."""
    priority: int | None
    """Its task priority."""
    cancel_requested: bool
    """The decider requested its cancellation."""
    retried: bool
    """It failed, and there is a later attempt."""
    unhandled: bool
    """Its last attempt failed, the execution completed all the same, and the workflow never handled the failure."""
    run_id: str | None
    """The run of a child execution."""
    scheduled_event_id: int
    """The event that opened it."""
    closed_event_id: int | None
    """The event that closed it."""
    line: str | None
    """The line of the author's code that scheduled it, such as `orders.py:25, x = self.submit(load)`, as our deciders
    record it in `control`; `None` in the histories of other deciders."""
    decision_event_id: int | None
    """The `DecisionTaskCompleted` event of the decision that scheduled it, or `None` if the history doesn't say."""
    depends_on: tuple[str, ...]
    """Ids of the tasks whose futures were among its arguments, as our deciders record them in `control`, at most 100;
    empty in the histories of other deciders."""
    max_parallel: int | None
    """The `max_parallel` of the group that held the task back until another member had closed, as our deciders record
    it in `control`; `None` if none did."""

    @property
    def failed(self) -> bool:
        """It closed without a result. Canceling a timer is no failure."""
        return is_failure(self.kind, self.state)

    @property
    def last_state_at(self) -> datetime.datetime:
        """When it came into its state."""
        return self.closed or self.started or self.scheduled


class PointEvent(NamedTuple):
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


def is_failure(kind: str, state: str) -> bool:
    """Whether an attempt of this kind in this state closed without a result. Canceling a timer is no failure."""
    return state in FAILURES and not (kind == TIMER and state == "canceled")


def last_attempts(attempts: Iterable[Attempt]) -> list[Attempt]:
    """The latest attempt of every kind and id, in the order of their first attempts."""
    latest: dict[tuple[str, str], Attempt] = {}
    for attempt in attempts:
        latest[attempt.kind, attempt.id] = attempt
    return list(latest.values())


# -- entities to records -----------------------------------------------------------------------------------------------


class _Attributes(NamedTuple):
    """Where the first event of a kind of attempt has its type and its name."""

    type: str | None
    """The attribute with the name and the version of its type."""
    name: str
    """The attribute with the name, if there is no type."""


_ATTRIBUTES: Final[dict[str, _Attributes]] = {
    ACTIVITY: _Attributes("activityType", "activityId"),
    CHILD: _Attributes("workflowType", "workflowId"),
    LAMBDA: _Attributes(None, "name"),
    TIMER: _Attributes(None, "timerId"),
}
_CLOSING: Final = frozenset(name for name, row in EVENT_TYPES.items() if row.closes)
_STARTING: Final = frozenset(name for name, row in EVENT_TYPES.items() if row.state == "started")
"""A timer runs from its first event on."""


def attempt_of(
    entity: Entity,
    *,
    number: int,
    is_last: bool,
    unhandled_ids: frozenset[str] | None,
    until: datetime.datetime,
    workers: dict[str, str],
) -> Attempt:
    """The attempt that this activity task, child, lambda or timer is.

    :param number: 1 for the first attempt of its kind and id.
    :param is_last: whether it is the latest one of its kind and id.
    :param unhandled_ids: ids of the tasks whose last failures the workflow never handled; `None` if it handled none.
    :param until: up to when it counts if it is open.
    :param workers: a cache of the names of workers by their identities.
    """
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
    kind, state = entity.kind, entity.state
    if state == "cancel_requested":
        state = (started or first).row.state
    begun = closed = worker = run_id = result = None
    if started is not None:
        begun = started.timestamp
        worker = _worker(started.attributes.get("identity"), workers)
        if kind == CHILD:
            run_id = well_formed(_object(started.attributes, "workflowExecution").get("runId"))
    if closing is not None:
        closed = closing.timestamp
        result = well_formed(closing.attributes.get("result"))
    failed = state in FAILURES and is_failure(kind, state)
    reason = details = timeout_type = None
    if state != "completed" and closing is not None:
        at_close = closing.attributes
        reason = well_formed(at_close.get("reason") or at_close.get("cause")) or loss_text(at_close.get("details"))
        details = well_formed(at_close.get("details"))
        timeout_type = well_formed(at_close.get("timeoutType"))
    attributes = first.attributes
    type_key, name_key = _ATTRIBUTES[kind]
    of_type = _object(attributes, type_key)
    task_id = str(entity.name)
    priority = attributes.get("taskPriority")
    line, depends_on, max_parallel = _read_control(attributes["control"]) if "control" in attributes else _NO_CONTROL
    end = closed or until
    return Attempt(
        kind=kind,
        name=well_formed(of_type.get("name") or attributes.get(name_key)) or task_id,
        version=well_formed(of_type.get("version")),
        id=well_formed(task_id) or "",
        attempt=number,
        state=state,
        open=closing is None,
        scheduled=first.timestamp,
        started=begun,
        closed=closed,
        waiting=seconds_between(first.timestamp, begun or end),
        running=None if begun is None else seconds_between(begun, end),
        task_list=well_formed(_object(attributes, "taskList").get("name")),
        worker=worker,
        input=well_formed(attributes.get("input")),
        result=result,
        reason=reason,
        details=details,
        timeout_type=timeout_type,
        priority=None if priority is None else _integer(priority),
        cancel_requested=cancel_requested,
        retried=failed and not is_last,
        unhandled=failed and is_last and (unhandled_ids is None or task_id in unhandled_ids),
        run_id=run_id,
        scheduled_event_id=first.id,
        closed_event_id=None if closing is None else closing.id,
        line=line,
        decision_event_id=_event_id(attributes.get("decisionTaskCompletedEventId")),
        depends_on=depends_on,
        max_parallel=max_parallel,
    )


def lasting_until(attempt: Attempt, until: datetime.datetime) -> Attempt:
    """An open attempt, counted up to this time."""
    if attempt.started is None:
        return attempt._replace(waiting=seconds_between(attempt.scheduled, until))
    return attempt._replace(running=seconds_between(attempt.started, until))


def point_event_of(entity: Entity) -> PointEvent:
    """The point event that this marker, signal, cancel request, refused decision or unknown event is."""
    event = entity.first
    attributes = event.attributes
    text = next((attributes[key] for key in ("details", "input", "cause") if attributes.get(key) is not None), None)
    named = entity.kind not in (DECISION_FAILURE, UNKNOWN) and entity.name is not None
    return PointEvent(
        kind=entity.kind,
        name=well_formed(entity.name if named else event.type) or "",
        state=entity.state,
        at=event.timestamp,
        text=well_formed(text),
        event_id=event.id,
    )


def decision_task_of(
    entity: Entity, *, seen: int, kinds: Mapping[str, int], until: datetime.datetime, workers: dict[str, str]
) -> DecisionTask:
    """The record of a decision task.

    :param seen: the `DecisionTaskStarted` event up to which the decision task completed before it saw the history.
    :param kinds: how many decisions of each type it made.
    :param until: up to when it counts if it is open.
    :param workers: a cache of the names of workers by their identities.
    """
    first, started = entity.first, entity.at("started")
    closing = entity.last if entity.closed else None
    end = closing.timestamp if closing is not None else until
    return DecisionTask(
        state=entity.state,
        open=closing is None,
        scheduled=first.timestamp,
        started=started.timestamp if started else None,
        closed=closing.timestamp if closing else None,
        waiting=seconds_between(first.timestamp, started.timestamp if started else end),
        deciding=seconds_between(started.timestamp, end) if started else None,
        worker=_worker(started.attributes.get("identity"), workers) if started else None,
        new_events=started.id - seen if started else 0,
        decisions=sum(kinds.values()),
        kinds=kinds,
        scheduled_event_id=first.id,
        closed_event_id=closing.id if closing else None,
    )


# -- values ------------------------------------------------------------------------------------------------------------


_NOTHING: Final[dict[str, Any]] = {}
_NO_CONTROL: Final[tuple[str | None, tuple[str, ...], int | None]] = (None, (), None)


def _read_control(text: Any) -> tuple[str | None, tuple[str, ...], int | None]:
    """The author's line, the ids of the tasks that it depends on, and what held it back, as our deciders wrote them."""
    if type(text) is not str:
        return _NO_CONTROL
    control = read_control(text)
    depends_on = tuple(well_formed(task) or "" for task in control.depends_on)
    return well_formed(control.line), depends_on, control.max_parallel


def _object(attributes: Mapping[str, Any], key: str | None) -> Mapping[str, Any]:
    """An attribute that is an object; an empty one if it is not there, or something else."""
    value = attributes.get(key) if key else None
    return value if isinstance(value, dict) else _NOTHING


def seconds_between(start: datetime.datetime, end: datetime.datetime) -> float:
    """Seconds between two times; 0 if the second comes before the first."""
    return (end - start).total_seconds() if end > start else 0.0


def _event_id(value: Any) -> int | None:
    """The id of an event, or `None` for 0, by which SWF says that there is none, and for anything else."""
    return value if type(value) is int and 0 < value < 2**31 else None


def _integer(text: Any) -> int | None:
    """A 32-bit integer from SWF's text for one, or `None`."""
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
    """`{"user": u, "hostname": h, "pid": p}` as `u@h:p`; anything else as it is.

    It says so if the process had another definition of the task's type than the execution went by.
    """
    parts = json_object(text) if text.startswith("{") else {}
    host = parts.get("hostname")
    if not isinstance(host, str):
        return text
    user, pid = parts.get("user"), parts.get("pid")
    before = f"{user}@" if isinstance(user, str) and user else ""
    after = f":{pid}" if isinstance(pid, int) else ""
    if parts.get(DEFINITION_DIFFERS_KEY) is True:
        after += " with another definition"
    return well_formed(f"{before}{host}{after}") or text


def json_object(text: str) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else. Reading JSON runs no code."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
