"""Which tasks a task depended on stands in its `control`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.canvas import Chain, Group
from simpleflow_lab.swf.control import read_control
from simpleflow_lab.swf.history import History
from simpleflow_lab.task import SignalTask


@activity.with_attributes(version="dependencies", task_list="dependencies")
def add(*values: int) -> int:
    return sum(values)


@activity.with_attributes(version="dependencies", task_list="dependencies")
def total(values: Any) -> int:
    return len(json.dumps(values))


@activity.with_attributes(version="dependencies", task_list="dependencies", idempotent=True)
def once(value: int) -> int:
    return value + 1


class Diamond(Workflow):
    name, version, task_list = "Diamond", "dependencies", "dependencies"

    def run(self) -> int:
        top = self.submit(add, 1)
        left, right = self.submit(add, top, 1), self.submit(once, top)
        return int(self.submit(total, {"deep": [[left], {"x": right}], "again": left}).result)


class Containers(Workflow):
    name, version, task_list = "Containers", "dependencies", "dependencies"

    def run(self) -> int:
        group = self.submit(Group((add, 1), Chain((add, 2), (add, 3))))
        return int(self.submit(total, group).result)


class ParentOfOne(Workflow):
    name, version, task_list = "ParentOfOne", "dependencies", "dependencies"

    def run(self) -> int:
        value = self.submit(add, 1)
        self.submit(SignalTask("hello", value)).wait()
        return int(self.submit(OneChild, value).result)


class OneChild(Workflow):
    name, version, task_list = "OneChild", "dependencies", "dependencies"

    def run(self, value: int) -> int:
        return value


class Wide(Workflow):
    name, version, task_list = "Wide", "dependencies", "dependencies"

    def run(self) -> int:
        return int(self.submit(total, [self.submit(add, n) for n in range(150)]).result)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(":memory:") as lab:
        yield lab


def ran(lab: Lab, workflow: type[Workflow]) -> History:
    """The history of an execution that has come to its end."""
    execution = lab.start(workflow)
    execution.result(timeout=60)
    return execution.history()


def dependencies(history: History) -> dict[str, list[str]]:
    """Of each activity and child, the ids that its `control` names."""
    ids = {"ActivityTaskScheduled": "activityId", "StartChildWorkflowExecutionInitiated": "workflowId"}
    return {
        event.attributes[ids[event.type]]: list(read_control(event.attributes.get("control")).depends_on)
        for event in history
        if event.type in ids
    }


def test_futures_deep_inside_the_arguments_are_named_in_order_each_once(lab: Lab) -> None:
    found = dependencies(ran(lab, Diamond))
    hashed = next(id for id in found if id.startswith("activity-dependencies.once") or "once" in id)
    names = list(found)
    assert found[names[0]] == []
    assert found[hashed] == [names[0]]
    total_id = next(id for id in found if "total" in id)
    assert len(found[total_id]) == 2
    assert found[total_id][1] == hashed


def test_a_group_stands_for_its_members(lab: Lab) -> None:
    found = dependencies(ran(lab, Containers))
    members = [id for id in found if "total" not in id]
    assert len(members) == 3
    assert sorted(next(found[id] for id in found if "total" in id)) == sorted(members)


def test_children_and_signals_depend_on_tasks_too(lab: Lab) -> None:
    history = ran(lab, ParentOfOne)
    found = dependencies(history)
    assert list(found.values()) == [[], [next(iter(found))]]
    (signal,) = (event for event in history if event.type == "SignalExternalWorkflowExecutionInitiated")
    assert read_control(signal.attributes["control"]).depends_on == (next(iter(found)),)


def test_of_many_the_first_hundred_are_named(lab: Lab) -> None:
    history = ran(lab, Wide)
    control = next(e for e in history if e.type == "ActivityTaskScheduled" and "total" in e.attributes["activityId"])
    read = read_control(control.attributes["control"])
    assert 50 < len(read.depends_on) <= 100
    assert len(read.depends_on) + read.left_out == 150
    assert read.line is not None
    assert "self.submit(total" in read.line
