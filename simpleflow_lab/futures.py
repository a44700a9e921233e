"""Futures: results that are not there yet.

`Workflow.submit` gives a future at once. Passing it on as an argument, however deep inside lists and dicts, makes the
next task wait for it. Reading `future.result` waits: the workflow's code is suspended at that line until the task has
closed, be it for days. The `Waiter` that a future is made with suspends the code.

A future is upstream's: `result`, `exception`, `done`, … are properties.

`wait` waits for all of several futures, or with `return_when` for the first; `as_completed` gives each as it closes.
Both take a timeout. Where `concurrent.futures` gives sets, these functions give lists: a set's order changes from run
to run, and a workflow must do the same in each replay.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import NoneType
from typing import Any, Final, Literal, NamedTuple, Protocol, overload, runtime_checkable

from simpleflow_lab.data.codec import is_registered
from simpleflow_lab.data.references import loaded
from simpleflow_lab.exceptions import ExecutionBlocked, UsageError

PENDING: Final = "PENDING"
"""Submitted, and not scheduled yet: an argument is not known yet, or too many tasks are open."""
RUNNING: Final = "RUNNING"
"""Scheduled: SWF knows of it."""
CANCELLED: Final = "CANCELLED"
CANCELLED_AND_NOTIFIED: Final = "CANCELLED_AND_NOTIFIED"
"""Never reached; upstream has the name."""
FINISHED: Final = "FINISHED"
"""It has a result or an exception."""

_DONE: Final = frozenset({FINISHED, CANCELLED, CANCELLED_AND_NOTIFIED})

FIRST_COMPLETED: Final = "FIRST_COMPLETED"
"""`wait` returns when any of the futures is done."""
FIRST_EXCEPTION: Final = "FIRST_EXCEPTION"
"""`wait` returns when any of the futures has failed, or when all are done."""
ALL_COMPLETED: Final = "ALL_COMPLETED"
"""`wait` returns when all of the futures are done."""

SCALARS: Final = frozenset({NoneType, bool, int, float, str})
"""Types whose values hold no futures, and are most arguments."""
CONTAINERS: Final = frozenset({dict, list, tuple})
"""Types whose values may hold futures, and are never registered with the codec."""

ReturnWhen = Literal["FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"]

Waiter = Callable[["Future"], None]
"""A function that returns when the future is done, and not before."""

Canceler = Callable[["Future"], bool]
"""A function that cancels the task of a future that is not done; `False` if the task can't be canceled."""


@runtime_checkable
class TimedWaiter(Protocol):
    """A waiter that can also limit the wait, by an SWF timer."""

    def __call__(self, future: Future, /) -> None:
        """Suspend the calling code until the future is done."""

    def start_deadline(self, seconds: int) -> Future:
        """A future that is done after so many seconds. Canceling it cancels the timer."""


class DoneAndNotDone(NamedTuple):
    """The result of a `wait` that may return before all is done."""

    done: list[Future]
    """The futures that are done, in the order they were given."""
    not_done: list[Future]
    """The others."""


