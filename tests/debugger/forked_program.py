"""A program for a test to kill: it forks an execution in the middle of a chain, or goes on with the fork."""

import sys
import time

from simpleflow_lab import Lab, Workflow, activity

store, notes, length = sys.argv[1], sys.argv[2], int(sys.argv[3])


@activity.with_attributes(name="forked_program.step", version="1", task_list="forked-program")
def step(number, previous):
    with open(notes, "a") as file:
        file.write(f"{number}\n")
    time.sleep(0.02)
    return previous + number


class Chain(Workflow):
    name, version, task_list = "forked_program.chain", "1", "forked-program"

    def run(self, length):
        value = 0
        for number in range(length):
            value = self.submit(step, number, value)
        return value.result


with Lab(store) as lab:
    known = {info["execution"]["workflowId"] for info in lab.execution_infos()}
    if "origin" not in known:
        print("result", lab.start(Chain, length, workflow_id="origin").result(60), flush=True)
    elif "fork" in known:
        print("open", flush=True)
        lab.resume("fork")
        print("result", lab.execution("fork").result(60), flush=True)
    else:
        origin = lab.execution("origin")
        fork = origin.fork(at=length // 2 + 1, workflow_id="fork")
        print("open", flush=True)
        print("result", fork.result(60), flush=True)
