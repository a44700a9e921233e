"""`workflow.replay`: a recorded history, replayed with the code of today. Nothing is decided and no activity runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from simpleflow_lab.commands.imports import import_module, workflow_named
from simpleflow_lab.commands.inspection import AnyExecution, execution_of
from simpleflow_lab.commands.parameters import Target, Word, target_or_file_parameters
from simpleflow_lab.commands.records import ListingRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import DecisionTaskError, UsageError
from simpleflow_lab.views.listings import Kind, Listing

if TYPE_CHECKING:
    from simpleflow_lab.data.fields import Fields

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
    """How many decisions the history records."""
    events: int
    """How many events it has."""
    error: DecisionTaskError | None
    """Where the code decides otherwise; `None` if it makes the recorded decisions."""

    def listing(self) -> Listing:
        """One row."""
        error = None if self.error is None else str(self.error)
        same = "yes" if self.error is None else "no"
        return Listing(columns=_COLUMNS, rows=[(self.workflow, self.decisions, self.events, same, error)])


@click.command("workflow.replay")
@target_or_file_parameters
@click.option("--workflow", "name", type=Word("workflow"), help="Replay this workflow: module.Class, or a name.")
@click.option("--module", "modules", multiple=True, type=Word("module"), help="Import it: it defines the workflow.")
@click.pass_obj
def replay(session: Session, target: Target, name: str | None, modules: tuple[str, ...]) -> Replayed:
    """Replay the history of an execution with the code that is here: does it make the recorded decisions?

    No activity runs and nothing is written. The exit code is 1 if the code decides otherwise: at which event, with
    both lines.

    With a --file, WORKFLOW_ID and RUN_ID say of which execution it is: the ids of its children are made of them. Large
    values that are not in the file can't be read.
    """
    from simpleflow_lab.runtime.history_replay import decisions_of, replay_history

    for module in modules:
        import_module(module)
        session.remember_module(module)
    of_file = None if target.file is None or not target.words else target.parse(tuple)
    execution = execution_of(session, Target(file=target.file) if of_file else target)
    history = execution.history()
    if not history:
        raise UsageError("this history has no events: there is nothing to replay")
    definition = workflow_named(name) if name is not None else _defined_here(str(history.workflow_type))
    _, workflow_id, run_id = of_file or (None, execution.workflow_id, execution.run_id)
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


def _defined_here(type_name: str) -> Any:
    """The workflow of a type, if this process defines it: what a history names is not imported."""
    from simpleflow_lab.lab import find_workflow

    try:
        return find_workflow(type_name)
    except UsageError as error:
        raise UsageError(f"{error}: give --module MODULE, which defines it, or --workflow module.Class") from None


def _fields(session: Session, execution: AnyExecution) -> Fields | None:
    from simpleflow_lab.execution import Execution

    return session.lab().fields if isinstance(execution, Execution) else None


ACTING: Final = (replay,)
