"""Running the author's code: `run` and its hooks, decision by decision, and how the execution ends.

The code runs in fibers, until all of them are suspended. It ends by a result, by an error of its own, or by a cancel
request. An infrastructure error never ends it: the decision is retried.

A workflow that raises `ExecutionBlocked` runs again from its start at the next decision; see `rerun`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

import greenlet

from simpleflow_lab.canvas import SubmittableContainer
from simpleflow_lab.data.codec import arguments_of
from simpleflow_lab.data.failure_details import format_traceback, read_details, reason_of
from simpleflow_lab.data.fields import DeferredFields
from simpleflow_lab.exceptions import (
    DecisionInterrupted,
    DecisionTaskError,
    EncodingError,
    ExecutionBlocked,
    JumboTooLargeError,
    KeyboardInputError,
    StoreError,
    TaskException,
    TaskFailed,
    UsageError,
    WorkflowCanceled,
    WorkflowException,
)
from simpleflow_lab.futures import Future, nested
from simpleflow_lab.replay.commands.close import close_with
from simpleflow_lab.replay.commands.kinds import Kinds
from simpleflow_lab.replay.executor import ReplayExecutor
from simpleflow_lab.replay.lines import line_of_error
from simpleflow_lab.replay.muted_output import muted_output, watched_output
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.replay.workflow_hooks import Hooks, InfrastructureError
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.limits import MAX_DATA, MAX_REASON
from simpleflow_lab.task import Task
from simpleflow_lab.workflow import Workflow, check_returned, check_runnable

_INFRASTRUCTURE: Final = frozenset(
    {
        "builtins.MemoryError",
        "builtins.ConnectionError",
        "sqlite3.Error",
        "botocore.exceptions.BotoCoreError",
        "botocore.exceptions.ClientError",
        "urllib3.exceptions.HTTPError",
        "simpleflow_lab.exceptions.StoreError",
        "simpleflow_lab.exceptions.SWFFault",
        "simpleflow_lab.exceptions.DecisionTaskError",
    }
)
"""Infrastructure errors, by qualified name. They fail the decision, never the execution."""


_MAX_UNHANDLED: Final = 20
"""The most failures that nothing handled of which the details of the execution's failure tell."""


