"""The events that a fork inherits from the execution that it was forked from, up to a point.

A fork is replayed as if its history went on where the inherited events end: `Splice` puts them between its first event
and the others. So everything before the point goes as it went: the same order, the same times of `now()`, the same
failures, retries, patches and signals. At the end of the inherited events, where the fork's own begin, is a *crossing*:
what is open there is commanded anew.

Along inherited events nobody minds a difference. A recorded task that the code does not command, because it was edited
or got another result, is unclaimed: it waits until the code commands the same one. What the code commands and no event
records is sent at the crossing. A task that completed waits on behind the crossing, for the code to command it once a
limit, as `max_parallel`, holds it back no longer.

Rule: pure. The text comes from a history, and so from anybody: it is checked and bounded before it is used.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.replay.command import Command, CommandKind
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, CLOSE_STATUS, EVENT_TYPES
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.inherited_text import pack, unpack

LEFT_OUT: Final = "simpleflow_lab.left_out"
"""The type of an event that stands for one that is not inherited: ids have no gaps."""

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_REFERENCES: Final = frozenset(
    {"scheduledEventId", "startedEventId", "decisionTaskCompletedEventId", "initiatedEventId"}
    | {"latestCancelRequestedEventId"}
)
"""Attributes that name an event of the same history."""
_INHERITED_MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "DecisionTaskScheduled": frozenset(),
    "DecisionTaskStarted": frozenset({"scheduledEventId", "identity"}),
    "DecisionTaskCompleted": frozenset({"scheduledEventId", "startedEventId"}),
    "ActivityTaskStarted": frozenset({"scheduledEventId"}),
}
"""The attributes of these types that a replay reads."""
_TEXTS: Final = frozenset(
    {"activityId", "workflowId", "timerId", "signalName", "markerName", "input", "result", "reason", "details"}
    | {"cause", "control", "executionContext", "identity", "timeoutType", "startToFireTimeout", "runId"}
)
"""Attributes that are texts."""
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "activityType": ("name", "version"),
    "workflowType": ("name", "version"),
    "workflowExecution": ("workflowId", "runId"),
    "taskList": ("name",),
}
"""Attributes that have members, which are texts."""
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "DecisionTaskStarted": ("scheduledEventId",),
    "DecisionTaskCompleted": ("scheduledEventId", "startedEventId"),
    "ActivityTaskScheduled": ("activityId", "activityType"),
    "StartChildWorkflowExecutionInitiated": ("workflowId", "workflowType"),
    "TimerStarted": ("timerId",),
    "MarkerRecorded": ("markerName",),
    "WorkflowExecutionSignaled": ("signalName",),
    "SignalExternalWorkflowExecutionInitiated": ("signalName", "workflowId"),
}
"""The attributes that events of these types always have."""


class InheritedRun(NamedTuple):
    """The inherited events of one run."""

    workflow_id: str
    run_id: str
    """Whose they are: ids of children and random numbers are made of it."""
    events: Sequence[HistoryEvent]
    """From the second event on, without gaps."""
    given: Mapping[str, str | None] = MappingProxyType({})
    """By task id, the results of tasks that have none at the end of these events, as fields."""
    children: Mapping[str, str] = MappingProxyType({})
    """By the workflow id of a child execution that is commanded anew at the end of these events, the input with which
    it is: that of a fork of the child."""


def to_text(runs: Iterable[InheritedRun]) -> str:
    """The text that `from_text` reads: compressed, of characters that JSON does not escape."""
    value = [
        {
            "workflow_id": run.workflow_id,
            "run_id": run.run_id,
            "events": [_to_json(event) for event in run.events],
            "given": dict(run.given),
            "children": dict(run.children),
        }
        for run in runs
    ]
    return pack(value)


def from_text(text: str) -> list[InheritedRun]:
    """The runs of a text, oldest first. Raises `HistoryError` for anything that `to_text` does not write."""
    try:
        return [_run_of(each) for each in unpack(text)]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise HistoryError(f"what this fork inherits can't be read: {type(error).__name__}: {error}"[:300]) from None


def _to_json(event: HistoryEvent) -> list[Any]:
    members = _INHERITED_MEMBERS.get(event.type)
    attributes = event.attributes
    return [
        event.type,
        (event.timestamp - _EPOCH) // _MICROSECOND,
        dict(attributes) if members is None else {name: attributes[name] for name in members & attributes.keys()},
    ]


def _run_of(value: Mapping[str, Any]) -> InheritedRun:
    events = []
    for id, (kind, microseconds, attributes) in enumerate(value["events"], start=2):
        if not isinstance(kind, str) or not isinstance(attributes, dict):
            raise ValueError(f"event {id} is none")
        for name in _REFERENCES & attributes.keys():
            if type(attributes[name]) is not int or not 0 <= attributes[name] < id:
                raise ValueError(f"event {id} does not point back")
        _check(id, kind, attributes)
        events.append(HistoryEvent(id, kind, _EPOCH + int(microseconds) * _MICROSECOND, attributes))
    given = dict(value["given"].items())
    if not all(isinstance(field, str | None) for field in given.values()):
        raise ValueError("a given result is no text")
    children = dict(value.get("children", {}).items())
    if not all(isinstance(input, str) for input in children.values()):
        raise ValueError("the input of a child is no text")
    return InheritedRun(
        workflow_id=str(value["workflow_id"]),
        run_id=str(value["run_id"]),
        events=events,
        given=given,
        children=children,
    )


def _check(id: int, kind: str, attributes: Mapping[str, Any]) -> None:
    """Raises `ValueError` for an event that no history holds between its start and its close."""
    row = EVENT_TYPES.get(kind)
    if kind == "WorkflowExecutionStarted" or kind in CLOSE_STATUS:
        raise ValueError(f"event {id} is the start or the close of an execution")
    for name in _TEXTS & attributes.keys():
        if attributes[name] is not None and not isinstance(attributes[name], str):
            raise ValueError(f"{name} of event {id} is no text")
    for name, members in _MEMBERS.items():
        value = attributes.get(name)
        if value is not None and not (
            isinstance(value, dict) and all(isinstance(value.get(member), str) for member in members)
        ):
            raise ValueError(f"{name} of event {id} is none")
    for name in _NEEDED.get(kind, ()):
        if attributes.get(name) is None:
            raise ValueError(f"event {id} has no {name}")
    if (
        row is not None
        and row.find.follows
        and row.closes
        and not row.find.opens
        and row.find.follows not in attributes
    ):
        raise ValueError(f"event {id} has no {row.find.follows}")


class Crossing(NamedTuple):
    """The place where the events of one run end and those of another begin."""

    given: Mapping[str, str | None]
    """The results that are given there."""
    children: Mapping[str, str]
    """The inputs of children that go on there as forks."""
    identity: tuple[str, str] | None
    """Workflow id and run id of the run that begins; `None` for the fork itself."""


class Splice:
    """The history of a fork as its replay reads it: its first event, the inherited events, its further events."""

    def __init__(self, started: HistoryEvent, runs: Sequence[InheritedRun]) -> None:
        """`started` is the fork's first event; `runs` are what it inherits, oldest first, at least one."""
        self.events: list[HistoryEvent] = [started]
        """The first event and the inherited ones."""
        self.first_identity = (runs[0].workflow_id, runs[0].run_id)
        """Whose the first of these events are."""
        self.crossings: dict[int, Crossing] = {}
        """By the id of the first event after each."""
        for run, following in zip(runs, [*runs[1:], None], strict=True):
            offset = len(self.events) - 1
            self.events.extend(_shifted(event, offset) for event in run.events)
            identity = None if following is None else (following.workflow_id, following.run_id)
            self.crossings[len(self.events) + 1] = Crossing(given=run.given, children=run.children, identity=identity)
        self._offset = len(self.events) - 1

    def inside(self, event: HistoryEvent) -> HistoryEvent:
        """An event of the fork's history, as the replay reads it."""
        return _shifted(event, self._offset) if event.id > 1 else event

    def id_inside(self, event_id: int) -> int:
        """The id by which the replay knows an event of the fork's history."""
        return event_id + self._offset if event_id > 1 else event_id

    def outside(self, event: HistoryEvent) -> HistoryEvent:
        """The event of the fork's history that the replay reads so; of an inherited one, the fork's first event."""
        if self.is_inherited(event.id):
            return self.events[0]
        return _shifted(event, -self._offset) if event.id > 1 else event

    def id_outside(self, event_id: int) -> int:
        """Its id there; of an inherited one 1: it came with the first event."""
        return max(1, event_id - self._offset) if event_id else 0

    def is_inherited(self, event_id: int) -> bool:
        """Whether the replay knows an inherited event by this id."""
        return 1 < event_id <= len(self.events)


