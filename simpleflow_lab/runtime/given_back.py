"""Activity tasks that a worker gives back because it stops, so that they run again at once, here or elsewhere.

A store gives them out again. Amazon SWF has no such request, and would wait for their timeouts: there the task is
failed with details that say so, and our deciders schedule the activity again without spending a retry. To other
deciders it is an ordinary failure.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Final

from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.swf.conventions import GIVEN_BACK

logger = logging.getLogger(__name__)

REASON: Final = "its worker was stopped: it runs again"
"""The reason of the failure with which a task is given back on Amazon SWF."""
GIVE_BACK_SECONDS: Final = 5.0
"""Seconds for which a worker that stops waits until Amazon SWF has the tasks that it gives back."""


def give_back_activities(context: WorkerContext, tokens: Iterable[str]) -> None:
    """Give back the activity tasks with these tokens, whose activities have been told to stop. Waits a moment at most.

    One that can't be given back comes back by its timeout.
    """
    given = list(tokens)
    if context.session.instance is not None or not given:
        context.session.release(given)
        return

    def fail() -> None:
        for token in given:
            try:
                context.service.respond_activity_task_failed(taskToken=token, reason=REASON, details=GIVEN_BACK)
            except SimpleflowLabError as error:
                logger.info("a task could not be given back: %s", error)

    thread = threading.Thread(target=fail, name="tasks that are given back", daemon=True)
    thread.start()
    thread.join(GIVE_BACK_SECONDS)
