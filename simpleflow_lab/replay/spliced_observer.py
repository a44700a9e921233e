"""Reports to the observer of a fork's replay: the fork's decisions, with the events as its history has them.

What the fork inherits belongs to its first decision: the code runs through it before that. An inherited event is the
fork's first event to the observer, for it came with that.

Rule: as of any observer, nothing of the replay depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from simpleflow_lab.futures import Future
from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.divergence import Divergence
from simpleflow_lab.replay.fibers import Fiber
from simpleflow_lab.replay.history_reader import DecisionBatch
from simpleflow_lab.replay.inherited import Splice
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.replay.observer import Observer
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.task import Task


class SplicedObserver:
    """An `Observer` that passes on to another one."""

    def __init__(self, observer: Observer, splice: Splice) -> None:
        self._observer = observer
        self._splice = splice
        self._is_inherited = False
        """The current decision is an inherited one."""

    def decision_begins(self, started_event_id: int, seen: Sequence[HistoryEvent], batch: DecisionBatch | None) -> None:
        """See `Observer`."""
        splice = self._splice
        self._is_inherited = splice.is_inherited(started_event_id)
        if self._is_inherited:
            return
        own = [splice.outside(event) for event in seen if not splice.is_inherited(event.id)]
        if own and own[0].id == 2:
            own.insert(0, splice.events[0])  # it was seen with the inherited ones
        if batch is not None:
            batch = batch._replace(
                completed=splice.outside(batch.completed),
                recorded=[splice.outside(event) for event in batch.recorded],
                rest=[splice.outside(event) for event in batch.rest],
            )
        self._observer.decision_begins(splice.id_outside(started_event_id), own, batch)

    def rerun_begins(self) -> None:
        """See `Observer`."""
        self._observer.rerun_begins()

    def starts_over(self) -> None:
        """See `Observer`."""
        self._observer.starts_over()

    def output_written(self, text: str) -> None:
        """See `Observer`."""
        self._observer.output_written(text)

    def execution_failed(self, error: BaseException, reason: str) -> None:
        """See `Observer`."""
        self._observer.execution_failed(error, reason)

    def raised_at_once(self, future: Future) -> None:
        """See `Observer`."""
        self._observer.raised_at_once(future)

    def recorded_before(self, event: HistoryEvent, command: Command) -> None:
        """See `Observer`."""
        self._observer.recorded_before(self._splice.outside(event), command)

    def fiber_resumed(self, fiber: Fiber) -> None:
        """See `Observer`."""
        self._observer.fiber_resumed(fiber)

    def arguments_captured(self, future: Future, dependencies: Sequence[Future]) -> None:
        """See `Observer`."""
        self._observer.arguments_captured(future, dependencies)

    def task_submitted(self, task: Task, future: Future, line: Line | None, fiber: Fiber | None) -> None:
        """See `Observer`."""
        self._observer.task_submitted(task, future, line, fiber)

    def container_submitted(self, future: Future, line: Line | None, fiber: Fiber | None) -> None:
        """See `Observer`."""
        self._observer.container_submitted(future, line, fiber)

    def command_made(self, command: Command, fiber: Fiber | None) -> None:
        """See `Observer`."""
        self._observer.command_made(command, fiber)

    def decision_replayed(
        self, pairs: Sequence[tuple[HistoryEvent, Command]], divergence: Divergence | None, *, pending: int
    ) -> None:
        """See `Observer`."""
        found = [(self._splice.outside(event), command) for event, command in pairs]
        if not self._is_inherited:
            self._observer.decision_replayed(found, divergence, pending=pending)
            return
        for event, command in found:
            self._observer.recorded_before(event, command)

    def decision_made(self, decisions: Sequence[Decision], execution_context: str | None, *, pending: int) -> None:
        """See `Observer`."""
        self._observer.decision_made(decisions, execution_context, pending=pending)

    def decision_failed(self, error: Exception, *, pending: int) -> None:
        """See `Observer`."""
        if self._is_inherited:  # its own first decision can't be made
            self._observer.decision_begins(1, self._splice.events[:1], None)
        self._observer.decision_failed(error, pending=pending)
