"""Workflows: plain Python that submits tasks and reads their results.

    class BasicWorkflow(Workflow):
        name = "basic"
        version = "example"
        task_list = "example"

        def run(self, x, t=30):
            y = self.submit(increment, x)
            z = self.submit(double, y)
            return z.result

A decider executes `run`. The code is suspended where it reads a result that is not there yet. After a restart it is
replayed from its start and gets the results that the history has: so it must do the same each time. Take the time,
random numbers and new ids from `now()`, `random` and `uuid4()`, which give the same in every replay.
"""

from __future__ import annotations

import datetime
import inspect
import logging
import random
import uuid
import warnings
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, Literal, Protocol, runtime_checkable

from simpleflow_lab import canvas
from simpleflow_lab.activity import PRIORITY_NOT_SET, Activity, NotSet
from simpleflow_lab.constants import DEFAULT_VERSION
from simpleflow_lab.definitions.redefinitions import is_made_again, note_values, warn_of_another
from simpleflow_lab.definitions.registries import Definitions
from simpleflow_lab.exceptions import UsageError, WorkflowException
from simpleflow_lab.futures import Future
from simpleflow_lab.log import is_to_be_logged
from simpleflow_lab.marker import Marker
from simpleflow_lab.retry import Retry, check_retry
from simpleflow_lab.signal import Signal, SignalFuture, WaitForNextSignal, WaitForSignal
from simpleflow_lab.task import (
    ActivityTask,
    CancelTimerTask,
    ContinueAsNewWorkflowTask,
    MarkerTask,
    SignalTask,
    TaskFailureContext,
    TimerTask,
)


