"""Commands that read one execution, of a store or from a file. None of them runs a workflow."""

from __future__ import annotations

import datetime
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from simpleflow_lab.commands.files import unused_path, write_file
from simpleflow_lab.commands.parameters import Function, Target, Word, target_or_file_parameters, target_parameters
from simpleflow_lab.commands.records import ListingRecord, Record
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import HistoryError, UsageError
from simpleflow_lab.views.formatting import count, shortened
from simpleflow_lab.views.listings import Listing, json_text

if TYPE_CHECKING:
    from simpleflow_lab.execution import Execution
    from simpleflow_lab.execution_sets import Executions
    from simpleflow_lab.recorded_execution import RecordedExecution
    from simpleflow_lab.views.attempts import Attempt
    from simpleflow_lab.views.workflow_listings import TaskChoice

_STATES: Final = (
    *("scheduled", "started", "completed", "failed", "timed_out", "canceled", "terminated"),
    *("lost", "given_back", "unfinished", "reused"),
)
"""States in which tasks are looked for; of a child that has not started it is `open`."""

AnyExecution: TypeAlias = "Execution | RecordedExecution"


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The part of every answer about one execution."""

    execution: AnyExecution
    """The execution, of a store or from a file."""

    def _until(self) -> datetime.datetime | None:
        """The time up to which an open execution has lasted; `None` for the time of its last event."""
        from simpleflow_lab.execution import Execution

        return self.execution.now() if isinstance(self.execution, Execution) else None


@dataclass(frozen=True, kw_only=True)
class ExecutionInfo(Inspection, ListingRecord):
    """`workflow.info`."""

    waits: Listing
    """The waits of it; empty if it has closed."""

    def listing(self) -> Listing:
        """One row, with all that it waits for as one value."""
        return self._listing(self.waits.rows)

    def listings(self) -> Sequence[Listing]:
        """The same for people: one row and, if it is open, one row for each thing that it waits for."""
        row = self._listing(())
        return (row, self.waits) if self.waits.rows else (row,)

    def _listing(self, waits: Sequence[tuple[Any, ...]]) -> Listing:
        from simpleflow_lab.views.workflow_listings import workflow_info

        return workflow_info(
            self.execution.history(),
            domain=self.execution.domain,
            workflow_id=self.execution.workflow_id,
            run_id=self.execution.run_id,
            until=self._until(),
            waits=waits,
        )


@dataclass(frozen=True, kw_only=True)
class ExecutionTasks(Inspection, ListingRecord):
    """`workflow.tasks`."""

    nb_tasks: int | None = None
    """The most tasks to be shown."""
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """Which tasks are shown: the fields of `views.workflow_listings.TaskChoice`."""

    def choice(self) -> TaskChoice:
        """The choice of the tasks that are shown."""
        from simpleflow_lab.views.workflow_listings import TaskChoice

        return TaskChoice(**self.chosen)

    def listing(self) -> Listing:
        """One row per task."""
        from simpleflow_lab.views.workflow_listings import workflow_tasks

        return workflow_tasks(self.execution.history(), self.nb_tasks, choice=self.choice(), until=self._until())

    def in_full(self) -> Listing:
        """The same with the columns that a notebook shows."""
        from simpleflow_lab.views.workflow_listings import workflow_tasks

        return workflow_tasks(
            self.execution.history(), self.nb_tasks, choice=self.choice(), until=self._until(), in_full=True
        )


@dataclass(frozen=True, kw_only=True)
class ExecutionProfile(Inspection, ListingRecord):
    """`workflow.profile`."""

    nb_tasks: int | None = None
    """The most tasks to be shown."""

    def listing(self) -> Listing:
        """One row per attempt."""
        from simpleflow_lab.views.workflow_listings import workflow_profile

        return workflow_profile(self.execution.history(), self.nb_tasks, until=self._until())


def _nb_tasks(function: Function) -> Function:
    return click.option("-n", "--nb-tasks", type=click.IntRange(min=1), help="Show at most this many tasks.")(function)


def execution_of(session: Session, target: Target, *, other: str | None = None) -> AnyExecution:
    """The execution of the target: of a file, of the store, or the last one. `other` is as in `Session.execution`."""
    from simpleflow_lab.recorded_execution import RecordedExecution

    if target.file is not None:
        if target.words:
            raise UsageError("an execution of the store and --file: give one of them")
        return _opened(session, target.file)
    if not target.words and isinstance(session.last, RecordedExecution):
        return session.last
    return session.execution(target, other=other)


def _opened(session: Session, file: str) -> RecordedExecution:
    from simpleflow_lab.recorded_execution import open_history

    try:
        opened = open_history(file)
    except (HistoryError, ValueError) as error:
        raise UsageError(str(error)) from None
    for kind, event_id in opened.history().unknown_types.items():
        session.tell(
            f"{shortened(file)}: event {event_id} is {shortened(kind)}, a type that is not known here: such events are "
            "in workflow.history alone"
        )
    return opened


@click.command("workflow.info")
@target_or_file_parameters
@click.pass_obj
def info(session: Session, target: Target) -> ExecutionInfo:
    """Show an execution: its workflow, ids, tags, time and input; of an open one, what it waits for."""
    execution = execution_of(session, target)
    return ExecutionInfo(execution=execution, waits=execution.waiting_for().listing())


@click.command("workflow.tasks")
@target_or_file_parameters
@_nb_tasks
@click.option(
    "--state",
    "states",
    type=click.Choice(["open", *_STATES]),
    multiple=True,
    metavar="STATE",
    help=f"Only tasks in this state: open, {', '.join(_STATES)}. May be given several times.",
)
@click.option(
    "--name", type=Word("task"), metavar="NAME", help="Only tasks of this activity or workflow type, or of this id."
)
@click.option("--slowest", type=click.IntRange(min=1), metavar="N", help="Only the N that ran longest, these first.")
@click.option("--all", "every_attempt", is_flag=True, help="Every attempt, not the latest of each task; timers, too.")
@click.pass_obj
def tasks(session: Session, /, target: Target, nb_tasks: int | None, **chosen: Any) -> ExecutionTasks:
    """The tasks of an execution and their last state, latest first."""
    execution = execution_of(session, target)
    found = ExecutionTasks(execution=execution, nb_tasks=nb_tasks, chosen=chosen)
    tasks = found.choice().of(execution.attempts())
    if chosen["name"] is not None and not tasks:
        _check_name(execution, chosen["name"])
    return replace(found, message=_left_out(tasks, nb_tasks, is_sorted=chosen["slowest"] is not None))


def _left_out(tasks: Sequence[Attempt], nb_tasks: int | None, *, is_sorted: bool) -> str | None:
    """A line that says that failed tasks come first, where not all are shown; `None` if they are in their usual
    order."""
    left = 0 if nb_tasks is None else len(tasks) - nb_tasks
    failed = sum(task.failed and not task.retried for task in tasks)
    if left <= 0 or is_sorted or not failed:
        return None
    return f"what failed comes first ({failed:,} in all); {count(left, 'more task')} not shown"


def _check_name(execution: AnyExecution, name: str) -> None:
    """Raise `UsageError` if an execution has no task of this name or id."""
    from simpleflow_lab.views.attempts import TASKS

    known = {word for each in execution.attempts() for word in (each.id, each.name, each.name.rsplit(".", 1)[-1])}
    if name not in known:
        names = sorted({shortened(each.name, 40) for each in execution.attempts() if each.kind in TASKS})[:5]
        raise UsageError(f"no task {name!r:.80} in this execution: there are {', '.join(names) or 'none'}")


@click.command("workflow.profile")
@target_or_file_parameters
@_nb_tasks
@click.pass_obj
def profile(session: Session, target: Target, nb_tasks: int | None) -> ExecutionProfile:
    """Show where the time of an execution went: its tasks by the time they ran.

    There is a row for each attempt, in a notebook as well. `workflow.statistics --workflow-id ID` has one for each name
    of a task.
    """
    return ExecutionProfile(execution=execution_of(session, target), nb_tasks=nb_tasks)


# -- its log -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ExecutionLogs(ListingRecord):
    """`workflow.logs`."""

    execution: Execution
    """The execution."""
    selection: Mapping[str, Any]
    """Which records are shown: the arguments of `Execution.logs`."""
    follow: bool = False
    """Whether to go on with what is added, until the execution has closed."""

    def listing(self) -> Listing:
        """One row per record."""
        return self.execution.logs(**self.selection).listing()


@click.command("workflow.logs")
@target_parameters
@click.option("--task", type=Word("task"), metavar="ID", help="Only of this task: an activity's id, or its name.")
@click.option("--source", metavar="SOURCE", help="Only stdout, stderr, or what was logged at a level, as WARNING.")
@click.option("--text", metavar="TEXT", help="Only what contains TEXT.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until the execution has closed.")
@click.pass_obj
def logs(session: Session, /, target: Target, follow: bool, **selection: Any) -> ExecutionLogs:
    """Show what the code of an execution printed and logged, with time, task, attempt and stream.

    Amazon SWF keeps none of it: there it is only what ran in this process.
    """
    execution = session.execution(target)
    if session.address.startswith("aws:") and not len(execution.logs()):
        raise UsageError(
            f"no logs of {execution.workflow_id} in this process, and Amazon SWF keeps none: see the output of the "
            "processes that ran it"
        )
    _check_selection(execution, selection, follow=follow)
    return ExecutionLogs(execution=execution, selection=selection, follow=follow)


def _check_selection(execution: Execution, selection: Mapping[str, Any], *, follow: bool) -> None:
    """Raise `UsageError` for a source or a task that can't have records."""
    source, task = selection.get("source"), selection.get("task")
    found = execution.logs()
    sources, tasks = {each.source for each in found}, {each.task for each in found}
    known = {"stdout", "stderr", *logging.getLevelNamesMapping()}
    if source is not None and source.lower() not in {each.lower() for each in sources | known}:
        raise UsageError(f"no source {source!r}: there are {', '.join(sorted(sources | {'stdout', 'stderr'}))}")
    if task and not follow and task not in tasks and not _is_task(execution, task):
        named = ", ".join(sorted(str(each) for each in tasks if each)[:10])
        raise UsageError(f"no task {task!r} in {execution.workflow_id}: its log has {named or 'none'}")


