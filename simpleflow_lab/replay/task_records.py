"""A history with records: one dict for each task, signal, marker and timer, by upstream's keys.

    def run(self):
        if self.executor.history.last_event_id > 10_000:
            ...
        rows = [signal["input"] for signal in self.executor.history.get_signal_events("row")]

`HistoryWithRecords` is the class that users know as `simpleflow_lab.History`: a sequence of events, with records made
from them: `activities`, `child_workflows`, `signals`, `markers`, `timers`, …. The history of a workflow's executor has
the events up to the decision that is being made, in a replay as the first time.

An activity that is tried again has one record, of its latest attempt, in which `retry` counts. `attempts` gives one
record for each attempt.

Rule: this is the one module that knows upstream's keys. Each event is folded into the records once, when a record is
read. Events of types that are not in the table `_EVENTS` are passed over.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, overload

from simpleflow_lab.data.codec import decode_or_text
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.history import History, HistoryEvent

Record = dict[str, Any]
"""The record of a task, by upstream's keys. Not to be changed."""


class HistoryWithRecords(History):
    """The events of one execution, in order, and the records of its tasks. Slices are histories too.

    It is immutable, except that the replay lets the history of an executor grow. A record of a slice knows only the
    events of the slice.
    """

    execution_ids: tuple[str, str] = ("", "")
    """Workflow id and run id of the execution, in what its `history()` gives; empty in all else."""

    def __init__(self, events: Iterable[HistoryEvent] = (), *, length: int | None = None) -> None:
        """With `length` only the first so many of `events` are seen, until `advance` shows more of them."""
        super().__init__()
        self._events = events if isinstance(events, list | tuple) else tuple(events)
        self._length = len(self._events) if length is None else length
        self._folded = 0
        self._folding = threading.RLock()
        self._workflow: Record = {}
        self._activities: dict[str, Record] = {}
        self._child_workflows: dict[str, Record] = {}
        self._signals: dict[str, Record] = {}
        self._signal_lists = _Lists()
        self._markers: dict[str, list[Record]] = {}
        self._timers: dict[str, Record] = {}
        self._external_workflows_signaling: dict[int, Record] = {}
        self._signaled_workflows = _Lists()
        self._tasks: list[Record] = []
        self._cancel_requested: Record | None = None
        self._cancel_failed: Record | None = None
        self._started_decision_id: int | None = None
        self._completed_decision_id: int | None = None

    def __reduce__(self) -> tuple[type[HistoryWithRecords], tuple[tuple[HistoryEvent, ...]]]:
        """Pickled and copied as its events; the records are made again."""
        return HistoryWithRecords, (tuple(self),)

    # -- a sequence of events --

    @overload
    def __getitem__(self, index: int) -> HistoryEvent: ...
    @overload
    def __getitem__(self, index: slice) -> HistoryWithRecords: ...
    def __getitem__(self, index: int | slice) -> HistoryEvent | HistoryWithRecords:
        seen = range(self._length)[index]
        if isinstance(seen, range):
            return HistoryWithRecords([self._events[position] for position in seen])
        return self._events[seen]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[HistoryEvent]:
        return itertools.islice(self._events, self._length)

    @property
    def events(self) -> list[HistoryEvent]:
        """The events, in order."""
        return list(self)

    @property
    def last_event_id(self) -> int | None:
        """Id of the last event, which is how many there are; `None` of an empty history."""
        return self._events[self._length - 1].id if self._length else None

    def advance(self, length: int) -> None:
        """Show the first `length` events. The replay calls it before each decision."""
        self._length = length

    def parse(self) -> None:
        """Do nothing, for records are made when they are read. Programs that call upstream's method call this one."""

    # -- records --

    @property
    def workflow(self) -> Record:
        """The execution itself."""
        return self._fold()._workflow

    @property
    def activities(self) -> Mapping[str, Record]:
        """Activity tasks by activity id."""
        return self._fold()._activities

    @property
    def child_workflows(self) -> Mapping[str, Record]:
        """Child executions by workflow id."""
        return self._fold()._child_workflows

    @property
    def signals(self) -> Mapping[str, Record]:
        """The latest signal that came of each name."""
        return self._fold()._signals

    @property
    def signal_lists(self) -> Mapping[str, list[Record]]:
        """All signals that came, by name, oldest first; an empty list for a name that did not come."""
        return self._fold()._signal_lists

    def get_signal_events(self, signal_name: str) -> list[Record]:
        """All signals of this name, oldest first."""
        return self.signal_lists[signal_name]

    @property
    def markers(self) -> Mapping[str, list[Record]]:
        """Markers by name, oldest first; `details` as recorded."""
        return self._fold()._markers

    @property
    def timers(self) -> Mapping[str, Record]:
        """Timers by timer id, the latest of each."""
        return self._fold()._timers

    @property
    def external_workflows_signaling(self) -> Mapping[int, Record]:
        """Signals to other executions, by the id of the event that initiated each."""
        return self._fold()._external_workflows_signaling

    @property
    def signaled_workflows(self) -> Mapping[str, list[Record]]:
        """Signals that reached other executions, by signal name."""
        return self._fold()._signaled_workflows

    @property
    def tasks(self) -> Sequence[Record]:
        """Activities, child executions and signals that came, in the order of their first events."""
        return self._fold()._tasks

    @property
    def cancel_requested(self) -> Record | None:
        """The latest request to cancel the execution."""
        return self._fold()._cancel_requested

    @property
    def cancel_requested_id(self) -> int | None:
        """Event id of the latest request to cancel the execution."""
        return self.cancel_requested["event_id"] if self.cancel_requested else None

    @property
    def cancel_failed(self) -> Record | None:
        """The latest refusal by SWF to cancel the execution."""
        return self._fold()._cancel_failed

    @property
    def cancel_failed_decision_task_completed_event_id(self) -> int | None:
        """The decision that SWF refused so."""
        return self.cancel_failed["decision_task_completed_event_id"] if self.cancel_failed else None

    @property
    def started_decision_id(self) -> int | None:
        """Id of the latest `DecisionTaskStarted` event: the decision that is being made."""
        return self._fold()._started_decision_id

    @property
    def completed_decision_id(self) -> int | None:
        """Id of the latest `DecisionTaskCompleted` event: the decision before."""
        return self._fold()._completed_decision_id

    def event_details(self, kind: str, name: str) -> Record | None:
        """The latest "marker", "signal" or "timer" of this name; a marker's `details` decoded. Raises `UsageError`."""
        if kind == "signal":
            return self.signals.get(name)
        if kind == "timer":
            return self.timers.get(name)
        if kind != "marker":
            raise UsageError(f'event details are kept of "marker", "signal" and "timer", not of {kind!r}')
        recorded = [marker for marker in self.markers.get(name, []) if marker["state"] == "recorded"]
        return {**recorded[-1], "details": decode_or_text(recorded[-1]["details"])} if recorded else None

    # -- attempts --

    def attempts(self) -> list[Record]:
        """One record for each attempt of an activity, in the order in which they were scheduled; see `attempt`."""
        events_of: dict[int, list[HistoryEvent]] = {}
        for event in self:
            if event.type == "ActivityTaskScheduled":
                events_of[event.id] = [event]
            elif event.type in _EVENTS and event.attributes.get("scheduledEventId") in events_of:
                events_of[event.attributes["scheduledEventId"]].append(event)
        return [self._attempt_from(events) for events in events_of.values()]

    def attempt(self, event: HistoryEvent) -> Record:
        """The record of the attempt that this event is about, from the attempt's own events up to this one.

        The event is one of an activity or a child execution. `input` and `control` are as recorded. There is no
        `retry`, for that counts other attempts.
        """
        earlier = (event.attributes.get(name) for name in (_EVENTS[event.type].follows, "startedEventId"))
        ids = sorted({id for id in earlier if id})
        return self._attempt_from([*(self.event(id) for id in ids), event])

    def _attempt_from(self, events: Sequence[HistoryEvent]) -> Record:
        """The record of an attempt with these events."""
        last = events[-1]
        row = _EVENTS[last.type]
        record: Record = {"type": row.kind, "id": self._name(last, row)}
        for event in events:
            record.update(_EVENTS[event.type].keys_of(event))
        if row.state == "timed_out":
            record["timeout_value"] = self._timeout_of(last, row)
        return record

    # -- the fold --

    def _fold(self) -> HistoryWithRecords:
        """Fold the events that are seen and were not folded yet."""
        if self._folded < self._length:
            with self._folding:
                while self._folded < self._length:
                    event = self._events[self._folded]
                    row = _EVENTS.get(event.type)
                    if row is not None and self._has(event.attributes.get(row.follows)):
                        self._apply(event, row)
                    self._folded += 1
        return self

    def _has(self, event_id: int | None) -> bool:
        """Whether this history has the event, or there is none to be had: a slice may start later."""
        return not event_id or event_id >= self._events[0].id

    def _apply(self, event: HistoryEvent, row: _Row) -> None:
        keys = row.keys_of(event)
        for key in _READ.keys() & keys.keys():
            keys[key] = _READ[key](keys[key])
        match row.kind:
            case "activity" | "child_workflow":
                found = self._activities if row.kind == "activity" else self._child_workflows
                id = self._name(event, row)
                if id not in found:
                    self._tasks.append(found.setdefault(id, {"type": row.kind, "id": id}))
                record = found[id]
                record.update(keys)
                if row.state in ("failed", "timed_out"):
                    record["retry"] = record.get("retry", -1) + 1
                if row.state == "timed_out":
                    record["timeout_value"] = self._timeout_of(event, row)
            case "timer":
                id = self._name(event, row)
                if row.state == "started":
                    self._timers[id] = {}
                latest = {"event_id": event.id, "timestamp": event.timestamp}
                self._timers.setdefault(id, {}).update({"type": "timer", "id": id, "name": id, **latest, **keys})
            case "signal":
                record = {"type": "signal", **keys}
                self._signals[record["name"]] = record
                self._signal_lists.setdefault(record["name"], []).append(record)
                self._tasks.append(record)
            case "marker":
                self._markers.setdefault(keys["name"], []).append({"type": "marker", **keys})
            case "external_workflow":
                initiated = event.attributes.get("initiatedEventId") or event.id
                record = self._external_workflows_signaling.setdefault(
                    initiated, {"type": "external_workflow", "id": event.attributes.get("workflowId")}
                )
                record.update(keys)
                if row.state == "execution_signaled":
                    self._signaled_workflows.setdefault(record.get("signal_name", ""), []).append(record)
            case "decision_task" if row.state == "started":
                self._started_decision_id = event.id
            case "decision_task":
                self._completed_decision_id = event.id
            case "cancel_requested":
                self._cancel_requested = {"type": "cancel_requested", **keys}
            case "cancel_failed":
                self._cancel_failed = {"type": "cancel_failed", **keys}
            case _:
                self._workflow.update(keys)

    def _name(self, event: HistoryEvent, row: _Row) -> str:
        """The id by which an event's record is found: its own, or that of the event it refers to."""
        assert row.name is not None
        attributes = event.attributes if row.name in event.attributes else self._first(event, row)
        return str(attributes[row.name])

    def _first(self, event: HistoryEvent, row: _Row) -> Mapping[str, Any]:
        """The attributes of the event with which the record began."""
        first: int = event.attributes[row.follows]
        return self.event(first).attributes

    def _timeout_of(self, event: HistoryEvent, row: _Row) -> Any:
        """The value of the timeout that was run into, as it was recorded."""
        kind = str(event.attributes.get("timeoutType", "")).split("_")
        first = self._first(event, row)
        words = "".join(word.title() for word in kind)
        return first.get(f"{words[:1].lower()}{words[1:]}Timeout", first.get(f"execution{words}Timeout"))


