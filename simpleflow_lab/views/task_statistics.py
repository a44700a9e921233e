"""The tasks of many executions: how often, how long, and how they failed.

Rule: attempts are counted. A histogram of failures is by the type of the error, as far as the reason tells it.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import Any, Final

from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import TASKS, Attempt
from simpleflow_lab.views.formatting import shortened
from simpleflow_lab.views.history_fold import attempts_of
from simpleflow_lab.views.listings import Kind, Listing, json_text

COLUMNS: Final = {
    "kind": Kind.TEXT,
    "name": Kind.TEXT,
    "executions": Kind.COUNT,
    "count": Kind.COUNT,
    "completed": Kind.COUNT,
    "failed": Kind.COUNT,
    "open": Kind.COUNT,
    "failures": Kind.JSON,
    "mean": Kind.SECONDS,
    "median": Kind.SECONDS,
    "p95": Kind.SECONDS,
    "slowest": Kind.SECONDS,
    "mean_waiting": Kind.SECONDS,
}
"""`failures` counts by type: `{"ValueError": 2, "timed_out START_TO_CLOSE": 1}`."""
_MAX_TYPES: Final = 20
"""Types of failures that are told apart; the rarer ones are `other`."""


class _Group:
    """The attempts of one kind and name."""

    def __init__(self) -> None:
        self.executions: set[int] = set()
        self.states: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.running: list[float] = []
        self.waiting: list[float] = []

    def add(self, attempt: Attempt, execution: int) -> None:
        self.executions.add(execution)
        self.states["open" if attempt.open else "failed" if attempt.failed else attempt.state] += 1
        self.waiting.append(attempt.waiting)
        if attempt.failed:
            self.failures[type_of_failure(attempt)] += 1
        if attempt.running is not None and not attempt.open:
            self.running.append(attempt.running)

    def row(self) -> tuple[Any, ...]:
        common = self.failures.most_common(_MAX_TYPES)
        rest = self.failures.total() - sum(number for _, number in common)
        failures = dict(common) | ({"other": rest} if rest else {})
        running = sorted(self.running)
        return (
            len(self.executions),
            self.states.total(),
            self.states["completed"],
            self.states["failed"],
            self.states["open"],
            json_text(failures) if failures else None,
            statistics.fmean(running) if running else None,
            statistics.median(running) if running else None,
            percentile(running, 95) if running else None,
            running[-1] if running else None,
            statistics.fmean(self.waiting),
        )


class StatisticsOfTasks:
    """Counts the attempts of one history after the other."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}
        self._executions = 0

    def add(self, history: History) -> None:
        """Count the attempts of one more execution."""
        self._executions += 1
        for attempt in attempts_of(history):
            if attempt.kind in TASKS:
                self._groups.setdefault((attempt.kind, attempt.name), _Group()).add(attempt, self._executions)

    def listing(self) -> Listing:
        """One row per kind and name, the one with the longest mean first; what never ran comes last."""
        rows = [(*key, *group.row()) for key, group in self._groups.items()]
        mean = list(COLUMNS).index("mean")
        rows.sort(key=lambda row: (row[mean] is None, -(row[mean] or 0.0), row[:2]))
        return Listing(columns=COLUMNS, rows=rows)


def type_of_failure(attempt: Attempt) -> str:
    """The type of an error, if the reason begins with it (`ValueError: …`), else the state, with SWF's timeout type."""
    if attempt.shown_state != attempt.state:
        return attempt.shown_state
    if attempt.state == "timed_out":
        return f"timed_out {attempt.timeout_type}" if attempt.timeout_type else "timed_out"
    name, colon, _ = (attempt.reason or "").partition(":")
    if colon and name.strip() and all(part.isidentifier() for part in name.strip().split(".")):
        return shortened(name.strip())
    return attempt.state


def percentile(ordered: list[float], percent: float) -> float:
    """The value below which so many per cent of the ordered values are, interpolated as numpy does."""
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
