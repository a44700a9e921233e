"""The words with which an engine that restarts says that an activity's worker died with the engine before.

Rule: data only. The engine writes them into `details` of ActivityTaskTimedOut; the replay reads them there, and
schedules the activity again without spending a retry.
"""

from __future__ import annotations

from typing import Final

WORKER_LOST: Final = (
    '{"simpleflow_lab":"worker lost","message":"the process that ran this activity task ended before it"}'
)
"""`details` of the ActivityTaskTimedOut (START_TO_CLOSE) of a task that ran when the engine's process died."""


def is_worker_lost(details: str | None) -> bool:
    """The details of an ActivityTaskTimedOut say that the task's worker died with the engine."""
    return details == WORKER_LOST
