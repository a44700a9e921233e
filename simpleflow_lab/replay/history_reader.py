"""A history cut into decision batches: for each decision that was made, the events that record it.

SWF writes the events of a decision's commands right behind its `DecisionTaskCompleted`. A batch is complete when an
event follows that is none of them, or when the execution closes.

Rule: pure and incremental. Events are taken in order, each once; nothing is decided here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from simpleflow_lab.constants import DEFAULT_MAX_LOST_ATTEMPTS, DEFAULT_MAX_NOT_HERE_ATTEMPTS
from simpleflow_lab.data.codec import parse_or_text
from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.swf.event_types import CLOSE_STATUS
from simpleflow_lab.swf.history import HistoryEvent

IDENTITY_KEY: Final = "simpleflow_lab"
"""Key in the identity of our deciders, by which a replay recognises its own histories."""
RULES: Final = 3
"""The value of that key: the rules by which a decider decides."""
SECOND_RULES: Final = 2
"""From these rules on a decider has the limits of `AttemptLimits`. The code sees what came while SWF refused its close
(before, the close was sent again). A task that is canceled while it waits for its next attempt is canceled with the
timer of that wait (before, by a request that SWF refused). The result of a signal that was sent is its input (before,
nothing)."""
UPSTREAM_IDS: Final = 3
"""From these rules on the ids of idempotent tasks are upstream's, also where a time is among the arguments, and times
are written as `data.times` says (before, as Python does)."""
LIMIT_KEY: Final = "max_open"
"""Key in the identity of our deciders that keep fewer activity tasks open than SWF allows: how many."""
MAX_LOST_KEY: Final = "max_lost"
"""Key in the identity of our deciders that allow another number of lost attempts in a row than the default."""
MAX_NOT_HERE_KEY: Final = "max_not_here"
"""The same for attempts that came to workers without the activity."""


class AttemptLimits(NamedTuple):
    """The most attempts in a row of one task that spend no retry, by the rules of the decider that decides."""

    lost: int | None = None
    """Attempts whose worker's process died, after which the task fails; `None` for no limit."""
    not_here: int | None = None
    """Attempts that came to a worker which does not define the activity; `None` where such an attempt is a failure like
    any other."""


class DecisionBatch(NamedTuple):
    """One decision as the history records it."""

    completed: HistoryEvent
    """Its `DecisionTaskCompleted`."""
    recorded: Sequence[HistoryEvent]
    """The events that record its commands, in order."""
    rest: Sequence[HistoryEvent] = ()
    """Further events that record it and are not to be replayed: a prefix of the history ends before them."""
    may_be_cut: bool = False
    """More events may record it: a prefix ends among them, or the history ends with these and they close nothing."""

    @property
    def started_event_id(self) -> int:
        """Id of its `DecisionTaskStarted`: the decider saw the events up to this one."""
        return int(self.completed.attributes.get("startedEventId", 0))


class HistoryReader:
    """The events of one execution, as far as they were read."""

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []
        """Every event that was read; the event with id n is at n - 1."""
        self._completed: HistoryEvent | None = None
        self._recorded: list[HistoryEvent] = []

    def read(self, events: Iterable[HistoryEvent]) -> Iterator[DecisionBatch]:
        """Read further events and give the batches that they complete. Events that were read before are skipped.

        Raises `HistoryError` if an event is missing, or if the first is not `WorkflowExecutionStarted`.
        """
        known = self.events
        last = len(known)
        for event in events:
            if event.id <= last:
                continue
            if event.id != last + 1:
                raise HistoryError(f"event {event.id} came after event {last}")
            if not known and event.type != "WorkflowExecutionStarted":
                raise HistoryError(f"a history starts with WorkflowExecutionStarted, not {event.type}")
            known.append(event)
            last += 1
            completed = self._completed
            if event.type == "DecisionTaskCompleted":
                self._completed = None
                if completed is not None:
                    yield DecisionBatch(completed=completed, recorded=self._recorded)
                self._completed, self._recorded = event, []
            elif completed is not None:
                is_its_own = (
                    event.attributes.get("decisionTaskCompletedEventId") == completed.id and event.decision is not None
                )
                if is_its_own:
                    self._recorded.append(event)
                if not is_its_own or event.type in CLOSE_STATUS:
                    self._completed = None
                    yield DecisionBatch(completed=completed, recorded=self._recorded)

    def take_last_batch(self, rest: Sequence[HistoryEvent] = ()) -> DecisionBatch | None:
        """The batch at the end, to which no further event belongs but this rest; `None` if there is none."""
        completed, self._completed = self._completed, None
        if completed is None:
            return None
        return DecisionBatch(completed=completed, recorded=self._recorded, rest=rest, may_be_cut=True)

    def decider_of(self, started_event_id: int) -> Mapping[str, Any] | None:
        """The identity of the decider of ours that made this decision, and so cut its batches as we do, or `None`."""
        return identity_of_ours(self.events[started_event_id - 1].attributes.get("identity"))

    def limits_of(self, started_event_id: int) -> AttemptLimits:
        """The limits of the decider that made this decision; no limits if it was none of ours, or from before them."""
        return _limits_in(self.events[started_event_id - 1].attributes.get("identity"))

    def rules_of(self, started_event_id: int) -> int:
        """The rules by which the decider of this decision decides; 0 if it is none of ours."""
        decider = self.decider_of(started_event_id)
        return 0 if decider is None else _rules_of(decider)


def _rules_of(decider: Mapping[str, Any]) -> int:
    """The rules by which this decider of ours decides."""
    rules = decider[IDENTITY_KEY]
    return rules if isinstance(rules, int) else 1


@functools.lru_cache(maxsize=64)  # an execution has few deciders
def identity_of_ours(identity: str | None) -> Mapping[str, Any] | None:
    """The identity of a decider of ours, or `None`."""
    found = parse_or_text(identity)
    return found if isinstance(found, dict) and IDENTITY_KEY in found else None


@functools.lru_cache(maxsize=64)
def _limits_in(identity: str | None) -> AttemptLimits:
    decider = identity_of_ours(identity)
    if decider is None or _rules_of(decider) < SECOND_RULES:
        return AttemptLimits()
    return AttemptLimits(
        lost=int(decider.get(MAX_LOST_KEY, DEFAULT_MAX_LOST_ATTEMPTS)),
        not_here=int(decider.get(MAX_NOT_HERE_KEY, DEFAULT_MAX_NOT_HERE_ATTEMPTS)),
    )
