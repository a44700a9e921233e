"""Keeps the engine's work away from the process's main thread.

Rule: `KeyboardInterrupt` is raised in the main thread only, between any two instructions. So no call changes memory
there: the main thread hands the call to a daemon thread and waits, and an interrupt ends the waiting, not the work.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any


class _QueuedCall:
    """A call that another thread makes for the main thread."""

    __slots__ = ("done", "error", "function", "result")

    def __init__(self, function: Callable[[], Any]):
        self.function = function
        self.done = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None


class OffMainThread:
    """Runs calls for the main thread."""

    def __init__(self, name: str):
        self._name = name
        self._idle: list[queue.SimpleQueue[_QueuedCall | None]] = []

    def run(self, function: Callable[[], Any], on_interrupt: Callable[[], None]) -> Any:
        """The result of `function()`, run in a daemon thread if this is the main thread.

        When the waiting is interrupted, `on_interrupt()` runs in a daemon thread too, and the call is left to itself.
        """
        if threading.current_thread() is not threading.main_thread():
            return function()
        call = self._start(function)
        try:
            call.done.wait()
        except BaseException:
            self._start(on_interrupt)
            raise
        if call.error is not None:
            raise call.error
        return call.result

    def _start(self, function: Callable[[], Any]) -> _QueuedCall:
        call = _QueuedCall(function)
        try:
            calls = self._idle.pop()
        except IndexError:
            calls = queue.SimpleQueue[_QueuedCall | None]()
            threading.Thread(target=self._serve, args=(calls,), name=self._name, daemon=True).start()
        calls.put(call)
        return call

    def close(self) -> None:
        """Let idle threads end."""
        while self._idle:
            self._idle.pop().put(None)

    def _serve(self, calls: queue.SimpleQueue[_QueuedCall | None]) -> None:
        while (call := calls.get()) is not None:
            try:
                call.result = call.function()
            except BaseException as error:
                call.error = error
            self._idle.append(calls)
            call.done.set()
            del call
