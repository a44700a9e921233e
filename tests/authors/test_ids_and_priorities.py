"""Which task is which, and which goes first."""

import copy
import hashlib
from collections import UserDict

import pytest

from simpleflow_lab import Group, Workflow, activity, futures
from simpleflow_lab.activity import PRIORITY_NOT_SET

TASKS = {"task_list": "ids", "version": "1"}
pytestmark = pytest.mark.usefixtures("replays_anew")


class Ids(Workflow):
    version = "1"
    task_list = "ids"


def one_off(run, **attributes):
    """A workflow whose `run` is this function."""
    return type("OneOff", (Ids,), {"run": run, **attributes})


@activity.with_attributes(name="ids.increment", **TASKS)
def increment(x):
    return x + 1


@activity.with_attributes(name="ids.increment_prio", task_priority=12, **TASKS)
def increment_prio(x):
    return x + 1


def scheduled(execution, attribute):
    return [event.attributes.get(attribute) for event in execution.history() if event.type == "ActivityTaskScheduled"]


# -- ids ---------------------------------------------------------------------------------------------------------------


def test_ub_01_a_task_keeps_its_id_whatever_is_done_first(virtual_lab):
    def run(self):
        y = self.submit(increment, 1)
        a = self.submit(increment, y)
        b = self.submit(increment, 300)
        return futures.wait(y, a, b)

    execution = virtual_lab.start(one_off(run, name="ids.shift"))
    assert execution.result(200) == [2, 3, 301]
    assert scheduled(execution, "activityId") == [f"activity-ids.increment-{n}" for n in (1, 3, 2)]


@activity.with_attributes(name="ids.same", idempotent=True, **TASKS)
def same(*values):
    return values


def test_what_a_generator_gives_is_in_the_id_and_in_the_input(virtual_lab):
    """It can be read once: an activity whose id is made of its arguments got nothing of it."""

    def run(self):
        given = self.submit(same, (n for n in (1, 2)), {"a": [(n for n in (3,))]})
        of_futures = self.submit(same, (self.submit(increment, n) for n in (1, 2)))
        grouped = self.submit(Group((same, (n for n in (4, 5)))))
        again = self.submit(same, [1, 2], {"a": [[3]]})
        assert again.task_id == given.task_id
        return [given.result, of_futures.result, grouped.result]

    execution = virtual_lab.start(one_off(run, name="ids.generators"))
    assert execution.result(200) == [[[1, 2], {"a": [[3]]}], [[2, 3]], [[[4, 5]]]]


@pytest.mark.parametrize(
    ("value", "change", "passed"),
    [
        ([1], lambda value: value.append(2), [1]),
        ({1}, lambda value: value.add(2), [1]),
        (bytearray(b"a"), lambda value: value.extend(b"b"), "a"),
        (UserDict(a=1), lambda value: value.update(b=2), {"a": 1}),
        ({"k": {1}}, lambda value: value["k"].add(2), {"k": [1]}),
    ],
    ids=["list", "set", "bytearray", "mapping", "set in a dict"],
)
def test_what_changes_after_the_submit_changes_nothing(virtual_lab, value, change, passed):
    def run(self):
        given = copy.deepcopy(value)
        task = self.submit(same, self.submit(increment, 1), given)  # waits for its argument
        change(given)
        return task.result

    assert virtual_lab.start(one_off(run, name="ids.changed")).result(200) == [2, passed]


def test_equal_calls_of_an_idempotent_activity_are_one_task(virtual_lab):
    """ID-02, TO-07."""
    ran = []

    @activity.with_attributes(name="ids.idempotent", idempotent=True, **TASKS)
    def idempotent(*args, **kwargs):
        ran.append(args)
        return [list(args), kwargs]

    def run(self):
        two = self.submit(increment, 1)
        calls = [self.submit(idempotent, 2, x=[1]), self.submit(idempotent, two, x=(1,)), self.submit(idempotent)]
        return futures.wait(calls)

    execution = virtual_lab.start(one_off(run, name="ids.idempotents"))
    assert execution.result(200) == [[[2], {"x": [1]}]] * 2 + [[[], {}]]
    assert len(ran) == 2
    nothing = hashlib.md5(b'{"args":[],"kwargs":{}}').hexdigest()
    assert f"activity-ids.idempotent-{nothing}" in scheduled(execution, "activityId")


def _named(workflow, *args, **kwargs):
    return f"{workflow.get_run_context()['name']}-{'-'.join(str(arg) for arg in args)}"


class ById:
    """As a class, with a method of its own."""

    def __init__(self, *args):
        self.args = args

    def execute(self):
        return sum(self.args)

    @classmethod
    def get_task_id(cls, workflow, *args, **kwargs):
        return _named(workflow, *args)


def by_id(*args):
    return sum(args)


