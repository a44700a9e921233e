"""The common part of activity tasks and child workflow executions.

Others carry them out, so an attempt may fail and be retried; an id stands for one task, however often it is submitted;
and a running one can only get a cancel *request*.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from simpleflow_lab.exceptions import (
    ReplacedDefinitionError,
    TaskCanceled,
    TaskFailed,
    TimeoutError,
    WorkerLostError,
    WrongArgumentsError,
)
from simpleflow_lab.futures import PENDING, Future, copy_outcome
from simpleflow_lab.replay.captured_arguments import CapturedArguments
from simpleflow_lab.replay.command import AttemptCounts, Command, CommandKind
from simpleflow_lab.replay.commands.argument_checks import problem_of
from simpleflow_lab.replay.commands.failed_attempts import FailureHandling
from simpleflow_lab.replay.commands.failure_context import timeout_value
from simpleflow_lab.replay.commands.refusals import refusal, retry_refused
from simpleflow_lab.replay.commands.timer import cancel_backoff, retry_after
from simpleflow_lab.replay.lines import Line, line_text, place_text
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.retry import back_off
from simpleflow_lab.swf.conventions import LOST_BESIDE, is_given_back, is_worker_lost
from simpleflow_lab.swf.history import HistoryEvent

Members = dict[str, Any]
"""Members of a `Command`."""


class AttemptedTasks(ABC):
    """The activity tasks, or the child workflow executions, of one run."""

    kind: ClassVar[CommandKind]
    """The commands that start them."""

    def __init__(self, run: ReplayedRun) -> None:
        self._run = run
        self._by_id: dict[str, Command] = {}

    # -- what the author's code does --

    def _command_once(
        self,
        task_id: str,
        future: Future,
        line: Line | None,
        captured: CapturedArguments,
        members: Callable[[], Members],
    ) -> None:
        """Command a task; if a task of this id was submitted before, the future gets the same outcome."""
        future.task_id = task_id
        same = self._by_id.get(task_id)
        if same is None:
            command = Command(self.kind, task_id, future=future, line=line, dependencies=captured.futures, **members())
            self._by_id[task_id] = command if self._run.give(command) else self._run.enqueue(command)
        else:
            copy_outcome(same.future, future)

    def cancel(self, future: Future) -> bool:
        """Cancel a task that is not done: at once if SWF does not know of it, else by a request to SWF."""
        pending = self._run.pending
        command = self._by_id.get(future.task_id or "")
        if command is not None and command.future is not future:
            return command.future.cancel()  # the same task, submitted before
        future.mark_handled()
        if command is None:
            future.set_cancelled(TaskCanceled())  # it waits for its arguments
        elif command in pending:
            pending.remove(command)
            if future.state == PENDING:
                del self._by_id[command.id]  # SWF does not know of it: the id is free
            future.set_cancelled(TaskCanceled())
        elif not command.cancel_requested:
            command.cancel_requested = True
            line = self._run.fibers.line()
            if not cancel_backoff(self._run, command, line):
                self.request_cancel(command, line)
        return True

    @abstractmethod
    def request_cancel(self, command: Command, line: Line | None) -> None:
        """Request that SWF cancel a task, if that is possible now."""

    def refuse_replaced(self, kind: str, name: str, version: str, line: Line | None) -> None:
        """Fail the decision: the code of another definition would run for what is submitted here.

        Decisions that were made before are replayed as they are: the history has what came of them.
        """
        if not self._run.is_replaying:
            error = ReplacedDefinitionError(kind, name, version, None if line is None else line_text(line))
            self._run.fail_decision(error)
            raise error

    def check_arguments(
        self, name: str, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], line: Line | None
    ) -> None:
        """Fail the decision if the function does not take these arguments, so that the author can correct the call;
        warn of it where that is not certain.

        Decisions that were made before are replayed as they are: the history has what came of them.
        """
        problem = None if self._run.is_replaying else problem_of(function, args, kwargs)
        if problem is None:
            return
        if not problem.is_certain:
            where = "" if line is None else f"{place_text(line)}: "
            self._run.fields.warn(f"{where}each attempt of {name} will fail: {problem.text}")
            return
        error = WrongArgumentsError(name, problem.text, None if line is None else line_text(line))
        self._run.fail_decision(error)
        raise error

    @abstractmethod
    def members_of(self, task: Any, args: list[Any], kwargs: dict[str, Any]) -> Members:
        """The members of the command for this task with these arguments.

        They follow from the task, its arguments and how the run was started, and from nothing else: so a retry with
        another task commands what a first attempt of it would.
        """

    def change(self, command: Command, task: Any) -> None:
        """Let the command's next attempt be of this task."""
        args, kwargs = CapturedArguments((task.args, task.kwargs)).value
        for member, value in self.members_of(task, args, kwargs).items():
            setattr(command, member, value)

    def continue_in_fork(self, command: Command) -> None:
        """Command a task again that was open where the fork was made: its first attempt begins."""
        command.attempts = AttemptCounts()
        self._run.retry(command)

    def rename(self, command: Command, task_id: str) -> None:
        """Let a command that SWF does not know of have another id."""
        run, before = self._run, command.id
        if task_id == before:
            return
        run.pending.rename(command, task_id)
        command.future.task_id = task_id
        if self._by_id.get(before) is command:
            del self._by_id[before]
        self._by_id[task_id] = command
        run.index.renamed(command, before)

    @abstractmethod
    def upstream_asks_again(self, cause: str) -> bool:
        """Whether simpleflow schedules a task again in its next decision, however often SWF refused it so."""

    def begin_rerun(self) -> None:
        """The code is about to run from its start, and submits its tasks again."""
        self._by_id.clear()

    # -- what the history says --

    def scheduled(self, command: Command, event: HistoryEvent) -> None:
        """SWF has taken the task."""
        command.future.set_running()
        if command.attempts.first_at is None:
            command.attempts.first_at = event.timestamp

    def completed(self, command: Command, event: HistoryEvent) -> None:
        """The task completed."""
        command.future.set_finished(self._run.fields.decode_later(event.attributes.get("result")))

    def failed(self, command: Command, event: HistoryEvent) -> None:
        """An attempt failed. One that its worker gave back, where SWF has no other way, counts as no retry."""
        if is_given_back(event.attributes.get("details")):
            self._run.retry(command)
            return
        reason, details = (self._run.fields.text(event.attributes.get(name)) for name in ("reason", "details"))
        self._attempt_failed(command, event, TaskFailed(command.id, reason, details))

    def timed_out(self, command: Command, event: HistoryEvent) -> None:
        """An attempt timed out."""
        attributes = event.attributes
        if is_given_back(attributes.get("details")):
            self._run.retry(command)
            return
        if is_worker_lost(attributes.get("details")):
            self._worker_lost(command, event)
            return
        kind = str(attributes.get("timeoutType"))
        details = self._run.fields.text(attributes.get("details"))
        self._attempt_failed(command, event, TimeoutError(kind, timeout_value(command, kind), details))

    def _worker_lost(self, command: Command, event: HistoryEvent) -> None:
        """The process of an attempt's worker died: it is retried, later each time, and counts as no retry.

        After as many in a row as the decider allows the task fails: it may well be what kills them.
        """
        run, attempts = self._run, command.attempts
        limit = run.limits.lost
        if event.attributes.get("details") == LOST_BESIDE:
            # Any of its tasks may be what killed it: soon this one runs alone, and it shows.
            attempts.lost_beside += 1
            if command.cancel_requested:
                run.retry(command)
            else:
                retry_after(run, command, back_off(attempts.lost_beside - 1) if attempts.lost_beside > 1 else 0)
            return
        attempts.lost += 1
        if limit is None or command.cancel_requested:
            run.retry(command)
        elif attempts.lost >= limit:
            self._attempt_failed(command, event, WorkerLostError(command.id, attempts.lost), final=True)
        else:
            retry_after(run, command, back_off(attempts.lost - 1) if attempts.lost > 1 else 0)

    def refused(self, command: Command, event: HistoryEvent) -> None:
        """SWF refused to schedule or start the task."""
        cause = str(event.attributes.get("cause"))
        if self._run.rules == 0 and self.upstream_asks_again(cause):
            self._run.retry(command)
        elif not retry_refused(self._run, command, cause):
            self._attempt_failed(command, event, refusal(command, cause), final=True)

    def _attempt_failed(self, command: Command, event: HistoryEvent, error: Exception, *, final: bool = False) -> None:
        """Decide what becomes of the task; with `final` no retry policy applies, only the hook may try again."""
        command.attempts.lost = command.attempts.lost_beside = command.attempts.not_here = 0
        FailureHandling(self._run, command, event, error, change=self.change).handle(final=final)
