"""Decides on a task whose attempt failed, by the workflow's hook or else by the task's retry policy.

The hook, `Workflow.on_task_failure`, is the author's code and runs like all of it: in a fiber of its own, in the
decision that first sees the failure, and again in each replay. One that waits while the workflow runs again from its
start, because the author raised `ExecutionBlocked`, runs again, too.

Rule: nothing is drawn or measured here. Times are those of events, and chance comes from ids.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any, Final

from simpleflow_lab.data.codec import encode
from simpleflow_lab.data.failure_details import error_names
from simpleflow_lab.data.references import all_loaded
from simpleflow_lab.exceptions import (
    EncodingError,
    ExecutionBlocked,
    TaskCanceled,
    TimeoutError,
    UsageError,
    WorkflowCanceled,
)
from simpleflow_lab.futures import Future, copy_outcome
from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.commands.failure_context import failure_context
from simpleflow_lab.replay.commands.timer import retry_after
from simpleflow_lab.replay.history_reader import SECOND_RULES
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.retry import FailedAttempt, policy_of
from simpleflow_lab.swf.conventions import RETRY_TIMER
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.names import check_seconds
from simpleflow_lab.task import ActivityTask, TaskFailureContext, TimerTask, WorkflowTask

_HOOK: Final = "on_task_failure"

_Decision = TaskFailureContext.Decision
_RETRIES: Final = (None, _Decision.none, _Decision.retry_now, _Decision.retry_later)


class FailureHandling:
    """The handling of one failed attempt of an activity task or child workflow."""

    def __init__(
        self,
        run: ReplayedRun,
        command: Command,
        event: HistoryEvent,
        error: Exception,
        *,
        change: Callable[[Command, Any], None],
    ) -> None:
        """`event` ended the attempt with `error`. `change` lets the command's next attempt be of another task."""
        self._run = run
        self._command = command
        self._event = event
        self._error = error
        self._change = change
        self._decided_at = run.started_event_id

    def handle(self, *, final: bool) -> None:
        """Let the hook, or else the policy, decide. With `final` no policy retries, only the hook may."""
        failures = self._command.attempts.failures
        timeout_type = self._error.timeout_type if isinstance(self._error, TimeoutError) else None
        failures[timeout_type or ""] += 1
        failed = FailedAttempt(
            error_names=error_names(self._error),
            timeout_type=timeout_type,
            failures=dict(failures),
            elapsed=self._elapsed(),
            seed=f"{self._run.run_id}/{self._command.id}/{failures.total()}",
        )

        def by_policy() -> None:
            task = _task_of(self._command)
            retry = task.activity.retry if isinstance(task, ActivityTask) else task.workflow.retry
            wait = None if final else policy_of(retry).wait_after(failed)
            if wait is None:
                self._fail()
            else:
                retry_after(self._run, self._command, wait)

        if self._run.hook(_HOOK) is None:
            by_policy()
        else:
            self._run.hooks.start(self._run.fibers, self._command, lambda: self._by_hook(by_policy))

    def _elapsed(self) -> float:
        """Seconds since the first attempt was scheduled."""
        first = self._command.attempts.first_at
        return 0.0 if first is None else (self._event.timestamp - first).total_seconds()

    def _by_hook(self, by_policy: Callable[[], None]) -> None:
        """Call the hook and carry out its decision; in a fiber of its own."""
        run, command = self._run, self._command
        hook = run.hook(_HOOK)  # of the workflow's instance that runs now
        assert hook is not None
        try:
            context = failure_context(run, command, self._event, self._error, _task_of(command), self._decided_at)
            answer = hook(context)
            if answer is not None and not isinstance(answer, TaskFailureContext):
                raise UsageError(f"it returned {answer!r}: return the context that it was given, or None")
            if not command.closed:  # it may have been canceled meanwhile
                answer = answer or context
                self._carry_out(answer, by_policy)
                if answer.decision is _Decision.handled and answer.future and not command.closed:
                    return  # until that future closes, a rerun must let the hook give another one
        except ExecutionBlocked:
            run.blocked = True
            return
        except WorkflowCanceled as canceled:
            if not command.closed:
                command.future.set_cancelled(TaskCanceled(str(canceled)))
        except Exception as failure:  # the author's: it ends the execution as one in `run` does
            run.author_failed(failure, _HOOK)
        self._hook_decided()

    def _hook_decided(self) -> None:
        run, command = self._run, self._command
        run.hooks.decided(command)
        run.resolved_after_block = run.resolved_after_block or (run.blocked and command.closed)

    def _carry_out(self, context: TaskFailureContext, by_policy: Callable[[], None]) -> None:
        """Do what the hook decided."""
        run, command = self._run, self._command
        decision, given, future = context.decision, context.future, command.future
        if decision is _Decision.handled and given is None:
            decision = _Decision.retry_now
        if decision in (_Decision.ignore, _Decision.cancel):
            run.failures.handled_by_hook += 1
        if decision in _RETRIES:
            self._take_over(context.a_task)
        match decision:
            case None | _Decision.none:
                by_policy()
            case _Decision.abort:
                run.author_failed(self._error, f"{_HOOK} aborted the workflow")
            case _Decision.ignore:
                # `given` still has the error, and so no result, unless the hook gave it one.
                future.set_finished(None if given is None else given.result)
            case _Decision.cancel:
                future.set_cancelled()
            case _Decision.retry_now:
                retry_after(run, command, 0)
            case _Decision.retry_later:
                # A TimerTask refuses with one line what is no number of seconds.
                wait = context.retry_wait_timeout or 0
                seconds = TimerTask(RETRY_TIMER, wait).timeout
                check_seconds(seconds, f"the wait before the next attempt of {command.id}")
                # Earlier deciders of ours cut fractions.
                retry_after(
                    run, command, int(wait) if isinstance(wait, float) and run.rules < SECOND_RULES else seconds
                )
            case _Decision.handled:
                assert given is not None
                self._copy_outcome_of(given)
            case other:
                raise UsageError(f"{other!r} is no decision: use one of TaskFailureContext.Decision")

    def _fail(self) -> None:
        """The task failed for good."""
        future = self._command.future
        if isinstance(self._error, TaskCanceled):
            future.set_cancelled(self._error)
        else:
            future.set_exception(self._error, raises=_task_of(self._command).raises_on_failure)

    def _copy_outcome_of(self, other: Future) -> None:
        """Close the command's future, whichever it has by then, as the other one closes."""

        def close(done: Future) -> None:
            self._hook_decided()
            future = self._command.future
            if future.done:
                return
            self._run.failures.handled_by_hook += 1
            done.mark_handled()  # its error is the task's now, and handled there
            copy_outcome(done, future)

        other.add_done_callback(close)

    def _take_over(self, task: object) -> None:
        """From now on the command is of this task, under its old id."""
        command = self._command
        before = _task_of(command)
        kind = ActivityTask if isinstance(before, ActivityTask) else WorkflowTask
        if not isinstance(task, ActivityTask | WorkflowTask) or not isinstance(task, kind):
            raise UsageError(f"a_task is {task!r}: a failed {command.kind.name} can only be tried again as one")
        args, kwargs = command.arguments
        changed = copy.copy(task)
        changed.args = tuple(_unchanged_or_new(value, args[n : n + 1]) for n, value in enumerate(task.args))
        changed.kwargs = {
            name: _unchanged_or_new(value, [kwargs[name]] if name in kwargs else [])
            for name, value in task.kwargs.items()
        }
        same_arguments = (
            len(changed.args) == len(args)
            and changed.kwargs.keys() == kwargs.keys()
            and all(map(operator.is_, changed.args, args))
            and all(value is kwargs[name] for name, value in changed.kwargs.items())
        )
        if not same_arguments or _without_arguments(task) != _without_arguments(before):
            self._change(command, changed)


def _unchanged_or_new(value: Any, before: list[Any]) -> Any:
    """The argument that was there before if this one is equal to it: a large one is not written again then."""
    for old in before:
        try:
            if encode(value) == encode(all_loaded(old)):
                return old
        except EncodingError:  # a future, or nonsense: making the command reports it
            pass
    return value


def _without_arguments(task: ActivityTask | WorkflowTask) -> dict[str, Any]:
    return {name: value for name, value in vars(task).items() if name not in ("args", "kwargs")}


def _task_of(command: Command) -> ActivityTask | WorkflowTask:
    task = command.task
    assert isinstance(task, ActivityTask | WorkflowTask)
    return task
