"""kill -9 in the middle: nothing that was acknowledged is lost, nothing happens twice, the execution goes on."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from simpleflow_lab.engine.embedded import EmbeddedSWF
from tests.engine.crashing import ACTIVITIES
from tests.engine.invariants import stalled, violations
from tests.examples_count import repeats
from tests.service.scenario import Handle, Scenario, attributes

ROOT = Path(__file__).parents[2]


def run_until_killed(path: Path, seconds: float) -> list[list[str]]:
    """The acknowledgements that the process reported before it was killed or had done all."""
    command = [sys.executable, "-m", "tests.engine.crashing", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        # From its first acknowledgement on, so that the machine's speed matters less.
        killer = threading.Timer(seconds, process.kill)
        killer.start()
        lines += process.stdout.readlines()
        killer.cancel()
    assert process.returncode in (0, -signal.SIGKILL)
    return [line.split() for line in lines if line.endswith("\n")]


def check(path: Path, acknowledged: list[list[str]]) -> None:
    """The store as the crash left it, against what was acknowledged."""
    with EmbeddedSWF(path, poll_seconds=0) as engine:
        lab = Scenario(engine, None)  # type: ignore[arg-type]
        handles = lab.everything()
        for handle in handles:
            events = lab.events(handle)
            assert violations(events) == []
            assert not stalled(lab.describe(handle))
        (run_id,) = {words[1] for words in acknowledged if words[0] == "started"}
        events = lab.events(Handle("w", run_id))
        scheduled = {
            e["eventId"]: attributes(e)["activityId"] for e in events if e["eventType"] == "ActivityTaskScheduled"
        }
        done = Counter(
            scheduled[attributes(e)["scheduledEventId"]] for e in events if e["eventType"] == "ActivityTaskCompleted"
        )
        completed = {words[1] for words in acknowledged if words[0] == "completed"}
        assert completed <= set(done), "an acknowledged completion is lost"
        assert set(done.values()) <= {1}, "a completion is there twice"
        decided = {attributes(e)["startedEventId"] for e in events if e["eventType"] == "DecisionTaskCompleted"}
        assert {int(words[2]) for words in acknowledged if words[:2] == ["decided", "w"]} <= decided


@pytest.mark.parametrize("seed", [0, *repeats(range(1, 3))])
def test_an_execution_survives_kill_9_again_and_again(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "store.sqlite"
    moments = random.Random(seed)
    acknowledged: list[list[str]] = []
    completed: set[str] = set()
    for _ in range(4):
        now = run_until_killed(path, moments.uniform(0.0, 0.15))
        if not now:
            continue
        acknowledged += now
        again = {words[1] for words in now if words[0] == "ran"} & completed
        assert not again, f"run again after their completion was acknowledged: {again}"
        completed |= {words[1] for words in now if words[0] == "completed"}
        check(path, acknowledged)
    acknowledged += run_until_killed(path, 60)
    # Not necessarily the last line: the last decision task is acknowledged at the same time.
    assert ["closed", str(sum(range(ACTIVITIES)))] in acknowledged
    check(path, acknowledged)
