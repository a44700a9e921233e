"""Lines that may do something else when they run again, found without running them."""

import datetime
import datetime as dt
import os
import random
import time
import uuid
from datetime import datetime as renamed
from random import Random, randrange
from time import sleep

import pytest

from simpleflow_lab import FuncGroup, Group, Workflow, activity
from simpleflow_lab.replay.impurities import impurities_of

now = renamed.now


def helper():
    return deeper()


def deeper():
    return uuid.uuid4()


def becomes_an_activity():
    sleep(1)


def names_in(run, **members):
    """What is found in a workflow with this `run`, as names."""
    workflow = type("Suspect", (Workflow,), {"name": "impurities.suspect", "run": run, **members})
    return [impurity.name for impurity in impurities_of(workflow)]


def in_function_import(self):
    from secrets import token_hex
    from time import monotonic as ticks

    return ticks(), token_hex()


def in_nested_code(self):
    def inner():
        return random.random()

    return [os.urandom(2) for _ in range(3)], lambda: time.time(), inner


def by_closure():
    hidden = time.perf_counter

    def run(self):
        return hidden()

    return run


@pytest.mark.parametrize(
    ("run", "found"),
    [
        (lambda self: time.sleep(1), ["time.sleep"]),
        (lambda self: sleep(1), ["time.sleep"]),
        (lambda self: randrange(3), ["random.randrange"]),
        (lambda self: datetime.datetime.now(), ["datetime.now"]),
        (lambda self: dt.datetime.utcnow(), ["datetime.utcnow"]),
        (lambda self: renamed.now(dt.UTC), ["datetime.now"]),
        (lambda self: (dt.date.today(), renamed.today()), ["date.today"]),  # once for each line
        (lambda self: now(), ["datetime.now"]),
        (lambda self: helper(), ["uuid.uuid4"]),
        (in_function_import, ["time.monotonic", "secrets.token_hex"]),
        (in_nested_code, ["os.urandom", "time.time", "random.random"]),
        (by_closure(), ["time.perf_counter"]),
    ],
)
def test_wherever_the_name_comes_from_it_is_found(run, found):
    assert sorted(names_in(run)) == sorted(found)


def shadowed(self):
    time = self.now()
    return time.time()


@pytest.mark.parametrize(
    "run",
    [
        lambda self: (self.random.random(), self.uuid4(), self.now()),
        lambda self: Random(3).random(),
        lambda self: (dt.datetime(2026, 1, 1), dt.timedelta(1), uuid.UUID(int=1)),
        lambda self: activity.with_attributes(task_list="there")(becomes_an_activity),
        lambda self: self.submit(FuncGroup(lambda: Group())),
        shadowed,
    ],
)
def test_what_gives_the_same_each_time_is_not_blamed(run):
    assert names_in(run) == []


def test_methods_properties_and_what_is_inherited_are_read():
    class Parent(Workflow):
        name = "impurities.parent"

        def run(self):
            return self.step(), self.value

        def step(self):
            return time.time()

        @property
        def value(self):
            return random.random()

        @staticmethod
        def never_called():
            time.sleep(1)

    class Overrides(Parent):
        name = "impurities.overrides"

        def step(self):
            return 1

        def run(self):
            return super().run()

    assert [i.name for i in impurities_of(Parent)] == ["time.time", "random.random"]
    assert [i.name for i in impurities_of(Overrides)] == ["random.random"]


def test_the_message_names_the_line_of_a_cell_and_the_way_out():
    source = (
        "import time\nclass Cell(Workflow):\n    name = 'impurities.cell'\n    def run(self):\n        time.sleep(9)\n"
    )
    scope = {"Workflow": Workflow, "__name__": "__main__"}
    exec(compile(source, "/tmp/ipykernel_7/123.py", "exec"), scope)
    [impurity] = impurities_of(scope["Cell"])
    assert impurity.line.lineno == 5
    assert str(impurity).startswith(
        "cell line 5: time.sleep holds up every execution of this task list: submit self.st"
    )
