"""Time, as an argument: milliseconds since 1970, and a way to wait for a moment.

Rule: nothing else in the engine reads a clock. Long polls are the exception: how long a thread waits for work is real
time whatever the clock says.
"""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol

LONGEST_WAIT_SECONDS: Final = 5.0
"""The system's clock may be set, and it goes on while a laptop sleeps: so nobody waits longer without looking."""


class Clock(Protocol):
    """What the engine needs of a clock."""

    def now(self) -> int:
        """Milliseconds since 1970."""
        ...

    def wait(self, wake: threading.Event, until: int | None, *, idle: bool) -> None:
        """Return when `wake` is set or the clock shows `until`; earlier returns are allowed. `None` is never.

        `idle` says that nothing can happen before `until` by itself: no task is queued or running. A clock that is not
        real may then jump there.
        """
        ...


class SystemClock:
    """The computer's clock."""

    def now(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def wait(self, wake: threading.Event, until: int | None, *, idle: bool) -> None:
        """Sleep until `wake` is set, the moment has come, or five seconds have passed."""
        seconds = LONGEST_WAIT_SECONDS if until is None else (until - self.now()) / 1000
        if seconds > 0:
            wake.wait(min(seconds, LONGEST_WAIT_SECONDS))


class ManualClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, start: int = 1_700_000_000_000, *, jumps: bool = False):
        """With `jumps` it goes to the next deadline by itself whenever the engine is idle."""
        self._now = start
        self._jumps = jumps
        self._lock = threading.Lock()
        self._waiting: set[threading.Event] = set()

    def now(self) -> int:
        """Milliseconds since 1970."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass. What was due in between happens before the engine's next answer."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._go_to(self._now + round(seconds * 1000))

    def wait(self, wake: threading.Event, until: int | None, *, idle: bool) -> None:
        """Sleep until `wake` is set or somebody lets time pass; or jump, if that is allowed and nothing is going on."""
        if until is not None and idle and self._jumps:
            self._go_to(until)
        with self._lock:
            if until is not None and until <= self._now:
                return
            self._waiting.add(wake)
        wake.wait()

    def _go_to(self, moment: int) -> None:
        with self._lock:
            self._now = max(self._now, moment)
            for wake in self._waiting:
                wake.set()
            self._waiting.clear()
