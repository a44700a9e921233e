"""The decisions of upstream simpleflow for a chain. Run in the peers' virtual environment; speaks as `benchmarks.ours`.

Its decider gets the whole history with each decision task, makes event objects of it and replays. Fetching and boto3's
parsing are not counted.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.update(
    AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", LOG_LEVEL="ERROR"
)

from simpleflow import Workflow, activity
from simpleflow.swf.executor import Executor
from simpleflow.swf.mapper.models.domain import Domain
from simpleflow.swf.mapper.models.history.base import History
from simpleflow.swf.mapper.models.history.builder import History as Builder
from simpleflow.swf.mapper.responses import Response


@activity.with_attributes(name="benchmark.increment", task_list="benchmark", version="1")
def increment(x):
    """A no-op activity."""
    return x + 1


class Chain(Workflow):
    """Each activity takes the result of the one before."""

    name = "benchmark.chain"
    version = "1"
    task_list = "benchmark"
    decision_tasks_timeout = "300"
    execution_timeout = "3600"

    def run(self, n):
        """The chain."""
        y = 0
        for _ in range(n):
            y = self.submit(increment, y)
        return y.result


def decisions(n: int) -> dict[str, float]:
    """Seconds of the n + 1 decisions of a chain."""
    executor, builder = Executor(Domain("benchmark"), Chain), Builder(Chain, input={"args": [n], "kwargs": {}})
    wall = cpu = 0.0
    for step in range(n + 1):
        events = [event.raw for event in builder.events]
        wall_before, cpu_before = time.perf_counter(), time.process_time()
        answer = executor.replay(Response(history=History.from_event_list(events), execution=None))
        cpu += time.process_time() - cpu_before
        wall += time.perf_counter() - wall_before
        if step == n:
            break
        assert answer.decisions[0]["decisionType"] == "ScheduleActivityTask"
        builder.add_decision_task_completed(scheduled=builder.last_id - 1, started=builder.last_id)
        builder.add_activity_task(
            increment,
            decision_id=builder.last_id,
            activity_id=f"activity-benchmark.increment-{step + 1}",
            input={"args": [step], "kwargs": {}},
            result=step + 1,
        )
        builder.add_decision_task_scheduled()
        builder.add_decision_task_started()
    assert answer.decisions[-1]["decisionType"] == "CompleteWorkflowExecution"
    return {"wall": wall, "cpu": cpu}


for line in sys.stdin:
    print(json.dumps(decisions(int(line.split()[1]))), flush=True)