def _is_task(execution: Execution, task: str) -> bool:
    """Whether the execution has a task of this id or name, whether it wrote something or not."""
    scheduled = (each.attributes for each in execution.history() if each.type == "ActivityTaskScheduled")
    return any(task in (each["activityId"], each["activityType"]["name"]) for each in scheduled)


# -- its history and its chart -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ExecutionHistory(Inspection, ListingRecord):
    """`workflow.history`."""

    form: str
    """`events`, `raw` or `cooked`."""
    text: str
    """The history as JSON: an array of events, the JSON of `aws swf get-workflow-execution-history`, or an array of
    attempts."""
    file: Path | None = None
    """The file that the text was written to."""

    def listing(self) -> Listing:
        """One row per event."""
        from simpleflow_lab.views.workflow_listings import workflow_history

        return workflow_history(self.execution.history())


_force_option = click.option("--force", is_flag=True, help="Replace the file if it is there already.")


@click.command("workflow.history")
@target_or_file_parameters
@click.option(
    "-o",
    "--of",
    "--output-format",
    "form",
    type=click.Choice(["events", "raw", "cooked"]),
    default="events",
    show_default=True,
    help="One line per event; SWF's own JSON, as `aws swf get-workflow-execution-history` prints it; or its attempts.",
)
@click.option("--output-file", "output_file", type=click.Path(), metavar="FILE", help="Write it as JSON to FILE.")
@_force_option
@click.pass_obj
def history(session: Session, target: Target, form: str, output_file: str | None, force: bool) -> ExecutionHistory:
    """The history of an execution, all of it."""
    execution = execution_of(session, target)
    force = force or session.rewrites(output_file)
    text = _FORMS[form](execution)
    file = None if output_file is None else write_file(output_file, text + "\n", force=force)
    return ExecutionHistory(execution=execution, form=form, text=text, file=file, message=_written(file))


