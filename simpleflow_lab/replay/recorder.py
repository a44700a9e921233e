"""An observer that makes a record of each decision.

Rule: work per decision is in proportion to what happened in it. What stays the same is shared with the records before:
the futures are a log, and a fiber that hasn't run keeps its stack where many are suspended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
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
from simpleflow_lab.replay.fibers import Fiber, Path
from simpleflow_lab.replay.history_reader import DecisionBatch
from simpleflow_lab.replay.lines import Line, place_text
from simpleflow_lab.replay.suspended_code import open_ids, stack_of
from simpleflow_lab.replay.trace_records import (
    Close,
    CommandRecord,
    DecisionRecord,
    FiberName,
    FutureLog,
    FutureRecord,
    Match,
    SignalRecord,
    SuspendedFiber,
)
from simpleflow_lab.replay.value_text import value_text
from simpleflow_lab.signal import WaitForSignal
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.event_types import EXECUTION
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
MAX_FRESH_STACKS: Final = 100
"""Most fibers that ran in a decision and whose local variables are recorded with it."""
MAX_RENEWED_STACKS: Final = 10
"""Most fibers that did not run in a decision and whose local variables are recorded again all the same: what they hold
may have changed."""

_Place = tuple[Path, str, str]
"""A place of the code, the same in each run of it: the fiber's path, a kind of task, and the name of what is submitted.
"""

_CLOSES: Final = frozenset(type for type, kind in KINDS.items() if kind is CLOSE)
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
"""What the futures of tasks of these classes, and of classes derived from them, are called."""


class _FutureState:
    """What is known of a future so far; of one that each rerun submits again, it is one state for all of them."""

    __slots__ = (
        "attempts",
        "closed",
        "command",
        "depends_on",
        "fiber",
        "future",
        "is_changed",
        "kind",
        "latest",
        "line",
        "members",
        "number",
        "run",
        "scheduled",
        "started",
    )

    def __init__(
        self,
        number: int,
        kind: str,
        run: int,
        future: Future,
        line: Line | None,
        fiber: FiberName | None,
        depends_on: Sequence[int] = (),
    ):
        self.number = number
        self.kind = kind
        self.command: Command | None = None
        """The latest command of its task, once an event records it."""
        self.latest: FutureRecord | None = None
        """As it was recorded last."""
        self.is_changed = False
        self.submit(run, future, line, fiber, depends_on)
        self.attempts = 0
        self.scheduled: int | None = None
        self.started: int | None = None
        self.closed: int | None = None

    def submit(
        self, run: int, future: Future, line: Line | None, fiber: FiberName | None, depends_on: Sequence[int]
    ) -> None:
        """The code submits it in this run of it, the first or a rerun, and gets this future."""
        self.run = run
        self.future = future
        self.line = line
        self.fiber = fiber
        self.depends_on = depends_on
        self.members: list[int] = []

    def record(self, run: int) -> FutureRecord:
        """As it is now, in this run of the code."""
        # A task that this run has not submitted again is resolved in its command alone.
        future = self.future if self.run == run or self.command is None else self.command.future
        state, result, error = future.peek()
        value = None
        if future.done:
            value = value_text(result if error is None else error)
        return FutureRecord(
            number=self.number,
            kind=self.kind,
            id=future.task_id or None,
            line=self.line,
            fiber=self.fiber,
            depends_on=self.depends_on,
            members=tuple(self.members),
            state=state,
            value=value,
            failed=error is not None,
            attempts=self.attempts,
            scheduled_event_id=self.scheduled,
            started_event_id=self.started,
            closed_event_id=self.closed,
        )


class _Decision:
    """The decision at hand."""

    def __init__(
        self, started_event_id: int, seen: Sequence[HistoryEvent], batch: DecisionBatch | None, first_change: int
    ):
        self.started_event_id = started_event_id
        self.seen = seen
        self.batch = batch
        self.first_change = first_change
        self.commands: list[CommandRecord] = []
        self.matches: list[Match] = []
        self.decisions: list[Decision] = []
        self.output: list[str] = []
        self.output_left = MAX_OUTPUT


class Recorder:
    """An `Observer` that gives a `DecisionRecord` for each decision to a callback."""

    def __init__(self, on_decision: Callable[[DecisionRecord], None], *, stacks_from: int = 1):
        """`stacks_from`: fibers are recorded with the local variables of their stacks from the decision on whose
        `DecisionTaskStarted` event has at least this id."""
        self._on_decision = on_decision
        self._stacks_from = stacks_from
        self._decision: _Decision | None = None
        self._decisions = 0
        self._commands: dict[Command, list[CommandRecord]] = {}
        """The records of each pending command; two of a close that was refused: it is made again at once."""
        self._made_again: list[CommandRecord] = []
        """Commands that were made after the code of a decision had run, and so belong to the next one."""
        self._commands_made = 0
        self._run = 1
        """Which run of the code this is: the first, or the second if it is rerun, and so on."""
        self._futures: dict[Future, _FutureState] = {}
        """The states of the futures that this run of the code got."""
        self._arguments: dict[Future, Sequence[Future]] = {}
        """The futures among the arguments of a task that is being submitted."""
        self._futures_known = 0
        self._places: dict[_Place, list[_FutureState]] = {}
        """What each place of the code has submitted in any run, in order."""
        self._submitted: Counter[_Place] = Counter()
        """How much of that this run has submitted so far."""
        self._by_id: dict[tuple[str, str], _FutureState] = {}
        """States of recorded tasks, by kind and id, of kinds whose ids are unique."""
        self._by_command: dict[Command, _FutureState] = {}
        self._by_event: dict[int, _FutureState] = {}
        self._groups: dict[Fiber, _FutureState] = {}
        """The containers whose members each fiber submits."""
        self._new_groups: list[_FutureState] = []
        """Submitted in this decision."""
        self._changed: list[_FutureState] = []
        self._log = FutureLog()
        self._names: dict[Fiber, FiberName] = {}
        """The names of fibers that have not ended."""
        self._last_number = 0
        self._numbers: dict[tuple[Path, str], int] = {}
        """The numbers of all fibers so far, by path and label: a fiber of a rerun gets that of its equal."""
        self._resumed: dict[Fiber, None] = {}
        """The fibers that ran in this decision."""
        self._suspended: dict[Fiber, SuspendedFiber] = {}
        self._with_stack: dict[Fiber, None] = {}
        """Those of the suspended fibers in which code of the author's is."""

    # -- Observer --

    def decision_begins(self, started_event_id: int, seen: Sequence[HistoryEvent], batch: DecisionBatch | None) -> None:
        """See `Observer`."""
        decision = self._decision = _Decision(started_event_id, tuple(seen), batch, len(self._log))
        decision.commands, self._made_again = self._made_again, []
        for event in seen:
            row = event.row
            state = self._by_event.get(event.attributes.get(row.find.follows, 0)) if row.find.follows else None
            if state is None:
                continue
            if row.closes:
                state.closed = event.id
            elif row.state == "started":
                state.started = event.id
            else:
                continue
            self._change(state)

    def rerun_begins(self) -> None:
        """See `Observer`."""
        for command in self._commands:
            self._state_of(command)  # it is found by its future, which it is about to lose
        self._add_new_members()
        self._run += 1
        for by_run in (self._futures, self._submitted, self._groups, self._names, self._resumed, self._suspended):
            by_run.clear()
        self._with_stack.clear()

    def fiber_resumed(self, fiber: Fiber) -> None:
        """See `Observer`."""
        if fiber not in self._names:
            self._name(fiber)
            if self._new_groups:  # a container submits its members in a fiber that it starts at once
                self._groups[fiber] = self._new_groups[-1]
        self._resumed[fiber] = None

    def arguments_captured(self, future: Future, dependencies: Sequence[Future]) -> None:
        """See `Observer`."""
        self._arguments[future] = dependencies

    def task_submitted(self, task: Task, future: Future, line: Line | None, fiber: Fiber | None) -> None:
        """See `Observer`."""
        if future not in self._futures:
            kind = _KINDS.get(type(task)) or next(kind for base, kind in _KINDS.items() if isinstance(task, base))
            name = str(getattr(task, "name", None) or future.task_id)
            self._add(kind, name, future, line, fiber, self._arguments.pop(future, ()))

    def container_submitted(self, future: Future, line: Line | None, fiber: Fiber | None) -> None:
        """See `Observer`."""
        if isinstance(future, GroupFuture):
            kind = "chain" if isinstance(future, ChainFuture) else "group"
            self._new_groups.append(self._add(kind, "", future, line, fiber, ()))

    def command_made(self, command: Command, fiber: Fiber | None) -> None:
        """See `Observer`."""
        self._commands_made += 1
        state = self._state_of(command)
        record = CommandRecord(
            number=self._commands_made,
            kind=command.kind.name,
            id=command.id,
            type=command.type,
            input=command.input,
            line=command.line,
            fiber=self._name(fiber) if state is None else state.fiber,
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
            )
        self._end(pending=pending, divergence=divergence, error=error)

    # -- decisions --

    def _match(self, event: HistoryEvent, command: Command) -> None:
        state = self._state_of(command)
        if state is not None:
            if command.kind.has_unique_ids:
                self._by_id[state.kind, command.id] = state
            state.attempts += 1
            state.scheduled, state.started, state.closed = event.id, None, event.id if event.row.closes else None
            self._by_event[event.id] = state
            self._change(state)
        records = self._commands[command]
        record = records.pop(0)
        if not records:
            del self._commands[command]
        if self._decision is not None:
            self._decision.matches.append(Match(record, event.id))
            self._decision.decisions.append(command.decision())

    def _state_of(self, command: Command) -> _FutureState | None:
        state = self._by_command.get(command)
        if state is None:
            state = self._futures.get(command.future)
            if state is not None:
                self._by_command[command] = state
                state.command = command
        return state

    def _end(
        self,
        *,
        pending: int,
        decisions: Sequence[Decision] = (),
        execution_context: str | None = None,
        divergence: Divergence | None = None,
        error: Exception | None = None,
    ) -> None:
        decision, self._decision = self._decision, None
        if decision is None:
            return  # this replay made the decision, and it has a record
        completed: HistoryEvent | None = None
        recorded: Sequence[HistoryEvent] = ()
        may_be_cut = False
        if decision.batch is not None:
            may_be_cut = decision.batch.may_be_cut
            completed, recorded = decision.batch.completed, tuple(decision.batch.recorded)
            decisions, execution_context = decision.decisions, completed.attributes.get("executionContext")
        self._decisions += 1
        self._record_changes()
        self._on_decision(
            DecisionRecord(
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
                suspended=self._suspended_fibers(decision.started_event_id),
                output="".join(decision.output),
                decisions=tuple(decisions),
                execution_context=execution_context,
                close=_close_among(recorded, decisions),
                divergence=divergence,
                error=None if error is None else _error_text(error),
                _futures=self._log,
                _first_change=decision.first_change,
                _last_change=len(self._log),
            )
        )

    # -- futures --

    def _add(
        self,
        kind: str,
        name: str,
        future: Future,
        line: Line | None,
        fiber: Fiber | None,
        arguments: Iterable[Future],
    ) -> _FutureState:
        known = self._futures
        depends_on = tuple(dict.fromkeys(known[each].number for each in arguments if each in known))
        place = (() if fiber is None else fiber.path, kind, name)
        state = self._submitted_before(place, future)
        if state is None:
            self._futures_known += 1
            state = _FutureState(self._futures_known, kind, self._run, future, line, self._name(fiber), depends_on)
            self._places.setdefault(place, []).append(state)
        else:
            state.submit(self._run, future, line, self._name(fiber), depends_on)
        known[future] = state
        self._change(state)
        if not future.done:
            future.add_done_callback(lambda _: self._change(state))
        return state

    def _submitted_before(self, place: _Place, future: Future) -> _FutureState | None:
        """What an earlier run of the code submitted, if this is the same: by its id, or else by its place."""
        number = self._submitted[place]
        self._submitted[place] += 1
        if self._run == 1:
            return None
        id = future.task_id
        state = self._by_id.get((place[1], id)) if id else None
        if state is not None and state.run != self._run:
            return state
        at_place = self._places.get(place, ())
        state = at_place[number] if number < len(at_place) else None
        if state is None or state.run == self._run or (id and state.future.task_id and id != state.future.task_id):
            return None
        return state

    def _change(self, state: _FutureState) -> None:
        if not state.is_changed:
            state.is_changed = True
            self._changed.append(state)

    def _record_changes(self) -> None:
        self._add_new_members()
        changed, self._changed = self._changed, []
        for state in changed:
            state.is_changed = False
            record = state.record(self._run)
            if record != state.latest:  # a rerun submits all of it again
                state.latest = record
                self._log.append(record)

    def _add_new_members(self) -> None:
        grown = [self._groups[fiber] for fiber in self._resumed if fiber in self._groups]
        for group in dict.fromkeys([*self._new_groups, *grown]):
            self._add_members(group)
        self._new_groups.clear()

    def _add_members(self, group: _FutureState) -> None:
        assert isinstance(group.future, GroupFuture)
        new = group.future.futures[len(group.members) :]
        if new:
            group.members.extend(self._futures[member].number for member in new if member in self._futures)
            self._change(group)

    # -- fibers --

    def _name(self, fiber: Fiber | None) -> FiberName | None:
        if fiber is None:
            return None
        name = self._names.get(fiber)
        if name is None:
            line = "" if fiber.line is None or fiber.label.startswith("hook ") else f" at {place_text(fiber.line)}"
            label = f"{fiber.label}{line}"
            name = self._names[fiber] = FiberName(self._number(fiber, label), label)
        return name

    def _number(self, fiber: Fiber, label: str) -> int:
        """The fiber's own number; in a rerun that of its equal before, or the next one that no fiber had."""
        key = (fiber.path, label)
        if self._run == 1:
            number = self._numbers[key] = fiber.number
        else:
            number = self._numbers.setdefault(key, self._last_number + 1)
        self._last_number = max(self._last_number, number)
        return number

    def _suspended_fibers(self, started_event_id: int) -> tuple[SuspendedFiber, ...]:
        suspended, resumed = self._suspended, self._resumed
        with_locals = started_event_id >= self._stacks_from
        if with_locals:
            for fiber in [fiber for fiber in islice(self._with_stack, MAX_RENEWED_STACKS) if fiber not in resumed]:
                suspended[fiber] = self._suspended_fiber(fiber, started_event_id, with_locals=True)
        for number, fiber in enumerate(resumed):
            if fiber.waits_for is None:
                for alive in (suspended, self._with_stack, self._names, self._groups):
                    alive.pop(fiber, None)  # it has ended
            else:
                fresh = with_locals and number < MAX_FRESH_STACKS
                known = suspended[fiber] = self._suspended_fiber(fiber, started_event_id, with_locals=fresh)
                if known.stack:
                    self._with_stack[fiber] = None
        resumed.clear()
        return tuple(suspended.values())

    def _suspended_fiber(self, fiber: Fiber, started_event_id: int, *, with_locals: bool) -> SuspendedFiber:
        future, name = fiber.waits_for, self._name(fiber)
        assert future is not None
        assert name is not None
        stack, is_stack_cut = stack_of(fiber, with_locals=with_locals)
        return SuspendedFiber(
            name=name,
            waits_for=value_text(future),
            waits_for_ids=open_ids(future),
            stack=stack,
            is_stack_cut=is_stack_cut,
            recorded_at=started_event_id,
        )


def _error_text(error: Exception) -> str:
    """Class and message of an error of this package; one of the author's is written without running its code."""
    is_own = type(error).__module__.partition(".")[0] == __name__.partition(".")[0]
    text = f"{type(error).__name__}: {error}" if is_own else value_text(error)
    return text if len(text) <= MAX_ERROR else f"{text[: MAX_ERROR - 3]}..."


def _close_among(recorded: Iterable[HistoryEvent], decisions: Iterable[Decision]) -> Close | None:
    """How the decision closed the execution: as the history records it, or as it would."""
    for event in recorded:
        if event.decision in _CLOSES:
            refused = None if event.row.entity == EXECUTION else str(event.attributes.get("cause"))
            return Close(decision_type=event.decision, event_id=event.id, refused=refused)
    types = (str(decision["decisionType"]) for decision in decisions)
    return next((Close(decision_type=each, event_id=None, refused=None) for each in types if each in _CLOSES), None)


def _signals_among(events: Iterable[HistoryEvent]) -> tuple[SignalRecord, ...]:
    return tuple(
        SignalRecord(
            name=str(event.attributes.get("signalName")), event_id=event.id, input=event.attributes.get("input")
        )
        for event in events
        if event.type == "WorkflowExecutionSignaled"
    )
