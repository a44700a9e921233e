"""Replays of open executions, cached by the thread that made them.

Rule: a replay is closed when it leaves the cache, unless `take` gave it away; and only its own thread may close it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from simpleflow_lab.replay.replay import Replay

REPLAY_CACHE_SIZE: Final = 500
"""Replays that each thread of a decider caches."""


class ReplayCache:
    """The latest used replays, by run id."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._replays: OrderedDict[str, Replay] = OrderedDict()

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._replays

    def take(self, run_id: str) -> Replay | None:
        """The replay of this run, which leaves the cache, or `None`."""
        return self._replays.pop(run_id, None)

    def put(self, run_id: str, replay: Replay) -> None:
        """Cache a replay. If there are too many, the one that was not used longest is closed."""
        self._replays[run_id] = replay
        while len(self._replays) > self._size:
            self._replays.popitem(last=False)[1].close()

    def clear(self) -> None:
        """Close all of them."""
        for replay in self._replays.values():
            replay.close()
        self._replays.clear()
