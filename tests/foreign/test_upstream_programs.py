"""The programs of `tests/authors/programs`, word for word, run by upstream simpleflow 0.36 on our endpoint: what they
give there is what they give here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.endpoint import Endpoint
from simpleflow_lab.swf.history import History
from tests.authors.upstream_programs import PROGRAMS, Program
from tests.engine.invariants import violations
from tests.foreign.test_upstream import engine, simpleflow  # noqa: F401  fixtures

FOLDER = Path(__file__).parents[1] / "authors" / "programs"
THERE = [pytest.param(program, id=program.workflow) for program in PROGRAMS if program.upstream]


@pytest.fixture(scope="session")
def written_for_upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs with upstream's name in their import lines."""
    root = tmp_path_factory.mktemp("upstream")
    folder = root / "programs"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.glob("*.py"):
        path.write_text(re.sub(r"\bsimpleflow_lab\b", "simpleflow", path.read_text()))
    return root


@pytest.mark.slow
@pytest.mark.parametrize("program", THERE)
def test_upstream_gives_the_same(
    simpleflow: str,  # noqa: F811
    engine: EmbeddedSWF,  # noqa: F811
    written_for_upstream: Path,
    program: Program,
) -> None:
    endpoint = Endpoint(engine)
    environment = {**os.environ, **endpoint.environment, "PYTHONPATH": str(written_for_upstream), "LOG_LEVEL": "ERROR"}
    name = f"programs.{program.workflow}"
    command = [simpleflow, "standalone", "--domain", "lab", name, "-W", "2", "-D", "1", "--workflow-id", "the-one"]
    try:
        done = subprocess.run(
            [*command, "--input", json.dumps(list(program.arguments))],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=100,
        )
    finally:
        endpoint.close()
    infos = engine.list_closed_workflow_executions(
        domain="lab", startTimeFilter={"oldestDate": 0}, executionFilter={"workflowId": "the-one"}
    )["executionInfos"]
    assert infos, done.stderr
    latest = max(infos, key=lambda info: info["startTimestamp"])["execution"]
    events = engine.get_workflow_execution_history(domain="lab", execution=latest)["events"]
    assert violations(events) == []
    last = History.from_wire(events)[-1]
    if program.fails:
        assert program.gives in str(last.attributes)
    else:
        assert last.type == "WorkflowExecutionCompleted", last
        assert json.loads(last.attributes["result"]) == program.gives
