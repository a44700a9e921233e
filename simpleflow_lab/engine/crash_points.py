"""For tests: the process kills itself, as `kill -9` would, at the n-th passage of a named point of the engine.

Rule: `SIMPLEFLOW_LAB_CRASH_AT=<point>:<n>` says where, before an engine is constructed. The points are those of
`POINTS`; a store or an engine asks once, at construction, whether one is planned, and does not look again: without the
variable there is nothing at a point but a comparison with `None`. Passages are counted from 1, in the whole process,
whoever passes. A name or a number that is not one is an error, not a run without a crash.
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
AFTER_REPLY: Final = "after_reply"
POINTS: Final[Mapping[str, str]] = {
    "before_begin": "the writer has taken what is queued and has not begun its transaction",
    "after_insert": "one of the calls of a transaction is inserted, and nothing is committed",
    "before_commit": "everything is inserted, and nothing is committed",
    "after_commit_before_reply": "everything is on disk, and nobody was told",
    AFTER_REPLY: "those who wait were told, and had a moment to go on",
    "checkpoint": "before the checkpoint of a store that is closed, and once more after it",
    "recover_before_append": "a store was opened and folded; what recovery adds is in memory alone",
    "recover_after_append": "what recovery adds is on disk, and nobody uses the engine yet",
}
"""The points, and what is true there."""
MOMENT_SECONDS: Final = 0.005
"""What those who were told are given to go on."""


class CrashPoint:
    """The passage at which the process ends."""

    def __init__(self, point: str, hits: int):
        self._point = point
        self._left = hits
        self._lock = threading.Lock()

    def at(self, point: str) -> None:
        """This point is passed."""
        if point != self._point:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                if point == AFTER_REPLY:
                    time.sleep(MOMENT_SECONDS)
                os.kill(os.getpid(), signal.SIGKILL)


def planned() -> CrashPoint | None:
    """The crash that the environment asks for: the same one for all who ask. Raises `UsageError`."""
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
