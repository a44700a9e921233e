"""Three activities and a dependency between them.

    simpleflow workflow.start --local examples.basic.BasicWorkflow --input '[1, 5]'

`submit` gives a future at once. A future among the arguments of the next task makes that task wait: `delay` and
`double` both need `y`, so both are scheduled when `increment` has completed, and then run side by side. Reading
`z.result` is where the workflow itself waits.
"""

from __future__ import annotations

import time

from simpleflow_lab import Workflow, activity, futures


@activity.with_attributes(task_list="quickstart", version="example")
def increment(x: int) -> int:
    return x + 1


@activity.with_attributes(task_list="quickstart", version="example")
def double(x: int) -> int:
    return x * 2


@activity.with_attributes(task_list="quickstart", version="example")
def delay(t: float, x: int) -> int:
    time.sleep(t)
    return x


class BasicWorkflow(Workflow):
    name = "basic"
    version = "example"
    task_list = "example"

    def run(self, x: int, t: float = 30) -> int:
        y = self.submit(increment, x)
        yy = self.submit(delay, t, y)
        z = self.submit(double, y)

        print(f"({x} + 1) * 2 = {z.result}")
        futures.wait(yy, z)
        result: int = z.result
        return result
