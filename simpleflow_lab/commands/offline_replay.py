"""`workflow.replay`: a recorded history, replayed with the code of today. Nothing is decided and no activity runs."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from simpleflow_lab.commands.imports import import_module, workflow_named
from simpleflow_lab.commands.inspection import AnyExecution, execution_of
from simpleflow_lab.commands.parameters import Target, Word, target_or_file_parameters
from simpleflow_lab.commands.records import Done, ListingRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import DecisionTaskError, HistoryError, UsageError
from simpleflow_lab.views.listings import Kind, Listing

if TYPE_CHECKING:
    from simpleflow_lab.data.fields import Fields
    from simpleflow_lab.debugger.checking import Recorded
    from simpleflow_lab.debugger.recorded_checks import RecordedChecks

_COLUMNS: Final = {
    "workflow": Kind.TEXT,
    "decisions": Kind.COUNT,
    "events": Kind.COUNT,
    "same": Kind.TEXT,
    "error": Kind.TEXT,
}


@dataclass(frozen=True, kw_only=True)
class Replayed(ListingRecord):
    """`workflow.replay`."""

    workflow: str
    """The workflow class that was replayed."""
    decisions: int
    """Number of decisions that the history records."""
    events: int
    """Number of its events."""
    error: DecisionTaskError | None
    """Where the code decides otherwise; `None` if it makes the recorded decisions."""

    def listing(self) -> Listing:
        """One row."""
        error = None if self.error is None else str(self.error)
        same = "yes" if self.error is None else "no"
        return Listing(columns=_COLUMNS, rows=[(self.workflow, self.decisions, self.events, same, error)])


@dataclass(frozen=True, kw_only=True)
class ReplayedAll(ListingRecord):
    """`workflow.replay WORKFLOW HISTORY…`."""

    workflow: str
    """The workflow class that was replayed."""
    checks: RecordedChecks
    """Each history, with what differs."""

    def listing(self) -> Listing:
        """One row for each history."""
        rows = [
            (
                self.workflow,
                check.workflow_id,
                check.decisions,
                check.events,
                "yes" if check.is_same else "no",
                check.decision,
                check.event_id,
                check.error,
            )
            for check in self.checks
        ]
        return Listing(columns=_COLUMNS_OF_ALL, rows=rows)


_MAX_NAMED: Final = 5
"""Files that a message names."""
_HEAD: Final = 1_000_000
"""Bytes of a file that are looked through for the events of a history."""
_COLUMNS_OF_ALL: Final = {
    "workflow": Kind.TEXT,
    "history": Kind.TEXT,
    "decisions": Kind.COUNT,
    "events": Kind.COUNT,
    "same": Kind.TEXT,
    "decision": Kind.COUNT,
    "event": Kind.COUNT,
    "error": Kind.TEXT,
}


@click.command("workflow.replay")
@target_or_file_parameters
@click.option("--workflow", "name", type=Word("workflow"), help="Replay this workflow: module.Class, or a name.")
@click.option("--module", "modules", multiple=True, type=Word("module"), help="Import it: it defines the workflow.")
@click.option("--pdb", is_flag=True, help="Stand in Python's debugger where it differs, or where the code waits last.")
@click.pass_obj
def replay(
    session: Session, target: Target, name: str | None, modules: tuple[str, ...], pdb: bool
) -> Replayed | ReplayedAll | Done:
    """Replay the history of an execution with the code that is here: does it make the recorded decisions?

    No activity runs and nothing is written. The exit code is 1 if the code decides otherwise: at which event, with
    both lines.

    With a --file, WORKFLOW_ID and RUN_ID say of which execution it is: the ids of its children are made of them. Large
    values that are not in the file can't be read.

    `workflow.replay module.Class HISTORY…` replays many: each HISTORY is a file, a folder of files, or a workflow id;
    one row each.
    """
    from simpleflow_lab.runtime.history_replay import decisions_of, replay_history

    for module in modules:
        import_module(module)
        session.remember_module(module)
    if name is None and target.file is None and len(target.words) > 1 and not pdb:
        named = _workflow_among(target.words)
        if named is not None:
            return _replayed_all(session, named, target)
    of_file = None if target.file is None or not target.words else target.parse(tuple)
    execution = execution_of(session, Target(file=target.file) if of_file else target)
    history = execution.history()
    if not history:
        raise UsageError("this history has no events: there is nothing to replay")
    definition = workflow_named(name) if name is not None else defined_here(str(history.workflow_type))
    _, workflow_id, run_id = of_file or (None, *execution.ids())
    if pdb:
        from simpleflow_lab.commands.debug import stand

        options: dict[str, Any] = {} if of_file is None else {"workflow_id": workflow_id, "run_id": run_id or ""}
        return stand(execution.debug(definition, **options))
    error = replay_history(
        definition,
        history,
        domain=execution.domain,
        workflow_id=workflow_id,
        run_id=run_id or "",
        fields=_fields(session, execution),
    )
    return Replayed(
        workflow=f"{definition.__module__}.{definition.__qualname__}",
        decisions=decisions_of(history),
        events=len(history),
        error=error,
    )


def _workflow_among(words: tuple[str, ...]) -> Any:
    """The workflow that the first of these words names, as `module.Class`, or of this process before a file; else
    `None`: it is an id."""
    first, second = words[0], words[1]
    if not all(part.isidentifier() for part in first.split(".")):
        return None
    if "." not in first and not os.path.exists(second):
        return None
    try:
        return workflow_named(first)
    except UsageError:
        # Of an id with dots, as `nightly.1`, there is no module; of files there is no doubt what was meant.
        if os.path.exists(second) or _is_module(first.rpartition(".")[0]):
            raise
        return None


def _is_module(name: str) -> bool:
    try:
        return bool(name) and importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _replayed_all(session: Session, definition: Any, target: Target) -> ReplayedAll:
    from simpleflow_lab.debugger.checking import check_recorded

    recorded: list[Recorded] = []
    left_out: list[str] = []
    for word in target.words[1:]:
        recorded += _recorded(session, definition, word, target.domain)
        left_out += _left_out_of(word)
    lab = session.lab() if any(each.label is None for each in recorded) else None
    checks = check_recorded(
        definition,
        recorded,
        domain="" if lab is None else lab.domain,
        fields=None if lab is None else lab.fields,
        any_class=True,
    )
    return ReplayedAll(
        workflow=f"{definition.__module__}.{definition.__qualname__}",
        checks=checks,
        message="; ".join([*left_out, *filter(None, [checks.stopped])]) or None,
    )


def _left_out_of(word: str) -> list[str]:
    """A line about the files of a folder that are JSON and no histories; none if there are none, or for a file."""
    if not os.path.isdir(word):
        return []
    names = [name for name in sorted(os.listdir(word)) if name.endswith(".json")]
    files = {name: os.path.join(word, name) for name in names}
    others = [name for name, file in files.items() if _is_another_json(file) and not _is_history(file)]
    if not others:
        return []
    named = ", ".join(others[:_MAX_NAMED]) + (", …" if len(others) > _MAX_NAMED else "")
    what = "1 file that is no history" if len(others) == 1 else f"{len(others)} files that are no histories"
    return [f"{word}: left out {what}: {named}"]


def _recorded(session: Session, definition: Any, word: str, domain: str | None) -> list[Recorded]:
    """The histories that a word names: a file, a folder of files, or an execution of the store."""
    from simpleflow_lab.debugger.checking import Recorded
    from simpleflow_lab.debugger.recorded_test import execution_in
    from simpleflow_lab.recorded_execution import open_history

    if os.path.isdir(word):
        files = sorted(os.path.join(word, name) for name in os.listdir(word) if name.endswith(".json"))
        of_type = [file for file in files if _is_of_type(file, definition)]
        if not of_type:
            raise UsageError(f"{word}: of its {len(files)} files none is a history of {definition.type_name()}")
        return [found for file in of_type for found in _recorded(session, definition, file, domain)]
    if os.path.isfile(word):
        workflow_id, run_id = execution_in(word)
        return [
            Recorded(label=word, workflow_id=workflow_id, run_id=run_id, history=lambda: open_history(word).history())
        ]
    if os.sep in word or word.endswith(".json"):
        raise UsageError(f"{word}: there is no such file or folder")
    execution = session.execution(Target(words=(word,), domain=domain))
    return [
        Recorded(
            workflow_id=execution.workflow_id,
            run_id=execution.run_id,
            is_open=execution.status == "OPEN",
            history=execution.history,
        )
    ]


def _is_of_type(file: str, definition: Any) -> bool:
    """Whether a file is a history of this workflow, or one that can't be read: then that is reported."""
    from simpleflow_lab.recorded_execution import open_history

    try:
        return open_history(file).history().workflow_type in (definition.type_name(), definition.__name__)
    except HistoryError:
        return not _is_another_json(file)


def _is_history(file: str) -> bool:
    from simpleflow_lab.recorded_execution import open_history

    try:
        open_history(file).history()
    except HistoryError:
        return False
    return True


def _is_another_json(file: str) -> bool:
    """Whether a file that is no history is JSON of something else."""
    with open(file, "rb") as opened:
        if b'"events"' in opened.read(_HEAD):
            return False
        opened.seek(0)
        try:
            json.load(opened)
        except (ValueError, RecursionError):
            return False
    return True


def defined_here(type_name: str) -> Any:
    """The workflow of a type, if this process defines it: what a history names is not imported. Raises `UsageError`."""
    from simpleflow_lab.executions.start_requests import find_workflow

    try:
        return find_workflow(type_name)
    except UsageError as error:
        raise UsageError(f"{error}: give --module MODULE, which defines it, or --workflow module.Class") from None


def _fields(session: Session, execution: AnyExecution) -> Fields | None:
    from simpleflow_lab.execution import Execution

    return session.lab().fields if isinstance(execution, Execution) else None


ACTING: Final = (replay,)
