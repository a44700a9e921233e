"""Retries, and the hook that decides on them, with cancels, lost workers, equal calls, next runs and large values."""

from __future__ import annotations

import json
import threading

import pandas as pd
import pytest

import simpleflow_lab.data.numpy_pandas
from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.exceptions import WorkflowExecutionFailed
from simpleflow_lab.retry import Retry
from tests.authors.replaying import replay_all, timers_of, types_of
from tests.test_properties import replays_as_recorded

assert simpleflow_lab.data.numpy_pandas

TASKS = {"task_list": "retries-and", "version": "1"}
tried: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_tried():
    tried.clear()


class Retried(Workflow):
    task_list = "retries-and"


def inputs_of(execution, event_type):
    return [event.attributes["input"] for event in execution.history() if event.type == event_type]


def replays(execution, workflow, lab):
    replays_as_recorded(workflow, execution.history(), execution.workflow_id, execution.run_id, lab.domain)


@activity.with_attributes(name="retries_and.slowly", retry=Retry(maximum_attempts=3, initial_interval=60), **TASKS)
def slowly(succeed_at, key=""):
    tried.append(key)
    if tried.count(key) < succeed_at:
        raise ValueError("not yet")
    return tried.count(key)


# -- cancel ------------------------------------------------------------------------------------------------------------


class CancelsWaiting(Retried):
    name = "retries_and.cancels_waiting"

    def run(self):
        task = self.submit(slowly, 3)
        self.submit(self.start_timer("a while", 30)).wait()
        asked = [task.cancel(), task.cancel()]
        task.wait()
        self.submit(self.start_timer("much longer", 600)).wait()
        return [*asked, task.state]


def test_a_task_that_waits_for_its_next_attempt_is_canceled_and_not_tried_again(virtual_lab):
    execution = virtual_lab.start(CancelsWaiting)
    assert execution.result(200) == [True, False, "CANCELLED"]  # it was done when it was canceled again
    assert len(types_of(execution, "ActivityTaskScheduled")) == 1
    assert execution.unhandled_failures().empty
    replays(execution, CancelsWaiting, virtual_lab)


# -- a worker that is lost ---------------------------------------------------------------------------------------------

begun, released = threading.Event(), threading.Event()


@activity.with_attributes(
    name="retries_and.lost", retry=Retry(maximum_attempts=2, initial_interval=0), raises_on_failure=True, **TASKS
)
def lost():
    tried.append("lost")
    if len(tried) == 1:
        begun.set()
        released.wait(200)
    if len(tried) == 2:
        raise ValueError("this one counts")
    return len(tried)


class Loses(Retried):
    name = "retries_and.loses"

    def run(self):
        return self.submit(lost).result

    def on_task_failure(self, ctx):
        assert ctx.retry_count == 0  # it is not asked about the lost one


def test_an_attempt_whose_worker_was_lost_costs_no_retry(tmp_path):
    try:
        with Lab(tmp_path / "lab.sqlite") as lab:
            lab.start(Loses, workflow_id="loses")
            assert begun.wait(200)
        with Lab(tmp_path / "lab.sqlite") as lab:
            [execution] = lab.resume("loses")
            assert execution.result(200) == 3
            assert types_of(execution, "ActivityTaskTimedOut", "ActivityTaskFailed", "ActivityTaskCompleted") == [
                "ActivityTaskTimedOut",
                "ActivityTaskFailed",
                "ActivityTaskCompleted",
            ]
            replays(execution, Loses, lab)
    finally:
        released.set()


# -- equal calls, and the next run -------------------------------------------------------------------------------------


@activity.with_attributes(
    name="retries_and.once", retry=Retry(maximum_attempts=3, initial_interval=60), idempotent=True, **TASKS
)
def once(key):
    tried.append(key)
    if tried.count(key) < 3:
        raise ValueError("not yet")
    return tried.count(key)


class Twice(Retried):
    name = "retries_and.twice"

    def run(self):
        first = self.submit(once, "a")
        self.submit(self.start_timer("a while", 70)).wait()
        return [first.done, *futures.wait(first, self.submit(once, "a"), self.submit(once, "b"))]


