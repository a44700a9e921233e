"""The event that woke a decision, in words, as `activity fetch-3 completed`.

Rule: names come from histories: they are shortened, and escaped where they are shown.
"""

from __future__ import annotations

from typing import Any, Final

from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, EXECUTION, LAMBDA, MARKER, SIGNAL, TIMER
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.decision_triggers import DecisionTriggers
from simpleflow_lab.views.formatting import shortened

_NAMED_BY: Final = {
    ACTIVITY: ("activity", "activityId"),
    TIMER: ("timer", "timerId"),
    CHILD: ("child", "workflowId"),
    LAMBDA: ("lambda", "id"),
    MARKER: ("marker", "markerName"),
}
"""Of each kind of entity its word, and the attribute of its first event that has its name."""


class TriggerTexts:
    """The texts of what woke the decisions of one history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._triggers = DecisionTriggers(history)
        self._by_start = {decision.last: decision for decision in self._triggers.all}

    def event(self, started_event_id: int) -> HistoryEvent | None:
        """The event for which the decision that began with this `DecisionTaskStarted` was made, `None` if unknown."""
        decision = self._by_start.get(started_event_id)
        return None if decision is None else self._triggers.trigger(decision)

    def words(self, started_event_id: int) -> str:
        """The same in words; of none, `nothing new`."""
        event = self.event(started_event_id)
        return "nothing new" if event is None else event_words(self._history, event)


def event_words(history: History, event: HistoryEvent) -> str:
    """An event in words: `activity fetch-3 completed`, `signal go`, `the execution started`."""
    row = event.row
    state = row.state.replace("_", " ")
    if row.entity == EXECUTION:
        return "a cancel was requested" if row.state == "cancel_requested" else f"the execution {state}"
    if row.entity == SIGNAL:
        return f"signal {shortened(event.attributes.get('signalName'))}"
    if row.entity not in _NAMED_BY:
        return shortened(event.type)
    word, attribute = _NAMED_BY[row.entity]
    first = event
    for name in (row.find.follows, "scheduledEventId"):
        follows = event.attributes.get(name) if name is not None else None
        if type(follows) is int and 0 < follows < event.id:
            first = history[follows - 1]
            break
    name = first.attributes.get(attribute)
    if name is None and isinstance(first.attributes.get("workflowExecution"), dict):
        name = first.attributes["workflowExecution"].get(attribute)
    return f"{task_words(word, name)} {state}" if name is not None else f"{word} {state}"


def task_words(word: str, id: Any) -> str:
    """A task in words: `activity fetch-3` of the activity with the id `activity-fetch-3`."""
    return f"{word} {shortened(str(id).removeprefix(f'{word}-'))}"
