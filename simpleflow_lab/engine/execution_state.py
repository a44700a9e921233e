"""The state of one workflow execution: its history, and the state folded from it.

Rule: the history is the only truth. All of an execution's state is folded from its events, one event at a time and by
tables, so that an execution read from disk equals the one that was in memory. State that is not in a history
(heartbeats) may be lost with the process.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from simpleflow_lab.engine.client_sessions import instance_of
from simpleflow_lab.swf.conventions import GIVEN_BACK, LOST_BESIDE, WORKER_LOST, deaths_of
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, CLOSE_STATUS, LAMBDA, TIMER
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.history_entities import Entities, Entity

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)


def to_datetime(milliseconds: int) -> datetime.datetime:
    """The timestamp, as SWF gives it, of a time in milliseconds since 1970."""
    return _EPOCH + datetime.timedelta(milliseconds=milliseconds)


def to_milliseconds(timestamp: datetime.datetime) -> int:
    """Milliseconds since 1970 of one of SWF's timestamps."""
    return (timestamp - _EPOCH) // _MILLISECOND


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The record of an execution that lists, counts and the store use. A new record replaces it when the run closes."""

    key: int
    """The run's number in the store."""
    domain: str
    """Name of its domain."""
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
    """SWF's close status, as `COMPLETED`."""
    event_count: int = 0
    """Length of its history once it is closed. Before, as it is stored: its length some seconds ago, or 0."""
    origin: str | None = None
    """Identity of the process that started it, or its parent; as it is stored, of the one that attached it last."""

    @property
    def execution(self) -> dict[str, str]:
        """SWF's structure WorkflowExecution."""
        return {"workflowId": self.workflow_id, "runId": self.run_id}

    @property
    def workflow_type(self) -> dict[str, str]:
        """SWF's structure WorkflowType."""
        return {"name": self.type_name, "version": self.type_version}


class Override(NamedTuple):
    """The task list that a decider named for the next decision tasks."""

    task_list: str
    """The name of the list."""
    schedule_to_start: str | None
    """Seconds for which a task waits there before it goes back to the execution's own list; `None` is for ever."""


class Heartbeat:
    """The last heartbeat of a started activity task."""

    __slots__ = ("at", "details", "paused")

    def __init__(self, at: int, paused: int, details: str | None) -> None:
        self.at = at
        """Milliseconds since 1970."""
        self.paused = paused
        """Milliseconds for which the timeout had not run by then."""
        self.details = details
        """The `details` that the worker recorded."""


class ExecutionState:
    """One execution, folded from its history."""

    def __init__(self, run: Run) -> None:
        self.run = run
        """The execution's record."""
        self.events: list[HistoryEvent] = []
        """The history. It only grows at the end."""
        self.entities = Entities(keep_closed=False)
        """The open activity tasks, timers, children, …; empty once the execution is closed."""
        self.open_counts = dict.fromkeys((ACTIVITY, TIMER, CHILD, LAMBDA), 0)
        """Number of entities of each kind that are open, or were when the execution closed."""
        self.closed = False
        """Whether the execution is closed."""
        self.configuration: dict[str, Any] = {}
        """Attributes of WorkflowExecutionStarted."""
        self.queued = 0
        """scheduledEventId of the decision task that waits to be started, or 0."""
        self.started: tuple[int, int] | None = None
        """scheduledEventId and startedEventId of the decision task that is started."""
        self.previous_started = 0
        """startedEventId of the last decision task that was completed, or 0."""
        self.override: Override | None = None
        """The task list that a decider named for decision tasks."""
        self.context: str | None = None
        """The latest executionContext of a decider."""
        self.latest_activity: datetime.datetime | None = None
        """When the last ActivityTask… event was recorded."""
        self.cancel_requested = False
        """Whether a cancel request is in the history."""
        self.heartbeats: dict[int, Heartbeat] = {}
        """The last heartbeats, by scheduledEventId of the activity task. Not in the history."""
        self.enqueued = 0
        """scheduledEventId of the decision task that is in a task list, or 0. Not in the history."""
        self.last_at = 0
        """When the latest event was recorded, in milliseconds since 1970; 0 before the first."""
        self.ticket = 0
        """The store's ticket after which all events are on disk. Not in the history."""
        self.scheduling_ticket = 0
        """The store's ticket after which the latest decisions that scheduled activity tasks are on disk."""
        self.home: str | None = None
        """Instance of the process that started, attached or decided the execution last. Not in the history."""
        self.origin_identity: str | None = run.origin
        """Identity of the process that started or attached it, or its parent, last. Not in the history."""
        self.home_changes = 0
        """Number of times that the home has changed. Not in the history."""

        self.lost_beside: dict[str, int] = {}
        """Number of times in a row that an activity was lost together with other tasks of its process, by its id."""
        self.is_recovered = False
        """Whether no decision was completed since it was recovered from the store. Not in the history."""
        self.deaths = 0
        """Number of processes in a row that have died deciding the decision task, as far as is known."""

    @classmethod
    def fold(cls, run: Run, events: Iterable[HistoryEvent]) -> ExecutionState:
        """The execution with this history. Raises `HistoryError`."""
        execution = cls(run)
        for event in events:
            execution.apply(event)
        if execution.events:
            execution.last_at = to_milliseconds(execution.events[-1].timestamp)
        return execution

    def apply(self, event: HistoryEvent) -> None:
        """Append an event. Raises `HistoryError` if it refers to an unknown event."""
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
            if self.lost_beside or event.type == "ActivityTaskTimedOut":
                self._count_lost(entity.first.attributes["activityId"], event.attributes.get("details"))

    def _count_lost(self, activity_id: str, details: str | None) -> None:
        if details == LOST_BESIDE:
            self.lost_beside[activity_id] = self.lost_beside.get(activity_id, 0) + 1
        elif details not in (WORKER_LOST, GIVEN_BACK):
            self.lost_beside.pop(activity_id, None)

    # -- derived

    @property
    def origin(self) -> str | None:
        """Instance of the process that started or attached it, or its parent, last."""
        return instance_of(self.origin_identity)

    @property
    def task_list(self) -> str:
        """Name of the task list for the next decision task."""
        return self.override.task_list if self.override else self.configuration["taskList"]["name"]

    @property
    def open_tasks(self) -> int:
        """The number of decision tasks and activity tasks that are scheduled or started."""
        if self.closed:
            return 0
        return self.open_counts[ACTIVITY] + bool(self.queued) + bool(self.started)


def started_event(entity: Entity) -> HistoryEvent | None:
    """The ActivityTaskStarted event of an activity task; `None` if it is not started."""
    for event in entity.events:
        if event.type == "ActivityTaskStarted":
            return event
    return None


def cancel_request(entity: Entity) -> HistoryEvent | None:
    """The latest ActivityTaskCancelRequested event of an activity task, if there is one."""
    found = [event for event in entity.events if event.type == "ActivityTaskCancelRequested"]
    return found[-1] if found else None


# -- how an event changes the state of the execution itself ------------------------------------------------------------


def _execution_started(execution: ExecutionState, event: HistoryEvent) -> None:
    execution.configuration = dict(event.attributes)


def _decision_scheduled(execution: ExecutionState, event: HistoryEvent) -> None:
    execution.queued = event.id


def _decision_started(execution: ExecutionState, event: HistoryEvent) -> None:
    execution.queued = 0
    execution.started = (event.attributes["scheduledEventId"], event.id)
    execution.deaths = deaths_of(event.attributes.get("identity"))


def _decision_completed(execution: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.attributes
    execution.started = None
    execution.deaths = 0
    execution.is_recovered = False
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
