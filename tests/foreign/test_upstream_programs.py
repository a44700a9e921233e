"""The programs of `tests/authors/programs`, word for word, run by upstream simpleflow 0.36 on our endpoint: what they
give there is what they give here.

Upstream mostly sleeps between its polls, so several programs run at a time, each on an engine of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import RecordedExecution
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.swf.history import History
from tests.authors.upstream_programs import PROGRAMS, Program
from tests.debugger.step_facts import check_steps
from tests.engine.invariants import violations
from tests.foreign.test_upstream import simpleflow  # noqa: F401  a fixture
from tests.replay.recorded_by_upstream import forget_others

Events = list[Mapping[str, Any]]
FOLDER = Path(__file__).parents[1] / "authors" / "programs"
THERE = [pytest.param(program, id=program.workflow) for program in PROGRAMS if program.upstream]
CONTINUED = [program for program in PROGRAMS if program.workflow.startswith("continue_as_new.")]
"""Upstream's `standalone` ends with the first run, and takes along the decision of the run that continues it."""
AT_A_TIME = 6
THE_ONE: Mapping[str, Any] = {"startTimeFilter": {"oldestDate": 0}, "executionFilter": {"workflowId": "the-one"}}


def run_by_upstream(simpleflow: str, folder: Path, program: Program) -> tuple[str, Events]:  # noqa: F811
    """The run id and the events of its last run."""
    with EmbeddedSWF(":memory:", poll_seconds=0.5) as engine:
        engine.register_domain(name="lab", workflowExecutionRetentionPeriodInDays="1")
        endpoint = Endpoint(engine)
        environment = {**os.environ, **endpoint.environment, "PYTHONPATH": str(folder), "LOG_LEVEL": "ERROR"}
        arguments = ["--workflow-id", "the-one", "--input", json.dumps(list(program.arguments))]
        options = ["--domain", "lab", f"programs.{program.workflow}"]
        command = [simpleflow, *(["workflow.start"] if program in CONTINUED else ["standalone", "-W", "2", "-D", "1"])]
        try:
            subprocess.run(
                [*command, *options, *arguments],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
                timeout=200,
            )
            if program in CONTINUED:
                decide(engine, [simpleflow, "decider.start", "-N", "1", *options], environment)
        finally:
            endpoint.close()
        infos = engine.list_closed_workflow_executions(domain="lab", **THE_ONE)["executionInfos"]
        latest = max(infos, key=lambda info: info["startTimestamp"])["execution"]
        return latest["runId"], engine.get_workflow_execution_history(domain="lab", execution=latest)["events"]


def decide(engine: EmbeddedSWF, command: list[str], environment: Mapping[str, str]) -> None:
    """Have a decider of upstream's decide the one and the runs that continue it, until the last one is closed."""
    decider = subprocess.Popen(
        [*command, "--task-list", "example"], env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        end = time.monotonic() + 200
        while engine.list_open_workflow_executions(domain="lab", **THE_ONE)["executionInfos"]:
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        os.killpg(decider.pid, signal.SIGKILL)
        decider.wait()


@pytest.fixture(scope="module")
def run_there(
    request: pytest.FixtureRequest,
    simpleflow: str,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Program], tuple[str, Events]]]:
    """Begins to run all programs of the chosen tests, with upstream's name in their import lines."""
    root = tmp_path_factory.mktemp("upstream")
    shutil.copytree(FOLDER, root / "programs", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (root / "programs").glob("*.py"):
        path.write_text(re.sub(r"\bsimpleflow_lab\b", "simpleflow", path.read_text()))
    chosen = [item.callspec.params["program"] for item in request.session.items if item.path == Path(__file__)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        running: dict[str, Future[tuple[str, Events]]] = {
            program.workflow: pool.submit(run_by_upstream, simpleflow, root, program) for program in chosen
        }
        yield lambda program: running[program.workflow].result()


@pytest.mark.slow
@pytest.mark.trial
@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", THERE)
def test_upstream_gives_the_same_and_what_it_records_is_stepped_through_here(
    run_there: Callable[[Program], tuple[str, Events]], program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, events = run_there(program)
    assert violations(events) == []
    history = History.from_wire(events)
    last = history[-1]
    if program.fails:
        assert program.gives in str(last.attributes)
    else:
        assert last.type == "WorkflowExecutionCompleted", last
        assert json.loads(last.attributes["result"]) == program.gives
    forget_others(monkeypatch)
    monkeypatch.syspath_prepend(FOLDER.parent)  # there, too, the module is `programs.basic`
    module, _, name = program.workflow.partition(".")
    workflow = getattr(importlib.import_module(f"programs.{module}"), name)
    check_steps(workflow, history, domain="lab", workflow_id="the-one", run_id=run_id)
    unchanged = RecordedExecution(history).what_if(workflow)
    assert unchanged.status == history.close_status
    assert unchanged.seconds == pytest.approx(unchanged.recorded_seconds, rel=0.05, abs=0.02)
