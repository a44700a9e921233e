"""Activities: the tasks that do the work, as decorated functions or classes.

    @activity.with_attributes(task_list="quickstart", version="example", retry=2)
    def double(x):
        return x * 2

An activity is a function, an `async def` function, or a class with an `execute` method. An `Activity` is still called
like what it wraps. Decorating registers it by `(name, version)`: an activity worker runs only what is registered in its
process, never something named by a history. Defining it again replaces it; two that differ, as those of a factory or a
loop, need a name each.

While it runs as a task, its code may call `current_context()`, and report its progress with `heartbeat(0.4)`, which
also raises when the activity should stop.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab import activity_context
from simpleflow_lab.constants import DEFAULT_ACTIVITY_TIMEOUT, DEFAULT_TASK_LIST, DEFAULT_VERSION, MAX_SECONDS
from simpleflow_lab.definitions.redefinitions import is_made_again, note_values, warn_of_another
from simpleflow_lab.definitions.registries import Definitions
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.middleware import Around, through
from simpleflow_lab.retry import Retry, check_retry


class NotSet:
    """The type of `NOT_SET` and `PRIORITY_NOT_SET`: no value was given, where `None` is a value."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __bool__(self) -> bool:
        return False


NOT_SET: Final = NotSet("NOT_SET")
PRIORITY_NOT_SET: Final = NotSet("PRIORITY_NOT_SET")

Timeout = int | float | str | None | NotSet
"""Seconds, as a number or as SWF writes it; `None` or "NONE" for no limit; `NOT_SET` for the default."""

EXECUTORS: Final = ("threads", "processes")
"""Where an activity may run: in a thread of the activity worker's process, or in a process of its own."""


