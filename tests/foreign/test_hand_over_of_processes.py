"""A running execution goes from the processes of upstream's commands to those of ours, and the other way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from simpleflow_lab import Lab
from tests.engine.invariants import violations
from tests.foreign.test_upstream import simpleflow  # noqa: F401  a fixture
from tests.processes import kill
from tests.s3 import Bucket
from tests.waiting import until

LONG = 200
FLOWS = """
import time
from pathlib import Path

from LIBRARY import Workflow, activity

TASKS = {"task_list": "handed-over-activities", "version": "1"}


@activity.with_attributes(**TASKS)
def step(folder, number):
    Path(folder, f"began-{number}").touch()
    while not Path(folder, f"open-{number}").exists():
        time.sleep(0.02)
    return [number, Workflow.__module__.partition(".")[0]]


class Steps(Workflow):
    name = "handed-over"
    version = "1"
    task_list = "handed-over"

    def run(self, folder):
        return [self.submit(step, folder, number).result for number in range(3)]
"""


class Processes:
    """A decider and a worker of one of the two, as processes."""

    def __init__(self, command: list[str], library: str, folder: Path, environment: dict[str, str], flows: str = FLOWS):
        home = folder / library
        home.mkdir()
        (home / "handed_over.py").write_text(flows.replace("LIBRARY", library))
        self._command, self._home, self._folder = command, home, folder
        self._environment = {**os.environ, **environment, "PYTHONPATH": str(home), "LOG_LEVEL": "ERROR"}
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *words: str, count: int = 1) -> None:
        """Start one of the two."""
        with (self._folder / f"{self._home.name}.log").open("ab") as log:
            self._started[name] = subprocess.Popen(
                [*self._command, name, *words, "-N", str(count)],
                cwd=self._home,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, name: str) -> int:
        """Let it finish, and end."""
        self._started[name].send_signal(signal.SIGTERM)
        return self._started[name].wait(LONG)

    def kill(self) -> None:
        """Kill all of them, and what they have started, at once."""
        family = [psutil.Process(each.pid) for each in self._started.values()]
        family += [child for each in family for child in each.children(recursive=True)]
        for one in family:
            kill(one)
        for each in self._started.values():
            each.wait(LONG)

    def close(self) -> None:
        for each in self._started.values():
            family = []
            if each.poll() is None:
                family = psutil.Process(each.pid).children(recursive=True)
                each.kill()
                each.wait()
            for one in family:
                kill(one)


KILLED = """
import time
from pathlib import Path

from LIBRARY import Workflow, activity

TASKS = {"task_list": "handed-over-activities", "version": "1"}


@activity.with_attributes(**TASKS)
def make(length):
    return "x" * length


@activity.with_attributes(heartbeat_timeout=3, retry=2, **TASKS)
def held(folder, name, text):
    Path(folder, f"began-{name}-{Workflow.__module__.partition('.')[0]}").touch()
    end = time.monotonic() + 200
    while not Path(folder, f"open-{name}").exists() and time.monotonic() < end:
        time.sleep(0.02)
    return [name, len(text), Workflow.__module__.partition(".")[0]]


class Child(Workflow):
    name = "handed-over-child"
    version = "1"
    task_list = "handed-over"

    def run(self, folder, text):
        return self.submit(held, folder, "child", text).result


class Parent(Workflow):
    name = "handed-over"
    version = "1"
    task_list = "handed-over"

    def run(self, folder):
        large = self.submit(make, 40000).result
        child = self.submit(Child, folder, large)
        own = self.submit(held, folder, "parent", large)
        return [child.result, own.result, self.submit(make, 50000).result == "x" * 50000]
