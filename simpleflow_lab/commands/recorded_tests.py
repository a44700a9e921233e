"""`workflow.to_test`: a recorded execution as a pytest file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from simpleflow_lab.commands.files import write_file
from simpleflow_lab.commands.imports import import_module, workflow_named
from simpleflow_lab.commands.inspection import execution_of
from simpleflow_lab.commands.offline_replay import defined_here
from simpleflow_lab.commands.parameters import Target, Word, target_or_file_parameters
from simpleflow_lab.commands.records import Done
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError


@dataclass(frozen=True, kw_only=True)
class TestWritten(Done):
    """`workflow.to_test`."""

    test: Path
    """The pytest file."""
    history: Path
    """The file with the history."""


@click.command("workflow.to_test")
@target_or_file_parameters
@click.option(
    "--out", "--output", "out", metavar="DIR", default=".", show_default=True, help="Write both files into this folder."
)
@click.option("--workflow", "name", type=Word("workflow"), help="The workflow: module.Class, or a name.")
@click.option("--module", "modules", multiple=True, type=Word("module"), help="Import it: it defines the workflow.")
@click.option("--import-from", metavar="MODULE", help="The test imports the workflow from this module.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.pass_obj
def to_test(
    session: Session,
    target: Target,
    out: str,
    name: str | None,
    modules: tuple[str, ...],
    import_from: str | None,
    force: bool,
) -> TestWritten:
    """Write a pytest file that fails when the workflow would no longer decide what this execution did.

    The history is written beside it, and the decisions stand in the test. No activity runs, now or in the test. With a
    --file, WORKFLOW_ID and RUN_ID say of which execution it is.
    """
    from simpleflow_lab.debugger.recorded_test import execution_in, recorded_test

    for module in modules:
        import_module(module)
        session.remember_module(module)
    of_file = None if target.file is None or not target.words else target.parse(tuple)
    execution = execution_of(session, Target(file=target.file) if of_file else target)
    history = execution.history()
    definition = workflow_named(name) if name is not None else defined_here(str(history.workflow_type))
    workflow_id, run_id = execution.workflow_id, execution.run_id
    if target.file is not None:
        workflow_id, run_id = (of_file[1], of_file[2] or "") if of_file else execution_in(target.file)
    folder = Path(out)
    if not os.path.isdir(folder):
        raise UsageError(f"--out {out}: there is no such folder")
    made = recorded_test(
        definition,
        history,
        workflow_id=workflow_id or Path(target.file or "execution").stem,
        run_id=run_id,
        folder=folder,
        module=import_from,
    )
    if not force:
        for each in (made.test_name, made.history_name):
            if os.path.exists(folder / each):
                raise UsageError(f"{folder / each} is there already: --force replaces it")
    fixture = write_file(str(folder / made.history_name), made.history, force=True)
    test = write_file(str(folder / made.test_name), made.test, force=True)
    return TestWritten(
        test=test,
        history=fixture,
        message=f"{test} checks the {made.decisions} decisions of {workflow_id or target.file}; "
        f"its history is {fixture.name}",
    )


ACTING: Final = (to_test,)
