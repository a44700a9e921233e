"""Groups, chains and groups made when their turn comes."""

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.canvas import Chain, FuncGroup, Group
from simpleflow_lab.task import ActivityTask


@activity.with_attributes(task_list="example", version="example")
def increment(x):
    return x + 1


@activity.with_attributes(task_list="example", version="example")
def product(numbers):
    found = 1
    for number in numbers:
        found *= number
    return found


@activity.with_attributes(task_list="example", version="example")
def refuse(x):
    raise ValueError("no")


class CanvasWorkflow(Workflow):
    name = "programs-canvas"
    version = "example"
    task_list = "example"

    def run(self):
        chained = self.submit(
            Chain(
                Group(ActivityTask(increment, 1), ActivityTask(increment, 2), ActivityTask(increment, 3)),
                ActivityTask(product),
                send_result=True,
            )
        )
        futures.wait(chained)
        return chained.result


class OptionalWorkflow(Workflow):
    """A chain that stops at a failure without failing the workflow, and one that does not stop."""

    name = "programs-optional"
    version = "example"
    task_list = "example"

    def run(self):
        stops = self.submit(Chain(ActivityTask(refuse, 1), ActivityTask(increment, 1), raises_on_failure=False))
        goes_on = self.submit(Chain((refuse, 1), (increment, 1), break_on_failure=False))
        futures.wait(stops, goes_on)
        return [stops.result, goes_on.result]


class FuncGroupWorkflow(Workflow):
    name = "programs-func-group"
    version = "example"
    task_list = "example"

    def run(self, x):
        fan_out = FuncGroup(lambda result: Group(*[(increment, n) for n in range(result)]))
        return self.submit(Chain((increment, x), fan_out, send_result=True)).result


class FewAtATimeWorkflow(Workflow):
    name = "programs-few-at-a-time"
    version = "example"
    task_list = "example"

    def run(self):
        group = Group(max_parallel=2)
        group.append(increment, 1)
        group.append(increment, 2)
        group.append(ActivityTask(increment, 3))
        group.extend([(increment, 4), (increment, 5)])
        group += [Chain((increment, 6), (increment, 7))]
        return self.submit(group).result
