"""Decision tasks that can't be answered for now, and the thread that retries them.

Rule: a blocked decision is retried after a pause that doubles with each attempt, and at once when something was defined
that may be the remedy. Retries run in a thread of their own, so that they hold up no other execution; it lives while
something is blocked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.exceptions import (
    CloseNotPermittedError,
    DecisionTaskError,
    DecisionTooLongError,
    HistoryError,
    ValidationException,
)

ENDS_WAIT: Final = (DecisionTaskError, ValidationException, HistoryError)
"""Errors of decisions that the author has to remedy: waiting for the execution would not help."""
FIRST_PAUSE: Final = 1.0
"""Seconds before the first retry of a decision."""
LONGEST_PAUSE: Final = 60.0
"""Longest pause between two retries, in seconds."""


class BlockedDecision(NamedTuple):
    """A decision task that can't be answered for now."""

    task: Mapping[str, Any]
    """The task as it was polled."""
    error: Exception
    """The error of the latest attempt."""
    attempts: int
    """Number of attempts since something was last defined."""
    due: float
    """When to retry, by `time.monotonic`."""

    @property
    def run_id(self) -> str:
        """The run that waits for the decision."""
        return str(self.task["workflowExecution"]["runId"])


class BlockedDecisions:
    """The blocked decisions of one decider, at most one for each run."""

    def __init__(self, name: str, retry: Callable[[BlockedDecision], None]) -> None:
        """`retry` is called in a thread of this name; it puts back the decision if it is still blocked."""
        self._name = name
        self._retry = retry
        self._blocked: dict[str, BlockedDecision] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def put(self, task: Mapping[str, Any], error: Exception, *, attempts: int) -> bool:
        """Retry this decision task later; it was attempted `attempts` times and failed with `error`.

        `False` if nothing is retried any more.
        """
        due = time.monotonic() + pause_before_retry(error, attempts)
        blocked = BlockedDecision(task=task, error=error, attempts=attempts, due=due)
        with self._changed:
            if self._stopped:
                return False
            self._blocked[blocked.run_id] = blocked
            if self._thread is None:
                self._start_thread()
            self._changed.notify()
        return True

    def attempts(self, run_id: str) -> int:
        """The number of attempts of this run's blocked decision; 1 if the run has none."""
        blocked = self._blocked.get(run_id)
        return blocked.attempts if blocked is not None else 1

    def drop(self, run_id: str) -> None:
        """Forget the blocked decision of this run, if it has one: its task was given out again."""
        with self._changed:
            self._blocked.pop(run_id, None)

    def retry_all_now(self) -> None:
        """Retry all of them at once, as if for the first time."""
        self._retry_now(lambda run_id: True)

    def retry_now(self, run_id: str) -> bool:
        """Retry the blocked decision of this run at once, as if for the first time; whether it has one."""
        return self._retry_now(lambda each: each == run_id)

    def _retry_now(self, is_meant: Callable[[str], bool]) -> bool:
        with self._changed:
            meant = [run_id for run_id in self._blocked if is_meant(run_id)]
            for run_id in meant:
                blocked = self._blocked[run_id]
                self._blocked[run_id] = BlockedDecision(
                    task=blocked.task, error=blocked.error, attempts=0, due=time.monotonic()
                )
            self._changed.notify()
        return bool(meant)

    def replace_thread(self, thread_id: int) -> None:
        """Start another thread if this one makes the retries: it is held up, and ends when it comes back."""
        with self._changed:
            if not self._stopped and self._thread is not None and self._thread.ident == thread_id:
                self._start_thread()

    def start(self) -> None:
        """Retry what is blocked from now on, again after `stop`."""
        with self._changed:
            self._stopped = False

    def stop(self) -> list[Mapping[str, Any]]:
        """Retry nothing any more; gives the tasks that were blocked, which are forgotten."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
            tasks = [blocked.task for blocked in self._blocked.values()]
            self._blocked.clear()
        return tasks

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while (blocked := self._next_due()) is not None:
            self._retry(blocked)

    def _next_due(self) -> BlockedDecision | None:
        """Wait for the next decision that is due; `None` at the end of this thread."""
        with self._changed:
            while not self._stopped and self._blocked and threading.current_thread() is self._thread:
                next_due = min(self._blocked.values(), key=lambda each: each.due)
                if next_due.due <= time.monotonic():
                    return self._blocked.pop(next_due.run_id)
                self._changed.wait(max(next_due.due - time.monotonic(), 0))
            if threading.current_thread() is self._thread:
                self._thread = None
            return None


def pause_before_retry(error: Exception, attempts: int) -> float:
    """Seconds to wait before a decision that failed with this error is attempted again."""
    first, longest = FIRST_PAUSE, LONGEST_PAUSE
    if isinstance(error, DecisionTooLongError):
        # An attempt occupies a processor for that long.
        first, longest = max(first, error.seconds), max(longest, 8 * error.seconds)
    if isinstance(error, CloseNotPermittedError):
        attempts = max(attempts, error.times)  # each is a decision task of its own
    doublings = min(max(attempts - 1, 0), 20)  # a blocked decision may be retried for weeks
    return min(first * 2.0**doublings, longest)
