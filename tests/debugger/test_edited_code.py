"""Steps are of one code: what is edited after they were made is told, and so is what was edited after the decisions."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.debugger.walk import WINDOW
from simpleflow_lab.exceptions import EditedCodeWarning, UsageError
from tests.debugger.imported_flows import imported

NAME = "flows_with_edited_code"
PROGRAM = """\
from simpleflow_lab import Workflow, activity

RATE = 2

@activity.with_attributes(task_list="edited-code", version="1")
def double(x):
    return 2 * x

def helper(x):
    # a comment
    return x * 10

class Doubles(Workflow):
    name, version, task_list = "edited_code.doubles", "1", "edited-code"

    def run(self, many):
        for number in range(many):
            seen = helper(number) + RATE
            self.submit(double, number).wait()
        return many

RUNS = 0

def count():
    global RUNS
    RUNS += 1

class Counts(Workflow):
    name, version, task_list = "edited_code.counts", "1", "edited-code"

    def run(self):
        count()
        self.submit(double, RUNS * 0).wait()
        count()
        return self.submit(double, 2).result

class Ledger:
    entries = 0

    @classmethod
    def enter(cls):
        cls.entries += 1

@activity.with_attributes(task_list="edited-code", version="1")
def note(x):
    Notes.noted += 1
    return x

class Notes(Workflow):
    name, version, task_list = "edited_code.notes", "1", "edited-code"
    runs, noted, limit = 0, 0, 10

    def run(self, many):
        type(self).runs += 1
        Ledger.enter()
        for number in range(many):
            Notes.last = number
            setattr(Notes, "largest", number)
            self.submit(note, number % self.limit).wait()
        return many