"""


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.trial
@pytest.mark.slow
@pytest.mark.parametrize("first", ["simpleflow", "simpleflow_lab"])
def test_another_ones_processes_go_on_where_it_stands(
    first: str,
    simpleflow: str,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: ExitStack,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    store = str(tmp_path / "lab.sqlite")
    lab = ends.enter_context(Lab(store, serve="nothing"))
    variables = lab.serve_store(port=0, poll_seconds=0.5).environment
    theirs = Processes([simpleflow], "simpleflow", tmp_path, dict(variables))
    ours = Processes([sys.executable, "-m", "simpleflow_lab.cli", "--store", store], "simpleflow_lab", tmp_path, {})
    theirs_polls = ("-d", "lab", "-t", "handed-over")
    words = {
        theirs: ((*theirs_polls, "handed_over.Steps"), (*theirs_polls[:3], "handed-over-activities")),
        ours: (("--module", "handed_over"), ("--module", "handed_over")),
    }
    before, after = (theirs, ours) if first == "simpleflow" else (ours, theirs)
    for each in (before, after):
        ends.callback(each.close)
    lab.service.register_workflow_type(domain="lab", name="handed-over", version="1")
    ids = {"workflowId": "handed-over"}
    ids["runId"] = lab.service.start_workflow_execution(
        domain="lab",
        workflowId="handed-over",
        workflowType={"name": "handed-over", "version": "1"},
        taskList={"name": "handed-over"},
        input=f'{{"args": ["{tmp_path}"], "kwargs": {{}}}}',
        executionStartToCloseTimeout="600",
        taskStartToCloseTimeout="60",
        childPolicy="TERMINATE",
    )["runId"]
    before.start("decider.start", *words[before][0])
    before.start("worker.start", *words[before][1])
    (tmp_path / "open-0").touch()
    until((tmp_path / "began-1").exists)
    # The second step is in progress in the one's worker when the other's decider takes over.
    assert before.stop("decider.start") == 0
    after.start("decider.start", *words[after][0])
    (tmp_path / "open-1").touch()
    assert before.stop("worker.start") == 0
    after.start("worker.start", *words[after][1])
    (tmp_path / "open-2").touch()
    second = "simpleflow_lab" if first == "simpleflow" else "simpleflow"
    assert lab.execution("handed-over", ids["runId"]).result(LONG) == [[0, first], [1, first], [2, second]]
    assert after.stop("decider.start") == 0
    assert after.stop("worker.start") == 0


@pytest.mark.trial
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", ["simpleflow", "simpleflow_lab"])
def test_another_ones_processes_go_on_when_all_of_the_first_ones_are_killed(
    first: str,
    simpleflow: str,  # noqa: F811
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: ExitStack,
) -> None:
    """A parent and its child each have an activity in progress, with a large value as its input."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", bucket.name)
    store = str(tmp_path / "lab.sqlite")
    lab = ends.enter_context(Lab(store, serve="nothing"))
    variables = lab.serve_store(port=0, poll_seconds=0.5).environment
    theirs = Processes([simpleflow], "simpleflow", tmp_path, dict(variables), KILLED)
    command = [sys.executable, "-m", "simpleflow_lab.cli", "--store", store]
    ours = Processes(command, "simpleflow_lab", tmp_path, {}, KILLED)
    polls = ("-d", "lab", "-t", "handed-over")
    words = {
        theirs: (
            (*polls, "handed_over.Parent", "handed_over.Child"),
            (*polls[:3], "handed-over-activities", "--heartbeat", "1"),
        ),
        ours: (("--module", "handed_over"), ("--module", "handed_over")),
    }
    before, after = (theirs, ours) if first == "simpleflow" else (ours, theirs)
    second = "simpleflow_lab" if first == "simpleflow" else "simpleflow"
    for each in (before, after):
        ends.callback(each.close)
    for name in ("handed-over", "handed-over-child"):
        lab.service.register_workflow_type(domain="lab", name=name, version="1")
    lab.service.start_workflow_execution(
        domain="lab",
        workflowId="handed-over",
        workflowType={"name": "handed-over", "version": "1"},
        taskList={"name": "handed-over"},
        input=f'{{"args": ["{tmp_path}"], "kwargs": {{}}}}',
        executionStartToCloseTimeout="600",
        taskStartToCloseTimeout="10",
        childPolicy="TERMINATE",
    )
    before.start("decider.start", *words[before][0])
    before.start("worker.start", *words[before][1], count=2)
    for name in ("parent", "child"):
        until((tmp_path / f"began-{name}-{first}").exists)
    before.kill()
    after.start("decider.start", *words[after][0])
    after.start("worker.start", *words[after][1], count=2)
    for name in ("parent", "child"):
        until((tmp_path / f"began-{name}-{second}").exists)
        (tmp_path / f"open-{name}").touch()
    execution = lab.execution("handed-over")
    assert execution.result(LONG) == [["child", 40000, second], ["parent", 40000, second], True]
    for info in lab.execution_infos():
        closed = lab.execution(info["execution"]["workflowId"])
        assert closed.status == "COMPLETED"
        assert violations([event.to_wire() for event in closed.history()]) == []