class Future:
    """The result of a task that may not have closed yet."""

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_canceler",
        "_exception",
        "_handled",
        "_raises",
        "_result",
        "_state",
        "_waiter",
        "deferred_in",
        "follows",
        "is_awaited",
        "is_read",
        "task_id",
    )

    def __init__(
        self,
        waiter: Waiter | None = None,
        *,
        task_id: str | None = None,
        raises: bool = False,
        canceler: Canceler | None = None,
    ) -> None:
        self.task_id = task_id
        """Id of the task behind it, or `None`."""
        self.deferred_in: Future | None = None
        """The group whose `max_parallel` let it be submitted only when another member had closed; else `None`."""
        self.follows: Future | None = None
        """The member of a chain that had closed before this was submitted; `None` of its first one, and elsewhere."""
        self.is_awaited = False
        """Some code has waited for it, by itself or with others, or would have if it had not been done."""
        self.is_read = False
        """Some code has read its result or its exception, or a task got its result as an argument."""
        self._waiter = waiter
        self._canceler = canceler
        self._raises = raises
        self._state = PENDING
        self._result: Any = None
        self._exception: BaseException | None = None
        self._handled = False
        self._callbacks: list[Callable[[Future], None]] = []

    def __repr__(self) -> str:
        name = f" {self.task_id}" if self.task_id else ""
        if self._exception is not None:
            return f"<Future{name}: {self._state}, {type(self._exception).__name__}: {self._exception}>"
        if self._state == FINISHED:
            text = repr(self._result)
            return f"<Future{name}: {self._state}, {text if len(text) <= 60 else text[:57] + '...'}>"
        return f"<Future{name}: {self._state}>"

    # -- what authors read --

    @property
    def result(self) -> Any:
        """The task's result; waits for it.

        A task that failed raises its error if it was submitted with `raises_on_failure`, and gives `None` if not.
        """
        return loaded(self._outcome())

    @property
    def exception(self) -> BaseException | None:
        """The error of a task that failed, timed out or was canceled, else `None`; waits for the task to close.

        Reading it marks the failure as handled.
        """
        self.wait()
        self._handled = self.is_read = True
        return self._exception

    @property
    def state(self) -> str:
        """One of `PENDING`, `RUNNING`, `CANCELLED`, `FINISHED`; does not wait."""
        return self._state

    @property
    def done(self) -> bool:
        """Finished or canceled; does not wait."""
        return self._state in _DONE

    @property
    def finished(self) -> bool:
        """It has a result or an exception; does not wait."""
        return self._state == FINISHED

    @property
    def running(self) -> bool:
        """Scheduled and not closed; does not wait."""
        return self._state == RUNNING

    @property
    def pending(self) -> bool:
        """Not scheduled yet; does not wait."""
        return self._state == PENDING

    @property
    def cancelled(self) -> bool:
        """Canceled; does not wait."""
        return self._state in (CANCELLED, CANCELLED_AND_NOTIFIED)

    def cancel(self) -> bool:
        """Cancel the task; `False` if it is done, or can't be canceled.

        A task that SWF does not know of yet is canceled at once, and so is a timer. A running activity or child
        workflow gets a cancel *request*: it is canceled when its worker or its workflow closes it so, and finished if
        it completes or fails first; in neither case is it retried. A group or chain cancels its members.
        """
        if self.done:
            return False
        if self._canceler is not None:
            return self._canceler(self)
        if self._state != PENDING:
            return False
        self.set_cancelled()
        return True

    def wait(self) -> None:
        """Return when the task has closed."""
        self.is_awaited = True
        self.await_close()

    def await_close(self) -> None:
        """Return when the task has closed: for what waits for it for its own ends, as a container does."""
        if self._state in _DONE:
            return
        if self._waiter is None:
            raise ExecutionBlocked(f"{self!r} is not done, and outside Workflow.run nothing can wait for it")
        self._waiter(self)

    # -- for what makes and closes futures --

    def belong_to(self, waiter: Waiter, *, raises: bool) -> None:
        """Let this suspend the code that waits for it; with `raises`, reading the result of a failure raises."""
        self._waiter = waiter
        self._raises = raises

    def passed_on(self) -> Any:
        """`result` as it goes on to the next task: a large one that nobody read stays a `JumboValue`."""
        # A class of the author's may have a `result` of its own.
        return self._outcome() if type(self).result is Future.result else self.result

    @property
    def unhandled_failure(self) -> bool:
        """The task failed, and no code raised or read the error."""
        return self._exception is not None and not self._handled

    def peek_exception(self) -> BaseException | None:
        """The error, without waiting for it and without marking it as handled."""
        return self._exception

    def peek(self) -> tuple[str, Any, BaseException | None]:
        """State, result as it is passed on, and error, as they are now; does not wait or handle a failure."""
        return self._state, self._result, self._exception

    @property
    def failed(self) -> bool:
        """It has an exception, and was not canceled; does not wait and does not mark the failure as handled."""
        return self._state == FINISHED and self._exception is not None

    def mark_handled(self) -> None:
        """Mark the failure as handled: it reached the author's code in another way than by this future."""
        self._handled = True

    @property
    def raises(self) -> bool:
        """Reading the result of a failure raises."""
        return self._raises

    def add_done_callback(self, callback: Callable[[Future], None]) -> None:
        """Call `callback(future)` when it is done; at once if it is."""
        if self._state in _DONE:
            callback(self)
        else:
            self._callbacks.append(callback)

    def discard_done_callback(self, callback: Callable[[Future], None]) -> None:
        """Do not call `callback` any more."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    @property
    def waiter(self) -> Waiter | None:
        """The waiter that suspends code which waits for this future; `None` outside of a workflow."""
        return self._waiter

    def set_running(self) -> None:
        """The task is scheduled."""
        if self._state == PENDING:
            self._state = RUNNING

    def set_finished(self, result: Any) -> None:
        """The task completed with this result."""
        self._close(FINISHED, result, None)

    def set_exception(self, exception: BaseException, *, raises: bool | None = None) -> None:
        """The task failed for good. `raises` overrides whether reading the result raises."""
        if raises is not None:
            self._raises = raises
        self._close(FINISHED, None, exception)

    def set_cancelled(self, exception: BaseException | None = None) -> None:
        """The task was canceled."""
        self._close(CANCELLED, None, exception)

    def _outcome(self) -> Any:
        self.wait()
        self.is_read = True
        if self._exception is not None and self._raises:
            self._handled = True
            raise self._exception
        return self._result

    def _close(self, state: str, result: Any, exception: BaseException | None) -> None:
        self._state, self._result, self._exception = state, result, exception
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


class AnyOf(Future):
    """The event for which code waits that waits for several futures: `set` closes it when enough of them are done."""

    __slots__ = ("futures",)

    def __init__(self, futures: list[Future]) -> None:
        super().__init__(next((future.waiter for future in futures if future.waiter is not None), None))
        self.futures = futures

    def __repr__(self) -> str:
        left = [future.task_id or "?" for future in self.futures if not future.done]
        names = ", ".join(left[:3]) + (", ..." if len(left) > 3 else "")
        return f"<AnyOf {len(self.futures)} futures: {self.state}, not done are {names or 'none'}>"

    def set(self, *_: Future) -> None:
        """Close it: enough of the futures are done."""
        if not self.done:
            self.set_finished(None)


Futures = Future | Iterable["Futures"]
"""A future; a list, tuple or generator of such, at any depth; a dict with futures as its keys. No set: its order is not
the same in each replay."""


@overload
def wait(*fs: Futures) -> list[Any]: ...


@overload
def wait(*fs: Futures, return_when: ReturnWhen, timeout: float | None = None) -> DoneAndNotDone: ...


@overload
def wait(*fs: Futures, return_when: ReturnWhen | None = None, timeout: float) -> DoneAndNotDone: ...


def wait(
    *fs: Futures, return_when: ReturnWhen | None = None, timeout: float | None = None
) -> list[Any] | DoneAndNotDone:
    """Wait until all these futures are done; gives their results in order.

    Takes futures, or lists of them. A failed task with `raises_on_failure` raises once all are done.

    With `return_when` or `timeout` it gives which futures are done and which are not (`DoneAndNotDone`), and raises no
    task's error: read the results of those that are done. `return_when` is `FIRST_COMPLETED`, `FIRST_EXCEPTION` or
    `ALL_COMPLETED`, as in `concurrent.futures`. `timeout` is in seconds, counted by an SWF timer and so in whole ones
    (rounded up); 0 does not wait.
    """
    every = list(_flat(fs))
    for future in every:
        future.is_awaited = True  # all of them, while the code waits for the first
    if return_when is None and timeout is None:
        for future in every:
            future.wait()
        return [future.result for future in every]
    until = return_when or ALL_COMPLETED
    if until not in (FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED):
        raise UsageError(
            f"return_when must be FIRST_COMPLETED, FIRST_EXCEPTION or ALL_COMPLETED of futures, not {until!r}"
        )
    if timeout is not None:
        _check_timeout(timeout)
    if timeout is None or timeout > 0:
        wait_until(until, every, timeout)
    return DoneAndNotDone([f for f in every if f.done], [f for f in every if not f.done])


def as_completed(fs: Futures, timeout: float | None = None) -> Iterator[Future]:
    """Each of these futures when it is done, in the order in which the history has it.

    Those that are done already come first, in the order they are given; one that is given twice comes once. `timeout`
    is in seconds, for all of them, counted from the first `next` by an SWF timer. When it is over the builtin
    `TimeoutError` is raised.
    """
    if timeout is not None:
        _check_timeout(timeout)
    every = list(dict.fromkeys(_flat([fs])))
    came: deque[Future] = deque()
    for future in every:
        future.is_awaited = True
    event = AnyOf(every)

    def one_done(future: Future) -> None:
        came.append(future)
        event.set()

    for future in every:
        future.add_done_callback(one_done)
    deadline = None
    if timeout is not None:
        deadline = _start_deadline(every, timeout, needed=len(came) < len(every))
    if deadline is not None:
        deadline.add_done_callback(lambda _: event.set())
    for given in range(len(every)):
        if not came and not (deadline is not None and deadline.done):
            # An event is set once; the callbacks, one for each future, set the one that is waited for.
            event = AnyOf(every)
            event.wait()
        if not came:
            raise TimeoutError(f"{len(every) - given} of {len(every)} futures are not done after {timeout} s")
        yield came.popleft()
    if deadline is not None:
        deadline.cancel()


def _check_timeout(timeout: float) -> None:
    """Refuse what is no number of seconds here, in the words of this call and not of the timer that it would start."""
    try:
        is_number = math.isfinite(timeout)
    except TypeError:
        is_number = False
    if not is_number:
        raise UsageError(f"timeout must be a number of seconds, or None to wait without a limit, not {timeout!r}")


def _is_enough(return_when: str, every: list[Future]) -> bool:
    """Whether enough of the futures are done."""
    if return_when == FIRST_COMPLETED and any(future.done for future in every):
        return True
    if return_when == FIRST_EXCEPTION and any(future.failed for future in every):
        return True
    return all(future.done for future in every)


def wait_until(return_when: str, every: list[Future], timeout: float | None) -> None:
    """Wait until enough futures are done, or the timeout is over: for what waits for them for its own ends, too."""
    enough = _is_enough(return_when, every)
    # Also if there is nothing to wait for: a rerun of the code finds each deadline under the number that it had.
    deadline = None if timeout is None else _start_deadline(every, timeout, needed=not enough)
    if enough:
        if deadline is not None:
            deadline.cancel()
        return
    event = AnyOf(every)
    waited_for = [future for future in every if not future.done]
    left = len(waited_for)

    def one_done(future: Future) -> None:
        nonlocal left
        left -= 1
        if not left or return_when == FIRST_COMPLETED or (return_when == FIRST_EXCEPTION and future.failed):
            event.set()

    for future in waited_for:
        future.add_done_callback(one_done)
    if deadline is not None:
        deadline.add_done_callback(event.set)
    event.wait()
    for future in waited_for:
        future.discard_done_callback(one_done)
    if deadline is not None:
        deadline.cancel()


def _start_deadline(every: list[Future], timeout: float, *, needed: bool) -> Future | None:
    """A future that an SWF timer closes; `None` if there are no timers here, and none is needed."""
    waiter = AnyOf(every).waiter
    if not isinstance(waiter, TimedWaiter):
        if not needed:
            return None
        raise ExecutionBlocked("outside Workflow.run nothing can wait for a future, with a timeout or without")
    return waiter.start_deadline(math.ceil(timeout))


def _flat(fs: Iterable[Any]) -> Iterable[Future]:
    for item in fs:
        if isinstance(item, Future):
            yield item
        elif isinstance(item, list | tuple | dict | Iterator):
            yield from _flat(item)
        else:
            hint = ": its order changes from run to run" if isinstance(item, set | frozenset) else ""
            raise TypeError(f"one waits for futures, or lists of them, not for a {type(item).__name__}{hint}")


def copy_outcome(first: Future, second: Future) -> None:
    """Close the second future as the first one closes, now or later, unless the second is closed before."""

    def end(done: Future) -> None:
        if second.done:
            return
        error = done.peek_exception()
        if done.cancelled:
            second.set_cancelled(error)
        elif error is not None:
            second.set_exception(error)
        else:
            second.set_finished(done.passed_on())

    first.add_done_callback(end)


def nested(value: Any) -> Iterable[Future]:
    """Every future inside lists, tuples, sets and dicts, in order."""
    if isinstance(value, Future):
        yield value
    elif is_registered(type(value)):
        return  # a value of the author's own, whatever it derives from
    elif isinstance(value, dict):
        for item in value.values():
            yield from nested(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from nested(item)


def resolved(value: Any) -> Any:
    """The value with every nested future replaced by its result, as `Future.passed_on` gives it."""
    if type(value) in SCALARS:
        return value
    if isinstance(value, Future):
        return value.passed_on()
    if type(value) not in CONTAINERS and is_registered(type(value)):
        return value
    if isinstance(value, dict):
        return {key: resolved(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(item) for item in value]
    if isinstance(value, set | frozenset) and any(isinstance(item, Future) for item in value):
        return [resolved(item) for item in value]
    return value