def _shifted(event: HistoryEvent, offset: int) -> HistoryEvent:
    if not offset:
        return event
    attributes = event.attributes
    changed = {name: attributes[name] + offset for name in _REFERENCES & attributes.keys() if attributes[name]}
    return HistoryEvent(
        event.id + offset, event.type, event.timestamp, {**attributes, **changed} if changed else attributes
    )


class Unclaimed:
    """The inherited events that record a command which the code has not made, so far."""

    def __init__(self) -> None:
        self._recorded: dict[tuple[str, str], list[HistoryEvent]] = {}
        """By the decision type and the id that the events have in common."""
        self._about: dict[int, list[HistoryEvent]] = {}
        """By the event that records a command: the later ones about it, as far as they were seen."""

    def add(self, event: HistoryEvent, kind: CommandKind) -> None:
        """No command of the code stands for this event."""
        self._recorded.setdefault(_place(kind, event.attributes), []).append(event)
        self._about[event.id] = []

    def of(self, command: Command) -> Sequence[HistoryEvent]:
        """The events that may record this command, oldest first."""
        return self._recorded.get((command.kind.name, command.id), ())

    def holds(self, event: HistoryEvent) -> bool:
        """Whether this event, which is seen now, is about one of them: then it is added to it."""
        row = EVENT_TYPES.get(event.type)
        follows = None if row is None else row.find.follows
        about = self._about.get((event.attributes.get(follows) if follows else None) or event.id)
        if about is None:
            return False
        about.append(event)
        return True

    def completed(self) -> Unclaimed:
        """Those whose tasks completed, for after a crossing: all else is commanded anew there."""
        left = Unclaimed()
        for place, recorded in self._recorded.items():
            for event in recorded:
                about = self._about[event.id]
                if any(each.row.state == "completed" and each.row.entity in (ACTIVITY, CHILD) for each in about):
                    left._recorded.setdefault(place, []).append(event)
                    left._about[event.id] = about
        return left

    def claim(self, event: HistoryEvent, kind: CommandKind) -> Sequence[HistoryEvent]:
        """A command stands for this event from now on: gives what was seen about it."""
        self._recorded[_place(kind, event.attributes)].remove(event)
        return self._about.pop(event.id)


def _place(kind: CommandKind, attributes: Mapping[str, Any]) -> tuple[str, str]:
    return kind.name, str(attributes.get(kind.id_attribute or ""))
