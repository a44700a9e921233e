"""The progress of an execution, in numbers."""

from __future__ import annotations

from typing import Final, NamedTuple

from simpleflow_lab.activity_context import ActivityProgress
from simpleflow_lab.executions.execution_reader import ExecutionReader

_JUST_NOW: Final = 1.0
"""Seconds for which a wait is not yet given as a reason why nothing goes on."""


class Progress(NamedTuple):
    """The numbers of activity tasks, child executions, lambdas and timers by their states, all attempts of one as
    one."""

    status: str
    """OPEN, or SWF's close status."""
    events: int
    """Events so far."""
    waiting: int
    """Scheduled, and not started."""
    running: int
    """Started, and not closed."""
    completed: int
    failed: int
    """Failed, timed out, canceled or terminated at their latest attempt."""
    seconds: float
    """Since the execution started, up to its close."""
    running_names: tuple[str, ...]
    """Names of the types of what runs, without repetition."""
    activities: tuple[ActivityProgress, ...] = ()
    """The progress of the activities that run in this process, by their latest heartbeats."""
    unfinished: int = 0
    """Not finished when the execution closed: scheduled or started, and without a result."""
    waits: str = ""
    """Why nothing goes on, in a few words, as `signal go`; empty while workers and deciders are at work."""

    @property
    def total(self) -> int:
        """All tasks so far."""
        return self.waiting + self.running + self.completed + self.failed + self.unfinished


def progress_of(reader: ExecutionReader) -> Progress:
    """The numbers of its tasks that wait, run, completed and failed, and how far the activities are that run here."""
    from simpleflow_lab.executions.waits_below import waits_with
    from simpleflow_lab.views.waiting import phrase, reasons

    folded = reader.folded()
    counts, first, last = folded.task_counts, folded.history[0], folded.history[-1]
    closed = folded.history.close_status
    end = last.timestamp if closed else folded.until
    waits = [] if closed else reasons(waits_with(reader, folded, reader.waiting()))
    # What was scheduled just now is about to be taken.
    waits = [wait for wait in waits if wait.since is None or (end - wait.since).total_seconds() > _JUST_NOW]
    return Progress(
        status=closed or "OPEN",
        events=last.id,
        waiting=counts.waiting,
        running=counts.running,
        completed=counts.completed,
        failed=counts.failed,
        unfinished=counts.unfinished,
        seconds=max((end - first.timestamp).total_seconds(), 0.0),
        running_names=counts.running_names,
        waits=phrase(waits),
        activities=tuple(reader.pool.activity_progress(reader.run_id)),
    )
