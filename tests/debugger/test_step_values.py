"""What steps keep is what was there then: all of it, whoever changes something later, and told where a bound is."""

from __future__ import annotations

import collections
import copy
import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.debugger.steps import ReplaySteps
from simpleflow_lab.debugger.time_travel import Debugger
from simpleflow_lab.debugger.walk import MIN_WINDOWS, WINDOW
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.replay.suspended_code import MAX_LOCALS
from tests.replay.recorded_by_upstream import forget_others

looked: list[bool] = []
"""What `is_replaying` was in the hook of each replay."""
TASKS = {"version": "values", "task_list": "values"}


@activity.with_attributes(**TASKS)
def values_list(number: int) -> list[int]:
    return [number]


class Changing(Workflow):
    name = "values.changing"
    version, task_list = "values", "values"

    def run(self) -> int:
        found = self.submit(values_list, 1).result
        shared = found
        found.append(2)
        self.submit(values_list, 3).wait()
        found.append(3)
        self.submit(values_list, len(shared)).wait()
        return len(found)


class Point(NamedTuple):
    x: int
    names: list[str]


@dataclasses.dataclass
class Balance:
    total: int
    points: list[Point]
    itself: Any = None

    def doubled(self) -> int:
        return 2 * self.total


@dataclasses.dataclass(frozen=True)
class Key:
    number: int

    def __hash__(self) -> int:
        hashed.append(self.number)
        return self.number


@dataclasses.dataclass
class Copied:
    number: int

    def __deepcopy__(self, memo: Any) -> Any:
        raise AssertionError


hashed: list[int] = []


class Records(Workflow):
    name = "values.records"
    version, task_list = "values", "values"

    def run(self) -> int:
        balance, copied, keys = Balance(1, [Point(1, ["a"])]), Copied(1), {Key(7): Key(8)}
        balance.itself = balance
        self.submit(values_list, 1).wait()
        balance.total += 10
        balance.points[0].names.append("b")
        self.submit(values_list, len(keys) + copied.number).wait()
        return balance.total


def test_data_classes_and_named_tuples_are_live_as_they_were_then(lab: Lab) -> None:
    execution = lab.start(Records)
    assert execution.result(30) == 11
    debugger = execution.debug()
    first, second = (debugger.steps[number].locals["balance"] for number in (1, 2))
    assert (first.doubled(), second.doubled()) == (2, 22)
    assert (first.points, second.points) == ([Point(1, ["a"])], [Point(1, ["a", "b"])])
    assert type(first.points[0]) is Point
    assert first.itself is first
    first.total = 99
    assert debugger.steps[1].locals["balance"].total == 1
    assert debugger.last().number == 3
    assert debugger.to_condition("balance.total == 11", backwards=True).number == 2
    # What copies itself, or would be compared by its own code, is a text.
    assert repr(debugger.step.locals["copied"]) == "Copied(number=1)"
    assert not isinstance(debugger.step.locals["copied"], Copied)
    hashed.clear()
    keys = debugger.steps[1].locals["keys"]
    assert hashed == []
    assert [isinstance(each, Key) for each in (*keys, *keys.values())] == [False, True]


class KeepsItsState(Workflow):
    """What it knows are attributes of itself."""

    name = "values.keeps_its_state"
    version, task_list = "values", "values"
    limit = 10

    @property
    def costly(self) -> int:
        raise AssertionError

    def __getattribute__(self, name: str) -> Any:
        read.append(name)
        return super().__getattribute__(name)

    def run(self) -> int:
        self.total, self.rows, self.large = 0, [self], list(range(9_000))
        rows = [list(range(4_900)) for _ in range(2)]
        for number in range(3):
            self.future = self.submit(values_list, number)
            self.future.wait()
            self.total += number + 4
            self.rows.append([number])
        return self.total + len(rows[0])


read: list[str] = []


def test_what_the_workflow_held_then_is_there_and_none_of_its_code_runs(lab: Lab) -> None:
    execution = lab.start(KeepsItsState)
    assert execution.result(30) == 15 + 4_900
    debugger = execution.debug(at=1)
    held = [step.locals["self"] for step in debugger.steps[1:4]]
    read.clear()
    assert [each.total for each in held] == [0, 4, 9]
    assert [repr(each.rows[1:]) for each in held] == ["[]", "[[0]]", "[[0], [1]]"]
    assert [each.future.state for each in held] == ["PENDING"] * 3
    assert held[1].future.task_id.endswith("values_list-2")
    assert held[0].limit == 10
    assert held[0].large == list(range(9_000))
    held[1].rows.append(5)
    assert debugger.steps[2].locals["self"].rows[1:] == [[0]]
    assert copy.deepcopy(held[1]) == held[1]
    for name in ("costly", "run", "nosuch"):
        with pytest.raises(AttributeError, match=f"held no '{name}' then: of a workflow attributes are kept"):
            getattr(held[0], name)
    assert read == []
    # It takes no room from the variables.
    assert [len(row) for row in debugger.steps[1].locals["rows"]] == [4_900, 4_900]
    assert debugger.to_condition("self.total > self.limit - 2").number == 3


