"""On a clock that jumps, whatever is open is measured by that clock, from every process and in every face."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.commands.command_table import run
from simpleflow_lab.commands.session import Session
from simpleflow_lab.execution import Execution

DAYS = 100
DAY = 86_400
go = threading.Event()
started = threading.Event()


@activity.with_attributes(task_list="virtual-time", version="1")
def hold() -> None:
    print("held")
    started.set()
    go.wait(60)


class Later(Workflow):
    name, version, task_list, execution_timeout = "virtual-time.later", "1", "virtual-time", DAY * 300

    def run(self) -> None:
        self.submit(self.start_timer("t", DAY * DAYS)).wait()
        self.submit(hold).wait()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Lab, Execution]]:
    """An execution whose activity runs, 100 virtual days after it was started."""
    started.clear()
    go.clear()
    with Lab(tmp_path / "lab.sqlite", clock="virtual") as lab:
        execution = lab.start(Later)
        assert started.wait(60)
        yield lab, execution
        go.set()
        execution.result(60)


def test_every_face_measures_what_is_open_by_the_virtual_clock(held: tuple[Lab, Execution]) -> None:
    lab, execution = held
    assert execution.progress().seconds >= DAY * DAYS
    assert lab.executions()["duration"].iloc[0] >= DAY * DAYS
    assert (lab.now() - execution.history()[0].timestamp).total_seconds() >= DAY * DAYS
    assert execution.tasks()["running"].iloc[-1] < DAY
    (line,) = execution.logs(source="stdout")
    assert (line.time - execution.history()[0].timestamp).total_seconds() >= DAY * DAYS
    session = Session(lambda *_: lab)
    assert run(["workflow.list", "--started-since", "1"], session).infos == ()
    assert len(run(["workflow.list", "--started-since", str(DAYS + 1)], session).infos) == 1
    rows = run(["workflow.info", execution.workflow_id], session).listing()
    (row,) = (dict(zip(rows.columns, values, strict=True)) for values in rows.rows)
    assert DAY * DAYS <= row["execution_time"] < DAY * (DAYS + 2)


def test_another_process_measures_it_by_the_owners_clock(held: tuple[Lab, Execution]) -> None:
    lab, execution = held
    code = (
        "import sys; from simpleflow_lab import Lab\n"
        "with Lab(sys.argv[1]) as lab: print(lab.execution(sys.argv[2]).progress().seconds)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, lab.address, execution.workflow_id], capture_output=True, text=True, check=True
    )
    assert DAY * DAYS <= float(done.stdout) < DAY * (DAYS + 2)
