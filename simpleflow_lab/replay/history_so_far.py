"""The history as the code may know it: up to the decision task at hand, the same in every replay.

A replay knows more: the rest of what it was fed. Code that branched on that would do something else the next time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from simpleflow_lab.swf.history import HistoryEvent


class HistorySoFar(Sequence[HistoryEvent]):
    """The events up to `last_event_id`, oldest first. It grows from decision to decision."""

    def __init__(self, events: list[HistoryEvent]):
        self._events = events
        self.last_event_id = 0
        """Id of the latest event: the `DecisionTaskStarted` of the decision at hand. Upstream's name."""

    @property
    def events(self) -> list[HistoryEvent]:
        """The events as a list of their own."""
        return self._events[: self.last_event_id]

    def __len__(self) -> int:
        return self.last_event_id

    @overload
    def __getitem__(self, index: int) -> HistoryEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[HistoryEvent]: ...
    def __getitem__(self, index: int | slice) -> HistoryEvent | list[HistoryEvent]:
        if isinstance(index, slice):
            return [self._events[i] for i in range(*index.indices(self.last_event_id))]
        return self._events[range(self.last_event_id)[index]]

    def __repr__(self) -> str:
        return f"<HistorySoFar: {self.last_event_id} events>"