@pytest.fixture(autouse=True)
def nobody_elses_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_others(monkeypatch)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(":memory:") as lab:
        yield lab


@pytest.fixture
def steps(lab: Lab) -> Iterator[ReplaySteps]:
    execution = lab.start(Changing, workflow_id="changing-1")
    assert execution.result(30) == 3
    with execution.replay() as steps:
        yield steps


def many_locals(count: int) -> type[Workflow]:
    """A workflow whose `run` has so many local variables, the last one called `total`."""
    lines = [
        *(f"v{number} = {number}" for number in range(count - 3)),
        "total = 5",
        "self.submit(values_list, 1).wait()",
    ]
    body = "".join(f"        {line}\n" for line in lines)
    source = (
        "class Many(Workflow):\n    name, version, task_list = 'values.many', 'values', 'values'\n"
        f"    def run(self, a=0):\n{body}"
    )
    namespace: dict[str, Any] = {"Workflow": Workflow, "values_list": values_list, "__name__": "values_many"}
    exec(source, namespace)
    found: type[Workflow] = namespace["Many"]
    return found


def test_every_local_variable_is_there(lab: Lab) -> None:
    execution = lab.start(many_locals(200))
    execution.wait(30)
    with execution.replay() as steps:
        assert steps[1].locals["total"] == 5
        assert len(steps[1].locals) == 200
        assert steps.find(lambda step: step.locals.get("total") == 5) == steps[1]
    debugger = execution.debug()
    debugger.last()
    assert debugger.to_condition("total == 5", backwards=True).number == 1


def test_local_variables_beyond_the_bound_are_told_of(lab: Lab) -> None:
    execution = lab.start(many_locals(MAX_LOCALS + 20))
    execution.wait(30)
    with execution.replay() as steps:
        found = steps[1].locals
        assert len(found) == MAX_LOCALS
        with pytest.raises(KeyError, match="the first 1,000 local variables are kept, 20 are not"):
            found["total"]


def test_a_future_has_the_value_that_was_recorded_whatever_the_code_does_with_its_result(steps: ReplaySteps) -> None:
    for step in steps[2:]:
        assert step.futures[0].value == "[1]"
    assert [each.value for each in steps[2].changed_futures if each.state == "FINISHED"] == ["[1]"]


def test_who_changes_local_variables_changes_no_step(steps: ReplaySteps) -> None:
    there = steps[2].locals
    there["found"].append("mine")
    assert there["shared"] is there["found"]  # as in the code
    assert steps[2].locals["found"] == [1, 2]
    steps[2].frame().locals["new"] = 1  # type: ignore[index]
    assert "new" not in steps[2].locals
    debugger = Debugger(lambda: steps, at=1)
    with pytest.raises(UsageError, match="no step after 1"):
        debugger.to_condition("found.append('condition')")
    assert steps[2].locals["found"] == [1, 2]
    assert steps[3].locals["found"] == [1, 2, 3]


def test_a_name_that_some_steps_have_is_no_error_of_a_condition(steps: ReplaySteps) -> None:
    debugger = Debugger(lambda: steps, at=1)
    with pytest.raises(UsageError, match=r"no step after 1 has len\(found\) > 99$"):
        debugger.to_condition("len(found) > 99")
    with pytest.raises(UsageError, match=r"is called 'lost'$"):
        debugger.to_condition("len(found) > 99 or lost")


@pytest.mark.parametrize(
    "ask",
    [
        lambda steps: steps.at(event="4"),
        lambda steps: steps.at(event=None),
        lambda steps: steps.at(event=4.0),
        lambda steps: steps.at(event=True),
        lambda steps: steps.at_line(None),
        lambda steps: steps.parting("x"),
        lambda steps: steps.parting(None),
        lambda steps: steps.find("total > 5"),
        lambda steps: steps.find(bool, after="1"),
        lambda steps: steps.diff("a", 1),
        lambda steps: steps.diff(1, 2.0),
        lambda steps: steps[1].frame(depth="x"),
        lambda steps: Debugger(lambda: steps).to_condition(5),
        lambda steps: Debugger(lambda: steps).go_to(slice(1, 2)),
        lambda steps: Debugger(lambda: steps).go_to(None),
        lambda steps: Debugger(lambda: steps).forward("1"),
        lambda steps: Debugger(lambda: steps).back("1"),
        lambda steps: Debugger(lambda: steps).to_event("4"),
        lambda steps: Debugger(lambda: steps).to_failure(after="x"),
        lambda steps: Debugger(lambda: steps).to_parting("x"),
    ],
)
def test_what_can_not_be_meant_is_one_line(steps: ReplaySteps, ask: Any) -> None:
    with pytest.raises(UsageError) as caught:
        ask(steps)
    assert "\n" not in str(caught.value)


