"""kill -9 in the middle: nothing that was done is lost, nothing that was recorded is done again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.swf.conventions import is_worker_lost
from tests.examples_count import repeats
from tests.killing import killed_until_it_ends

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("survivor_program.py")
LENGTH = 12


def start(store: Path, notes: Path, pause: float = 0.02) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAM), str(store), str(notes), str(LENGTH), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROGRAM.parents[1])


@pytest.mark.parametrize("seed", [0, *repeats(range(1, 4))])
def test_a_killed_workflow_goes_on_and_no_recorded_activity_runs_again(tmp_path, seed):
    """The same program is killed at random moments until it ends by itself."""
    store, notes = tmp_path / "lab.sqlite", tmp_path / "notes"
    out, kills = killed_until_it_ends(
        lambda: start(store, notes, pause=0.06), random.Random(seed), kills=5, longest=0.25
    )
    assert out == f"result {[sum(range(LENGTH)), 1000, 1001, 1002]}\n"
    assert kills >= 1
    with Lab(store) as lab:
        history = lab.execution("survivor").history()
    completed = Counter(
        history.event(event.attributes["scheduledEventId"]).attributes["activityId"]
        for event in history
        if event.type == "ActivityTaskCompleted"
    )
    lost = sum(event.type == "ActivityTaskTimedOut" for event in history)
    assert set(completed.values()) == {1}
    assert len(completed) == LENGTH + 3
    assert all(
        is_worker_lost(event.attributes.get("details")) for event in history if event.type == "ActivityTaskTimedOut"
    )
    starts = Counter(line.split()[1] for line in notes.read_text().splitlines() if line.startswith("start"))
    # A start that was not on disk yet when its process was killed is no lost attempt; up to four tasks run at once.
    assert sum(starts.values()) <= LENGTH + 3 + lost + 4 * kills
    assert all(1 <= count <= 1 + kills for count in starts.values())


def test_resuming_runs_only_what_was_not_done(tmp_path):
    store, notes = tmp_path / "lab.sqlite", tmp_path / "notes"
    process = start(store, notes, pause=0.1)
    deadline = time.monotonic() + 200
    while not notes.exists() or "end 3\n" not in notes.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate()
    done = [line.split()[1] for line in notes.read_text().splitlines() if line.startswith("end")]
    assert "3" in done
    process = start(store, notes)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert "result" in out
    starts = Counter(line.split()[1] for line in notes.read_text().splitlines() if line.startswith("start"))
    # The last one may have been done and not recorded when the kill came.
    assert all(starts[number] == 1 for number in done[:-1])
