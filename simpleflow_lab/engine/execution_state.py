"""One workflow execution: its history, and what the history amounts to so far.

Rule: the history is the only truth. All of an execution's state is folded from its events, one event at a time and by
tables, so that an execution read from disk is the one that was in memory. What is not in a history (heartbeats) may be
lost with the process.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable
from typing import Any, Final

from simpleflow_lab.swf.entities import Entities, Entity
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, CLOSE_STATUS, LAMBDA, TIMER
from simpleflow_lab.swf.history import HistoryEvent

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)


def to_datetime(moment: int) -> datetime.datetime:
    """Milliseconds since 1970 as SWF's timestamps."""
    return _EPOCH + datetime.timedelta(milliseconds=moment)


def to_milliseconds(timestamp: datetime.datetime) -> int:
    """The other way round."""
    return (timestamp - _EPOCH) // _MILLISECOND


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What lists, counts and the store need to know of an execution. Replaced when it closes."""

    key: int
    """Its number in the store."""
    domain: str
    """The domain it runs in."""
    workflow_id: str
    """Unique among the open executions of a domain."""
    run_id: str
    """Unique for ever."""
    type_name: str
    """Name of its workflow type."""
    type_version: str
    """Version of its workflow type."""
    started_at: int
    """Milliseconds since 1970."""
    parent: tuple[str, str] | None = None
    """`workflowId` and `runId` of the execution that started it as a child."""
    tags: tuple[str | None, ...] | None = None
    """Its `tagList`."""
    closed_at: int | None = None
    """Milliseconds since 1970."""
    close_status: str | None = None
    """SWF's word for how it closed."""
    event_count: int = 0
    """Length of its history, once it is closed."""

    @property
    def execution(self) -> dict[str, str]:
        """As SWF's structure WorkflowExecution."""
        return {"workflowId": self.workflow_id, "runId": self.run_id}

    @property
    def workflow_type(self) -> dict[str, str]:
        """As SWF's structure WorkflowType."""
        return {"name": self.type_name, "version": self.type_version}


@dataclasses.dataclass(frozen=True, slots=True)
class Override:
    """The task list that a decider chose for the next decision tasks."""

    task_list: str
    """Its name."""
    schedule_to_start: str | None
    """How long a task waits there before it goes back to the execution's own list; `None` is for ever."""


class Heartbeat:
    """The last heartbeat of an activity task that runs."""

    __slots__ = ("at", "details")

    def __init__(self, at: int, details: str | None):
        self.at = at
        """Milliseconds since 1970."""
        self.details = details
        """What the worker said."""


class ExecutionState:
    """An execution as it stands."""

    def __init__(self, run: Run):
        self.run = run
        """Who it is."""
        self.events: list[HistoryEvent] = []
        """Its history; grows at the end and changes nowhere else."""
        self.entities = Entities(keep_closed=False)
        """What is open: activity tasks, timers, children, …; empty once the execution is closed."""
        self.open_counts = dict.fromkeys((ACTIVITY, TIMER, CHILD, LAMBDA), 0)
        """How many of each kind are open; as they were at its end once the execution is closed."""
        self.closed = False
        """Nothing follows."""
        self.configuration: dict[str, Any] = {}
        """Attributes of WorkflowExecutionStarted."""
        self.queued = 0
        """scheduledEventId of the decision task that waits, or 0."""
        self.started: tuple[int, int] | None = None
        """scheduledEventId and startedEventId of the decision task that is being decided."""
        self.previous_started = 0
        """startedEventId of the last decision task that was completed, or 0."""
        self.override: Override | None = None
        """Another task list for decision tasks."""
        self.context: str | None = None
        """The last executionContext that a decider gave."""
        self.latest_activity: datetime.datetime | None = None
        """When the last ActivityTask… event was recorded."""
        self.cancel_requested = False
        """A cancel request is in the history."""
        self.heartbeats: dict[int, Heartbeat] = {}
        """By scheduledEventId of the activity task. Not in the history."""
        self.enqueued = 0
        """scheduledEventId of the decision task that is in a task list. The engine's own note."""
        self.ticket = 0
        """When the store has come this far, all events are on disk. The engine's own note."""

    @classmethod
    def fold(cls, run: Run, events: Iterable[HistoryEvent]) -> ExecutionState:
        """The execution with this history. Raises `HistoryError`."""
        execution = cls(run)
        for event in events:
            execution.apply(event)
        return execution

    def apply(self, event: HistoryEvent) -> None:
        """Append an event. Raises `HistoryError` if it refers to nothing known."""
        entity = self.entities.apply(event)
        self.events.append(event)
        if entity.kind in self.open_counts:
            if entity.closed:
                # An entity that closes with its first event (a decision that failed) was never open.
                self.open_counts[entity.kind] -= entity.first is not event
            elif entity.first is event:
                self.open_counts[entity.kind] += 1
            if entity.kind == ACTIVITY:
                self._activity(event, entity)
        fold = _FOLDS.get(event.type)
        if fold is not None:
            fold(self, event)

    def _activity(self, event: HistoryEvent, entity: Entity) -> None:
        if event.type.startswith("ActivityTask"):
            self.latest_activity = event.timestamp
        if entity.closed:
            self.heartbeats.pop(entity.id, None)

    # -- what rules ask

    @property
    def last_at(self) -> int:
        """When its last event was recorded, in milliseconds since 1970."""
        return to_milliseconds(self.events[-1].timestamp) if self.events else 0

    @property
    def task_list(self) -> str:
        """The list of its next decision task."""
        return self.override.task_list if self.override else self.configuration["taskList"]["name"]

    @property
    def open_tasks(self) -> int:
        """Decision and activity tasks that are queued or running."""
        if self.closed:
            return 0
        return self.open_counts[ACTIVITY] + bool(self.queued) + bool(self.started)


