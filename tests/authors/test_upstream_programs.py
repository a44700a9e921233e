"""Programs written for upstream run when `simpleflow` becomes `simpleflow_lab` in their import lines."""

from __future__ import annotations

import importlib

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.exceptions import WorkflowExecutionFailed
from tests.authors.upstream_programs import PROGRAMS, Program


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.workflow)
def test_a_program_in_upstreams_idioms_gives_what_it_says(virtual_lab: Lab, program: Program) -> None:
    module, name = program.workflow.split(".")
    workflow = getattr(importlib.import_module(f"tests.authors.programs.{module}"), name)
    execution = virtual_lab.start(workflow, input=list(program.arguments))
    if module == "jumbo" and virtual_lab.address.startswith("aws:"):
        # test_jumbo.py gives it one.
        with pytest.raises(WorkflowExecutionFailed, match="name a bucket for large fields"):
            execution.result(timeout=200)
    elif program.fails:
        with pytest.raises(WorkflowExecutionFailed, match=program.gives):
            execution.result(timeout=200)
    else:
        assert execution.result(timeout=200) == program.gives
