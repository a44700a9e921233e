"""Finds where two replays part: the first decision that saw something else, or commanded something else.

Rule: what differs from run to run is left out: times, event ids, workers, and ids made of the execution's own.
"""

from __future__ import annotations

from typing import Any, Final

from simpleflow_lab.replay.trace import CommandRecord, DecisionRecord
from simpleflow_lab.swf.event_types import CHILD, DECISION_TASK, EXTERNAL_CANCEL, EXTERNAL_SIGNAL
from simpleflow_lab.swf.history import History, HistoryEvent

_OUTCOME: Final = ("result", "reason", "input", "signalName", "cause", "timeoutType", "markerName")
"""Attributes that say what happened."""
_IDS: Final = ("activityId", "timerId", "id")
"""Attributes that name a task by an id that each run of the same code gives it."""
_OF_OTHERS: Final = frozenset({CHILD, EXTERNAL_SIGNAL, EXTERNAL_CANCEL})
"""Kinds of what is named by an id that is made of the execution's own."""


def view_of(record: DecisionRecord, history: History) -> tuple[Any, ...]:
    """The events that a decision saw, and its commands, in a form that equals that of another run."""
    seen = tuple(_event(event, history) for event in record.events if event.row.entity != DECISION_TASK)
    commanded = tuple(_command(command) for command in record.commands)
    return seen, commanded, record.error is None


def _event(event: HistoryEvent, history: History) -> tuple[Any, ...]:
    attributes = event.attributes
    first = event
    for name in (event.row.find.follows, "scheduledEventId"):
        follows = attributes.get(name) if name is not None else None
        if type(follows) is int and 0 < follows < event.id:
            first = history[follows - 1]
            break
    ids = [first.attributes.get(name) for name in _IDS if event.row.entity not in _OF_OTHERS]
    return event.type, *ids, *(attributes.get(name) for name in _OUTCOME)


def _command(command: CommandRecord) -> tuple[Any, ...]:
    is_of_run = command.kind in ("activity", "timer", "marker", "lambda")
    return command.kind, command.id if is_of_run else None, command.type, command.input
