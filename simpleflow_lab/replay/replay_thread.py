"""A thread that owns replays, and the door by which other threads ask it.

Fibers live in the thread that made them. A notebook asks from several: cells run in one, clicks on widgets arrive in
another. So a replay that is kept for looking lives in a thread of its own, and every call about it is queued there.

Rule: calls run one after the other, in the order in which they were made. A caller gets what its call returned or
raised; a caller that is interrupted leaves the call to run to its end.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future as Reply
from concurrent.futures import wait
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar

from simpleflow_lab.exceptions import UsageError

_CHECK_SECONDS: Final = 0.5
"""How long a caller waits before it looks whether it was interrupted."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ReplayThread:
    """One thread that runs the calls of others. A context manager: at its end the thread is gone."""

    def __init__(self, name: str = "replay"):
        self._calls: queue.SimpleQueue[tuple[Reply[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        # A daemon, so that code that never comes back keeps no interpreter alive.
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a function in the owning thread; gives what it returns and raises what it raises.

        From the owning thread itself it runs at once. Raises `UsageError` after `close`.
        """
        if threading.current_thread() is self._thread:
            return function(*args, **kwargs)
        reply: Reply[_T] = Reply()
        with self._lock:
            self._check_open()
            self._calls.put((reply, lambda: function(*args, **kwargs)))
        try:
            while not wait([reply], timeout=_CHECK_SECONDS).done:
                pass  # a signal that comes just before the wait is seen after it
            return reply.result()
        except BaseException:
            reply.cancel()  # of no effect once it runs
            raise

    def soon(self, function: Callable[[], object]) -> None:
        """Have a function run in the owning thread, and don't wait for it; of what it raises nobody hears. After
        `close` it does nothing."""
        with self._lock:
            if not self._closed:
                self._calls.put((Reply(), function))

    def listed(self, records: Iterable[_T]) -> list[_T]:
        """All that this iterator gives, run in the owning thread: `thread.listed(watch(workflow, history))`."""
        return self.call(list, records)

    def close(self, timeout: float | None = None, *, last: Callable[[], None] | None = None) -> bool:
        """Let the calls that were made come to their ends, make the `last` one, and end the thread; `False` if it is
        still there after `timeout` seconds. May be called again."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if last is not None:
                    self._calls.put((Reply(), last))
                self._calls.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("this replay is closed: make a new one")

    def _serve(self) -> None:
        while True:
            item = self._calls.get()
            if item is None:
                return
            reply, call = item
            if not reply.set_running_or_notify_cancel():
                continue
            try:
                reply.set_result(call())
            except BaseException as error:
                reply.set_exception(error)
            del item, reply, call  # what the caller forgets is not kept until the next call
