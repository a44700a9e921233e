"""The kinds of task in two tables: who takes a task that is submitted, and what an event means for a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from simpleflow_lab.futures import Future
from simpleflow_lab.replay.command import Command, CommandKind
from simpleflow_lab.replay.commands.activity import ACTIVITY, CANCEL_ACTIVITY, Activities
from simpleflow_lab.replay.commands.child import CANCEL_CHILD, CHILD, Children
from simpleflow_lab.replay.commands.close import CLOSE, Closing
from simpleflow_lab.replay.commands.marker import MARKER, Markers
from simpleflow_lab.replay.commands.signal import SIGNAL, Signals
from simpleflow_lab.replay.commands.timer import CANCEL_TIMER, TIMER, Timers
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.signal import WaitForNextSignal, WaitForSignal
from simpleflow_lab.swf import event_types
from simpleflow_lab.swf.event_types import EventType
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

KINDS: Final[Mapping[str, CommandKind]] = {
    "ScheduleActivityTask": ACTIVITY,
    "RequestCancelActivityTask": CANCEL_ACTIVITY,
    "StartChildWorkflowExecution": CHILD,
    "RequestCancelExternalWorkflowExecution": CANCEL_CHILD,
    "StartTimer": TIMER,
    "CancelTimer": CANCEL_TIMER,
    "RecordMarker": MARKER,
    "SignalExternalWorkflowExecution": SIGNAL,
    "CompleteWorkflowExecution": CLOSE,
    "FailWorkflowExecution": CLOSE,
    "CancelWorkflowExecution": CLOSE,
    "ContinueAsNewWorkflowExecution": CLOSE,
}
"""The kind of command behind a decision type. Decisions that no workflow of ours makes are not in it."""

_Submit = Callable[[Any, Line | None], Future]
_Resolve = Callable[[Command, HistoryEvent], None]


class Kinds:
    """All kinds of task of one run."""

    def __init__(self, run: ReplayedRun) -> None:
        self._run = run
        self.activities = Activities(run)
        self.children = Children(run)
        self.timers = Timers(run)
        self.markers = Markers(run)
        self.signals = Signals(run)
        closing = Closing(run)
        self._submit: dict[type[Task], _Submit] = {
            ActivityTask: self.activities.submit,
            WorkflowTask: self.children.submit,
            TimerTask: self.timers.submit,
            CancelTimerTask: self.timers.submit_cancel,
            MarkerTask: self.markers.submit,
            SignalTask: self.signals.send,
            WaitForNextSignal: self.signals.take,
            WaitForSignal: self.signals.wait_for,
            ContinueAsNewWorkflowTask: closing.continue_as_new,
        }
        activities, children, timers, signals = self.activities, self.children, self.timers, self.signals
        self._resolve: dict[tuple[str, str], _Resolve] = {
            (event_types.ACTIVITY, "scheduled"): activities.scheduled,
            (event_types.ACTIVITY, "completed"): activities.completed,
            (event_types.ACTIVITY, "failed"): activities.failed,
            (event_types.ACTIVITY, "timed_out"): activities.timed_out,
            (event_types.ACTIVITY, "canceled"): activities.canceled,
            (event_types.ACTIVITY, "schedule_failed"): activities.refused,
            (event_types.DECISION_FAILURE, "request_cancel_activity_failed"): activities.cancel_refused,
            (event_types.CHILD, "initiated"): children.scheduled,
            (event_types.CHILD, "started"): children.started,
            (event_types.CHILD, "completed"): children.completed,
            (event_types.CHILD, "failed"): children.failed,
            (event_types.CHILD, "timed_out"): children.timed_out,
            (event_types.CHILD, "canceled"): children.canceled,
            (event_types.CHILD, "terminated"): children.terminated,
            (event_types.CHILD, "start_failed"): children.refused,
            (event_types.EXTERNAL_CANCEL, "failed"): children.cancel_refused,
            (event_types.TIMER, "started"): timers.started,
            (event_types.TIMER, "fired"): timers.fired,
            (event_types.TIMER, "start_failed"): timers.refused,
            (event_types.DECISION_FAILURE, "cancel_timer_failed"): timers.cancel_refused,
            (event_types.EXTERNAL_SIGNAL, "initiated"): signals.sending,
            (event_types.EXTERNAL_SIGNAL, "signaled"): signals.delivered,
            (event_types.EXTERNAL_SIGNAL, "failed"): signals.not_delivered,
        }

    def submit(self, task: Task, line: Line | None) -> Future:
        """Take a task that the author's code submits at this line. Raises `TypeError` for a task of no known kind."""
        take = self._submit.get(type(task))
        if take is not None:
            return take(task, line)
        for kind, take in self._submit.items():
            if isinstance(task, kind):
                return take(task, line)
        raise TypeError(f"{task!r} can't be submitted")

    def resolve(self, command: Command, event: HistoryEvent, row: EventType) -> None:
        """Tell a command's future what this event says."""
        if row.entity == event_types.TIMER and row.state in ("fired", "canceled"):
            self.timers.one_closed()
        resolve = self._resolve.get((row.entity, row.state))
        if resolve is not None and not command.closed:
            resolve(command, event)

    def begin_own(self, given: Mapping[str, str | None], children: Mapping[str, str], open: Iterable[Command]) -> None:
        """Begin with a fork's own events, after those that it inherits.

        These results are given to the tasks that have none; what else is open is commanded anew, and these children
        with these inputs.
        """
        run = self._run
        run.given = {**run.given, **given}
        for kind in (ACTIVITY, CHILD) if given else ():
            for command in run.index.of_kind(kind):
                if not command.closed and run.give(command) and command in run.pending:
                    run.pending.remove(command)
        continue_in_fork: dict[CommandKind, Callable[[Command], None]] = {
            ACTIVITY: self.activities.continue_in_fork,
            CHILD: self.children.continue_in_fork,
            TIMER: self.timers.continue_in_fork,
            SIGNAL: self.signals.continue_in_fork,
        }
        open = [command for command in open if not command.closed]
        for command in open:
            if command.kind is CHILD and command.id in children:
                self.children.fork(command, children[command.id])
        for command in [each for each in (*run.pending, *open) if each.kind is CHILD]:
            self.children.rename(command, run.ids.new_child_id(command.id))
        for command in open:
            resume = continue_in_fork.get(command.kind)
            if resume is not None and not command.closed:  # a cancel request goes with what it would have canceled
                resume(command)

    def begin_rerun(self) -> None:
        """The code is about to run from its start."""
        self.activities.begin_rerun()
        self.children.begin_rerun()
        self.timers.begin_rerun()
        self.signals.begin_rerun()