class _Lists(dict[str, list[Record]]):
    def __missing__(self, key: str) -> list[Record]:
        return []


class _Row(NamedTuple):
    """The change that one type of event makes in a record."""

    kind: str
    """The kind of the record."""
    state: str
    """The state that the record has then, in upstream's words."""
    id: str
    """The key that holds the event's id."""
    timestamp: str
    """The key that holds the event's time."""
    copied: Mapping[str, str]
    """Keys of the record, each with the attribute of the event that it holds."""
    name: str | None
    """The attribute that names the record, in this event or in the one it refers to."""
    follows: str
    """The attribute that refers to the record's first event."""

    def keys_of(self, event: HistoryEvent) -> Record:
        """The keys that this event sets, their values as recorded."""
        keys: Record = {"state": self.state}
        if self.id:
            keys[self.id] = event.id
        if self.timestamp:
            keys[self.timestamp] = event.timestamp
        attributes = event.attributes
        for key, attribute in self.copied.items():
            if "." in attribute:
                name, _, member = attribute.partition(".")
                keys[key] = (attributes.get(name) or {}).get(member)
            else:
                keys[key] = attributes.get(attribute)
        return keys


def _seconds(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdigit() else value


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "input": decode_or_text,
    "control": decode_or_text,
    "start_to_fire_timeout": _seconds,
}
"""The functions that read the values of these keys; those of the others stay as they were recorded."""

