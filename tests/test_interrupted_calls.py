"""Ctrl-C in the middle of every public call: it ends the call, and nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples_count import repeats

PROGRAM = """
import random, signal, sys, time
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
    assert closed.result(200) == 2
    lab.executions()  # pandas is there; for interrupts while it is imported there is a test of its own
    calls = {
        "start": lambda: lab.start(Doubling, 1).result(200),
        "wait": lambda: waiting.wait(0.2),
        "result": lambda: waiting.result(200),
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
            assert lab.start(Doubling, 21).result(200) == 42, name
    assert {worker.state for worker in lab.workers} <= {"polling", "busy"}, lab.workers
    assert interrupts == times * len(calls), interrupts
    waiting.signal("go", '{"args": ["on"], "kwargs": {}}')
    assert waiting.result(200) == ["on"]
print("done")
"""


INTERRUPTED_IMPORTS = """
import signal, sys, threading
import simpleflow_lab

main = threading.main_thread()

class Interrupts:
    '''An interrupt of the main thread when a module is looked for, once.'''
    def __init__(self, name):
        self.name, self.came = name, False

    def find_spec(self, name, path=None, target=None):
        if name == self.name and not self.came:
            self.came = True
            signal.pthread_kill(main.ident, signal.SIGINT)

with simpleflow_lab.Lab(":memory:") as lab:
    for name in sys.argv[1:]:
        sys.meta_path.insert(0, interrupts := Interrupts(name))
        try:
            lab.executions()
        except KeyboardInterrupt:
            assert interrupts.came, name
        else:
            raise AssertionError(name)
    print(len(lab.executions()))
"""


@pytest.mark.parametrize("names", [("numpy.exceptions", "pandas._libs.tslibs"), ("numpy._core._exceptions",)])
def test_an_interrupt_while_numpy_or_pandas_is_imported_ends_that_call_and_later_tables_are_made(
    names: tuple[str, ...],
) -> None:
    command = [sys.executable, "-c", INTERRUPTED_IMPORTS, *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.returncode in (0, -signal.SIGINT)) == ("0\n", True), done.stderr


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
    # Python ends by SIGINT itself if an interrupt came while a module was imported, though that was caught.
    assert (done.stdout, done.returncode in (0, -signal.SIGINT)) == ("done\n", True), done.stderr
