"""Refusals: what SWF says when it does not carry out a decision, and whether trying again helps.

A cause that passes is retried with a growing wait. A missing type is retried at once, for the decider registers types.
Every other cause is final.
"""

from __future__ import annotations

from typing import Final

from simpleflow_lab.exceptions import TaskFailed
from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.commands.timer import retry_after
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.retry import back_off

MAX_TYPE_MISSING: Final = 3
"""The most times that a task is retried because SWF does not know its type. Registering takes one round."""

_TYPE_MISSING: Final = frozenset({"ACTIVITY_TYPE_DOES_NOT_EXIST", "WORKFLOW_TYPE_DOES_NOT_EXIST"})
_TOO_MUCH: Final = frozenset(
    {
        "OPEN_ACTIVITIES_LIMIT_EXCEEDED",
        "ACTIVITY_CREATION_RATE_EXCEEDED",
        "OPEN_CHILDREN_LIMIT_EXCEEDED",
        "OPEN_WORKFLOWS_LIMIT_EXCEEDED",
        "CHILD_CREATION_RATE_EXCEEDED",
        "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED",
        "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED",
    }
)
"""Causes that pass: SWF takes the command when less is open, or later. Timers have their own rules."""


def retry_refused(run: ReplayedRun, command: Command, cause: str, *, name: str | None = None) -> bool:
    """Retry a refused command if its cause passes; `False` if the refusal is final. `name` as in `retry_after`."""
    attempts = command.attempts
    if cause in _TYPE_MISSING and attempts.type_missing < MAX_TYPE_MISSING:
        attempts.type_missing += 1
        run.retry(command)
        return True
    if cause in _TOO_MUCH:
        attempts.refusals += 1
        retry_after(run, command, back_off(attempts.refusals), name=name)
        return True
    return False


def refusal(command: Command, cause: str) -> TaskFailed:
    """The error of a task that SWF refused for good."""
    return TaskFailed(command.id, f"SWF refused it: {cause}")
