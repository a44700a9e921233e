"""A family of workflows in upstream's words: run by upstream, and by this package with its name in the import lines."""

import datetime
import os

from simpleflow import Workflow, activity, futures

TASKS = {"task_list": "hand-over", "version": "1"}
NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, 123456, datetime.UTC)


@activity.with_attributes(idempotent=True, **TASKS)
def stamp(when):
    return [when, os.getpid()]


@activity.with_attributes(retry=1, **TASKS)
def fails_once(path):
    if not os.path.exists(path):
        with open(path, "w"):
            raise ValueError("the first time")
    return "the second time"


@activity.with_attributes(**TASKS)
def make(length):
    return "x" * length


@activity.with_attributes(**TASKS)
def measure(*texts):
    return [len(text) for text in texts]


@activity.with_attributes(**TASKS)
def echo(value, numbers):
    return [value, numbers]


class Child(Workflow):
    name = "hand_over.child"
    version = "1"
    task_list = "hand-over"

    def run(self, text, number):
        before = self.submit(measure, text, "y" * number).result
        self.submit(self.wait_signal("finish")).result
        return before + self.submit(measure, text).result


class Parent(Workflow):
    name = "hand_over"
    version = "1"
    task_list = "hand-over"

    def run(self, path):
        stamps = [self.submit(stamp, NOON), self.submit(stamp, NOON)]
        retried = self.submit(fails_once, path)
        large = self.submit(make, 40000)
        child = self.submit(Child, large, 1)
        echoed = self.submit(echo, {2: "b"}, [float("inf")])
        self.submit(self.record_marker("began", {"when": NOON}))
        futures.wait(*stamps, retried, large, echoed)
        sent = self.submit(self.wait_signal("go")).result
        timer = self.submit(self.start_timer("pause", 1))
        again = self.submit(stamp, NOON)
        late = self.submit(fails_once, path + "-late")
        measured = self.submit(measure, large, "y" * 50000)
        futures.wait(timer, again, late, measured, child)
        return {
            "same task": stamps[0].result == stamps[1].result == again.result,
            "stamp": again.result[0][:23],
            "retried": [retried.result, late.result],
            "measured": measured.result,
            "child": child.result,
            "echoed": echoed.result,
            "signal": sent["args"],
            "markers": [marker.name for marker in self.list_markers()],
        }


class Passes(Workflow):
    """A large result goes to the next activity, and nobody looks at it."""

    name = "hand_over.passes"
    version = "1"
    task_list = "hand-over"

    def run(self):
        large = self.submit(make, 40000)
        futures.wait(large, self.submit(self.wait_signal("go")))
        measured = self.submit(measure, large)
        return [measured.result, measured.exception and measured.exception.reason]
