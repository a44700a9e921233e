"""For tests: the process kills itself, as `kill -9` would, at the n-th hit of a named point of the engine.

Rule: the environment variable `SIMPLEFLOW_LAB_CRASH_AT=<point>:<n>` names one of `POINTS` and a count. A store or an
engine reads it once, at construction; without the variable a point costs a comparison with `None`. Hits are counted
from 1, over all threads and stores of the process. A wrong name or number is an error, not a run without a crash.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from typing import Final

from simpleflow_lab.exceptions import UsageError

VARIABLE: Final = "SIMPLEFLOW_LAB_CRASH_AT"
"""The environment variable that plans a crash."""
AFTER_REPLY: Final = "after_reply"
"""The point after which threads that were woken are given some time to run."""
POINTS: Final[Mapping[str, str]] = {
    "before_begin": "the writer has taken what is queued and has not begun its transaction",
    "after_insert": "the changes of a transaction are inserted, and nothing is committed",
    "before_commit": "everything is inserted, the uptime too, and nothing is committed",
    "after_commit_before_reply": "everything is on disk, and no waiting thread was woken",
    AFTER_REPLY: "the waiting threads were woken, and had a moment to run",
    "checkpoint": "before the checkpoint of a store that is closed, and once more after it",
    "recover_before_append": "a store was opened and folded; the events that recovery adds are in memory alone",
    "recover_after_append": "the events that recovery adds are on disk, and the engine is not in use yet",
}
"""The points, and what is true there."""
MOMENT_SECONDS: Final = 0.005
"""Seconds for which the process goes on after `AFTER_REPLY`."""


class CrashPoint:
    """A planned crash: a point, and how often it is still to be reached."""

    def __init__(self, point: str, hits: int) -> None:
        self._point = point
        self._left = hits
        self._lock = threading.Lock()

    def at(self, point: str) -> None:
        """Report that `point` is reached. Kills the process if this was the hit that is planned."""
        if point != self._point:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                if point == AFTER_REPLY:
                    time.sleep(MOMENT_SECONDS)
                os.kill(os.getpid(), signal.SIGKILL)


def planned() -> CrashPoint | None:
    """The crash that the environment plans, one object for all callers; `None` without one. Raises `UsageError`."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    if text not in _planned:
        point, _, hits = text.partition(":")
        if point not in POINTS or not hits.isdigit() or not int(hits):
            raise UsageError(f"{VARIABLE}={text}: write <point>:<n>, n from 1, with one of {', '.join(POINTS)}")
        _planned[text] = CrashPoint(point, int(hits))
    return _planned[text]


_planned: Final[dict[str, CrashPoint]] = {}