class Activity:
    """A function or class that activity workers run, with the attributes of its SWF activity type."""

    def __init__(
        self,
        callable: Callable[..., Any],
        name: str | None = None,
        version: str | NotSet = NOT_SET,
        task_list: str | NotSet = NOT_SET,
        retry: int | Retry = 0,
        raises_on_failure: bool = False,
        start_to_close_timeout: Timeout = NOT_SET,
        schedule_to_close_timeout: Timeout = NOT_SET,
        schedule_to_start_timeout: Timeout = NOT_SET,
        heartbeat_timeout: Timeout = NOT_SET,
        task_priority: int | str | NotSet | None = PRIORITY_NOT_SET,
        idempotent: bool | None = None,
        meta: Mapping[str, Any] | None = None,
        executor: str | None = None,
    ) -> None:
        """See `with_attributes`."""
        check_retry(retry, f"activity {name or callable}")
        if executor is not None and executor not in EXECUTORS:
            raise UsageError(
                f"activity {name or callable}: executor is {' or '.join(map(repr, EXECUTORS))}, not {executor!r}"
            )
        self.callable = callable
        self.name = name or _name_of(callable)
        self.version = DEFAULT_VERSION if isinstance(version, NotSet) else version
        self.task_list = DEFAULT_TASK_LIST if isinstance(task_list, NotSet) else task_list
        self.retry = retry
        self.raises_on_failure = raises_on_failure
        self.task_start_to_close_timeout = _timeout(start_to_close_timeout, self.name)
        self.task_schedule_to_close_timeout = _timeout(schedule_to_close_timeout, self.name)
        self.task_schedule_to_start_timeout = _timeout(schedule_to_start_timeout, self.name)
        self.task_heartbeat_timeout = _timeout(heartbeat_timeout, self.name)
        self.unset = frozenset(
            name
            for name, given in (
                ("task_list", task_list),
                ("start_to_close_timeout", start_to_close_timeout),
                ("schedule_to_close_timeout", schedule_to_close_timeout),
                ("schedule_to_start_timeout", schedule_to_start_timeout),
                ("heartbeat_timeout", heartbeat_timeout),
            )
            if isinstance(given, NotSet)
        )
        """The options among these that were not given: a decider's settings may have other defaults for them."""
        self.task_priority = task_priority
        self.idempotent = bool(idempotent)
        self.meta = dict(meta) if meta else {}
        self.executor = executor
        self.wraps: Activity | None = None
        """The activity that was wrapped again, to give this one other attributes; `None` of any other."""
        self.defined_as: tuple[str, str] | None = None
        """The name and version under which it is defined."""
        functools.update_wrapper(self, callable, updated=())
        _define(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function (or make an instance of the class) here and now, as if it were not decorated."""
        return self.callable(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Activity {self.name} {self.version}>"

    @property
    def context(self) -> Mapping[str, Any]:
        """The context of the running activity task; see `current_context`."""
        return current_context()

    def execute(
        self,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        task: activity_context.RunningTask,
        middleware: Sequence[Around] = (),
    ) -> Any:
        """Run it as this activity task, through these middleware: what an activity worker does.

        A function is called, with the keyword argument `context` if it has the attribute `add_context_in_kwargs`. A
        class with an `execute` method is instantiated with the arguments, then its `execute()` is called, then its
        `post_execute()` if it has one; the instance has the context as `self.context`. What is awaitable is awaited.
        """
        with activity_context.set_current_task(task):
            return through(middleware, task.context, functools.partial(self._call, task), args, kwargs)

    def _call(self, task: activity_context.RunningTask, /, *args: Any, **kwargs: Any) -> Any:
        if getattr(self.callable, "add_context_in_kwargs", False) or self.__dict__.get("add_context_in_kwargs"):
            kwargs["context"] = task.context
        made = self.callable(*args, **kwargs)
        if not (inspect.isclass(self.callable) and hasattr(self.callable, "execute")):
            return task.awaited(made)
        made.context = task.context
        result = task.awaited(made.execute())
        post_execute = getattr(made, "post_execute", None)
        if post_execute is not None:
            task.awaited(post_execute())
        return result


registry: Final[Definitions[tuple[str, str], Activity]] = Definitions()
"""Every activity defined in this process, by (name, version)."""


def _define(activity: Activity) -> None:
    key = activity.defined_as = (activity.name, activity.version)
    replaced = weakref.ref(registry[key]) if key in registry else None
    registry.define(key, activity)
    note_values(activity.callable)
    warn_of_another("activity", key, replaced, activity)


def define_renamed_activity(activity: Activity) -> None:
    """Define an activity that is submitted under the name and version that it has now, if it got them later than where
    it was decorated."""
    if (activity.name, activity.version) != activity.defined_as:
        _define(activity)


def is_replaced_activity(activity: Activity) -> bool:
    """Whether another definition has this one's name and version, so that a task of it would run that one's code.

    The same activity made again, by a cell that is run again for example, is no other.
    """
    latest = registry.get((activity.name, activity.version))
    return latest is not activity and latest is not None and not is_made_again(latest, activity)


def with_attributes(
    name: str | None = None,
    version: str | NotSet = NOT_SET,
    task_list: str | NotSet = NOT_SET,
    retry: int | Retry = 0,
    raises_on_failure: bool = False,
    start_to_close_timeout: Timeout = NOT_SET,
    schedule_to_close_timeout: Timeout = NOT_SET,
    schedule_to_start_timeout: Timeout = NOT_SET,
    heartbeat_timeout: Timeout = NOT_SET,
    task_priority: int | str | NotSet | None = PRIORITY_NOT_SET,
    idempotent: bool | None = None,
    meta: Mapping[str, Any] | None = None,
    executor: str | None = None,
) -> Callable[[Callable[..., Any]], Activity]:
    """Make an activity of a function or class.

    :param name: of the activity type; by default `module.function`, in a notebook `__main__.function`.
    :param version: of the activity type.
    :param task_list: which workers run it.
    :param retry: how often it is tried *again* after a failure or timeout, at once: 1 means two attempts. A
        `retry.Retry` says more: waits that grow, which errors, how often after which timeout.
    :param raises_on_failure: reading the result of a task that failed for good raises. If not, the result is `None`,
        the workflow goes on, and the failure is shown as unhandled unless the workflow reads `future.exception`.
    :param start_to_close_timeout: seconds from a worker taking it to its end; 300 by default, like the next three.
    :param schedule_to_close_timeout: seconds from being scheduled to its end.
    :param schedule_to_start_timeout: seconds it may wait for a worker.
    :param heartbeat_timeout: seconds between heartbeats, which workers send by themselves.
    :param task_priority: higher goes first; `None` takes none even if the workflow has one.
    :param idempotent: the task's id comes from its arguments, so that the same call twice is one task.
    :param meta: goes with the input of each task.
    :param executor: "threads" or "processes"; by default as configured in the Lab. A process may crash, run out of
        memory or be killed without harm to others; it is made by a fork, see `runtime.forked`.
    """

    def decorate(callable: Callable[..., Any]) -> Activity:
        # An activity wrapped again at call time: activity.with_attributes(task_list=x)(double).
        inner = callable.callable if isinstance(callable, Activity) else callable
        made = Activity(
            inner,
            name=name or (callable.name if isinstance(callable, Activity) else None),
            version=version
            if not isinstance(version, NotSet) or not isinstance(callable, Activity)
            else callable.version,
            task_list=task_list,
            retry=retry,
            raises_on_failure=raises_on_failure,
            start_to_close_timeout=start_to_close_timeout,
            schedule_to_close_timeout=schedule_to_close_timeout,
            schedule_to_start_timeout=schedule_to_start_timeout,
            heartbeat_timeout=heartbeat_timeout,
            task_priority=task_priority,
            idempotent=idempotent,
            meta=meta,
            executor=executor or (callable.executor if isinstance(callable, Activity) else None),
        )
        made.wraps = callable if isinstance(callable, Activity) else None
        return made

    return decorate


def current_context() -> Mapping[str, Any]:
    """The running activity task: `name`, `version`, `domain_name`, `workflow_id`, `run_id`, `activity_id`, `input`,
    `activity_task_list`, `started_event_id`, and `meta` if the activity has it. Empty outside an activity.

    Each thread, coroutine and process that runs an activity sees its own. In a thread that the activity starts itself,
    run the code in `contextvars.copy_context()`.
    """
    task = activity_context.current_task()
    return task.context if task is not None else {}


def heartbeat(progress: Any = None, details: Any = None) -> None:
    """Say how far the running activity is, and learn whether it should stop.

    `progress` is a fraction from 0 to 1, a number of items or a text, and `details` anything more; both are shown while
    it runs, and recorded if it times out. They are cut to SWF's 2,048 characters. Call it as often as you like: the
    first is sent at once, then the newest at most three times in a third of the heartbeat timeout. Heartbeats that keep
    the task alive are sent anyway.

    Raises `ActivityCanceled` if a cancel request came for the task, or its execution has closed: clean up and raise it
    again. Outside an activity task it does nothing.
    """
    task = activity_context.current_task()
    if task is not None:
        task.heartbeat(progress, details)


def _name_of(callable: Callable[..., Any]) -> str:
    try:
        return f"{callable.__module__}.{callable.__qualname__}".replace(".<locals>", "")
    except AttributeError:  # a partial, an object that can be called
        raise UsageError(f"{callable!r} has no name of its own: give one, as in with_attributes(name=…)") from None


def _timeout(value: Timeout, name: str) -> str:
    """A timeout as SWF writes it."""
    if isinstance(value, NotSet):
        return str(DEFAULT_ACTIVITY_TIMEOUT)
    if value is None or value == "NONE":
        return "NONE"
    try:
        number = int(value)
        if not 0 <= number <= MAX_SECONDS or number != float(value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UsageError(
            f"activity {name}: a timeout is whole seconds, 0 to {MAX_SECONDS}, or None; not {value!r}"
        ) from None
    return str(number)
