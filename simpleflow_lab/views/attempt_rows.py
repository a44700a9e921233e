"""Events become records: each event changes the fields of the attempt that it is about.

Rule: a record is made of the events about one thing, and of what `views.history_fold` knows about the others. Nothing
here reads a clock or raises for attributes of a wrong type.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.swf.control import read_control
from simpleflow_lab.swf.conventions import DEFINITION_DIFFERS_KEY, loss_text
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, DECISION_FAILURE, EVENT_TYPES, LAMBDA, TIMER, UNKNOWN
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.history_entities import Entity, nothing_open, unknown_reference
from simpleflow_lab.views.attempts import (
    ATTEMPTS,
    UNFINISHED,
    AttemptColumns,
    DecisionTask,
    PointEvent,
    is_failure,
    seconds_between,
)
from simpleflow_lab.views.formatting import well_formed


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The effect of events of one type on an attempt, read from the event table."""

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
    fails: bool
    """It closes the attempt without a result."""
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
        fails=row.closes and is_failure(row.entity, row.state),
        decision=row.decision,
    )
    for name, row in EVENT_TYPES.items()
    if row.entity in ATTEMPTS
}
"""By the types of the events that are about attempts."""


_KIND, _ID, _OPENED, _NUMBER, _STATE, _STARTED, _CLOSED, _CANCEL_REQUESTED, _PLACE, _BEFORE, _PLAN = range(11)
"""Where a row of `AttemptRows` has what is known of its attempt: the events that opened, started and closed it, …"""


