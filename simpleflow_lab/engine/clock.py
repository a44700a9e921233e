"""Time, as an argument: milliseconds since 1970, and a way to wait until a given time.

Rule: nothing else in the engine reads a clock. Long polls are the exception: how long a thread waits for work is real
time whatever the clock shows.
"""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol

LONGEST_WAIT_SECONDS: Final = 5.0
"""How long `SystemClock.wait` sleeps at most: the system's clock may be set, and it goes on while a laptop sleeps."""


class Clock(Protocol):
    """What the engine needs of a clock."""

    def now(self) -> int:
        """Milliseconds since 1970."""
        ...

    def wait(self, wake: threading.Event, until: int | None, *, idle: bool) -> None:
        """Return when `wake` is set or the clock shows `until`; earlier returns are allowed. `None` is never.

        `idle` says that nothing can happen before `until` unless a client calls: no task is queued or running. A clock
        that is not real may then jump there.
        """
        ...


class SystemClock:
    """The computer's clock."""

    def now(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def wait(self, wake: threading.Event, until: int | None, *, idle: bool) -> None:
        """Sleep until `wake` is set, the time has come, or five seconds have passed."""
        seconds = LONGEST_WAIT_SECONDS if until is None else (until - self.now()) / 1000
        if seconds > 0:
            wake.wait(min(seconds, LONGEST_WAIT_SECONDS))


class ManualClock:
    """A clock that shows the same time until `advance` is called."""

    def __init__(self, start: int = 1_700_000_000_000, *, jumps: bool = False):
        """`start` is in milliseconds since 1970. A clock that `jumps` goes to the next deadline of an idle engine."""
        self._now = start
        self._jumps = jumps
        self._lock = threading.Lock()
        self._waiting: set[threading.Event] = set()

    def now(self) -> int:
        """Milliseconds since 1970."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass. Whatever is due by then happens before the engine's next response. Raises `ValueError`."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._set(self._now + round(seconds * 1000))

    def wait(self, wake: threading.Event, until: int | None, *, idle: bool) -> None:
        """Sleep until `wake` is set or time passes; or jump to `until`, if the clock jumps and the engine is idle."""
        if until is not None and idle and self._jumps:
            self._set(until)
        with self._lock:
            if until is not None and until <= self._now:
                return
            self._waiting.add(wake)
        wake.wait()

    def _set(self, now: int) -> None:
        with self._lock:
            self._now = max(self._now, now)
            for wake in self._waiting:
                wake.set()
            self._waiting.clear()
