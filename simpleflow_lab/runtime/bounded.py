"""Memory for what is known of executions, with a bound: a kernel runs for weeks, and starts executions without end.

Rule: nothing in this process may grow with the number of executions that it has ever seen.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class LatestUsed(Generic[Key, Value]):
    """A mapping of at most `size` entries: when one too many is put in, the entry that was not used longest is dropped.

    Threads may share it.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: Key, value: Value) -> None:
        """Set the value of a key."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def get(self, key: Key) -> Value | None:
        """The value of a key, which counts as a use, or `None`."""
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def values(self) -> list[Value]:
        """The values, which does not count as a use."""
        with self._lock:
            return list(self._entries.values())

    def drop(self, key: Key) -> None:
        """Remove a key, if it is there."""
        with self._lock:
            self._entries.pop(key, None)
