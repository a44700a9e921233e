"""Answers to decision tasks, given: each is repeated until the service has it, or until its task has timed out.

Rule: an answer that was recorded counts as given, also if the response to its request was lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from simpleflow_lab.exceptions import SimpleflowLabError, UnknownResourceFault
from simpleflow_lab.replay.answer import Answer
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.runtime.lost_responses import recorded_close
from simpleflow_lab.runtime.pauses import pauses

logger = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 10.0
"""Longest pause, in seconds, before an answer is repeated: the executions of the task list wait for it."""
FIRST_PAUSE_OF_TIMERS, LONGEST_PAUSE_OF_TIMERS = 0.25, 4.0
"""Seconds before timers are asked for again that SWF refused because too many were started at once."""


def give_answer(
    context: WorkerContext,
    task: Mapping[str, Any],
    answer: Answer,
    *,
    respond: Callable[..., None],
    timeout: float,
    is_giving_up: Callable[[], bool],
) -> None:
    """Give an answer with `respond`, repeatedly if the service is too busy or can't be reached.

    That is until the task has timed out, `timeout` seconds from now, or the decider gives up: then it raises what the
    service raised.

    Raises `UnknownResourceFault` if the answer is not recorded because the task is not open any more.
    """
    members: dict[str, Any] = {"taskToken": task["taskToken"], "decisions": answer.decisions}
    if answer.execution_context is not None:
        members["executionContext"] = answer.execution_context
    until = time.monotonic() + timeout
    is_repeated = False
    if answer.refused_timers:
        # SWF wakes the decider at once, and would refuse them again: thirteen times a second, up to 25,000 events.
        time.sleep(min(FIRST_PAUSE_OF_TIMERS * 2 ** (answer.refused_timers - 1), LONGEST_PAUSE_OF_TIMERS))
    for pause in pauses(longest=LONGEST_PAUSE):
        try:
            respond(**members)
            return
        except UnknownResourceFault as fault:
            if is_repeated or fault.was_repeated:
                closed = recorded_close(context, task)
                if closed is not None and closed.type == "DecisionTaskCompleted":
                    return  # by an earlier request, whose response was lost
            raise
        except SimpleflowLabError as error:
            if not error.is_transient or is_giving_up() or time.monotonic() > until:
                raise
            is_repeated = True
            logger.warning(
                "decisions of %s could not be answered, next try in %.1f s: %s",
                task["workflowExecution"]["workflowId"],
                pause,
                error,
            )
        time.sleep(pause)