class Raising(Workflow):
    name = "values.raising"
    version, task_list = "values", "values"

    def before_replay(self, history: Any) -> None:
        looked.append(self.is_replaying)

    def run(self, orders: dict[str, int]) -> float:
        found = self.submit(values_list, 1).result
        return self.share(found, orders)

    def share(self, found: list[int], orders: dict[str, int]) -> float:
        whole = found[0]
        return whole / orders["a"]  # here


def test_the_step_in_which_run_raises_has_the_error_its_line_and_the_variables_of_then(lab: Lab) -> None:
    execution = lab.start(Raising, {"a": 0}, workflow_id="raising-1")
    execution.wait(30)
    with execution.replay() as steps:
        assert steps[1].raised is None
        last = steps[-1]
        assert last.raised is not None
        assert last.raised.startswith("ZeroDivisionError: division by zero, at test_step_values.py:")
        assert last.raised.endswith('return whole / orders["a"]  # here')
        assert "raised: ZeroDivisionError: division by zero, at test_step_values.py:" in repr(last)
        assert "ZeroDivisionError" in last._repr_html_()
        assert [frame.line.function for frame in last.stack()] == ["Raising.run", "Raising.share"]
        assert last.locals["whole"] == 1
        assert last.frame(depth=1).locals["orders"] == {"a": 0}
        assert steps.find(lambda step: step.locals.get("whole") == 1) == last
        assert last.commands[-1].line == last.stack()[-1].line


def test_a_hook_can_tell_that_somebody_looks(lab: Lab) -> None:
    execution = lab.start(Raising, {"a": 1}, workflow_id="raising-2")
    execution.wait(30)
    looked.clear()
    with execution.replay() as steps:
        assert len(steps[-1].locals) == 0
    lab.check(Raising)
    assert len(looked) >= 6
    assert all(looked)


class Arrays(Workflow):
    name = "values.arrays"
    version, task_list = "values", "values"

    def run(self) -> int:
        array, large = np.arange(10), np.zeros(2_000_000)
        frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
        scalar = np.float64(0.5)
        objects = np.array([self, None], dtype=object)
        counted, ordered = collections.Counter("aab"), collections.OrderedDict(a=[1])
        filled = collections.defaultdict(list, {"a": [1]})
        for number in range(2):
            self.submit(values_list, number).wait()
            array[0] += 100
            frame.loc[0, "a"] += 100
            scalar += 1
            counted["a"] += 1
            ordered["a"].append(number)
            filled["b"].append(number)
        return int(large[0]) + len(objects)


def test_arrays_frames_and_other_containers_are_copies_of_then(lab: Lab) -> None:
    execution = lab.start(Arrays, workflow_id="arrays-1")
    assert execution.result(30) == 2
    with execution.replay() as steps:
        first, second = steps[1].locals, steps[2].locals
        assert (first["array"][0], second["array"][0]) == (0, 100)
        assert (first["frame"].a[0], second["frame"].a[0]) == (1, 101)
        assert (first["counted"], second["counted"]) == ({"a": 2, "b": 1}, {"a": 3, "b": 1})
        assert (first["scalar"], second["scalar"]) == (0.5, 1.5)
        assert type(first["ordered"]) is collections.OrderedDict
        assert (first["ordered"], second["ordered"]) == ({"a": [1]}, {"a": [1, 0]})
        assert second["filled"]["b"] == [0]
        assert second["filled"]["missing"] == []
        assert repr(first["large"]) == "array of shape (2000000,), float64: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, …]"
        assert repr(first["objects"]) == "array of shape (2,), object: […, None]"
        texts = steps[2].detailed.suspended[0].stack[-1].locals
        assert texts is not None
        assert texts["array"] == "array of shape (10,), int64: [100, 1, 2, 3, 4, 5, …]"
        frame = second["frame"]
        assert texts["frame"] == f"DataFrame of 2 rows and 2 columns: a int64: [101, 2]; b {frame.b.dtype}: [x, y]"
        assert steps.find(lambda step: step.locals["array"][0] > 5) == steps[2]


entered: list[int] = []


class Long(Workflow):
    name = "values.long"
    version, task_list = "values", "values"

    def run(self, many: int) -> int:
        entered.append(many)
        for number in range(many):
            if number % 25 == 0:
                big = self.submit(values_list, number).result  # noqa: F841
            else:
                self.submit(self.start_timer(f"t{number}", 1)).wait()
        return many


def test_any_step_of_a_long_execution_is_there_without_another_replay_once_they_were_made() -> None:
    with Lab(":memory:", clock="virtual") as lab:
        execution = lab.start(Long, MIN_WINDOWS * WINDOW + 20)
        execution.wait(60)
        with execution.replay() as steps:
            assert len(steps) > MIN_WINDOWS * WINDOW
            assert steps[5].locals["number"] == 4
            numbers = range(1, len(steps), WINDOW // 2)
            assert [steps[number].locals["number"] for number in numbers] == [number - 1 for number in numbers]
            entered.clear()
            for number in reversed(numbers):
                assert steps[number].locals["number"] == number - 1
            assert entered == []
