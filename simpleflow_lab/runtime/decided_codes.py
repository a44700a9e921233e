"""The code with which deciders of this process decided: so a later replay can tell whether its code is another.

Rule: bounded, and fingerprints only: no code is kept alive.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from typing import Final

MAX_RUNS: Final = 2_000
"""The most runs of which it is known: those that were decided for last."""


class DecidedCodes:
    """The fingerprints of the code that made the decisions of runs."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, list[tuple[int, str]]] = OrderedDict()
        """By run id: from which decision on which code decided; nothing of a run whose code changes what it uses."""
        self._lock = threading.Lock()

    def note(self, run_id: str, started_event_id: int, before: str, after: str) -> None:
        """The decision that began with this event was made by code that had these fingerprints before and after it.

        If they differ, the code counts something itself: then no more is known of the run.
        """
        with self._lock:
            codes = self._runs.setdefault(run_id, [(started_event_id, before)])
            self._runs.move_to_end(run_id)
            if before != after:
                codes.clear()
            elif codes and codes[-1][1] != before:
                codes.append((started_event_id, before))
            if len(self._runs) > MAX_RUNS:
                self._runs.popitem(last=False)

    def of(self, run_id: str, started_event_id: int) -> str | None:
        """The fingerprint of the code that made this decision; `None` if no decider of this process is known to."""
        with self._lock:
            codes = tuple(self._runs.get(run_id, ()))
        place = bisect_right(codes, started_event_id, key=lambda each: each[0])
        return codes[place - 1][1] if place else None


OF_THIS_PROCESS: Final = DecidedCodes()
"""Those of the deciders of this process."""
