"""The history of a workflow execution: its events in order, in and out as JSON.

The JSON is that of `aws swf get-workflow-execution-history`: `{"events": [{"eventId": 1, "eventType": …,
"eventTimestamp": …, "…EventAttributes": {…}}, …]}`. Timestamps are read as epoch seconds (AWS CLI 1, the wire) or as
ISO 8601 (AWS CLI 2) and written as epoch seconds. Attribute names stay SWF's, so AWS's documentation is ours.

Rule: a history from a file is validated before anything else reads it: its ids are 1, 2, 3, …, its timestamps can be
read, its references point back. Reading runs and imports nothing. Events of unknown types are kept: SWF may add some.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self, overload

from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.swf.event_types import (
    ATTRIBUTES_KEYS,
    CLOSE_STATUS,
    EVENT_TYPES,
    UNKNOWN_EVENT_TYPE,
    EventType,
    attributes_key,
)

MAX_FILE_BYTES: Final = 50 * 1024 * 1024
"""A larger file is not the history of one execution: SWF ends an execution at 25,000 events."""
FORMAT_VERSION: Final = 1
"""The version of the form of histories in files, which say theirs as `formatVersion` if it is a later one."""
MAX_EVENTS: Final = 25_000
"""SWF's hard limit. https://docs.aws.amazon.com/amazonswf/latest/developerguide/swf-dg-limits.html"""

_TOO_LARGE: Final = (
    f"this is larger than {MAX_FILE_BYTES >> 20} MiB, and the history of one execution is not: save each run by itself"
)
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)


class HistoryEvent(NamedTuple):
    """One event of a history."""

    id: int
    """`eventId`: 1 for the first event, then without gaps."""
    type: str
    """`eventType`: one of the 54 of the event table, or a newer one."""
    timestamp: datetime.datetime
    """`eventTimestamp`, timezone-aware, UTC, in milliseconds."""
    attributes: Mapping[str, Any]
    """The event's attributes by SWF's names. Not to be changed."""

    @property
    def row(self) -> EventType:
        """The row of the event table."""
        return EVENT_TYPES.get(self.type, UNKNOWN_EVENT_TYPE)

    @property
    def decision(self) -> str | None:
        """The type of the decision that this event records, carried out or refused; `None` if it records none.

        SWF writes these events right behind the `DecisionTaskCompleted` whose id their `decisionTaskCompletedEventId`
        is. A later event about the outcome of a request, which it names by `initiatedEventId`, records none.
        """
        decision = self.row.decision
        return None if decision is None or self.attributes.get("initiatedEventId") else decision

    def to_wire(self) -> dict[str, Any]:
        """The event in boto3's form."""
        return {
            "eventId": self.id,
            "eventType": self.type,
            "eventTimestamp": self.timestamp,
            attributes_key(self.type): dict(self.attributes),
        }


class WireEvent(dict[str, Any]):
    """An event in boto3's form, from a service in this process: the service's own event goes along."""

    __slots__ = ("event",)

    event: HistoryEvent


def shared_events(wires: Iterable[Mapping[str, Any]]) -> list[HistoryEvent]:
    """The events in boto3's form: the service's own, if it is in this process, so that an open execution's events are
    in memory once. For readers that hand them to nobody who might change their attributes."""
    return [wire.event if type(wire) is WireEvent else event_from_wire(wire) for wire in wires]


def event_from_wire(wire: Mapping[str, Any]) -> HistoryEvent:
    """The event in boto3's form. Nothing is validated: it comes from a service, not from a file."""
    kind = wire["eventType"]
    key = ATTRIBUTES_KEYS.get(kind) or attributes_key(kind)
    time = wire["eventTimestamp"]
    if time.tzinfo is not datetime.UTC:  # boto3 gives times in the time zone of this machine
        time = time.astimezone(datetime.UTC)
    return HistoryEvent(wire["eventId"], kind, time, wire.get(key) or {})


EXECUTION_OF_FILE: Final = "execution"
"""The member of a file that names the execution whose events it has."""