def started_event(entity: Entity) -> HistoryEvent | None:
    """The ActivityTaskStarted of an activity task."""
    for event in entity.events:
        if event.type == "ActivityTaskStarted":
            return event
    return None


def cancel_request(entity: Entity) -> HistoryEvent | None:
    """The latest ActivityTaskCancelRequested of an activity task."""
    found = [event for event in entity.events if event.type == "ActivityTaskCancelRequested"]
    return found[-1] if found else None


# -- what an event does to the execution itself ------------------------------------------------------------------------


def _execution_started(execution: ExecutionState, event: HistoryEvent) -> None:
    execution.configuration = dict(event.attributes)


def _decision_scheduled(execution: ExecutionState, event: HistoryEvent) -> None:
    execution.queued = event.id


def _decision_started(execution: ExecutionState, event: HistoryEvent) -> None:
    execution.queued = 0
    execution.started = (event.attributes["scheduledEventId"], event.id)


def _decision_completed(execution: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.attributes
    execution.started = None
    execution.previous_started = attributes["startedEventId"]
    execution.context = attributes.get("executionContext", execution.context)
    if "taskList" in attributes:
        execution.override = Override(attributes["taskList"]["name"], attributes.get("taskListScheduleToStartTimeout"))


def _decision_timed_out(execution: ExecutionState, event: HistoryEvent) -> None:
    if event.attributes["startedEventId"]:
        execution.started = None
    else:
        execution.queued = 0
    if execution.override is not None and execution.override.schedule_to_start not in (None, "NONE"):
        # Documented: an override with a timeout ends with the first task that times out.
        execution.override = None


def _cancel_requested(execution: ExecutionState, event: HistoryEvent) -> None:
    execution.cancel_requested = True


def _closed(execution: ExecutionState, event: HistoryEvent) -> None:
    execution.closed = True
    execution.queued = 0
    execution.started = None
    execution.heartbeats.clear()
    execution.run = dataclasses.replace(
        execution.run,
        closed_at=to_milliseconds(event.timestamp),
        close_status=CLOSE_STATUS[event.type],
        event_count=event.id,
    )


_FOLDS: Final[dict[str, Callable[[ExecutionState, HistoryEvent], None]]] = {
    "WorkflowExecutionStarted": _execution_started,
    "WorkflowExecutionCancelRequested": _cancel_requested,
    "DecisionTaskScheduled": _decision_scheduled,
    "DecisionTaskStarted": _decision_started,
    "DecisionTaskCompleted": _decision_completed,
    "DecisionTaskTimedOut": _decision_timed_out,
    **dict.fromkeys(CLOSE_STATUS, _closed),
}