_DECISION: Final = {"decision_task_completed_event_id": "decisionTaskCompletedEventId"}
_EXTERNAL: Final = {
    "external_initiated_event_id": "externalInitiatedEventId",
    "external_run_id": "externalWorkflowExecution.runId",
    "external_workflow_id": "externalWorkflowExecution.workflowId",
}
_CHILD: Final = {"run_id": "workflowExecution.runId", "workflow_id": "workflowExecution.workflowId"}
_RUN: Final = {
    "task_list": "taskList.name",
    "workflow_type": "workflowType",
    "execution_start_to_close_timeout": "executionStartToCloseTimeout",
    "input": "input",
    "lambda_role": "lambdaRole",
    "tag_list": "tagList",
    "task_priority": "taskPriority",
    "task_start_to_close_timeout": "taskStartToCloseTimeout",
}


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _activity(state: str, copied: Mapping[str, str]) -> _Row:
    return _Row("activity", state, f"{state}_id", f"{state}_timestamp", copied, "activityId", "scheduledEventId")


def _child(state: str, copied: Mapping[str, str], key: str | None = None) -> _Row:
    key = key or state
    return _Row("child_workflow", state, f"{key}_id", f"{key}_timestamp", copied, "workflowId", "initiatedEventId")


def _timer(state: str, copied: Mapping[str, str]) -> _Row:
    key = f"{state}_event"
    return _Row("timer", state, f"{key}_id", f"{key}_timestamp", copied, "timerId", "startedEventId")


