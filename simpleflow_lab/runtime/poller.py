"""Poll, handle, poll again: the loop that deciders and activity workers share.

Each poller is a daemon thread. It never dies of an error: what polling raises is logged and tried again after a pause
that doubles up to `MAX_PAUSE`; what handling raises is the handler's to deal with and only logged here.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

logger = logging.getLogger(__name__)

MAX_PAUSE = 30.0
"""Longest pause, in seconds, after polls that fail."""
RELEASED_SECONDS = 0.2
"""How long a poll may need to come back once its service released it; all of those that stop together."""


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
        """`at_end` is called in the thread, when it ends."""
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
        """Identifier of its thread."""
        return self._thread.ident

    def stop(self) -> None:
        """Take no more tasks after the one at hand. A poll that waits must be released by its service."""
        self._released_by = time.monotonic() + RELEASED_SECONDS
        self._stopping.set()

    def join(self, timeout: float) -> bool:
        """Wait for its end; `False` if it still handles a task after `timeout` seconds.

        A poll that waits in another process ends when its time is over: nobody waits for that.
        """
        if self._thread is not threading.current_thread():
            left = max(self._released_by - time.monotonic(), 0)
            self._thread.join(timeout if self._busy else min(timeout, left))
        return not (self._busy and self._thread.is_alive())

    def _loop(self) -> None:
        pause = 0.5
        while not self._stopping.is_set():
            try:
                task = self._poll()
                pause = 0.5
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
                    # After `stop` the service may be closed: the task is done again when it is open.
                    level = logging.DEBUG if self._stopping.is_set() else logging.ERROR
                    logger.log(level, "%s: handling a task failed", self._thread.name, exc_info=True)
                finally:
                    self._busy = False
        if self._at_end is not None:
            self._at_end()
