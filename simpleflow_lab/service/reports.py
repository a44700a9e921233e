"""Reports of deciders beside their decisions: why none can be made for now, and warnings for the author.

Deciders know it first, and everybody who looks at the execution should: so whoever runs the engine keeps it, within a
bound, and in memory only. What outlasts the engine is reported again, to the next one, by the process that knows it.

Rule: a report is about one decision task. One that comes when that task is not open any more is not kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

MAX_RUNS: Final = 1_000
"""Runs of which reports are kept: the latest."""
MAX_WARNINGS: Final = 50
"""Warnings that are kept of one run: the first."""
MAX_TEXT: Final = 4_000
"""Characters of a message that are kept."""
MAX_BELOW: Final = 20
"""Blocked executions below one that an answer names."""
_MAX_DEPTH: Final = 50

RunName = tuple[str, str, str]
"""Domain, workflow id and run id."""
ParentOf = Callable[[RunName], RunName | None]
"""Gives the execution that started one as a child, or `None`."""


class BlockedReport(NamedTuple):
    """Why no decision can be made for a run."""

    run: RunName
    error: str
    """Name of the error's class."""
    message: str
    """The message of the error."""
    ends_wait: bool
    """It is the author's to remedy: waiting for the execution would not help."""
    pid: int | None
    """The process that could not decide."""
    since: float
    """When it was reported first, in seconds since 1970."""

    def answer(self) -> dict[str, Any]:
        """The report as an answer of a service."""
        _, workflow_id, run_id = self.run
        return {
            "execution": {"workflowId": workflow_id, "runId": run_id},
            "error": self.error,
            "message": self.message,
            "endsWait": self.ends_wait,
            "since": self.since,
            **({} if self.pid is None else {"pid": self.pid}),
        }


class Reports:
    """The reports of open executions. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocked: OrderedDict[str, BlockedReport] = OrderedDict()
        self._warnings: OrderedDict[str, dict[str, None]] = OrderedDict()
        self.is_empty = True
        """Nothing is kept: a look that costs nothing."""

    def block(self, run: RunName, error: Mapping[str, Any], now: float) -> None:
        """Decisions of this run are blocked by an error, as `WatchableService.report_decision_error` has it.

        `now` is in seconds since 1970. What blocks a run goes on, whatever it says later, until the run is unblocked.
        """
        pid = error.get("pid")
        earlier = self._blocked.get(run[2])
        report = BlockedReport(
            run=run,
            error=str(error.get("error", ""))[:MAX_TEXT],
            message=str(error.get("message", ""))[:MAX_TEXT],
            ends_wait=bool(error.get("endsWait")),
            pid=pid if type(pid) is int else None,
            since=now if earlier is None else earlier.since,
        )
        with self._lock:
            self._put(self._blocked, run[2], report)

    def is_blocked(self, run_id: str) -> bool:
        """Whether decisions of this run are blocked, as far as is known."""
        return run_id in self._blocked

    def unblock(self, run_id: str) -> None:
        """Decisions of this run are not blocked, as far as is known."""
        with self._lock:
            self._blocked.pop(run_id, None)
            self._empty()

    def warn(self, run: RunName, message: str) -> None:
        """There is a warning for the author of this run's workflow; each is kept once."""
        with self._lock:
            known = self._warnings.get(run[2])
            if known is None:
                known = {}
            if len(known) < MAX_WARNINGS:
                known[message[:MAX_TEXT]] = None
            self._put(self._warnings, run[2], known)

    def drop(self, run_id: str) -> None:
        """Forget a run: it has closed."""
        with self._lock:
            self._blocked.pop(run_id, None)
            self._warnings.pop(run_id, None)
            self._empty()

    def describe(self, run: RunName, parent_of: ParentOf) -> dict[str, Any]:
        """The reports about a run, as `WatchableService.describe_reports` has it."""
        if self.is_empty:
            return {"decisionErrors": [], "warnings": []}
        with self._lock:
            own, others = self._blocked.get(run[2]), [*self._blocked.values()]
            warnings = list(self._warnings.get(run[2], ()))
        found = [] if own is None else [own]
        for report in others:
            if len(found) > MAX_BELOW:
                break
            if report is not own and report.run[0] == run[0] and _is_below(report.run, run, parent_of):
                found.append(report)
        return {"decisionErrors": [report.answer() for report in found], "warnings": warnings}

    def _put(self, latest: OrderedDict[str, Any], run_id: str, value: Any) -> None:
        latest[run_id] = value
        latest.move_to_end(run_id)
        if len(latest) > MAX_RUNS:
            latest.popitem(last=False)
        self.is_empty = False

    def _empty(self) -> None:
        self.is_empty = not self._blocked and not self._warnings


def _is_below(run: RunName, ancestor: RunName, parent_of: ParentOf) -> bool:
    for _ in range(_MAX_DEPTH):
        parent = parent_of(run)
        if parent is None:
            return False
        if parent == ancestor:
            return True
        run = parent
    return False
