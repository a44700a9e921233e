"""An activity that kills its own process: its task is tried again when the store is opened again, and not for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import os, signal, sys
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(name="lost.poison", task_list="lost", retry=2, executor=sys.argv[3])
def poison():
    with open(sys.argv[1] + ".tries", "a") as tries:
        tries.write("x")
    os.kill(os.getpid(), signal.SIGKILL)

class Poisoned(Workflow):
    name, version, task_list = "lost.poisoned", "1", "lost"

    def run(self):
        return str(self.submit(poison).exception)

with Lab(sys.argv[1]) as lab:
    execution = lab.start(Poisoned, workflow_id="p") if sys.argv[2] == "start" else lab.resume("p")[0]
    print(execution.result(timeout=120))
"""


def run(store: Path, how: str, executor: str = "threads", **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(store), how, executor],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.parametrize("limit", [5, 2])
def test_an_activity_that_kills_its_process_each_time_fails_at_last(tmp_path, limit):
    store = tmp_path / "lab.sqlite"
    settings = {} if limit == 5 else {"SIMPLEFLOW_LAB_MAX_LOST_ATTEMPTS": str(limit)}
    killed = 0
    ended = run(store, "start", **settings)
    while ended.returncode == -9:
        killed += 1
        assert killed <= limit, "it is tried again for ever"
        ended = run(store, "resume", **settings)
    assert ended.returncode == 0, ended.stderr
    assert f"its worker was lost {limit} times" in ended.stdout
    assert killed == limit == len((tmp_path / "lab.sqlite.tries").read_text())


def test_what_the_error_recommends_helps(tmp_path):
    ended = run(tmp_path / "lab.sqlite", "start", "processes")
    assert ended.returncode == 0, ended.stderr
    assert "SIGKILL" in ended.stdout
    assert len((tmp_path / "lab.sqlite.tries").read_text()) == 3
