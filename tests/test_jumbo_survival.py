"""Killed between an object and the event that names it: nothing is lost, and nothing is named that is not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simpleflow_lab.data.objects import FolderObjects
from simpleflow_lab.data.references import is_reference, reference_in
from simpleflow_lab.swf.history import History
from tests.examples_count import repeats

PROGRAM = '''
"""A chain of large values. The process kills itself right before or after the n-th object is written."""

import os, signal, sys

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.data.objects import FolderObjects

store, when, left = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Deadly(FolderObjects):
    def put(self, key, content):
        global left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().put(key, content)
        if left == 0 and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)


@activity.with_attributes(name="jumbo_survival.grow", version="1", task_list="jumbo_survival")
def grow(text):
    return text + "+"


class Grows(Workflow):
    name = "jumbo_survival"
    task_list = "jumbo_survival"

    def run(self, text):
        first = self.submit(grow, text)
        second = self.submit(grow, first.result)
        self.submit(self.record_marker("seen", second))
        third = self.submit(grow, second)
        return third.result


with Lab(store, activity_threads=1) as lab:
    lab.storage.default = Deadly(f"{store}.objects")
    try:
        execution = lab.execution("jumbo_survival")
        lab.resume()
    except UsageError:
        execution = lab.start(Grows, "x" * 50_000, workflow_id="jumbo_survival")
    print(len(execution.result(60)), execution.result(60)[-4:])
    with open(f"{store}.json", "w") as file:
        file.write(execution.history().to_json())
'''


@pytest.mark.trial
@pytest.mark.slow
@pytest.mark.parametrize(("when", "step"), [("before", 4), ("after", 4), *repeats([("before", 1), ("after", 1)])])
def test_a_kill_around_the_writing_of_any_object_loses_nothing(tmp_path: Path, when: str, step: int) -> None:
    """Reliability F29: objects are there before the event that refers to them is recorded."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    for number in range(1, 20, step):
        store = tmp_path / f"{number}.sqlite"
        run = [sys.executable, str(program), str(store), when]
        killed = subprocess.run([*run, str(number)], capture_output=True, text=True, timeout=200)
        if killed.returncode == 0:
            break
        assert killed.returncode == -9
        done = subprocess.run([*run, "0"], capture_output=True, text=True, timeout=200)
        assert done.stdout == "50003 x+++\n", done.stderr
        history = History.from_file(f"{store}.json")
        assert [event.type for event in history].count("ActivityTaskCompleted") == 3
        objects = FolderObjects(f"{store}.objects")
        for event in history:
            for value in event.attributes.values():
                if isinstance(value, str) and is_reference(value):
                    reference = reference_in(value)
                    assert len(reference.text_of(objects.get(reference.key))) == reference.size
    assert number > 5
