"""A program written for upstream, as a cell: its text with `simpleflow_lab` in its import lines, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab import workflow
from tests.authors.upstream_programs import PROGRAMS, Program

FOLDER = Path(__file__).parents[1] / "authors" / "programs"
CHOSEN = ("basic", "canvas", "children", "markers", "priorities", "signals", "blocked")
"""Modules; the first program of each is run every time, the others are trials."""
IN_CELLS = [
    pytest.param(program, id=program.workflow, marks=[pytest.mark.trial] if number else [])
    for module in CHOSEN
    for number, program in enumerate(
        program for program in PROGRAMS if program.workflow.partition(".")[0] == module and not program.fails
    )
]


@pytest.mark.parametrize("program", IN_CELLS)
def test_a_program_is_defined_by_a_cell_and_run_by_the_next(shell: InteractiveShell, program: Program) -> None:
    module, name = program.workflow.split(".")
    shell.run_cell_magic("simpleflow", "", (FOLDER / f"{module}.py").read_text())
    shell.user_ns["arguments"] = list(program.arguments)
    shell.run_cell(
        f"from simpleflow_lab import Lab\nwith Lab(':memory:') as lab:\n"
        f"    result = lab.start({name}, input=arguments).result(timeout=200)"
    ).raise_error()
    assert shell.user_ns["result"] == program.gives


def test_both_classes_of_one_type_in_a_cell_can_be_started_by_name(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell_magic("simpleflow", "", (FOLDER / "children.py").read_text())
    capsys.readouterr()
    for name, result in (("OneOfAType", "one"), ("OtherOfAType", "other")):
        execution = shell.run_line_magic("simpleflow", f"workflow.start {name}")
        assert execution.result(200) == result
    assert len({kind for kind in workflow.registry if kind[0] == "programs-of-one-type"}) == 1
