"""Several real processes on one store: each task runs where its code is, and what a killed process held comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simpleflow_lab import Lab
from tests.runtime import session_program

PROGRAM = Path(session_program.__file__)
SOON = 60.0
"""Seconds. An upper bound for a loaded machine."""

Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts the program on the store of the test; what it starts is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        with (tmp_path / f"errors {len(started)}").open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(tmp_path / "lab.sqlite"), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])},
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what it forked
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_what_a_killed_client_held_comes_back_at_once_though_what_it_forked_lives_on(tmp_path: Path, run: Run):
    owner = run("idle")
    assert line(owner) == "ready"
    client = run("nap", str(tmp_path / "here"))
    assert line(client) == "ready"
    client.kill()
    client.wait()
    with Lab(tmp_path / "lab.sqlite") as lab:
        execution = lab.resume("nap")[0]
        assert execution.result(SOON) == os.getpid()
        tasks = execution.tasks()
        assert list(tasks.state) == ["timed_out", "completed"]
    go_on(owner)


def test_a_task_that_ran_in_an_owner_that_was_killed_comes_back_at_once(tmp_path: Path, run: Run):
    owner = run("nap", str(tmp_path / "here"))
    assert line(owner) == "ready"
    with Lab(tmp_path / "lab.sqlite") as lab:
        execution = lab.resume("nap")[0]
        owner.kill()
        owner.wait()
        assert execution.result(SOON) == os.getpid()


def test_processes_with_task_lists_in_common_run_each_what_they_define(run: Run):
    processes = [run("map", who, "10") for who in "ab"]
    for process in processes:
        assert line(process) == "ready"
    assert [line(process) for process in processes] == ["right", "right"]


def test_all_goes_on_right_when_the_owner_is_killed_while_others_work(run: Run):
    owner = run("idle")
    assert line(owner) == "ready"
    processes = [run("map", who, "20") for who in "abc"]
    for process in processes:
        assert line(process) == "ready"
    time.sleep(0.3)  # to kill it in the midst; whenever it is, the results are right
    owner.kill()
    began = time.monotonic()
    assert [line(process) for process in processes] == ["right", "right", "right"]
    assert time.monotonic() - began < SOON


def test_an_execution_goes_by_the_definitions_of_the_process_that_started_it(tmp_path: Path, run: Run):
    first = run("text", "old")
    assert line(first) == "old"
    assert line(first) == "ready"
    second = run("text", "new")
    assert line(second) == "new"
    assert line(second) == "ready"
    (told,) = (tmp_path / "errors 1").read_text().splitlines()
    assert told.startswith(f"process {first.pid} defines sessions.text ")
    third = run("text", "old")
    assert line(third) == "old"
    for process in (first, second):
        go_on(process)


def test_any_process_can_ask_who_polls_and_what_an_execution_waits_for(tmp_path: Path, run: Run):
    run("nap", str(tmp_path / "here"))
    while not (tmp_path / "here").exists():
        time.sleep(0.05)
    with Lab(tmp_path / "lab.sqlite") as lab:
        listed = {(one["kind"], one["taskList"]) for one in lab.service.pollers(domain=lab.domain)["pollers"]}
        assert listed == {("decision_task", "sessions"), ("activity", "sessions")}
        execution = lab.execution("nap")
        ids = {"workflowId": execution.workflow_id, "runId": execution.run_id}
        (task,) = lab.service.describe_waiting(domain=lab.domain, execution=ids)["tasks"]
        assert task["state"] == "started"
        assert task["type"]["name"] == "sessions.nap"


def test_a_session_that_was_closed_is_not_opened_again_by_a_late_poller():
    def keeping() -> int:
        return sum(thread.name == "simpleflow-lab session" for thread in threading.enumerate())

    with Lab(":memory:", serve="nothing") as lab:
        session = lab._pool.context.session
        before = keeping()
    session.serve("activity", lab.domain, "late")
    assert not session.is_open
    assert keeping() <= before
