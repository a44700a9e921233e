"""A program of an SDK gets a decision of an execution that a Lab started; what it schedules runs in the Lab."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.executions.reading_budget import MAX_CHILDREN
from tests.waiting import until

LONG = 200
DECISIONS, ACTIVITIES = "elsewhere-decisions", "elsewhere-activities"


@activity.with_attributes(name="elsewhere.double", version="1", task_list=ACTIVITIES)
def double(x):
    return 2 * x


class Double(Workflow):
    name = "elsewhere-double"
    version = "1"
    task_list = DECISIONS

    def run(self, x):
        return self.submit(double, x).result


class ParentOfDouble(Workflow):
    name = "elsewhere-parent"
    version = "1"
    task_list = "elsewhere-parents"

    def run(self, x):
        return self.submit(Double, x).result


@pytest.mark.parametrize("started", [Double, ParentOfDouble])
@pytest.mark.parametrize("type", ["elsewhere.double", "elsewhere.other"])
def test_what_another_program_schedules_runs_here_if_it_is_defined_here(started: type[Workflow], type: str) -> None:
    with Lab(":memory:") as lab:
        lab.service.register_activity_type(domain=lab.domain, name=type, version="1")
        taken: list[Any] = []

        def poll() -> None:
            taken.append(
                lab.service.poll_for_decision_task(domain=lab.domain, taskList={"name": DECISIONS}, identity="an SDK")
            )

        polling = threading.Thread(target=poll)
        polling.start()
        until(lambda: lab.pollers().of(DECISIONS))
        execution = lab.start(started, 4)
        polling.join(LONG)
        decision = {
            "activityType": {"name": type, "version": "1"},
            "activityId": f"activity-{type}-1",
            "taskList": {"name": ACTIVITIES},
            "input": json.dumps({"args": [4], "kwargs": {}}),
            **dict.fromkeys(("scheduleToCloseTimeout", "scheduleToStartTimeout", "startToCloseTimeout"), "300"),
            "heartbeatTimeout": "NONE",
        }
        lab.service.respond_decision_task_completed(
            taskToken=taken[0]["taskToken"],
            decisions=[
                {"decisionType": "ScheduleActivityTask", "scheduleActivityTaskDecisionAttributes": decision},
            ],
        )
        if type == "elsewhere.double":
            assert execution.result(LONG) == 8
        else:
            assert not execution.wait(2)
            assert [worker.task_list for worker in lab.workers if worker.kind == "activity worker"] == []
            assert "elsewhere.other" in str(execution.waiting_for())


class ParentOfMany(Workflow):
    name = "elsewhere-parent-of-many"
    version = "1"
    task_list = "elsewhere-parents"

    def run(self, number):
        children = [self.submit(Double, n) for n in range(number)]
        return children[-1].result


def test_what_the_last_of_many_open_children_schedules_runs_here() -> None:
    """A look reads as many of them as a look may; the next one goes on behind these."""
    with Lab(":memory:") as lab:
        lab.service.register_activity_type(domain=lab.domain, name="elsewhere.double", version="1")

        def decide_for_one() -> None:
            """The child of the highest number gets an activity, the others stay open."""
            task = lab.service.poll_for_decision_task(
                domain=lab.domain, taskList={"name": DECISIONS}, identity="an SDK"
            )
            input = json.loads(task["events"][0]["workflowExecutionStartedEventAttributes"]["input"])
            decision = {"decisionType": "ScheduleActivityTask", "scheduleActivityTaskDecisionAttributes": DOUBLE}
            lab.service.respond_decision_task_completed(
                taskToken=task["taskToken"], decisions=[decision] if input["args"] == [NUMBER - 1] else []
            )

        programs = [threading.Thread(target=decide_for_one, daemon=True) for _ in range(NUMBER)]
        for each in programs:
            each.start()
        until(lambda: sum(each.waiting_polls or 0 for each in lab.pollers().of(DECISIONS)) == NUMBER)
        execution = lab.start(ParentOfMany, NUMBER)
        for each in programs:
            each.join(LONG)
        assert execution.result(LONG) == 2 * (NUMBER - 1)


NUMBER = MAX_CHILDREN + 5
DOUBLE = {
    "activityType": {"name": "elsewhere.double", "version": "1"},
    "activityId": "activity-elsewhere.double-1",
    "taskList": {"name": ACTIVITIES},
    "input": json.dumps({"args": [NUMBER - 1], "kwargs": {}}),
    **dict.fromkeys(("scheduleToCloseTimeout", "scheduleToStartTimeout", "startToCloseTimeout"), "300"),
    "heartbeatTimeout": "NONE",
}
