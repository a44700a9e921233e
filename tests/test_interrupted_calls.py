"""Ctrl-C in the middle of every public call: it ends the call, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples_count import repeats

PROGRAM = """
import random, signal, sys, time
import pandas  # first: numpy that is interrupted while it is imported can not be imported again
from simpleflow_lab import Lab, Workflow, activity

class Waiting(Workflow):
    name, version, task_list = "interrupted.waiting", "1", "interrupted"
    def run(self):
        return self.submit(self.wait_signal("go")).result["args"]

@activity.with_attributes(name="interrupted.double", version="1", task_list="interrupted")
def double(x):
    return 2 * x

class Doubling(Workflow):
    name, version, task_list = "interrupted.doubling", "1", "interrupted"
    def run(self, x):
        return self.submit(double, x).result

path, seed, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
interrupts = 0
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))

with Lab(path) as lab:
    waiting = lab.start(Waiting, workflow_id="waiting")
    closed = lab.start(Doubling, 1, workflow_id="closed")
    assert closed.result(30) == 2
    calls = {
        "start": lambda: lab.start(Doubling, 1).result(30),
        "wait": lambda: waiting.wait(0.2),
        "result": lambda: waiting.result(30),
        "signal": lambda: waiting.signal("noise"),
        "history": lambda: waiting.history(),
        "waiting_for": lambda: waiting.waiting_for(),
        "explain": lambda: closed.explain(),
        "attempts": lambda: closed.attempts(),
        "executions": lambda: lab.executions(),
        "execution": lambda: lab.execution("closed"),
        "pollers": lambda: lab.pollers(),
        "resume": lambda: lab.resume("waiting"),
        "replay": lambda: closed.replay(),
        "cancel and start": lambda: (lambda each: (each.request_cancel(), each.wait(0.2)))(lab.start(Waiting)),
        "terminate": lambda: lab.start(Waiting).terminate(),
    }
    for name, call in calls.items():
        for _ in range(times):
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.001, 0.05))
                call()
                time.sleep(0.1)  # an interrupt that comes after the call
            except KeyboardInterrupt:
                interrupts += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            # No transaction is open, nobody holds a lock, and deciders and workers go on.
            assert lab.start(Doubling, 21).result(30) == 42, name
    assert {worker.state for worker in lab.workers} <= {"polling", "busy"}, lab.workers
    assert interrupts == times * len(calls), interrupts
    waiting.signal("go", '{"args": ["on"], "kwargs": {}}')
    assert waiting.result(30) == ["on"]
print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "times"), [(0, 2), *repeats([(seed, 10) for seed in range(1, 6)])])
def test_f21_an_interrupt_ends_the_call_and_the_engine_goes_on(tmp_path: Path, seed: int, times: int) -> None:
    store = tmp_path / "store.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(store), str(seed), str(times)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
