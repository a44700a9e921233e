"""Futures: results that are not there yet.

`Workflow.submit` gives a future at once. Passing it on as an argument, however deep inside lists and dicts, makes the
next task wait for it. Reading `future.result` waits: the workflow's code stands still at that line until the task has
closed, be it for days. How it stands still is not known here; whoever makes a future says how (`Waiter`).

A future is upstream's: `result`, `exception`, `done`, … are properties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from simpleflow_lab.exceptions import ExecutionBlocked
from simpleflow_lab.jumbo import fetched

PENDING: Final = "PENDING"
"""Submitted, and not scheduled yet: it waits for its arguments, or for its turn."""
RUNNING: Final = "RUNNING"
"""Scheduled: SWF knows of it."""
CANCELLED: Final = "CANCELLED"
CANCELLED_AND_NOTIFIED: Final = "CANCELLED_AND_NOTIFIED"
"""Never reached; upstream has the name."""
FINISHED: Final = "FINISHED"
"""It has a result or an exception."""

Waiter = Callable[["Future"], None]
"""Returns when the future is done, and not before."""


class Future:
    """The result of a task that may not have closed yet."""

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_exception",
        "_looked_at",
        "_raises",
        "_result",
        "_state",
        "_waiter",
        "task_id",
    )

    def __init__(self, waiter: Waiter | None = None, *, task_id: str | None = None, raises: bool = False):
        self.task_id = task_id
        """Id of the task behind it, or `None`."""
        self._waiter = waiter
        self._raises = raises
        self._state = PENDING
        self._result: Any = None
        self._exception: BaseException | None = None
        self._looked_at = False
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
        return fetched(self._outcome())

    @property
    def exception(self) -> BaseException | None:
        """The error of a task that failed, timed out or was canceled, else `None`; waits for the task to close."""
        self.wait()
        self._looked_at = True
        return self._exception

    @property
    def state(self) -> str:
        """One of `PENDING`, `RUNNING`, `CANCELLED`, `FINISHED`; does not wait."""
        return self._state

    @property
    def done(self) -> bool:
        """Finished or canceled; does not wait."""
        return self._state in (FINISHED, CANCELLED, CANCELLED_AND_NOTIFIED)

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
        """Give up a task that is not scheduled yet; `False` if it is too late for that."""
        if self._state != PENDING:
            return False
        self.set_cancelled()
        return True

    def wait(self) -> None:
        """Return when the task has closed."""
        if self.done:
            return
        if self._waiter is None:
            raise ExecutionBlocked(f"{self!r} is not done, and outside Workflow.run nothing can wait for it")
        self._waiter(self)

    # -- what makes it --

    def passed_on(self) -> Any:
        """`result` as it goes on to the next task: a large one that nobody read stays a `JumboValue`."""
        # A class of the author's may have a `result` of its own.
        return self._outcome() if type(self).result is Future.result else self.result

    @property
    def unnoticed_failure(self) -> bool:
        """It failed, and nothing raised or read the error."""
        return self._exception is not None and not self._looked_at

    def peek_exception(self) -> BaseException | None:
        """The error, without waiting for it and without counting as somebody who noticed."""
        return self._exception

    def notice(self) -> None:
        """Somebody is told of the failure by other means."""
        self._looked_at = True

    @property
    def raises(self) -> bool:
        """Reading the result of a failure raises."""
        return self._raises

    def add_done_callback(self, callback: Callable[[Future], None]) -> None:
        """Call `callback(future)` when it is done; at once if it is."""
        if self.done:
            callback(self)
        else:
            self._callbacks.append(callback)

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
        if self._exception is not None and self._raises:
            self._looked_at = True
            raise self._exception
        return self._result

    def _close(self, state: str, result: Any, exception: BaseException | None) -> None:
        self._state, self._result, self._exception = state, result, exception
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


def wait(*fs: Future | Iterable[Future]) -> list[Any]:
    """Wait until all these futures are done; gives their results in order.

    Takes futures, or lists of them. A failed task with `raises_on_failure` raises once all are done.
    """
    every = list(_flat(fs))
    for future in every:
        future.wait()
    return [future.result for future in every]


def _flat(fs: Iterable[Any]) -> Iterable[Future]:
    for item in fs:
        if isinstance(item, Future):
            yield item
        elif isinstance(item, list | tuple):
            yield from _flat(item)
        else:
            raise TypeError(f"futures.wait takes futures, or lists of them, not {type(item).__name__}")


def nested(value: Any) -> Iterable[Future]:
    """Every future inside lists, tuples, sets and dicts, in order."""
    if isinstance(value, Future):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from nested(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from nested(item)


def resolved(value: Any) -> Any:
    """The value with every nested future replaced by its result, as it is passed on."""
    if isinstance(value, Future):
        return value.passed_on()
    if isinstance(value, dict):
        return {key: resolved(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(item) for item in value]
    if isinstance(value, set | frozenset) and any(isinstance(item, Future) for item in value):
        return [resolved(item) for item in value]
    return value
