"""Texts that this product writes into fields which SWF leaves free, and recognises in histories.

Rule: data only. Recorded histories hold these texts, so none of them may change.
"""

from __future__ import annotations

import json
from typing import Final

WAKE_UP_TIMER: Final = "_simpleflow_wake_up_timer"
"""Id of a timer of 0 s that brings the next decision task, for commands that one answer can't hold; upstream's name."""
RETRY_TIMER: Final = "__simpleflow_task_"
"""Start of the id of a timer that waits for a task's next attempt; the task's id follows. Upstream's name."""
DEADLINE_TIMER: Final = "_simpleflow_deadline"
"""Start of the id of a timer that is the timeout of `futures.wait` or `futures.as_completed`; a number follows."""

INSTANCE_KEY: Final = "instance"
"""Key of a poller's identity: the id of its process's instance, by which the engine knows its client session."""
DEFINITION_DIFFERS_KEY: Final = "definition_differs"
"""Key of the identity that is recorded with a task whose process has another definition of the task's type than the one
that the execution was started with, because no process that lives has that one."""

WORKER_LOST: Final = (
    '{"simpleflow_lab":"worker lost","message":"the process that ran this activity task ended before it"}'
)
"""`details` of the ActivityTaskTimedOut (START_TO_CLOSE) of a task that ran when the engine's process died. The engine
writes it; the replay then schedules the activity again without spending a retry."""

LOST_BESIDE: Final = (
    '{"simpleflow_lab":"worker lost beside others",'
    '"message":"the process that ran this activity task and other tasks ended before them"}'
)
"""As `WORKER_LOST`, where the process had other tasks, too: any of them may be what ended it. It counts towards no
limit; the engine soon has such a task run alone."""

DEATHS_KEY: Final = "deaths"
"""Key of the identity that is recorded with a decision task: how many processes in a row have died deciding it. The
engine writes it, and deciders read it."""

NOT_HERE: Final = '{"simpleflow_lab": "not defined here", '
"""Start of the `details` of an ActivityTaskFailed whose worker does not define the activity; the rest is as in the
details of any failure. The worker writes it; the replay then schedules the activity again, after a pause, without
spending a retry. To other deciders it is an ordinary failure, whose reason says what is missing."""


def is_not_here(details: str | None) -> bool:
    """Whether the details of an ActivityTaskFailed say that the worker does not define the activity."""
    return details is not None and details.startswith(NOT_HERE)


GIVEN_BACK: Final = (
    '{"simpleflow_lab":"given back","message":"the process that had this activity task gave it back: it runs again"}'
)
"""`details` of the ActivityTaskTimedOut (START_TO_CLOSE) of a task whose process lives and won't answer it: its worker
was stopped or its Lab closed, or the task never reached it. The replay then schedules the activity again at once. On
Amazon SWF, where only the worker can write, it is an ActivityTaskFailed."""


def is_given_back(details: str | None) -> bool:
    """Whether the details of an ActivityTaskTimedOut say that a process gave the task back."""
    return details == GIVEN_BACK


def is_worker_lost(details: str | None) -> bool:
    """Whether the details of an ActivityTaskTimedOut say that the process of the task's worker died."""
    return details in (WORKER_LOST, LOST_BESIDE)


def loss_text(details: str | None) -> str | None:
    """Why nobody answered an activity task, in words, by the details of its ActivityTaskTimedOut; `None` for others."""
    return _LOSS_TEXTS.get(details or "")


_LOSS_TEXTS: Final = {
    WORKER_LOST: "lost: its process died",
    LOST_BESIDE: "lost: its process died, which had other tasks, too",
    GIVEN_BACK: "stopped: its process gave it back",
}


def deaths_of(identity: str | None) -> int:
    """The number of processes in a row that have died deciding a decision task, by the identity of its start."""
    if not identity or DEATHS_KEY not in identity:
        return 0
    try:
        found = json.loads(identity).get(DEATHS_KEY)
    except (ValueError, AttributeError, RecursionError):
        return 0
    return found if type(found) is int and found > 0 else 0
