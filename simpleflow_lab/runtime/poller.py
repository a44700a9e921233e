"""Poll, handle, poll again: the loop that deciders and activity workers share.

Each poller is a daemon thread.

Rule: a poller never dies of an error. An error of the poll is logged, and the poll is repeated after a pause that
doubles up to `MAX_PAUSE`. An error of a handler is only logged: handlers deal with their own errors.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.5
"""Pause, in seconds, after the first poll that fails."""
MAX_PAUSE: Final = 30.0
"""Longest pause, in seconds, after polls that fail."""
RELEASE_SECONDS: Final = 0.2
"""How long a poll may need to return after its service released it; together, for all pollers that stop at once."""


class Poller:
    """One thread that polls one task list."""

    def __init__(
        self,
        name: str,
        poll: Callable[[], Mapping[str, Any]],
        handle: Callable[[Mapping[str, Any]], None],
        *,
        at_end: Callable[[], None] | None = None,
    ):
        """`poll` gives SWF's answer, which has a task if it has a token; `handle` takes the task. `at_end` is called in
        the thread, when it ends."""
        self._poll, self._handle, self._at_end = poll, handle, at_end
        self._stopping = threading.Event()
        self._busy = False
        self._released_by = math.inf
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    @property
    def thread_id(self) -> int | None:
        """The identifier of its thread, or `None` before it starts."""
        return self._thread.ident

    def stop(self) -> None:
        """Take no more tasks after the one at hand. The service must release a poll that waits."""
        self._released_by = time.monotonic() + RELEASE_SECONDS
        self._stopping.set()

    def join(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for its end; `False` if it still handles a task then.

        A poll that waits in another process ends when its time is over; this method does not wait for it.
        """
        if self._thread is not threading.current_thread():
            left = max(self._released_by - time.monotonic(), 0)
            self._thread.join(timeout if self._busy else min(timeout, left))
        return not (self._busy and self._thread.is_alive())

    def _loop(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                task = self._poll()
                pause = FIRST_PAUSE
            except Exception:
                if self._stopping.is_set():
                    break
                logger.exception("%s: polling failed, next try in %.1f s", self._thread.name, pause)
                self._stopping.wait(pause)
                pause = min(pause * 2, MAX_PAUSE)
                continue
            if task.get("taskToken"):
                self._busy = True
                try:
                    self._handle(task)
                except Exception:
                    # After `stop` the service may be closed: the task is given out again when it is open.
                    level = logging.DEBUG if self._stopping.is_set() else logging.ERROR
                    logger.log(level, "%s: handling a task failed", self._thread.name, exc_info=True)
                finally:
                    self._busy = False
        if self._at_end is not None:
            self._at_end()
