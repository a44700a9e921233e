"""Heartbeats: a few threads report to SWF that all running activity tasks are alive, and how far they are.

A heartbeat is sent for each task at a third of its heartbeat timeout, whatever the activity itself does. It carries the
progress that the activity noted: the first note is sent at once, then the newest, at most three times in that interval.
SWF's answers reach the activity: that cancellation was requested, or that its task is no longer open.

Rule: a heartbeat that fails is logged, and repeated sooner than the next one would be. Only SWF's answer that the
task is gone ends them.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from simpleflow_lab.activity_context import RunningTask
from simpleflow_lab.exceptions import SimpleflowLabError, UnknownResourceFault
from simpleflow_lab.runtime.pauses import pauses
from simpleflow_lab.service.protocol import SWFService

logger = logging.getLogger(__name__)

LONGEST_INTERVAL = 60.0
"""Seconds between the heartbeats of a task without a heartbeat timeout: it may learn so late that it should stop."""
SHORTEST_INTERVAL = 0.3
"""Seconds between heartbeats, at least."""

_TASKS_PER_THREAD: Final = 8
"""Tasks for each thread: a call may take as long as a network does."""
_MAX_THREADS: Final = 8


def interval(heartbeat_timeout: str, longest: float = LONGEST_INTERVAL) -> float:
    """Seconds between two heartbeats for a timeout as SWF writes it."""
    if not heartbeat_timeout.isdigit():
        return longest
    return min(max(int(heartbeat_timeout) / 3, SHORTEST_INTERVAL), longest)


@dataclass(kw_only=True, slots=True, eq=False)
class _TaskHeartbeats:
    """The heartbeats of one task."""

    token: str
    """SWF's token of the task."""
    task: RunningTask
    """The task as its activity knows it."""
    seconds: float
    """Seconds between two heartbeats."""
    due: float
    """When the next one is sent, by `time.monotonic`; infinite while one is being sent."""
    unsent: bool = False
    """The activity noted progress since the latest one."""
    last: float = -math.inf
    """When the latest one was sent for a report of the activity."""
    pauses: Iterator[float] | None = None
    """Of the heartbeats that are repeated, since the latest one that succeeded."""


class Heartbeats:
    """The heartbeats of all activity tasks that run in this process for one service."""

    def __init__(self, service: SWFService, *, longest: float = LONGEST_INTERVAL) -> None:
        """`longest` is the interval for a task without a heartbeat timeout, in seconds."""
        self._service = service
        self.longest = longest
        self._running: dict[str, _TaskHeartbeats] = {}
        self._due: list[tuple[float, int, _TaskHeartbeats]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._stopped = False
        self._threads: list[threading.Thread] = []

    @property
    def tasks(self) -> list[RunningTask]:
        """The activity tasks that run, in the order in which they were taken."""
        with self._lock:
            return [beat.task for beat in self._running.values()]

    def begin(self, token: str, task: RunningTask, heartbeat_timeout: str) -> None:
        """Send heartbeats for this task from now on; `heartbeat_timeout` is SWF's text."""
        seconds = interval(heartbeat_timeout, self.longest)
        with self._lock:
            beat = self._running[token] = _TaskHeartbeats(token=token, task=task, seconds=seconds, due=math.inf)
            self._schedule(beat, time.monotonic() + seconds)
            if len(self._threads) < min(1 + len(self._running) // _TASKS_PER_THREAD, _MAX_THREADS):
                thread = threading.Thread(target=self._loop, name=f"heartbeats {len(self._threads) + 1}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def send_soon(self, token: str) -> None:
        """Send a heartbeat with the activity's latest note soon, but not too often."""
        with self._lock:
            beat = self._running.get(token)
            if beat is not None:
                beat.unsent = True
                if beat.due != math.inf:  # else the thread that sends one now schedules the next
                    self._schedule(beat, min(beat.due, self._soon(beat)))

    def end(self, token: str) -> None:
        """Send no more heartbeats for this task: it was answered, or never will be."""
        with self._lock:
            self._running.pop(token, None)

    def stop(self) -> None:
        """Send no more heartbeats for any task."""
        with self._lock:
            self._stopped = True
            self._changed.notify_all()

    # -- inside; `_schedule` is called under the lock --

    def _soon(self, beat: _TaskHeartbeats) -> float:
        return max(time.monotonic(), beat.last + beat.seconds / 3)

    def _schedule(self, beat: _TaskHeartbeats, due: float) -> None:
        if due != beat.due:
            beat.due = due
            if len(self._due) > 100 + 4 * len(self._running):
                self._due = [entry for entry in self._due if self._is_valid(entry)]
                heapq.heapify(self._due)
            entry = (due, next(self._order), beat)
            heapq.heappush(self._due, entry)
            if self._due[0] is entry:  # else a thread wakes earlier than this is due
                self._changed.notify()

    def _is_valid(self, entry: tuple[float, int, _TaskHeartbeats]) -> bool:
        due, _, beat = entry
        return beat.due == due and self._running.get(beat.token) is beat

    def _loop(self) -> None:
        while (beat := self._next()) is not None:
            self._beat(beat)

    def _next(self) -> _TaskHeartbeats | None:
        """Wait for the next heartbeat that is due; `None` at the end."""
        with self._lock:
            while not self._stopped:
                # Until the first is due, even if its task has ended: most tasks end long before, and wake no thread.
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                entry = heapq.heappop(self._due)
                if not self._is_valid(entry):
                    continue
                beat = entry[2]
                beat.due = math.inf
                self._changed.notify()  # another thread waits for the next one, for this call may take long
                if beat.unsent:
                    beat.unsent, beat.last = False, time.monotonic()
                return beat
            return None

    def _beat(self, beat: _TaskHeartbeats) -> None:
        details = {} if beat.task.heartbeat_details is None else {"details": beat.task.heartbeat_details}
        try:
            answer = self._service.record_activity_task_heartbeat(taskToken=beat.token, **details)
            if answer["cancelRequested"] and beat.task.canceled is None:
                beat.task.cancel("it was asked to cancel")
        except UnknownResourceFault as fault:
            with self._lock:
                if self._running.pop(beat.token, None) is None:
                    return  # it was answered meanwhile
            beat.task.cancel(f"nobody waits for it any more: {fault.message}", is_gone=True)
            return
        except Exception as error:  # the thread beats for all tasks: one that fails is tried again
            self._repeat(beat, error)
            return
        with self._lock:
            beat.pauses = None
            next_one = time.monotonic() + beat.seconds
            self._schedule(beat, min(next_one, self._soon(beat)) if beat.unsent else next_one)

    def _repeat(self, beat: _TaskHeartbeats, error: Exception) -> None:
        """Send one again that failed: two or three more fit into the task's timeout, even if each takes a while."""
        beat.pauses = beat.pauses or pauses(max(beat.seconds / 4, SHORTEST_INTERVAL), beat.seconds)
        pause = next(beat.pauses)
        logger.warning(
            "a heartbeat of %s failed, the next follows in %.1f s: %s",
            beat.task.context["activity_id"],
            pause,
            error,
            exc_info=not isinstance(error, SimpleflowLabError),
        )
        with self._lock:
            self._schedule(beat, time.monotonic() + pause)
