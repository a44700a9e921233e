"""Connections of which nothing signed has come yet: how many there may be, and for how long.

Any program on this machine can connect to the endpoint, another user's too. What it sends costs a thread and memory
before it is refused, and one that sends nothing, or a byte now and then, is never refused by what it says.

Rule: a program that has the key signs its first request within moments. So of too many the earliest goes,
and each has a limited time until its first signed request has come whole. From then on a connection is its program's
as long as it likes.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Final

MAX_UNSIGNED: Final = 64
"""The most connections without a signed request."""
UNSIGNED_SECONDS: Final = 10.0
"""The most seconds for which each of them may be there."""
_LONGEST_STEP: Final = 1.0
"""More time between two checks is none in which this process ran: it was suspended, or had no processor."""


class UnsignedConnections:
    """The connections without a signed request. Any thread may call it."""

    def __init__(self, *, seconds: float = UNSIGNED_SECONDS, at_most: int = MAX_UNSIGNED) -> None:
        self._seconds = seconds
        self._at_most = at_most
        self._since: dict[socket.socket, float] = {}
        """The time since which each is there, the earliest first, by `_seconds_run`."""
        self._ended: set[socket.socket] = set()
        """Those that were ended here, until they are closed."""
        self._lock = threading.Lock()
        self._seconds_run = 0.0
        """Seconds for which this process has run."""
        self._checked_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._since)

    def came(self, connection: socket.socket) -> None:
        """A connection was accepted."""
        with self._lock:
            self._since[connection] = self._seconds_run
            too_many = len(self._since) - self._at_most
            gone = [] if too_many <= 0 else list(self._since)[:too_many]
            self._end(gone)

    def signed_request_came(self, connection: socket.socket) -> bool:
        """A signed request has come on it. `False` if it was ended before: nothing could be answered any more."""
        with self._lock:
            self._since.pop(connection, None)
            return connection not in self._ended

    def left(self, connection: socket.socket) -> None:
        """It is closed."""
        with self._lock:
            self._since.pop(connection, None)
            self._ended.discard(connection)

    def end_late(self) -> None:
        """End the connections whose time is over. To be called several times a second."""
        now = time.monotonic()
        with self._lock:
            self._seconds_run += min(now - self._checked_at, _LONGEST_STEP)
            self._checked_at = now
            gone = [each for each, since in self._since.items() if self._seconds_run - since > self._seconds]
            self._end(gone)

    def _end(self, connections: list[socket.socket]) -> None:
        """End connections in both directions: the threads that read from them go on, and close them."""
        for each in connections:
            del self._since[each]
            self._ended.add(each)
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