def _written(file: Path | None) -> str | None:
    return None if file is None else f"written to {file}"


def _events(execution: AnyExecution) -> str:
    events = [
        {"id": event.id, "type": event.type, "timestamp": event.timestamp, "attributes": dict(event.attributes)}
        for event in execution.history()
    ]
    return json_text(events, indent=1, ascii=True)


def _raw(execution: AnyExecution) -> str:
    workflow_id, run_id = execution.ids()
    return execution.history().to_json(workflow_id=workflow_id, run_id=run_id)


def _cooked(execution: AnyExecution) -> str:
    # pandas' own JSON knows its missing values.
    attempts = json.loads(execution.tasks().to_json(orient="records", date_format="iso", date_unit="ms"))
    return json_text(attempts, indent=1, ascii=True)


_FORMS: Final[dict[str, Callable[[AnyExecution], str]]] = {
    "events": _events,
    "raw": _raw,
    "cooked": _cooked,
}


@dataclass(frozen=True, kw_only=True)
class ExecutionGantt(Inspection, Record):
    """`gantt`."""

    file: Path | None = None
    """The file that it was written to."""


@click.command("gantt")
@target_or_file_parameters
@click.option(
    "-o",
    "--output",
    "output",
    type=click.Path(),
    metavar="FILE",
    help="Write it to FILE, as its name ends: .html, a page that needs nothing else; .svg, a picture; or the execution "
    "as .csv, .xlsx, .json or .trace.json, for Chrome and Perfetto.",
)
@_force_option
@click.pass_obj
def gantt(session: Session, target: Target, output: str | None, force: bool) -> ExecutionGantt:
    """The Gantt chart of an execution, with its task table; a page that needs nothing else."""
    execution = execution_of(session, target)
    file = None
    force = force or session.rewrites(output)
    if output is not None:
        if Path(output).suffix.lower() in _PAGES:
            file = write_file(output, execution.gantt_html(), force=force)
        else:
            file = execution.export(unused_path(output, force=force), force=force)
    return ExecutionGantt(execution=execution, file=file, message=_written(file))


