"""The link of a supervised process to its supervisor: a socket that it was started with.

The supervisor says what to serve, and later to stop: first to finish what is in progress, then to cancel it. The
process says that it is ready, what it does, and why it can't go on. SIGTERM and SIGINT say the same to one process
alone.

Rule: a process without its supervisor cancels and ends: nobody would start it again, and nobody could stop it. And a
handler of signals takes no lock: the main thread, in which it runs, may hold it.
"""

from __future__ import annotations

import contextlib
import queue
import select
import signal
import socket
import threading
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.runtime.forked.framed_messages import FramedMessages

DRAIN, CANCEL, KILL = 1, 2, 3
"""The levels of a stop: to finish what is in progress, to cancel it, to end without a word."""

STOPS: Final[Mapping[str, int]] = {"drain": DRAIN, "cancel": CANCEL}
"""The supervisor's words for them."""


class SupervisorLink:
    """The supervised process's end of the link. Its methods are called by the main thread."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` is the number of the open socket."""
        self._messages = FramedMessages(socket.socket(fileno=descriptor))
        self._signals = 0
        self._requested = 0
        self._changed = queue.SimpleQueue[None]()  # of the queues and locks, the one that a handler of signals may use
        self._pending: list[dict[str, Any]] = []

    def work(self) -> Mapping[str, Any] | None:
        """The work that the supervisor gives this process; waits for it. `None` if the supervisor has gone."""
        try:
            while not self._pending:
                self._pending.extend(self._messages.receive())
        except EOFError:
            return None
        work = self._pending.pop(0)
        threading.Thread(target=self._listen, name="supervisor", daemon=True).start()
        return work

    def handle_signals(self) -> None:
        """Take SIGTERM and SIGINT as a request to stop: the first to drain, the second to cancel."""

        def count(number: int, frame: object) -> None:
            self._signals += 1
            self._changed.put(None)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, count)

    @property
    def stop(self) -> int:
        """The level of the stop that was asked for, 0 if none was."""
        return max(self._signals, self._requested)

    def wait(self, seconds: float) -> None:
        """Wait until a stop, or more of one, is asked for, at most for `seconds`."""
        with contextlib.suppress(queue.Empty):
            self._changed.get(timeout=seconds)

    def send(self, message: Mapping[str, Any]) -> None:
        """Tell the supervisor; if it has gone, `stop` will say so."""
        try:
            self._messages.send(message)
        except OSError:
            self._asks(CANCEL)

    def offer(self, message: Mapping[str, Any]) -> bool:
        """Tell the supervisor, unless it takes nothing for now, as one that is suspended; gives whether it was told."""
        writable = select.poll()
        writable.register(self._messages, select.POLLOUT)
        if not writable.poll(0):
            return False
        self.send(message)
        return True

    def _asks(self, stop: int) -> None:
        self._requested = max(self._requested, stop)
        self._changed.put(None)

    def _listen(self) -> None:
        try:
            messages = iter(self._pending)
            while True:
                for message in messages:
                    self._asks(STOPS.get(str(message.get("stop")), 0))
                messages = self._messages.receive()
        except EOFError:
            self._asks(CANCEL)
