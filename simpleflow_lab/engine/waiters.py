"""Threads that wait for the engine: each sleeps until another thread wakes it.

Rule: no polling. A waiting thread sleeps on a lock of its own, and the thread that has something for it releases that
lock, once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Waiter:
    """The sleep of one thread. It ends once, and can't begin again."""

    __slots__ = ("_lock", "finished")

    def __init__(self) -> None:
        self.finished = False
        """The thread was woken, or its time was over."""
        self._lock = threading.Lock()
        self._lock.acquire()

    def sleep(self, seconds: float) -> bool:
        """Block the calling thread until `wake`, or for `seconds`; whether it was woken. After that it can't be called
        again. Not to be called under the engine's lock."""
        return self._lock.acquire(timeout=max(0.0, seconds))

    def wake(self) -> None:
        """End the sleep. A second call does nothing. To be called under the engine's lock."""
        if not self.finished:
            self.finished = True
            self._lock.release()

    def wake_later(self, schedule: Callable[[threading.Lock], None]) -> None:
        """Hand the lock on which the thread sleeps to `schedule`, which sees to it that the lock is released.

        To be called under the engine's lock.
        """
        if not self.finished:
            self.finished = True
            schedule(self._lock)


class HistoryWaiter(Waiter):
    """A thread that waits for an execution's history to grow."""

    __slots__ = ("until_closed",)

    def __init__(self, until_closed: bool) -> None:
        super().__init__()
        self.until_closed = until_closed
        """Only the event that closes the execution wakes the thread."""


class HistoryWaiters:
    """All threads that wait for histories, by the number of the execution. Used under the engine's lock."""

    def __init__(self) -> None:
        self._by_key: dict[int, list[HistoryWaiter]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def add(self, key: int, waiter: HistoryWaiter) -> None:
        """Register a thread that waits for the execution with this number."""
        self._by_key.setdefault(key, []).append(waiter)

    def notify(self, key: int, *, closed: bool) -> None:
        """Wake the threads that wait for the execution, for its history has grown, and unregister them.

        Those that wait for its end are woken only if it is `closed`.
        """
        if key in self._by_key:
            remaining = []
            for waiter in self._by_key.pop(key):
                if closed or not waiter.until_closed:
                    waiter.wake()
                elif not waiter.finished:
                    remaining.append(waiter)
            if remaining:
                self._by_key[key] = remaining

    def remove(self, key: int, waiter: HistoryWaiter) -> None:
        """Unregister a thread whose time is over."""
        waiter.finished = True
        remaining = [other for other in self._by_key.pop(key, ()) if other is not waiter]
        if remaining:
            self._by_key[key] = remaining

    def wake_all(self) -> None:
        """Wake every thread, for no history will grow any more."""
        for key in list(self._by_key):
            self.notify(key, closed=True)