def test_equal_calls_are_one_task_with_one_row_of_attempts(virtual_lab):
    execution = virtual_lab.start(Twice)
    assert execution.result(200) == [False, 3, 3, 3]
    assert len(types_of(execution, "ActivityTaskScheduled")) == 6
    replays(execution, Twice, virtual_lab)


class GoesOn(Retried):
    name = "retries_and.goes_on"

    def run(self, runs):
        task = self.submit(slowly, 2, f"run {runs}")
        if runs:
            self.submit(self.start_timer("a while", 30)).wait()
            self.submit(self.continue_as_new(runs - 1)).wait()
        return task.result


def test_the_next_run_starts_with_no_attempts(virtual_lab):
    execution = virtual_lab.start(GoesOn, 1)
    assert execution.result(200) == 2
    assert sorted(tried) == ["run 0", "run 0", "run 1"]
    replay_all(execution, GoesOn)


# -- large values ------------------------------------------------------------------------------------------------------


class FailingChild(Retried):
    name = "retries_and.failing_child"
    retry = Retry(maximum_attempts=3, initial_interval=1)

    def run(self, text, key):
        tried.append(key)
        if self.submit(count, key).result < 3:
            raise ValueError("not yet")
        return len(text)


@activity.with_attributes(name="retries_and.count", **TASKS)
def count(key):
    tried.append(f"counted {key}")
    return tried.count(f"counted {key}")


@activity.with_attributes(name="retries_and.make", **TASKS)
def make(length):
    return "x" * length


class LargeChild(Retried):
    name = "retries_and.large_child"

    def run(self, length, key):
        return self.submit(FailingChild, self.submit(make, length), key).result


def test_a_child_with_a_large_input_is_tried_again_with_the_same(lab_for_large, request):
    execution = lab_for_large.start(LargeChild, 50_000, request.node.name)
    assert execution.result(200) == 50_000
    inputs = inputs_of(execution, "StartChildWorkflowExecutionInitiated")
    assert len(inputs) == 3
    assert len(set(inputs)) == 1
    assert len(inputs[0]) < 1_000
    assert [seconds for _, seconds in timers_of(execution)] == [1, 2]


@activity.with_attributes(name="retries_and.picky", raises_on_failure=True, **TASKS)
def picky(large, n, *, frame=None):
    if n < 2:
        raise ValueError(f"{len(large)}, {n}")
    return [len(large), n, None if frame is None else len(frame)]


class Hooked(Retried):
    name = "retries_and.hooked"

    def run(self, length, how, n):
        self.how = how
        frame = pd.DataFrame({"n": range(3)})
        return self.submit(picky, self.submit(make, length), n, frame=frame).result

    def on_task_failure(self, ctx):
        assert ctx.retry_count < 2
        large, n = ctx.a_task.args
        given = ctx.event["input"]
        assert type(large) is str
        assert given["args"] == [large, n]
        assert "__jumbo" not in given
        if self.how == "the other":
            ctx.a_task.args = (large, n + 1)
        elif self.how == "the large":
            ctx.a_task.args = (large + "y", n + 2)
        elif self.how == "the frame":
            ctx.a_task.kwargs["frame"].loc[3] = [3]
            ctx.a_task.args = (large, n + 1)
        return ctx.decide_retry() if ctx.retry_count < 1 else None


@pytest.mark.parametrize(
    ("how", "n", "result"),
    [
        ("nothing", 1, None),
        ("the other", 1, [40_000, 2, 3]),
        ("the large", 0, [40_001, 2, 3]),
        ("the frame", 1, [40_000, 2, 4]),
    ],
)
def test_the_hook_sees_large_arguments_as_they_are_and_what_it_leaves_stays_where_it_is(lab_for_large, how, n, result):
    execution = lab_for_large.start(Hooked, 40_000, how, n)
    if result is None:
        with pytest.raises(WorkflowExecutionFailed, match="40000, 1"):
            execution.result(200)
    else:
        assert execution.result(200) == result
    first, second = inputs_of(execution, "ActivityTaskScheduled")[1:]
    assert json.loads(first)["__jumbo"] == [["args", 0]]
    if how == "nothing":
        assert second == first
    elif how == "the large":
        assert "__jumbo" not in second
        assert len(second) < 1_000
    else:
        assert json.loads(second)["args"][0] == json.loads(first)["args"][0]
        assert json.loads(second)["__jumbo"] == [["args", 0]]
