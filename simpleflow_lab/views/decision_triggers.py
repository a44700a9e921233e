"""Triggers of decisions: what was new to each, for which of it the code may have gone on, what it then waited for.

A decision is made for the events that came since the one before had begun. Which of them it needed is not recorded, but
for the tasks that a task depends on (`swf.control`); else it is taken to be the last one that can have mattered.

Rule: an event triggers only decisions that come after it, so whoever goes from a decision to its trigger comes to the
start of the execution. Histories of any decider will do; nothing here raises for attributes of a wrong type.
"""

from __future__ import annotations

import datetime
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, CLOSE_STATUS, DECISION_TASK, EVENT_TYPES, LAMBDA, TIMER
from simpleflow_lab.swf.execution_context import ContextWaits, waits_in
from simpleflow_lab.swf.history import History, HistoryEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionTaskEvents:
    """One decision task, with the events that it is for."""

    first: int
    """Id of the first event that was new to it."""
    last: int
    """Id of the last one."""
    begins: datetime.datetime
    """When it was scheduled."""
    started: datetime.datetime | None
    """When a decider took it."""
    closed: datetime.datetime | None
    """When it was completed or timed out."""
    scheduled_id: int
    """Its `DecisionTaskScheduled`."""
    completed_id: int | None
    """Its `DecisionTaskCompleted`; `None` of one that timed out or is open."""
    waits: ContextWaits
    """The waits of the code, besides tasks and timers, until this decision was made."""


class DecisionTriggers:
    """The decision tasks of a history, each with its triggers."""

    def __init__(self, history: History, others: Iterable[HistoryEvent] | None = None) -> None:
        """`others` are those of its events that are about no attempt, if they are known."""
        self._history = history
        self.all: list[DecisionTaskEvents] = []
        """In the order in which they were scheduled."""
        self.completed: list[DecisionTaskEvents] = []
        """Those that were completed."""
        self.waits_after: list[ContextWaits] = []
        """The waits of the code after each of the completed ones."""
        self._completed_ids: list[int] = []
        self._triggers: dict[int, HistoryEvent | None] = {}
        """The results of `_latest`, by `scheduled_id`."""
        self._read(history if others is None else others)

    def _read(self, events: Iterable[HistoryEvent]) -> None:
        open_: dict[int, tuple[HistoryEvent, HistoryEvent | None]] = {}
        seen, waits = 0, ContextWaits()
        for event in events:
            if event.type not in _OF_DECISION_TASKS:
                continue
            if event.type == "DecisionTaskScheduled":
                open_[event.id] = event, None
                continue
            scheduled_id = event.attributes.get("scheduledEventId")
            known = open_.pop(scheduled_id, None) if type(scheduled_id) is int else None
            if known is None:
                continue
            scheduled, started = known
            if event.type == "DecisionTaskStarted":
                open_[scheduled.id] = scheduled, event
                continue
            is_made = event.type == "DecisionTaskCompleted"
            decision = _decision_task(seen, scheduled, started, event, waits=waits, is_made=is_made)
            self.all.append(decision)
            if not is_made:
                continue
            self.completed.append(decision)
            self._completed_ids.append(event.id)
            seen = decision.last
            context = event.attributes.get("executionContext")
            if context is not None:
                waits = waits_in(context if isinstance(context, str) else None)
            self.waits_after.append(waits)
        for scheduled, started in open_.values():
            self.all.append(_decision_task(seen, scheduled, started, None, waits=waits, is_made=False))
        self.all.sort(key=_scheduled_id)

    def back_from(self, decision: DecisionTaskEvents) -> Iterator[DecisionTaskEvents]:
        """This decision task, then those that were scheduled before it, latest first."""
        for place in range(bisect_left(self.all, decision.scheduled_id, key=_scheduled_id), -1, -1):
            yield self.all[place]

    def made_before(self, event_id: int) -> int | None:
        """The place in `completed` of the latest decision that was made before this event; `None` if none was."""
        place = bisect_left(self._completed_ids, event_id) - 1
        return place if place >= 0 else None

    def that_closed(self) -> int | None:
        """The place in `completed` of the decision that closed the execution; `None` if none did."""
        last = self._history[-1] if self._history else None
        if last is None or last.decision is None or last.type not in CLOSE_STATUS:
            return None
        decided = last.attributes.get("decisionTaskCompletedEventId")
        return self.made_before(decided + 1 if type(decided) is int and decided < last.id else last.id)

    def that_saw(self, event_id: int) -> int | None:
        """The place in `completed` of the first decision that saw this event; `None` if none did."""
        place = bisect_left(self.completed, event_id, key=lambda decision: decision.last)
        return place if place < len(self.completed) else None

    def trigger(self, decision: DecisionTaskEvents, needed: Collection[int] = ()) -> HistoryEvent | None:
        """The event for which the code went on in this decision; `None` if nothing new was there.

        `needed` are the ids of events of which one that is new to this decision is the trigger, the latest of them.
        """
        known = [event_id for event_id in needed if decision.first <= event_id <= decision.last]
        if known:
            return self._history[max(known) - 1]
        if decision.scheduled_id not in self._triggers:
            self._triggers[decision.scheduled_id] = self._latest(decision)
        return self._triggers[decision.scheduled_id]

    def _latest(self, decision: DecisionTaskEvents) -> HistoryEvent | None:
        """The last event that is new to a decision and that its code was waiting for, or else may have been."""
        found = None
        for event_id in range(decision.last, decision.first - 1, -1):
            event = self._history[event_id - 1]
            rank = self._rank(event, decision)
            if rank == _SURE:
                return event
            if rank == _PERHAPS and found is None:
                found = event
        return found

    def _rank(self, event: HistoryEvent, decision: DecisionTaskEvents) -> int:
        row = event.row
        if not row.wakes or row.entity == DECISION_TASK:
            return _NO
        if row.entity in _WAITED_FOR and row.closes:
            return _SURE
        if event.type == "WorkflowExecutionSignaled":
            return _SURE if event.attributes.get("signalName") in decision.waits.signals else _PERHAPS
        return _SURE if event.type == "WorkflowExecutionCancelRequested" else _PERHAPS

    def since_when(self, place: int, holds: Any) -> int:
        """The place in `completed` of the decision since which what the code waits for satisfies `holds`.

        `place` is the decision after which it still does.
        """
        while place > 0 and holds(self.waits_after[place - 1]):
            place -= 1
        return place


_OF_DECISION_TASKS: Final = frozenset(name for name, row in EVENT_TYPES.items() if row.entity == DECISION_TASK)


def _scheduled_id(decision: DecisionTaskEvents) -> int:
    return decision.scheduled_id


_NO, _PERHAPS, _SURE = range(3)
_WAITED_FOR: Final = frozenset({ACTIVITY, CHILD, LAMBDA, TIMER})


def _decision_task(
    seen: int,
    scheduled: HistoryEvent,
    started: HistoryEvent | None,
    closed: HistoryEvent | None,
    *,
    waits: ContextWaits,
    is_made: bool,
) -> DecisionTaskEvents:
    last = started if started is not None else scheduled
    return DecisionTaskEvents(
        first=seen + 1,
        last=last.id,
        begins=scheduled.timestamp,
        started=None if started is None else started.timestamp,
        closed=None if closed is None else closed.timestamp,
        scheduled_id=scheduled.id,
        completed_id=closed.id if is_made and closed is not None else None,
        waits=waits,
    )
