"""The time limit of a decision while somebody waits for what comes of it: `SIMPLEFLOW_LAB_STEP_SECONDS`.

Rule: time in which no code could run, as while the process was suspended, is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from simpleflow_lab import settings
from simpleflow_lab.exceptions import DecisionTooLongError

_MOST_COUNTED: Final = 1.0
"""Seconds between two looks at the code that count."""


class DecisionLimit:
    """The limit for the decisions of one call, which is looked at now and then by who waits for it."""

    def __init__(self, progress: Callable[[], int]) -> None:
        """`progress` grows with each decision."""
        self._limit = settings.current().lab_step_seconds
        self._progress = progress
        self._known = progress()
        self._looked, self._lasted = time.monotonic(), 0.0

    def check(self, line: Callable[[], str]) -> None:
        """Raise `DecisionTooLongError` if the current decision runs for too long; `line` says where it is."""
        now = time.monotonic()
        self._lasted += min(now - self._looked, _MOST_COUNTED)
        self._looked, progress = now, self._progress()
        if self._known != progress:
            self._lasted, self._known = 0.0, progress
        elif self._limit and self._lasted >= self._limit:
            raise DecisionTooLongError(self._limit, line())
