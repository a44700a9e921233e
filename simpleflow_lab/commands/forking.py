"""`workflow.fork`: a new execution that goes on from where another one was."""

from __future__ import annotations

from typing import Any, Final

import click

from simpleflow_lab.commands.imports import import_module
from simpleflow_lab.commands.parameters import Name, Target, Word, target_parameters, wait_option
from simpleflow_lab.commands.session import Session
from simpleflow_lab.commands.workflow import Outcome, outcome_of
from simpleflow_lab.exceptions import UsageError


@click.command("workflow.fork")
@target_parameters
@click.option(
    "--at",
    type=Word("task"),
    metavar="POINT",
    help="The number of a decision, the id of a task, or 'first failure': the default of one that failed.",
)
@click.option(
    "--replace",
    "replaced",
    multiple=True,
    metavar="TASK=JSON",
    help="The result that a task has in the fork; may be repeated.",
)
@click.option(
    "--anew",
    "--force-activities",
    "anew",
    metavar="REGEX",
    help="Further tasks that run again, by their ids or the names of their types.",
)
@click.option(
    "--new-id",
    "--workflow-id",
    "new_id",
    type=Name(),
    metavar="ID",
    help="The id of the fork; by default the old one and a random part.",
)
@click.option("--module", "modules", multiple=True, type=Word("module"), help="Import it: it defines the workflow.")
@wait_option
@click.pass_obj
def fork(
    session: Session,
    /,
    target: Target,
    at: str | None,
    replaced: tuple[str, ...],
    anew: str | None,
    new_id: str | None,
    modules: tuple[str, ...],
    wait: bool,
) -> Outcome:
    """Start a new execution from where another one was, with the results recorded by then.

    What is reused does not run again. The execution that is forked stays as it is.
    """
    for module in modules:
        import_module(module)
        session.remember_module(module)
    from simpleflow_lab.debugger.replayed_workflow import defined_here

    execution = session.execution(target)
    session.lab_of_own_executions(wait=wait)
    if wait:
        history = execution.history()
        if not defined_here(history):
            raise UsageError(
                f"workflow {history.workflow_type} is not defined in this process, which would decide for the fork: "
                "give --module, or --detach if other processes decide for it"
            )
    point: Any = int(at) if at is not None and at.isdecimal() else at
    forked = execution.fork(point, replace=_results(replaced), anew=anew or (), workflow_id=new_id)
    return outcome_of(session, forked, wait=wait)


def _results(replaced: tuple[str, ...]) -> dict[str, Any]:
    """The results that were typed, by task id. Raises `UsageError`."""
    from simpleflow_lab.data.codec import decode

    found: dict[str, Any] = {}
    for text in replaced:
        task, separator, value = text.partition("=")
        if not separator or not task:
            raise UsageError(f"--replace is TASK=JSON, not {text!r:.80}")
        try:
            found[task] = decode(value)
        except ValueError as error:
            raise UsageError(f"--replace {task}: {value!r:.80} is no JSON: {error}") from None
    return found


ACTING: Final = (fork,)
