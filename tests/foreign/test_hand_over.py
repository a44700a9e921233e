"""A running family of executions is handed over: from upstream's deciders and workers to ours, and back.

With children, a signal, retries, an idempotent task, a marker, a timer and values in a bucket, on one engine.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from simpleflow_lab import Execution, Lab
from simpleflow_lab.lab import Served
from tests.engine.invariants import violations
from tests.foreign.test_upstream import simpleflow  # noqa: F401  a fixture
from tests.s3 import Bucket
from tests.waiting import until

PROGRAM = Path(__file__).with_name("hand_over_flows.py")
LIST = "hand-over"
FINISHED = {
    "same task": True,
    "stamp": "2026-01-02T12:00:00.123",
    "retried": ["the second time", "the second time"],
    "measured": [40000, 50000],
    "child": [40000, 1, 40000],
    "echoed": [{"2": "b"}, [float("inf")]],
    "signal": ["now"],
    "markers": ["began"],
}

pytestmark = [pytest.mark.slow, pytest.mark.trial, pytest.mark.timeout(300)]


@pytest.fixture
def flows(tmp_path: Path) -> Iterator[ModuleType]:
    """The program with this package's name in its import lines, under the name that the module has for upstream."""
    ours = tmp_path / "ours" / PROGRAM.name
    ours.parent.mkdir()
    ours.write_text(PROGRAM.read_text().replace("from simpleflow ", "from simpleflow_lab "))
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, ours)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[PROGRAM.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[PROGRAM.stem]


@contextmanager
def upstream(simpleflow: str, served: Served, domain: str, *commands: str) -> Iterator[None]:  # noqa: F811
    """Upstream's processes of these commands, which end with this context."""
    environment = {**os.environ, **served.environment, "PYTHONPATH": str(PROGRAM.parent), "LOG_LEVEL": "CRITICAL"}
    classes = {"decider.start": [f"{PROGRAM.stem}.{name}" for name in ("Parent", "Child", "Passes")]}
    options = ["--domain", domain, "--task-list", LIST, "-N", "1"]
    processes = [
        subprocess.Popen(
            [simpleflow, command, *options, *classes.get(command, ())], env=environment, start_new_session=True
        )
        for command in commands
    ]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(timeout=200)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def ours(lab: Lab) -> Iterator[None]:
    """Our decider and worker, which end with this context."""
    lab.start_deciders(task_list=LIST)
    lab.start_workers(task_list=LIST)
    yield
    lab.workers.stop()


def waiting(lab: Lab) -> tuple[Execution, Execution] | None:
    """The parent and the child, when both wait for their signals and nothing else."""
    executions = [lab.execution(info["execution"]["workflowId"]) for info in lab.execution_infos(open_only=True)]
    for execution in executions:
        counts, seen = execution.describe()["openCounts"], types(execution)
        if counts["openActivityTasks"] or counts["openDecisionTasks"] or "ActivityTaskCompleted" not in seen:
            return None
    return (executions[1], executions[0]) if len(executions) == 2 else None


def types(execution: Execution) -> list[str]:
    return [event.type for event in execution.history()]


@pytest.mark.parametrize("first", ["upstream", "ours"])
def test_running_executions_are_handed_over(
    simpleflow: str,  # noqa: F811
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    flows: ModuleType,
    tmp_path: Path,
    first: str,
) -> None:
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", bucket.name)
    path = str(tmp_path / "failed")
    with Lab(":memory:", serve="nothing") as lab:
        served = lab.serve_store(poll_seconds=0.5)
        both = ("decider.start", "worker.start")
        sides = {"upstream": lambda: upstream(simpleflow, served, lab.domain, *both), "ours": lambda: ours(lab)}
        parent = lab.start(flows.Parent, path, workflow_id="the-parent")
        with sides[first]():
            parent, child = until(lambda: waiting(lab))
        handed_over = len(parent.history())
        with sides["ours" if first == "upstream" else "upstream"]():
            parent.signal("go", '{"args": ["now"], "kwargs": {}}')
            child.signal("finish")
            assert parent.result(timeout=240) == FINISHED
        assert child.status == "COMPLETED"
        for execution in (parent, child):
            assert violations([event.to_wire() for event in execution.history()]) == []
        begun, ended = parent.history()[:handed_over], parent.history()[handed_over:]
        assert [event.type for event in begun].count("ActivityTaskFailed") == 1
        assert [event.type for event in ended].count("ActivityTaskFailed") == 1
        assert not [event.type for event in parent.history() if event.type.startswith("DecisionTaskTimedOut")]


@pytest.mark.parametrize("place", ["bucket", "store"])
def test_an_upstream_worker_gets_a_large_value_whole_or_fails_the_task_and_the_execution_says_why(
    simpleflow: str,  # noqa: F811
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    flows: ModuleType,
    place: str,
) -> None:
    """Our decider passes on what nobody read."""
    if place == "bucket":
        monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", bucket.name)
    with Lab(":memory:", serve="nothing") as lab:
        served = lab.serve_store(poll_seconds=0.5)
        execution = lab.start(flows.Passes)
        with ours(lab):
            until(lambda: "ActivityTaskCompleted" in types(execution))
        lab.start_deciders(task_list=LIST)
        with upstream(simpleflow, served, lab.domain, "worker.start"):
            execution.signal("go")
            measured, reason = execution.result(120)
        warned = [warning for warning in execution.warnings if "a worker of upstream can't read its input" in warning]
        if place == "bucket":
            assert (measured, reason, warned) == ([40000], None, [])
        else:
            assert measured is None
            assert reason == "AttributeError: 'str' object has no attribute 'get'"
            assert len(warned) == 1
