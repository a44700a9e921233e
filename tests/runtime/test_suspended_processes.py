"""Processes are suspended (SIGSTOP) for longer than the timeouts of what they do: nothing times out or is slow."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.examples_count import trials

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 7.0

OWNER = """
import sys
from simpleflow_lab import Lab

with Lab(sys.argv[1]) as lab:
    print("ready", flush=True)
    sys.stdin.readline()
"""

NAPS = """
import os, sys, time
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(task_list="n", version="1", start_to_close_timeout=4, heartbeat_timeout=3, retry=0)
def nap(is_first):
    if is_first:
        os.write(1, b"napping\\n")
        while not os.path.exists(sys.argv[1] + ".awake"):
            time.sleep(0.05)
    return 7

class Naps(Workflow):
    name, version, task_list = "naps", "1", "n"
    decision_tasks_timeout = 4
    def run(self):
        first = self.submit(nap, True)
        return [first.result, self.submit(nap, False).result]

with Lab(sys.argv[1]) as lab:
    execution = lab.start(Naps, workflow_id="x")
    print("result", execution.result(timeout=120), flush=True)
"""

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program on the store; it has written a line when this returns."""
    processes = []

    def started(program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "store.sqlite")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()
        return process

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def suspend(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    time.sleep(STOP_SECONDS)
    for process in processes:
        process.send_signal(signal.SIGCONT)


def timeouts(tmp_path: Path) -> list[str]:
    connection = sqlite3.connect(tmp_path / "store.sqlite")
    found = [row[0] for row in connection.execute("SELECT type FROM event") if "TimedOut" in row[0]]
    connection.close()
    return found


@pytest.mark.trial
def test_a_process_by_itself(start: Start, tmp_path: Path) -> None:
    naps = start(NAPS)
    suspend(naps)
    (tmp_path / "store.sqlite.awake").touch()
    assert naps.communicate(timeout=200)[0] == "result [7, 7]\n"
    assert timeouts(tmp_path) == []


@pytest.mark.parametrize("who", ["both", *trials(["owner", "client"])])
def test_the_owner_of_the_store_and_a_client(start: Start, tmp_path: Path, who: str) -> None:
    owner, naps = start(OWNER), start(NAPS)
    suspend(*(process for process, name in ((owner, "owner"), (naps, "client")) if who in (name, "both")))
    (tmp_path / "store.sqlite.awake").touch()
    assert naps.communicate(timeout=200)[0] == "result [7, 7]\n"
    owner.communicate("\n", timeout=200)
    assert timeouts(tmp_path) == []


SLOW_DECISION = """
import os, sys, time
from simpleflow_lab import Lab, Workflow

class Slow(Workflow):
    name, version, task_list = "slow", "1", "s"
    decision_tasks_timeout = 8
    def run(self):
        os.write(1, b"deciding\\n")
        for _ in range(20):
            time.sleep(0.05)
        return 7

with Lab(sys.argv[1]) as lab:
    execution = lab.start(Slow, workflow_id="x")
    print("result", execution.result(timeout=120), [each for each in execution.warnings if "has run for" in each])
"""


@pytest.mark.trial
def test_code_that_decides_is_not_slow_because_its_process_was_suspended(start: Start, tmp_path: Path) -> None:
    slow = start(SLOW_DECISION)
    suspend(slow)
    assert slow.communicate(timeout=200)[0] == "result 7 []\n"
    assert timeouts(tmp_path) == []
