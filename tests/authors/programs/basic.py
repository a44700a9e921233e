"""Functions and a class as activities, futures as arguments, tags, the run's context."""

import time

from simpleflow_lab import Workflow, activity, futures, logger


@activity.with_attributes(task_list="quickstart", version="example")
def increment(x):
    logger.info("in execution %s", increment.context["workflow_id"])
    return x + 1


@activity.with_attributes(task_list="quickstart", version="example")
def double(x):
    return x * 2


@activity.with_attributes(task_list="quickstart", version="example")
class Later:
    def __init__(self, seconds, value):
        self.seconds = seconds
        self.value = value

    def execute(self):
        time.sleep(self.seconds)
        return self.value


class BasicWorkflow(Workflow):
    name = "programs-basic"
    version = "example"
    task_list = "example"
    tag_list = ["color=red", "size=2"]

    def run(self, x, seconds=0):
        logger.info("run context: %r", self.get_run_context())
        incremented = self.submit(increment, x)
        later = self.submit(Later, seconds, incremented)
        doubled = self.submit(double, incremented)
        futures.wait(later, doubled)
        return [later.result, doubled.result]


class MappedWorkflow(Workflow):
    name = "programs-mapped"
    version = "example"
    task_list = "example"

    def run(self, numbers):
        mapped = self.map(increment, numbers)
        starred = self.starmap(Later, [(0, number) for number in numbers])
        return [future.result for future in mapped + starred]