_PAGES: Final = ("", ".html", ".htm")
"""The ends of names of files in which a page is written."""


@dataclass(frozen=True, kw_only=True)
class OpenedHistory(ExecutionInfo):
    """`open`: an execution from a file."""

    file: Path
    """The file."""


@dataclass(frozen=True, kw_only=True)
class OpenedHistories(ListingRecord):
    """`open` of a folder."""

    executions: Executions
    """The executions, by the names of their files."""

    def listing(self) -> Listing:
        """One row for each."""
        return self.executions.listing()


@click.command("open")
@click.argument("file", type=click.Path())
@click.pass_obj
def open_file(session: Session, file: str) -> OpenedHistory | OpenedHistories:
    """Open a history in a FILE, or all histories of a folder.

    It is what `aws swf get-workflow-execution-history` prints, or `workflow.history -o raw`.
    """
    if os.path.isdir(file):
        from simpleflow_lab.execution_sets import histories_of

        try:
            executions, left_out = histories_of(file)
        except HistoryError as error:
            raise UsageError(str(error)) from None
        return OpenedHistories(executions=executions, message=left_out)
    session.last = opened = _opened(session, file)
    return OpenedHistory(execution=opened, waits=opened.waiting_for().listing(), file=Path(file))


READING: Final = (info, tasks, profile, logs, history, gantt, open_file)
