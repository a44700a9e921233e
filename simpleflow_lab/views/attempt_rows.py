"""Events become records: each event changes the fields of the attempt that it is about.

Rule: a record is made of the events about one thing, and of what `views.history_fold` knows about the others. Nothing
here reads a clock or raises for attributes of a wrong type.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.swf.control import read_control
from simpleflow_lab.swf.conventions import DEFINITION_DIFFERS_KEY, loss_text
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, DECISION_FAILURE, EVENT_TYPES, LAMBDA, TIMER, UNKNOWN
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.history_entities import Entity, nothing_open, unknown_reference
from simpleflow_lab.views.attempts import (
    ATTEMPTS,
    UNFINISHED,
    Attempt,
    DecisionTask,
    PointEvent,
    is_failure,
    lasting_until,
    seconds_between,
)
from simpleflow_lab.views.formatting import well_formed


class Plan(NamedTuple):
    """What an event of one type does to an attempt, read from the event table."""

    kind: str
    state: str
    follows: str | None
    """The attribute that holds the id of the event that opened the attempt."""
    follows_open: str | None
    """The attribute that holds the id of an open attempt."""
    opens: bool
    id_attribute: str
    type_attribute: str | None
    """The attribute with the name and the version of its type."""
    name_attribute: str
    """The attribute with the name, if there is no type."""
    closes: bool
    starts: bool
    """A timer runs from its first event on."""
    decision: str | None
    """The type of the decision that the event records, if it is not about the outcome of a request."""


_NAMED_BY: Final[dict[str, tuple[str | None, str]]] = {
    ACTIVITY: ("activityType", "activityId"),
    CHILD: ("workflowType", "workflowId"),
    LAMBDA: (None, "name"),
    TIMER: (None, "timerId"),
}
"""Where the first event of a kind of attempt has its type, and its name, if there is no type."""


PLANS: Final[Mapping[str, Plan]] = {
    name: Plan(
        kind=row.entity,
        state=row.state,
        follows=row.find.follows,
        follows_open=row.find.follows_open,
        opens=row.find.opens,
        id_attribute=row.find.name or "",
        type_attribute=_NAMED_BY[row.entity][0],
        name_attribute=_NAMED_BY[row.entity][1],
        closes=row.closes,
        starts=row.state == "started",
        decision=row.decision,
    )
    for name, row in EVENT_TYPES.items()
    if row.entity in ATTEMPTS
}
"""By the types of the events that are about attempts."""


_place: Final = Attempt._fields.index
_KIND, _ID, _ATTEMPT = map(_place, ("kind", "id", "attempt"))
_STATE, _OPEN, _SCHEDULED = map(_place, ("state", "open", "scheduled"))
_STARTED, _CLOSED, _WAITING = map(_place, ("started", "closed", "waiting"))
_RUNNING, _WORKER, _RESULT = map(_place, ("running", "worker", "result"))
_REASON, _DETAILS, _TIMEOUT_TYPE = map(_place, ("reason", "details", "timeout_type"))
_CANCEL_REQUESTED, _RETRIED, _UNHANDLED = map(_place, ("cancel_requested", "retried", "unhandled"))
_RUN_ID, _CLOSED_EVENT_ID = map(_place, ("run_id", "closed_event_id"))
"""The places of an attempt's fields."""


