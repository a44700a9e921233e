"""Programs written for upstream run when `simpleflow` becomes `simpleflow_lab` in their import lines."""

from __future__ import annotations

import importlib

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.exceptions import WorkflowExecutionFailed
from tests.authors.upstream_programs import PROGRAMS, Program

NOT_YET = [
    pytest.param(program, id=program.workflow, marks=pytest.mark.xfail(reason=f"needs {program.needs}", strict=True))
    if program.needs
    else pytest.param(program, id=program.workflow)
    for program in PROGRAMS
]
"""Marks are lifted with the `needs` of the table."""


@pytest.mark.parametrize("program", NOT_YET)
def test_a_program_in_upstreams_idioms_gives_what_it_says(virtual_lab: Lab, program: Program) -> None:
    module, name = program.workflow.split(".")
    workflow = getattr(importlib.import_module(f"tests.authors.programs.{module}"), name)
    execution = virtual_lab.start(workflow, input=list(program.arguments))
    if program.fails:
        with pytest.raises(WorkflowExecutionFailed, match=program.gives):
            execution.result(timeout=30)
    else:
        assert execution.result(timeout=30) == program.gives