@runtime_checkable
class Executor(canvas.Submitter, Protocol):
    """The interface between a workflow and its replay: the workflow submits tasks, the executor gives futures."""

    @property
    def workflow(self) -> Workflow | None:
        """The workflow that runs on this executor."""

    @property
    def history(self) -> Any:
        """The events up to the current decision task, oldest first, and their `last_event_id`."""

    @property
    def is_replaying(self) -> bool:
        """Whether the code is being replayed: what it does now was done before."""

    def now(self) -> datetime.datetime:
        """The time at which the current decision task was started."""

    def patched(self, patch: str, *, deprecated: bool) -> bool:
        """See `Workflow.patched`."""

    def run_context(self) -> Mapping[str, Any]:
        """Names and ids of the running execution."""

    def markers(self) -> list[Marker]:
        """The markers of this run, oldest first."""

    def event_details(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """The latest marker, signal or timer of this name."""


class Workflow:
    """A workflow. Subclass it and write `run`."""

    INHERIT_TAG_LIST: ClassVar[str] = "INHERIT_TAG_LIST"
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
    """The policy for its children when it closes, however it does: TERMINATE, REQUEST_CANCEL or ABANDON. If not given,
    TERMINATE; for a child, its parent's."""
    execution_timeout: ClassVar[int | str | None] = None
    """Seconds an execution may stay open."""
    decision_tasks_timeout: ClassVar[int | str | None] = None
    """Seconds one decision may take."""
    lambda_role: ClassVar[str | None] = None
    """ARN of the IAM role with which it may call AWS Lambda."""
    propagate_signals_to_parent: ClassVar[bool] = True
    """Signals that it gets are passed on to its parent, as they are to its children."""
    retry: ClassVar[int | Retry] = 0
    """The most times that a failed child execution is tried again, at once; or a `retry.Retry` that says more."""
    raises_on_failure: ClassVar[bool] = True
    """Reading the result of a failed child execution raises."""
    idempotent: ClassVar[bool | None] = None
    """As a child: its id comes from its arguments."""
    cancellation: ClassVar[Literal["close", "raise"]] = "close"
    """The effect of a cancel request that `should_cancel` does not refuse: "close" closes the execution as canceled at
    once; "raise" raises `WorkflowCanceled` where `run` waits, so that it can clean up."""
    determinism: ClassVar[Literal["warn", "raise", "off"]] = "warn"
    """The check of `run`, and of the functions it calls, for lines that read a clock, draw random numbers or sleep:
    "warn" warns once for each line, "raise" fails every decision, "off" does not check."""
    continue_as_new_after: ClassVar[int] = 10_000
    """Length of the history, in events, from which on `continue_as_new_suggested`. SWF ends a run at 25,000."""

    _defined_as: ClassVar[tuple[str, str] | None] = None
    """The type's name and version under which this class is defined; `None` of one that is not."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._defined_as = None
        _check_definition(cls)
        if "retry" in cls.__dict__:
            check_retry(cls.retry, f"workflow {cls.__name__}")
        if cls.run is not Workflow.run:  # else it is a base of others
            _define(cls)

    def __init__(self, executor: Executor) -> None:
        self.executor: Executor = executor

    @property
    def _executor(self) -> Executor:
        """Upstream's name of `executor`."""
        return self.executor

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """The workflow. What it returns is the execution's result."""
        raise UsageError(f"{type(self).__name__} has no run method")

    # -- submitting tasks --

    def submit(self, submittable: Any, *args: Any, **kwargs: Any) -> Future:
        """Submit a task; gives its future at once.

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
        """End the execution as failed, with this reason; behind it is named what failed before and nothing handled.

        Raises `UsageError` for a reason or details that are no text.
        """
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
        """A signal to submit: to the execution named, or to this one.

        With `propagate`, the execution that gets it passes it on to its parent and to its own children. Without a
        `run_id` it goes to the run of that workflow id that is open. Its future is done when it was delivered, and has
        a `TaskFailed` as its exception if no such execution is open.
        """
        return SignalTask(name, *args, workflow_id=workflow_id, run_id=run_id, propagate=propagate, **kwargs)

    def wait_signal(self, name: str) -> WaitForSignal:
        """Submit it for a future of the signal's input; of the latest one, if several came.

        What `signal` sent is `{"args": …, "kwargs": …, "__propagate": …}`. The future's `signal` holds the sender.
        """
        return WaitForSignal(name)

    def next_signal(self, name: str) -> WaitForNextSignal:
        """Submit it to take the next signal of this name: each is given once, in the order they came.

        Signals that came before it was submitted count, too. Its future is like that of `wait_signal`; cancel a future
        that is no longer needed, or it takes the next signal.
        """
        return WaitForNextSignal(name)

    def signals(self, name: str) -> Iterator[Signal]:
        """Each signal of this name, once, in the order they came; waits for the next, without end."""
        while True:
            future = self.submit(self.next_signal(name))
            assert isinstance(future, SignalFuture)
            yield future.signal

    def record_marker(self, name: str, details: Any = None) -> MarkerTask:
        """A marker to submit, recorded once its details are there. The same name and details are the same marker."""
        return MarkerTask(name, details)

    def list_markers(self, all: bool = False) -> list[Marker]:
        """The markers of this run: the latest of each name, or all."""
        markers = self.executor.markers()
        return markers if all else list({marker.name: marker for marker in markers}.values())

    def start_timer(self, timer_id: str, timeout: float | str, control: Any = None) -> TimerTask:
        """A timer to submit, in whole seconds: a fraction is rounded up.

        Its future is done when it fired or was canceled. An id is one timer for the whole run; starting it again gives
        the future of the first start.
        """
        return TimerTask(timer_id, timeout, control)

    def cancel_timer(self, timer_id: str) -> CancelTimerTask:
        """Submit it to cancel a timer. One that was never started or has fired is left as it is."""
        return CancelTimerTask(timer_id)

    def continue_as_new(self, *args: Any, **kwargs: Any) -> ContinueAsNewWorkflowTask:
        """Submit it to end this run and start the next one with these arguments and an empty history."""
        return ContinueAsNewWorkflowTask(type(self), *args, **kwargs)

    # -- the run, the same in every replay --

    def now(self) -> datetime.datetime:
        """The time, the same in every replay: when the current decision task was started. Timezone-aware, UTC."""
        return self.executor.now()

    @property
    def history_length(self) -> int:
        """The number of events of the history at this decision."""
        return len(self.executor.history)

    @property
    def continue_as_new_suggested(self) -> bool:
        """Whether the history is so long that the run should `continue_as_new`. The same in every replay."""
        return self.history_length >= self.continue_as_new_after

    def patched(self, patch: str) -> bool:
        """Whether to take the new way, where the code changes under open executions. The same in every replay.

            if self.patched("ship before billing"):
                ...  # the new way
            else:
                ...  # the old way, for executions that have taken it already

        An execution that reaches this line for the first time gets `True`, and its history gets a marker; one that ran
        past it before the patch existed gets `False`. An execution always gets what it got first. A patch goes
        through three stages:

        1. `if self.patched(name): new … else: old …`, while executions are open that took the old way;
        2. `self.deprecate_patch(name)` and the new way alone, when those have closed;
        3. the new way without a call, when also the executions with a marker of the first stage have closed.

        A name is never used again for another change.
        """
        return self.executor.patched(str(patch), deprecated=False)

    def deprecate_patch(self, patch: str) -> None:
        """The second stage of a patch: no open execution takes its old way any more. See `patched`."""
        self.executor.patched(str(patch), deprecated=True)

    @property
    def random(self) -> random.Random:
        """A random generator that gives the same numbers in every replay."""
        found: random.Random | None = self.__dict__.get("_random")
        if found is None:
            # Another executor than ours may know no more than the run.
            seed = getattr(self.executor, "random_seed", None) or self.executor.run_context().get("run_id")
            found = random.Random(str(seed))
            self.__dict__["_random"] = found
        return found

    def uuid4(self) -> uuid.UUID:
        """A new id, the same in every replay."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    @property
    def is_replaying(self) -> bool:
        """Whether the code is being replayed. For side effects that must happen once, such as a message to people."""
        return self.executor.is_replaying

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that is silent while replaying, so that each line appears once."""
        return _MutedInReplay(
            logging.getLogger(f"simpleflow_lab.workflow.{self.type_name()}"), {"executor": self.executor}
        )

    def get_run_context(self) -> Mapping[str, Any]:
        """`name`, `version`, `domain_name`, `workflow_id`, `run_id`, `tag_list`, `continued_execution_run_id`,
        `parent_workflow_id`, `parent_run_id`."""
        return self.executor.run_context()

    def get_execution_context(self) -> Mapping[str, Any]:
        """Upstream's former name of `get_run_context`."""
        warnings.warn("get_execution_context is called get_run_context now", DeprecationWarning, stacklevel=2)
        return self.get_run_context()

    def get_event_details(self, event_type: str, event_name: str) -> Mapping[str, Any] | None:
        """The latest "marker", "signal" or "timer" of this name as the history has it, or `None`.

        `type`, `name`, `state`, `event_id`, `timestamp` of all; `details` of a marker; `input`, `external_workflow_id`
        and `external_run_id` of a signal; `start_to_fire_timeout` and `control` of a timer, of which `event_id` and
        `timestamp` are those of its latest event.
        """
        return self.executor.event_details(event_type, event_name)

    # -- hooks: run in the decider, not recorded. `history` is the events up to the current decision task. An error in
    # one fails the decision, and not the execution. --

    def before_replay(self, history: Any) -> None:
        """Called before the code runs for a decision, also when that is replayed (`is_replaying`)."""

    def after_replay(self, history: Any) -> None:
        """Called after the code ran for a decision, unless it failed; also when that is replayed."""

    def before_run(self, history: Any) -> None:
        """Deprecated: `before_replay`. Called before it."""

    def after_run(self, history: Any) -> None:
        """Deprecated: `after_closed`. Called before it."""

    def on_task_failure(self, failure_context: TaskFailureContext) -> TaskFailureContext | None:
        """Called when an attempt of an activity or child workflow failed or timed out; decides how the task goes on.

        Set the context's decision, as in `return failure_context.decide_retry(60)`; `None` leaves the task to its
        `retry` and `raises_on_failure`. It is called once for each failure, and again in each replay, so it must
        decide the same each time. It runs in a fiber of its own: it may submit tasks and wait for them. An exception
        that it raises fails the workflow.
        """
        return None

    def should_cancel(self, history: Any) -> bool:
        """Called once for each cancel request; `False` refuses it, and the execution goes on."""
        return True

    # The hooks of the close are called when the close is decided, and again only if the response is lost. SWF refuses a
    # close when a new event came meanwhile; it is then sent again without calling them. Tasks that they submit are not
    # scheduled.

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

    @classmethod
    def class_name(cls) -> str:
        """`module.Class`: upstream's type name of child executions, which also tells two classes of one type apart."""
        return f"{cls.__module__}.{cls.__qualname__}"


_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "cancellation": ("close", "raise"),
    "determinism": ("warn", "raise", "off"),
}


