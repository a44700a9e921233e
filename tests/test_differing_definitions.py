"""Two processes of a store that define a type otherwise: the second one is told, once, in a line."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from simpleflow_lab import Execution, Lab
from tests.waiting import until

pytestmark = pytest.mark.slow

PROGRAM = """
import os, sys, time
from simpleflow_lab import Lab, Workflow, activity

store, answer, serve = sys.argv[1:]

@activity.with_attributes(name="differs.conv", version="1", task_list="differs")
def conv(n):
    while n < 0 and not os.path.exists(store + ".go"):
        time.sleep(0.05)
    return helper(n)

@activity.with_attributes(name="differs.same", version="1", task_list="differs")
def same(n):
    return n

class W(Workflow):
    name, version, task_list = "differs.w", "1", "differs"

    def run(self, n):
        return [future.result for future in self.map(conv, range(min(n, 0), max(n, 0)))]

exec(f"def helper(n): return {answer!r}")  # later than the activity that uses it, as in a cell

with Lab(store, serve=serve) as lab:
    for line in sys.stdin:
        execution = lab.start(W, int(line), workflow_id=f"n{int(line)}")
        print("started" if int(line) < 0 else set(execution.result(timeout=60)), flush=True)
"""


class Process:
    def __init__(self, store: Path, answer: str, serve: str = "everything"):
        command = [sys.executable, "-c", PROGRAM, str(store), answer, serve]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=Path(__file__).parents[1]
        )

    def run(self, n: int) -> str:
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self) -> list[str]:
        """The lines for a person."""
        err = self.process.communicate(timeout=200)[1]
        return [line for line in err.splitlines() if "otherwise than this one" in line]


@pytest.mark.parametrize("answers", [("old", "corrected"), ("one", "one")])
def test_a_process_whose_definition_differs_is_told_once_and_each_execution_runs_by_its_own_code(tmp_path, answers):
    first, second = (Process(tmp_path / "lab.sqlite", answer) for answer in answers)
    try:
        assert first.run(4) == str({answers[0]})
        for _ in range(3):
            assert second.run(8) == str({answers[1]})
            assert first.run(4) == str({answers[0]})
        told, said = second.end(), first.end()
    finally:
        for each in (first, second):
            each.process.kill()
            each.process.communicate()
    if answers[0] == answers[1]:
        assert [told, said] == [[], []]
    else:
        assert len(told) == 1
        assert f"process {first.process.pid} defines differs.conv 1 otherwise" in told[0]
        assert "differs.same" not in told[0]
        assert len(said) <= 1


def test_when_its_process_has_died_an_execution_goes_on_with_another_definition(tmp_path):
    store = tmp_path / "lab.sqlite"
    second = Process(store, "corrected")
    assert second.run(8) == str({"corrected"})
    first = Process(store, "old")
    try:
        assert first.run(4) == str({"old"})
        assert first.run(-3) == "started"
        first.process.kill()
        first.process.communicate()
        (tmp_path / "lab.sqlite.go").touch()
        with Lab(store, serve="nothing") as lab:
            execution = lab.execution("n-3")
            assert set(execution.result(timeout=60)) == {"corrected"}
    finally:
        for each in (first, second):
            each.process.kill()
            each.process.communicate()


class Queued(NamedTuple):
    """An execution of 60 activities, more than its process takes at once: the others are queued."""

    execution: Execution
    owner: subprocess.Popen[str]
    """It owns the store, decides, and defines what the starter defines."""
    starter: subprocess.Popen[str]
    """It serves no decisions; a third process, which serves everything, defines the activity otherwise."""
    go: Path
    """When this file is there, activities end."""


@pytest.fixture
def queued(tmp_path):
    store = tmp_path / "lab.sqlite"
    owner = Process(store, "old", "decisions")
    processes = [owner]
    try:
        assert owner.run(-1) == "started"
        processes.append(starter := Process(store, "old", "activities"))
        processes.append(other := Process(store, "corrected"))
        assert other.run(2) == str({"corrected"})
        assert starter.run(-60) == "started"
        with Lab(store, serve="nothing") as lab:
            execution = lab.execution("n-60")
            until(lambda: _count(execution, "ActivityTaskStarted"))
            yield Queued(execution, owner.process, starter.process, Path(f"{store}.go"))
    finally:
        for each in processes:
            each.process.kill()
            each.process.communicate()


def test_when_the_owner_that_decided_has_died_tasks_stay_with_the_process_that_started_their_execution(queued):
    queued.owner.kill()
    queued.owner.wait()
    queued.go.touch()
    assert set(queued.execution.result(timeout=60)) == {"old"}


@pytest.mark.parametrize("starter_ends", [False, True])
def test_the_next_owner_waits_for_a_starter_that_is_stopped_and_for_none_that_is_dead(queued, starter_ends):
    """It is given a signal to decide meanwhile, which the third process does."""
    execution = queued.execution
    queued.starter.send_signal(signal.SIGSTOP)
    queued.owner.kill()
    queued.owner.wait()
    queued.go.touch()
    decided = _count(execution, "DecisionTaskCompleted")
    execution.signal("decide")
    until(lambda: _count(execution, "DecisionTaskCompleted") > decided)
    assert not _count(execution, "ActivityTaskCompleted")
    queued.starter.send_signal(signal.SIGKILL if starter_ends else signal.SIGCONT)
    assert set(execution.result(timeout=60)) == {"corrected" if starter_ends else "old"}


def _count(execution, event_type):
    return sum(event.type == event_type for event in execution.history())
