"""Commands that look: at the executions of a store, at one of them, at a history in a file. Looking runs nothing."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from simpleflow_lab.commands.parameters import Function, Word, target, written
from simpleflow_lab.commands.records import Executions, Gantt, HistoryShown, Info, Opened, Profile, Tasks
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import HistoryError, UsageError
from simpleflow_lab.execution import Execution, RecordedExecution, open_history

DEFAULT_DAYS: Final = 30
"""`workflow.list` shows executions started since so many days."""


@click.command("workflow.list")
@click.argument("domain", required=False, type=Word("domain"))
@click.option(
    "--domain", "named", type=Word("domain"), metavar="DOMAIN", help="The same.  [env var: SWF_DOMAIN; default: lab]"
)
@click.option("-s", "--status", type=click.Choice(["open", "closed", "all"]), default="all", show_default=True)
@click.option(
    "-d",
    "--started-since",
    "days",
    type=click.FloatRange(min=0, max=36_500),
    default=DEFAULT_DAYS,
    show_default=True,
    metavar="DAYS",
    help="Those started in the last DAYS.",
)
@click.pass_obj
def list_executions(session: Session, domain: str | None, named: str | None, status: str, days: float) -> Executions:
    """The executions of a domain, latest first."""
    if domain is not None and named is not None and domain != named:
        raise UsageError(f"two domains were given, {domain!r} and {named!r}: leave one out")
    found = session.known_domain(domain or named)
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    infos = [
        info
        for info in session.lab().execution_infos(open_only=status == "open", domain=found)
        if info["startTimestamp"] >= since and not (status == "closed" and "closeStatus" not in info)
    ]
    return Executions(domain=found, infos=tuple(infos))


def _looked_at(function: Function) -> Function:
    """The target, or `--file`."""
    return target(
        click.option("--file", "file", type=click.Path(), metavar="FILE", help="Look at a history in a file.")(function)
    )


def _nb_tasks(function: Function) -> Function:
    return click.option("-n", "--nb-tasks", type=click.IntRange(min=1), help="At most so many tasks.")(function)


def _execution(
    session: Session, words: tuple[str, ...], domain: str | None, file: str | None
) -> Execution | RecordedExecution:
    """What to look at: a file, the execution that is named, or the last one."""
    if file is not None:
        if words:
            raise UsageError("an execution of the store and --file: give one of them")
        return _opened(file)
    if not words and isinstance(session.last, RecordedExecution):
        return session.last
    return session.execution(words, domain)


def _opened(file: str) -> RecordedExecution:
    try:
        return open_history(file)
    except (HistoryError, ValueError) as error:
        raise UsageError(str(error)) from None


@click.command("workflow.info")
@_looked_at
@click.pass_obj
def info(session: Session, words: tuple[str, ...], domain: str | None, file: str | None) -> Info:
    """What an execution is: its workflow, ids, tags, time and input."""
    return Info(execution=_execution(session, words, domain, file))


@click.command("workflow.tasks")
@_looked_at
@_nb_tasks
@click.pass_obj
def tasks(
    session: Session, words: tuple[str, ...], domain: str | None, file: str | None, nb_tasks: int | None
) -> Tasks:
    """The tasks of an execution and their last state, latest first."""
    return Tasks(execution=_execution(session, words, domain, file), nb_tasks=nb_tasks)


@click.command("workflow.profile")
@_looked_at
@_nb_tasks
@click.pass_obj
def profile(
    session: Session, words: tuple[str, ...], domain: str | None, file: str | None, nb_tasks: int | None
) -> Profile:
    """Where the time of an execution went: its tasks by the time they ran."""
    return Profile(execution=_execution(session, words, domain, file), nb_tasks=nb_tasks)


@click.command("workflow.history")
@_looked_at
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
@click.pass_obj
def history(
    session: Session, words: tuple[str, ...], domain: str | None, file: str | None, form: str, output_file: str | None
) -> HistoryShown:
    """The history of an execution, all of it."""
    execution = _execution(session, words, domain, file)
    text = _FORMS[form](execution)
    written_to = None if output_file is None else written(output_file, text + "\n")
    return HistoryShown(execution=execution, form=form, text=text, file=written_to)


def _events(execution: Execution | RecordedExecution) -> str:
    events = [
        {"id": event.id, "type": event.type, "timestamp": event.timestamp, "attributes": dict(event.attributes)}
        for event in execution.history()
    ]
    return _json(events)


def _raw(execution: Execution | RecordedExecution) -> str:
    return execution.history().to_json(indent=1)


def _cooked(execution: Execution | RecordedExecution) -> str:
    # pandas' own JSON knows its missing values.
    attempts = json.loads(execution.tasks().to_json(orient="records", date_format="iso", date_unit="ms"))
    return _json(attempts)


_FORMS: Final[dict[str, Callable[[Execution | RecordedExecution], str]]] = {
    "events": _events,
    "raw": _raw,
    "cooked": _cooked,
}


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, default=_isoformat)


def _isoformat(value: Any) -> str:
    return str(value.isoformat()) if isinstance(value, datetime.datetime) else str(value)


@click.command("gantt")
@_looked_at
@click.option("-o", "--output", "output", type=click.Path(), metavar="FILE.html", help="Write it as one HTML page.")
@click.pass_obj
def gantt(session: Session, words: tuple[str, ...], domain: str | None, file: str | None, output: str | None) -> Gantt:
    """The Gantt chart of an execution, with its task table; a page that needs nothing else."""
    execution = _execution(session, words, domain, file)
    return Gantt(execution=execution, file=None if output is None else written(output, execution.gantt_html()))


@click.command("open")
@click.argument("file", type=click.Path())
@click.pass_obj
def open_file(session: Session, file: str) -> Opened:
    """Open a history in a FILE.

    It is what `aws swf get-workflow-execution-history` prints, or `workflow.history -o raw`.
    """
    session.last = opened = _opened(file)
    return Opened(execution=opened, file=Path(file))


COMMANDS: Final = (list_executions, info, tasks, profile, history, gantt, open_file)
