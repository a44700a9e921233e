"""`debug` and `workflow.replay --pdb` in a shell: a step as text, and Python's debugger, typed into."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Ended

FLOWS = """
from simpleflow_lab import Workflow, activity

@activity.with_attributes(name="shell.plus", task_list="shell", version="1")
def plus(x):
    return x + 1

class Nightly(Workflow):
    name, version, task_list = "shell.nightly", "1", "shell"

    def run(self, n=3):
        x = 0
        for _ in range(n):
            x = self.submit(plus, x).result
        return x
"""


@pytest.fixture(scope="module")
def project_that_ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "flows.py").write_text(FLOWS)
    started = command(folder, "--module", "flows", "workflow.start", "Nightly", "--workflow-id", "nightly-1")
    assert started.code == 0, started.err
    return folder


@pytest.fixture
def project(tmp_path: Path, project_that_ran: Path) -> Path:
    """A folder of this test's own with a program and a store in which it ran once."""
    return Path(shutil.copytree(project_that_ran, tmp_path, dirs_exist_ok=True))


def command(project: Path, *words: str, keys: str = "") -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", "simpleflow_lab.cli", "--store", "store.sqlite", *words],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONBREAKPOINT": ""},
        input=keys,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def test_a_step_is_shown_as_text(project: Path) -> None:
    shown = command(project, "debug", "nightly-1", "--module", "flows", "--at", "2")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("step 2 of nightly-1: decided after event")
    assert "waits: run at flows.py:14, x = self.submit(plus, x).result" in shown.out
    assert "of 4 steps: --at N shows another one" in shown.out
    assert "step 3 of nightly-1" in command(project, "debug", "--module", "flows").out  # the latest execution
    assert (
        "no step 9: they are numbered from 1 to 4"
        in command(project, "debug", "nightly-1", "--module", "flows", "--at", "9").err
    )


def test_a_workflow_that_is_not_here_is_told_in_one_line(project: Path) -> None:
    refused = command(project, "debug", "nightly-1")
    assert refused.code == 2
    assert "shell.nightly" in refused.err
    assert len(refused.err.strip().splitlines()) == 1


@pytest.mark.parametrize("words", [("debug", "--pdb", "--at", "2"), ("debug", "--pdb"), ("workflow.replay", "--pdb")])
def test_pdb_stands_where_the_code_waits(project: Path, words: tuple[str, ...]) -> None:
    before = command(project, "workflow.history", "nightly-1", "--format", "json").out
    shown = command(project, words[0], "nightly-1", "--module", "flows", *words[1:], keys="p x\nn\nn\np x\nq\n")
    assert shown.code == 0, shown.err
    x = 1 if "2" in words else 2
    assert f"flows.py(14)run()\n-> x = self.submit(plus, x).result\n(Pdb) {x}\n" in shown.out
    assert f"(Pdb) {x + 1}\n" in shown.out
    assert f"left step {x + 1} of 4: nothing of the execution has changed" in shown.out + shown.err
    assert command(project, "workflow.history", "nightly-1", "--format", "json").out == before


def test_a_history_in_a_file_is_debugged(project: Path) -> None:
    history = command(project, "workflow.history", "nightly-1", "--output-format", "raw")
    path = project / "history.json"
    path.write_text(history.out)
    assert json.loads(history.out)
    shown = command(project, "debug", "--file", "history.json", "--workflow", "flows.Nightly", "--at", "3")
    assert shown.out.startswith("step 3 of"), shown.err
    differs = (project / "flows.py").read_text().replace("plus, x)", "plus, x + 1)")
    (project / "flows.py").write_text(differs)
    shown = command(
        project, "workflow.replay", "--file", "history.json", "--workflow", "flows.Nightly", "--pdb", keys="q\n"
    )
    assert "the code can't go on along this history" in shown.out
    assert "-> x = self.submit(plus, x + 1).result" in shown.out
