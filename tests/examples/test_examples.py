"""Every example runs, and does what it says."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pytest

from examples.basic import BasicWorkflow
from examples.canvas import WordCount
from examples.failing import Failing
from examples.steps import Import
from examples.values import Sales
from simpleflow_lab import History, Lab
from simpleflow_lab.exceptions import WorkflowExecutionFailed

ROOT = Path(__file__).resolve().parents[2]


def python(*words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def next_line(trace: IO[bytes], running: subprocess.Popen[str]) -> str:
    """The next line of a fifo that this process writes to; fails if it ends instead."""
    assert running.stderr is not None
    ready, _, _ = select.select([trace, running.stderr], [], [], 30)
    assert trace in ready, running.communicate(timeout=30)
    return trace.readline().decode()


def test_basic_prints_once_and_delay_waits_for_increment(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    execution = lab.start(BasicWorkflow, 1, t=0)
    assert execution.result(timeout=30) == 4
    assert capsys.readouterr().out == "(1 + 1) * 2 = 4\n"
    assert list(execution.tasks()["name"]) == [f"examples.basic.{name}" for name in ("increment", "delay", "double")]


def test_canvas_maps_and_reduces(lab: Lab) -> None:
    texts = ["to be or not to be", "let it be", "let it be"]
    execution = lab.start(WordCount, texts, max_parallel=2)
    assert execution.result(timeout=30) == [["be", 4], ["it", 2], ["let", 2]]
    assert (execution.tasks()["name"] == "examples.canvas.count_words").sum() == 2  # the same text twice is one task


def test_failing_completes_with_one_failure_that_nobody_noticed(lab: Lab) -> None:
    execution = lab.start(Failing)
    assert execution.result(timeout=30) == {"tries": 3, "quotient": None, "mail": None}
    assert list(execution.unnoticed_failures()["name"]) == ["examples.failing.forgotten"]
    assert list(execution.tasks().query("name == 'examples.failing.flaky'")["state"]) == [
        "failed",
        "failed",
        "completed",
    ]


def test_failing_strictly_fails_with_the_activitys_own_error(lab: Lab) -> None:
    with pytest.raises(WorkflowExecutionFailed, match="no mail address for Ada"):
        lab.start(Failing, strict=True).result(timeout=30)


def test_values_are_data_frames_and_a_type_of_ones_own(lab: Lab) -> None:
    execution = lab.start(Sales, 3)
    assert execution.result(timeout=30) == "30 kg in 3 days, most of it on Saturday"
    recorded = execution.history().to_json()
    assert "pandas.DataFrame" in recorded
    assert "examples.Quantity" in recorded


def test_steps_are_done_once_for_each_id_unless_forced(lab: Lab) -> None:
    def statuses(**arguments: object) -> list[str]:
        execution = lab.start(Import, "a.csv", workflow_id="steps", **arguments)
        assert execution.wait(timeout=30)
        return list(execution.steps()["status"])

    assert statuses() == ["completed"] * 3
    assert statuses() == ["skipped"] * 3
    assert statuses(force="clean.names") == ["skipped", "skipped", "completed"]


def test_steps_as_a_program_shows_what_was_skipped(tmp_path: Path) -> None:
    for before in ("nothing", "clean.names, clean.rows, load"):  # the store lasts
        done = python("-m", "examples.steps", str(tmp_path / "lab.sqlite"), environment={})
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"done before: {before}\n")


def test_survivor_is_killed_resumed_and_runs_nothing_twice_that_had_completed(tmp_path: Path) -> None:
    fifo, store = tmp_path / "trace", {"SIMPLEFLOW_LAB_STORE": str(tmp_path / "lab.sqlite")}
    os.mkfifo(fifo)
    arguments = json.dumps([str(fifo), 4, 0.5])
    words = ["-m", "simpleflow_lab.cli", "workflow.start", "examples.survivor.Survivor", "--workflow-id", "trip"]
    with os.fdopen(os.open(fifo, os.O_RDWR), "rb", buffering=0) as trace:
        with subprocess.Popen(
            [sys.executable, *words, "-i", arguments],
            cwd=ROOT,
            env={**os.environ, **store},
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            before = [next_line(trace, running) for _ in range(5)]
            running.kill()
        assert before == ["begin 0\n", "end 0\n", "begin 1\n", "end 1\n", "begin 2\n"]

        listed = python("-m", "simpleflow_lab.cli", "workflow.list", environment=store)
        assert listed.stdout.split() == ["trip", "survivor", "OPEN"]
        resumed = python(
            "-m", "simpleflow_lab.cli", "resume", "--module", "examples.survivor", "trip", environment=store
        )
        assert (resumed.returncode, resumed.stderr) == (0, "")
        assert json.loads(resumed.stdout) == {"steps": 4, "processes": 2}

        after = []
        while "end 3\n" not in after:
            after.append(trace.readline().decode())
        assert "begin 0\n" not in after
        assert "begin 1\n" not in after
        assert after[-4:] == ["begin 2\n", "end 2\n", "begin 3\n", "end 3\n"]


def test_quickstart_shows_and_keeps_its_run_and_may_be_run_again(tmp_path: Path) -> None:
    store = {"SIMPLEFLOW_LAB_STORE": str(tmp_path / "lab.sqlite")}
    for _ in range(2):
        done = python(
            "-m", "examples.quickstart", "--output", str(tmp_path / "kept"), "--seconds", "0", environment=store
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("\n(1 + 1) * 2 = 4\n4\n") == 1
        assert "Tasks " in done.stdout
        assert "./script/lab" in done.stdout
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "quickstart-gantt.html",
        "quickstart-history.json",
    ]
    assert History.from_file(tmp_path / "kept" / "quickstart-history.json").close_status == "COMPLETED"
    with Lab(tmp_path / "lab.sqlite") as lab:
        assert len(lab.executions()) == 2


def test_quickstart_shares_the_store_that_a_notebook_has_open(tmp_path: Path) -> None:
    with Lab(tmp_path / "lab.sqlite") as lab:
        done = python(
            "-m", "examples.quickstart", "--output", str(tmp_path / "kept"), "--seconds", "0",
            environment={"SIMPLEFLOW_LAB_STORE": str(tmp_path / "lab.sqlite")},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert list(lab.executions()["status"]) == ["COMPLETED"]