by_id.get_task_id = _named


@pytest.mark.parametrize("callable", [by_id, ById])
def test_an_activity_may_say_its_tasks_ids(virtual_lab, callable):
    """TO-09: of the workflow and the arguments, futures resolved; the same id is the same task."""
    named = activity.with_attributes(name=f"ids.{callable.__name__}", **TASKS)(callable)

    def run(self):
        return futures.wait(
            self.submit(named, 1, 2), self.submit(named, self.submit(increment, 4), 6), self.submit(named, 1, 2)
        )

    execution = virtual_lab.start(one_off(run, name="ids.custom"))
    assert execution.result(200) == [3, 11, 3]
    ids = [found for found in scheduled(execution, "activityId") if "increment" not in found]
    assert ids == [f"activity-ids.{callable.__name__}-ids.custom-{suffix}" for suffix in ("1-2", "5-6")]


# -- priorities: upstream's five examples ------------------------------------------------------------------------------


def test_no_priority_is_set_where_nobody_says_one(virtual_lab):
    execution = virtual_lab.start(one_off(lambda self, x: self.submit(increment, x).result, name="ids.priority_1"), 1)
    assert execution.result(200) == 2
    assert scheduled(execution, "taskPriority") == [None]
    assert "taskPriority" not in execution.history()[0].attributes


def test_a_priority_is_set_task_by_task(virtual_lab):
    """UB-05: the function never sees it."""

    def run(self, x):
        return self.submit(increment, self.submit(increment, x, __priority=5)).result

    execution = virtual_lab.start(one_off(run, name="ids.priority_2"), 1)
    assert execution.result(200) == 3
    assert scheduled(execution, "taskPriority") == ["5", None]


def test_a_workflows_priority_is_that_of_its_tasks(virtual_lab):
    run = lambda self, x: self.submit(increment, x).result  # noqa: E731  as the others
    execution = virtual_lab.start(one_off(run, name="ids.priority_3", task_priority=5), 1)
    assert execution.result(200) == 2
    assert scheduled(execution, "taskPriority") == ["5"]
    assert execution.history()[0].attributes["taskPriority"] == "5"


class Dynamic(Ids):
    """Its priority is known when it runs."""

    name = "ids.priority_4"

    @property
    def task_priority(self):
        return self._prio

    def run(self, x):
        self.submit(increment_prio, x).wait()  # has its own: the property, not set yet, is not asked
        self._prio = x
        first = self.submit(increment, x)
        late = self.submit(increment, first)
        self._prio = x + 10
        return futures.wait(late, self.submit(increment, x))


def test_a_priority_that_is_a_property_is_asked_of_the_workflow_that_runs(virtual_lab):
    """When a task is submitted, whenever its arguments are there; starting it does not ask the class."""
    execution = virtual_lab.start(Dynamic, 3)
    assert execution.result(200) == [5, 4]
    assert scheduled(execution, "taskPriority") == ["12", "3", "13", "3"]
    assert "taskPriority" not in execution.history()[0].attributes


def test_a_property_is_not_asked_of_the_class_of_a_child_either(virtual_lab):
    execution = virtual_lab.start(one_off(lambda self: self.submit(Dynamic, 3).result, name="ids.priority_4_parent"))
    assert execution.result(200) == [5, 4]


def test_the_nearest_priority_wins(virtual_lab):
    """TO-06: submit, then activity, then workflow; None takes none, and what says nothing leaves it to the next."""

    def run(self, x):
        a = self.submit(increment_prio, x)
        b = self.submit(increment_prio, a, __priority=13)
        c = self.submit(increment_prio, b, __priority=None)
        d = self.submit(increment_prio, c, __priority=PRIORITY_NOT_SET)
        e = self.submit(increment, d, __priority=False)
        return e.result

    execution = virtual_lab.start(one_off(run, name="ids.priority_5", task_priority=5), 1)
    assert execution.result(200) == 6
    assert scheduled(execution, "taskPriority") == ["12", "13", None, "12", "5"]


# -- the next run ------------------------------------------------------------------------------------------------------


def test_ub_07_the_next_run_takes_positional_and_keyword_arguments(virtual_lab):
    def run(self, n, *, total=0):
        if n == 0:
            return [total, self.get_run_context()["continued_execution_run_id"] is not None]
        total += self.submit(increment, n).result
        return self.submit(self.continue_as_new(n - 1, total=total)).result

    execution = virtual_lab.start(
        one_off(run, name="ids.continues", task_priority=4, tag_list=["kept"], lambda_role="arn:role"), 3
    )
    assert execution.result(200) == [9, True]
    last = virtual_lab.execution(execution.workflow_id).history()[0].attributes
    assert (last["taskPriority"], last["tagList"], last["lambdaRole"]) == ("4", ["kept"], "arn:role")
