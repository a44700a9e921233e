"""`workflow.start` and `resume ID` in a shell run the execution that they name, and no other of the store."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simpleflow_lab import Lab
from tests.cli import supervised_flows as flows
from tests.cli.supervised import Command, starting
from tests.waiting import until

Start = Callable[..., Command]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as begin:
        yield begin


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The store of the commands, whose engine is in this process; it serves nothing."""
    with Lab(os.environ["SIMPLEFLOW_LAB_STORE"], serve="nothing") as opened:
        yield opened


def event_types(lab: Lab, workflow_id: str) -> set[str]:
    return {event.type for event in lab.execution(workflow_id).history()}


def test_a_start_in_a_shell_takes_no_task_of_another_execution_and_a_resume_by_id_takes_the_children_along(
    start: Start, lab: Lab, tmp_path: Path
) -> None:
    other = lab.start(flows.Pids, 1, workflow_id="other")
    assert start("workflow.start", "supervised_flows.Parent", "--workflow-id", "with-child").wait() == 0

    begun = start("workflow.start", "supervised_flows.GateOfChild", "-i", f'["{tmp_path}"]', "--workflow-id", "gate")
    until(lambda: list(tmp_path.glob("began-*")))
    begun.process.send_signal(signal.SIGKILL)
    begun.wait()
    (tmp_path / "open").touch()
    assert start("resume", "gate", "--module", "supervised_flows").wait() == 0
    assert lab.execution("gate").status == "COMPLETED"
    assert event_types(lab, "other") == {"WorkflowExecutionStarted", "DecisionTaskScheduled"}

    assert start("resume", "--module", "supervised_flows").wait() == 0
    assert other.status == "COMPLETED"
