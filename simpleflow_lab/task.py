"""Tasks: units of work that a workflow submits. Each holds its arguments; submitting it gives a future.

Authors rarely make them by hand: `workflow.submit(double, x)` makes an `ActivityTask`, `workflow.submit(Child, x)` a
`ChildWorkflowTask`, `workflow.start_timer(…)` a `TimerTask`. Nothing here knows SWF: the replay turns tasks into
decisions.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from simpleflow_lab.activity import PRIORITY_NOT_SET, Activity, NotSet
from simpleflow_lab.data.codec import decode_or_text
from simpleflow_lab.data.failure_details import leading_name, loaded_error_class
from simpleflow_lab.exceptions import TaskFailed, UsageError
from simpleflow_lab.futures import Future

WorkflowClass = type[Any]
"""A subclass of `workflow.Workflow`; that module imports this one."""


class Task:
    """Root of all tasks."""

    name: str
    """Its name in ids and messages."""


class ActivityTask(Task):
    """One call of an activity."""

    def __init__(self, activity: Activity, *args: Any, **kwargs: Any) -> None:
        if not isinstance(activity, Activity):
            raise TypeError(f"{activity!r} is no activity: decorate it with @activity.with_attributes(...)")
        self.activity = activity
        self.task_priority: int | str | NotSet | None = kwargs.pop("__priority", PRIORITY_NOT_SET)
        """Overrides the activity's and the workflow's priority; given as `__priority=` at submit."""
        self.raises_on_failure = activity.raises_on_failure
        self.args = args
        self.kwargs = kwargs
        self.name = f"activity-{activity.name}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.activity.name}>"

    def input_of(self, args: Any, kwargs: Any) -> Any:
        """The value recorded as the task's input, from its arguments with their futures resolved."""
        given = {"args": args, "kwargs": kwargs}
        return {**given, "meta": self.activity.meta} if self.activity.meta else given


class NonPythonicActivityTask(ActivityTask):
    """A call of an activity that is not run by Python: its input is the arguments themselves, by position or by name.

    The worker, in whatever language, reads a JSON array of the positional arguments, or an object of the named ones.
    """

    def __init__(self, activity: Activity, *args: Any, **kwargs: Any) -> None:
        super().__init__(activity, *args, **kwargs)
        if self.args and self.kwargs:
            raise UsageError(
                f"{activity.name}: a task that Python does not run takes positional arguments or named ones"
            )

    def input_of(self, args: Any, kwargs: Any) -> Any:
        return kwargs or args