class AttemptRows:
    """The attempts of a history that grows, each with the events about it, in the order of scheduling.

    Each event costs the same. Fields are read from the events when they are asked for, a column at a time.
    """

    def __init__(self) -> None:
        self._rows: list[list[Any]] = []
        self._by_event: dict[int, list[Any]] = {}
        """Each attempt by the event that opened it."""
        self._latest: dict[str, dict[Any, list[Any]]] = {kind: {} for kind in ATTEMPTS}
        """The latest attempt of each kind and id."""
        self.followed: set[int] = set()
        """The places of the other ones."""
        self.open: dict[int, None] = {}
        """The places of those that are open."""
        self.failed: dict[int, Any] = {}
        """The places of those that failed, with their ids."""
        self.touched: list[int] = []
        """The places of the attempts that changed, once for each change."""
        self.touched_by: list[int] = []
        """The event of each change."""
        self._workers: dict[str, str] = {}

    def feed(
        self,
        events: Iterable[HistoryEvent],
        fed: list[HistoryEvent],
        follow: Callable[[HistoryEvent], None],
        decided: dict[tuple[Any, str], int],
    ) -> None:
        """Follow the next events, and add them to `fed`. Raises `HistoryError` for one that refers to nothing known;
        then those before it have been followed.

        `follow` is called with each that is about no attempt; `decided`, for each other that records a decision, with
        the id of the `DecisionTaskCompleted` event and the type of that decision.
        """
        rows, by_event, latest, still_open = self._rows, self._by_event, self._latest, self.open
        touched, touched_by = self.touched.append, self.touched_by.append
        row: list[Any] | None
        for event in events:  # all in one function: calls would take as long again
            event_id, event_type, _, attributes = event
            plan = PLANS.get(event_type)
            if plan is None:
                follow(event)
                fed.append(event)
                continue
            reference: Any = None if plan.follows is None else attributes.get(plan.follows)
            if reference or not plan.opens:
                row = by_event.get(reference) if plan.follows_open is None else self._named(event, plan)
                if row is None or row[_KIND] != plan.kind:
                    raise unknown_reference(event, str(plan.follows), plan.kind)
                if plan.follows_open is not None:
                    row[_CANCEL_REQUESTED] = True
                elif not plan.closes:
                    if row[_CLOSED] is None:
                        row[_STATE] = plan.state
                    row[_STARTED] = event
            else:
                kind, id = plan.kind, attributes.get(plan.id_attribute)
                if id is None:
                    raise HistoryError(f"event {event_id}: {event_type} has no {plan.id_attribute}")
                latest_of_kind = latest[kind]
                place, number, before = len(rows), 1, latest_of_kind.get(id)
                if before is not None:  # which is not the latest any more
                    number += before[_NUMBER]
                    self.followed.add(before[_PLACE])
                    touched(before[_PLACE])
                    touched_by(event_id)
                started = event if plan.starts else None
                row = [kind, id, event, number, plan.state, started, None, False, place, before, plan]
                rows.append(row)
                latest_of_kind[id] = by_event[event_id] = row
                still_open[place] = None
            if plan.closes:
                if row[_CLOSED] is None:
                    row[_STATE] = plan.state
                    del still_open[row[_PLACE]]
                    if plan.fails:
                        self.failed[row[_PLACE]] = row[_ID]
                row[_CLOSED] = event
            touched(row[_PLACE])
            touched_by(event_id)
            if plan.decision is not None and not attributes.get("initiatedEventId"):
                decision = attributes.get("decisionTaskCompletedEventId"), plan.decision
                decided[decision] = decided.get(decision, 0) + 1
            fed.append(event)

    def _named(self, event: HistoryEvent, plan: Plan) -> list[Any]:
        """The latest open attempt with the id that this event names."""
        assert plan.follows_open is not None
        row = self._latest[plan.kind].get(str(event.attributes.get(plan.follows_open)))
        while row is not None and row[_CLOSED] is not None:
            row = row[_BEFORE]
        if row is None:
            raise nothing_open(event, plan.follows_open)
        return row

    def close(self, event: HistoryEvent) -> None:
        """Follow the event that closes the execution: what is open will not be finished."""
        for place in self.open:
            self._rows[place][_STATE] = UNFINISHED
            self.touched.append(place)
            self.touched_by.append(event.id)

    def columns(
        self,
        *,
        unhandled_ids: frozenset[str] | None,
        until: datetime.datetime,
        places: Collection[int] | None = None,
    ) -> AttemptColumns:
        """The fields of the attempts, of those at these `places` or of all.

        :param unhandled_ids: ids of the tasks whose last failures were never handled; `None` if none was handled.
        :param until: up to when open ones count.
        """
        rows = self._rows if places is None else [self._rows[place] for place in places]
        if not rows:
            return AttemptColumns.of(())
        kinds, ids, opened, numbers, states, starts, ends, cancels, at, _, plans = zip(*rows, strict=True)
        event_ids, _, scheduled, attributes = zip(*opened, strict=True)
        started = [None if event is None else event.timestamp for event in starts]
        closed = [None if event is None else event.timestamp for event in ends]
        nothing: Sequence[None] = [None] * len(rows)
        names, versions = _types(plans, ids, attributes)
        outcomes = [_NOTHING if event is None else event.attributes for event in ends]
        reasons = details = timeout_types = nothing
        if set(states) != {"completed"}:
            reasons, details, timeout_types = zip(*map(_failure, outcomes, states), strict=True)
        controls = [its.get("control") for its in attributes]
        lines: Sequence[str | None] = nothing
        depends_on: Sequence[tuple[str, ...]] = [()] * len(rows)
        max_parallel: Sequence[int | None] = nothing
        if controls.count(None) < len(rows):
            lines, depends_on, max_parallel = zip(*map(_read_control, controls), strict=True)
        retried, unhandled = self._failures(at, unhandled_ids)
        return AttemptColumns(
            {
                "kind": kinds,
                "name": names,
                "version": versions,
                "id": _texts(ids),
                "attempt": numbers,
                "state": states,
                "open": [event is None for event in ends],
                "scheduled": scheduled,
                "started": started,
                "closed": closed,
                "waiting": [
                    (end - start).total_seconds() if end > start else 0.0
                    for start, began, closing in zip(scheduled, started, closed, strict=True)
                    for end in [began or closing or until]
                ],
                "running": [
                    None if start is None else (end - start).total_seconds() if end > start else 0.0
                    for start, closing in zip(started, closed, strict=True)
                    for end in [closing or until]
                ],
                "task_list": _texts(_members([its.get("taskList") for its in attributes], "name")),
                "worker": self._workers_of(starts),
                "input": _texts([its.get("input") for its in attributes]),
                "result": _texts([its.get("result") for its in outcomes]),
                "reason": reasons,
                "details": details,
                "timeout_type": timeout_types,
                "priority": _integers([its.get("taskPriority") for its in attributes]),
                "cancel_requested": cancels,
                "retried": retried,
                "unhandled": unhandled,
                "run_id": list(map(_run_id, kinds, starts)) if CHILD in kinds else nothing,
                "scheduled_event_id": event_ids,
                "closed_event_id": [None if event is None else event.id for event in ends],
                "line": lines,
                "decision_event_id": _event_ids([its.get("decisionTaskCompletedEventId") for its in attributes]),
                "depends_on": depends_on,
                "max_parallel": max_parallel,
            }
        )

    def _workers_of(self, starts: Sequence[HistoryEvent | None]) -> Sequence[str | None]:
        """The workers that took the attempts that these events started."""
        identities = [None if event is None else event.attributes.get("identity") for event in starts]
        names = {identity: _worker(identity, self._workers) for identity in set(identities)}
        return [names[identity] for identity in identities]

    def _failures(
        self, places: Sequence[int], unhandled_ids: frozenset[str] | None
    ) -> tuple[Sequence[bool], Sequence[bool]]:
        """Those of these attempts that failed and were tried again, and those that failed and nobody handled."""
        no = [False] * len(places)
        if not self.failed:
            return no, no
        failed, followed = self.failed, self.followed
        return [place in failed and place in followed for place in places], [
            place in failed and place not in followed and (unhandled_ids is None or str(failed[place]) in unhandled_ids)
            for place in places
        ]


