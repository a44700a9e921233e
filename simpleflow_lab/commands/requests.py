"""Requests to an execution: signal, cancel, terminate, retry its blocked decision, restart.

*Rule:* the id comes first, as in every command about an execution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from simpleflow_lab.commands.files import input_text
from simpleflow_lab.commands.parameters import Target, checked_name, target_and_word_parameters, target_parameters
from simpleflow_lab.commands.records import Done
from simpleflow_lab.commands.session import Session
from simpleflow_lab.commands.workflow import Outcome
from simpleflow_lab.exceptions import UsageError

if TYPE_CHECKING:
    from simpleflow_lab.execution import Execution


@dataclass(frozen=True, kw_only=True)
class RequestSent(Done):
    """The service took the request: `workflow.signal`, `workflow.cancel`, `workflow.terminate`,
    `workflow.retry_decision`."""

    execution: Execution
    """The execution that the request is for."""


def _check_open(execution: Execution) -> None:
    status = execution.status
    if status != "OPEN":
        raise UsageError(f"execution {execution.workflow_id} is closed already: {status}")


@click.command("workflow.signal")
@target_and_word_parameters("SIGNAL")
@click.option("-i", "--input", "given", metavar="JSON", help="Input of the signal.")
@click.pass_obj
def signal(session: Session, target: Target, word: str, given: str | None) -> RequestSent:
    """Send a signal to an execution: its id, then the SIGNAL's name."""
    from simpleflow_lab.data.codec import decode_input

    name = checked_name(word)
    source = input_text(given, None)
    if source is not None:
        decode_input(source[0], where=source[1])
    execution = session.execution(target, other=word)
    _check_open(execution)
    execution.signal(name, None if source is None else source[0])
    return RequestSent(execution=execution, message=f"signal {name!r} was sent to {execution.workflow_id}")


@click.command("workflow.cancel")
@target_parameters
@click.pass_obj
def cancel(session: Session, target: Target) -> RequestSent:
    """Ask an execution to cancel; its workflow decides, when it runs."""
    execution = session.execution(target)
    _check_open(execution)
    execution.request_cancel()
    message = f"{execution.workflow_id} was asked to cancel: its workflow decides"
    return RequestSent(execution=execution, message=message)


@click.command("workflow.terminate")
@target_parameters
@click.option("--reason", metavar="TEXT", help="Reason, recorded in the history.")
@click.option("--details", metavar="TEXT", help="Details, recorded in the history.")
@click.pass_obj
def terminate(session: Session, target: Target, reason: str | None, details: str | None) -> RequestSent:
    """End an execution now, without asking its workflow."""
    execution = session.execution(target)
    execution.terminate(reason, details)
    return RequestSent(execution=execution, message=f"{execution.workflow_id} is terminated")


@click.command("workflow.retry_decision")
@target_parameters
@click.pass_obj
def retry_decision(session: Session, target: Target) -> RequestSent:
    """Retry the blocked decisions of an execution and of its children now.

    They are retried by themselves, after pauses of a minute at most, and as soon as the process that makes them defines
    something again.
    """
    execution = session.execution(target)
    _check_open(execution)
    execution.retry_decision()
    return RequestSent(execution=execution, message=f"the blocked decision of {execution.workflow_id} is retried")


# -- restart -----------------------------------------------------------------------------------------------------------


@click.command("workflow.restart")
@target_parameters
@click.pass_obj
def restart(session: Session, target: Target) -> Outcome:
    """Start an execution again: same workflow, id, input, tags, task list and timeouts.

    An open one is terminated first. It is not waited for: who decides and works on it is up to the deciders and workers
    that run, or to `resume`.
    """
    old = session.execution(target)
    was = old.status
    execution = old.restart(terminate=True, serves=False)
    session.last = execution
    ended = f"run {old.run_id} is terminated, " if was == "OPEN" else f"run {old.run_id} was {was}, "
    message = f"{ended}and {old.workflow_id} starts again as run {execution.run_id}"
    return Outcome(execution=execution, finished=False, message=message)


ACTING: Final = (signal, cancel, terminate, retry_decision, restart)
