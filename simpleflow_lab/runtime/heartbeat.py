"""Heartbeats: a few threads tell SWF of all running activity tasks that they are alive, and how far.

Each task is reported at a third of its heartbeat timeout, whatever the activity itself does. What the activity says of
its progress goes along: the first at once, then the newest, at most three times in that interval. A heartbeat that
fails is logged, and the next one is sent all the same; only SWF's word that the task is gone ends them.

SWF's answers come back to the activity: that it was asked to cancel, or that nobody waits for it any more.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import Final

from simpleflow_lab.activity_context import RunningTask
from simpleflow_lab.exceptions import UnknownResourceFault
from simpleflow_lab.service.protocol import SWFService

logger = logging.getLogger(__name__)

LONGEST_INTERVAL = 60.0
"""Seconds between heartbeats of a task without a heartbeat timeout: so late it may learn that it should stop."""
SHORTEST_INTERVAL = 0.3

_TASKS_PER_THREAD: Final = 8
"""A call may take as long as a network does: one thread for so many tasks."""
_MAX_THREADS: Final = 8


def interval(heartbeat_timeout: str, longest: float = LONGEST_INTERVAL) -> float:
    """Seconds between two heartbeats for a timeout as SWF writes it."""
    if not heartbeat_timeout.isdigit():
        return longest
    return min(max(int(heartbeat_timeout) / 3, SHORTEST_INTERVAL), longest)


@dataclass(kw_only=True, slots=True)
class _Beating:
    """A task that is reported."""

    token: str
    task: RunningTask
    seconds: float
    """Between two heartbeats."""
    due: float
    """When the next one is, by `time.monotonic`; infinite while one is under way."""
    unsent: bool = False
    """The activity said something since the last one."""
    last: float = -math.inf
    """When the last one was sent that the activity asked for."""


class Heartbeats:
    """The heartbeats of all activity tasks that run in this process for one service."""

    def __init__(self, service: SWFService, *, longest: float = LONGEST_INTERVAL):
        """`longest` is the interval for a task without a heartbeat timeout, in seconds."""
        self._service = service
        self.longest = longest
        self._running: dict[str, _Beating] = {}
        self._due: list[tuple[float, int, _Beating]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._threads: list[threading.Thread] = []

    @property
    def tasks(self) -> list[RunningTask]:
        """What runs."""
        with self._changed:
            return [beating.task for beating in self._running.values()]

    def begin(self, token: str, task: RunningTask, heartbeat_timeout: str) -> None:
        """Report this task from now on."""
        seconds = interval(heartbeat_timeout, self.longest)
        with self._changed:
            beating = self._running[token] = _Beating(token=token, task=task, seconds=seconds, due=math.inf)
            self._schedule(beating, time.monotonic() + seconds)
            if len(self._threads) < min(1 + len(self._running) // _TASKS_PER_THREAD, _MAX_THREADS):
                thread = threading.Thread(target=self._loop, name=f"heartbeats {len(self._threads) + 1}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def asked(self, token: str) -> None:
        """The activity itself asks for a heartbeat: soon, but not too often."""
        with self._changed:
            beating = self._running.get(token)
            if beating is not None:
                beating.unsent = True
                if beating.due != math.inf:  # else whoever sends the one under way looks again
                    self._schedule(beating, min(beating.due, self._soon(beating)))

    def end(self, token: str) -> None:
        """The task was answered, or never will be."""
        with self._changed:
            self._running.pop(token, None)

    def stop(self) -> None:
        """Send no more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    # -- inside; what is scheduled is scheduled under the lock --

    def _soon(self, beating: _Beating) -> float:
        return max(time.monotonic(), beating.last + beating.seconds / 3)

    def _schedule(self, beating: _Beating, due: float) -> None:
        if due != beating.due:
            beating.due = due
            if len(self._due) > 100 + 4 * len(self._running):
                self._due = [entry for entry in self._due if self._is_valid(entry)]
                heapq.heapify(self._due)
            entry = (due, next(self._order), beating)
            heapq.heappush(self._due, entry)
            if self._due[0] is entry:  # else whoever waits wakes before it is due
                self._changed.notify()

    def _is_valid(self, entry: tuple[float, int, _Beating]) -> bool:
        due, _, beating = entry
        return beating.due == due and self._running.get(beating.token) is beating

    def _loop(self) -> None:
        while (beating := self._next()) is not None:
            self._beat(beating)

    def _next(self) -> _Beating | None:
        """Wait for the next heartbeat that is due; `None` at the end."""
        with self._changed:
            while not self._stopped:
                # Until the first is due, be its task over or not: most tasks are over long before, and wake nobody.
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                entry = heapq.heappop(self._due)
                if not self._is_valid(entry):
                    continue
                beating = entry[2]
                beating.due = math.inf
                self._changed.notify()  # another thread waits for what comes next, for this call may take long
                if beating.unsent:
                    beating.unsent, beating.last = False, time.monotonic()
                return beating
            return None

    def _beat(self, beating: _Beating) -> None:
        details = {} if beating.task.said is None else {"details": beating.task.said}
        try:
            answer = self._service.record_activity_task_heartbeat(taskToken=beating.token, **details)
            if answer["cancelRequested"] and beating.task.canceled is None:
                beating.task.cancel("it was asked to cancel")
        except UnknownResourceFault as fault:
            with self._changed:
                if self._running.pop(beating.token, None) is None:
                    return  # it was answered meanwhile
            beating.task.cancel(f"nobody waits for it any more: {fault.message}", gone=True)
            return
        except Exception:
            logger.exception("a heartbeat failed, the next follows in %.1f s", beating.seconds)
        with self._changed:
            next_one = time.monotonic() + beating.seconds
            self._schedule(beating, min(next_one, self._soon(beating)) if beating.unsent else next_one)
