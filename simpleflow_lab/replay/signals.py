"""The signals that came to one execution, and the futures that wait for them.

`wait_for` is about a name: the latest signal that came, or else the next. `take` is about occurrences: each signal goes
to one taker, first come, first served, those that came before included.
"""

from __future__ import annotations

from collections import deque

from simpleflow_lab.signal import Signal, SignalFuture


class Signals:
    """Of one run."""

    def __init__(self) -> None:
        self._came: dict[str, list[Signal]] = {}
        self._waiting: dict[str, list[SignalFuture]] = {}
        self._takers: dict[str, deque[SignalFuture]] = {}
        self._taken: dict[str, int] = {}

    def add(self, signal: Signal) -> None:
        """One more came."""
        self._came.setdefault(signal.name, []).append(signal)
        for future in self._waiting.pop(signal.name, []):
            if not future.done:
                future.set_signal(signal)
        self._hand_out(signal.name)

    def wait_for(self, name: str, future: SignalFuture) -> None:
        """The future gets the latest signal of this name, or else the next one."""
        came = self._came.get(name)
        if came:
            future.set_signal(came[-1])
        else:
            self._waiting.setdefault(name, []).append(future)

    def take(self, name: str, future: SignalFuture) -> None:
        """The future gets the first signal of this name that nobody has taken."""
        self._takers.setdefault(name, deque()).append(future)
        self._hand_out(name)

    @property
    def waited_for(self) -> list[str]:
        """Names of the signals that some future waits for."""
        if not self._waiting and not self._takers:
            return []
        waiting = [*self._waiting.items(), *self._takers.items()]
        return sorted({name for name, futures in waiting if any(not future.done for future in futures)})

    def begin_again(self) -> None:
        """The workflow is about to run from its start: nobody waits, and nothing is taken."""
        self._waiting.clear()
        self._takers.clear()
        self._taken.clear()

    def _hand_out(self, name: str) -> None:
        """Each signal to one taker, in order; those that gave up are passed over."""
        takers, came = self._takers.get(name), self._came.get(name, [])
        while takers and (takers[0].done or self._taken.get(name, 0) < len(came)):
            taker = takers.popleft()
            if not taker.done:
                number = self._taken.get(name, 0)
                self._taken[name] = number + 1
                taker.set_signal(came[number])
