"""Commands about one task of an execution: `task.info` and `activity.rerun`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from simpleflow_lab.commands.files import input_text
from simpleflow_lab.commands.imports import import_module
from simpleflow_lab.commands.inspection import AnyExecution, execution_of
from simpleflow_lab.commands.parameters import Target, Word, domain_option, target_and_word_parameters
from simpleflow_lab.commands.records import ListingRecord, Record
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.views.listings import Listing

if TYPE_CHECKING:
    from simpleflow_lab.views.attempts import Attempt


def attempts_of_task(execution: AnyExecution, task_id: str) -> Sequence[Attempt]:
    """The attempts of a task, by its id; of a name that only one task has, too. Raises `UsageError`."""
    from simpleflow_lab.debugger.rerun_attempts import attempts_of_task as found

    return found(execution.history(), task_id)


# -- task.info ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TaskInfo(ListingRecord):
    """`task.info`."""

    execution: AnyExecution
    """The execution."""
    attempts: Sequence[Attempt]
    """The attempts of the task, the first one first."""
    details: bool
    """Whether the details are shown: a traceback."""

    def listing(self) -> Listing:
        """One row per attempt."""
        from simpleflow_lab.views.workflow_listings import task_info

        return task_info(self.attempts, details=self.details)


@click.command("task.info")
@target_and_word_parameters("TASK_ID", file=True)
@click.option("--details/--no-details", default=False, help="Show the details, too: the traceback of a failure.")
@click.pass_obj
def task_info(session: Session, target: Target, word: str, details: bool) -> TaskInfo:
    """A task of an execution, attempt by attempt: its state, times, worker, input and result.

    TASK_ID is that of `workflow.profile`, or the name of an activity that the execution has only once.
    """
    execution = execution_of(session, target, other=word)
    return TaskInfo(execution=execution, attempts=attempts_of_task(execution, word), details=details)


# -- activity.rerun ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Rerun(Record):
    """`activity.rerun`: an activity task was run again, here."""

    attempt: Attempt
    """The attempt whose input it ran with."""
    result: Any = None
    """The value that the activity returned."""
    error: BaseException | None = None
    """The error that it raised."""


@click.command("activity.rerun")
@click.argument("words", nargs=-1, metavar="[DOMAIN] [WORKFLOW_ID] [RUN_ID] [ACTIVITY_ID]", type=Word("task"))
@click.option("--workflow-id", type=Word("execution"), metavar="ID", help="The execution, as an option.")
@click.option("--run-id", metavar="RUN_ID", help="Of this run, if not of the latest one.")
@click.option("--activity-id", type=Word("task"), metavar="ID", help="The activity task, as an option.")
@click.option("--scheduled-id", type=click.IntRange(min=1), metavar="EVENT", help="The task that this event scheduled.")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="The N-th attempt.  [default: the latest]")
@click.option("-i", "--input", "given", metavar="JSON", help="Run it with this input instead of the recorded one.")
@click.option("--module", "modules", multiple=True, type=Word("module"), help="Import it: it defines the activity.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask whether it is to run; needed where nobody can be asked.")
@domain_option
@click.pass_obj
def rerun(
    session: Session,
    /,
    words: tuple[str, ...],
    workflow_id: str | None,
    activity_id: str | None,
    given: str | None,
    modules: tuple[str, ...],
    yes: bool,
    **options: Any,
) -> Rerun:
    """Run an activity task again in this process, with its recorded input. The execution is not touched.

    It runs code: the activity that this process defines, or --module does. Its result is printed; if it raises, the
    exit code is 1.
    """
    from simpleflow_lab.runtime.activity_rerun import rerun_activity

    for module in modules:
        import_module(module)
        session.remember_module(module)
    target, word = _task_named(words, workflow_id, activity_id, options)
    execution = execution_of(session, target, other=word)
    attempt = _attempt(execution, word, options["scheduled_id"], options["attempt"])
    source = input_text(given, None)
    if not yes:
        _ask(session, attempt)
    result, error = rerun_activity(
        attempt,
        domain=execution.domain,
        workflow_id=execution.workflow_id,
        run_id=execution.run_id,
        fields=session.lab().fields,
        storage=session.lab().storage,
        given=source,
    )
    return Rerun(attempt=attempt, result=result, error=error)


def _ask(session: Session, attempt: Attempt) -> None:
    """Ask, in a terminal or a notebook, whether it is to run. Raises `UsageError` if not, or if nobody can be asked."""
    from simpleflow_lab.debugger.rerun_attempts import confirm_rerun

    if session.serves_here:
        confirm_rerun(attempt, "give --yes")
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"{attempt.id} did not run: nobody can be asked here; give --yes")
    question = f"{attempt.name} runs again here, with all that it does to the world outside. Run it?"
    if not click.confirm(question, err=True):
        raise UsageError(f"{attempt.id} did not run")


def _task_named(
    words: Sequence[str], workflow_id: str | None, activity_id: str | None, options: Mapping[str, Any]
) -> tuple[Target, str | None]:
    """The execution and the task that were named, by words or by upstream's options."""
    left = list(words)
    if activity_id is None and options["scheduled_id"] is None:
        if not left:
            raise UsageError("which activity task? give WORKFLOW_ID ACTIVITY_ID; workflow.profile shows the ids")
        activity_id = left.pop()
    if workflow_id is not None:
        left.append(workflow_id)
    if options["run_id"] is not None:
        left.append(options["run_id"])
    return Target(words=tuple(left), domain=options["domain"]), activity_id


def _attempt(execution: AnyExecution, activity_id: str | None, scheduled_id: int | None, number: int | None) -> Attempt:
    from simpleflow_lab.views.history_fold import attempts_of

    found: Sequence[Attempt]
    if activity_id is not None:
        found = attempts_of_task(execution, activity_id)
    else:
        found = [attempt for attempt in attempts_of(execution.history()) if attempt.scheduled_event_id == scheduled_id]
        if not found:
            raise UsageError(f"no task was scheduled by event {scheduled_id} of this execution")
    if found[0].kind != "activity":
        raise UsageError(f"{found[0].id} is no activity but a {found[0].kind}: only activities are run again")
    if scheduled_id is not None:
        found = [attempt for attempt in found if attempt.scheduled_event_id == scheduled_id]
    if number is not None:
        found = [attempt for attempt in found if attempt.attempt == number]
    if not found:
        raise UsageError(f"the task has no such attempt: task.info {execution.workflow_id} … lists them")
    return found[-1]


READING: Final = (task_info,)
ACTING: Final = (rerun,)
