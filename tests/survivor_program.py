"""A program for tests to kill: a chain of activities, each of which notes in a file that it ran."""

import os
import sys
import time

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.exceptions import UsageError

os.environ.setdefault("SIMPLEFLOW_LAB_MAX_LOST_ATTEMPTS", "1000")  # it is killed often, and never by its activities
store, notes, length, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])


@activity.with_attributes(name="survivor.step", version="1", task_list="survivor")
def step(number, previous):
    with open(notes, "a") as file:
        file.write(f"start {number}\n")
    time.sleep(pause)
    with open(notes, "a") as file:
        file.write(f"end {number}\n")
    return previous + number


class Survivor(Workflow):
    name = "survivor"
    task_list = "survivor"

    def run(self, length):
        value = 0
        side = [self.submit(step, 1000 + n, 0) for n in range(3)]
        for number in range(length):
            value = self.submit(step, number, value)
        return [value.result, *futures.wait(*side)]


with Lab(store) as lab:
    try:
        execution = lab.execution("survivor")
        lab.resume()
    except UsageError:
        execution = lab.start(Survivor, length, workflow_id="survivor")
    print("open", flush=True)
    print("result", execution.result(60), flush=True)
