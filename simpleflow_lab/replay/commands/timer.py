"""Timers: those of the author, the deadlines of `futures.wait`, and the waits before a retry.

A timer counts as running when it is started, and fires after its seconds. SWF refuses to start one when 1,000 are open;
it then waits in line here until one of those fires or is canceled.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from simpleflow_lab.exceptions import TaskFailed
from simpleflow_lab.futures import Future
from simpleflow_lab.replay.command import Command, CommandKind
from simpleflow_lab.replay.commands.refused_cancels import warn_of_refused_cancel
from simpleflow_lab.replay.history_reader import SECOND_RULES
from simpleflow_lab.replay.lines import Line, place_text
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.replay.task_ids import within_limit
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.conventions import DEADLINE_TIMER, RETRY_TIMER
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.names import MAX_DURATION, check_name, check_seconds
from simpleflow_lab.task import CancelTimerTask, TimerTask


def _start_timer(command: Command) -> Decision:
    return decisions.start_timer(
        timer_id=command.id,
        start_to_fire_timeout=command.input or "0",
        control=command.options.get("control") or command.control,
    )


def _is_same(event: HistoryEvent, command: Command) -> bool:
    recorded = event.attributes.get("startToFireTimeout")
    if recorded is None or recorded == command.input:
        return True
    given = command.task.given_timeout if isinstance(command.task, TimerTask) else None
    return isinstance(given, float) and recorded == str(int(given))  # fractions of seconds were cut once


TIMER: Final = CommandKind(
    name="timer",
    build=_start_timer,
    id_attribute="timerId",
    input_attribute="startToFireTimeout",
    is_same=_is_same,
    has_unique_ids=True,
    is_followed=True,
    is_lost_at_close=True,
)
CANCEL_TIMER: Final = CommandKind(
    name="cancel of timer",
    build=lambda command: decisions.cancel_timer(timer_id=command.id),
    id_attribute="timerId",
    input_attribute=None,
    is_lost_at_close=True,
)


class Timers:
    """The timers of one run."""

    def __init__(self, run: ReplayedRun) -> None:
        self._run = run
        self._by_id: dict[str, Command] = {}
        self._in_line: deque[Command] = deque()
        """Timers that SWF refused because as many as it allows were open, oldest first."""
        run.waiter.start_deadline = self.start_deadline

    # -- what the author's code does --

    def submit(self, task: TimerTask, line: Line | None) -> Future:
        """Start a timer; one of an id that was started before is the same timer."""
        check_name(task.timer_id, "TimerId", "the id of a timer")
        check_seconds(task.timeout, f"timer {task.timer_id}: the timeout")
        same = self._by_id.get(task.timer_id)
        if same is not None:
            self._warn_of_same(same, task, line)
            return same.future
        run = self._run
        future = run.new_future(task.timer_id, canceler=self.cancel)
        options = None
        if task.control is not None:
            options = {"control": run.fields.encode(task.control, f"control of timer {task.timer_id}")}
        command = Command(
            TIMER, task.timer_id, task=task, future=future, input=str(task.timeout), line=line, options=options
        )
        self._by_id[task.timer_id] = run.enqueue(command)
        return future

    def _warn_of_same(self, same: Command, task: TimerTask, line: Line | None) -> None:
        """Tell the author that a timer is an earlier one, where that is seen: it has ended, or has other seconds."""
        seconds = str(task.timeout)
        if same.future.done or same.input != seconds:
            where = "" if line is None else f"{place_text(line)}: "
            self._run.fields.warn(
                f"{where}timer {task.timer_id!r} is the one that this run started before, of {same.input} s, and no "
                f"new one of {seconds} s: give each timer an id of its own"
            )

    def submit_cancel(self, task: CancelTimerTask, line: Line | None) -> Future:
        """Cancel the timer of this id, if there is one that has not fired; gives a future that is done."""
        future = self._run.new_future(task.timer_id)
        timer = self._by_id.get(task.timer_id)
        if timer is not None:
            timer.future.cancel()
        cancels = self._run.pending.named(CANCEL_TIMER, task.timer_id)
        self._run.when_recorded(cancels[0] if cancels else None, lambda: future.set_finished(None))
        return future

    def start_deadline(self, seconds: int) -> Future:
        """Start a timer that no author named; see `futures.TimedWaiter`."""
        run = self._run
        task = TimerTask(f"{DEADLINE_TIMER}_{run.ids.next_number(DEADLINE_TIMER)}", seconds)
        return self.submit(task, run.fibers.line())

    def cancel(self, future: Future) -> bool:
        """Cancel a timer that has not fired."""
        run = self._run
        command = self._by_id[future.task_id or ""]
        if run.pending.named(CANCEL_TIMER, command.id):
            return True  # simpleflow's decider sees it later
        if command in run.pending:
            run.pending.remove(command)
            future.set_cancelled()
        else:
            cancel = Command(CANCEL_TIMER, command.id, line=run.fibers.line())
            run.when_recorded(cancel, lambda: None if future.done else future.set_cancelled())
            run.enqueue(cancel)
        return True

    def is_canceled(self, timer_id: str) -> bool:
        """The code has canceled the timer of this id, whether or not the history records it."""
        command = self._by_id.get(timer_id)
        return command is not None and command.future.cancelled

    def begin_rerun(self) -> None:
        """The code is about to run from its start, and submits its timers again."""
        self._by_id.clear()

    def continue_in_fork(self, command: Command) -> None:
        """Start a timer again that ran where the fork was made; a wait before an attempt ends there."""
        if command.task is None:
            command.future.set_finished(None)
        else:
            self._run.retry(command)

    # -- what the history says --

    def started(self, command: Command, event: HistoryEvent) -> None:
        """SWF started the timer."""
        command.future.set_running()

    def fired(self, command: Command, event: HistoryEvent) -> None:
        """The timer fired."""
        command.future.set_finished(None)

    def refused(self, command: Command, event: HistoryEvent) -> None:
        """SWF refused to start the timer: it waits in line, starts with the next decision, or has failed."""
        cause = str(event.attributes.get("cause"))
        if cause == "OPEN_TIMERS_LIMIT_EXCEEDED":
            self._in_line.append(command)
        elif cause == "TIMER_CREATION_RATE_EXCEEDED":
            command.attempts.refusals += 1  # a timer can't wait for a timer: the decider waits before it asks again
            self._run.retry(command)
        else:
            command.future.set_exception(TaskFailed(command.id, f"SWF refused it: {cause}"))

    def cancel_refused(self, command: Command, event: HistoryEvent) -> None:
        """SWF refused to cancel a timer; `command` is the cancel. The code goes on as if it were canceled."""
        cause = str(event.attributes.get("cause"))
        if cause != "TIMER_ID_UNKNOWN":  # which says that it fired while the decision was made
            warn_of_refused_cancel(self._run, command, cause)

    def one_closed(self) -> None:
        """A timer fired or was canceled: one that waits in line may start."""
        if self._in_line:
            self._run.retry(self._in_line.popleft())


def cancel_backoff(run: ReplayedRun, command: Command, line: Line | None) -> bool:
    """Cancel a task that waits for its next attempt, with the timer of that wait; `False` if it doesn't wait so."""
    backoff = command.backoff
    if backoff is None or run.rules < SECOND_RULES:
        return False
    if backoff in run.pending:
        run.pending.remove(backoff)
    else:
        run.enqueue_own(Command(CANCEL_TIMER, backoff.id, line=line))
    backoff.future.set_cancelled()  # which cancels the task
    return True


def retry_after(run: ReplayedRun, command: Command, seconds: int, *, name: str | None = None) -> None:
    """Make one more attempt of a command after so many seconds; at once for 0.

    The wait is a timer under upstream's name, which may be used again once it has fired; `name` is for commands that
    their id does not distinguish.
    """

    def retry(_: Future | None = None) -> None:
        if not command.closed and run.closing is None:
            run.retry(command)

    if not seconds:
        retry()
        return
    timer_id = within_limit(f"{RETRY_TIMER}{command.id if name is None else name}")
    fired = Future(task_id=timer_id)
    fired.add_done_callback(retry)
    command.backoff = Command(TIMER, timer_id, future=fired, input=str(min(seconds, MAX_DURATION)), line=command.line)
    run.enqueue_own(command.backoff)
