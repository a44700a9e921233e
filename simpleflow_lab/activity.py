"""Activities: the tasks that do the work, as decorated functions or classes.

    @activity.with_attributes(task_list="quickstart", version="example", retry=2)
    def double(x):
        return x * 2

An `Activity` is still called like the function it wraps. Decorating registers it by `(name, version)`: an activity
worker runs only what is registered in its process, never something named by a history. Defining it again replaces it.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from simpleflow_lab.constants import DEFAULT_ACTIVITY_TIMEOUT, DEFAULT_TASK_LIST, DEFAULT_VERSION
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.retry import Retry, check_retry


class NotSet:
    """The type of `NOT_SET` and `PRIORITY_NOT_SET`: nothing was said, where `None` says something."""

    def __init__(self, name: str):
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __bool__(self) -> bool:
        return False


NOT_SET: Final = NotSet("NOT_SET")
PRIORITY_NOT_SET: Final = NotSet("PRIORITY_NOT_SET")

Timeout = int | float | str | None | NotSet
"""Seconds, as a number or as SWF writes it; `None` or "NONE" for no limit; `NOT_SET` for the default."""


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
    ):
        """See `with_attributes`."""
        check_retry(retry, f"activity {name or callable}")
        self.callable = callable
        self.name = name or f"{callable.__module__}.{callable.__qualname__}".replace(".<locals>", "")
        self.version = DEFAULT_VERSION if isinstance(version, NotSet) else version
        self.task_list = DEFAULT_TASK_LIST if isinstance(task_list, NotSet) else task_list
        self.retry = retry
        self.raises_on_failure = raises_on_failure
        self.task_start_to_close_timeout = _timeout(start_to_close_timeout, self.name)
        self.task_schedule_to_close_timeout = _timeout(schedule_to_close_timeout, self.name)
        self.task_schedule_to_start_timeout = _timeout(schedule_to_start_timeout, self.name)
        self.task_heartbeat_timeout = _timeout(heartbeat_timeout, self.name)
        self.unsaid = frozenset(
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
        """Which of these nobody gave: there a decider's settings may have another default."""
        self.task_priority = task_priority
        self.idempotent = bool(idempotent)
        self.meta = dict(meta) if meta else {}
        functools.update_wrapper(self, callable, updated=())
        registry[self.name, self.version] = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function (or make an instance of the class) here and now, as if it were not decorated."""
        return self.callable(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Activity {self.name} {self.version}>"

    @property
    def context(self) -> Mapping[str, Any]:
        """What the running activity task says of itself; see `current_context`."""
        return current_context()

    def execute(self, args: Sequence[Any], kwargs: Mapping[str, Any], context: Mapping[str, Any]) -> Any:
        """Run it as an activity task: what an activity worker does.

        A function is called. A class is instantiated with the arguments, then its `execute()` is called, then its
        `post_execute()` if it has one; the instance has the context as `self.context`.
        """
        with running(context):
            if not inspect.isclass(self.callable):
                return self.callable(*args, **kwargs)
            task: Any = self.callable(*args, **kwargs)
            task.context = context
            result = task.execute()
            post_execute = getattr(task, "post_execute", None)
            if post_execute is not None:
                post_execute()
            return result


registry: Final[dict[tuple[str, str], Activity]] = {}
"""Every activity defined in this process, by (name, version)."""

_context: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar("activity_context", default=None)


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
) -> Callable[[Callable[..., Any]], Activity]:
    """Make an activity of a function or class.

    :param name: of the activity type; by default `module.function`, in a notebook `__main__.function`.
    :param version: of the activity type.
    :param task_list: which workers run it.
    :param retry: how often it is tried *again* after a failure or timeout, at once: 1 means two attempts. A
        `retry.Retry` says more: waits that grow, which errors, how often after which timeout.
    :param raises_on_failure: reading the result of a task that failed for good raises. If not, the result is `None`,
        the workflow goes on, and the failure is shown as unnoticed unless the workflow reads `future.exception`.
    :param start_to_close_timeout: seconds from a worker taking it to its end; 300 by default, like the next three.
    :param schedule_to_close_timeout: seconds from being scheduled to its end.
    :param schedule_to_start_timeout: seconds it may wait for a worker.
    :param heartbeat_timeout: seconds between heartbeats, which workers send by themselves.
    :param task_priority: higher goes first; `None` takes none even if the workflow has one.
    :param idempotent: the task's id comes from its arguments, so that the same call twice is one task.
    :param meta: goes with the input of each task.
    """

    def decorate(callable: Callable[..., Any]) -> Activity:
        # An activity wrapped again at call time: activity.with_attributes(task_list=x)(double).
        inner = callable.callable if isinstance(callable, Activity) else callable
        return Activity(
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
        )

    return decorate


def current_context() -> Mapping[str, Any]:
    """The running activity task: `name`, `version`, `domain_name`, `workflow_id`, `run_id`, `activity_id`, `input`,
    `activity_task_list`. Empty outside an activity.

    Each thread that runs an activity sees its own.
    """
    return _context.get() or {}


@contextmanager
def running(context: Mapping[str, Any]) -> Iterator[None]:
    """Within it, `current_context()` is this context."""
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)


def _timeout(value: Timeout, name: str) -> str:
    """A timeout as SWF writes it."""
    if isinstance(value, NotSet):
        return str(DEFAULT_ACTIVITY_TIMEOUT)
    if value is None or value == "NONE":
        return "NONE"
    try:
        number = int(value)
        if number < 0 or number != float(value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"activity {name}: a timeout is whole seconds, 0 or more, or None; not {value!r}") from None
    return str(number)
