"""Threads that wait for the engine: a sleep that another thread ends.

Rule: nobody looks again and again. Who waits sleeps on a lock of its own; who has something for it opens it, once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Waiter:
    """One thread's sleep."""

    __slots__ = ("_woken", "over")

    def __init__(self) -> None:
        self.over = False
        """It was woken, or gave up."""
        self._woken = threading.Lock()
        self._woken.acquire()

    def sleep(self, seconds: float) -> None:
        """Wait until it is woken, or for so long. Not under the engine's lock."""
        self._woken.acquire(timeout=max(0.0, seconds))

    def wake(self) -> None:
        """End its sleep, once. Under the engine's lock."""
        if not self.over:
            self.over = True
            self._woken.release()

    def wake_later(self, waker: Callable[[threading.Lock], None]) -> None:
        """Let somebody else end its sleep, by releasing the lock. Under the engine's lock."""
        if not self.over:
            self.over = True
            waker(self._woken)


class HistoryWaiter(Waiter):
    """One thread that waits for something to happen to an execution."""

    __slots__ = ("until_closed",)

    def __init__(self, until_closed: bool):
        super().__init__()
        self.until_closed = until_closed
        """Nothing but the execution's end concerns it."""


class HistoryWaiters:
    """Who watches which execution. Used under the engine's lock."""

    def __init__(self) -> None:
        self._of: dict[int, list[HistoryWaiter]] = {}

    def add(self, key: int, waiter: HistoryWaiter) -> None:
        """Let it watch the execution of this number."""
        self._of.setdefault(key, []).append(waiter)

    def notify(self, key: int, *, closed: bool) -> None:
        """Something happened to the execution: wake whom it concerns. Who is woken watches no longer."""
        if key in self._of:
            rest = []
            for waiter in self._of.pop(key):
                if closed or not waiter.until_closed:
                    waiter.wake()
                elif not waiter.over:
                    rest.append(waiter)
            if rest:
                self._of[key] = rest

    def forget(self, key: int, waiter: HistoryWaiter) -> None:
        """It gave up."""
        waiter.over = True
        rest = [other for other in self._of.pop(key, ()) if other is not waiter]
        if rest:
            self._of[key] = rest

    def wake_all(self) -> None:
        """Nothing will happen any more."""
        for key in list(self._of):
            self.notify(key, closed=True)
