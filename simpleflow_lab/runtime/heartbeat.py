"""Heartbeats: one thread tells SWF of all running activity tasks that they are alive.

Each task is reported at a third of its heartbeat timeout, at least once a minute, whatever the activity itself does. A
heartbeat that fails is logged, and the next one is sent all the same; only SWF's word that the task is gone ends them.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time

from simpleflow_lab.exceptions import UnknownResourceFault
from simpleflow_lab.service.protocol import SWFService

logger = logging.getLogger(__name__)

LONGEST_INTERVAL = 60.0
"""Seconds between heartbeats of a task without a heartbeat timeout."""
SHORTEST_INTERVAL = 0.3


def interval(heartbeat_timeout: str) -> float:
    """Seconds between two heartbeats for a timeout as SWF writes it."""
    if not heartbeat_timeout.isdigit():
        return LONGEST_INTERVAL
    return min(max(int(heartbeat_timeout) / 3, SHORTEST_INTERVAL), LONGEST_INTERVAL)


class Heartbeats:
    """The heartbeats of all activity tasks that run in this process for one service."""

    def __init__(self, service: SWFService):
        self._service = service
        self._running: dict[str, float] = {}
        self._due: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def begin(self, task_token: str, seconds: float) -> None:
        """Report this task every so many seconds."""
        with self._changed:
            self._running[task_token] = seconds
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), task_token))
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="heartbeats", daemon=True)
                self._thread.start()
            elif self._due[0][2] == task_token:
                self._changed.notify()

    def end(self, task_token: str) -> None:
        """The task has closed."""
        with self._changed:
            self._running.pop(task_token, None)

    def stop(self) -> None:
        """Send no more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and (not self._due or self._due[0][0] > time.monotonic()):
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._stopped:
                    return
                _, _, token = heapq.heappop(self._due)
                running = self._running.get(token)
            if running is not None:
                self._beat(token, running)

    def _beat(self, token: str, seconds: float) -> None:
        try:
            self._service.record_activity_task_heartbeat(taskToken=token)
        except UnknownResourceFault:
            self.end(token)  # it timed out, or its execution has closed: the worker learns it when it answers
            return
        except Exception:
            logger.exception("a heartbeat failed, the next follows in %.1f s", seconds)
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), token))