def _check_definition(workflow: type[Workflow]) -> None:
    """Raise `UsageError` for an attribute with an unknown value; warn of hooks with their old names."""
    for name, choices in _CHOICES.items():
        value = getattr(workflow, name)
        if value not in choices:
            raise UsageError(f"{workflow.__name__}.{name} must be {' or '.join(map(repr, choices))}, not {value!r}")
    for old, new in (("before_run", "before_replay"), ("after_run", "after_closed")):
        if old in workflow.__dict__:
            warnings.warn(f"{workflow.__name__}.{old}: call it {new}", DeprecationWarning, stacklevel=3)


_NO_ASYNC: Final = "write `def run`, and read a future's `.result` where you would await"

_NO_YIELD: Final = "has a `yield`, so calling it runs nothing: read a future's `.result` instead, and return the result"


def check_returned(workflow: type[Workflow], result: Any) -> None:
    """Raise `UsageError` if `run` returned what runs nothing by itself: a decorator hid it from `check_runnable`."""
    name = workflow.__name__
    if inspect.iscoroutine(result) or inspect.isasyncgen(result):
        if inspect.iscoroutine(result):
            result.close()  # nobody will await it
        raise UsageError(f"{name}.run returned a {type(result).__name__}, of which nothing ran: {_NO_ASYNC}")
    if inspect.isgenerator(result) and result.gi_code is getattr(inspect.unwrap(workflow.run), "__code__", None):
        raise UsageError(f"{name}.run {_NO_YIELD}")