"""


@pytest.fixture
def flows(tmp_path: Path) -> Iterator[ModuleType]:
    with imported(tmp_path, NAME, PROGRAM) as module:
        yield module


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(":memory:", clock="virtual") as lab:
        yield lab


def edit(flows: ModuleType, old: str, new: str) -> None:
    """Edit the file and reload it."""
    text = Path(str(flows.__file__)).read_text()
    assert old in text
    Path(str(flows.__file__)).write_text(text.replace(old, new))
    importlib.reload(flows)


def set_constant(flows: ModuleType) -> None:
    flows.RATE = 3


def edit_helper(flows: ModuleType) -> None:
    edit(flows, "x * 10", "x * 11")


EDITS = pytest.mark.parametrize(("act", "name"), [(set_constant, "RATE"), (edit_helper, "helper")])


@EDITS
def test_variables_that_are_read_first_after_an_edit_are_refused_though_the_code_decides_the_same(
    flows: ModuleType, lab: Lab, act: Callable[[ModuleType], None], name: str
) -> None:
    execution = lab.start(flows.Doubles, WINDOW + 30)
    assert execution.result(60) == WINDOW + 30
    whole, begun, looked = execution.replay(), execution.replay(), execution.replay()
    assert len(whole) == WINDOW + 31
    assert looked[3].locals["seen"] == 22
    assert begun[3].number == 3
    act(flows)
    told = f"^{name} was edited since these steps were made: replay"
    assert looked[2].locals["seen"] == 12, "its variables were made before"
    for ask in (
        lambda: whole[WINDOW + 20].locals,
        lambda: begun[2].locals,
        lambda: begun[40],
        lambda: begun.quiet_failures(),
        lambda: list(begun),
        lambda: whole.at_line(18),
    ):
        with pytest.raises(UsageError, match=told):
            ask()


@EDITS
def test_steps_that_are_made_after_an_edit_say_that_the_decisions_were_made_by_other_code(
    flows: ModuleType, lab: Lab, act: Callable[[ModuleType], None], name: str
) -> None:
    execution = lab.start(flows.Doubles, 2)
    execution.result(60)
    then = execution.replay()
    assert not any(step.is_of_other_code for step in then)
    assert "edited since" not in repr(then[2])
    act(flows)
    steps = execution.replay()
    assert all(step.is_of_other_code for step in steps)
    assert "edited since: the code of Doubles here, or what it uses, is not that which made this decision" in repr(
        steps[2]
    )
    assert "is not that which made this decision" in steps[2]._repr_html_()
    with pytest.warns(EditedCodeWarning, match="step 2 of .* is not that which made this decision") as warned:
        assert steps[2].locals["seen"] == 13
    assert warned[0].filename == __file__
    assert steps[1].locals["seen"] in (2, 3), "it is said once"
    again = lab.start(flows.Doubles, 2)
    again.result(60)
    assert not any(step.is_of_other_code for step in again.replay())


def test_a_reload_without_an_edit_and_an_edit_of_an_activity_change_nothing(flows: ModuleType, lab: Lab) -> None:
    execution = lab.start(flows.Doubles, 2)
    execution.result(60)
    steps = execution.replay()
    assert len(steps) == 3
    edit(flows, "return 2 * x", "return 3 * x")
    edit(flows, "    # a comment\n", "    # another\n    # comment\n")
    assert steps[2].locals["seen"] == 12
    assert not steps[2].is_of_other_code
    assert not execution.replay()[2].is_of_other_code


def test_after_a_reload_the_source_that_is_shown_is_that_of_the_code(flows: ModuleType, lab: Lab) -> None:
    execution = lab.start(flows.Doubles, 2)
    execution.result(60)
    assert "self.submit(double, number).wait()" in repr(execution.replay()[2])
    edit(flows, "            self.submit", "            # the same, a line below\n            self.submit")
    assert "py:20, self.submit(double, number).wait()" in repr(execution.replay()[2])
    # A file that was edited and not reloaded shows the code that runs.
    text = Path(str(flows.__file__)).read_text()
    Path(str(flows.__file__)).write_text("\n\n\n" + text)
    assert "py:20, self.submit(double, number).wait()" in repr(execution.replay()[2])


def test_what_the_code_counts_itself_is_no_edit(flows: ModuleType, lab: Lab) -> None:
    execution = lab.start(flows.Counts)
    assert execution.result(60) == 4
    steps = execution.replay()
    assert [step.number for step in steps] == [1, 2, 3]
    assert steps[1].stack()


def test_attributes_of_classes_that_the_code_or_its_activities_set_are_no_edit(flows: ModuleType, lab: Lab) -> None:
    execution = lab.start(flows.Notes, WINDOW + 2)
    assert execution.result(60) == WINDOW + 2
    steps = execution.replay()
    assert [steps[number].locals["number"] for number in (2, WINDOW + 2, 1)] == [1, WINDOW + 1, 0]
    lab.start(flows.Notes, 2).result(60)
    assert steps[3].locals["number"] == 2
    assert not steps[3].edits
    assert execution.debug().first().number == 1
    steps = execution.replay()
    assert steps[3].number == 3
    flows.Notes.limit = 5
    with pytest.raises(UsageError, match=r"^limit was edited since these steps were made"):
        list(steps)


def test_windows_that_are_made_in_the_background_are_of_one_code(flows: ModuleType, lab: Lab) -> None:
    execution = lab.start(flows.Doubles, 5 * WINDOW)
    execution.result(60)
    steps = execution.replay()
    assert len(steps) == 5 * WINDOW + 1
    turn = threading.Event()
    reader = threading.Thread(target=lambda: (turn.wait(60), edit_helper(flows)))
    reader.start()
    assert steps[2].locals["seen"] == 12  # all windows are made from here on
    turn.set()
    reader.join(60)
    for number in range(2, len(steps)):
        try:
            seen = steps[number].locals["seen"]
        except UsageError:
            continue  # its window was not made before the edit
        assert seen == 10 * (number - 1) + 2


def test_a_class_that_was_defined_again_is_checked_with_what_its_earlier_definition_recorded(
    flows: ModuleType, lab: Lab
) -> None:
    old = flows.Doubles
    lab.start(old, 2).result(60)
    edit(flows, "range(many)", "range(many + 1)")
    assert lab.check(old).summary == "safe with 1 of 1 recorded execution"
    assert lab.check(flows.Doubles).summary.startswith("differs in")
