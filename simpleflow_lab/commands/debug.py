"""`debug`: the steps of a replay, one at a time; in a notebook the debugger's view, with `--pdb` Python's debugger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from simpleflow_lab.commands.imports import import_module, workflow_named
from simpleflow_lab.commands.inspection import execution_of
from simpleflow_lab.commands.parameters import Target, Word, target_or_file_parameters
from simpleflow_lab.commands.records import Done, TextRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError

if TYPE_CHECKING:
    from simpleflow_lab.debugger.time_travel import Debugger


@dataclass(frozen=True, kw_only=True)
class Debugged(TextRecord):
    """`debug`."""

    debugger: Debugger
    """Stands at the step that was asked for."""

    def text(self) -> str:
        """The step, and which others there are."""
        step, total = self.debugger.step, len(self.debugger)
        opened = f"\n  {self.debugger.opened}" if self.debugger.opened else ""
        return (
            f"{step!r}{opened}\n  of {total} steps: --at N shows another one, --pdb stands where the code waits in it"
        )


@click.command("debug")
@target_or_file_parameters
@click.option("--workflow", "name", type=Word("workflow"), help="Replay this workflow: module.Class, or a name.")
@click.option("--module", "modules", multiple=True, type=Word("module"), help="Import it: it defines the workflow.")
@click.option(
    "--at",
    type=int,
    metavar="N",
    help="The step with this number; -1 is the last.  [default: where it failed, or waits]",
)
@click.option("--pdb", is_flag=True, help="Stand in Python's debugger where the code waits at the end of that step.")
@click.pass_obj
def debug(
    session: Session, target: Target, name: str | None, modules: tuple[str, ...], at: int | None, pdb: bool
) -> Debugged | Done:
    """Step through what a decider did: the history of an execution, replayed with the code that is here.

    One step a decision: what woke it, what the code did, where it waits then. No activity runs and nothing is sent.
    In a notebook it is a view with a slider; elsewhere it shows one step. Of a --file, WORKFLOW_ID and RUN_ID say of
    which execution it is.
    """
    from simpleflow_lab.recorded_execution import RecordedExecution

    for module in modules:
        import_module(module)
        session.remember_module(module)
    of_file = None if target.file is None or not target.words else target.parse(tuple)
    if not target.words and target.file is None and session.last is None:
        target = _latest(session, target)
    execution = execution_of(session, Target(file=target.file) if of_file else target)
    definition = workflow_named(name) if name is not None else None
    options: dict[str, Any] = {}
    if of_file is not None and isinstance(execution, RecordedExecution):
        options = {"workflow_id": of_file[1], "run_id": of_file[2] or ""}
    debugger = execution.debug(definition, at=at, **options)
    return stand(debugger) if pdb else Debugged(debugger=debugger)


def stand(debugger: Debugger) -> Done:
    """Let the user debug at its step."""
    step = debugger.step
    step.pdb()
    return Done(message=f"left step {step.number} of {len(debugger)}: nothing of the execution has changed")


def _latest(session: Session, target: Target) -> Target:
    """The execution that was started last."""
    session.known_domain(target.domain)
    infos = [info for info in session.lab().execution_infos() if "parent" not in info]
    if not infos:
        raise UsageError("there is no execution to debug: workflow.start starts one")
    started = infos[0]["execution"]
    return Target(words=(started["workflowId"], started["runId"]), domain=target.domain)


ACTING: Final = (debug,)
