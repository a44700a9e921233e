"""`workflow.to_test` and `workflow.replay WORKFLOW HISTORY…`: in continuous integration, from a clean process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Ended

FLOWS = """
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="ci", version="1")
def ci_plus(x):
    return x + 1

class Child(Workflow):
    name, version, task_list = "ci.child", "1", "ci"

    def run(self, x):
        return self.submit(ci_plus, x).result

class Nightly(Workflow):
    name, version, task_list = "ci.nightly", "1", "ci"

    def run(self, n=3):
        x = 0
        for _ in range(n):
            x = self.submit(ci_plus, x).result
        return self.submit(Child, x).result
"""
FAILS = """
class Fails(Workflow):
    name, version, task_list = "ci.fails", "1", "ci"

    def run(self, n=3):
        self.submit(ci_plus, n).result
        raise ValueError(f"no {n}")
"""
EDITED = FLOWS.replace("x = self.submit(ci_plus, x)", "x = self.submit(ci_plus, x + 1)")
RENAMED = FLOWS.replace("for _ in range(n):", "for number in range(n):")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (folder / "flows.py").write_text(FLOWS)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return folder


def command(project: Path, *words: str, **environment: str) -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", "simpleflow_lab.cli", *words],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project), **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def pytest_of(project: Path, *words: str) -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=project / "tests",
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # a plugin takes longer to import than the test
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.slow
def test_a_written_test_passes_and_fails_when_the_workflow_is_edited_so_that_it_matters(project: Path) -> None:
    assert command(project, "workflow.start", "flows.Nightly", "--workflow-id", "night's <1>").code == 0
    written = command(project, "workflow.to_test", "night's <1>", "--module", "flows", "--out", "tests")
    assert (written.code, written.out) == (0, "")
    assert "decisions of night's <1>; its history is" in written.err
    assert sorted(path.name for path in (project / "tests").iterdir()) == [
        "nightly_night_s_1_history.json",
        "test_nightly_night_s_1.py",
    ]
    passed = pytest_of(project)
    assert passed.code == 0, passed.out
    assert "1 passed" in passed.out
    (project / "flows.py").write_text(RENAMED)
    assert pytest_of(project).code == 0
    (project / "flows.py").write_text(EDITED)
    failed = pytest_of(project)
    assert failed.code == 1
    assert "x = self.submit(ci_plus, x + 1).result" in failed.out

    # The same folder is what continuous integration replays.
    (project / "tests" / "other.json").write_text('{"other": []}')
    differs = command(project, "--format", "json", "workflow.replay", "flows.Nightly", "tests", "night's <1>")
    assert differs.code == 1, differs.err
    first, second = json.loads(differs.out)
    assert first["history"] == "tests/nightly_night_s_1_history.json"
    assert second["history"] == "night's <1>"
    for row in (first, second):
        assert (row["same"], row["decision"], row["event"]) == ("no", 1, 5)
        assert "ci_plus, x + 1" in row["error"]
        assert "The code changed since" not in row["error"]
    (project / "flows.py").write_text(FLOWS)
    same = command(project, "--format", "json", "workflow.replay", "flows.Nightly", "tests", "night's <1>")
    assert same.code == 0, same.err
    assert [row["same"] for row in json.loads(same.out)] == ["yes", "yes"]

    (project / "flows.py").write_text(FLOWS.replace("x = 0", "while True: x = 0"))
    endless = command(project, "workflow.replay", "flows.Nightly", "tests", SIMPLEFLOW_LAB_STEP_SECONDS="0.5")
    assert endless.code == 1
    assert "1 execution not checked for run did not wait within 0.5 s" in endless.err
    (project / "flows.py").write_text(FLOWS)

    again = command(project, "workflow.to_test", "night's <1>", "--module", "flows", "--out", "tests")
    assert again.code == 2
    assert "is there already: --force replaces it" in again.err
    (project / "flows.py").write_text(EDITED)
    refused = command(project, "workflow.to_test", "night's <1>", "--module", "flows", "--out", "tests", "--force")
    assert refused.code == 2
    assert "is not decided so by the code that is here: NondeterminismError: event 5" in refused.err


@pytest.mark.trial
@pytest.mark.slow
def test_the_test_of_a_failed_execution_passes_until_it_fails_otherwise(project: Path) -> None:
    flows = FLOWS + FAILS
    (project / "flows.py").write_text(flows)
    assert command(project, "workflow.start", "flows.Fails", "--workflow-id", "fails-1").code == 1
    assert command(project, "workflow.to_test", "fails-1", "--module", "flows", "--out", "tests").code == 0
    written = (project / "tests" / "test_fails_fails_1.py").read_text()
    assert "ValueError: no 3" in written
    assert "Traceback" not in written
    assert pytest_of(project).code == 0
    (project / "flows.py").write_text(f"# a comment\n{flows}")
    assert pytest_of(project).code == 0
    (project / "flows.py").write_text(flows.replace('f"no {n}"', 'f"not {n}"'))
    assert pytest_of(project).code == 1


@pytest.mark.slow
def test_a_file_of_a_folder_that_can_not_be_read_is_a_row(project: Path) -> None:
    assert command(project, "workflow.start", "flows.Nightly", "--workflow-id", "night").code == 0
    assert command(project, "workflow.to_test", "night", "--module", "flows", "--out", "tests").code == 0
    assert command(project, "workflow.history", "night", "-o", "raw", "--output-file", "tests/raw.json").code == 0
    (project / "tests" / "x.json").write_text("{ this is no JSON")
    (project / "tests" / "other.json").write_text('{"other": 1}')
    replayed = command(project, "--format", "json", "workflow.replay", "flows.Nightly", "tests")
    assert replayed.code == 1, replayed.err
    good, raw, bad = json.loads(replayed.out)
    assert (good["same"], raw["same"], bad["same"]) == ("yes", "yes", "no")
    assert bad["history"] == "tests/x.json"
    assert "x.json" in bad["error"]
    assert "tests: left out 1 file that is no history: other.json" in replayed.err


def test_what_is_wrong_with_the_words_is_one_line(project: Path, simpleflow: Command) -> None:
    (project / "tests" / "no.json").write_text("{}")
    for words, message in (
        (("workflow.to_test", "nosuch"), "no execution 'nosuch'"),
        (("workflow.replay", "examples.basic.BasicWorkflow", "nosuch.json"), "nosuch.json: there is no such file"),
        (("workflow.replay", "examples.basic.BasicWorkflow", "tests"), "of its 1 files none is a history of basic"),
        (("workflow.replay", "examples.basic.Nothing", "tests"), "has no 'Nothing'"),
        (("workflow.replay", "examples.basic.BasicWorkflow", "nosuch"), "no execution 'nosuch'"),
        (("workflow.replay", "night.1", "run"), "no execution 'night.1'"),
    ):
        ended = simpleflow(*words)
        assert ended.code == 2, words
        assert ended.err.count("\n") == 1, ended.err
        assert message in ended.err


def test_a_history_that_is_none_is_a_row_that_differs(project: Path, simpleflow: Command) -> None:
    (project / "broken.json").write_text('{"events": [{"eventId": 7}]}')
    ended = simpleflow("--format", "json", "workflow.replay", "examples.basic.BasicWorkflow", "broken.json")
    assert ended.code == 1
    (row,) = json.loads(ended.out)
    assert row["same"] == "no"
    assert "the events before are missing" in row["error"]
