"""What the watch of decisions reports of code that it could not look at while it ran."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import threading
import time

import pytest

from simpleflow_lab.runtime.decision_watch import SLOW_AFTER, DecisionWatch, WatchedDecision

TASK = {"workflowExecution": {"runId": "r"}, "workflowType": {"name": "holds", "version": "1"}}


class Decider:
    """One that nobody stops."""

    is_giving_up = False

    def stand_in(self, watched: WatchedDecision) -> None:
        """Nobody waits for it."""

    def replace_thread(self, watched: WatchedDecision) -> None:
        """Nobody waits for it."""


@pytest.mark.parametrize(
    ("seconds", "used", "told"),
    [
        (SLOW_AFTER + 1, SLOW_AFTER + 1, 1),
        (SLOW_AFTER * 20, SLOW_AFTER, 1),
        (SLOW_AFTER + 1, 0.0, 0),
        (SLOW_AFTER - 1, SLOW_AFTER - 1, 0),
    ],
    ids=["it held the interpreter", "and the machine was busy", "the process was suspended", "it was short"],
)
def test_code_that_held_the_interpreter_is_reported_when_it_has_ended(seconds, used, told):
    said: list[str] = []
    watch = DecisionWatch(on_slow=lambda task, message: said.append(message))
    now = time.monotonic()
    watched = WatchedDecision(
        decider=Decider(),
        task=TASK,
        module=__name__,
        thread=threading.get_ident(),
        began=now - seconds,
        checked_at=now - seconds,
        used=time.thread_time() - used,
        clock=time.pthread_getcpuclockid(threading.get_ident()),
        limit=300.0,
    )
    watch.end(watched)
    assert len(said) == told
    assert all("lets no other thread run" in each and "long into an activity" in each for each in said)


HOLDS_THE_INTERPRETER = """
import re, sys, time
from simpleflow_lab import Lab, Workflow

held = []

class Holds(Workflow):
    name, version, task_list, decision_tasks_timeout = "holds", "1", "holds", 2

    def run(self, letters):
        if letters not in held:
            held.append(letters)
            re.match("(a+)+$", "a" * letters + "b")

with Lab(":memory:") as lab:
    told, letters = [], int(sys.argv[1])
    while not told:
        execution = lab.start(Holds, letters)
        letters += 1  # takes twice as long, should this machine have become quicker meanwhile
        while not told and execution.status == "OPEN":
            time.sleep(0.1)
            told = [each for each in execution.warnings if "run for" in each or "ran for" in each]
    print(told[0])
"""


def _letters_that_hold_for(seconds: float) -> int:
    """How many letters the regular expression takes about so many seconds of processor time for, on this machine."""
    for letters in range(16, 40):
        began = time.thread_time()
        re.match("(a+)+$", "a" * letters + "b")
        used = time.thread_time() - began
        if used > seconds / 16:
            return letters + round(math.log2(seconds / used))
    raise AssertionError("no number of letters takes long")


def test_a_run_that_held_the_interpreter_is_in_the_warnings_of_its_execution():
    letters = str(_letters_that_hold_for(3))
    ran = subprocess.run(
        [sys.executable, "-c", HOLDS_THE_INTERPRETER, letters], capture_output=True, text=True, timeout=280, check=True
    )
    assert "put what takes long into an activity" in ran.stdout