def _external(state: str, key: str, copied: Mapping[str, str]) -> _Row:
    return _Row("external_workflow", state, f"{key}_event_id", f"{key}_timestamp", copied, None, "initiatedEventId")


def _workflow(state: str, copied: Mapping[str, str]) -> _Row:
    return _Row("workflow", state, f"{state}_id", f"{state}_timestamp", copied, None, "")


def _alone(kind: str, state: str, copied: Mapping[str, str]) -> _Row:
    return _Row(kind, state, "event_id", "timestamp", copied, None, "")


_EVENTS: Final[dict[str, _Row]] = {
    "ActivityTaskScheduled": _activity(
        "scheduled",
        {
            "activity_type": "activityType",
            "name": "activityType.name",
            "version": "activityType.version",
            "task_list": "taskList.name",
            **_same("input", "control"),
            **_DECISION,
        },
    ),
    "ScheduleActivityTaskFailed": _activity(
        "schedule_failed", {"cause": "cause", "activity_type": "activityType", "name": "activityType.name"}
    ),
    "ActivityTaskStarted": _activity("started", _same("identity")),
    "ActivityTaskCompleted": _activity("completed", _same("result")),
    "ActivityTaskFailed": _activity("failed", _same("reason", "details")),
    "ActivityTaskTimedOut": _activity("timed_out", {"timeout_type": "timeoutType", "details": "details"}),
    "ActivityTaskCanceled": _activity("canceled", _same("details")),
    "ActivityTaskCancelRequested": _activity(
        "cancel_requested", {"cancel_decision_task_completed_event_id": "decisionTaskCompletedEventId"}
    ),
    "StartChildWorkflowExecutionInitiated": _child(
        "start_initiated",
        {
            "name": "workflowType.name",
            "version": "workflowType.version",
            "raw_input": "input",
            "child_policy": "childPolicy",
            "tag_list": "tagList",
            "task_list": "taskList.name",
            **_same("input", "control"),
            **_DECISION,
        },
        "initiated_event",
    ),
    "StartChildWorkflowExecutionFailed": _child(
        "start_failed",
        {
            "name": "workflowType.name",
            "version": "workflowType.version",
            **_same("cause", "control"),
            **_DECISION,
        },
    ),
    "ChildWorkflowExecutionStarted": _child("started", _CHILD),
    "ChildWorkflowExecutionCompleted": _child("completed", _same("result")),
    "ChildWorkflowExecutionFailed": _child("failed", _same("reason", "details")),
    "ChildWorkflowExecutionTimedOut": _child("timed_out", {"timeout_type": "timeoutType"}),
    "ChildWorkflowExecutionCanceled": _child("canceled", _same("details")),
    "ChildWorkflowExecutionTerminated": _child("terminated", {}),
    "TimerStarted": _timer(
        "started", {"start_to_fire_timeout": "startToFireTimeout", "control": "control", **_DECISION}
    ),
    "TimerFired": _timer("fired", {}),
    "TimerCanceled": _timer("canceled", {"cancel_decision_task_completed_event_id": "decisionTaskCompletedEventId"}),
    "StartTimerFailed": _timer("start_failed", {"cause": "cause", **_DECISION}),
    "CancelTimerFailed": _timer(
        "cancel_failed",
        {"cause": "cause", "cancel_decision_task_completed_event_id": "decisionTaskCompletedEventId"},
    ),
    "SignalExternalWorkflowExecutionInitiated": _external(
        "signal_execution_initiated",
        "initiated",
        {"run_id": "runId", "signal_name": "signalName", **_same("input", "control")},
    ),
    "SignalExternalWorkflowExecutionFailed": _external("signal_execution_failed", "signal_failed", _same("cause")),
    "ExternalWorkflowExecutionSignaled": _external("execution_signaled", "signaled", _CHILD),
    "WorkflowExecutionSignaled": _alone("signal", "signaled", {"name": "signalName", "input": "input", **_EXTERNAL}),
    "MarkerRecorded": _alone("marker", "recorded", {"name": "markerName", "details": "details"}),
    "RecordMarkerFailed": _alone("marker", "record_failed", {"name": "markerName", "cause": "cause"}),
    "DecisionTaskStarted": _alone("decision_task", "started", {}),
    "DecisionTaskCompleted": _alone("decision_task", "completed", {}),
    "WorkflowExecutionCancelRequested": _alone("cancel_requested", "cancel_requested", {"cause": "cause", **_EXTERNAL}),
    "CancelWorkflowExecutionFailed": _alone("cancel_failed", "cancel_failed", {"cause": "cause", **_DECISION}),
    "WorkflowExecutionStarted": _workflow(
        "started",
        {
            "child_policy": "childPolicy",
            "continued_execution_run_id": "continuedExecutionRunId",
            "parent_initiated_event_id": "parentInitiatedEventId",
            "parent_workflow_execution": "parentWorkflowExecution",
            **_RUN,
        },
    ),
    "WorkflowExecutionContinuedAsNew": _workflow(
        "continued_as_new", {"new_execution_run_id": "newExecutionRunId", **_RUN, **_DECISION}
    ),
    "WorkflowExecutionCompleted": _workflow("completed", {"result": "result", **_DECISION}),
    "WorkflowExecutionFailed": _workflow("failed", {**_same("reason", "details"), **_DECISION}),
    "WorkflowExecutionCanceled": _workflow("canceled", {"details": "details", **_DECISION}),
    "WorkflowExecutionTerminated": _workflow("terminated", _same("cause", "reason", "details")),
    "WorkflowExecutionTimedOut": _workflow("timed_out", {"timeout_type": "timeoutType"}),
}
"""The change of a record by each type of event. States and keys are upstream's, spelled as SWF spells them
(`canceled`)."""
