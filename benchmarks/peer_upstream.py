"""Upstream simpleflow: decisions, replays, tables and starts. Run in the peers' virtual environment; speaks as
`benchmarks.ours` does.

Its decider gets the whole history with each decision task, makes event objects of it and replays. Fetching and boto3's
parsing are not counted.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

os.environ.update(
    AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", LOG_LEVEL="ERROR"
)

from simpleflow import Workflow, activity, futures
from simpleflow.swf.executor import Executor
from simpleflow.swf.mapper.models.domain import Domain
from simpleflow.swf.mapper.models.history.base import History
from simpleflow.swf.mapper.models.history.builder import History as Builder
from simpleflow.swf.mapper.responses import Response
from simpleflow.swf.stats import pretty


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


class FanOut(Workflow):
    """All activities side by side."""

    name = "benchmark.fan-out"
    version = "1"
    task_list = "benchmark"
    decision_tasks_timeout = "300"
    execution_timeout = "3600"

    def run(self, n):
        """The fan-out."""
        return sum(futures.wait(*self.map(increment, range(n))))


def history_of_fan_out(n: int) -> list[dict[str, object]]:
    """The events of a fan-out of n that `reading.history` has, without the last, as boto3 gives them."""
    events: list[dict[str, object]] = []

    def add(event_type: str, **attributes: object) -> int:
        events.append(
            {
                "eventId": len(events) + 1,
                "eventType": event_type,
                "eventTimestamp": datetime(2026, 1, 1) + timedelta(milliseconds=10 * len(events)),
                f"{event_type[0].lower()}{event_type[1:]}EventAttributes": attributes,
            }
        )
        return len(events)

    add(
        "WorkflowExecutionStarted",
        input=json.dumps({"args": [n], "kwargs": {}}),
        workflowType={"name": "benchmark.fan-out", "version": "1"},
        taskList={"name": "benchmark"},
        parentInitiatedEventId=0,
    )
    scheduled = add("DecisionTaskScheduled", taskList={"name": "benchmark"})
    started = add("DecisionTaskStarted", scheduledEventId=scheduled, identity="benchmark")
    completed = add("DecisionTaskCompleted", scheduledEventId=scheduled, startedEventId=started)
    ids = [
        add(
            "ActivityTaskScheduled",
            activityType={"name": "benchmark.increment", "version": "1"},
            activityId=f"activity-benchmark.increment-{k + 1}",
            input=json.dumps({"args": [k], "kwargs": {}}),
            taskList={"name": "benchmark"},
            decisionTaskCompletedEventId=completed,
        )
        for k in range(n)
    ]
    starts = [add("ActivityTaskStarted", scheduledEventId=each, identity="benchmark") for each in ids]
    for k, (each, start) in enumerate(zip(ids, starts, strict=True)):
        add("ActivityTaskCompleted", scheduledEventId=each, startedEventId=start, result=str(k + 1))
    scheduled = add("DecisionTaskScheduled", taskList={"name": "benchmark"})
    add("DecisionTaskStarted", scheduledEventId=scheduled, identity="benchmark")
    return events


def replay(n: int) -> dict[str, float]:
    """Seconds in which the history of a fan-out is made event objects, and replayed."""
    events, executor = history_of_fan_out(n), Executor(Domain("benchmark"), FanOut)
    wall, cpu = time.perf_counter(), time.process_time()
    answer = executor.replay(Response(history=History.from_event_list(events), execution=None))
    used = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    assert answer.decisions[-1]["decisionType"] == "CompleteWorkflowExecution", answer.decisions[-1]
    return used


class Recorded:
    """An execution, as far as `pretty.profile` needs it."""

    def __init__(self, history: object):
        self._history = history

    def history(self) -> object:
        """Its history."""
        return self._history


def tables(n: int) -> dict[str, float]:
    """Seconds of the rows of `simpleflow workflow.tasks` and `workflow.profile`, without printing them."""
    recorded = Recorded(History.from_event_list(history_of_fan_out(n)))
    wall, cpu = time.perf_counter(), time.process_time()
    _, rows = pretty.status(recorded)
    assert len(rows) == n
    pretty.profile(recorded)
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import starting  # noqa: E402  it imports nothing of ours

MEASURED = {
    "decider": decisions,
    "replay": replay,
    "tables": tables,
    "import": lambda n: starting.importing(n, "simpleflow"),
    "help": starting.help_text,
    "start": lambda n: starting.local_start(n, "simpleflow"),
}
for line in sys.stdin:
    name, n = line.split()
    print(json.dumps(MEASURED[name](int(n))), flush=True)
