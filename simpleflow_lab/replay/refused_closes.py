"""Decisions that would have closed the execution, and whose close SWF refused: for something came meanwhile.

Such a decision counts as not made: the code is where it was before it, and makes the next decision with what came since
then, too. So a signal that is acknowledged before an execution closes is seen by its code. What else the decision did
stands: a marker is recorded, a child runs. A command that the code makes again, now or later, is the one that those
events record, and is not sent a second time.

Earlier deciders of ours sent a refused close again, and their code saw nothing (`history_reader.RULES`).

Rule: which decisions count follows from the history alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from simpleflow_lab.exceptions import CloseNotPermittedError
from simpleflow_lab.replay.history_reader import DecisionBatch
from simpleflow_lab.swf.conventions import WAKE_UP_TIMER
from simpleflow_lab.swf.event_types import EventType
from simpleflow_lab.swf.history import HistoryEvent

_CAUSE: Final = "UNHANDLED_DECISION"
_REFUSALS: Final[Mapping[str, frozenset[str]]] = {
    "CompleteWorkflowExecutionFailed": frozenset({"on_completed", "after_closed"}),
    "FailWorkflowExecutionFailed": frozenset({"on_failure", "after_closed"}),
    "CancelWorkflowExecutionFailed": frozenset({"on_canceled", "after_closed"}),
    "ContinueAsNewWorkflowExecutionFailed": frozenset({"after_closed"}),
}
"""The events that record a refused close, each with the hooks that were called for it."""


def is_refused(batch: DecisionBatch) -> bool:
    """The decision would have closed the execution, and SWF refused that because something came meanwhile."""
    last = batch.recorded[-1] if batch.recorded else None  # a close is the last one
    return last is not None and last.type in _REFUSALS and last.attributes.get("cause") == _CAUSE


def continuing_refused_for(batch: DecisionBatch) -> str | None:
    """Why SWF refused to continue as new, if it did so for good: its type is deprecated, say."""
    last = batch.recorded[-1] if batch.recorded else None
    if last is None or last.type != "ContinueAsNewWorkflowExecutionFailed" or is_refused(batch):
        return None
    return str(last.attributes.get("cause"))


def not_permitted(events: Sequence[HistoryEvent]) -> CloseNotPermittedError | None:
    """The error of a decision after a close that SWF refused, and would refuse again, for it is not allowed.

    SWF wakes the decider at once: asked again each time, the execution would soon have 25,000 events. `None` if the
    latest decision was none of these. To continue as new is the code's to deal with; see `continuing_refused_for`.
    """
    for event in reversed(events):
        if event.type == "DecisionTaskCompleted":
            return None
        if event.type in _REFUSALS and event.type != "ContinueAsNewWorkflowExecutionFailed":
            cause = str(event.attributes.get("cause"))
            if cause == _CAUSE:
                return None
            times = sum(each.type == event.type and each.attributes.get("cause") == cause for each in events)
            return CloseNotPermittedError(event.type, cause, times)
    return None


def hooks_called_for(batch: DecisionBatch) -> frozenset[str]:
    """The hooks that were called for this refused close, and are not called again: one may be what a signal came of."""
    return _REFUSALS[batch.recorded[-1].type]


class RetainedEvents:
    """The events of decisions that count as not made, as long as no command of the code stands for them."""

    def __init__(self) -> None:
        self._about: dict[int, list[HistoryEvent]] = {}
        """By the event that records a command: that one and the later ones about it, as far as they were seen."""
        self._recorded: dict[int, HistoryEvent] = {}

    def add(self, batch: DecisionBatch) -> None:
        """Add what this decision did besides closing."""
        for event in batch.recorded:
            if event.type not in _REFUSALS and event.attributes.get("timerId") != WAKE_UP_TIMER:
                self._recorded[event.id] = event
                self._about[event.id] = []

    @property
    def recorded(self) -> Sequence[HistoryEvent]:
        """The events that record a command, oldest first."""
        return tuple(self._recorded.values())

    def holds(self, event: HistoryEvent, row: EventType) -> bool:
        """Whether this event, which is seen now, is about one of them: then it is added to it."""
        first = (event.attributes.get(row.find.follows) if row.find.follows else None) or event.id
        about = self._about.get(first)
        if about is None:
            return False
        about.append(event)
        return True

    def take(self, recorded: HistoryEvent) -> Iterable[HistoryEvent]:
        """A command stands for this event from now on: gives what was seen about it."""
        del self._recorded[recorded.id]
        return self._about.pop(recorded.id)
