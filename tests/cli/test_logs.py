"""`simpleflow workflow.logs`: what an execution printed, from any process."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Command = Callable[..., Any]
PROGRAM = """
import logging, pathlib, time
from simpleflow_lab import Workflow, activity

@activity.with_attributes(name="say", task_list="says", version="test")
def say(gate):
    print("activity \\x1b[31m=1+1")
    logging.getLogger("mine").warning("careful")
    while not pathlib.Path(gate).exists():
        time.sleep(0.01)
    print("goes on")

class Says(Workflow):
    name, version, task_list = "says", "test", "says"

    def run(self, gate="."):
        print("workflow")
        self.submit(say, gate).result
"""


@pytest.fixture(scope="module")
def folder_of_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("says")
    (folder / "says_program.py").write_text(PROGRAM)
    words = ["--store", "lab.sqlite", "--module", "says_program", "workflow.start", "Says", "--workflow-id", "first"]
    ended = subprocess.run(
        [sys.executable, "-m", "simpleflow_lab.cli", *words], cwd=folder, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "workflow\nactivity \x1b[31m=1+1\ngoes on\nnull\n"
    return folder


@pytest.fixture
def program(tmp_path: Path, process: Command, folder_of_program: Path) -> Callable[..., Any]:
    """The command in a folder of this test's own, with a program that ran once as `first`."""
    shutil.copytree(folder_of_program, tmp_path, dirs_exist_ok=True)

    def run(*words: str) -> Any:
        return process(*words, cwd=tmp_path)

    return run


def test_another_process_shows_it_as_a_table_without_control_characters(program: Command) -> None:
    ended = program("--header", "workflow.logs", "first")
    assert (ended.code, ended.err) == (0, "")
    title, *lines = ended.out.splitlines()
    assert title.split() == ["time", "task", "attempt", "source", "text"]
    assert [line.split()[-1] for line in lines] == ["workflow", "\\x1b[31m=1+1", "careful", "on"]
    assert "1  WARNING  careful" in lines[2]


def test_it_comes_in_every_format(program: Command) -> None:
    rows = json.loads(program("--format", "json", "--header", "workflow.logs", "first").out)
    assert [row["text"] for row in rows] == ["workflow", "activity \x1b[31m=1+1", "careful", "goes on"]
    assert [row["attempt"] for row in rows] == [None, 1, 1, 1]
    found = list(
        csv.reader(
            io.StringIO(program("--format", "csv", "--no-header", "workflow.logs", "first", "--task", "say").out)
        )
    )
    assert [row[3:] for row in found] == [
        ["stdout", "activity \\x1b[31m=1+1"],
        ["WARNING", "careful"],
        ["stdout", "goes on"],
    ]


def test_records_are_selected(program: Command, simpleflow: Command) -> None:
    def texts(*words: str) -> list[str]:
        return [row["text"] for row in json.loads(simpleflow("--format", "json", "workflow.logs", "first", *words).out)]

    assert texts("--source", "warning") == ["careful"]
    assert texts("--text", "goes") == ["goes on"]
    assert texts("-n", "2") == ["careful", "goes on"]
    assert texts("--task", "say", "--tail", "1") == ["goes on"]


def test_bad_input_is_one_line(program: Command, simpleflow: Command) -> None:
    for words in (
        ["nobody"],
        ["first", "--tail", "-1"],
        ["first", "--follow"],
        ["first", "--source", "FOO"],
        ["first", "--task", "n"],
    ):
        ended = simpleflow("--format", "json", "workflow.logs", *words)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)


def test_it_is_followed_while_another_process_runs_it(program: Command, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    simpleflow = [sys.executable, "-m", "simpleflow_lab.cli"]
    start = [*simpleflow, "--module", "says_program", "workflow.start", "Says", "--workflow-id", "second"]
    with (
        subprocess.Popen(
            [*start, "-i", json.dumps([os.fspath(gate)])], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        ) as running,
    ):
        assert running.stdout is not None
        assert running.stdout.readline() == "workflow\n"
        assert "activity" in running.stdout.readline()
        with subprocess.Popen(
            [*simpleflow, "workflow.logs", "second", "--follow"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        ) as following:
            assert following.stdout is not None
            seen = ""
            while "careful" not in seen:
                seen += (line := following.stdout.readline())
                assert line
            assert "goes on" not in seen
            gate.touch()
            assert following.stdout.read().splitlines()[-1].endswith("goes on")
            assert following.wait(60) == 0
