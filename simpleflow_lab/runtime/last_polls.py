"""The last polls at Amazon SWF of a Lab that closes: they can't be taken back.

A poll waits there for up to a minute. A task that it is given when its process has gone comes back by its timeout only,
for a decision after minutes and for an activity after hours.

Rule: an interrupt ends the waiting at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from simpleflow_lab.runtime.worker import DECIDER, Worker

LONGEST_SECONDS: Final = 80.0
"""The most seconds to wait: a poll lasts 60 s, or 75 if its response is lost."""
QUIET_SECONDS: Final = 0.3
"""Seconds after which a person is told what is waited for."""
LOOK_SECONDS: Final = 0.05
"""Seconds between two looks."""


def wait_for_last_polls(workers: Callable[[], Sequence[Worker]], tell: Callable[[str], None]) -> None:
    """Wait until the polls of these workers, which were stopped, have come back. A decision task that one still gets is
    decided, an activity task begins.

    An interrupt ends the waiting.
    """
    began = time.monotonic()
    has_said = False
    try:
        while _is_at_work(workers()) and time.monotonic() < began + LONGEST_SECONDS:
            if not has_said and time.monotonic() > began + QUIET_SECONDS:
                has_said = True
                tell(
                    "Amazon SWF can't take back a poll that waits: up to 60 s may pass until all have ended, and a "
                    "task that one still gets is done. An interrupt (Ctrl-C) ends now; such a task then comes back by "
                    "its timeout"
                )
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        return


def _is_at_work(workers: Sequence[Worker]) -> bool:
    """Whether a poll waits or a decision is made; that takes a moment, and nothing gives it back."""
    return any(worker.waiting_polls or (worker.kind == DECIDER and worker.tasks) for worker in workers)
