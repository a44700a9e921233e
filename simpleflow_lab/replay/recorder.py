"""An observer that makes a record of each decision.

Rule: work per decision is in proportion to what happened in it. What stays the same is shared with the records before.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from simpleflow_lab.canvas import ChainFuture, GroupFuture
from simpleflow_lab.exceptions import NondeterminismError
from simpleflow_lab.futures import Future
from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.commands.activity import ACTIVITY
from simpleflow_lab.replay.commands.child import CHILD
from simpleflow_lab.replay.commands.close import CLOSE
from simpleflow_lab.replay.commands.kinds import KINDS
from simpleflow_lab.replay.commands.marker import MARKER
from simpleflow_lab.replay.commands.signal import SIGNAL
from simpleflow_lab.replay.commands.timer import CANCEL_TIMER, TIMER
from simpleflow_lab.replay.divergence import Divergence
from simpleflow_lab.replay.fibers import Fiber
from simpleflow_lab.replay.history_reader import DecisionBatch
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.replay.suspended_code import Snapshot
from simpleflow_lab.replay.trace_records import (
    Close,
    CommandRecord,
    DecisionRecord,
    FutureUse,
    Match,
    Raised,
    SignalRecord,
)
from simpleflow_lab.replay.traced_fibers import TracedFibers
from simpleflow_lab.replay.traced_futures import TracedFutures
from simpleflow_lab.replay.traced_lines import TracedLines
from simpleflow_lab.replay.value_text import value_text
from simpleflow_lab.signal import WaitForSignal
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.event_types import EVENT_TYPES, EXECUTION
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.task import (
    ActivityTask,
    CancelTimerTask,
    ContinueAsNewWorkflowTask,
    MarkerTask,
    SignalTask,
    Task,
    TimerTask,
    WorkflowTask,
)

MAX_OUTPUT: Final = 10_000
"""Most characters of output that one record holds."""
MAX_ERROR: Final = 4_000
"""Most characters of why a decision could not be made."""

_CLOSES: Final = frozenset(type for type, kind in KINDS.items() if kind is CLOSE)
_CLOSING: Final = frozenset(type for type, row in EVENT_TYPES.items() if row.decision in _CLOSES)
"""The types of the events that record a close."""
_KINDS: Final[Mapping[type[Task], str]] = {
    ActivityTask: ACTIVITY.name,
    WorkflowTask: CHILD.name,
    TimerTask: TIMER.name,
    CancelTimerTask: CANCEL_TIMER.name,
    MarkerTask: MARKER.name,
    SignalTask: SIGNAL.name,
    WaitForSignal: "signal wait",
    ContinueAsNewWorkflowTask: "continue as new",
}
"""The names of the futures of tasks of these classes, and of classes derived from them."""


class _Decision:
    """The current decision."""

    __slots__ = (
        "batch",
        "commands",
        "decisions",
        "first_change",
        "matches",
        "output",
        "output_left",
        "raised",
        "raised_at_once",
        "raised_in_detail",
        "seen",
        "started_event_id",
    )

    def __init__(
        self, started_event_id: int, seen: Sequence[HistoryEvent], batch: DecisionBatch | None, first_change: int
    ) -> None:
        self.started_event_id = started_event_id
        self.seen = seen
        self.batch = batch
        self.first_change = first_change
        self.commands: list[CommandRecord] = []
        self.matches: list[Match] = []
        self.decisions: list[Decision] = []
        self.output: list[str] = []
        self.output_left = MAX_OUTPUT
        self.raised: Raised | None = None
        self.raised_in_detail: Raised | None = None
        self.raised_at_once: list[str] = []


class Recorder:
    """An `Observer` that gives a `DecisionRecord` for each decision to a callback."""

    def __init__(
        self,
        on_decision: Callable[[DecisionRecord], None],
        *,
        stacks_from: int = 1,
        snapshot: Snapshot | None = None,
        lines: TracedLines | None = None,
        on_detail: Callable[[DecisionRecord], None] | None = None,
    ) -> None:
        """`stacks_from`: fibers are recorded with the local variables of their stacks from the decision on whose
        `DecisionTaskStarted` event has at least this id. `snapshot` copies their values, beside their texts;
        `lines` traces. With `on_detail` the local variables and the lines are in further records, which that gets."""
        self._on_decision = on_decision
        self._lines = lines
        self._decision: _Decision | None = None
        self._decisions = 0
        self._reported = 0
        """Id of the latest decision's `DecisionTaskStarted`: what is reported of earlier ones again has its record."""
        self._commands: dict[Command, list[CommandRecord]] = {}
        """The records of each pending command; two of a close that was refused: it is made again at once."""
        self._made_again: list[CommandRecord] = []
        """Commands that were made after the code of a decision had run, and so belong to the next one."""
        self._commands_made = 0
        self._numbered = 0
        """Number of commands that have a number, those of decisions that don't count included."""
        self._futures = TracedFutures()
        self._fibers = TracedFibers(stacks_from=stacks_from, snapshot=snapshot)
        self._on_detail = on_detail
        self._details_from, self._snapshot = stacks_from, snapshot
        self._detailed: TracedFibers | None = None
        """The fibers with their local variables, from where they are recorded in further records."""
        if on_detail is not None:
            self._fibers = TracedFibers(stacks_from=sys.maxsize)

    # -- Observer --

    def decision_begins(self, started_event_id: int, seen: Sequence[HistoryEvent], batch: DecisionBatch | None) -> None:
        """See `Observer`."""
        is_new = not seen or seen[0].id > self._reported
        first_seen = tuple(seen if is_new else (event for event in seen if event.id > self._reported))
        decision = self._decision = _Decision(started_event_id, first_seen, batch, len(self._futures.log))
        if started_event_id > self._reported:
            self._commands_made = max(self._commands_made, self._numbered)
        decision.commands, self._made_again = self._made_again, []
        self._futures.seen(seen)
        if self._on_detail is not None and self._detailed is None and started_event_id >= self._details_from:
            self._detailed = self._fibers.with_locals(self._details_from, self._snapshot)
        if self._lines is not None and started_event_id >= max(self._lines.first, self._reported + 1):
            self._lines.begin()

    def rerun_begins(self) -> None:
        """See `Observer`."""
        if self._decision is not None:
            self._decision.raised = self._decision.raised_in_detail = None
        self._futures.begin_rerun(self._commands, self._fibers.resumed)
        self._begin_fibers_anew()

    def starts_over(self) -> None:
        """See `Observer`."""
        self._futures.start_over(self._fibers.resumed)
        self._begin_fibers_anew()
        self._commands.clear()
        self._made_again.clear()
        self._numbered, self._commands_made = max(self._numbered, self._commands_made), 0

    def _begin_fibers_anew(self) -> None:
        self._fibers.begin_rerun()
        if self._detailed is not None:
            self._detailed.begin_rerun()

    def recorded_before(self, event: HistoryEvent, command: Command) -> None:
        """See `Observer`."""
        record = self._take_record(event, command)
        if self._decision is not None and record in self._decision.commands:
            self._decision.commands.remove(record)  # it is the command of an earlier decision
        elif self._decision is None:
            self._made_again.remove(record)  # the code made it before the first decision that is reported

    def fiber_resumed(self, fiber: Fiber) -> None:
        """See `Observer`."""
        if self._lines is not None:
            self._lines.resume(fiber)
        if self._fibers.resume(fiber):
            self._futures.fiber_begins(fiber)
        if self._detailed is not None:
            self._detailed.resume(fiber)

    def arguments_captured(self, future: Future, dependencies: Sequence[Future]) -> None:
        """See `Observer`."""
        self._futures.capture(future, dependencies)

    def task_submitted(self, task: Task, future: Future, line: Line | None, fiber: Fiber | None) -> None:
        """See `Observer`."""
        if future not in self._futures:
            kind = _KINDS.get(type(task)) or next(kind for base, kind in _KINDS.items() if isinstance(task, base))
            name = str(getattr(task, "name", None) or future.task_id)
            self._futures.submit(kind, name, future, line, fiber, self._fibers.name(fiber))

    def container_submitted(self, future: Future, line: Line | None, fiber: Fiber | None) -> None:
        """See `Observer`."""
        if isinstance(future, GroupFuture):
            kind = "chain" if isinstance(future, ChainFuture) else "group"
            self._futures.submit_group(kind, future, line, fiber, self._fibers.name(fiber))

    def command_made(self, command: Command, fiber: Fiber | None) -> None:
        """See `Observer`."""
        self._commands_made += 1
        traced = self._futures.of_command(command)
        record = CommandRecord(
            number=self._commands_made,
            kind=command.kind.name,
            id=command.id,
            type=command.type,
            input=command.input,
            line=command.line,
            fiber=self._fibers.name(fiber) if traced is None else traced.fiber,
        )
        records = self._commands.setdefault(command, [])
        records.append(record)
        if self._decision is None or len(records) > 1:
            self._made_again.append(record)
        else:
            self._decision.commands.append(record)

    def output_written(self, text: str) -> None:
        """See `Observer`."""
        decision = self._decision
        if decision is not None and decision.output_left > 0:
            decision.output.append(text[: decision.output_left])
            decision.output_left -= len(text)

    def execution_failed(self, error: BaseException, reason: str) -> None:
        """See `Observer`."""
        decision = self._decision
        if decision is not None:
            decision.raised = self._fibers.raised(error, reason, decision.started_event_id)
            if self._detailed is not None:
                decision.raised_in_detail = self._detailed.raised(error, reason, decision.started_event_id)

    def raised_at_once(self, future: Future) -> None:
        """See `Observer`."""
        if self._decision is not None:
            self._decision.raised_at_once.append(future.task_id or "?")

    def decision_replayed(
        self, pairs: Sequence[tuple[HistoryEvent, Command]], divergence: Divergence | None, *, pending: int
    ) -> None:
        """See `Observer`."""
        for event, command in pairs:
            self._match(event, command)
        self._end(pending=pending, divergence=divergence, error=None if divergence is None else divergence.error())

    def decision_made(self, decisions: Sequence[Decision], execution_context: str | None, *, pending: int) -> None:
        """See `Observer`."""
        self._end(pending=pending, decisions=decisions, execution_context=execution_context)

    def decision_failed(self, error: Exception, *, pending: int) -> None:
        """See `Observer`."""
        divergence = None
        if isinstance(error, NondeterminismError):
            divergence = Divergence(
                event_id=error.event_id,
                recorded=error.recorded,
                commanded=error.requested,
                recorded_line=error.recorded_line,
                commanded_line=error.requested_line,
                author_error=error.author_error,
                cause=error.cause,
            )
        self._end(pending=pending, divergence=divergence, error=error)

    def uses(self) -> tuple[FutureUse, ...]:
        """The use that the code has made of each of its futures so far."""
        return self._futures.uses()

    # -- decisions --

    def _match(self, event: HistoryEvent, command: Command) -> None:
        record = self._take_record(event, command)
        if self._decision is not None:
            self._decision.matches.append(Match(record, event.id))
            self._decision.decisions.append(command.decision())

    def _take_record(self, event: HistoryEvent, command: Command) -> CommandRecord:
        """The record of a pending command, which this event records."""
        self._futures.recorded(event, command)
        records = self._commands[command]
        record = records.pop(0)
        if not records:
            del self._commands[command]
        return record

    def _end(
        self,
        *,
        pending: int,
        decisions: Sequence[Decision] = (),
        execution_context: str | None = None,
        divergence: Divergence | None = None,
        error: Exception | None = None,
    ) -> None:
        lines = None if self._lines is None else self._lines.end()
        decision, self._decision = self._decision, None
        if decision is None:
            return  # this replay made the decision, and it has a record
        if decision.started_event_id <= self._reported and error is None:
            self._futures.end_decision(self._fibers.resumed, is_recorded=False)
            self._fibers.end_decision(decision.started_event_id)
            if self._detailed is not None:
                self._detailed.end_decision(decision.started_event_id)
            return  # it has a record, and is replayed once more
        self._reported = max(self._reported, decision.started_event_id)
        completed: HistoryEvent | None = None
        recorded: Sequence[HistoryEvent] = ()
        may_be_cut = False
        if decision.batch is not None:
            may_be_cut = decision.batch.may_be_cut
            completed, recorded = decision.batch.completed, tuple(decision.batch.recorded)
            decisions, execution_context = decision.decisions, completed.attributes.get("executionContext")
        self._decisions += 1
        self._futures.end_decision(self._fibers.resumed)
        record = DecisionRecord(
            number=self._decisions,
            started_event_id=decision.started_event_id,
            completed_event_id=None if completed is None else completed.id,
            is_replayed=completed is not None,
            events=decision.seen,
            signals=_signals_among(decision.seen),
            commands=tuple(decision.commands),
            recorded=recorded,
            may_be_cut=may_be_cut,
            matches=tuple(decision.matches),
            pending=pending,
            suspended=self._fibers.end_decision(decision.started_event_id),
            output="".join(decision.output),
            decisions=tuple(decisions),
            execution_context=execution_context,
            close=_close_among(recorded, decisions),
            divergence=divergence,
            error=None if error is None else _error_text(error),
            lines=lines if self._on_detail is None else None,
            raised=decision.raised,
            raised_at_once=tuple(decision.raised_at_once),
            _futures=self._futures.log,
            _first_change=decision.first_change,
            _last_change=len(self._futures.log),
        )
        if self._on_detail is not None and self._detailed is not None:
            suspended = self._detailed.end_decision(decision.started_event_id)
            raised = decision.raised_in_detail
            self._on_detail(dataclasses.replace(record, suspended=suspended, lines=lines, raised=raised))
        self._on_decision(record)


