"""What asks for a keyboard in code that deciders and workers run: passed over, or refused, in one line."""

from __future__ import annotations

import bdb
import builtins
import pdb
import sys

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.exceptions import KeyboardInputError


def test_set_trace_holds_up_no_decider_and_no_worker_and_a_line_says_where(lab: Lab) -> None:
    @activity.with_attributes(name="keyboard.add", task_list="keyboard", version="1")
    def add(number):
        pdb.Pdb().set_trace()  # as pdb.set_trace(), which pytest replaces
        return number + 1

    class Sums(Workflow):
        name, version, task_list = "keyboard.sums", "1", "keyboard"

        def run(self):
            total = self.submit(add, 1).result
            pdb.Pdb().set_trace()
            return total

    execution = lab.start(Sums)
    assert execution.result(200) == 2
    said = [line.text for line in execution.logs(source="stderr")]
    assert len(said) == 2
    assert all("pdb.set_trace() passed over at test_keyboard.py:" in text for text in said)
    assert ["a worker does not stop" in text for text in said] == [True, False]
    assert execution.replay()[2].error is None  # nor does it hold up who looks


def test_input_in_run_blocks_the_decision_with_one_line_and_ends_no_execution(lab: Lab) -> None:
    class Asks(Workflow):
        name, version, task_list = "keyboard.asks", "1", "keyboard"

        def run(self):
            return input("how many? ")

    execution = lab.start(Asks)
    with pytest.raises(KeyboardInputError, match=r"asks for input at test_keyboard.py:\d+.*steps\[k\].pdb\(\)"):
        execution.wait(200)
    assert execution.status == "OPEN"
    assert "run asks for input at" in str(execution.debug().step.error)
    execution.terminate()


def test_what_asks_for_a_keyboard_is_pythons_own_again_when_no_lab_serves() -> None:
    before = sys.breakpointhook, bdb.Bdb.set_trace, builtins.input
    with Lab(":memory:") as lab:

        class Ends(Workflow):
            name, version, task_list = "keyboard.ends", "1", "keyboard"

            def run(self):
                return 1

        assert lab.start(Ends).result(200) == 1
        assert bdb.Bdb.set_trace is not before[1]
    assert (sys.breakpointhook, bdb.Bdb.set_trace, builtins.input) == before
