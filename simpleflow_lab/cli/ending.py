"""The end of a command that made decisions or ran activities on Amazon SWF: its polls, which can't be taken back.

A poll waits there for up to a minute. A task that it is given when its process has gone comes back by its timeout only,
for a decision after minutes and for an activity after hours.

*Rule:* the answer is printed before, and an interrupt ends it at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from simpleflow_lab.cli.messages import report

if TYPE_CHECKING:
    from simpleflow_lab.lab import Lab

LONGEST_SECONDS: Final = 80.0
"""For how long it is waited: a poll lasts 60 s, or 75 if its response is lost."""
QUIET_SECONDS: Final = 0.3
"""After so many seconds it is said for what."""
LOOK_SECONDS: Final = 0.05
"""Seconds between two looks."""


def end_polls(labs: Sequence[Lab]) -> None:
    """Take no more tasks, and wait until the polls of these Labs at Amazon SWF have come back. A decision task that one
    still gets is decided, an activity task begins: closing the Lab gives it back, if it takes long.

    An interrupt ends the waiting.
    """
    began = time.monotonic()
    has_said = False
    try:
        for lab in labs:
            lab.workers.stop(seconds=0)
        while _is_at_work(labs) and time.monotonic() < began + LONGEST_SECONDS:
            if not has_said and time.monotonic() > began + QUIET_SECONDS:
                has_said = True
                report(
                    "Amazon SWF can't take back a poll that waits: up to 60 s may pass until all have ended, and a "
                    "task that one still gets is done. An interrupt (Ctrl-C) ends now; such a task then comes back by "
                    "its timeout"
                )
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        return


def _is_at_work(labs: Sequence[Lab]) -> bool:
    """Whether a poll waits or a decision is made; that takes a moment, and nothing gives it back."""
    workers = [worker for lab in labs for worker in lab.workers]
    return any(worker.waiting_polls or (worker.kind == "decider" and worker.tasks) for worker in workers)