class AttemptRows:
    """The fields of the attempts of a history that grows, as lists that events change, in the order of scheduling.

    Each event costs the same. What depends on what comes after an attempt's close, `retried` and `unhandled`, and how
    long an open one has lasted, is left to `record`.
    """

    def __init__(self) -> None:
        self._rows: list[list[Any]] = []
        self._by_event: dict[int, int] = {}
        """The place of each attempt by the event that opened it."""
        self._by_id: dict[tuple[str, Any], int] = {}
        """The place of the latest open attempt of each kind and id."""
        self._latest: dict[tuple[str, Any], int] = {}
        """The place of the latest attempt of each kind and id."""
        self.followed: set[int] = set()
        """The places of the other ones."""
        self.open: dict[int, tuple[str, Any]] = {}
        """The places of those that are open, with their kinds and ids."""
        self.failed: dict[int, Any] = {}
        """The places of those that failed, with their ids."""
        self.touched: list[int] = []
        """The places of the attempts that changed, once for each change."""
        self.touched_by: list[int] = []
        """The event of each change."""
        self._workers: dict[str, str] = {}

    def apply(self, event: HistoryEvent, plan: Plan) -> None:
        """Follow the next event. Raises `HistoryError` if it refers to nothing known; then nothing has changed."""
        event_id, _, at, attributes = event
        if plan.follows is not None:
            reference = attributes.get(plan.follows)
            place = self._by_event.get(reference) if reference else None
            if place is not None and self._rows[place][_KIND] != plan.kind:
                place = None
            if place is None:
                if reference or not plan.opens:
                    raise unknown_reference(event, plan.follows, plan.kind)
                self._begin(event, plan)
                return
            row = self._rows[place]
            if plan.closes:
                self._end(place, row, event, plan)
            else:
                if row[_OPEN]:
                    row[_STATE] = plan.state
                row[_STARTED] = at
                row[_WAITING] = seconds_between(row[_SCHEDULED], at)
                row[_WORKER] = _worker(attributes.get("identity"), self._workers)
                if plan.kind == CHILD:
                    row[_RUN_ID] = _text(_object(attributes, "workflowExecution").get("runId"))
        elif plan.follows_open is not None:
            place = self._by_id.get((plan.kind, str(attributes.get(plan.follows_open))))
            if place is None:
                raise nothing_open(event, plan.follows_open)
            self._rows[place][_CANCEL_REQUESTED] = True
        else:
            self._begin(event, plan)
            return
        self.touched.append(place)
        self.touched_by.append(event_id)

    def _begin(self, event: HistoryEvent, plan: Plan) -> None:
        event_id, _, at, attributes = event
        kind, id = plan.kind, attributes.get(plan.id_attribute)
        if id is None:
            raise HistoryError(f"event {event_id}: {event.type} has no {plan.id_attribute}")
        key = kind, id
        place = len(self._rows)
        before = self._latest.get(key)
        self._latest[key] = place
        self._by_event[event_id] = place
        name, version = None, None
        if plan.type_attribute is not None:
            of_type = attributes.get(plan.type_attribute)
            if type(of_type) is dict:
                name, version = _text(of_type.get("name")), _text(of_type.get("version"))
        shown_id = id if type(id) is str and id.isascii() else well_formed(str(id)) or ""
        if not name:
            name = _text(attributes.get(plan.name_attribute)) or str(id)
        list_ = attributes.get("taskList")
        priority = attributes.get("taskPriority")
        decided = attributes.get("decisionTaskCompletedEventId")
        control = _read_control(attributes["control"]) if "control" in attributes else _NO_CONTROL
        row: list[Any] = [
            *(kind, name, version, shown_id, 1 if before is None else self._rows[before][_ATTEMPT] + 1),
            *(plan.state, True, at, at if plan.starts else None, None, 0.0, 0.0 if plan.starts else None),
            *(_text(list_.get("name")) if type(list_) is dict else None, None, _text(attributes.get("input"))),
            *(None, None, None, None, None if priority is None else _integer(priority), False, False, False, None),
            *(event_id, None, control[0], _event_id(decided), control[1], control[2]),
        ]
        self._rows.append(row)
        if before is not None:  # which is not the latest any more
            self.followed.add(before)
            self.touched.append(before)
            self.touched_by.append(event_id)
        self.touched.append(place)
        self.touched_by.append(event_id)
        self.open[place] = key
        self._by_id[key] = place
        if plan.closes:
            self._end(place, row, event, plan)

    def _end(self, place: int, row: list[Any], event: HistoryEvent, plan: Plan) -> None:
        event_id, _, at, attributes = event
        key = self.open.pop(place, None)
        if key is not None:
            row[_STATE], row[_OPEN] = plan.state, False
            if self._by_id[key] == place:
                del self._by_id[key]
            if is_failure(plan.kind, plan.state):
                self.failed[place] = key[1]
        started = row[_STARTED]
        row[_CLOSED], row[_CLOSED_EVENT_ID] = at, event_id
        if started is None:
            row[_WAITING] = seconds_between(row[_SCHEDULED], at)
        else:
            row[_RUNNING] = (at - started).total_seconds() if at > started else 0.0
        row[_RESULT] = _text(attributes.get("result"))
        if row[_STATE] != "completed":
            details = attributes.get("details")
            row[_REASON] = _text(attributes.get("reason") or attributes.get("cause")) or loss_text(details)
            row[_DETAILS] = _text(details)
            row[_TIMEOUT_TYPE] = _text(attributes.get("timeoutType"))

    def close(self, event: HistoryEvent) -> None:
        """Follow the event that closes the execution: what is open will not be finished."""
        for place in self.open:
            self._rows[place][_STATE] = UNFINISHED
            self.touched.append(place)
            self.touched_by.append(event.id)

    def records(self) -> list[Attempt]:
        """All of them as records, but for what `record` adds."""
        return list(map(Attempt._make, self._rows))

    def record(self, place: int, *, unhandled_ids: frozenset[str] | None, until: datetime.datetime) -> Attempt:
        """One of them as a record.

        :param unhandled_ids: ids of the tasks whose last failures were never handled; `None` if none was handled.
        :param until: up to when it counts if it is open.
        """
        row = self._rows[place]
        if place in self.failed:
            is_last = place not in self.followed
            row[_RETRIED] = not is_last
            row[_UNHANDLED] = is_last and (unhandled_ids is None or str(self.failed[place]) in unhandled_ids)
        record = Attempt._make(row)
        return lasting_until(record, until) if record.open else record


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


def _text(value: Any) -> str | None:
    """`well_formed`, in the commonest cases without a call."""
    return value if value is None or (type(value) is str and value.isascii()) else well_formed(value)


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
