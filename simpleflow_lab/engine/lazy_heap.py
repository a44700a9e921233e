"""A priority queue whose entries may die while they wait.

Rule: nobody looks for an entry to remove it. An entry that no longer means anything is dropped when it comes to the
top, and when the dead may outnumber the living all of them are looked at once; so pushing and popping stay cheap
whatever happens to what was pushed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_SMALLEST_SWEEP: Final = 256


class LazyHeap(Generic[T]):
    """Items by ascending key; first in, first out among equals."""

    __slots__ = ("_alive", "_count", "_heap", "_sweep_at")

    def __init__(self, alive: Callable[[T], bool]):
        """`alive(item)` says whether an item still means anything; once false it stays false."""
        self._alive = alive
        self._heap: list[tuple[tuple[int, ...], int, T]] = []
        self._count = 0
        self._sweep_at = _SMALLEST_SWEEP

    def push(self, key: tuple[int, ...], item: T) -> None:
        """Add an item. Keys of one heap have one length."""
        self._count += 1
        heapq.heappush(self._heap, (key, self._count, item))
        if len(self._heap) > self._sweep_at:
            self._heap = [entry for entry in self._heap if self._alive(entry[2])]
            heapq.heapify(self._heap)
            self._sweep_at = max(_SMALLEST_SWEEP, 2 * len(self._heap))

    def first(self) -> tuple[tuple[int, ...], T] | None:
        """The living item with the smallest key, and that key."""
        while self._heap:
            key, _, item = self._heap[0]
            if self._alive(item):
                return key, item
            heapq.heappop(self._heap)
        return None

    def pop(self) -> T | None:
        """Take the living item with the smallest key."""
        found = self.first()
        if found is None:
            return None
        heapq.heappop(self._heap)
        return found[1]

    def __iter__(self) -> Iterator[T]:
        """The living items, in no order."""
        return (item for _, _, item in self._heap if self._alive(item))