def _types(
    plans: Sequence[Plan], ids: Sequence[Any], attributes: Sequence[Mapping[str, Any]]
) -> tuple[Sequence[str | None], Sequence[str | None]]:
    """The names and the versions of the types of attempts."""
    types = [its.get(plan.type_attribute or "") for plan, its in zip(plans, attributes, strict=True)]
    names = _texts(_members(types, "name"))
    if not all(names):
        names = [
            name or _text(its.get(plan.name_attribute)) or str(id)
            for name, its, plan, id in zip(names, attributes, plans, ids, strict=True)
        ]
    return names, _texts(_members(types, "version"))


def _members(objects: Sequence[Any], name: str) -> list[Any]:
    """This member of each of them; `None` of what is no object."""
    return [each.get(name) if type(each) is dict else None for each in objects]


def _failure(outcome: Mapping[str, Any], state: str) -> tuple[str | None, str | None, str | None]:
    """The reason, the details and the timeout type with which an attempt came to this state."""
    if not outcome or state == "completed":
        return None, None, None
    details = outcome.get("details")
    reason = _text(outcome.get("reason") or outcome.get("cause")) or loss_text(details)
    return reason, _text(details), _text(outcome.get("timeoutType"))


def _run_id(kind: str, started: HistoryEvent | None) -> str | None:
    """The run of a child execution that has started."""
    if kind != CHILD or started is None:
        return None
    return _text(_object(started.attributes, "workflowExecution").get("runId"))


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


def _event_ids(values: Sequence[Any]) -> Sequence[int | None]:
    """The ids of events, `None` for 0, by which SWF says that there is none, and for anything else."""
    if set(map(type, values)) == {int} and min(values) > 0 and max(values) < 2**31:
        return values
    return [value if type(value) is int and 0 < value < 2**31 else None for value in values]


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


def _texts(values: Sequence[Any]) -> Sequence[str | None]:
    """`well_formed` of each of them. Most columns have nothing to be changed, and are given back."""
    try:
        if all(map(str.isascii, values)):
            return values
    except TypeError:  # there are others than texts
        if values.count(None) == len(values):
            return values
    return list(map(_text, values))


def _integers(values: Sequence[Any]) -> Sequence[int | None]:
    """`_integer` of each of them, `None` for `None`."""
    if values.count(None) == len(values):
        return values
    return [None if value is None else _integer(value) for value in values]


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

    It says so if the process had another definition of the task's type than the execution used.
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
