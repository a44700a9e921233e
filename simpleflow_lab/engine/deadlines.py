"""Deadlines: which events arm one, and what is recorded when it comes.

Rule: pure, and never early. A deadline is armed by an event and names the entity it is about; nobody disarms it. When
it comes, the execution as it stands says whether it still means anything. Timers are wall-clock; timeouts count only
the time the engine was up, so a deadline that is armed again after a restart lies that much later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from simpleflow_lab.engine.decision_rules import NewEvent
from simpleflow_lab.engine.execution_state import ExecutionState, started_event, to_milliseconds
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.entities import Entity
from simpleflow_lab.swf.history import HistoryEvent


class Deadline(NamedTuple):
    """A moment at which something may happen to an execution."""

    execution: ExecutionState
    """The execution."""
    kind: str
    """A row of the table of kinds."""
    event_id: int
    """The event that opened the entity it is about."""
    milliseconds: int
    """How long after the arming event, or after the last heartbeat."""

    def alive(self) -> bool:
        """It still means something."""
        return not self.execution.closed and _KINDS[self.kind].alive(self.execution, self.event_id)

    def due(self) -> NewEvent:
        """What to record."""
        return _KINDS[self.kind].due(self.execution, self.event_id)

    @property
    def wall_clock(self) -> bool:
        """It counts the time in which the engine was down, too."""
        return self.kind == "TIMER"


class _Kind(NamedTuple):
    alive: Callable[[ExecutionState, int], bool]
    due: Callable[[ExecutionState, int], NewEvent]


def deadlines_started_by(execution: ExecutionState, event: HistoryEvent) -> Iterator[Deadline]:
    """The deadlines that begin to run with this event, which is the last one of its entity."""
    for kind, attribute, owner in DEADLINES.get(event.type, ()):
        source, entity_id = event, event.id
        if owner is not None:
            entity_id = event.attributes[owner]
            entity = execution.entities.get(entity_id)
            if entity is None:
                continue
            source = entity.first
        duration = source.attributes.get(attribute, "NONE")
        if duration != "NONE":
            yield Deadline(execution, kind, entity_id, min(int(duration), limits.MAX_SECONDS) * 1000)


DEADLINES: Final[dict[str, tuple[tuple[str, str, str | None], ...]]] = {
    "WorkflowExecutionStarted": (("EXECUTION", "executionStartToCloseTimeout", None),),
    "DecisionTaskScheduled": (("DECISION_SCHEDULE_TO_START", "scheduleToStartTimeout", None),),
    "DecisionTaskStarted": (("DECISION_START_TO_CLOSE", "startToCloseTimeout", "scheduledEventId"),),
    "ActivityTaskScheduled": (
        ("ACTIVITY_SCHEDULE_TO_START", "scheduleToStartTimeout", None),
        ("ACTIVITY_SCHEDULE_TO_CLOSE", "scheduleToCloseTimeout", None),
    ),
    "ActivityTaskStarted": (
        ("ACTIVITY_START_TO_CLOSE", "startToCloseTimeout", "scheduledEventId"),
        ("ACTIVITY_HEARTBEAT", "heartbeatTimeout", "scheduledEventId"),
    ),
    "TimerStarted": (("TIMER", "startToFireTimeout", None),),
}
"""By event type: kind of deadline, the attribute with its duration, and where that is: in the event itself, or in the
first event of the entity to which this attribute leads."""


# -- what the kinds mean -----------------------------------------------------------------------------------------------


def _always(execution: ExecutionState, event_id: int) -> bool:
    return True


def _is_open(execution: ExecutionState, event_id: int) -> bool:
    return execution.entities.get(event_id) is not None


def _activity_waits(execution: ExecutionState, event_id: int) -> bool:
    entity = execution.entities.get(event_id)
    return entity is not None and started_event(entity) is None


def _decision_waits(execution: ExecutionState, event_id: int) -> bool:
    return execution.queued == event_id


def _decision_runs(execution: ExecutionState, event_id: int) -> bool:
    return execution.started is not None and execution.started[0] == event_id


def _execution_timed_out(execution: ExecutionState, event_id: int) -> NewEvent:
    attributes = {"timeoutType": "START_TO_CLOSE", "childPolicy": execution.configuration["childPolicy"]}
    return "WorkflowExecutionTimedOut", attributes


def _timer_fired(execution: ExecutionState, event_id: int) -> NewEvent:
    timer = execution.entities.get(event_id)
    assert timer is not None
    return "TimerFired", {"timerId": timer.first.attributes["timerId"], "startedEventId": event_id}


def decision_timed_out(execution: ExecutionState, timeout_type: str, scheduled_id: int) -> NewEvent:
    """DecisionTaskTimedOut of the decision task."""
    started_id = execution.started[1] if execution.started and execution.started[0] == scheduled_id else 0
    attributes = {"timeoutType": timeout_type, "scheduledEventId": scheduled_id, "startedEventId": started_id}
    return "DecisionTaskTimedOut", attributes


def activity_timed_out(execution: ExecutionState, timeout_type: str, scheduled_id: int) -> NewEvent:
    """ActivityTaskTimedOut of the activity task, with what its last heartbeat said."""
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


def _activity(timeout_type: str, alive: Callable[[ExecutionState, int], bool] = _is_open) -> _Kind:
    return _Kind(alive, lambda execution, event_id: activity_timed_out(execution, timeout_type, event_id))


def _decision(timeout_type: str, alive: Callable[[ExecutionState, int], bool]) -> _Kind:
    return _Kind(alive, lambda execution, event_id: decision_timed_out(execution, timeout_type, event_id))


_KINDS: Final[dict[str, _Kind]] = {
    "EXECUTION": _Kind(_always, _execution_timed_out),
    "DECISION_SCHEDULE_TO_START": _decision("SCHEDULE_TO_START", _decision_waits),
    "DECISION_START_TO_CLOSE": _decision("START_TO_CLOSE", _decision_runs),
    "ACTIVITY_SCHEDULE_TO_START": _activity("SCHEDULE_TO_START", _activity_waits),
    "ACTIVITY_SCHEDULE_TO_CLOSE": _activity("SCHEDULE_TO_CLOSE"),
    "ACTIVITY_START_TO_CLOSE": _activity("START_TO_CLOSE"),
    "ACTIVITY_HEARTBEAT": _activity("HEARTBEAT"),
    "TIMER": _Kind(_is_open, _timer_fired),
}


def postponed_to(deadline: Deadline, when: int) -> int | None:
    """When it really is: a heartbeat puts the heartbeat timeout off. `None` if it is now."""
    if deadline.kind != "ACTIVITY_HEARTBEAT":
        return None
    heartbeat = deadline.execution.heartbeats.get(deadline.event_id)
    if heartbeat is None or heartbeat.at + deadline.milliseconds <= when:
        return None
    return heartbeat.at + deadline.milliseconds


def open_deadlines(execution: ExecutionState) -> Iterator[tuple[int, Deadline]]:
    """All deadlines of an execution that was read from disk, with the moments at which they were armed."""
    entities: list[Entity] = [entity for entity in execution.entities if not entity.closed]
    if execution.entities.execution is not None:
        entities.append(execution.entities.execution)
    seen = set()
    for entity in entities:
        for event in entity.events:
            for deadline in deadlines_started_by(execution, event):
                if deadline.alive() and (deadline.kind, deadline.event_id) not in seen:
                    seen.add((deadline.kind, deadline.event_id))
                    yield to_milliseconds(event.timestamp), deadline
