"""Why an execution waits, as a process sees it that does not decide: with two processes on one store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.exceptions import DecisionBlockedError, ImpureWorkflowError
from simpleflow_lab.swf.conventions import DEFINITION_DIFFERS_KEY
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DeterminismWarning"),
]

LIMIT = 200.0
"""Seconds after which a test gives up; nothing here takes long."""
ROOT = Path(__file__).resolve().parents[2]


class Impure(Workflow):
    name = "elsewhere.impure"
    version = "1"
    task_list = "elsewhere"
    determinism = "raise"

    def run(self) -> Any:
        return time.time()


class Parent(Workflow):
    name = "elsewhere.parent"
    version = "1"
    task_list = "elsewhere"

    def run(self) -> Any:
        return self.submit(Impure).result


class Signaled(Workflow):
    name = "elsewhere.signaled"
    version = "1"
    task_list = "elsewhere"

    def run(self) -> Any:
        return self.submit(self.wait_signal("go")).result


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "lab.sqlite"


@pytest.fixture
def lab(store: Path) -> Iterator[Lab]:
    with Lab(store) as opened:
        yield opened


def elsewhere(program: str, store: Path, *words: str, serve: str = "nothing") -> Any:
    """What a program prints in another process, as JSON; `lab` is a Lab on the store there."""
    return json.loads(printed(program, store, *words, serve=serve).stdout)


def printed(program: str, store: Path, *words: str, serve: str = "nothing") -> subprocess.CompletedProcess[str]:
    """A program that has ended, in another process; `lab` is a Lab on the store there."""
    start = f"import json, os, sys, time\nfrom simpleflow_lab import *\nlab = Lab(sys.argv[1], serve={serve!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", start + textwrap.dedent(program), str(store), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


LOOK = """
    execution = lab.execution(sys.argv[2])
    try:
        execution.result(60)
        error = None
    except Exception as raised:
        error = [type(raised).__name__, str(raised)]
    own = execution.decision_error
    print(json.dumps({
        "raised": error,
        "own": own and type(own).__name__,
        "repr": repr(execution),
        "html": execution._repr_html_(),
        "waits": [[wait.depth, wait.kind, wait.what] for wait in execution.waiting_for()],
        "warnings": execution.warnings,
    }))
"""


def simpleflow(store: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "simpleflow_lab.cli", "--store", str(store), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_blocked_decision_is_seen_by_a_process_that_does_not_decide(lab: Lab, store: Path) -> None:
    execution = lab.start(Impure, workflow_id="impure-1")
    with pytest.raises(ImpureWorkflowError):
        execution.result(LIMIT)

    seen = elsewhere(LOOK, store, "impure-1")
    assert seen["raised"][0] == seen["own"] == "DecisionBlockedError"
    assert f"in process {os.getpid()}: ImpureWorkflowError" in seen["raised"][1]
    assert "ImpureWorkflowError" in seen["repr"]
    assert "ImpureWorkflowError" in seen["html"]
    assert seen["waits"][0][:2] == [0, "blocked decision"]
    assert any("time.time" in warning for warning in seen["warnings"])

    info = simpleflow(store, "workflow.info", "impure-1")
    assert "blocked decision" in info
    assert "ImpureWorkflowError" in info
    assert "a blocked decision: ImpureWorkflowError" in simpleflow(store, "workflow.list")


def test_a_blocked_child_ends_the_wait_for_its_parent_in_every_process(lab: Lab, store: Path) -> None:
    execution = lab.start(Parent, workflow_id="parent-1")
    with pytest.raises(DecisionBlockedError) as raised:
        execution.result(LIMIT)

    seen = elsewhere(LOOK, store, "parent-1")
    assert seen["raised"][0] == "DecisionBlockedError"
    assert raised.value.blocked in seen["raised"][1]
    assert seen["own"] is None
    assert [1, "blocked decision"] in [wait[:2] for wait in seen["waits"]]


def test_a_signal_is_named_by_the_commands_and_they_send_it(lab: Lab, store: Path) -> None:
    execution = lab.start(Signaled, workflow_id="signaled-1")
    until(lambda: any(wait.kind == "signal" for wait in execution.waiting_for()))

    assert "signal go" in simpleflow(store, "workflow.list")
    info = simpleflow(store, "workflow.info", "signaled-1")
    assert f"simpleflow --store {store} workflow.signal signaled-1 go" in info
    (row,) = json.loads(simpleflow(store, "--format", "json", "--header", "workflow.info", "signaled-1"))
    assert [wait["waits_for"] for wait in row["waiting_for"]] == ["signal go"]

    simpleflow(store, *info[info.index("workflow.signal signaled-1 go") :].split()[:3])
    execution.result(LIMIT)
    assert "signal go" not in simpleflow(store, "workflow.list")


DECIDE = """
    @activity.with_attributes(name="elsewhere.gone", task_list="elsewhere", version="1")
    def gone():
        ...

    class Needs(Workflow):
        name = "elsewhere.needs"
        version = "1"
        task_list = "elsewhere"

        def run(self):
            return self.submit(gone).result

    lab = Lab(sys.argv[1], serve="decisions")
    execution = lab.start(Needs, workflow_id=sys.argv[2])
    while not any(event.type == "ActivityTaskScheduled" for event in execution.history()):
        time.sleep(0.02)
    lab.close()
    print("true")