def check_runnable(workflow: type[Workflow]) -> None:
    """Raise `UsageError` if no execution of this workflow could be decided, for what its `run` or `__init__` is."""
    name, run = workflow.__name__, workflow.run
    if not callable(run):
        raise UsageError(f"{name}.run is no function: write `def run(self, …)`")
    if inspect.iscoroutinefunction(run) or inspect.isasyncgenfunction(run):
        raise UsageError(f"{name}.run is `async def`: {_NO_ASYNC}")
    if inspect.isgeneratorfunction(run):
        raise UsageError(f"{name}.run {_NO_YIELD}")
    try:
        inspect.signature(workflow.__init__).bind(None, None)
    except TypeError:
        raise UsageError(
            f"{name}.__init__ does not take the executor: write `def __init__(self, executor)`, and call "
            "`super().__init__(executor)` in it"
        ) from None


class _MutedInReplay(logging.LoggerAdapter[logging.Logger]):
    def isEnabledFor(self, level: int) -> bool:
        executor: Any = (self.extra or {})["executor"]
        return not executor.is_replaying and super().isEnabledFor(level)

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        if self.logger.isEnabledFor(level) and is_to_be_logged(self.logger.name, level, msg, args):
            super().log(level, msg, *args, **{**kwargs, "stacklevel": kwargs.get("stacklevel", 1) + 1})

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        return msg, kwargs


