"""A thread that owns replays, which other threads ask for what they want to know.

Fibers live in the thread that made them. A notebook asks from several: cells run in one, clicks on widgets arrive in
another. So a replay that is kept for looking lives in a thread of its own, and every call about it is queued there.

Rule: calls run one after the other, in the order in which they were made. A caller gets what its call returned or
raised. The call of a caller that is interrupted is interrupted, too: `DecisionInterrupted` is raised in it, wherever it
is, and again until it ends, for the author's code may swallow it. C code, as `time.sleep`, can't be interrupted before
it returns. An interrupt reaches no other call: what was not delivered is taken back. Threads that are there when the
interpreter ends are ended before: fibers that live on in a daemon would crash it.
"""

from __future__ import annotations

import atexit
import contextlib
import queue
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import Future as Reply
from concurrent.futures import wait
from types import FrameType, TracebackType
from typing import Any, Final, Generic, ParamSpec, Self, TypeVar

from simpleflow_lab.exceptions import DecisionInterrupted, UsageError
from simpleflow_lab.replay.async_interrupts import interrupt, take_back
from simpleflow_lab.replay.lines import Line, author_frame, line_text

_CHECK_SECONDS: Final = 0.1
"""Seconds that a caller waits before it looks whether it should wait any longer."""
_INTERRUPTS: Final = 10
"""The most times that a call is interrupted until it ends, as many seconds apart as those above."""

_AT_EXIT_SECONDS: Final = 2.0
"""Seconds for which the interpreter waits at its end until the threads have ended, all of them together."""

_alive: Final[weakref.WeakSet[ReplayThread]] = weakref.WeakSet()
"""The threads that were not closed."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ReplayClosedError(UsageError):
    """The thread takes no calls any more."""


class _Call(Generic[_T]):
    """A call that was made."""

    __slots__ = ("function", "is_awaited", "is_interrupted", "reply", "stopped")

    def __init__(self, function: Callable[[], _T], *, is_awaited: bool) -> None:
        self.function = function
        self.is_awaited = is_awaited
        """A caller waits for it."""
        self.reply: Reply[_T] = Reply()
        self.is_interrupted = False
        self.stopped = False
        """Its caller should give up."""


class ReplayThread:
    """One thread that runs the calls of others. A context manager: at its end the thread is gone."""

    def __init__(self, name: str = "replay", *, last: Callable[[], None] | None = None) -> None:
        """`last` is called in it when it is closed, after all other calls."""
        self._last = last
        self._calls: queue.SimpleQueue[_Call[Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._waiting: set[_Call[Any]] = set()
        """The calls whose callers wait."""
        self._running: _Call[Any] | None = None
        # A daemon, so that code that never comes back keeps no interpreter alive.
        self._thread = threading.Thread(target=self._run_calls, name=name, daemon=True)
        self._thread.start()
        _alive.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a function in the owning thread; gives what it returns and raises what it raises.

        From the owning thread itself it runs at once. Raises `UsageError` after `stop`, and `ReplayClosedError` after
        `close`.
        """
        return self.call_watched(_nothing, function, *args, **kwargs)

    def call_watched(
        self, on_wait: Callable[[], None], function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Like `call`. Every now and then, while it waits, the caller calls `on_wait`: what that raises ends the call,
        and is raised."""
        if threading.current_thread() is self._thread:
            return function(*args, **kwargs)
        call: _Call[_T] = _Call(lambda: function(*args, **kwargs), is_awaited=True)
        with self._lock:
            self._check_open()
            self._calls.put(call)
            self._waiting.add(call)
        try:
            while not wait([call.reply], timeout=_CHECK_SECONDS).done:
                on_wait()
                if call.stopped:
                    raise UsageError("stopped before it came to an end")
            return call.reply.result()
        except BaseException:  # an interrupt too: the thread does not go on for nobody
            call.reply.cancel()  # of no effect once it runs
            self._interrupt(call)
            raise
        finally:
            self._waiting.discard(call)

    def soon(self, function: Callable[[], object]) -> None:
        """Have a function run in the owning thread, and don't wait for it; of what it raises nobody hears. After
        `close` it does nothing."""
        with self._lock:
            if not self._closed:
                self._calls.put(_Call(function, is_awaited=False))

    def listed(self, records: Iterable[_T]) -> list[_T]:
        """All that this iterator gives, run in the owning thread: `thread.listed(watch(workflow, history))`."""
        return self.call(list, records)

    def stop(self) -> None:
        """Let those who wait for a call give up, from any thread: the calls are interrupted."""
        for call in tuple(self._waiting):
            call.stopped = True

    def line(self, module: str) -> str:
        """The line that its code runs just now: the innermost one of this module, or else of any author's; empty if it
        runs none."""
        innermost: FrameType | None = sys._current_frames().get(self._thread.ident or 0)
        frame = innermost
        while frame is not None and frame.f_globals.get("__name__") != module:
            frame = frame.f_back
        frame = frame or author_frame(innermost)
        if frame is None or frame.f_globals.get("__name__") == threading.__name__:
            return ""
        return line_text(Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname))

    def close(self, timeout: float | None = None) -> bool:
        """Let the calls that were made come to their ends, and the last one, and end the thread; `False` if it is still
        there after `timeout` seconds. A call for which nobody waits is interrupted. May be called again."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if self._last is not None:
                    self._calls.put(_Call(self._last, is_awaited=True))
                self._calls.put(None)
            is_inside = threading.current_thread() is self._thread  # the garbage of others is collected there, too
            if self._running is not None and not self._running.is_awaited and not is_inside:
                self._raise(self._running)
        if not is_inside:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _check_open(self) -> None:
        if self._closed:
            raise ReplayClosedError("this replay is closed: make a new one")

    def _interrupt(self, call: _Call[Any]) -> None:
        """End this call, or the one for which nobody waits and that holds it up."""
        for _ in range(_INTERRUPTS):
            with self._lock:
                running = self._running
                if running is None or (running is not call and running.is_awaited):
                    return
                self._raise(running)
            if wait([running.reply], timeout=_CHECK_SECONDS).done:
                return
        call.is_awaited = False  # who comes later may try again

    def _raise(self, call: _Call[Any]) -> None:
        """Interrupt the call that runs. Call it with the lock held."""
        call.is_interrupted = True
        interrupt(self._thread.ident or 0)

    def _run_calls(self) -> None:
        while True:
            call = self._calls.get()
            if call is None:
                return
            if call.reply.set_running_or_notify_cancel():
                self._run(call)
            del call  # what the caller forgets is not kept until the next call

    def _run(self, call: _Call[Any]) -> None:
        try:
            try:
                with self._lock:
                    self._running = call
                result = call.function()
            finally:
                self._end(call)
        except DecisionInterrupted as error:
            self._end(call)  # the interrupt may have come in the midst of the first time
            call.reply.set_exception(error)
        except BaseException as error:  # raised again in the thread that called
            call.reply.set_exception(error)
        else:
            call.reply.set_result(result)

    def _end(self, call: _Call[Any]) -> None:
        """It runs no longer: take back an interrupt that was not delivered."""
        with self._lock:
            self._running = None
            if call.is_interrupted:
                take_back()


def _nothing() -> None:
    """Wait on."""


@atexit.register
def _end_all() -> None:
    """End the threads that are there before the interpreter ends, as far as they can be interrupted."""
    threads = list(_alive)
    for thread in threads:
        thread.stop()
        with contextlib.suppress(RuntimeError):
            thread.close(0)
    for thread in threads:
        thread.close(_AT_EXIT_SECONDS / len(threads))
