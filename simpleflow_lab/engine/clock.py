"""Time, as an argument: what a clock shows, how long a process did not run, and a way to wait until a given time.

A clock has two hands. The *wall* hand shows milliseconds since 1970; it may be set, to and fro. The *elapsed* hand
can't be set and goes on while the computer sleeps; with it the clock says for how much of that time this process did
not run: it was suspended, the computer slept, or something kept the interpreter for itself.

`EngineTime` makes one time of them, which events show and deadlines are measured by. It begins at the time on the wall,
or at the latest time that the store has recorded if that is later, and then follows the elapsed hand. So it never goes
back, not even from one engine of a store to the next; a wall clock that is set moves no deadline; and the difference of
two event times is how long something took. It meets the wall again when a store is opened, and while no execution is
open, for nothing is being measured then; a wall that was set back is left behind until it has caught up.

Rule: nothing else in the engine reads a clock. Long polls are the exception: how long a thread waits for work is real
time whatever the clock shows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

TICK_SECONDS: Final = 1.0
"""The most seconds that `SystemClock.wait` sleeps. So often a process that runs reads its clock."""
SUSPENDED_SECONDS: Final = 2.0
"""A process that has not read its clock for longer than this did not run meanwhile."""
_LONGEST_PAUSE: Final = round(SUSPENDED_SECONDS * 1000)


class Elapsed(NamedTuple):
    """The time that has elapsed, which nobody can set."""

    milliseconds: int
    """Time since a moment that never changes while the clock exists."""
    suspended: int
    """Milliseconds, of those since the clock was made, for which this process did not run. It never decreases."""


class Clock(Protocol):
    """A clock as the engine needs it."""

    def now(self) -> int:
        """The time on the wall: milliseconds since 1970."""
        ...

    def elapsed(self) -> Elapsed:
        """The time that nobody can set."""
        ...

    def wait(self, wake: threading.Event, until: int | None, *, idle: bool) -> None:
        """Return when `wake` is set or `elapsed` has come to `until`; earlier returns are allowed. `None` is never.

        `idle` says that nothing can happen before `until` unless a client calls: no task is queued or running. A clock
        that is not real may then jump there.
        """
        ...


def _wall() -> int:
    return time.time_ns() // 1_000_000


_ELAPSED_HAND: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The clock that goes on while the computer sleeps. On macOS `CLOCK_MONOTONIC` does."""


def _elapsed() -> int:
    return time.clock_gettime_ns(_ELAPSED_HAND) // 1_000_000


class SystemClock:
    """The computer's clock. It must be read every `TICK_SECONDS`, for it takes a longer pause for a suspension."""

    def __init__(self, *, wall: Callable[[], int] = _wall, elapsed: Callable[[], int] = _elapsed) -> None:
        """`wall` and `elapsed` give what the two hands show, in milliseconds."""
        self._wall = wall
        self._hand = elapsed
        self._lock = threading.Lock()
        self._read_at = elapsed()
        self._suspended = 0

    def now(self) -> int:
        """The time on the wall: milliseconds since 1970."""
        return self._wall()

    def elapsed(self) -> Elapsed:
        """The time that nobody can set; reading it is this process's sign that it runs."""
        with self._lock:  # so that of the threads that wake after a suspension one finds it
            now = self._hand()
            pause = now - self._read_at
            if pause > _LONGEST_PAUSE:
                self._suspended += pause
            self._read_at = now
            return Elapsed(now, self._suspended)

    def wait(self, wake: threading.Event, until: int | None, *, idle: bool) -> None:
        """Sleep until `wake` is set, the time has come, or `TICK_SECONDS` have passed."""
        seconds = TICK_SECONDS if until is None else (until - self._hand()) / 1000
        if seconds > 0:
            wake.wait(min(seconds, TICK_SECONDS))


class ManualClock:
    """A clock that shows the same time until it is told to go on."""

    def __init__(self, start: int = 1_700_000_000_000, *, jumps: bool = False) -> None:
        """`start` is in milliseconds since 1970. A clock that `jumps` goes to the next deadline of an idle engine."""
        self._elapsed = start
        self._wall_ahead = 0
        self._suspended = 0
        self._jumps = jumps
        self._lock = threading.Lock()
        self._waiting: set[threading.Event] = set()

    def now(self) -> int:
        """The time on the wall: milliseconds since 1970."""
        return self._elapsed + self._wall_ahead

    def elapsed(self) -> Elapsed:
        """The time that only `advance` and `suspend` move."""
        return Elapsed(self._elapsed, self._suspended)

    def advance(self, seconds: float) -> None:
        """Let time pass. Whatever is due by then happens before the engine's next response. Raises `ValueError`."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._set(self._elapsed + round(seconds * 1000))

    def suspend(self, seconds: float) -> None:
        """Let time pass in which the process does not run. Raises `ValueError`."""
        if seconds < 0:
            raise ValueError("time does not go back")
        with self._lock:
            self._suspended += round(seconds * 1000)
        self._set(self._elapsed + round(seconds * 1000))

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock forward by so many seconds; back if they are negative. No time passes."""
        self._wall_ahead += round(seconds * 1000)

    def wait(self, wake: threading.Event, until: int | None, *, idle: bool) -> None:
        """Sleep until `wake` is set or time passes; or jump to `until`, if the clock jumps and the engine is idle."""
        if until is not None and idle and self._jumps:
            self._set(until)
        with self._lock:
            if until is not None and until <= self._elapsed:
                return
            self._waiting.add(wake)
        wake.wait()

    def _set(self, elapsed: int) -> None:
        with self._lock:
            self._elapsed = max(self._elapsed, elapsed)
            for wake in self._waiting:
                wake.set()
            self._waiting.clear()


class Moment(NamedTuple):
    """A time of an engine."""

    at: int
    """Milliseconds since 1970, as events show it."""
    suspended: int
    """Milliseconds, of those since the engine was made, for which its process did not run."""
    running: int
    """Milliseconds for which its process has run, since a moment that never changes."""


class EngineTime:
    """The time of one engine; see the module. Any thread may read it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = clock.now() - clock.elapsed().milliseconds

    def now(self) -> int:
        """Milliseconds since 1970."""
        return self._clock.elapsed().milliseconds + self._ahead

    def moment(self) -> Moment:
        """The time, and for how long the process did and did not run."""
        milliseconds, suspended = self._clock.elapsed()
        return Moment(milliseconds + self._ahead, suspended, milliseconds - suspended)

    def begin_after(self, recorded: int) -> None:
        """Go forward to the latest time that is recorded, if that lies ahead."""
        self._ahead += max(0, recorded - self.now())

    def meet_wall(self) -> None:
        """Go forward to the time on the wall, if that lies ahead. To be called while nothing is being measured."""
        self._ahead = max(self._ahead, self._clock.now() - self._clock.elapsed().milliseconds)

    def wait(self, wake: threading.Event, until: int | None, *, idle: bool) -> None:
        """See `Clock.wait`; `until` is a time of this engine."""
        self._clock.wait(wake, None if until is None else until - self._ahead, idle=idle)