"""


def test_an_activity_that_no_process_defines_says_so(lab: Lab, store: Path) -> None:
    elsewhere(DECIDE, store, "needs-1")
    execution = lab.execution("needs-1")

    def reasons() -> list[str]:
        return [wait.what for wait in execution.waiting_for() if "no process defines elsewhere.gone 1" in wait.what]

    (what,) = until(reasons)
    assert what in simpleflow(store, "workflow.info", "needs-1")
    assert "no process defines elsewhere.gone 1" in repr(execution)


def test_a_blocked_decision_is_known_to_the_next_owner_at_once(store: Path, tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", "import sys\nfrom simpleflow_lab import Lab\nLab(sys.argv[1])\ninput()", str(store)],
        stdin=subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        until(lambda: Path(f"{store}.owner").exists())
        with Lab(store) as lab:
            execution = lab.start(Impure, workflow_id="impure-1")
            with pytest.raises(ImpureWorkflowError):
                execution.result(LIMIT)
            until(lambda: len(list(_decider(lab).blocked_tasks)) == 1)
            ids = {"workflowId": execution.workflow_id, "runId": execution.run_id}
            until(lambda: lab.service.describe_reports(domain=lab.domain, execution=ids)["decisionErrors"])
            _decider(lab).take_no_more()  # no retry reports it: it is known because it was told to the new owner
            _decider(lab)._blocked.stop()
            owner.kill()
            owner.wait()
            found = until(lambda: lab.service.describe_reports(domain=lab.domain, execution=ids)["decisionErrors"])
            assert found[0]["error"] == "ImpureWorkflowError"
            warnings = until(lambda: lab.service.describe_reports(domain=lab.domain, execution=ids)["warnings"])
            assert "time.time" in warnings[0]
    finally:
        owner.kill()
        owner.communicate()


def _decider(lab: Lab) -> Any:
    return lab._pool._deciders["elsewhere"]


DEFINES = """
    class Impure(Workflow):
        name, version, task_list = "elsewhere.impure", "1", "elsewhere"

        def run(self):
            return "made"
"""
RESUMES = """
    (execution,) = lab.resume("impure-1")
    print(json.dumps(execution.result(60)))
    lab.close()
"""
STARTS = """
    lab.start(Impure, workflow_id="i")
    print("null")
    lab.close()
"""


def test_a_blocked_decision_is_made_by_the_process_that_resumes_the_execution(lab: Lab, store: Path) -> None:
    execution = lab.start(Impure, workflow_id="impure-1")
    with pytest.raises(ImpureWorkflowError):
        execution.result(LIMIT)
    assert elsewhere(DEFINES + RESUMES, store, serve="everything") == "made"
    assert execution.result(LIMIT) == "made"


def test_who_starts_an_execution_and_runs_nothing_is_told_that_other_code_runs_it(lab: Lab, store: Path) -> None:
    lab.start_deciders(task_list="elsewhere")
    (told,) = printed(DEFINES + STARTS, store).stderr.splitlines()
    assert "defines elsewhere.impure 1 otherwise than this one, which runs no tasks" in told
    assert f"runs by the code of process {os.getpid()}" in told
    events = until(lambda: [each for each in lab.execution("i").history() if each.type == "DecisionTaskStarted"])
    assert DEFINITION_DIFFERS_KEY in json.loads(events[0].attributes["identity"])
