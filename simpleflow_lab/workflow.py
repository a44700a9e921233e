"""Workflows: plain Python that submits tasks and reads their results.

    class BasicWorkflow(Workflow):
        name = "basic"
        version = "example"
        task_list = "example"

        def run(self, x, t=30):
            y = self.submit(increment, x)
            z = self.submit(double, y)
            return z.result

`run` is executed by a decider. It stands still where it reads a result that is not there yet. After a restart it runs
again from its start, getting the results that the history has: so it must do the same each time. Time, chance and new
ids are taken from `now()`, `random` and `uuid4()`, which give the same each time.
"""

from __future__ import annotations

import datetime
import logging
import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, Protocol

from simpleflow_lab import canvas
from simpleflow_lab.activity import PRIORITY_NOT_SET, Activity, NotSet
from simpleflow_lab.constants import DEFAULT_VERSION
from simpleflow_lab.exceptions import UsageError, WorkflowException
from simpleflow_lab.futures import Future
from simpleflow_lab.marker import Marker
from simpleflow_lab.retry import Retry, check_retry
from simpleflow_lab.signal import WaitForSignal
from simpleflow_lab.task import (
    ActivityTask,
    CancelTimerTask,
    ContinueAsNewWorkflowTask,
    MarkerTask,
    SignalTask,
    TaskFailureContext,
    TimerTask,
)


