"""Random lives: everything that callers can do, in any order, from one thread and from several, with time passing.

Whatever happens, histories satisfy the invariants, the engine's own counts are right, and a store that is opened again
holds what was there.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import SWFFault
from simpleflow_lab.swf import decisions
from tests.engine.invariants import violations
from tests.examples_count import repeats
from tests.service.scenario import DOMAIN, Scenario, this_process

IDS = ("0", "1", "2", "3")
POLICIES = ("TERMINATE", "REQUEST_CANCEL", "ABANDON")
RECOVERED = {"DecisionTaskTimedOut", "DecisionTaskScheduled", "ActivityTaskTimedOut"}


def a_decision(chance: random.Random) -> dict[str, Any]:
    some_id = chance.choice(IDS)
    function = {"id": some_id, "name": "f"}
    makers: list[Callable[[], dict[str, Any]]] = [
        lambda: decisions.schedule_activity_task(
            activity_id=some_id,
            name="activity",
            version="1",
            schedule_to_start_timeout=chance.choice(["NONE", "3", "0"]),
            start_to_close_timeout=chance.choice(["NONE", "3"]),
            heartbeat_timeout=chance.choice(["NONE", "2"]),
            schedule_to_close_timeout=chance.choice(["NONE", "4"]),
        ),
        lambda: decisions.request_cancel_activity_task(activity_id=some_id),
        lambda: decisions.start_timer(timer_id=some_id, start_to_fire_timeout=chance.randrange(5)),
        lambda: decisions.cancel_timer(timer_id=some_id),
        lambda: decisions.record_marker(name="m"),
        lambda: decisions.start_child_workflow_execution(
            workflow_id=some_id, name="workflow", version="1", child_policy=chance.choice(POLICIES)
        ),
        lambda: decisions.signal_external_workflow_execution(workflow_id=some_id, signal_name="s"),
        lambda: decisions.request_cancel_external_workflow_execution(workflow_id=some_id),
        lambda: {"decisionType": "ScheduleLambdaFunction", "scheduleLambdaFunctionDecisionAttributes": function},
    ]
    return chance.choice(makers)()


def an_end(chance: random.Random) -> dict[str, Any]:
    makers: list[Callable[[], dict[str, Any]]] = [
        decisions.complete_workflow_execution,
        decisions.fail_workflow_execution,
        decisions.cancel_workflow_execution,
        decisions.continue_as_new_workflow_execution,
    ]
    return chance.choice(makers)()


class Life:
    """One caller, with the tasks that it was given."""

    def __init__(self, lab: Scenario, seed: int):
        self.lab = lab
        self.chance = random.Random(seed)
        self.decision_tasks: list[dict[str, Any]] = []
        self.activity_tasks: list[dict[str, Any]] = []

    def live(self, steps: int) -> None:
        verbs = (self.start, self.poll, self.poll, self.answer, self.answer, self.take, self.take, self.end_activity)
        verbs += (self.end_activity, self.signal, self.end_execution, self.wait)
        for _ in range(steps):
            try:
                self.chance.choice(verbs)()
            except SWFFault:
                continue

    def start(self) -> None:
        self.lab.start(
            self.chance.choice(IDS),
            childPolicy=self.chance.choice(POLICIES),
            executionStartToCloseTimeout=self.chance.choice(["20", "1000"]),
            taskStartToCloseTimeout=self.chance.choice(["NONE", "3"]),
        )

    def poll(self) -> None:
        task = self.lab.poll(startAtPreviousStartedEvent=self.chance.choice([True, False]))
        if "taskToken" in task:
            self.decision_tasks.append(task)

    def answer(self) -> None:
        if self.decision_tasks:
            task = self.decision_tasks.pop(self.chance.randrange(len(self.decision_tasks)))
            given = [a_decision(self.chance) for _ in range(self.chance.randrange(5))]
            if self.chance.random() < 0.2:
                given.append(an_end(self.chance))
            override = {"taskList": {"name": "decisions"}, "taskListScheduleToStartTimeout": "2"}
            self.lab.answer(task, *given, **(override if self.chance.random() < 0.1 else {}))

    def take(self) -> None:
        task = self.lab.take()
        if "taskToken" in task:
            self.activity_tasks.append(task)

    def end_activity(self) -> None:
        if self.activity_tasks:
            task = self.activity_tasks.pop(self.chance.randrange(len(self.activity_tasks)))
            verb = self.chance.choice(["completed", "failed", "canceled"])
            getattr(self.lab.service, f"respond_activity_task_{verb}")(taskToken=task["taskToken"])

    def signal(self) -> None:
        self.lab.signal(self.chance.choice(IDS))

    def end_execution(self) -> None:
        if self.chance.random() < 0.3:
            verb = self.chance.choice(["terminate", "request_cancel"])
            getattr(self.lab.service, f"{verb}_workflow_execution")(domain=DOMAIN, workflowId=self.chance.choice(IDS))

    def wait(self) -> None:
        self.lab.clock.advance(self.chance.choice([0.1, 1, 2.5]))


@pytest.mark.parametrize("callers", [1, 4])
@pytest.mark.parametrize("seed", [0, 1, *repeats(range(2, 6))])
def test_whatever_callers_do_the_histories_are_right_and_on_disk(tmp_path: Path, seed: int, callers: int) -> None:
    clock = ManualClock()
    path = tmp_path / "store.sqlite"
    with EmbeddedSWF(path, clock=clock, poll_seconds=0.0) as engine:
        lab = Scenario(engine, clock, this_process())
        lab.prepare()
        with ThreadPoolExecutor(callers) as threads:
            lives = [threads.submit(Life(lab, 100 * seed + n).live, 400 // callers) for n in range(callers)]
        for life in lives:
            life.result()
        seen = {handle: lab.events(handle) for handle in lab.everything()}
        described = {handle: lab.describe(handle) for handle in seen}
        for handle, events in seen.items():
            assert violations(events) == [], handle
        open_executions = engine._durable.state.open.values()
        assert engine._durable.state.open_tasks == sum(execution.open_tasks for execution in open_executions)
    with EmbeddedSWF(path, clock=clock, poll_seconds=0.0) as engine:
        lab = Scenario(engine, clock, this_process())
        assert sorted(map(repr, lab.everything())) == sorted(map(repr, seen))
        for handle, events in seen.items():
            now = lab.events(handle)
            assert now[: len(events)] == events
            assert violations(now) == [], handle
            assert {event["eventType"] for event in now[len(events) :]} <= RECOVERED
            if len(now) == len(events):
                assert lab.describe(handle) == described[handle]
