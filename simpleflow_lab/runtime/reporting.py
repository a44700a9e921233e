"""Sending what deciders report to the service, so that every process that looks at an execution sees it.

A thread of its own sends, so that neither a decision nor the watch of decisions waits for the service; it lives while
there is something to send.

Rule: a report that can't be sent is dropped: what still holds is reported again with the next attempt.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from simpleflow_lab.exceptions import SimpleflowLabError

logger = logging.getLogger(__name__)

MAX_UNSENT: Final = 1_000
"""Reports that wait to be sent; the oldest are dropped."""


class Reporting:
    """The reports of the deciders of one Lab that are to be sent."""

    def __init__(self) -> None:
        self._unsent: deque[Callable[[], object]] = deque(maxlen=MAX_UNSENT)
        self._lock = threading.Lock()
        self._is_sending = False

    def send(self, call: Callable[[], object]) -> None:
        """Make this call to the service soon, after those before it."""
        with self._lock:
            self._unsent.append(call)
            if not self._is_sending:
                self._is_sending = True
                threading.Thread(target=self._send_all, name="reports of deciders", daemon=True).start()

    def _send_all(self) -> None:
        while True:
            with self._lock:
                if not self._unsent:
                    self._is_sending = False
                    return
                call = self._unsent.popleft()
            try:
                call()
            except (SimpleflowLabError, OSError) as error:
                logger.info("a report of a decider could not be sent: %s", error)
            except Exception:  # the thread must go on: those that wait come after it
                logger.exception("a report of a decider could not be sent")
