"""Cancels that SWF refused: what they were to cancel goes on, and the author is told."""

from __future__ import annotations

from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.lines import place_text
from simpleflow_lab.replay.run import ReplayedRun


def warn_of_refused_cancel(run: ReplayedRun, command: Command, cause: str) -> None:
    """Tell the author that a task or timer goes on which the code canceled; `command` is the cancel."""
    where = "" if command.line is None else f"{place_text(command.line)}: "
    action = command.decision()["decisionType"]
    allow = f": allow swf:{action} to the credentials of its decider" if cause == "OPERATION_NOT_PERMITTED" else ""
    run.fields.warn(f"{where}SWF refused the {command.kind.name} {command.id!r} ({cause}), which goes on{allow}")
