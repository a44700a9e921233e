"""Finds the step of a replay at which a debugger stands at first, and why.

| of an execution | it is the step |
|---|---|
| whose code can't be replayed further | where the steps end |
| whose `run` ended with an error | where it raised: its traceback and variables are there |
| that failed otherwise | of the first failure |
| that is open | where it waits now: the last one |
| that closed otherwise | where its code waited last |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from simpleflow_lab.debugger.steps import ReplayStep, ReplaySteps


class Opening(NamedTuple):
    """A step to stand at."""

    number: int
    why: str
    """The reason, in a few words: `where run raised the error that ended it`."""


def opening_of(steps: ReplaySteps) -> Opening:
    """The step to begin with, and why; replays the steps, of which there is at least one, to their end."""
    last = steps[-1]
    if last.record.error is not None:
        return Opening(last.number, "where the steps end")
    raised = _last_of(steps, lambda step: step.record.raised is not None)
    if raised is not None and _is_final(raised):
        return Opening(raised.number, "where run raised the error that ended it")
    if steps.history.close_status == "FAILED":
        failure = steps.first_failure()
        if failure is not None and failure.record.close is None:
            return Opening(failure.number, "at the first failure")
    if steps.history.close_status is None and last.record.close is None:
        return Opening(last.number, "where it waits now")
    waiting = _last_of(steps, lambda step: any(fiber.stack for fiber in step.suspended))
    if waiting is not None:
        return Opening(waiting.number, "at the last step in which the code waits")
    return Opening(last.number, "at the last step: the code waits in none")


def _is_final(step: ReplayStep) -> bool:
    """SWF did not refuse the close that followed."""
    close = step.record.close
    return close is None or close.refused is None


def _last_of(steps: ReplaySteps, condition: Callable[[ReplayStep], bool]) -> ReplayStep | None:
    return steps.find(condition, backwards=True)
