"""What a workflow may know of its own history: one record a task, by upstream's names.

    def run(self):
        if self.executor.history.last_event_id > 10_000:
            ...
        rows = [signal["input"] for signal in self.executor.history.get_signal_events("row")]

A `History` is a sequence of events with records folded from them: `activities`, `child_workflows`, `signals`,
`markers`, `timers`, …, each a dict with upstream's keys. A workflow sees the events up to the decision that is being
made, in a replay as the first time. Each event is folded once, when somebody first asks: looking costs what is new.

An activity that was tried again has one record, of its latest attempt, with `retry` counting; every attempt is a row of
`Execution.tasks()`. Events of types that are not in here are passed over.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, overload

from simpleflow_lab.data.codec import decode_or_text
from simpleflow_lab.exceptions import UsageError

Record = dict[str, Any]
"""What is known of a task, by upstream's keys. Not to be changed."""


class Event(Protocol):
    """An event of an SWF history."""

    @property
    def id(self) -> int:
        """Its `eventId`."""

    @property
    def type(self) -> str:
        """Its `eventType`."""

    @property
    def timestamp(self) -> datetime.datetime:
        """Its `eventTimestamp`."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Its attributes by SWF's names."""


class History(Sequence[Event]):
    """The events up to a decision, and what they say of each task."""

    def __init__(self, events: Sequence[Event] = (), *, length: int | None = None):
        """`events` may grow afterwards; what is seen of them does with `advance`. By default all are seen."""
        self._events = events
        self._length = len(events) if length is None else length
        self._folded = 0
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

    def __repr__(self) -> str:
        return f"<History: {self._length} events>"

    # -- a sequence of events --

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        if isinstance(index, slice):
            return [self._events[position] for position in range(*index.indices(self._length))]
        return self._events[range(self._length)[index]]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Event]:
        return (self._events[position] for position in range(self._length))

    @property
    def events(self) -> list[Event]:
        """The events, in order."""
        return list(self)

    @property
    def last_event_id(self) -> int | None:
        """Id of the last event, which is how many there are; `None` of an empty history."""
        return self._events[self._length - 1].id if self._length else None

    def advance(self, length: int) -> None:
        """See the first `length` events; told by the replay."""
        self._length = length

    def parse(self) -> None:
        """Nothing is left to do: records are made when they are read. For programs that call upstream's."""

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

    # -- the fold --

    def _fold(self) -> History:
        """Take in the events that are seen and were not taken in yet."""
        while self._folded < self._length:
            event = self._events[self._folded]
            self._folded += 1
            row = _EVENTS.get(event.type)
            if row is not None:
                self._take(event, row)
        return self

    def _take(self, event: Event, row: _Row) -> None:
        told = row.of(event)
        match row.kind:
            case "activity" | "child_workflow":
                found = self._activities if row.kind == "activity" else self._child_workflows
                key = self._name(event, row)
                if key not in found:
                    self._tasks.append(found.setdefault(key, {"type": row.kind, "id": key}))
                record = found[key]
                record.update(told)
                if row.state in ("failed", "timed_out"):
                    record["retry"] = record.get("retry", -1) + 1
                if row.state == "timed_out":
                    record["timeout_value"] = self._timeout_of(event, row)
            case "timer":
                key = self._name(event, row)
                if row.state == "started":
                    self._timers[key] = {}
                latest = {"event_id": event.id, "timestamp": event.timestamp}
                self._timers.setdefault(key, {}).update({"type": "timer", "id": key, "name": key, **latest, **told})
            case "signal":
                record = {"type": "signal", **told}
                self._signals[record["name"]] = record
                self._signal_lists.setdefault(record["name"], []).append(record)
                self._tasks.append(record)
            case "marker":
                self._markers.setdefault(told["name"], []).append({"type": "marker", **told})
            case "external_workflow":
                initiated = event.attributes.get("initiatedEventId") or event.id
                record = self._external_workflows_signaling.setdefault(
                    initiated, {"type": "external_workflow", "id": event.attributes.get("workflowId")}
                )
                record.update(told)
                if row.state == "execution_signaled":
                    self._signaled_workflows.setdefault(record["signal_name"], []).append(record)
            case "decision_task" if row.state == "started":
                self._started_decision_id = event.id
            case "decision_task":
                self._completed_decision_id = event.id
            case "cancel_requested":
                self._cancel_requested = {"type": "cancel_requested", **told}
            case "cancel_failed":
                self._cancel_failed = {"type": "cancel_failed", **told}
            case _:
                self._workflow.update(told)

    def _name(self, event: Event, row: _Row) -> str:
        """The id by which an event's record is found: its own, or that of the event it refers to."""
        assert row.name is not None
        attributes = event.attributes if row.name in event.attributes else self._first(event, row)
        return str(attributes[row.name])

    def _first(self, event: Event, row: _Row) -> Mapping[str, Any]:
        """The attributes of the event with which the record began."""
        first: int = event.attributes[row.follows]
        return self._events[first - self._events[0].id].attributes

    def _timeout_of(self, event: Event, row: _Row) -> Any:
        """The value of the timeout that was run into, as it was recorded."""
        kind = str(event.attributes.get("timeoutType", "")).split("_")
        first = self._first(event, row)
        words = "".join(word.title() for word in kind)
        return first.get(f"{words[:1].lower()}{words[1:]}Timeout", first.get(f"execution{words}Timeout"))


class _Lists(dict[str, list[Record]]):
    def __missing__(self, key: str) -> list[Record]:
        return []


class _Row(NamedTuple):
    """What one type of event tells."""

    kind: str
    """Whose record it changes."""
    state: str
    """Upstream's word for what it makes of it."""
    id: str
    """The key under which the event's id is kept."""
    timestamp: str
    """The key under which its time is kept."""
    copied: Mapping[str, str]
    """From keys of the record to attributes of the event."""
    name: str | None
    """The attribute that names the record, in this event or the one it refers to."""
    follows: str
    """The attribute that refers to the record's first event."""

    def of(self, event: Event) -> Record:
        """What the event tells, as keys of a record."""
        told: Record = {"state": self.state}
        if self.id:
            told[self.id] = event.id
        if self.timestamp:
            told[self.timestamp] = event.timestamp
        for key, attribute in self.copied.items():
            found: Any = event.attributes
            for part in attribute.split("."):
                found = (found or {}).get(part)
            told[key] = _READ[key](found) if key in _READ else found
        return told


def _seconds(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdigit() else value


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "input": decode_or_text,
    "control": decode_or_text,
    "start_to_fire_timeout": _seconds,
}
"""Values that are read; the others stay as they were recorded."""

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
"""What each type of event tells a workflow. States and keys are upstream's, spelled as SWF spells them (`canceled`)."""
