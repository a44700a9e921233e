"""One run of a workflow execution while it is replayed: what the parts of a replay share about it.

The kinds of task (`commands`), the author's executor and the runner of the author's code work on the same
`ReplayedRun`: its events, its fibers, its pending commands, its ids.

Rule: state, and the few steps by which every part changes it. What a kind of task does is not known here.
"""

from __future__ import annotations

import contextvars
import datetime
from collections.abc import Callable, Mapping
from typing import Any

from simpleflow_lab.canvas import GroupFuture
from simpleflow_lab.data.failure_details import reason_of
from simpleflow_lab.data.fields import DeferredFields, Fields
from simpleflow_lab.exceptions import DecisionTaskError, TaskCanceled
from simpleflow_lab.futures import Canceler, Future
from simpleflow_lab.replay.command import Command, PendingCommands
from simpleflow_lab.replay.failures import Failures
from simpleflow_lab.replay.fibers import Fibers
from simpleflow_lab.replay.history_reader import AttemptLimits
from simpleflow_lab.replay.lines import line_of_error, line_text
from simpleflow_lab.replay.observer import Observer
from simpleflow_lab.replay.pending_hooks import PendingHooks
from simpleflow_lab.replay.rerun import CommandIndex
from simpleflow_lab.replay.task_ids import TaskIds
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.workflow import Workflow


class FiberWaiter:
    """Suspends the current fiber until a future is done; a `futures.TimedWaiter`."""

    __slots__ = ("_run", "start_deadline")

    def __init__(self, run: ReplayedRun) -> None:
        self._run = run
        self.start_deadline: Callable[[int], Future] = _no_timers
        """Starts a timer of so many seconds; the timers set it."""

    def __call__(self, future: Future, /) -> None:
        self._run.fibers.wait(future)


