"""Priorities of tasks: of the call, of the activity, of the workflow, and none."""

from simpleflow_lab import Workflow, activity


@activity.with_attributes(task_list="quickstart", version="example")
def increment(x):
    return x + 1


@activity.with_attributes(task_list="quickstart", version="example", task_priority=12)
def increment_soon(x):
    return x + 1


class PlainWorkflow(Workflow):
    name = "programs-priority-none"
    version = "example"
    task_list = "example"

    def run(self, x):
        a = self.submit(increment, x, __priority=5)
        return self.submit(increment, a).result


class ClassWorkflow(Workflow):
    name = "programs-priority-class"
    version = "example"
    task_list = "example"
    task_priority = 5

    def run(self, x):
        a = self.submit(increment_soon, x)
        b = self.submit(increment_soon, a, __priority=13)
        c = self.submit(increment_soon, b, __priority=None)
        return self.submit(increment, c).result


class PropertyWorkflow(Workflow):
    name = "programs-priority-property"
    version = "example"
    task_list = "example"

    @property
    def task_priority(self):
        return self._priority

    def run(self, x):
        self._priority = x
        return self.submit(increment, x).result
