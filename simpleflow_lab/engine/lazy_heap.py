"""A priority queue whose items may become obsolete while they wait.

Rule: no search for an item to remove. An obsolete item is dropped when it comes to the top; and when the heap has
doubled since it was last compacted, all obsolete items are dropped at once. So pushing and popping stay cheap whatever
becomes of the items.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_MIN_COMPACTION: Final = 256
"""A heap of no more items than this is never compacted."""


class LazyHeap(Generic[T]):
    """Items by ascending key; first in, first out among equal keys."""

    __slots__ = ("_compact_at", "_count", "_heap", "_is_pending")

    def __init__(self, is_pending: Callable[[T], bool]) -> None:
        """`is_pending(item)` says whether an item is still of use; once it is false it must stay false."""
        self._is_pending = is_pending
        self._heap: list[tuple[tuple[int, ...], int, T]] = []
        self._count = 0
        self._compact_at = _MIN_COMPACTION

    def push(self, key: tuple[int, ...], item: T) -> None:
        """Add an item. All keys of a heap have the same length."""
        self._count += 1
        heapq.heappush(self._heap, (key, self._count, item))
        if len(self._heap) > self._compact_at:
            self._heap = [entry for entry in self._heap if self._is_pending(entry[2])]
            heapq.heapify(self._heap)
            self._compact_at = max(_MIN_COMPACTION, 2 * len(self._heap))

    def first(self, *, before: tuple[int, ...] | None = None) -> tuple[tuple[int, ...], T] | None:
        """The smallest key of a pending item, and that item; `None` if none is pending, or none `before` this key."""
        while self._heap:
            key, _, item = self._heap[0]
            if before is not None and key >= before:
                return None
            if self._is_pending(item):
                return key, item
            heapq.heappop(self._heap)
        return None

    def pop(self) -> T | None:
        """Remove and return the pending item with the smallest key; `None` if no item is pending."""
        return None if self.first() is None else self.pop_first()

    def pop_first(self) -> T:
        """Remove and return the item that `first` gave just now."""
        return heapq.heappop(self._heap)[2]

    def __iter__(self) -> Iterator[T]:
        """The pending items, in no particular order."""
        return (item for _, _, item in self._heap if self._is_pending(item))