class Executor(canvas.Submitter, Protocol):
    """What runs a workflow: the replay. The workflow asks, the executor answers with futures."""

    @property
    def history(self) -> Any:
        """The history so far, as a sequence of events."""

    @property
    def is_replaying(self) -> bool:
        """The code runs again to get where it stood; what it does now was done before."""

    def now(self) -> datetime.datetime:
        """When the current decision task was started."""

    def run_context(self) -> Mapping[str, Any]:
        """Names and ids of the running execution."""

    def markers(self) -> list[Marker]:
        """The markers of this run, oldest first."""

    def event_details(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """The latest marker, signal or timer of this name."""


class Workflow:
    """A workflow. Subclass it and write `run`."""

    INHERIT_TAG_LIST: ClassVar[object] = object()
    """As `tag_list`: a child takes its parent's tags."""

    name: ClassVar[str | None] = None
    """Name of the workflow type; `module.Class` if not given."""
    version: ClassVar[str | None] = None
    """Version of the workflow type; a label."""
    task_list: ClassVar[str | None] = None
    """Task list of its decision tasks; "default" if not given, for a child its parent's."""
    tag_list: ClassVar[Any] = None
    """Up to five strings."""
    task_priority: ClassVar[Any] = PRIORITY_NOT_SET
    """Priority of its decision tasks, and of activities that have none of their own."""
    child_policy: ClassVar[str | None] = None
    """What becomes of it when its parent closes: TERMINATE, REQUEST_CANCEL or ABANDON."""
    execution_timeout: ClassVar[int | str | None] = None
    """Seconds an execution may stay open."""
    decision_tasks_timeout: ClassVar[int | str | None] = None
    """Seconds one decision may take."""
    retry: ClassVar[int | Retry] = 0
    """How often a failed child execution is tried again, at once; or a `retry.Retry` that says more."""
    raises_on_failure: ClassVar[bool] = True
    """Reading the result of a failed child execution raises."""
    idempotent: ClassVar[bool | None] = None
    """As a child: its id comes from its arguments."""

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "retry" in cls.__dict__:
            check_retry(cls.retry, f"workflow {cls.__name__}")
        registry[cls.type_name(), cls.type_version()] = cls
        for listener in list(on_registered):
            listener(cls)

    def __init__(self, executor: Executor):
        self.executor: Executor = executor

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """The workflow. What it returns is the execution's result."""
        raise UsageError(f"{type(self).__name__} has no run method")

    # -- asking for tasks --

    def submit(self, submittable: Any, *args: Any, **kwargs: Any) -> Future:
        """Ask for a task; gives its future at once.

        Takes an activity or a workflow class with the arguments, a task, a signal to wait for, or a group or chain of
        such. A future among the arguments, at any depth, makes the task wait for it.
        """
        return canvas.submit(self.executor, submittable, *args, **kwargs)

    def map(self, activity: Activity, iterable: Iterable[Any]) -> list[Future]:
        """Submit the activity once for each item; gives the futures in order."""
        return self.starmap(activity, ((item,) for item in iterable))

    def starmap(self, activity: Activity, iterable: Iterable[Iterable[Any]]) -> list[Future]:
        """Submit the activity once for each tuple of arguments; gives the futures in order."""
        group = canvas.Group(*(ActivityTask(activity, *arguments) for arguments in iterable))
        future = self.submit(group)
        assert isinstance(future, canvas.GroupFuture)
        return future.futures

    def fail(self, reason: str, details: str | None = None) -> None:
        """End the execution as failed, with this reason."""
        raise WorkflowException(reason, reason, details)

    def signal(
        self,
        name: str,
        *args: Any,
        workflow_id: str | None = None,
        run_id: str | None = None,
        propagate: bool = True,
        **kwargs: Any,
    ) -> SignalTask:
        """A signal to submit: to the execution named, or to this one."""
        return SignalTask(name, *args, workflow_id=workflow_id, run_id=run_id, propagate=propagate, **kwargs)

    def wait_signal(self, name: str) -> WaitForSignal:
        """Submit it for a future of the signal's input."""
        return WaitForSignal(name)

    def record_marker(self, name: str, details: Any = None) -> MarkerTask:
        """A marker to submit. The same name and details again are the same marker."""
        return MarkerTask(name, details)

    def list_markers(self, all: bool = False) -> list[Marker]:
        """The markers of this run: the latest of each name, or all."""
        markers = self.executor.markers()
        return markers if all else list({marker.name: marker for marker in markers}.values())

    def start_timer(self, timer_id: str, timeout: int | str, control: Any = None) -> TimerTask:
        """A timer to submit, in whole seconds. Its future is done when it fired or was canceled."""
        return TimerTask(timer_id, timeout, control)

    def cancel_timer(self, timer_id: str) -> CancelTimerTask:
        """Submit it to cancel a timer that was started."""
        return CancelTimerTask(timer_id)

    def continue_as_new(self, *args: Any, **kwargs: Any) -> ContinueAsNewWorkflowTask:
        """Submit it to end this run and start the next one with these arguments and an empty history."""
        return ContinueAsNewWorkflowTask(type(self), *args, **kwargs)

    # -- what a workflow may know --

    def now(self) -> datetime.datetime:
        """The time, the same in every replay: when the current decision task was started. Timezone-aware, UTC."""
        return self.executor.now()

    @property
    def random(self) -> random.Random:
        """A random generator that gives the same numbers in every replay."""
        found: random.Random | None = self.__dict__.get("_random")
        if found is None:
            found = random.Random(str(self.executor.run_context().get("run_id")))
            self.__dict__["_random"] = found
        return found

    def uuid4(self) -> uuid.UUID:
        """A new id, the same in every replay."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    @property
    def is_replaying(self) -> bool:
        """The code runs again to get where it stood. For what must happen once, such as a notice to people."""
        return self.executor.is_replaying

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that is silent while replaying, so that each line appears once."""
        return _QuietInReplay(
            logging.getLogger(f"simpleflow_lab.workflow.{self.type_name()}"), {"executor": self.executor}
        )

    def get_run_context(self) -> Mapping[str, Any]:
        """`name`, `version`, `domain_name`, `workflow_id`, `run_id`, `tag_list`, `continued_execution_run_id`,
        `parent_workflow_id`, `parent_run_id`."""
        return self.executor.run_context()

    def get_event_details(self, event_type: str, event_name: str) -> Mapping[str, Any] | None:
        """The latest "marker", "signal" or "timer" of this name, or `None`."""
        return self.executor.event_details(event_type, event_name)

    # -- hooks: run in the decider, not recorded; each may run more than once --

    def before_replay(self, history: Any) -> None:
        """Called before the code runs for a decision."""

    def after_replay(self, history: Any) -> None:
        """Called after the code ran for a decision and did not close the execution."""

    def on_task_failure(self, failure_context: TaskFailureContext) -> TaskFailureContext | None:
        """Called when an attempt of an activity or child workflow failed or timed out; says what becomes of the task.

        Set the context's decision, as in `return failure_context.decide_retry(60)`; `None` leaves the task to its
        `retry` and `raises_on_failure`. It is called once for each failure, and again in each replay, so it must say
        the same each time. It runs in a strand of its own: it may submit tasks and wait for them. An exception that it
        raises fails the workflow.
        """
        return None

    def should_cancel(self, history: Any) -> bool:
        """Asked when somebody requests that the execution be canceled; `False` refuses."""
        return True

    def on_completed(self, history: Any) -> None:
        """Called when the execution is about to complete."""

    def on_failure(self, history: Any, reason: str, details: str | None = None) -> None:
        """Called when the execution is about to fail."""

    def on_canceled(self, history: Any) -> None:
        """Called when the execution is about to be canceled."""

    def after_closed(self, history: Any) -> None:
        """Called when the execution is about to close, however."""

    # -- the workflow type --

    @classmethod
    def type_name(cls) -> str:
        """Name of the SWF workflow type."""
        return cls.__dict__.get("name") or getattr(cls, "name", None) or f"{cls.__module__}.{cls.__qualname__}"

    @classmethod
    def type_version(cls) -> str:
        """Version of the SWF workflow type."""
        return cls.version or DEFAULT_VERSION


class _QuietInReplay(logging.LoggerAdapter[logging.Logger]):
    def isEnabledFor(self, level: int) -> bool:
        executor: Any = (self.extra or {})["executor"]
        return not executor.is_replaying and super().isEnabledFor(level)

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        return msg, kwargs


registry: Final[dict[tuple[str, str], type[Workflow]]] = {}
"""Every workflow defined in this process, by (type name, version). A decider runs only these."""

on_registered: Final[list[Callable[[type[Workflow]], None]]] = []
"""Called with each workflow class as it is defined, so that deciders can take up what waits for it."""


def priority_of(*candidates: int | str | NotSet | None) -> int | str | None:
    """The first priority that was said, `None` included; upstream's precedence is submit, activity, workflow."""
    for candidate in candidates:
        if not isinstance(candidate, NotSet):
            return candidate
    return None