class ReplayedRun:
    """The state of the replay of one run: what is known, and what is pending."""

    def __init__(
        self,
        events: list[HistoryEvent],
        *,
        domain: str,
        workflow_id: str,
        run_id: str,
        context: contextvars.Context | None,
        defaults: Mapping[str, str],
        fields: Fields,
        observer: Observer | None = None,
    ) -> None:
        self.events = events
        """The events that were read, also those that came after the current decision."""
        self.history = HistoryWithRecords(events)
        """The events up to the current decision: what the workflow may know."""
        self.domain, self.workflow_id, self.run_id = domain, workflow_id, run_id
        self.defaults = defaults
        """The task list and the timeouts of activities that set none, by their names in a decision."""
        self.observer = observer
        """Watches this run, or `None`."""
        self._context = context
        self.fibers = self._new_fibers()
        self.fields = DeferredFields(fields, lambda call: self.fibers.call_outside(call))
        self.ids = TaskIds(workflow_id, run_id, fiber_path=lambda: self.fibers.path)
        self.pending = PendingCommands()
        """Commands that the history has not recorded yet."""
        if observer is not None:
            self.pending.on_added = lambda command: observer.command_made(command, self.fibers.current)
        self.index = CommandIndex(self.pending)
        self.failures = Failures()
        self.deferring: dict[GroupFuture, None] = {}
        """The groups that submit further members only when others have closed."""
        self.hooks = PendingHooks()
        self.waiter = FiberWaiter(self)
        self.workflow: Workflow | None = None
        """The author's latest instance; `None` before the first decision."""
        self.is_replaying = False
        """The current decision was made before."""
        self.is_dry = False
        """The current decision is only inspected: it is not answered."""
        self.rules = 0
        """The rules by which the decider of the current decision decides; 0 of another than ours."""
        self.limits = AttemptLimits()
        """The limits of attempts that spend no retry, by the decider of the current decision."""
        self.started_event_id = 0
        """Id of the `DecisionTaskStarted` of the current decision; 0 before the first."""
        self.closing: Command | None = None
        """The close command, once the workflow has ended."""
        self.blocked = False
        """The code raised `ExecutionBlocked`: it runs again from its start at the next decision."""
        self.resolved_after_block = False
        """A hook closed a future after that: nothing else may come to make the code run again."""
        self.is_rerun = False
        """The code runs again from its start: it raised `ExecutionBlocked`."""
        self.hooks_called: set[str] = set()
        """The hooks of a close that were called before, for a close that SWF refused: they are called once."""
        self.decision_error: DecisionTaskError | None = None
        """Why no decision can be made, whatever the code does about it."""
        self.given: Mapping[str, str | None] = {}
        """Of a fork: by task id, the results that were given with it, as fields."""
        self.reused: set[str] | None = None
        """Of a fork: ids of the tasks that have a result which was inherited or given; `None` of any other."""
        self.random_seed = run_id
        """The seed of random numbers and new ids."""
        self.author_error: str | None = None
        """The first error that the author's code raised in the current decision, with its line."""
        self.author_exception: BaseException | None = None
        """The latest of them itself, with its frames, if the run is watched."""
        self._seen_later: list[tuple[Command | None, Callable[[], None]]] = []
        self.author_failed: Callable[[BaseException, str], None] = _raise
        """Called with an error of the author's code outside of `run`, and the name of what raised it."""

    def identify(self, workflow_id: str, run_id: str) -> None:
        """From now on the code is that of this execution: along what a fork inherits, of the one it was forked from."""
        self.workflow_id, self.run_id = workflow_id, run_id
        self.ids.identify(workflow_id, run_id)

    @property
    def started(self) -> HistoryEvent:
        """Its `WorkflowExecutionStarted`."""
        return self.events[0]

    @property
    def is_live(self) -> bool:
        """The current decision is made now, and will be answered: its output is written and hooks of a close run."""
        return not self.is_replaying and not self.is_dry

    @property
    def decided_at(self) -> datetime.datetime:
        """The time at which the current decision task was started; before the first, at which the run was."""
        return self.events[max(self.started_event_id, 1) - 1].timestamp

    def new_future(
        self, task_id: str | None = None, *, raises: bool = False, canceler: Canceler | None = None
    ) -> Future:
        """A future that suspends the fiber that reads it, and whose failure is watched."""
        future = Future(self.waiter, task_id=task_id, raises=raises, canceler=canceler)
        future.add_done_callback(self.failures.count)
        return future

    # -- what simpleflow's decider sees later --

    def when_recorded(self, command: Command | None, close: Callable[[], None]) -> None:
        """Close the future of a marker, or of a canceled timer: at once, or if simpleflow's decider would make this
        decision, in the next one after this command is recorded, for that decider reads it in the history."""
        if self.is_dry and not self.rules:
            self._seen_later.append((command, close))
        else:
            close()

    @property
    def sees_later(self) -> bool:
        """Some of that waits for the next decision, for which simpleflow's decider wakes itself."""
        return bool(self._seen_later) and self.closing is None

    def close_recorded(self) -> None:
        """The next decision begins: close the futures of what the decisions before it recorded."""
        seen, self._seen_later = self._seen_later, []
        for command, close in seen:
            if command is not None and command in self.pending:
                self._seen_later.append((command, close))  # the decision was full
            else:
                close()

    # -- commands --

    def enqueue(self, command: Command) -> Command:
        """Add a command of the author's code; gives the one that stands for it, which a rerun may have made before.

        Raises `NondeterminismError` if that has the same id and another type or input.
        """
        try:
            standing = self.index.register(command)
        except DecisionTaskError as error:
            self.fail_decision(error)
            raise
        if standing is command:
            self.pending.add(command)
        return standing

    def enqueue_own(self, command: Command) -> None:
        """Add a command that the code does not make itself, and so does not make again in a rerun."""
        self.pending.add(command)

    def retry(self, command: Command) -> None:
        """Add one more attempt of a command; none if it was canceled."""
        command.backoff = None
        if not command.cancel_requested:
            self.pending.add(command.reset())
        elif not command.future.done:
            command.future.set_cancelled(TaskCanceled())

    def give(self, command: Command) -> bool:
        """Close a task whose result was given with the fork; `False` if it was not."""
        if command.id not in self.given:
            return False
        if self.reused is not None:
            self.reused.add(command.id)
        command.future.set_finished(self.fields.decode_later(self.given[command.id]))
        return True

    # -- the author's code --

    def hook(self, name: str) -> Callable[..., Any] | None:
        """The workflow's own hook of this name, or `None` if it inherits that of `Workflow`."""
        workflow = self.workflow
        if workflow is None or getattr(type(workflow), name) is getattr(Workflow, name):
            return None
        found: Callable[..., Any] = getattr(workflow, name)
        return found

    def note_author_error(self, error: BaseException) -> None:
        """The author's code raised this: if the code now does something else than recorded, this comes first."""
        if self.author_error is None:
            line = line_of_error(error)
            at = "" if line is None else f", at {line_text(line)}"
            self.author_error = f"{reason_of(error)}{at}"
        if self.observer is not None:
            self.author_exception = error

    def fail_decision(self, error: DecisionTaskError) -> None:
        """The current decision can't be made, because of the first such error."""
        self.decision_error = self.decision_error or error

    def begin_rerun(self) -> None:
        """The code is about to run from its start. Its commands so far stay as they are."""
        if self.observer is not None:
            self.observer.rerun_begins()
        self.blocked = self.resolved_after_block = False
        self.is_rerun = True
        self.fibers.close()
        self.fibers = self._new_fibers()
        self.deferring.clear()
        self.ids.begin_rerun()
        self.index.begin_rerun()
        self.failures.begin_rerun()

    def _new_fibers(self) -> Fibers:
        fibers = Fibers(self._context)
        if self.observer is not None:
            fibers.on_resume = self.observer.fiber_resumed
        return fibers


def _raise(error: BaseException, what: str) -> None:
    raise error


def _no_timers(seconds: int) -> Future:
    raise RuntimeError("this run has no timers")