class History(Sequence[HistoryEvent]):
    """The events of one execution, in order. Immutable; slices are histories too."""

    __slots__ = ("_events",)

    def __init__(self, events: Iterable[HistoryEvent] = ()) -> None:
        self._events: Sequence[HistoryEvent] = tuple(events)

    @classmethod
    def from_wire(cls, events: Iterable[Mapping[str, Any]]) -> Self:
        """From the `events` of boto3's `get_workflow_execution_history`."""
        return cls(event_from_wire(event) for event in events)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """From the output of `aws swf get-workflow-execution-history`, also with `--reverse-order`, or from `to_json`.

        The rows that `simpleflow workflow.history` writes as JSON are the same history, and so are events in another
        order, if none is missing.

        Raises `HistoryError` in one line, naming the event, for anything that is not a whole history.
        """
        if len(text) > MAX_FILE_BYTES:
            raise HistoryError(_TOO_LARGE)
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise HistoryError(f"this is not JSON: {_one_line(error)}") from None
        if isinstance(data, dict) and data.get("formatVersion", FORMAT_VERSION) != FORMAT_VERSION:
            raise HistoryError(
                f"this has the format version {_short(data['formatVersion'])}, and {FORMAT_VERSION} is what can be "
                "read: update simpleflow-lab, or save it as aws swf get-workflow-execution-history does"
            )
        events = data.get("events") if isinstance(data, dict) else data
        if not isinstance(events, list):
            raise HistoryError('this is JSON, but no history: expected {"events": [...]}')
        if not events:
            raise HistoryError("this history has no events")
        if len(events) > MAX_EVENTS:
            raise HistoryError(
                f"this has {len(events):,} events, and one execution {MAX_EVENTS:,} at most: save each run by itself"
            )
        if isinstance(data, dict):
            _check_whole(data, len(events))
        if _are_rows(events):
            events = [_from_row(row) for row in events]
        events = _in_order(events)
        history = cls(_event_from_file(event, i) for i, event in enumerate(events, start=1))
        if history[0].type != "WorkflowExecutionStarted":
            raise HistoryError(f"event 1 is {_short(history[0].type)}: a history starts with WorkflowExecutionStarted")
        _check_one_run(history)
        return history

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """`from_json` of a file. Raises `HistoryError` with the file's name."""
        try:
            if os.path.getsize(path) > MAX_FILE_BYTES:
                raise HistoryError(_TOO_LARGE)
            with open(path, "rb") as file:
                return cls.from_json(file.read(MAX_FILE_BYTES + 1))
        except OSError as error:
            raise HistoryError(f"{os.fspath(path)}: {error.strerror or error}") from None
        except HistoryError as error:
            raise HistoryError(f"{os.fspath(path)}: {error}") from None

    def to_json(self, *, indent: int | None = 1, workflow_id: str = "", run_id: str = "") -> str:
        """The JSON of `aws swf get-workflow-execution-history`; with ids it names, beside the events, of which
        execution they are: a replay of one that has children needs that."""
        data: dict[str, Any] = {"events": [_jsonable(event.to_wire()) for event in self]}
        if workflow_id or run_id:
            data[EXECUTION_OF_FILE] = {"workflowId": workflow_id, "runId": run_id}
        return json.dumps(data, indent=indent, sort_keys=True)

    @overload
    def __getitem__(self, index: int) -> HistoryEvent: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...
    def __getitem__(self, index: int | slice) -> HistoryEvent | History:
        return History(self._events[index]) if isinstance(index, slice) else self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[HistoryEvent]:
        return iter(self._events)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash((len(self), self[-1].timestamp if len(self) else None))

    def __repr__(self) -> str:
        return f"<History of {self.workflow_type}: {len(self)} events, {self.close_status or 'OPEN'}>"

    def event(self, event_id: int) -> HistoryEvent:
        """The event with this id. Raises `HistoryError` if there is none."""
        # Ids are 1, 2, 3, …; a slice of a history starts later.
        index = event_id - self._events[0].id if len(self) else -1
        if not 0 <= index < len(self):
            raise HistoryError(f"this history has no event {event_id}")
        return self._events[index]

    @property
    def workflow_type(self) -> str:
        """Name of the workflow type, as event 1 has it."""
        if not len(self):
            return "?"
        kind = self._events[0].attributes.get("workflowType")
        return str(kind.get("name", "?")) if isinstance(kind, Mapping) else "?"

    @property
    def unknown_types(self) -> dict[str, int]:
        """Event types that the event table does not have, each with the id of its first event."""
        unknown: dict[str, int] = {}
        for event in self._events:
            if event.type not in EVENT_TYPES:
                unknown.setdefault(event.type, event.id)
        return unknown

    @property
    def close_status(self) -> str | None:
        """SWF's close status, or `None` while the execution is open."""
        return CLOSE_STATUS.get(self[-1].type) if len(self) else None


_PAGE_TOKENS: Final = ("nextPageToken", "NextToken")
"""The keys by which SWF, and the AWS CLI, say that this is a part of a history, and more follows."""
_SAVE_ALL: Final = (
    "save all, as aws swf get-workflow-execution-history does without --max-items, --starting-token and --no-paginate"
)


def _check_whole(data: Mapping[str, Any], events: int) -> None:
    """Raise `HistoryError` for a page of a history: it would look like an execution that is still open."""
    for name in _PAGE_TOKENS:
        if data.get(name):
            raise HistoryError(
                f"these {events} events are one page of a history: {name} says that more follow; {_SAVE_ALL}"
            )


def _in_order(events: list[Any]) -> list[Any]:
    """The events by their ids, if none is missing: `--reverse-order` gives the last one first. Raises `HistoryError`
    for a page, from which the first events are missing; what else is wrong with the ids, each event tells."""
    ids: list[Any] = [event.get("eventId") if isinstance(event, dict) else None for event in events]
    if any(type(each) is not int for each in ids):
        return events
    ordered = sorted(events, key=lambda event: int(event["eventId"]))
    first, last = min(ids), max(ids)
    if sorted(ids) != list(range(first, first + len(ids))):
        return events
    if first > 1:
        which = f"event {first} alone is" if first == last else f"events {first} to {last} are"
        raise HistoryError(f"{which} one page of a history: the events before are missing; {_SAVE_ALL}")
    return ordered


