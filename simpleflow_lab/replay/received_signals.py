"""The signals that one execution received, and the futures that wait for them.

`wait_for` is about a name: it gives the latest signal that was received, or else the next. `take` is about occurrences:
each signal goes to one taker, first come, first served, the earlier signals included.
"""

from __future__ import annotations

from collections import deque

from simpleflow_lab.signal import Signal, SignalFuture


class ReceivedSignals:
    """The received signals of one run."""

    def __init__(self) -> None:
        self._received: dict[str, list[Signal]] = {}
        self._waiting: dict[str, list[SignalFuture]] = {}
        self._takers: dict[str, deque[SignalFuture]] = {}
        self._taken: dict[str, int] = {}

    def add(self, signal: Signal) -> None:
        """A signal was received: give it to the futures that wait for it."""
        self._received.setdefault(signal.name, []).append(signal)
        for future in self._waiting.pop(signal.name, []):
            if not future.done:
                future.set_signal(signal)
        self._hand_out(signal.name)

    def wait_for(self, name: str, future: SignalFuture) -> None:
        """Give the future the latest signal of this name, or else the next one."""
        received = self._received.get(name)
        if received:
            future.set_signal(received[-1])
        else:
            self._waiting.setdefault(name, []).append(future)

    def take(self, name: str, future: SignalFuture) -> None:
        """Give the future the first signal of this name that is not taken."""
        self._takers.setdefault(name, deque()).append(future)
        self._hand_out(name)

    @property
    def awaited(self) -> list[str]:
        """Names of the signals that some future waits for, sorted."""
        if not self._waiting and not self._takers:
            return []
        waiting = [*self._waiting.items(), *self._takers.items()]
        return sorted({name for name, futures in waiting if any(not future.done for future in futures)})

    def begin_rerun(self) -> None:
        """The code is about to run from its start: no future waits, and no signal is taken."""
        self._waiting.clear()
        self._takers.clear()
        self._taken.clear()

    def _hand_out(self, name: str) -> None:
        """Give each signal to one taker, in order; takers whose futures are done are skipped."""
        takers, received = self._takers.get(name), self._received.get(name, [])
        while takers and (takers[0].done or self._taken.get(name, 0) < len(received)):
            taker = takers.popleft()
            if not taker.done:
                number = self._taken.get(name, 0)
                self._taken[name] = number + 1
                taker.set_signal(received[number])
