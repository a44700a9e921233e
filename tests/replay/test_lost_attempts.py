"""Attempts that lost their worker, or came to one without the activity: tried again, later, up to a limit."""

from __future__ import annotations

import copy
import json

import pytest

from simpleflow_lab import Retry, Workflow, activity
from simpleflow_lab.exceptions import WorkerLostError
from simpleflow_lab.runtime.activity_worker import UnknownActivityError
from simpleflow_lab.runtime.outcomes import Failed
from simpleflow_lab.swf.conventions import GIVEN_BACK, WORKER_LOST
from simpleflow_lab.swf.decisions import attributes
from tests.replay.story import Story


@activity.with_attributes(name="lost.step", version="1", task_list="lost", retry=Retry(maximum_attempts=2))
def step():
    return 1


class Steps(Workflow):
    name, version = "lost.steps", "1"

    def run(self):
        future = self.submit(step)
        error = future.exception
        return [type(error).__name__, str(error)]


class Hooked(Steps):
    name = "lost.hooked"

    def on_task_failure(self, context):
        if isinstance(context.exception, WorkerLostError):
            return context.decide_retry(0)
        return None


class Past(Story):
    """A history with one activity task; `rules` is what the identity of its decider says."""

    def __init__(self, workflow: type[Workflow] = Steps, rules: int = 2, **more: int):
        self.identity = json.dumps({"simpleflow_lab": rules, **more})
        super().__init__(workflow)

    def lose(self) -> None:
        self.end("ActivityTaskTimedOut", timeoutType="START_TO_CLOSE", details=WORKER_LOST)

    def end(self, type_: str, **its: str) -> None:
        """The task is scheduled, after its pause if it has one, and its attempt ends so."""
        [decision] = self.decide()
        self.pauses.append(0)
        if decision["decisionType"] == "StartTimer":
            self.pauses[-1] = int(attributes(decision)["startToFireTimeout"])
            self.fire(decision)
            [decision] = self.decide()
        scheduled = self.record(decision)
        started = self.add("ActivityTaskStarted", scheduledEventId=scheduled.id)
        self.add(type_, scheduledEventId=scheduled.id, startedEventId=started.id, **its)

    @property
    def pauses(self) -> list[int]:
        """Seconds before each attempt so far."""
        return self.__dict__.setdefault("_pauses", [])

    def result(self) -> list[str]:
        [decision] = self.decide()
        assert decision["decisionType"] == "CompleteWorkflowExecution"
        return json.loads(attributes(decision)["result"])


@pytest.mark.parametrize(("limit", "more"), [(5, {}), (2, {"max_lost": 2}), (7, {"max_lost": 7})])
def test_after_as_many_lost_attempts_in_a_row_as_the_decider_allows_the_task_fails(limit, more):
    past = Past(**more)
    for _ in range(limit):
        past.lose()
    assert past.pauses == [0, 0, 1, 2, 4, 8, 16][:limit]
    [kind, text] = past.result()
    assert kind == "WorkerLostError"
    assert f"its worker was lost {limit} times: the process died each time" in text
    assert 'executor="processes" contains it' in text


def test_only_lost_attempts_in_a_row_count_and_none_spends_a_retry():
    past = Past()
    for _ in range(4):
        past.lose()
    past.end("ActivityTaskFailed", reason="ValueError")  # spends the only retry
    for _ in range(4):
        past.lose()
    past.end("ActivityTaskFailed", reason="ValueError")
    assert past.result() == ["TaskFailed", "activity-lost.step-1: ValueError"]


def test_the_hook_may_try_once_more_and_then_counts_from_the_start():
    past = Past(Hooked)
    for _ in range(9):
        past.lose()
    past.end("ActivityTaskCompleted", result="1")
    assert past.result() == ["NoneType", "None"]


@pytest.mark.parametrize("identity", ['{"simpleflow_lab":1}', "another program", None])
def test_a_history_from_before_there_was_a_limit_is_replayed_as_it_was(identity):
    past = Past()
    past.identity = identity
    for _ in range(12):
        past.lose()
    assert past.pauses == [0] * 12
    past.end("ActivityTaskCompleted", result="1")
    assert past.result() == ["NoneType", "None"]


def test_a_decider_with_a_limit_goes_on_with_a_history_of_one_without():
    past = Past(rules=1)
    for _ in range(12):
        past.lose()
    past.identity = '{"simpleflow_lab":2}'
    assert past.result()[0] == "WorkerLostError"


def test_a_copy_of_the_error_says_the_same():
    error = WorkerLostError("a-1", 5)
    assert str(copy.copy(error)) == str(error)


# -- workers that don't define the activity ----------------------------------------------------------------------------

NOT_HERE = Failed.not_here(UnknownActivityError("lost.step", "1"))


def not_here(past: Past) -> None:
    past.end("ActivityTaskFailed", reason=NOT_HERE.reason, details=NOT_HERE.details)


@pytest.mark.parametrize(("limit", "more"), [(50, {}), (3, {"max_not_here": 3}), (1, {"max_not_here": 1})])
def test_after_as_many_workers_without_the_activity_as_the_decider_allows_the_task_fails(limit, more):
    past = Past(**more)
    for _ in range(limit):
        not_here(past)
    assert past.pauses == [0, 1, 2, 4, 8, 16, *[30] * 44][:limit]
    [kind, text] = past.result()
    assert kind == "ActivityNotDefinedError"
    assert f"{limit} workers in a row did not define it" in text
    assert "no activity 'lost.step' version '1' is defined in process" in text


def test_a_worker_without_the_activity_spends_no_retry():
    past = Past()
    for _ in range(3):
        not_here(past)
    past.end("ActivityTaskFailed", reason="ValueError")  # spends the only retry
    assert past.pauses == [0, 1, 2, 4]
    not_here(past)
    assert past.pauses[-1] == 1  # by the policy
    past.end("ActivityTaskCompleted", result="1")
    assert past.pauses[-1] == 1  # again the first pause
    assert past.result() == ["NoneType", "None"]


@pytest.mark.parametrize("identity", ['{"simpleflow_lab":1}', "another program"])
def test_to_a_decider_of_before_it_is_a_failure_like_any_other(identity):
    past = Past()
    past.identity = identity
    not_here(past)
    not_here(past)
    kind, text = past.result()
    assert kind == "TaskFailed"
    assert "no activity 'lost.step' version '1' is defined" in text


def test_its_details_are_those_of_any_failure_to_other_programs():
    record = json.loads(NOT_HERE.details)
    assert record["error"] == "UnknownActivityError"
    assert {"error", "error_type", "message", "traceback"} < record.keys()
    assert len(NOT_HERE.reason) <= 256


def test_attempts_that_a_process_gave_back_are_tried_again_at_once_however_many_they_are():
    past = Past()
    for _ in range(9):
        past.end("ActivityTaskTimedOut", timeoutType="START_TO_CLOSE", details=GIVEN_BACK)
    past.lose()
    past.lose()
    assert past.pauses == [0] * 11
    past.end("ActivityTaskCompleted", result="1")
    assert past.pauses[-1] == 1