_ROW: Final = frozenset({"id", "type", "timestamp", "attributes"})


def _are_rows(events: Sequence[Any]) -> bool:
    """Whether these are rows of `workflow.history`, which have shorter names for the same."""
    return all(isinstance(event, dict) and event.keys() == _ROW for event in events)


def _from_row(row: dict[str, Any]) -> dict[str, Any]:
    kind = row["type"]
    its = attributes_key(kind) if isinstance(kind, str) and kind else "attributes"
    return {"eventId": row["id"], "eventType": kind, "eventTimestamp": row["timestamp"], its: row["attributes"]}


def _check_one_run(history: History) -> None:
    """Raise `HistoryError` if the run starts again, or goes on after its close."""
    closed: HistoryEvent | None = None
    for event in history:
        if event.type == "WorkflowExecutionStarted" and event.id > 1:
            raise HistoryError(f"event {event.id} starts an execution again: a history is that of one run")
        if closed is not None and event.type in EVENT_TYPES:
            raise HistoryError(f"event {event.id} is {_short(event.type)}, but event {closed.id} closed the execution")
        if event.type in CLOSE_STATUS:
            closed = event


def _event_from_file(data: Any, position: int) -> HistoryEvent:
    """An event from a file, validated. Raises `HistoryError`."""
    if not isinstance(data, dict):
        raise HistoryError(f"event {position} is {type(data).__name__}, not an object")
    event_id, kind = data.get("eventId"), data.get("eventType")
    if type(event_id) is not int or event_id != position:
        raise HistoryError(f"event {position} has eventId {_short(event_id)}: ids must be 1, 2, 3, … without gaps")
    if not isinstance(kind, str) or not kind:
        raise HistoryError(f"event {event_id} has no eventType")
    attributes = data.get(ATTRIBUTES_KEYS.get(kind) or attributes_key(kind), {})
    if not isinstance(attributes, dict):
        raise HistoryError(f"event {event_id}: {attributes_key(kind)} is not an object")
    timestamp = _timestamp(data.get("eventTimestamp"), event_id)
    for name, value in attributes.items():
        expected = _type_of(name)
        if type(value) is not expected and expected is not None:
            if expected is int:
                raise HistoryError(f"event {event_id}: {name} is {_short(value)}, not the id of an earlier event")
            raise HistoryError(f"event {event_id}: {name} is not {'an object' if expected is dict else 'a string'}")
        # In startedEventId and parentInitiatedEventId, 0 means "none".
        if expected is int and not 0 <= value < event_id:
            raise HistoryError(f"event {event_id}: {name} is {_short(value)}, not the id of an earlier event")
    return HistoryEvent(event_id, kind, timestamp, attributes)


_IDS_OF_OTHERS: Final = frozenset({"parentInitiatedEventId", "externalInitiatedEventId"})
"""Event ids in the history of another execution."""
_OBJECTS: Final = frozenset(
    {
        "activityType",
        "workflowType",
        "taskList",
        "workflowExecution",
        "parentWorkflowExecution",
        "externalWorkflowExecution",
    }
)
_STRINGS: Final = frozenset(
    {
        *("activityId", "timerId", "workflowId", "runId", "signalName", "markerName", "id", "name", "identity"),
        *("input", "result", "control", "details", "reason", "cause", "executionContext"),
        *("timeoutType", "childPolicy", "taskPriority", "startToFireTimeout"),
        *("scheduleToStartTimeout", "scheduleToCloseTimeout", "startToCloseTimeout", "heartbeatTimeout"),
        *("executionStartToCloseTimeout", "taskStartToCloseTimeout"),
    }
)


@functools.lru_cache(maxsize=1000)  # a file may have any names
def _type_of(name: str) -> type | None:
    """The type of an attribute of this name in JSON; `int` of the id of an earlier event, `None` of what may be any."""
    if name.endswith("EventId") and name not in _IDS_OF_OTHERS:
        return int
    return dict if name in _OBJECTS else str if name in _STRINGS else None


def _timestamp(value: Any, event_id: int) -> datetime.datetime:
    try:
        if type(value) is int or type(value) is float:
            return _EPOCH + round(value * 1000) * _MILLISECOND
        if isinstance(value, str):
            time = datetime.datetime.fromisoformat(value)
            if time.tzinfo is None:
                raise HistoryError(f"event {event_id}: the eventTimestamp {_short(value)} has no time zone")
            return time.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        pass
    raise HistoryError(f"event {event_id}: eventTimestamp is {_short(value)}, neither epoch seconds nor ISO 8601")


def epoch_seconds(time: datetime.datetime) -> float:
    """Seconds since 1970, exact to the millisecond."""
    return ((time - _EPOCH) // _MILLISECOND) / 1000


def _jsonable(wire: dict[str, Any]) -> dict[str, Any]:
    return {**wire, "eventTimestamp": epoch_seconds(wire["eventTimestamp"])}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _one_line(error: BaseException) -> str:
    return _short(str(error) or type(error).__name__)[1:-1]
