"""Code that kills its own process: it is tried again when the store is opened again, not for ever, and alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simpleflow_lab import Lab, Workflow
from simpleflow_lab import settings as settings_of_lab
from simpleflow_lab.exceptions import DecidingProcessDiedError
from tests.examples_count import trials

pytestmark = pytest.mark.slow

PROGRAM = """
import os, signal, sys, time
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(name="lost.poison", task_list="lost", retry=2, executor=sys.argv[3])
def poison():
    while sys.argv[4] == "Beside" and length(".tries") < 2 and length(".begun") < 3 * (length(".tries") + 1):
        time.sleep(0.01)
    with open(sys.argv[1] + ".tries", "a") as tries:
        tries.write("x")
    os.kill(os.getpid(), signal.SIGKILL)

def starts_on_disk():
    durable = lab.service.engine._durable
    written = [durable.store.written_history(each.run.key) for each in list(durable.state.open_by_id.values())]
    return sum(event.type == "DecisionTaskStarted" for found in written if found is not None for event in found[1])

def length(of):
    path = sys.argv[1] + of
    return os.path.getsize(path) if os.path.exists(path) else 0

@activity.with_attributes(name="lost.innocent", task_list="lost")
def innocent(i):
    with open(sys.argv[1] + ".begun", "a") as begun:
        begun.write("x")
    while length(".tries") < 2:
        time.sleep(0.01)
    return i

@activity.with_attributes(name="lost.sleeps", task_list="lost", start_to_close_timeout=300)
def sleeps():
    print("sleeps", flush=True)
    time.sleep(300)

class Beside(Workflow):
    name, version, task_list = "lost.beside", "1", "lost"

    def run(self):
        poisoned, innocents = self.submit(poison), [self.submit(innocent, i) for i in range(3)]
        return [future.result for future in innocents] + [str(poisoned.exception)]

class Kills(Workflow):
    name, version, task_list = "lost.kills", "1", "lost"

    def run(self):
        if len(sys.argv) > 5:
            return "made"
        while starts_on_disk() <= length(".tries"):
            time.sleep(0.01)
        open(sys.argv[1] + ".tries", "a").write("x")
        os.kill(os.getpid(), signal.SIGKILL)

class Sleeps(Workflow):
    name, version, task_list = "lost.sleeper", "1", "lost"

    def run(self):
        return self.submit(sleeps).result

class Poisoned(Workflow):
    name, version, task_list = "lost.poisoned", "1", "lost"

    def run(self):
        return str(self.submit(poison).exception)

with Lab(sys.argv[1], activity_threads=8) as lab:
    started = {"Poisoned": Poisoned, "Beside": Beside, "Kills": Kills, "Sleeps": Sleeps}[sys.argv[4]]
    execution = lab.start(started, workflow_id="p") if sys.argv[2] == "start" else lab.resume("p")[0]
    print(execution.result(timeout=120))
"""


def run(
    store: Path, how: str, executor: str = "threads", workflow: str = "Poisoned", *words: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(store), how, executor, workflow, *words],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.parametrize("limit", [2, *trials([5])])
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


@pytest.mark.trial
def test_what_runs_beside_an_activity_that_kills_its_process_does_not_fail_with_it(tmp_path):
    store = tmp_path / "lab.sqlite"
    ended = run(store, "start", "threads", "Beside", SIMPLEFLOW_LAB_MAX_LOST_ATTEMPTS="1")
    killed = 0
    while ended.returncode == -9:
        killed += 1
        assert killed <= 3, "the one that does it is not found"
        ended = run(store, "resume", "threads", "Beside", SIMPLEFLOW_LAB_MAX_LOST_ATTEMPTS="1")
    assert ended.returncode == 0, ended.stderr
    assert "[0, 1, 2, " in ended.stdout
    assert "its worker was lost 1 times" in ended.stdout
    assert killed == 3  # twice beside the others, and once alone


def test_a_run_that_kills_its_process_each_time_is_blocked_until_it_is_defined_otherwise(tmp_path):
    store = tmp_path / "lab.sqlite"
    settings = {"SIMPLEFLOW_LAB_MAX_LOST_ATTEMPTS": "2"}
    ended = run(store, "start", "threads", "Kills", **settings)
    killed = 0
    while ended.returncode == -9:
        killed += 1
        assert killed <= 3, "it is run again for ever"  # the start of the first one may not be on disk
        ended = run(store, "resume", "threads", "Kills", **settings)
    for _ in range(2):  # however often it is started again
        assert "DecidingProcessDiedError: the process died 2 times in a row deciding lost.kills 1" in ended.stderr
        ended = run(store, "resume", "threads", "Kills", **settings)
    assert len((tmp_path / "lab.sqlite.tries").read_text()) == killed
    with settings_of_lab.override(lab_max_lost_attempts=2), Lab(store) as lab:  # where the workflow is another one

        class Kills(Workflow):
            name, version, task_list = "lost.kills", "1", "lost"

            def run(self):
                return "another"

        (execution,) = lab.resume("p")
        with pytest.raises(DecidingProcessDiedError):
            execution.result(200)
        lab.resume("p")
        assert execution.result(200) == "another"


def test_a_process_that_is_ended_in_order_gives_back_what_it_runs(tmp_path):
    store = tmp_path / "lab.sqlite"
    words = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(store), "start", "threads", "Sleeps"]
    with subprocess.Popen(words, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "sleeps\n"
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM
    with Lab(store, serve="nothing") as lab:
        assert list(lab.execution("p").tasks().reason) == ["stopped: its process gave it back"]