class WorkflowTask(Task):
    """One child workflow execution."""

    def __init__(
        self,
        executor: object,
        workflow: WorkflowClass,
        *args: Any,
        workflow_task_list: str | None = None,
        **kwargs: Any,
    ) -> None:
        """`executor` is there for programs written for upstream and is not used."""
        self.workflow = workflow
        self.task_priority: int | str | NotSet | None = kwargs.pop("__priority", PRIORITY_NOT_SET)
        """Overrides the class's priority; given as `__priority=` at submit."""
        self.args = args
        self.kwargs = kwargs
        self.raises_on_failure = workflow.raises_on_failure
        self.idempotent = bool(workflow.idempotent)
        self.name = f"workflow-{workflow.type_name()}"
        self.workflow_task_list = workflow_task_list
        """Task list of the child's decision tasks, whatever its class says. It is no argument of `run`."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.workflow.type_name()}>"

    def workflow_id(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
        """The workflow id that the class's `get_workflow_id` gives for these arguments, or `None`."""
        found: str | None = computed(self.workflow, "get_workflow_id", args, kwargs)
        return found

    def task_list(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
        """The task list given, that of the class's `get_task_list` for these arguments, or the class's own."""
        own = self.workflow_task_list or computed(self.workflow, "get_task_list", args, kwargs)
        found: str | None = own or self.workflow.task_list
        return found

    def tag_list(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The tags of the class's `get_tag_list` for these arguments, or the class's own."""
        return computed(self.workflow, "get_tag_list", args, kwargs) or self.workflow.tag_list


class ChildWorkflowTask(WorkflowTask):
    """`WorkflowTask` without the unused `executor` argument."""

    def __init__(self, workflow: WorkflowClass, *args: Any, **kwargs: Any) -> None:
        super().__init__(None, workflow, *args, **kwargs)


class SignalTask(Task):
    """A signal to another execution, or to this one. Its future is done when it was delivered.

    If no such execution is open, the future's exception is a `TaskFailed` that says so.
    """

    def __init__(
        self,
        name: str,
        *args: Any,
        workflow_id: str | None = None,
        run_id: str | None = None,
        propagate: bool = True,
        **kwargs: Any,
    ) -> None:
        self.name = name
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.propagate = propagate
        self.args = args
        self.kwargs = kwargs


class MarkerTask(Task):
    """A marker: a note in the history."""

    def __init__(self, name: str, details: Any = None) -> None:
        self.name = name
        self.details = details


class TimerTask(Task):
    """A timer, in whole seconds: a fraction is rounded up, so that it never fires early.

    An id is one timer for the whole run: starting it again gives the future of the first start, fired, canceled or
    still running, whatever the second timeout says. For a timer in a loop make a new id each time.
    """

    def __init__(self, timer_id: str, timeout: float | str, control: Any = None) -> None:
        try:
            self.timeout = int(timeout) if isinstance(timeout, str) else math.ceil(timeout)
            if self.timeout < 0:
                raise ValueError
        except (TypeError, ValueError, OverflowError):  # no number, NaN, infinity
            raise UsageError(f"timer {timer_id}: the timeout must be seconds, 0 or more, not {timeout!r}") from None
        self.given_timeout = timeout
        """As it was given."""
        self.name = timer_id
        self.timer_id = timer_id
        self.control = control


class CancelTimerTask(Task):
    """Cancels a timer. One that was never started, has fired or is canceled is left as it is."""

    def __init__(self, timer_id: str) -> None:
        self.name = timer_id
        self.timer_id = timer_id


class ContinueAsNewWorkflowTask(Task):
    """Ends this run and starts the next one, with an empty history and these arguments."""

    def __init__(self, workflow: WorkflowClass, *args: Any, **kwargs: Any) -> None:
        self.workflow = workflow
        self.args = args
        self.kwargs = kwargs
        self.name = workflow.type_name()


@dataclass
class TaskFailureContext:
    """A failed attempt, as `Workflow.on_task_failure` gets it, and the hook's decision.

    Call one of the `decide_…` methods, or set `decision` and its fields, and return the context.
    """

    class Decision(Enum):
        """The ways in which a failed task goes on; upstream's names."""

        none = 0
        """The task's own `retry` and `raises_on_failure` decide."""
        abort = 1
        """The workflow fails."""
        ignore = 2
        """The task counts as completed: with the result that the hook gave `future`, or `None`."""
        retry_now = 3
        """It is tried again at once, with the arguments of `a_task`."""
        retry_later = 4
        """It is tried again after `retry_wait_timeout` seconds."""
        cancel = 5
        """Its future is canceled."""
        handled = 6
        """Its future closes as `future` does; without one the task is tried again at once."""

    a_task: ActivityTask | WorkflowTask
    """The task. Its own copy: change `args` and `kwargs`, or put another task here, before a retry."""
    event: dict[str, Any]
    """The attempt as upstream describes it: `type`, `id`, `name`, `version`, `state`, `retry`, `input`, `scheduled_id`,
    `started_id`, `failed_id` or `timed_out_id`, `timeout_type`, `timeout_value`, …"""
    future: Future | None
    """The attempt's outcome, as a future of its own: what is set on it reaches the task only with a decision."""
    exception_class: type[Exception]
    """`TaskException` for an activity, `WorkflowException` for a child workflow."""
    history: Any = None
    """The history so far, as a sequence of events."""
    decision: Decision | None = Decision.none
    """The hook's decision."""
    retry_wait_timeout: int | None = None
    """Seconds to wait, with `retry_later`."""
    reason: str | None = None
    """Why the attempt failed, in a line."""
    details: Any = None
    """The details that the worker recorded, decoded if they are JSON."""
    task_error: str | None = None
    """Name of the exception's class in the task, such as `"ValueError"`."""
    task_message: str | None = None
    """Its message."""
    task_error_type: type[BaseException] | None = None
    """Its class, if that is loaded in this process; nothing is imported to find it."""
    current_started_decision_id: int | None = None
    """Id of the `DecisionTaskStarted` event of the current decision task."""
    last_completed_decision_id: int | None = None
    """Id of the `DecisionTaskCompleted` event before it, if there is one."""

    def __post_init__(self) -> None:
        """Fill in the fields that come from the exception."""
        error = self.exception
        if not isinstance(error, TaskFailed):
            self.reason = str(error)
            self.details = decode_or_text(getattr(error, "details", None)) or self.details
            return
        self.reason = error.reason or self.reason
        self.details = decode_or_text(error.details) or self.details
        if isinstance(self.details, dict) and "error" in self.details:
            self.task_error = str(self.details["error"])
            self.task_message = str(self.details["message"]) if "message" in self.details else None
            self.task_error_type = loaded_error_class(str(self.details.get("error_type") or ""))
        elif leading_name(self.reason):
            # A child workflow, or a worker that records a reason only.
            self.task_error = leading_name(self.reason)
            self.task_message = str(self.reason).partition(":")[2].strip()

    @property
    def exception(self) -> BaseException | None:
        """`TaskFailed`, `TimeoutError`, `TaskTerminated` or `TaskCanceled`."""
        return self.future.exception if self.future is not None and self.future.done else None

    @property
    def retry_count(self) -> int | None:
        """The number of retries so far: 0 when the first attempt failed."""
        return self.event.get("retry")

    @property
    def attempt_number(self) -> int:
        """The number of the attempt that failed: 1 for the first."""
        return int(self.event.get("retry", 0)) + 1

    @property
    def payload(self) -> Activity | WorkflowClass:
        """The activity or workflow class."""
        return self.a_task.activity if isinstance(self.a_task, ActivityTask) else self.a_task.workflow

    @property
    def task_name(self) -> str:
        """Name of the activity or workflow type."""
        return self.a_task.activity.name if isinstance(self.a_task, ActivityTask) else self.a_task.workflow.type_name()

    @property
    def id(self) -> int | None:
        """Id of the event that scheduled or initiated the attempt."""
        return self.event.get("scheduled_id") or self.event.get("initiated_event_id")

    def decide_abort(self) -> TaskFailureContext:
        """Fail the workflow."""
        self.decision = self.Decision.abort
        return self

    def decide_ignore(self) -> TaskFailureContext:
        """Go on as if the task had completed with `None`, or with the result given to `future.set_finished(…)`."""
        self.decision = self.Decision.ignore
        return self

    def decide_cancel(self) -> TaskFailureContext:
        """Cancel the task's future."""
        self.decision = self.Decision.cancel
        return self

    def decide_retry(self, retry_wait_timeout: int | None = 0) -> TaskFailureContext:
        """Try again, after so many seconds."""
        self.decision = self.Decision.retry_later if retry_wait_timeout else self.Decision.retry_now
        self.retry_wait_timeout = retry_wait_timeout
        return self

    def decide_handled(self, a_task: ActivityTask | WorkflowTask, future: Future | None = None) -> TaskFailureContext:
        """Close the task's future as this one closes, now or later; without one, try `a_task` at once."""
        self.a_task = a_task
        self.future = future
        self.decision = self.Decision.handled
        return self


def computed(workflow: WorkflowClass, hook: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The value that `get_task_list`, `get_tag_list` or `get_workflow_id` of a workflow's class computes, or `None`.

    A class method gets the task's arguments; a static method or plain function gets the class first, as upstream does.
    """
    found = inspect.getattr_static(workflow, hook, None)
    if found is None:
        return None
    bound = getattr(workflow, hook)
    return bound(*args, **kwargs) if isinstance(found, classmethod) else bound(workflow, *args, **kwargs)