class WorkflowCode:
    """The author's code of one run."""

    def __init__(
        self,
        workflow: type[Workflow],
        run: ReplayedRun,
        kinds: Kinds,
        executor: ReplayExecutor,
        claim_recorded: Callable[[], bool],
    ) -> None:
        """`claim_recorded` is called when all fibers are suspended: it gives whether it closed something that may be
        waited for, so that they are to go on."""
        self._claim_recorded = claim_recorded
        self._class = workflow
        self._run = run
        self._kinds = kinds
        self._executor = executor
        self._hooks = Hooks(workflow)
        self._instance: Workflow | None = None
        self._is_spawned = False
        self._cancel_requested = False
        self._cancel_raised: WorkflowCanceled | None = None
        run.author_failed = self._author_failed

    def request_cancel(self) -> None:
        """The history has a cancel request, which the next decision sees."""
        self._cancel_requested = True

    def prepare(self) -> None:
        """Spawn the code before the first decision, and again after it blocked; before the decision's events apply."""
        run = self._run
        if not self._is_spawned:
            self._spawn()
        elif run.blocked and run.closing is None:
            self._rerun()

    def run(self) -> None:
        """Run the code until all its fibers are suspended, or the execution ends. Raises `DecisionTaskError`."""
        run = self._run
        if run.is_live:
            self._run_to_suspension()
            return
        with self._muted(None if run.observer is None else run.observer.output_written):
            self._run_to_suspension()

    def raise_at_once(self) -> Future | None:
        """Raise the first failure that nothing read where `run` waits, though it waits for another task as well, and
        let it go on from there. Gives the future that failed; `None`, and nothing is done, if there is none."""
        run = self._run
        future = run.failures.first_to_raise()
        error = None if future is None else future.peek_exception()
        if future is None or error is None or run.closing is not None or not run.fibers.interrupt_first(error):
            return None
        future.mark_handled()
        with self._muted(None if run.observer is None else run.observer.output_written):
            self._run_fibers()
        if run.decision_error is not None:
            raise run.decision_error
        return future

    def abandon(self) -> None:
        """End the code where it is suspended; another run of it takes its place."""
        with self._muted(_drop):
            self._run.fibers.close()

    def _muted(self, receiver: Callable[[str], None] | None) -> AbstractContextManager[None]:
        """Mutes the code's output; of a replay that is watched all of it, and the receiver gets what it prints."""
        run = self._run
        return muted_output() if run.observer is None or receiver is None or run.is_live else watched_output(receiver)

    def _spawn(self) -> None:
        self._is_spawned = True
        self._run.fibers.spawn(self._main, label="run")

    def _rerun(self) -> None:
        run = self._run
        with self._muted(_drop):  # `finally` clauses of the run before
            run.begin_rerun()
            self._kinds.begin_rerun()
        self._instance = None
        self._spawn()
        run.hooks.begin_rerun(run.fibers)

    def _run_to_suspension(self) -> None:
        run = self._run
        self._enter()
        if self._cancels():
            self._cancel()
        if run.closing is None:
            self._run_fibers()
        while run.resolved_after_block and run.closing is None and run.decision_error is None:
            self._rerun()
            self._enter()
            self._run_fibers()
        if run.decision_error is not None:
            raise run.decision_error
        if run.closing is None:
            self._hooks.call(run, "after_replay")
        else:
            self._hooks.call_at_close(run, "after_closed")

    def _run_fibers(self) -> None:
        self._run.fibers.run()
        while self._claim_recorded():
            self._run.fibers.run()

    def _enter(self) -> None:
        if self._instance is None:
            self._instance = self._run.workflow = self._make_instance()
        self._hooks.call(self._run, "before_replay")

    def _make_instance(self) -> Workflow:
        try:
            check_runnable(self._class)
            instance = self._class(self._executor)
            if not hasattr(instance, "executor"):
                raise UsageError("it must call `super().__init__(executor)`")
            return instance
        except (DecisionTaskError, StoreError):
            raise
        except Exception as error:  # the author's code: what it raises blocks the decision
            raise InfrastructureError.of(error, f"{self._class.type_name()}.__init__") from error

    # -- how it ends --

    def _main(self) -> None:
        """The first fiber: the workflow's `run`, and how the execution ends."""
        run, workflow = self._run, self._instance
        assert workflow is not None
        try:
            args, kwargs = _input_of(run.started, run.fields)
            result = workflow.run(*args, **kwargs)
            unraised = run.failures.unraised()
            if unraised is not None:
                raise unraised
            check_returned(self._class, result)
            if isinstance(result, Task | SubmittableContainer):
                raise UsageError(
                    f"{self._class.__name__}.run returned a {type(result).__name__}, which nobody submitted: "
                    "submit it, and return what its `.result` gives"
                )
            text = self._encoded(result)
        except ExecutionBlocked:
            if self._cancel_raised is None:
                run.blocked = True
            else:
                self._close_canceled()
        except WorkflowCanceled:
            self._close_canceled()
        except WorkflowException as error:
            # Details of the author's own stay as they are: a program may read them.
            after, listed = self._unhandled_before(error)
            details = listed.rstrip() or None if error.details is None else error.details
            self._fail(_with(error.reason, after), details, error)
        except (greenlet.GreenletExit, DecisionInterrupted):
            raise
        except BaseException as error:  # sys.exit() too: whatever `run` raises fails the execution
            if isinstance(error, KeyboardInterrupt) and self._is_interrupted():
                raise
            self._author_failed(error)
        else:
            if run.closing is None:
                self._hooks.call(run, "after_replay")
                self._hooks.call_at_close(run, "on_completed")
                close_with(run, "CompleteWorkflowExecution", result=text)

    def _encoded(self, result: Any) -> str:
        """The JSON text of what `run` returned. Raises `EncodingError`, which names the workflow."""
        try:
            return self._run.fields.encode(result, "result")
        except JumboTooLargeError:
            raise
        except EncodingError as error:
            if _holds_future(result):
                raise UsageError(
                    f"{self._class.__name__}.run returned a future, which is no result: return what its `.result` gives"
                ) from None
            raise EncodingError(f"the result of {self._class.__name__}.run can't be recorded: {error}") from None

    def _is_interrupted(self) -> bool:
        """Whoever watches the replay may have interrupted it: signals are handled in the main thread."""
        run = self._run
        is_watched = run.observer is not None and not run.is_live
        return is_watched and threading.current_thread() is threading.main_thread()

    def _cancels(self) -> bool:
        """A cancel request came, and the workflow's `should_cancel`, called once for each, does not refuse it."""
        requested, self._cancel_requested = self._cancel_requested, False
        if not requested or self._cancel_raised is not None:
            return False
        return not self._hooks.has("should_cancel") or bool(self._hooks.call(self._run, "should_cancel"))

    def _cancel(self) -> None:
        if self._class.cancellation == "raise":
            self._kinds.activities.cancel_all()  # at a close they learn of it anyway
            self._cancel_raised = WorkflowCanceled("the execution was asked to cancel")
            self._run.fibers.interrupt(self._cancel_raised)
        else:
            self._hooks.call(self._run, "after_replay")
            self._close_canceled()

    def _close_canceled(self) -> None:
        self._hooks.call_at_close(self._run, "on_canceled")
        close_with(self._run, "CancelWorkflowExecution")

    def _author_failed(self, error: BaseException, what: str = "") -> None:
        """The author's code raised: that ends the execution, unless it is an infrastructure error."""
        run = self._run
        if isinstance(error, KeyboardInputError):
            run.fail_decision(error)
            return
        if _is_infrastructure(error):
            run.fail_decision(InfrastructureError.of(error, f"{self._class.type_name()}.{what or 'run'}"))
            return
        run.note_author_error(error)
        reason, details = reason_of(error), _failure_details(error)
        after, listed = self._unhandled_before(error)
        if listed:
            reason, details = _with(reason, after), f"{listed}\n{details}"
        self._fail(f"{what}: {reason}" if what else reason, details, error)

    def _unhandled_before(self, error: BaseException) -> tuple[str, str]:
        """The failures before this error that were not handled: a few words for the reason, and a list for the details.

        The reason of a task that failed stays as it is.
        """
        unhandled = self._run.failures.unhandled_texts()
        if not unhandled:
            return "", ""
        more = f", and {len(unhandled) - 1} more" if len(unhandled) > 1 else ""
        after = f" (after {_cut(unhandled[0], MAX_REASON // 2)}{more}, not handled)"
        listed = "".join(f"  {text}\n" for text in unhandled[:_MAX_UNHANDLED])
        return (
            "" if isinstance(error, TaskException) else after,
            f"Before this error, and not handled by the workflow, failed:\n{listed}",
        )

    def _fail(self, reason: str, details: str | None, error: BaseException) -> None:
        run = self._run
        if run.closing is not None:
            return  # it ended otherwise before
        if run.observer is not None:
            run.observer.execution_failed(error, reason)
        self._hooks.call_at_close(run, "on_failure", reason, details)
        if details is not None:
            details = run.fields.store_or_truncate(details, "details of the failure", _both_ends)
        close_with(run, "FailWorkflowExecution", line=line_of_error(error), reason=reason[:MAX_REASON], details=details)


