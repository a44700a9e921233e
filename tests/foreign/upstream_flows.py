"""Workflows for upstream simpleflow 0.36, run by it and never imported here."""

import os

from simpleflow import Workflow, activity, futures
from simpleflow.canvas import Chain, Group


@activity.with_attributes(task_list="quickstart", version="example")
def increment(x):
    return x + 1


@activity.with_attributes(task_list="quickstart", version="example")
def double(x):
    return x * 2


@activity.with_attributes(task_list="quickstart", version="example", retry=1)
def fails_once(path):
    if not os.path.exists(path):
        with open(path, "w"):
            raise ValueError("the first time")
    return "the second time"


@activity.with_attributes(task_list="quickstart", version="example", raises_on_failure=True)
def fails(message):
    raise ValueError(message)


class Basic(Workflow):
    name = "basic"
    version = "example"
    task_list = "example"

    def run(self, x):
        y = self.submit(increment, x)
        z = self.submit(double, y)
        return z.result


class Child(Workflow):
    name = "child"
    version = "example"
    task_list = "example"

    def run(self, x):
        return self.submit(increment, x).result


class Everything(Workflow):
    """A chain, a group, a retry, a child, a marker, a timer and a signal."""

    name = "everything"
    version = "example"
    task_list = "example"

    def run(self, path):
        me = self.get_run_context()
        chain = self.submit(Chain((increment, 1), (double,), send_result=True))
        group = self.submit(Group((increment, 1), (double, 3)))
        retried = self.submit(fails_once, path)
        child = self.submit(Child, 5)
        self.submit(self.record_marker("marker", {"a": 1}))
        timer = self.submit(self.start_timer("timer", 1))
        self.submit(self.signal("go", workflow_id=me["workflow_id"], run_id=me["run_id"], x=1, propagate=False))
        signal = self.submit(self.wait_signal("go"))
        futures.wait(chain, group, retried, child, timer, signal)
        markers = [marker.name for marker in self.list_markers()]
        return [chain.result, group.result, retried.result, child.result, markers]


class Fails(Workflow):
    name = "fails"
    version = "example"
    task_list = "example"

    def run(self):
        return self.submit(fails, "on purpose").result
