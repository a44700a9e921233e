"""Upstream simpleflow 0.36 from PyPI, unmodified, runs `standalone` on our endpoint.

It lives in a virtual environment of its own, for both packages install a `simpleflow` command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.locking.file_lock import FileLock
from simpleflow_lab.swf.history import History
from tests.engine.invariants import violations
from tests.examples_count import repeats

VERSION = "0.36.0"
ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".benchmarks" / f"upstream-{VERSION}"


@pytest.fixture(scope="session")
def simpleflow() -> str:
    """Upstream's command, installed once."""
    made = ENVIRONMENT / "made"
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    lock = FileLock(ENVIRONMENT.parent / "upstream.lock")  # tests may run in several processes
    assert lock.acquire(seconds=250)
    try:
        if not made.exists():
            venv.create(ENVIRONMENT, clear=True)
            pip = [sys.executable, "-m", "pip", "--python", str(ENVIRONMENT / "bin" / "python"), "install", "--quiet"]
            subprocess.run([*pip, f"simpleflow=={VERSION}"], check=True, capture_output=True, text=True)
            made.touch()
    finally:
        lock.release()
    return str(ENVIRONMENT / "bin" / "simpleflow")


@pytest.fixture
def engine() -> Iterator[EmbeddedSWF]:
    # Upstream stops only when its polls have ended, so they are short here.
    with EmbeddedSWF(":memory:", poll_seconds=0.5) as opened:
        opened.register_domain(name="lab", workflowExecutionRetentionPeriodInDays="1")
        yield opened


def standalone(simpleflow: str, engine: EmbeddedSWF, workflow: str, *arguments: object, deciders: int = 1) -> None:
    """Run a workflow with upstream's own deciders and workers."""
    endpoint = Endpoint(engine)
    environment = {**os.environ, **endpoint.environment, "PYTHONPATH": str(Path(__file__).parent), "LOG_LEVEL": "ERROR"}
    command = [
        simpleflow,
        "standalone",
        "--domain",
        "lab",
        f"upstream_flows.{workflow}",
        "-W",
        "2",
        "-D",
        str(deciders),
    ]
    try:
        subprocess.run(
            [*command, "--input", json.dumps(arguments)],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
    finally:
        endpoint.close()


def histories(engine: EmbeddedSWF) -> dict[str, History]:
    """The histories of all executions, by the name of their workflow."""
    infos = engine.list_closed_workflow_executions(domain="lab", startTimeFilter={"oldestDate": 0})["executionInfos"]
    found = {}
    for info in infos:
        events = engine.get_workflow_execution_history(domain="lab", execution=info["execution"])["events"]
        assert violations(events) == []
        found[info["workflowType"]["name"].rpartition(".")[2]] = History.from_wire(events)
    return found


@pytest.mark.slow
def test_its_basic_workflow_completes(simpleflow, engine):
    standalone(simpleflow, engine, "Basic", 1)
    [history] = histories(engine).values()
    assert history.close_status == "COMPLETED"
    assert history[-1].attributes["result"] == "4"


@pytest.mark.trial
@pytest.mark.slow
def test_its_canvas_children_signals_markers_timers_and_retries_do_what_they_say(simpleflow, engine, tmp_path):
    standalone(simpleflow, engine, "Everything", str(tmp_path / "flag"))
    found = histories(engine)
    assert json.loads(found["everything"][-1].attributes["result"]) == [
        [2, 6],
        [2, 6],
        "the second time",
        6,
        ["marker"],
    ]
    assert found["Child"].close_status == "COMPLETED"
    kinds = [event.type for event in found["everything"]]
    assert kinds.count("ActivityTaskFailed") == 1
    for kind in (
        "ChildWorkflowExecutionCompleted",
        "TimerFired",
        "MarkerRecorded",
        "ExternalWorkflowExecutionSignaled",
    ):
        assert kind in kinds


@pytest.mark.trial
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rounds", [1, *repeats([10])])
def test_processes_that_it_forks_do_not_take_each_others_tasks(simpleflow, engine, tmp_path, rounds):
    # They share the connections of the client that it made before it forked them.
    for number in range(rounds):
        standalone(simpleflow, engine, "Everything", str(tmp_path / f"flag-{number}"), deciders=2)
        found = histories(engine)
        assert {name: history.close_status for name, history in found.items()} == {
            "everything": "COMPLETED",
            "Child": "COMPLETED",
        }
        assert not [event.type for history in found.values() for event in history if event.type.endswith("TimedOut")]


@pytest.mark.trial
@pytest.mark.slow
def test_a_workflow_of_its_that_fails_has_failed_here(simpleflow, engine):
    standalone(simpleflow, engine, "Fails")
    [history] = histories(engine).values()
    assert history.close_status == "FAILED"
    assert "on purpose" in str(history[-1].attributes)