registry: Final[Definitions[tuple[str, str], type[Workflow]]] = Definitions()
"""The workflow that was defined last of each type, by (type name, version). A decider runs only what is defined."""

same_type: Final[dict[tuple[str, str], dict[str, type[Workflow]]]] = {}
"""Every workflow defined in this process, by its type and then by `class_name`, the latest definition last.

Two classes may have one type: upstream's own examples do. The input of such an execution names its class.
"""


def _define(workflow: type[Workflow]) -> None:
    kind = workflow.type_name(), workflow.type_version()
    workflow._defined_as = kind
    same = same_type.setdefault(kind, {})
    if kind not in registry:
        same.clear()  # a notebook's cell took its definitions back
    # The definition that comes last stands last, here and in the registry.
    replaced = weakref.ref(same.pop(workflow.class_name())) if workflow.class_name() in same else None
    same[workflow.class_name()] = workflow
    registry.pop(kind, None)
    registry.define(kind, workflow)
    note_values(workflow)
    warn_of_another("workflow", kind, replaced, workflow)


def define_renamed_workflow(workflow: type[Workflow]) -> None:
    """Define a workflow that is about to run under the name and version that it has now, if it got them later than
    where its class was made."""
    if workflow._defined_as not in (None, (workflow.type_name(), workflow.type_version())):
        _define(workflow)


def other_names() -> list[tuple[str, type[Workflow]]]:
    """The workflows of this process whose type has another name than their class, with the latter: upstream starts
    children under it."""
    found = [(kind, name, each) for kind, same in list(same_type.items()) for name, each in list(same.items())]
    return [(name, each) for kind, name, each in found if kind in registry and (name, kind[1]) not in registry]


def forget(workflow: type[Workflow]) -> None:
    """Remove a definition: the latest other class of its type, if any, runs the executions that began with it."""
    kind = workflow.type_name(), workflow.type_version()
    same = same_type.get(kind, {})
    if same.get(workflow.class_name()) is workflow:
        del same[workflow.class_name()]
    if registry.get(kind) is workflow:
        del registry[kind]
        if same:
            registry[kind] = next(reversed(same.values()))


def is_replaced_workflow(workflow: type[Workflow]) -> bool:
    """Whether another definition has this one's type and class name, so that an execution of it would run that one's
    code. The same class made again, by a cell that is run again for example, is no other."""
    latest = same_type.get((workflow.type_name(), workflow.type_version()), {}).get(workflow.class_name())
    return latest is not workflow and latest is not None and not is_made_again(latest, workflow)


def input_of(workflow: type[Workflow], args: Any, kwargs: Any) -> dict[str, Any]:
    """The input of an execution. It names the class where another one has the same type, as upstream's does."""
    given = {"args": args, "kwargs": kwargs}
    if len(same_type.get((workflow.type_name(), workflow.type_version()), ())) > 1:
        given["__extra"] = {"class": workflow.class_name()}
    return given


def defined(name: str, version: str, input: Any = None) -> type[Workflow] | None:
    """The class for executions of this type with this input, if it is defined in this process.

    The type may have the name of the class: upstream starts children under it.
    """
    extra = input.get("__extra") if isinstance(input, dict) else None
    named = extra.get("class") if isinstance(extra, dict) else None
    latest = registry.get((name, version))
    if latest is not None:
        return same_type[name, version].get(str(named), latest)
    return next((each for other, each in other_names() if other == name and each.type_version() == version), None)


Priority = int | str | NotSet | property | None
"""A task's priority as an author gives it; a class may have a property that computes it for each instance."""


def priority_of(*candidates: Priority) -> int | str | None:
    """The first priority that is set, `None` included; upstream's precedence is submit, activity, workflow."""
    for candidate in candidates:
        if has_priority(candidate) and not isinstance(candidate, NotSet | property):
            return candidate
    return None


def has_priority(candidate: Priority) -> bool:
    """Whether a priority is set, be it `None` for no priority. `False` means unset, as in upstream's examples."""
    return not isinstance(candidate, NotSet | property) and candidate is not False
