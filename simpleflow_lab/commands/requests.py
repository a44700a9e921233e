"""Requests to an execution: signal, cancel, terminate, retry its blocked decision, restart.

Rule: the id comes first, as in every command about an execution. `-` in its place stands for many: their ids come by
the standard input, one a line or as a list that a command printed, and each request is made or refused by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import click

from simpleflow_lab.commands.files import input_text
from simpleflow_lab.commands.parameters import Target, checked_name, target_and_word_parameters, target_parameters
from simpleflow_lab.commands.piped_executions import piped_executions
from simpleflow_lab.commands.records import Done, ListingRecord, Record
from simpleflow_lab.commands.session import Session
from simpleflow_lab.commands.workflow import Outcome
from simpleflow_lab.exceptions import SimpleflowLabError, UsageError, WorkflowExecutionAlreadyStartedFault
from simpleflow_lab.views.formatting import count
from simpleflow_lab.views.listings import Kind, Listing

if TYPE_CHECKING:
    from simpleflow_lab.execution import Execution

AnyRecord = TypeVar("AnyRecord", bound=Record)


@dataclass(frozen=True, kw_only=True)
class RequestSent(Done):
    """The service took the request: `workflow.signal`, `workflow.cancel`, `workflow.terminate`,
    `workflow.retry_decision`."""

    execution: Execution
    """The execution that the request is for."""


@dataclass(frozen=True, kw_only=True)
class RequestsSent(ListingRecord):
    """The same for executions whose ids came by the standard input."""

    rows: tuple[tuple[str, str, str], ...]
    """Of each its workflow id, `done` or `refused`, and what was done or why not."""
    refused: int
    """Number of those that were refused."""

    def listing(self) -> Listing:
        """One row per execution."""
        return Listing(columns={"workflow_id": Kind.TEXT, "request": Kind.STATE, "what": Kind.TEXT}, rows=self.rows)


def _each(
    session: Session, target: Target, request: Callable[[Execution], AnyRecord], *, other: str | None = None
) -> AnyRecord | RequestsSent:
    """Make a request to the execution of the target, or with `-` to each one whose id comes by the standard input."""
    if target.words != ("-",):
        return request(session.execution(target, other=other))
    if session.serves_here:
        raise UsageError("- takes ids from the standard input of a shell: in a cell, loop over executions")
    source = input_text("-", None)
    text = source[0] if source else ""
    if not text.strip():
        raise UsageError(
            "no id came by the standard input: pipe them in, one a line, as from `simpleflow workflow.filter "
            "--columns workflow_id`"
        )
    domain = session.known_domain(target.domain)

    def is_execution(words: tuple[str, ...]) -> bool:
        try:
            return bool(_named(session, words, domain))
        except SimpleflowLabError:
            return False

    rows = []
    for words in piped_executions(text, is_execution):
        name = words[0]
        try:
            execution = _named(session, words, domain)
            name = execution.workflow_id
            rows.append((name, "done", request(execution).message or ""))
        except SimpleflowLabError as error:
            rows.append((name, "refused", " ".join(str(error).split())))
    refused = sum(row[1] == "refused" for row in rows)
    said = f"{count(len(rows) - refused, 'request')} made, {refused:,} refused"
    return RequestsSent(rows=tuple(rows), refused=refused, message=said)


def _named(session: Session, words: tuple[str, ...], domain: str) -> Execution:
    """The execution of a line. Raises `UsageError` if there is none.

    CSV and TSV put an id with a comma or a quotation mark between quotation marks, which an id may have, too.
    """
    try:
        return session.execution(Target(words=words, domain=domain))
    except UsageError:
        bare = tuple(word[1:-1].replace('""', '"') if _QUOTED.fullmatch(word) else word for word in words)
        if bare == words:
            raise
        return session.execution(Target(words=bare, domain=domain))


_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"')


@click.command("workflow.signal")
@target_and_word_parameters("SIGNAL")
@click.option("-i", "--input", "given", metavar="JSON", help="Input of the signal.")
@click.pass_obj
def signal(session: Session, target: Target, word: str, given: str | None) -> RequestSent | RequestsSent:
    """Send a signal to an execution: its id, then the SIGNAL's name.

    With - as the id: to those whose ids come by the standard input, one a line, or as a list.
    """
    from simpleflow_lab.data.codec import decode_input

    name = checked_name(word)
    source = input_text(given, None)
    if source is not None:
        decode_input(source[0], where=source[1])

    def request(execution: Execution) -> RequestSent:
        execution.check_open()
        execution.signal(name, None if source is None else source[0])
        return RequestSent(execution=execution, message=f"signal {name!r} was sent to {execution.workflow_id}")

    return _each(session, target, request, other=word)


@click.command("workflow.cancel")
@target_parameters
@click.pass_obj
def cancel(session: Session, target: Target) -> RequestSent | RequestsSent:
    """Ask an execution to cancel; its workflow decides, when it runs.

    With - as the id: those whose ids come by the standard input, one a line, or as a list.
    """

    def request(execution: Execution) -> RequestSent:
        execution.check_open()
        execution.request_cancel()
        message = f"{execution.workflow_id} was asked to cancel: its workflow decides"
        return RequestSent(execution=execution, message=message)

    return _each(session, target, request)


@click.command("workflow.terminate")
@target_parameters
@click.option("--reason", metavar="TEXT", help="Reason, recorded in the history.")
@click.option("--details", metavar="TEXT", help="Details, recorded in the history.")
@click.pass_obj
def terminate(session: Session, target: Target, reason: str | None, details: str | None) -> RequestSent | RequestsSent:
    """End an execution now, without asking its workflow.

    With - as the id: those whose ids come by the standard input, one a line, or as a list.
    """

    def request(execution: Execution) -> RequestSent:
        execution.terminate(reason, details)
        return RequestSent(execution=execution, message=f"{execution.workflow_id} is terminated")

    return _each(session, target, request)


@click.command("workflow.retry_decision")
@target_parameters
@click.pass_obj
def retry_decision(session: Session, target: Target) -> RequestSent:
    """Retry the blocked decisions of an execution and of its children now.

    They are retried by themselves, after pauses of a minute at most, and as soon as the process that makes them defines
    something again.
    """
    execution = session.execution(target)
    execution.check_open()
    execution.retry_decision()
    return RequestSent(execution=execution, message=f"the blocked decision of {execution.workflow_id} is retried")


# -- restart -----------------------------------------------------------------------------------------------------------


@click.command("workflow.restart")
@target_parameters
@click.pass_obj
def restart(session: Session, target: Target) -> Outcome | RequestsSent:
    """Start an execution again: same workflow, id, input, tags, task list and timeouts.

    An open one is terminated first. It is not waited for: who decides and works on it is up to the deciders and workers
    that run, or to `resume`. With - as the id: those whose ids come by the standard input, one a line, or as a list.
    """

    def request(old: Execution) -> Outcome:
        was = old.status
        try:
            execution = old.restart(terminate=True, serves=False)
        except WorkflowExecutionAlreadyStartedFault:
            raise UsageError(
                f"another run of {old.workflow_id} is open: restart that one, without a run id, or end it first"
            ) from None
        session.last = execution
        ended = f"run {old.run_id} is terminated, " if was == "OPEN" else f"run {old.run_id} was {was}, "
        message = f"{ended}and {old.workflow_id} starts again as run {execution.run_id}"
        return Outcome(execution=execution, finished=False, message=message)

    return _each(session, target, request)


ACTING: Final = (signal, cancel, terminate, retry_decision, restart)