def _error_text(error: Exception) -> str:
    """Class and message of an error of this package; one of the author's is written without running its code."""
    is_own = type(error).__module__.partition(".")[0] == __name__.partition(".")[0]
    text = f"{type(error).__name__}: {error}" if is_own else value_text(error)
    return text if len(text) <= MAX_ERROR else f"{text[: MAX_ERROR - 3]}..."


def _close_among(recorded: Iterable[HistoryEvent], decisions: Iterable[Decision]) -> Close | None:
    """The close of the execution by the decision: as the history records it, or as it would be."""
    for event in recorded:
        if event.type in _CLOSING and event.decision is not None:
            refused = None if event.row.entity == EXECUTION else str(event.attributes.get("cause"))
            return Close(decision_type=event.decision, event_id=event.id, refused=refused)
    for decision in decisions:
        if decision["decisionType"] in _CLOSES:
            return Close(decision_type=str(decision["decisionType"]), event_id=None, refused=None)
    return None


def _signals_among(events: Iterable[HistoryEvent]) -> tuple[SignalRecord, ...]:
    return tuple(
        SignalRecord(
            name=str(event.attributes.get("signalName")), event_id=event.id, input=event.attributes.get("input")
        )
        for event in events
        if event.type == "WorkflowExecutionSignaled"
    )
