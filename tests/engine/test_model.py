"""The engine beside a model of it: whatever callers do, and however often its process dies, both agree.

`test_random_lives` requires only that histories are right in themselves. Here each step has one right outcome: which
calls are refused, which poll is assigned a task, what is open afterwards, how the closed executions closed. And the
histories have what was acknowledged, one outcome of every task, and no timer early.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import (
    StoreInUseError,
    UnknownResourceFault,
    ValidationException,
    WorkflowExecutionAlreadyStartedFault,
)
from simpleflow_lab.swf import decisions
from tests.engine.invariants import violations
from tests.engine.model import Countdown, Execution, Model
from tests.examples_count import TIMEOUT, examples
from tests.service.scenario import DOMAIN, Handle, Scenario, attributes, this_process

IDS = st.sampled_from(["0", "1", "2"])
POLICIES = st.sampled_from(["TERMINATE", "REQUEST_CANCEL", "ABANDON"])
SECONDS = st.sampled_from(["NONE", "NONE", "NONE", "2", "5", "0"])
OUTCOMES = {"completed": "ActivityTaskCompleted", "failed": "ActivityTaskFailed", "canceled": "ActivityTaskCanceled"}

schedules = st.builds(
    decisions.schedule_activity_task,
    activity_id=IDS,
    name=st.just("activity"),
    version=st.just("1"),
    schedule_to_start_timeout=SECONDS,
    schedule_to_close_timeout=SECONDS,
    start_to_close_timeout=SECONDS,
    heartbeat_timeout=SECONDS,
)
others = st.one_of(
    st.builds(decisions.start_timer, timer_id=IDS, start_to_fire_timeout=st.sampled_from([0, 1, 3, 7])),
    st.builds(decisions.cancel_timer, timer_id=IDS),
    st.builds(decisions.request_cancel_activity_task, activity_id=IDS),
    st.builds(decisions.record_marker, name=st.just("m")),
    st.builds(
        decisions.start_child_workflow_execution,
        workflow_id=IDS,
        name=st.just("workflow"),
        version=st.just("1"),
        child_policy=POLICIES,
    ),
    st.builds(decisions.signal_external_workflow_execution, workflow_id=IDS, signal_name=st.just("s")),
    st.builds(decisions.request_cancel_external_workflow_execution, workflow_id=IDS),
)
closes = st.sampled_from(
    [
        decisions.complete_workflow_execution(),
        decisions.fail_workflow_execution(),
        decisions.cancel_workflow_execution(),
        decisions.continue_as_new_workflow_execution(),
    ]
)
either = st.booleans().flatmap(lambda schedule: schedules if schedule else others)
batches = st.tuples(st.lists(either, min_size=1, max_size=5), st.one_of(st.none(), st.none(), st.none(), closes)).map(
    lambda drawn: [*drawn[0], drawn[1]] if drawn[1] else drawn[0]
)
choices = st.integers(0, 1000)
"""One of several, whose number is known when it is chosen."""
decider_moves = st.tuples(
    st.just("decider"),
    st.sampled_from(["poll", "decide", "decide", "decide", "decide", "wrong", "late"]),
    choices,
    batches,
    closes,
    st.booleans(),
)
worker_moves = st.tuples(
    st.just("worker"),
    st.sampled_from(["poll", "poll", "heartbeat", "heartbeat", "end", "end", "late"]),
    choices,
    st.sampled_from(sorted(OUTCOMES)),
    st.booleans(),
)
outside_moves = st.tuples(
    st.just("from_outside"),
    st.sampled_from(["start", "start", "signal", "signal", "request_cancel", "terminate"]),
    IDS,
    st.booleans(),
    POLICIES,
    st.sampled_from([100_000, 60, 20]),
    st.sampled_from(["3", "3", "NONE"]),
)
time_moves = st.tuples(st.just("advance"), st.sampled_from([1000, 2000, 999, 1, 2500, 7000, 21_000]))
open_moves = st.tuples(st.sampled_from(["close_and_open", "crash_and_open"]), st.sampled_from([0, 1, 2500, 30_000]))
moves = st.sampled_from(
    [decider_moves] * 6 + [worker_moves] * 6 + [outside_moves] * 3 + [time_moves] * 3 + [open_moves]
).flatmap(lambda found: found)
"""One rule that draws what to do, instead of a rule for each: hypothesis leaves half of the rules out of a run, and
then there is seldom a worker for what was decided."""


class EngineAndModel(RuleBasedStateMachine):
    """A store on disk, opened again and again, and what should be in it."""

    @initialize()
    def open_new(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="simpleflow-lab-model-"))
        self.generation = 0
        self.clock = ManualClock()
        self.engine = self.open()
        self.lab.prepare()
        self.model = Model(self.clock.now())
        self.acknowledged: list[tuple[Handle, str, int]] = []
        """Executions, event types and scheduledEventIds of outcomes."""
        self.scheduled: dict[str, int] = {}
        """scheduledEventIds by task token."""
        self.over: list[str] = []
        """Tokens of activity tasks that are over."""
        self.over_decisions: list[str] = []
        self.checked: dict[Handle, int] = {}
        self.handles: dict[tuple[str, str], Handle] = {}

    def open(self) -> EmbeddedSWF:
        self.path.parent.mkdir(exist_ok=True)
        engine = EmbeddedSWF(self.path, clock=self.clock, poll_seconds=0.0)
        self.lab = Scenario(engine, self.clock, this_process())
        return engine

    @property
    def path(self) -> Path:
        return self.folder / str(self.generation) / "store.sqlite"

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.close()
            shutil.rmtree(self.folder)

    def refused(self, fault: type[Exception], call: Callable[[], object]) -> None:
        with pytest.raises(fault):
            call()

    def one_of(self, found: list[Any], choice: int) -> Any:
        return found[choice % len(found)]

    @rule(move=moves)
    def move(self, move: tuple[Any, ...]) -> None:
        verb, *drawn = move
        getattr(self, verb)(*drawn)

    # -- what may happen next --

    def from_outside(self, verb: str, id: str, exactly: bool, *options: Any) -> None:
        if verb == "start" or len(self.model.open) < 2:
            self.start(id, *options)
        else:
            self.send(id, verb, exactly)

    def decider(self, what: str, choice: int, given: list[Any], close: Any, only_new: bool) -> None:
        if what == "late":
            self.decide_twice_or_late(choice)
            return
        if what == "poll" or not self.deciding():
            self.poll_decision(only_new)
        if self.deciding() and what == "decide":
            self.decide(choice, given)
        elif self.deciding() and what == "wrong":
            self.decide_what_can_not_be(choice, given[:2], close)

    def worker(self, what: str, choice: int, verb: str, twice: bool) -> None:
        if what == "late":
            self.end_activity_late(choice, verb if twice else "heartbeat")
            return
        if what == "poll" or not self.running():
            self.poll_activity()
        if self.running() and what == "heartbeat":
            self.heartbeat(choice)
        elif self.running() and what == "end":
            self.end_activity(choice, verb, twice)

    def advance(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds / 1000)
        self.model.pass_time(milliseconds)

    # -- executions --

    def start(self, id: str, policy: str, timeout: int, task_timeout: str) -> None:
        options = {
            "childPolicy": policy,
            "executionStartToCloseTimeout": str(timeout),
            "taskStartToCloseTimeout": task_timeout,
        }
        if id in self.model.open:
            self.refused(WorkflowExecutionAlreadyStartedFault, lambda: self.lab.start(id, **options))
            return
        handle = self.lab.start(id, **options)
        milliseconds = 1 << 60 if task_timeout == "NONE" else 1000 * int(task_timeout)
        self.model.start((id, handle.run_id), policy=policy, timeout=1000 * timeout, task_timeout=milliseconds)

    def send(self, id: str, verb: str, exactly: bool) -> None:
        execution = self.model.open.get(id)
        request = {"domain": DOMAIN, "workflowId": id}
        if verb == "signal":
            request["signalName"] = "s"
        if exactly and execution is not None:
            request["runId"] = execution.id[1]
        call = getattr(self.lab.service, f"{verb}_workflow_execution")
        if execution is None:
            self.refused(UnknownResourceFault, lambda: call(**request))
            return
        self.refused(UnknownResourceFault, lambda: call(**{**request, "runId": "22nobody"}))
        call(**request)
        if verb == "terminate":
            self.model.close(execution, "TERMINATED")
        else:
            execution.cancel_requested |= verb == "request_cancel"
            execution.signals += verb == "signal"
            self.model.wake(execution)

    # -- decision tasks --

    def poll_decision(self, only_new: bool) -> None:
        waiting = {e.id for e in self.model.open.values() if e.queued and e.token is None}
        task = self.lab.poll(startAtPreviousStartedEvent=only_new)
        if "taskToken" not in task:
            assert not waiting
            return
        id = (task["workflowExecution"]["workflowId"], task["workflowExecution"]["runId"])
        assert id in waiting
        execution = self.model.open[id[0]]
        execution.queued, execution.token = False, task["taskToken"]
        execution.deciding = Countdown(self.model.now, execution.task_timeout)
        assert task["events"][-1]["eventId"] == task["startedEventId"]
        assert task["events"][0]["eventId"] == (task["previousStartedEventId"] or 1 if only_new else 1)
        self.over_decisions.append(task["taskToken"])  # sooner or later

    def deciding(self) -> list[Execution]:
        return [execution for execution in self.model.open.values() if execution.token is not None]

    def decide(self, choice: int, given: list[Any]) -> None:
        execution = self.one_of(self.deciding(), choice)
        self.lab.answer({"taskToken": execution.token}, *given)
        self.model.decide(execution, given)

    def decide_what_can_not_be(self, choice: int, given: list[Any], close: Any) -> None:
        """A list of decisions that is refused changes nothing."""
        task = {"taskToken": self.one_of(self.deciding(), choice).token}
        self.refused(
            ValidationException, lambda: self.lab.answer(task, *given, close, decisions.record_marker(name="m"))
        )

    def decide_twice_or_late(self, choice: int) -> None:
        token = self.one_of(self.over_decisions, choice) if self.over_decisions else None
        if token is not None and token not in [execution.token for execution in self.deciding()]:
            self.refused(UnknownResourceFault, lambda: self.lab.answer({"taskToken": token}))

    # -- activity tasks --

    def poll_activity(self) -> None:
        waiting = {
            (execution.id, name)
            for execution in self.model.open.values()
            for name, activity in execution.activities.items()
            if activity.token is None
        }
        task = self.lab.take()
        if "taskToken" not in task:
            assert not waiting
            return
        id = (task["workflowExecution"]["workflowId"], task["workflowExecution"]["runId"])
        assert (id, task["activityId"]) in waiting
        activity = self.model.open[id[0]].activities[task["activityId"]]
        token = activity.token = task["taskToken"]
        activity.counting.pop("SCHEDULE_TO_START", None)
        for name in ("START_TO_CLOSE", "HEARTBEAT"):
            if name in activity.timeouts:
                activity.counting[name] = Countdown(self.model.now, activity.timeouts[name])
        started = self.lab.events(Handle(*id))[task["startedEventId"] - 1]
        self.scheduled[token] = attributes(started)["scheduledEventId"]
        self.over.append(token)  # sooner or later
        self.model.record_due()

    def running(self) -> list[tuple[Execution, str]]:
        return [(e, name) for e in self.model.open.values() for name, a in e.activities.items() if a.token is not None]

    def heartbeat(self, choice: int) -> None:
        execution, name = self.one_of(self.running(), choice)
        activity = execution.activities[name]
        answer = self.lab.service.record_activity_task_heartbeat(taskToken=activity.token, details="alive")
        assert answer == {"cancelRequested": activity.cancel_requested}
        if "HEARTBEAT" in activity.counting:
            activity.counting["HEARTBEAT"] = Countdown(self.model.now, activity.timeouts["HEARTBEAT"])

    def end_activity(self, choice: int, verb: str, twice: bool) -> None:
        execution, name = self.one_of(self.running(), choice)
        token = execution.activities[name].token
        assert token is not None
        respond = getattr(self.lab.service, f"respond_activity_task_{verb}")
        respond(taskToken=token)
        del execution.activities[name]
        self.acknowledged.append((Handle(*execution.id), OUTCOMES[verb], self.scheduled[token]))
        self.model.wake(execution)
        if twice:
            self.refused(UnknownResourceFault, lambda: respond(taskToken=token))

    def end_activity_late(self, choice: int, verb: str) -> None:
        token = self.one_of(self.over, choice) if self.over else None
        if token is None or token in [execution.activities[name].token for execution, name in self.running()]:
            return
        if verb == "heartbeat":
            self.refused(UnknownResourceFault, lambda: self.lab.service.record_activity_task_heartbeat(taskToken=token))
        else:
            respond = getattr(self.lab.service, f"respond_activity_task_{verb}")
            self.refused(UnknownResourceFault, lambda: respond(taskToken=token))

    # -- time, and the end of a process --

    def close_and_open(self, down: int) -> None:
        self.refused(StoreInUseError, lambda: EmbeddedSWF(self.path, clock=self.clock))
        last_alive = self.clock.now()
        self.engine.close()
        self.reopened(last_alive, down)

    def crash_and_open(self, down: int) -> None:
        """What is on disk now is all that the next engine has."""
        crashed, before = self.engine, self.path.parent
        self.generation += 1
        copy_at_one_moment(before, self.path.parent)
        crashed.close()
        with sqlite3.connect(self.path) as connection:
            (last_alive,) = connection.execute("SELECT max(last_alive) FROM uptime").fetchone()
        connection.close()
        shutil.rmtree(before)
        self.reopened(last_alive, down)

    def reopened(self, last_alive: int, down: int) -> None:
        self.clock.advance(down / 1000)
        self.engine = self.open()
        self.model.now += down
        self.model.reopen(last_alive)

    # -- after each step --

    @invariant()
    def both_know_the_same(self) -> None:
        if not hasattr(self, "engine"):
            return
        self.model.record_due()
        listed = self.lab.everything()
        for handle in listed:
            self.name(handle)
        assert {(h.workflow_id, h.run_id) for h in listed} == {
            *self.model.closed,
            *(execution.id for execution in self.model.open.values()),
        }
        for execution in self.model.open.values():
            self.check_open(execution)
        for (workflow_id, run_id), status in self.model.closed.items():
            handle = Handle(workflow_id, run_id)
            if self.checked.get(handle) != -1:
                assert self.lab.status(handle) == status
                self.check_history(handle)
                self.checked[handle] = -1
        queued = [e for e in self.model.open.values() if e.queued and e.token is None]
        waiting = [a for e in self.model.open.values() for a in e.activities.values() if a.token is None]
        for kind, task_list, expected in (("decision", "decisions", queued), ("activity", "work", waiting)):
            count = getattr(self.lab.service, f"count_pending_{kind}_tasks")
            assert count(domain=DOMAIN, taskList={"name": task_list})["count"] == len(expected)

    def name(self, handle: Handle) -> None:
        """Executions that the engine started by itself have run ids that only it knows."""
        for execution in self.model.unnamed:
            if execution.id[0] == handle.workflow_id and (handle.workflow_id, handle.run_id) not in self.model.closed:
                execution.id = (handle.workflow_id, handle.run_id)
                self.model.unnamed.remove(execution)
                return

    def check_open(self, execution: Execution) -> None:
        handle = Handle(*execution.id)
        described = self.lab.describe(handle)
        assert described["executionInfo"]["executionStatus"] == "OPEN"
        assert described["executionInfo"]["cancelRequested"] == execution.cancel_requested
        assert described["openCounts"] == {
            "openActivityTasks": len(execution.activities),
            "openDecisionTasks": int(execution.queued or execution.token is not None),
            "openTimers": len(execution.timers),
            "openChildWorkflowExecutions": len(execution.children),
            "openLambdaFunctions": 0,
        }
        events = self.check_history(handle)
        assert still_open(events, "ActivityTask", "activityId") == sorted(execution.activities)
        assert still_open(events, "Timer", "timerId") == sorted(execution.timers)
        assert sum(event["eventType"] == "WorkflowExecutionSignaled" for event in events) == execution.signals

    def check_history(self, handle: Handle) -> list[dict[str, Any]]:
        events = self.lab.events(handle)
        if self.checked.get(handle) == len(events):
            return events
        self.checked[handle] = len(events)
        assert violations(events) == []
        for of, event_type, scheduled_id in self.acknowledged:
            if of == handle:
                outcomes = [e["eventType"] for e in events if closes_task(e) and scheduled_of(e) == scheduled_id]
                assert outcomes == [event_type]
        for event in events:
            if event["eventType"] == "TimerFired":
                began = events[attributes(event)["startedEventId"] - 1]
                waited = event["eventTimestamp"] - began["eventTimestamp"]
                assert waited.total_seconds() >= int(attributes(began)["startToFireTimeout"])
        return events


def closes_task(event: dict[str, Any]) -> bool:
    return event["eventType"] in (*OUTCOMES.values(), "ActivityTaskTimedOut")


def scheduled_of(event: dict[str, Any]) -> int:
    return int(attributes(event)["scheduledEventId"])


def still_open(events: list[dict[str, Any]], what: str, id_attribute: str) -> list[str]:
    """Ids of the tasks or timers that were opened and not closed, by the events alone."""
    opened: dict[int, str] = {}
    for event in events:
        event_type, values = event["eventType"], attributes(event)
        if event_type in ("ActivityTaskScheduled", "TimerStarted") and event_type.startswith(what):
            opened[event["eventId"]] = values[id_attribute]
        elif what == "ActivityTask" and closes_task(event):
            del opened[values["scheduledEventId"]]
        elif what == "Timer" and event_type in ("TimerFired", "TimerCanceled"):
            del opened[values["startedEventId"]]
    return sorted(opened.values())


def copy_at_one_moment(source: Path, target: Path) -> None:
    """The files as they are on disk between two writes."""
    target.mkdir()
    before: dict[str, bytes] = {}
    while True:
        found = {path.name: path.read_bytes() for path in source.iterdir() if path.name.startswith("store.sqlite")}
        if found == before:
            break
        before = found
    for name, content in found.items():
        if not name.endswith((".lock", ".endpoint", "-shm")):
            (target / name).touch(0o600)
            (target / name).write_bytes(content)


EngineAndModel.TestCase.settings = examples(80, 5000)


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT)
class TestEngineAndModel(EngineAndModel.TestCase):  # type: ignore[misc,valid-type]
    """The machine, as a test."""
