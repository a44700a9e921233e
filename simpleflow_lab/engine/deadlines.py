"""Deadlines of timers and timeouts: which events start one, and which event is recorded when it passes.

Rule: pure, and never early. A deadline is started by an event and names the entity that it is about; it is never
removed. When it passes, the state of the execution says whether it still applies, and whether it was postponed. Timers
run on while nothing else does. Timeouts count only the time in which the engine ran: one that is restored after a
restart, or that comes due after the engine's process was suspended, lies that much later; so does the timeout of a
started task whose holder was silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from simpleflow_lab.engine.decision_rules import NewEvent
from simpleflow_lab.engine.execution_state import ExecutionState, started_event, to_milliseconds
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.history_entities import Entity


class Deadline(NamedTuple):
    """A time at which an event may be recorded in an execution."""

    execution: ExecutionState
    """The execution."""
    kind: str
    """A key of `_KINDS`."""
    event_id: int
    """Id of the event that opened the entity that the deadline is about."""
    milliseconds: int
    """Milliseconds from the event that starts the deadline, or from the last heartbeat."""

    def is_pending(self) -> bool:
        """Whether the deadline still applies."""
        return not self.execution.closed and _KINDS[self.kind].is_pending(self.execution, self.event_id)

    def event(self) -> NewEvent:
        """The event to record when the deadline passes."""
        return _KINDS[self.kind].event(self.execution, self.event_id)

    @property
    def is_of_started_task(self) -> bool:
        """Whether it may be about a task that a process holds."""
        return self.kind in _OF_STARTED_TASKS

    @property
    def counts_downtime(self) -> bool:
        """Whether the time in which the engine did not run counts too."""
        return self.kind == "TIMER"


_OF_STARTED_TASKS: Final = frozenset(
    {"DECISION_START_TO_CLOSE", "ACTIVITY_START_TO_CLOSE", "ACTIVITY_SCHEDULE_TO_CLOSE", "ACTIVITY_HEARTBEAT"}
)


class _Kind(NamedTuple):
    is_pending: Callable[[ExecutionState, int], bool]
    event: Callable[[ExecutionState, int], NewEvent]


class _Row(NamedTuple):
    """A deadline that events of one type start."""

    kind: str
    """A key of `_KINDS`."""
    attribute: str
    """The attribute with its duration in seconds, in the first event of the entity."""
    sooner: tuple[str, ...] = ()
    """Attributes with durations that began to run no later: the deadline never passes if it is not shorter."""


class _Started(NamedTuple):
    """The deadlines that events of one type start."""

    owner: str | None
    """The attribute with the id of the first event of the entity; `None` if the event is that itself."""
    rows: tuple[_Row, ...]


def deadlines_started_by(execution: ExecutionState, event: HistoryEvent) -> list[Deadline]:
    """The deadlines that this event starts; it must be the latest event of its entity.

    Those that can't be the first of their entity to pass are left out.
    """
    started = DEADLINES.get(event.type)
    if started is None:
        return []
    entity_id, attributes = event.id, event.attributes
    if started.owner is not None:
        entity_id = attributes[started.owner]
        entity = execution.entities.get(entity_id)
        if entity is None:
            return []
        attributes = entity.events[0].attributes
    found = []
    for kind, attribute, sooner in started.rows:
        duration = attributes.get(attribute, "NONE")
        if duration != "NONE":
            seconds = int(duration)
            for other in sooner:
                if (limit := attributes.get(other, "NONE")) != "NONE" and int(limit) <= seconds:
                    break
            else:
                found.append(Deadline(execution, kind, entity_id, min(seconds, limits.MAX_SECONDS) * 1000))
    return found


DEADLINES: Final[dict[str, _Started]] = {
    "WorkflowExecutionStarted": _Started(None, (_Row("EXECUTION", "executionStartToCloseTimeout"),)),
    "DecisionTaskScheduled": _Started(None, (_Row("DECISION_SCHEDULE_TO_START", "scheduleToStartTimeout"),)),
    "DecisionTaskStarted": _Started("scheduledEventId", (_Row("DECISION_START_TO_CLOSE", "startToCloseTimeout"),)),
    "ActivityTaskScheduled": _Started(
        None,
        (
            _Row("ACTIVITY_SCHEDULE_TO_START", "scheduleToStartTimeout"),
            _Row("ACTIVITY_SCHEDULE_TO_CLOSE", "scheduleToCloseTimeout"),
        ),
    ),
    "ActivityTaskStarted": _Started(
        "scheduledEventId",
        (
            _Row("ACTIVITY_START_TO_CLOSE", "startToCloseTimeout", ("scheduleToCloseTimeout",)),
            _Row("ACTIVITY_HEARTBEAT", "heartbeatTimeout", ("scheduleToCloseTimeout", "startToCloseTimeout")),
        ),
    ),
    "TimerStarted": _Started(None, (_Row("TIMER", "startToFireTimeout"),)),
}
"""By event type, the deadlines that an event of that type starts."""


# -- the kinds: whether a deadline still applies, and its event --------------------------------------------------------


def _always(execution: ExecutionState, event_id: int) -> bool:
    return True


def _is_open(execution: ExecutionState, event_id: int) -> bool:
    return execution.entities.get(event_id) is not None


def _is_unstarted_activity(execution: ExecutionState, event_id: int) -> bool:
    entity = execution.entities.get(event_id)
    return entity is not None and started_event(entity) is None


def _is_queued_decision_task(execution: ExecutionState, event_id: int) -> bool:
    return execution.queued == event_id


def _is_started_decision_task(execution: ExecutionState, event_id: int) -> bool:
    return execution.started is not None and execution.started[0] == event_id


def _execution_timed_out(execution: ExecutionState, event_id: int) -> NewEvent:
    attributes = {"timeoutType": "START_TO_CLOSE", "childPolicy": execution.configuration["childPolicy"]}
    return "WorkflowExecutionTimedOut", attributes


def _timer_fired(execution: ExecutionState, event_id: int) -> NewEvent:
    timer = execution.entities.get(event_id)
    assert timer is not None
    return "TimerFired", {"timerId": timer.first.attributes["timerId"], "startedEventId": event_id}


def decision_timed_out(execution: ExecutionState, timeout_type: str, scheduled_id: int) -> NewEvent:
    """The DecisionTaskTimedOut event of this decision task."""
    started_id = execution.started[1] if execution.started and execution.started[0] == scheduled_id else 0
    attributes = {"timeoutType": timeout_type, "scheduledEventId": scheduled_id, "startedEventId": started_id}
    return "DecisionTaskTimedOut", attributes


def activity_timed_out(execution: ExecutionState, timeout_type: str, scheduled_id: int) -> NewEvent:
    """The ActivityTaskTimedOut event of this activity task, with the details of its last heartbeat."""
    entity = execution.entities.get(scheduled_id)
    assert entity is not None
    started = started_event(entity)
    attributes: dict[str, Any] = {
        "timeoutType": timeout_type,
        "scheduledEventId": scheduled_id,
        "startedEventId": started.id if started else 0,
    }
    heartbeat = execution.heartbeats.get(scheduled_id)
    if heartbeat is not None and heartbeat.details is not None:
        attributes["details"] = heartbeat.details
    return "ActivityTaskTimedOut", attributes


def _activity(timeout_type: str, is_pending: Callable[[ExecutionState, int], bool] = _is_open) -> _Kind:
    return _Kind(is_pending, lambda execution, event_id: activity_timed_out(execution, timeout_type, event_id))


def _decision(timeout_type: str, is_pending: Callable[[ExecutionState, int], bool]) -> _Kind:
    return _Kind(is_pending, lambda execution, event_id: decision_timed_out(execution, timeout_type, event_id))


_KINDS: Final[dict[str, _Kind]] = {
    "EXECUTION": _Kind(_always, _execution_timed_out),
    "DECISION_SCHEDULE_TO_START": _decision("SCHEDULE_TO_START", _is_queued_decision_task),
    "DECISION_START_TO_CLOSE": _decision("START_TO_CLOSE", _is_started_decision_task),
    "ACTIVITY_SCHEDULE_TO_START": _activity("SCHEDULE_TO_START", _is_unstarted_activity),
    "ACTIVITY_SCHEDULE_TO_CLOSE": _activity("SCHEDULE_TO_CLOSE"),
    "ACTIVITY_START_TO_CLOSE": _activity("START_TO_CLOSE"),
    "ACTIVITY_HEARTBEAT": _activity("HEARTBEAT"),
    "TIMER": _Kind(_is_open, _timer_fired),
}


def postponed_to(deadline: Deadline, at: int, paused: int, paused_in_all: int) -> int:
    """The time at which a deadline passes that was set for `at`, after heartbeats and the time in which timeouts did
    not run.

    All times are in milliseconds. The timeout did not run for `paused` since the deadline was set, and for
    `paused_in_all` as heartbeats count it.
    """
    if deadline.counts_downtime:
        return at
    at += paused
    if deadline.kind == "ACTIVITY_HEARTBEAT":
        heartbeat = deadline.execution.heartbeats.get(deadline.event_id)
        if heartbeat is not None:
            at = max(at, heartbeat.at + deadline.milliseconds + paused_in_all - heartbeat.paused)
    return at


def open_deadlines(execution: ExecutionState) -> Iterator[tuple[int, Deadline]]:
    """The deadlines of an execution that was read from disk, each with the time at which it was started."""
    entities: list[Entity] = [entity for entity in execution.entities if not entity.closed]
    if execution.entities.execution is not None:
        entities.append(execution.entities.execution)
    seen = set()
    for entity in entities:
        for event in entity.events:
            for deadline in deadlines_started_by(execution, event):
                if deadline.is_pending() and (deadline.kind, deadline.event_id) not in seen:
                    seen.add((deadline.kind, deadline.event_id))
                    yield to_milliseconds(event.timestamp), deadline
