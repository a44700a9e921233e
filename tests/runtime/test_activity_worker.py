"""Answers of activity workers: they are repeated until SWF accepts them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from simpleflow_lab import activity
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import in_memory
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import ThrottlingException, ValidationException
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.runtime.pool import WorkerPool

LIST = {"name": "answers"}
WORKFLOW = {"name": "answers", "version": "1"}


class Flaky:
    """A service whose operations fail as often as the test wants."""

    def __init__(self, service):
        self._service = service
        self.failing: dict[str, list[Exception]] = {}
        self.asked: list[str] = []

    def __getattr__(self, name):
        operation = getattr(self._service, name)

        def call(*args, **kwargs):
            self.asked.append(name)
            if self.failing.get(name):
                raise self.failing[name].pop()
            return operation(*args, **kwargs)

        return call


class Bench:
    """A worker on a service that may fail, and one activity task of it."""

    def __init__(self, service):
        self.service = service
        self.flaky = Flaky(service)
        service.register_domain(name="lab", workflowExecutionRetentionPeriodInDays="1")
        service.register_workflow_type(domain="lab", **WORKFLOW)
        context = WorkerContext(service=self.flaky, domain="lab", storage=in_memory(), fields=Fields())
        self.pool = WorkerPool(context, activity_threads=1)

    def schedule(self, function, heartbeat_timeout="NONE"):
        """Start an execution that schedules this activity, and a worker for it."""
        of = activity.with_attributes(
            name=f"answers.{function.__name__}", version="1", heartbeat_timeout=heartbeat_timeout
        )(function)
        self.pool.registration.register_activity_type(of.name, of.version)
        self.execution = {"workflowId": of.name}
        self.execution["runId"] = self.service.start_workflow_execution(
            domain="lab",
            workflowType=WORKFLOW,
            taskList=LIST,
            executionStartToCloseTimeout="60",
            taskStartToCloseTimeout="60",
            childPolicy="TERMINATE",
            **self.execution,
        )["runId"]
        attributes = {
            "activityId": "a",
            "activityType": {"name": of.name, "version": of.version},
            "taskList": LIST,
            "heartbeatTimeout": heartbeat_timeout,
        }
        task = self.service.poll_for_decision_task(domain="lab", taskList=LIST)
        decision = {"decisionType": "ScheduleActivityTask", "scheduleActivityTaskDecisionAttributes": attributes}
        self.service.respond_decision_task_completed(taskToken=task["taskToken"], decisions=[decision])
        self.pool.start_activity_worker("answers")

    def closed(self):
        """The event that closed the activity task."""
        while True:
            task = self.service.poll_for_decision_task(domain="lab", taskList=LIST)
            for event in reversed(task.get("events", [])):
                if event["eventType"] in ("ActivityTaskCompleted", "ActivityTaskFailed", "ActivityTaskTimedOut"):
                    return event


@pytest.fixture
def bench() -> Iterator[Bench]:
    with EmbeddedSWF(":memory:", poll_seconds=1.0) as service:
        bench = Bench(service)
        yield bench
        bench.pool.stop(release=service.release_polls)


def test_a_result_is_answered_again_until_swf_accepts_it(bench):
    """P1: upstream gives up after three tries."""
    bench.flaky.failing["answer_activity_task"] = [ThrottlingException("slow down")] * 4
    bench.schedule(lambda_named("result", lambda: 42))
    assert bench.closed()["activityTaskCompletedEventAttributes"]["result"] == "42"
    assert bench.flaky.asked.count("answer_activity_task") == 5


def test_a_failure_is_answered_again_until_swf_accepts_it(bench):
    """P2: upstream never tries a failure again."""
    bench.flaky.failing["respond_activity_task_failed"] = [ConnectionResetError("gone")] * 3
    bench.schedule(lambda_named("failure", lambda: 1 / 0))
    assert bench.closed()["activityTaskFailedEventAttributes"]["reason"] == "ZeroDivisionError: division by zero"


def test_heartbeats_go_on_until_the_answer_is_accepted(bench):
    bench.flaky.failing["answer_activity_task"] = [ThrottlingException("slow down")] * 6
    bench.schedule(lambda_named("patient", lambda: "kept"), heartbeat_timeout="3")
    assert bench.closed()["eventType"] == "ActivityTaskCompleted"


def test_a_result_that_the_service_refuses_is_a_failure_with_the_reason(bench):
    bench.flaky.failing["answer_activity_task"] = [ValidationException("not like this")]
    bench.schedule(lambda_named("refused", lambda: 42))
    assert bench.closed()["activityTaskFailedEventAttributes"]["reason"].endswith("ValidationException: not like this")


def test_a_task_that_is_gone_is_not_answered(bench, caplog):
    inside, go_on = threading.Event(), threading.Event()

    def late():
        inside.set()
        go_on.wait(60)

    with caplog.at_level(logging.INFO, logger="simpleflow_lab.runtime"):
        bench.schedule(late)
        assert inside.wait(60)
        bench.service.terminate_workflow_execution(domain="lab", **bench.execution)
        go_on.set()
        deadline = time.monotonic() + 200
        while "was not answered" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.005)
    assert caplog.text.count("was not answered: nobody waits for it any more") == 1
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_a_worker_that_stops_no_longer_tries(bench):
    bench.flaky.failing["answer_activity_task"] = [ThrottlingException("slow down")] * 1000
    bench.schedule(lambda_named("hopeless", lambda: 42))
    deadline = time.monotonic() + 200
    while "answer_activity_task" not in bench.flaky.asked and time.monotonic() < deadline:
        time.sleep(0.005)
    assert bench.pool.stop(release=bench.service.release_polls)


def lambda_named(name, function):
    function.__name__ = name
    return function