def _holds_future(result: Any) -> bool:
    try:
        return any(True for _ in nested(result))
    except RecursionError:  # it contains itself, which is told
        return False


def _drop(text: str) -> None:
    """Receives output that nobody gets."""


def _input_of(started: HistoryEvent, fields: DeferredFields) -> tuple[list[Any], dict[str, Any]]:
    """The arguments that the execution was started with, by upstream's rule (SD-14)."""
    text = started.attributes.get("input")
    if not text:
        return [], {}
    try:
        value = fields.decode_input(text)
        if isinstance(value, dict):
            value.pop("__extra", None)
            if not value:
                return [], {}
        return arguments_of(value, where="the input of the execution")
    except ValueError as error:
        raise UsageError(f"the input of the execution is not JSON: {error}") from None


def _is_infrastructure(error: BaseException) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" in _INFRASTRUCTURE for kind in type(error).__mro__)


def _failure_details(error: BaseException) -> str:
    """The traceback of the workflow's code and, of a task that failed, what its worker recorded."""
    text = "".join(format_traceback(error))
    if isinstance(error, TaskFailed):
        task = read_details(error.details)
        if task is not None and task.traceback:
            text += f"\n{error.name} failed with:\n{task.traceback}\n"
    return text


def _with(reason: str, after: str) -> str:
    """A reason and what is said behind it, within SWF's limit."""
    return f"{_cut(reason, MAX_REASON - len(after))}{after}" if after else reason


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _both_ends(text: str) -> str:
    """The beginning and the end of a text, together within SWF's limit."""
    half = MAX_DATA // 2 - 10
    return f"{text[:half]}\n[...]\n{text[-half:]}"
