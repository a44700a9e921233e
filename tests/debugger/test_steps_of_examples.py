"""The executions of the examples as steps."""

from __future__ import annotations

from typing import Any

import pytest

from examples.basic import BasicWorkflow
from examples.canvas import WordCount
from examples.children import Invoices
from examples.failing import Failing
from examples.markers import Audit
from examples.retries import Prices
from examples.timers import Trial
from simpleflow_lab import Lab, Workflow
from tests.debugger.step_facts import check_steps

STARTS: list[tuple[type[Workflow], tuple[Any, ...], int]] = [
    (BasicWorkflow, (1, 0), 1),
    (WordCount, (["to be or not to be", "let it be"],), 1),
    (Failing, (), 1),
    (Invoices, ("2026-11", ["fr", "de"]), 3),
    (Trial, ("Ada",), 1),
    (Audit, ([1, 200_000],), 1),
    (Prices, (), 1),
]
"""Workflows, arguments, and how many executions that gives, with its children."""


@pytest.mark.parametrize(("workflow", "arguments", "executions"), STARTS, ids=[each[0].__name__ for each in STARTS])
def test_what_an_example_records_is_replayed_by_steps(
    workflow: type[Workflow], arguments: tuple[Any, ...], executions: int
) -> None:
    with Lab(":memory:", clock="virtual") as lab:
        lab.start(workflow, *arguments).wait(60)
        infos = lab.execution_infos()
        assert len(infos) == executions
        for info in infos:
            execution = lab.execution(info["execution"]["workflowId"], info["execution"]["runId"])
            with execution.replay() as steps:
                assert len(steps) == steps.expected
                assert all(step.trigger != "nothing new" for step in steps)
                options = {"domain": "lab", "workflow_id": execution.workflow_id, "run_id": execution.run_id}
                check_steps(steps.workflow, execution.history(), fields=lab.fields, **options)
