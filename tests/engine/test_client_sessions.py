"""Which process is given which task, and what becomes of the tasks of a process that ends: by hand, without threads."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from simpleflow_lab.engine.client_sessions import REMEMBERED_SESSIONS
from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.presence import Presence
from simpleflow_lab.engine.task_lists import Poll
from simpleflow_lab.exceptions import (
    DamagedStoreWarning,
    UnknownResourceFault,
    UnknownSessionFault,
    ValidationException,
)
from simpleflow_lab.runtime.process_session import ProcessSession
from simpleflow_lab.swf.conventions import DEFINITION_DIFFERS_KEY, GIVEN_BACK, LOST_BESIDE

DOMAIN = "lab"
TIMEOUTS = {
    "scheduleToCloseTimeout": "NONE",
    "scheduleToStartTimeout": "NONE",
    "startToCloseTimeout": "NONE",
    "heartbeatTimeout": "NONE",
}


class Engine:
    """An engine with processes that poll without waiting."""

    def __init__(self, path: Any = ":memory:", clock: ManualClock | None = None, **options: Any):
        self.clock = clock or ManualClock()
        self.swf = EmbeddedSWF(path, clock=self.clock, poll_seconds=0.0, **options)
        self._ids = itertools.count(1)

    def prepare(self) -> Engine:
        self.swf.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="1")
        for name in "abc":
            self.swf.register_workflow_type(domain=DOMAIN, name=name, version="1")
            self.swf.register_activity_type(domain=DOMAIN, name=name, version="1")
        return self

    def session(
        self,
        instance: str,
        workflows: Mapping[str, str] = {},
        activities: Mapping[str, str] = {},
        lists: str = "l",
        tokens: tuple[str, ...] = (),
        process: Mapping[str, Any] = {},
    ) -> str:
        told = record(workflows, activities, lists) | process
        self.swf.open_session(instance=instance, record=told, taskTokens=tokens)
        return instance

    def start(self, workflow: str, home: str | None = None) -> dict[str, str]:
        workflow_id = f"{workflow}-{next(self._ids)}"
        request = {
            "domain": DOMAIN,
            "workflowId": workflow_id,
            "workflowType": {"name": workflow, "version": "1"},
            "taskList": {"name": "l"},
            "executionStartToCloseTimeout": "3600",
            "taskStartToCloseTimeout": "NONE",
            "childPolicy": "TERMINATE",
        }
        return {"workflowId": workflow_id, "runId": self.swf.remote_start(request, home)["runId"]}

    def poll(self, kind: str, instance: str | None) -> dict[str, Any]:
        call = self.swf.poll_for_decision_task if kind == "decision" else self.swf.poll_for_activity_task
        identity = {} if instance is None else {"identity": identity_of(instance)}
        task = dict(call(domain=DOMAIN, taskList={"name": "l"}, **identity))
        return task if task.get("taskToken") else {}

    def schedule(self, task: Mapping[str, Any], *activities: str) -> None:
        decisions = [
            {
                "decisionType": "ScheduleActivityTask",
                "scheduleActivityTaskDecisionAttributes": {
                    "activityId": str(next(self._ids)),
                    "activityType": {"name": name, "version": "1"},
                    "taskList": {"name": "l"},
                    **TIMEOUTS,
                },
            }
            for name in activities
        ]
        self.swf.respond_decision_task_completed(taskToken=task["taskToken"], decisions=decisions)

    def events(self, execution: Mapping[str, str]) -> list[Mapping[str, Any]]:
        return list(self.swf.get_workflow_execution_history(domain=DOMAIN, execution=dict(execution))["events"])

    def types(self, execution: Mapping[str, str]) -> list[str]:
        return [event["eventType"] for event in self.events(execution)]

    def reasons(self, execution: Mapping[str, str]) -> list[str | None]:
        return [
            task.get("reason") for task in self.swf.describe_waiting(domain=DOMAIN, execution=dict(execution))["tasks"]
        ]


def record(workflows: Mapping[str, str], activities: Mapping[str, str], lists: str = "l") -> dict[str, Any]:
    def types(of: Mapping[str, str]) -> list[dict[str, str]]:
        return [{"name": name, "version": "1", "fingerprint": fingerprint} for name, fingerprint in of.items()]

    served = [{"domain": DOMAIN, "name": name} for name in lists]
    return {
        "pid": 7,
        "hostname": "h",
        "workflowTypes": types(workflows),
        "activityTypes": types(activities),
        "decisionTaskLists": served,
        "activityTaskLists": served,
    }


def identity_of(instance: str) -> str:
    return json.dumps({"simpleflow_lab": 1, "instance": instance})


@pytest.fixture
def engine() -> Iterator[Engine]:
    opened = Engine().prepare()
    yield opened
    opened.swf.close()


# -- matching ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("processes", "home", "takers"),
    [
        ({"x": "1"}, "x", "x"),
        ({"x": "1", "y": None}, "x", "x"),
        ({"x": None, "y": None}, None, ""),
        ({"x": "1", "y": "1"}, "x", "xy"),
        ({"x": "1", "y": "2"}, "x", "x"),  # the home's definition, while the home lives
        ({"x": "1", "y": "2"}, None, "xy"),  # started by a program without a session: any definition will do
        ({"x": None, "y": "1", "z": "2"}, "x", "yz"),  # the home does not define it: any will do
        ({"x": "1", "y": "2", "z": "1"}, "x", "xz"),
    ],
)
def test_an_activity_task_goes_to_the_processes_that_have_the_definition_of_its_home(engine, processes, home, takers):
    engine.session("d", {"a": "1"})
    for instance, fingerprint in processes.items():
        engine.session(instance, {"a": "1"}, {} if fingerprint is None else {"b": fingerprint})
    execution = engine.start("a", home)
    # Decided by a program without a session, so that the home stays what it is.
    engine.schedule(engine.poll("decision", None), "b")
    taken = []
    for instance in processes:
        task = engine.poll("activity", instance)
        if task:
            taken.append(instance)
            engine.swf.release_task(taskToken=task["taskToken"])
            engine.schedule(engine.poll("decision", None), "b")
    assert "".join(taken) == takers
    assert engine.types(execution).count("ActivityTaskTimedOut") == len(takers)


def test_the_processes_take_turns_and_of_those_with_a_session_the_poll_that_came_last_is_served(engine):
    for instance in "xy":
        engine.session(instance, {"a": "1"})
    state = engine.swf._durable.state
    came = [Poll(None if name == "-" else identity_of(name)) for name in "-xy-xy-xy"]
    for poll in came:
        poll.session = state.sessions.of_poll(poll.identity)
        state.task_list("decision_task", DOMAIN, "l").add_poll(poll)
    served = []
    for _ in came:
        engine.start("a")
        served.append(next(place for place, poll in enumerate(came) if poll.assigned and place not in served))
    #                 -  x  y  -  x  y  -  x  y
    assert served == [0, 7, 8, 3, 4, 5, 6, 1, 2]


OWN = {"ownExecutionsOnly": True}


@pytest.mark.parametrize("later", [False, True], ids=["from the start", "told later"])
def test_a_process_that_takes_only_its_own_executions_is_given_no_task_of_another(engine, later):
    engine.session("own", {"a": "1"}, {"b": "1"}, process={} if later else OWN)
    mine, other = engine.start("a", "own"), engine.start("a", "elsewhere")
    if later:
        engine.swf.keep_session(instance="own", record=OWN)
    task = engine.poll("decision", "own")
    assert task["workflowExecution"] == mine
    engine.schedule(task, "b")
    assert engine.poll("activity", "own")["workflowExecution"] == mine
    assert not engine.poll("decision", "own")
    assert engine.reasons(other) == ["process 7 defines a 1, and runs only tasks of executions that it started"]
    engine.session("any", {"a": "1"}, {"b": "1"})
    assert engine.poll("decision", "any")["workflowExecution"] == other


def test_an_own_execution_that_another_process_decides_stays_own(engine):
    engine.session("own", {"a": "1"}, {"b": "1"}, process=OWN)
    engine.session("decider", {"a": "1"})
    mine = engine.start("a", "own")
    engine.clock.advance(2)  # the home had its time
    engine.schedule(engine.poll("decision", "decider"), "b")
    assert engine.poll("activity", "own")["workflowExecution"] == mine


def test_no_task_waits_for_a_process_with_its_definition_that_takes_only_its_own_executions(engine):
    engine.session("gone", {"a": "1"})
    engine.session("own", {"a": "1"}, process=OWN)
    engine.session("any", {"a": "2"})
    other = engine.start("a", "gone")
    engine.swf.close_session(instance="gone")
    assert engine.poll("decision", "any")["workflowExecution"] == other


def child_of(engine: Engine, instance: str) -> dict[str, Any]:
    """A child of the execution that this process decides next."""
    start = {"workflowId": "child", "workflowType": {"name": "c", "version": "1"}, "taskList": {"name": "l"}}
    timeouts = {"executionStartToCloseTimeout": "60", "taskStartToCloseTimeout": "NONE", "childPolicy": "ABANDON"}
    decision = {
        "decisionType": "StartChildWorkflowExecution",
        "startChildWorkflowExecutionDecisionAttributes": start | timeouts,
    }
    token = engine.poll("decision", instance)["taskToken"]
    engine.swf.respond_decision_task_completed(taskToken=token, decisions=[decision])
    found = engine.swf.list_open_workflow_executions(domain=DOMAIN, startTimeFilter={"oldestDate": 0})
    return dict(next(each["execution"] for each in found["executionInfos"] if "parent" in each))


def test_children_of_own_executions_are_own(engine):
    engine.session("own", {"a": "1", "c": "1"}, process=OWN)
    engine.start("a", "own")
    child = child_of(engine, "own")
    tasks = [engine.poll("decision", "own") for _ in range(2)]
    assert child in [task["workflowExecution"] for task in tasks]


@pytest.mark.parametrize("starter", ["lives", "is gone", "has left the child to another"])
def test_who_resumes_an_execution_and_takes_only_its_own_gets_its_children_too(engine, starter):
    engine.session("before", {"a": "1", "c": "1"})
    parent = engine.start("a", "before")
    child = child_of(engine, "before")
    if starter == "is gone":
        engine.swf.close_session(instance="before")
    engine.session("own", {"a": "1", "c": "1"}, process=OWN)
    if starter == "has left the child to another":
        engine.session("another", {"c": "1"})
        engine.swf.attach_execution(domain=DOMAIN, execution=child, instance="another")
    engine.swf.attach_execution(domain=DOMAIN, execution=parent, instance="own")
    engine.clock.advance(2)
    given = [engine.poll("decision", "own") for _ in range(2)]
    assert [child in [task.get("workflowExecution") for task in given]] == [starter != "has left the child to another"]


def test_a_program_without_a_session_is_given_anything(engine):
    engine.session("x", {"a": "1"})
    engine.start("a", "x")
    assert engine.poll("decision", None)["workflowType"]["name"] == "a"


def test_a_poll_whose_process_has_no_session_is_refused(engine):
    with pytest.raises(UnknownSessionFault):
        engine.poll("decision", "x")
    engine.session("x", {"a": "1"})
    assert engine.poll("decision", "x") == {}
    engine.swf.close_session(instance="x")
    with pytest.raises(UnknownSessionFault):
        engine.poll("decision", "x")


def test_another_definition_is_used_only_when_no_process_has_the_right_one_and_that_is_recorded(engine):
    engine.session("x", {"a": "1"})
    engine.session("y", {"a": "2"})
    execution = engine.start("a", "x")
    assert not engine.poll("decision", "y")
    assert engine.reasons(execution) == ["waits for process 7, which has the definition it was started with"]
    engine.swf.close_session(instance="x")
    assert engine.poll("decision", "y")
    started = engine.events(execution)[-1]["decisionTaskStartedEventAttributes"]
    assert json.loads(started["identity"])[DEFINITION_DIFFERS_KEY] is True


def test_each_attempt_by_another_definition_than_it_was_started_with_is_marked_and_none_of_a_resumed_one(engine):
    engine.session("x", {"a": "1"}, {"b": "1"})
    engine.session("y", {"a": "1"}, {"b": "2"})
    execution = engine.start("a", "x")
    engine.swf.close_session(instance="x")

    def attempt() -> bool:
        engine.schedule(engine.poll("decision", "y"), "b")
        task = engine.poll("activity", "y")
        started = engine.events(execution)[task["startedEventId"] - 1]["activityTaskStartedEventAttributes"]
        engine.swf.respond_activity_task_completed(taskToken=task["taskToken"])
        return DEFINITION_DIFFERS_KEY in json.loads(started["identity"])

    assert [attempt() for _ in range(3)] == [True, True, True]
    engine.swf.attach_execution(domain=DOMAIN, execution=execution, instance="y")
    assert not attempt()


def test_a_process_is_told_once_of_each_change_that_makes_it_differ(engine):
    engine.session("x", {"a": "1"})
    changes = []
    engine.swf.on_session_change(lambda: changes.append(1))
    engine.session("y", {"a": "2"})
    assert changes
    told = [engine.swf.keep_session(instance="x", record={}) for _ in range(2)]
    assert [[each["fingerprint"] for each in one.get("differing", ())] for one in told] == [["2"], []]


def test_a_decision_that_its_holder_could_not_make_moves_to_the_process_that_resumes(engine):
    engine.session("x", {"a": "1"})
    engine.session("y", {"a": "2"})
    execution = engine.start("a", "x")
    task = engine.poll("decision", "x")
    engine.swf.attach_execution(domain=DOMAIN, execution=execution, instance="y")
    assert not engine.poll("decision", "y")  # x is at it
    error = {"startedEventId": task["startedEventId"], "error": "E", "message": "m", "endsWait": True}
    engine.swf.report_decision_error(domain=DOMAIN, execution=execution, error=error)
    engine.swf.attach_execution(domain=DOMAIN, execution=execution, instance="y")
    assert engine.poll("decision", "y")


@pytest.mark.parametrize("starter_lives", [True, False])
def test_a_blocked_decision_moves_to_who_resumes_everything_if_it_is_its_own_or_its_starter_has_ended(
    engine, starter_lives
):
    for instance, fingerprint in zip("xyz", "123", strict=True):
        engine.session(instance, {"a": fingerprint})
    execution = engine.start("a", "x")
    engine.swf.attach_execution(domain=DOMAIN, execution=execution, instance="y")
    task = engine.poll("decision", "y")
    engine.swf.attach_execution(domain=DOMAIN, execution=execution, instance="x")  # y still decides
    if not starter_lives:
        engine.swf.close_session(instance="x")
    error = {"startedEventId": task["startedEventId"], "error": "E", "message": "m", "endsWait": True}
    engine.swf.report_decision_error(domain=DOMAIN, execution=execution, error=error)
    named = {"domain": DOMAIN, "execution": execution, "takes_over": False}
    engine.swf.attach_execution(**named, instance="z")
    assert bool(engine.poll("decision", "z")) is not starter_lives
    if starter_lives:
        engine.swf.attach_execution(**named, instance="x")
        assert engine.poll("decision", "x")


def test_a_blocked_decision_is_given_out_again_when_any_process_asks_for_it(engine):
    engine.session("x", {"a": "1"})
    execution = engine.start("a", "x")
    task = engine.poll("decision", "x")
    named = {"domain": DOMAIN, "execution": execution}
    assert engine.swf.retry_decision(**named) == {"isRetried": False}  # x is at it
    error = {"startedEventId": task["startedEventId"], "error": "E", "message": "m", "endsWait": True}
    engine.swf.report_decision_error(**named, error=error)
    assert not engine.poll("decision", "x")
    assert engine.swf.retry_decision(**named) == {"isRetried": True}
    assert engine.swf.describe_reports(**named)["decisionErrors"] == []
    assert engine.poll("decision", "x")["startedEventId"] > task["startedEventId"]
    assert engine.swf.retry_decision(**named) == {"isRetried": False}


def test_who_decides_another_definitions_execution_becomes_its_home(engine):
    engine.session("x", {"a": "1"}, {"b": "1"})
    execution = engine.start("a", "x")
    engine.swf.close_session(instance="x")
    engine.session("y", {"a": "2"}, {"b": "2"})
    engine.session("z", {"a": "1"}, {"b": "1"})
    engine.swf.attach_execution(domain=DOMAIN, execution=execution, instance="y")
    assert not engine.poll("decision", "z")
    engine.schedule(engine.poll("decision", "y"), "b")
    assert not engine.poll("activity", "z")
    assert engine.poll("activity", "y")


def test_a_task_that_is_queued_goes_by_the_new_home_once_an_execution_is_attached(engine):
    engine.session("x", {"a": "1"}, {"b": "1"})
    engine.session("y", {"a": "2"}, {"b": "2"})
    execution = engine.start("a", "x")
    engine.schedule(engine.poll("decision", "x"), "b")
    assert not engine.poll("activity", "y")
    engine.swf.attach_execution(domain=DOMAIN, execution=execution, instance="y")
    assert engine.swf.count_pending_activity_tasks(domain=DOMAIN, taskList={"name": "l"})["count"] == 1
    assert not engine.poll("activity", "x")
    assert engine.poll("activity", "y")
    assert not engine.poll("activity", None)


def test_who_resumes_everything_takes_over_only_what_no_living_process_runs(engine):
    engine.session("x", {"a": "1"}, {"b": "1"})
    engine.session("y", {"a": "2"}, {"b": "2"})
    execution = engine.start("a", "x")
    engine.schedule(engine.poll("decision", "x"), "b", "b")
    engine.swf.attach_execution(domain=DOMAIN, execution=execution, instance="y", takes_over=False)
    assert not engine.poll("activity", "y")
    assert engine.poll("activity", "x")
    engine.swf.close_session(instance="x")
    engine.swf.attach_execution(domain=DOMAIN, execution=execution, instance="y", takes_over=False)
    assert engine.poll("activity", "y")


def test_a_decision_task_goes_to_its_home_first_and_to_others_after_a_second(engine):
    engine.session("x", {"a": "1"})
    engine.session("y", {"a": "1"})
    engine.start("a", "x")
    assert not engine.poll("decision", "y")
    engine.clock.advance(1)
    assert engine.poll("decision", "y")


def test_the_home_itself_is_not_kept_waiting(engine):
    engine.session("x", {"a": "1"})
    engine.session("y", {"a": "1"})
    engine.start("a", "x")
    assert engine.poll("decision", "x")


def test_a_home_that_is_silent_is_not_waited_for(engine):
    engine.session("x", {"a": "1"})
    engine.session("y", {"a": "1"})
    state = engine.swf._durable.state
    state.sessions.living["x"].is_local = False
    state.sessions.living["x"].spoke_at -= 100
    engine.start("a", "x")
    assert engine.poll("decision", "y")


def test_a_definition_that_comes_later_is_offered_what_waits(engine):
    engine.session("x", {"a": "1"})
    execution = engine.start("a", "x")
    engine.schedule(engine.poll("decision", "x"), "b")
    assert not engine.poll("activity", "x")
    assert engine.reasons(execution) == ["no process defines b 1"]
    engine.swf.keep_session(instance="x", record=record({"a": "1"}, {"b": "1"}))
    assert engine.poll("activity", "x")


def test_a_child_goes_by_the_definitions_of_its_parent(engine):
    engine.session("x", {"a": "1", "b": "1"})
    engine.session("y", {"a": "2", "b": "2"})
    engine.start("a", "x")
    child = {
        "decisionType": "StartChildWorkflowExecution",
        "startChildWorkflowExecutionDecisionAttributes": {
            "workflowType": {"name": "b", "version": "1"},
            "workflowId": "child",
            "taskList": {"name": "l"},
            "executionStartToCloseTimeout": "3600",
            "taskStartToCloseTimeout": "NONE",
            "childPolicy": "TERMINATE",
        },
    }
    token = engine.poll("decision", "x")["taskToken"]
    engine.swf.respond_decision_task_completed(taskToken=token, decisions=[child])
    assert not engine.poll("decision", "y")
    names = {engine.poll("decision", "x")["workflowType"]["name"] for _ in range(2)}
    assert names == {"a", "b"}


def test_of_what_a_process_defines_the_task_of_the_highest_priority_comes_first(engine):
    engine.session("x", {"a": "1"}, {"a": "1", "b": "1", "c": "1"})
    engine.session("y", {}, {"b": "1", "c": "1"})
    engine.start("a", "x")
    token = engine.poll("decision", "x")["taskToken"]
    decisions = [
        {
            "decisionType": "ScheduleActivityTask",
            "scheduleActivityTaskDecisionAttributes": {
                "activityId": name,
                "activityType": {"name": name, "version": "1"},
                "taskList": {"name": "l"},
                "taskPriority": priority,
                **TIMEOUTS,
            },
        }
        for name, priority in (("b", "1"), ("a", "9"), ("c", "5"))
    ]
    engine.swf.respond_decision_task_completed(taskToken=token, decisions=decisions)
    assert [engine.poll("activity", "y").get("activityId") for _ in range(3)] == ["c", "b", None]
    assert engine.poll("activity", "x")["activityId"] == "a"


# -- what a process holds ----------------------------------------------------------------------------------------------


def test_a_task_whose_poll_ended_at_its_client_without_it_is_given_out_again(engine):
    engine.session("x", {"a": "1"}, {"b": "1"})
    execution = engine.start("a", "x")
    engine.schedule(engine.poll("decision", "x"), "b", "b", "b")

    def poll(number: int) -> str:
        request = {"domain": DOMAIN, "taskList": {"name": "l"}, "identity": identity_of("x")}
        return engine.swf.remote_poll("PollForActivityTask", request, lambda: True, 0.0, number)["taskToken"]

    def tell(latest: int, *waiting: int, tokens: tuple[str, ...] = ()) -> int:
        held = {"polls": list(waiting), "latestPoll": latest, "taskTokens": list(tokens)}
        engine.swf.keep_session(instance="x", record={}, held=held)
        return engine.types(execution).count("ActivityTaskTimedOut")

    tokens = [poll(number) for number in (1, 2, 3)]
    assert tell(2, 1, tokens=(tokens[1],)) == 0  # 1 still waits, 2 has arrived, and 3 began after this was said
    assert tell(3, 1, tokens=()) == 1  # 3 has ended without its task
    assert tell(4, 4, tokens=(tokens[0],)) == 1
    assert tell(5) == 1
    with pytest.raises(UnknownResourceFault):
        engine.swf.respond_activity_task_completed(taskToken=tokens[2])
    for token in tokens[:2]:
        engine.swf.respond_activity_task_completed(taskToken=token)


@pytest.mark.parametrize("held", [{}, {"polls": [], "latestPoll": "1"}, {"polls": ["1"], "latestPoll": 1}])
def test_polls_that_are_no_numbers_are_refused(engine, held):
    engine.session("x", {"a": "1"})
    with pytest.raises(ValidationException):
        engine.swf.keep_session(instance="x", record={}, held=held)


def test_the_tasks_of_a_session_that_ends_are_given_out_again_at_once(engine):
    engine.session("x", {"a": "1"}, {"b": "1"})
    execution = engine.start("a", "x")
    engine.schedule(engine.poll("decision", "x"), "b", "b", "b")
    held = [engine.poll("activity", "x") for _ in range(2)]
    engine.swf.respond_activity_task_completed(taskToken=held[0]["taskToken"])
    assert engine.poll("decision", "x")
    connection = object()
    engine.swf.keep_session(instance="x", record={}, connection=connection)
    engine.swf.connection_lost("x", connection)
    events = engine.events(execution)
    lost = [event for event in events if event["eventType"] == "ActivityTaskTimedOut"]
    assert [event["activityTaskTimedOutEventAttributes"]["details"] for event in lost] == [LOST_BESIDE]
    assert engine.types(execution).count("DecisionTaskTimedOut") == 1
    assert engine.types(execution)[-1] == "DecisionTaskScheduled"
    with pytest.raises(UnknownResourceFault):
        engine.swf.respond_activity_task_completed(taskToken=held[1]["taskToken"])
    engine.session("y", {"a": "1"}, {"b": "1"})
    assert engine.poll("decision", "y")
    assert engine.poll("activity", "y")


def test_a_released_task_is_given_out_again_and_one_that_is_closed_stays_closed(engine):
    engine.session("x", {"a": "1"}, {"b": "1"})
    execution = engine.start("a", "x")
    task = engine.poll("decision", "x")
    engine.swf.release_task(taskToken=task["taskToken"])
    task = engine.poll("decision", "x")
    engine.schedule(task, "b")
    before = engine.types(execution)
    engine.swf.release_task(taskToken=task["taskToken"])
    assert engine.types(execution) == before
    with pytest.raises(ValidationException):
        engine.swf.release_task(taskToken="none")


def test_an_activity_that_is_given_back_is_not_a_lost_worker(engine):
    engine.session("x", {"a": "1"}, {"b": "1"})
    execution = engine.start("a", "x")
    engine.schedule(engine.poll("decision", "x"), "b", "b")
    engine.swf.release_task(taskToken=engine.poll("activity", "x")["taskToken"])
    engine.poll("activity", "x")
    engine.swf.close_session(instance="x")
    ended = [event for event in engine.events(execution) if event["eventType"] == "ActivityTaskTimedOut"]
    assert [event["activityTaskTimedOutEventAttributes"]["details"] for event in ended] == [GIVEN_BACK, GIVEN_BACK]


def test_a_session_ends_with_its_latest_connection_only(engine):
    engine.swf.open_session(instance="x", record=record({"a": "1"}, {}), is_local=False)
    first, second = object(), object()
    for connection in (first, second):
        engine.swf.keep_session(instance="x", record={}, connection=connection)
    engine.swf.connection_lost("x", first)
    assert engine.poll("decision", "x") == {}
    engine.swf.connection_lost("x", second)
    with pytest.raises(UnknownSessionFault):
        engine.poll("decision", "x")


def test_a_session_that_never_has_a_connection_ends(engine):
    engine.swf.open_session(instance="x", record=record({"a": "1"}, {}), is_local=False)
    engine.clock.advance(9)
    assert engine.poll("decision", "x") == {}
    engine.clock.advance(2)
    with pytest.raises(UnknownSessionFault):
        engine.poll("decision", "x")


def test_pollers_says_who_polls_and_what_each_holds(engine):
    engine.session("x", {"a": "1"})
    execution = engine.start("a", "x")
    engine.poll("decision", "x")
    listed = engine.swf.pollers(domain=DOMAIN)["pollers"]
    assert [(one["kind"], one["taskList"], one["pid"], one["isSilent"]) for one in listed] == [
        ("activity", "l", 7, False),
        ("decision_task", "l", 7, False),
    ]
    assert [task["workflowExecution"] for task in listed[1]["tasks"]] == [execution]
    assert engine.swf.pollers(domain="other")["pollers"] == []


# -- the next engine ---------------------------------------------------------------------------------------------------


def _taken_over(tmp_path: Any, clock: ManualClock) -> tuple[Engine, list[str], dict[str, str]]:
    """An engine that takes over while the process `x`, which is alive, holds two activity tasks."""
    first = Engine(tmp_path / "store.sqlite", clock).prepare()
    first.swf.open_session(instance="x", record=record({"a": "1"}, {"b": "1"}), is_local=False)
    execution = first.start("a", "x")
    first.schedule(first.poll("decision", "x"), "b", "b")
    tokens = [first.poll("activity", "x")["taskToken"] for _ in range(2)]
    first.swf.close()
    return Engine(tmp_path / "store.sqlite", clock), tokens, execution


def test_the_next_engine_keeps_the_tasks_that_a_process_names_and_gives_out_the_others_at_once(tmp_path):
    clock = ManualClock()
    engine, tokens, execution = _taken_over(tmp_path, clock)
    engine.session("x", {"a": "1"}, {"b": "1"}, tokens=(tokens[1],))
    assert engine.types(execution).count("ActivityTaskTimedOut") == 1
    engine.swf.respond_activity_task_completed(taskToken=tokens[1])
    with pytest.raises(UnknownResourceFault):
        engine.swf.respond_activity_task_completed(taskToken=tokens[0])
    clock.advance(5)
    engine.session("y", {"a": "1"})
    assert engine.types(execution).count("ActivityTaskTimedOut") == 1
    engine.swf.close()


def test_the_next_engine_gives_out_what_nobody_names_within_seconds(tmp_path):
    clock = ManualClock()
    engine, tokens, execution = _taken_over(tmp_path, clock)
    assert "ActivityTaskTimedOut" not in engine.types(execution)
    clock.advance(2.5)
    assert "ActivityTaskTimedOut" not in engine.types(execution)
    clock.advance(1)
    assert engine.types(execution).count("ActivityTaskTimedOut") == 2
    engine.session("x", {"a": "1"}, {"b": "1"}, tokens=tuple(tokens))
    with pytest.raises(UnknownResourceFault):
        engine.swf.respond_activity_task_completed(taskToken=tokens[0])
    engine.swf.close()


@contextlib.contextmanager
def _taken_over_with_a_queue(tmp_path: Any) -> Iterator[tuple[Engine, Presence]]:
    """An engine that takes over while a task waits that `x`, which is suspended, has scheduled, and `y`, which comes
    first, has other code; and that `x` lives."""
    clock = ManualClock()
    path = str(tmp_path / "store.sqlite")
    presence = Presence(path, "x")
    presence.hold()
    first = Engine(path, clock).prepare()
    first.swf.open_session(instance="x", record=record({"a": "1"}, {"b": "1"}), is_local=False)
    first.start("a", "x")
    first.schedule(first.poll("decision", "x"), "b")
    first.swf.close()
    engine = Engine(path, clock)
    engine.session("y", {"a": "2"}, {"b": "2"})
    yield engine, presence
    engine.swf.close()
    presence.release()


def test_the_next_engine_keeps_what_waits_for_the_process_that_started_it_until_that_comes_or_ends(tmp_path):
    with _taken_over_with_a_queue(tmp_path) as (engine, _):
        engine.clock.advance(60)
        assert not engine.poll("activity", "y")
        engine.session("x", {"a": "1"}, {"b": "1"})
        assert not engine.poll("activity", "y")
        assert engine.poll("activity", "x")


def test_a_task_says_that_it_waits_for_a_process_that_has_not_come_to_the_next_engine(tmp_path):
    with _taken_over_with_a_queue(tmp_path) as (engine, _):
        (open_execution,) = engine.swf._durable.state.open.values()
        (reason,) = engine.reasons(open_execution.run.execution)
        assert reason == (
            "waits for process 7, which has the definition it was started with and has not come back since the owner "
            "of the store changed: is it stopped?"
        )
        (task,) = engine.swf.describe_waiting(domain=DOMAIN, execution=open_execution.run.execution)["tasks"]
        assert task["isSilent"]


def test_a_queued_task_tells_whether_somebody_will_take_it_and_how_many_are_busy(engine):
    def told(execution: Mapping[str, str]) -> tuple[str, bool, int]:
        (task,) = engine.swf.describe_waiting(domain=DOMAIN, execution=dict(execution))["tasks"]
        return task["reason"], task["isServed"], task["busyPollers"]

    first = engine.start("a")
    assert told(first) == ("no process defines a 1", False, 0)
    engine.session("x", {"a": "1"})
    assert told(first) == ("it is about to be taken", True, 0)
    assert engine.poll("decision", "x")["workflowExecution"] == first
    second = engine.start("a")
    assert told(second) == ("1 poller busy", True, 1)
    engine.session("y", {"a": "1"}, lists="m")
    assert told(second) == ("1 poller busy", True, 1)
    engine.swf.close_session(instance="x")
    assert told(second)[1:] == (False, 0)


def test_a_task_whose_only_process_has_not_come_to_the_next_engine_is_defined_and_says_which_that_is(tmp_path):
    path = str(tmp_path / "store.sqlite")
    presence = Presence(path, "x")
    presence.hold()
    first = Engine(path, ManualClock()).prepare()
    first.swf.open_session(instance="x", record=record({"a": "1"}, {}), is_local=False)
    execution = first.start("a", "x")
    first.swf.close()
    engine = Engine(path, ManualClock())
    engine.session("y", {}, {"b": "2"})
    (task,) = engine.swf.describe_waiting(domain=DOMAIN, execution=execution)["tasks"]
    assert task["isDefined"]
    assert task["isSilent"]
    assert "process 7" in task["reason"]
    presence.release()
    engine.clock.advance(1)
    assert not engine.poll("activity", "y")
    (task,) = engine.swf.describe_waiting(domain=DOMAIN, execution=execution)["tasks"]
    assert not task["isDefined"]
    assert not task["isSilent"]
    assert task["reason"] == "no process defines a 1"
    engine.swf.close()


@pytest.mark.parametrize("takes_over", [False, True])
def test_the_definitions_by_which_an_open_execution_goes_are_known_however_many_processes_ended_since(
    tmp_path, takes_over
):
    clock = ManualClock()
    engine = Engine(tmp_path / "store.sqlite", clock).prepare()
    engine.session("x", {"a": "1"}, {"b": "1"})
    engine.schedule(_started(engine), "b")
    engine.swf.close_session(instance="x")
    for number in range(REMEMBERED_SESSIONS + 20):
        engine.session(f"other-{number}", {"a": "2"}, {"b": "2"})
        engine.swf.close_session(instance=f"other-{number}")
    if takes_over:
        engine.swf.close()
        engine = Engine(tmp_path / "store.sqlite", clock)
    known = engine.swf._durable.state.sessions._ended
    assert "x" in known
    assert len(known) == REMEMBERED_SESSIONS
    engine.session("y", {"a": "2"}, {"b": "2"})
    engine.session("z", {"a": "1"}, {"b": "1"})
    assert not engine.poll("activity", "y")
    assert engine.poll("activity", "z")
    engine.swf.close()
    connection = sqlite3.connect(tmp_path / "store.sqlite")
    assert connection.execute("SELECT count(*) FROM process").fetchone()[0] <= REMEMBERED_SESSIONS + 2
    connection.close()


def _started(engine: Engine) -> dict[str, Any]:
    engine.start("a", "x")
    return engine.poll("decision", "x")


def test_a_task_that_runs_in_a_process_that_has_not_come_to_the_next_engine_says_that_it_does_not_answer(tmp_path):
    presence = Presence(str(tmp_path / "store.sqlite"), "x")
    presence.hold()
    engine, tokens, execution = _taken_over(tmp_path, ManualClock())

    def silent() -> list[bool]:
        return [task["isSilent"] for task in engine.swf.describe_waiting(domain=DOMAIN, execution=execution)["tasks"]]

    assert silent() == [False, False]  # it is about to come
    engine.clock.advance(5)
    engine.session("y", {"a": "1"})
    assert silent() == [True, True]
    engine.session("x", {"a": "1"}, {"b": "1"}, tokens=tuple(tokens))
    assert silent() == [False, False]
    engine.swf.close()
    presence.release()


def test_a_task_is_given_to_a_process_with_the_same_definition_while_its_own_has_not_come_back(tmp_path):
    with _taken_over_with_a_queue(tmp_path) as (engine, _):
        engine.session("z", {"a": "1"}, {"b": "1"})
        assert not engine.poll("activity", "y")
        assert engine.poll("activity", "z")


def test_the_next_engine_waits_no_longer_for_a_process_that_has_ended(tmp_path):
    with _taken_over_with_a_queue(tmp_path) as (engine, presence):
        assert not engine.poll("activity", "y")
        presence.release()
        engine.clock.advance(1)
        assert engine.poll("activity", "y")


def test_the_next_engine_knows_the_definitions_of_a_process_that_died_with_the_one_before(tmp_path):
    with _taken_over_with_a_queue(tmp_path) as (engine, presence):
        presence.release()
        engine.session("z", {"a": "1"}, {"b": "1"})
        engine.clock.advance(60)
        assert not engine.poll("activity", "y")
        assert engine.poll("activity", "z")


def test_what_a_process_holds_that_has_not_come_back_is_lost_when_it_ends_and_not_before(tmp_path):
    path = str(tmp_path / "store.sqlite")
    presence = Presence(path, "x")
    presence.hold()
    engine, tokens, execution = _taken_over(tmp_path, ManualClock())
    engine.clock.advance(60)
    assert "ActivityTaskTimedOut" not in engine.types(execution)
    presence.release()
    engine.clock.advance(1)
    assert engine.types(execution).count("ActivityTaskTimedOut") == len(tokens)
    engine.swf.close()


def test_tasks_stay_with_the_definition_of_the_starter_when_another_process_decides(engine):
    """The starter serves no decisions."""
    starter = record({"a": "1"}, {"b": "1"}) | {"decisionTaskLists": []}
    engine.swf.open_session(instance="x", record=starter)
    engine.session("y", {"a": "2"}, {"b": "2"})
    engine.start("a", "x")
    engine.schedule(engine.poll("decision", "y"), "b")
    assert not engine.poll("activity", "y")
    assert engine.poll("activity", "x")


def test_when_nobody_has_the_definition_of_the_starter_tasks_stay_with_that_of_the_decider(engine):
    for instance in "xyz":
        engine.session(instance, {"a": instance}, {"b": instance})
    engine.start("a", "x")
    engine.swf.close_session(instance="x")
    engine.schedule(engine.poll("decision", "y"), "b")
    assert not engine.poll("activity", "z")
    assert engine.poll("activity", "y")


ALIVE = {"pid": os.getppid(), "hostname": socket.gethostname()}
GONE = {"pid": 1, "hostname": "a container that is gone"}


def test_the_next_engine_learns_which_process_takes_only_its_own_executions(tmp_path):
    first = Engine(tmp_path / "store.sqlite").prepare()
    first.session("own", {"a": "1"}, process=OWN | ALIVE)
    mine, other = first.start("a", "own"), first.start("a")
    first.swf.hand_over()
    second = Engine(tmp_path / "store.sqlite")
    second.session("own", {"a": "1"}, process=OWN | ALIVE)
    given = [second.poll("decision", "own") for _ in range(2)]
    assert [task.get("workflowExecution") for task in given] == [mine, None]
    assert second.types(other)[-1] == "DecisionTaskScheduled"
    second.swf.close()


@pytest.mark.parametrize("decider", [None, "owner"])
def test_the_next_engine_keeps_what_waits_for_the_process_that_started_it_and_marks_what_others_run(tmp_path, decider):
    """Nobody has decided the execution yet, or the owner has, with which it is gone."""
    clock = ManualClock()
    first = Engine(tmp_path / "store.sqlite", clock).prepare()
    first.session("x", {"a": "1"}, {"b": "1"}, process=ALIVE)
    execution = first.start("a", "x")
    if decider is not None:
        first.session(decider, {"a": "1"}, process=GONE)
        clock.advance(2)
        identity = json.dumps({"simpleflow_lab": 1, "instance": decider, **GONE})
        first.schedule(first.swf.poll_for_decision_task(domain=DOMAIN, taskList={"name": "l"}, identity=identity), "b")
    kind = "decision" if decider is None else "activity"
    first.swf.hand_over()

    presence = Presence(str(tmp_path / "store.sqlite"), "x")
    presence.hold()
    engine = Engine(tmp_path / "store.sqlite", clock)
    engine.session("y", {"a": "2"}, {"b": "2"})
    clock.advance(2.5)
    assert not engine.poll(kind, "y")
    engine.session("x", {"a": "1"}, {"b": "1"})
    clock.advance(60)
    assert not engine.poll(kind, "y")
    engine.swf.close_session(instance="x")
    assert engine.poll(kind, "y")
    (started,) = [
        attributes
        for name, attributes in engine.events(execution)[-1].items()
        if name in ("decisionTaskStartedEventAttributes", "activityTaskStartedEventAttributes")
    ]
    assert json.loads(started["identity"])[DEFINITION_DIFFERS_KEY] is True
    engine.swf.close()


def test_the_next_engine_tells_who_started_or_attached_an_execution_what_others_print_for_it(tmp_path):
    clock = ManualClock()
    first = Engine(tmp_path / "store.sqlite", clock).prepare()
    presences = [Presence(str(tmp_path / "store.sqlite"), instance) for instance in "xy"]
    for presence in presences:
        presence.hold()
        first.session(presence.instance, {"a": "1"}, process=ALIVE)
    started, attached = first.start("a", "x"), first.start("a", "y")
    first.swf.attach_execution(domain=DOMAIN, execution=attached, instance="x")
    first.swf.hand_over()

    engine = Engine(tmp_path / "store.sqlite", clock)
    for instance in "xy":
        engine.session(instance, {"a": "1"})

    def told(instance: str) -> set[str]:
        news = engine.swf.keep_session(instance=instance, record={}).get("logs", ())
        return {each["execution"]["workflowId"] for each in news}

    both = {started["workflowId"], attached["workflowId"]}
    assert (told("x"), told("y")) == (both, set())  # what the engine before may not have told
    record = {"timestamp": 1, "source": "stdout", "text": "a line"}
    for execution in (started, attached):
        engine.swf.append_log(domain=DOMAIN, execution=execution, records=[record], instance="y")
    assert (told("x"), told("y")) == (both, set())
    engine.swf.close()


def test_a_process_that_comes_to_an_engine_with_damaged_executions_is_told_of_them(tmp_path):
    first = Engine(tmp_path / "store.sqlite").prepare()
    damaged = first.start("a", "x")
    first.swf.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection, connection:
        connection.execute("UPDATE execution SET type_version = '2'")
    with pytest.warns(DamagedStoreWarning):
        engine = Engine(tmp_path / "store.sqlite")
    told: list[str] = []
    session = ProcessSession(None, tell=told.append)
    for is_local in (False, False, True):
        answer = engine.swf.open_session(instance="x", record=record({"a": "1"}, {}), is_local=is_local)
        assert ("damaged" in answer) is not is_local
        session.take_up(answer)
    (line,) = told
    assert f"execution {damaged['workflowId']} (run {damaged['runId']}), its record is not what was written" in line
    engine.swf.close()


# -- a law -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_no_task_goes_to_a_process_that_does_not_define_it_and_none_is_lost(engine, seed):
    """Processes come, go, edit, release and answer by chance: in the end everything is done, by who could do it."""
    chance = random.Random(seed)
    living: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    executions, held = [], list[tuple[str, str, str]]()  # kind, instance, token
    names = itertools.count()
    done = 0

    def definitions() -> dict[str, str]:
        return {name: chance.choice("12") for name in "abc" if chance.random() < 0.6}

    def take(kind: str, instance: str) -> bool:
        task = engine.poll(kind, instance)
        if not task:
            return False
        name = (task["workflowType"] if kind == "decision" else task["activityType"])["name"]
        assert name in living[instance][0 if kind == "decision" else 1]
        held.append((kind, instance, task["taskToken"]))
        return True

    def answer(kind: str, token: str) -> None:
        if kind == "activity":
            engine.swf.respond_activity_task_completed(taskToken=token)
        elif chance.random() < 0.5:
            engine.schedule({"taskToken": token}, *chance.choices("abc", k=chance.randrange(3)))
        else:
            engine.swf.respond_decision_task_completed(taskToken=token)

    for _ in range(300):
        what = chance.randrange(9)
        if what == 0 or not living:
            instance = f"i{next(names)}"
            living[instance] = definitions(), definitions()
            engine.session(instance, *living[instance])
        elif what == 1 and len(living) > 1:
            instance = chance.choice(sorted(living))
            del living[instance]
            engine.swf.close_session(instance=instance)
            held = [one for one in held if one[1] != instance]
        elif what == 2:
            instance = chance.choice(sorted(living))
            living[instance] = definitions(), definitions()
            engine.swf.keep_session(instance=instance, record=record(*living[instance]))
        elif what == 3:
            executions.append(engine.start(chance.choice("abc"), chance.choice([None, *sorted(living)])))
        elif what == 4:
            engine.clock.advance(chance.choice([0.1, 0.6, 2]))
        elif what == 5 and held:
            engine.swf.release_task(taskToken=held.pop(chance.randrange(len(held)))[2])
        elif what == 6 and executions:
            ids = chance.choice(executions)
            engine.swf.attach_execution(domain=DOMAIN, execution=ids, instance=chance.choice(sorted(living)))
        elif what == 7 and held:
            kind, _, token = held.pop(chance.randrange(len(held)))
            answer(kind, token)
            done += 1
        else:
            take(chance.choice(["decision", "activity"]), chance.choice(sorted(living)))
    for instance in sorted(living):
        engine.swf.close_session(instance=instance)
    living = {"last": (dict.fromkeys("abc", "3"), dict.fromkeys("abc", "3"))}
    engine.session("last", *living["last"])
    held.clear()
    while take("decision", "last") or take("activity", "last"):
        kind, _, token = held.pop()
        if kind == "activity":
            engine.swf.respond_activity_task_completed(taskToken=token)
        else:
            engine.swf.respond_decision_task_completed(taskToken=token)
    for execution in executions:
        assert engine.swf.describe_waiting(domain=DOMAIN, execution=execution)["tasks"] == []
    assert executions
    assert done
