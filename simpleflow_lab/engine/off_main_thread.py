"""Runs the engine's calls off the process's main thread.

Rule: `KeyboardInterrupt` is raised in the main thread only, between any two instructions. So no call changes the
engine's memory there: the main thread hands the call to a daemon thread and waits for its result. An interrupt ends
the waiting, not the call.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any


class _QueuedCall:
    """A call that another thread makes for the main thread."""

    __slots__ = ("done", "error", "function", "result")

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.done = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None


class OffMainThread:
    """A pool of daemon threads that make calls for the main thread. It grows as needed."""

    def __init__(self, thread_name: str) -> None:
        self._thread_name = thread_name
        self._main_thread = threading.main_thread().ident
        self._idle: list[tuple[threading.Thread, queue.SimpleQueue[_QueuedCall | None]]] = []
        self._closed = False

    def run(self, function: Callable[[], Any], on_interrupt: Callable[[], None]) -> Any:
        """The result of `function()`, which runs in a daemon thread if the caller is the main thread.

        If the main thread is interrupted while it waits, the call goes on, and `on_interrupt()` runs in a daemon thread
        too. Raises what `function` raises.
        """
        if threading.get_ident() != self._main_thread:
            return function()
        call = self._start(function)
        try:
            call.done.wait()
        except BaseException:  # a KeyboardInterrupt in the midst of the wait
            self._start(on_interrupt)
            raise
        if call.error is not None:
            raise call.error
        return call.result

    def _start(self, function: Callable[[], Any]) -> _QueuedCall:
        call = _QueuedCall(function)
        try:
            _, calls = self._idle.pop()
        except IndexError:
            calls = queue.SimpleQueue[_QueuedCall | None]()
            threading.Thread(target=self._run_calls, args=(calls,), name=self._thread_name, daemon=True).start()
        calls.put(call)
        return call

    def close(self) -> None:
        """End the threads: those that are idle before this returns, others with the call that they make.

        A later call has a thread of its own.
        """
        self._closed = True
        while self._idle:
            thread, calls = self._idle.pop()
            calls.put(None)
            thread.join()

    def _run_calls(self, calls: queue.SimpleQueue[_QueuedCall | None]) -> None:
        while (call := calls.get()) is not None:
            try:
                call.result = call.function()
            except BaseException as error:  # raised again in the thread that called
                call.error = error
            self._idle.append((threading.current_thread(), calls))
            call.done.set()
            del call
            if self._closed:
                with contextlib.suppress(ValueError):  # `close` has it, and ends it
                    self._idle.remove((threading.current_thread(), calls))
                    return
