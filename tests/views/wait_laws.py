"""Laws of what a history says that its execution waits for, checked along any history."""

from __future__ import annotations

from simpleflow_lab.swf.event_types import (
    ACTIVITY,
    CHILD,
    CLOSE_STATUS,
    DECISION_TASK,
    EXTERNAL_CANCEL,
    EXTERNAL_SIGNAL,
    LAMBDA,
    TIMER,
)
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.swf.history_entities import Entities
from simpleflow_lab.views.history_waits import waits_of
from simpleflow_lab.views.waiting import CODE, DECISION, REQUEST, RETRY, Wait

_MAX_PREFIXES = 12
_SHOWN_AS = {
    ACTIVITY: {ACTIVITY},
    CHILD: {CHILD},
    LAMBDA: {LAMBDA},
    TIMER: {TIMER, RETRY, DECISION},
    EXTERNAL_SIGNAL: {REQUEST},
    EXTERNAL_CANCEL: {REQUEST},
}


def check_waits(history: History, workflow_id: str = "") -> None:
    """Every open prefix has a row; and what happens next to an execution that is idle is what it waited for."""
    events = list(history)
    idle = [length for length in range(1, len(events)) if _is_idle(events, length)]
    step = max(len(events) // _MAX_PREFIXES, 1)
    for length in sorted({*range(1, len(events), step), *idle[:: max(len(idle) // _MAX_PREFIXES, 1)]}):
        waits = waits_of(History(events[:length]), workflow_id=workflow_id)
        assert waits, f"an execution open after {length} events waits for nothing"
        if length in idle:
            _check_next(events, length, waits)
    if history.close_status is not None:
        assert waits_of(history) == []
    else:
        assert waits_of(history)


def _is_idle(events: list[HistoryEvent], length: int) -> bool:
    """No decision is being made or written down after so many events."""
    if events[length - 1].type in CLOSE_STATUS or "decisionTaskCompletedEventId" in events[length].attributes:
        return False
    tasks = [event for event in events[:length] if event.row.entity == DECISION_TASK]
    return sum(event.type == "DecisionTaskScheduled" for event in tasks) == sum(
        event.type in ("DecisionTaskCompleted", "DecisionTaskTimedOut") for event in tasks
    )


def _check_next(events: list[HistoryEvent], length: int, waits: list[Wait]) -> None:
    entities = Entities()
    for event in events[: length + 1]:
        entity = entities.apply(event)
    kinds = _SHOWN_AS.get(entity.kind)
    if kinds is None:
        return  # it came from outside: a signal, a cancel request, a close
    assert all(wait.kind != CODE for wait in waits), (event, waits)
    shown = [wait for wait in waits if wait.kind in kinds]
    assert any(wait.id == entity.name or wait.more or wait.kind in (DECISION, REQUEST) for wait in shown), (
        event,
        waits,
    )
