"""`ExecutionBlocked` raised by the author, with all else that a workflow may wait for.

The law: each command is made once, and a cached replay decides as one made anew.
"""

from __future__ import annotations

import threading

import pytest

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.exceptions import ExecutionBlocked, WorkflowCanceled, WorkflowExecutionCanceled
from simpleflow_lab.futures import FIRST_COMPLETED
from simpleflow_lab.retry import Retry
from tests.authors.replaying import timers_of, types_of
from tests.test_properties import replays_as_recorded

TASKS = {"task_list": "rerun-and", "version": "1"}


@activity.with_attributes(name="rerun_and.echo", **TASKS)
def echo(value):
    return value


@activity.with_attributes(name="rerun_and.count", **TASKS)
def count(text):
    return len(text)


@activity.with_attributes(name="rerun_and.fails", **TASKS)
def fails(*args):
    raise ValueError("no luck")


@activity.with_attributes(
    name="rerun_and.backs_off", retry=Retry(maximum_attempts=3, initial_interval=60), raises_on_failure=True, **TASKS
)
def backs_off(key):
    tried.append(key)
    if tried.count(key) < 3:
        raise ValueError("not yet")
    return tried.count(key)


tried: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_tried():
    tried.clear()


@pytest.fixture(params=[0, 500], ids=["anew", "cached"])
def replay_cache_size(request):
    """How many replays a decider caches."""
    return request.param


def result_of(lab, workflow, *args):
    """The execution, after its result was had and all was replayed."""
    execution = lab.start(workflow, *args)
    result = execution.result(60)
    replays_as_recorded(workflow, execution.history(), execution.workflow_id, execution.run_id, lab.domain)
    return result, execution


def until_all_done(*futures):
    """Upstream's way to wait."""
    if not all(future.done for future in futures):
        raise ExecutionBlocked


class OnWorkflow(Workflow):
    task_list = "rerun-and"


# -- time --------------------------------------------------------------------------------------------------------------


class Deadlines(OnWorkflow):
    """Two deadlines, of which the first is not needed any more when the code runs again."""

    name = "rerun_and.deadlines"

    def run(self):
        first = self.submit(echo, 1)
        quick = futures.wait(first, timeout=600)
        hour = self.submit(self.start_timer("hour", 3_600))
        slow = futures.wait(hour, timeout=60)
        until_all_done(hour)
        came = [future.result for future in futures.as_completed([first, self.submit(echo, 2)], timeout=30)]
        until_all_done(self.submit(self.start_timer("another", 7_200)))
        return [len(quick.done), len(slow.not_done), came]


def test_deadlines_are_the_same_ones_each_time(virtual_lab, replay_cache_size):
    result, execution = result_of(virtual_lab, Deadlines)
    assert result == [1, 0, [1, 2]]  # run again, the slow one is done by then
    started = [(name, seconds) for name, seconds in timers_of(execution) if name.startswith("_simpleflow_deadline")]
    assert [seconds for _, seconds in started] == [600, 60, 30]
    assert len({name for name, _ in started}) == 3


class EitherOr(OnWorkflow):
    name = "rerun_and.either_or"

    def run(self):
        slow, quick = self.submit(self.start_timer("slow", 7_200)), self.submit(self.start_timer("quick", 600))
        first = futures.wait(slow, quick, return_when=FIRST_COMPLETED, timeout=60)
        until_all_done(quick)
        if not slow.done:
            slow.cancel()
        until_all_done(self.submit(echo, 1))
        return [future.task_id for future in first.done]


def test_futures_waited_for_with_a_timeout_are_waited_for_again(virtual_lab, replay_cache_size):
    result, execution = result_of(virtual_lab, EitherOr)
    assert result == ["slow", "quick"]  # run again, it finds the slow one canceled
    assert len(types_of(execution, "TimerCanceled")) == 1


class BacksOff(OnWorkflow):
    name = "rerun_and.backs_off_workflow"

    def run(self, key):
        task = self.submit(backs_off, key)
        until_all_done(self.submit(self.start_timer("short", 10)))
        until_all_done(task)
        return task.result


def test_the_waits_between_attempts_go_on(virtual_lab, replay_cache_size, request):
    result, execution = result_of(virtual_lab, BacksOff, request.node.name)
    assert result == 3
    assert [seconds for name, seconds in timers_of(execution) if name.startswith("__simpleflow_task_")] == [60, 120]
    assert len(types_of(execution, "ActivityTaskScheduled")) == 3


# -- signals -----------------------------------------------------------------------------------------------------------


class Inbox(OnWorkflow):
    name = "rerun_and.inbox"

    def run(self):
        inbox, got = self.signals("letter"), []
        for letter in inbox:
            task = self.submit(echo, letter.input)
            self.submit(self.record_marker("got", letter.input))
            until_all_done(task)
            got.append(task.result)
            if letter.input == "last":
                break
        return [got, [marker.details for marker in self.list_markers(all=True)]]


def test_each_signal_is_taken_once_in_each_rerun(lab, replay_cache_size):
    execution = lab.start(Inbox)
    for letter in ("one", "two", "one", "last"):
        execution.signal("letter", letter)
    assert execution.result(60) == [["one", "two", "one", "last"], ["one", "two", "last"]]
    assert len(types_of(execution, "ActivityTaskScheduled")) == 4
    assert len(types_of(execution, "MarkerRecorded")) == 3
    replays_as_recorded(Inbox, execution.history(), execution.workflow_id, execution.run_id, lab.domain)


# -- large values and children -----------------------------------------------------------------------------------------


class Child(OnWorkflow):
    name = "rerun_and.child"

    def run(self, text, more=""):
        return text + more


class Large(OnWorkflow):
    """A large result is passed on by those that look at it and by those that don't."""

    name = "rerun_and.large"

    def run(self, text):
        made = self.submit(echo, text)
        child = self.submit(Child, made, more="!")
        counted = self.submit(count, child)
        until_all_done(made, counted)
        late = self.submit(Child, child)
        until_all_done(late)
        return [counted.result, len(late.result), self.submit(count, late).result]


def test_large_results_are_passed_on_as_before(lab_for_large, replay_cache_size):
    execution = lab_for_large.start(Large, "x" * 40_000)
    assert execution.result(60) == [40_001, 40_001, 40_001]
    assert len(types_of(execution, "ActivityTaskScheduled")) == 3
    assert len(types_of(execution, "StartChildWorkflowExecutionInitiated")) == 2
    inputs = [event.attributes["input"] for event in execution.history() if event.type == "ActivityTaskScheduled"]
    assert '"__jumbo":[["args",0]]' in inputs[1]


# -- hooks -------------------------------------------------------------------------------------------------------------


class Asking(OnWorkflow):
    """The hook waits for advice while the workflow runs again and again."""

    name = "rerun_and.asking"

    def run(self, how):
        self.how = how
        task, other = self.submit(fails, 1), self.submit(fails, 2)
        until_all_done(self.submit(self.start_timer("short", 10)))
        until_all_done(self.submit(self.start_timer("longer", 20)))
        until_all_done(task, other)
        return [task.result, other.result]

    def on_task_failure(self, ctx):
        n = ctx.a_task.args[0]
        asked = self.submit(echo, [n, ctx.retry_count])
        self.submit(self.start_timer(f"thinking {n} {ctx.retry_count}", 60)).wait()
        if self.how == "handled":
            return ctx.decide_handled(ctx.a_task, self.submit(Child, asked, [ctx.current_started_decision_id]))
        if self.how == "blocked":
            until_all_done(self.submit(self.start_timer(f"more {n} {ctx.retry_count}", 60)))
        if ctx.retry_count == 0:
            return ctx.decide_retry(5)
        ctx.future.set_finished(asked.result)
        return ctx.decide_ignore()


@pytest.mark.parametrize("how", ["ignored", "blocked", "handled"])
def test_a_hook_that_waits_goes_on_when_the_workflow_runs_again(virtual_lab, replay_cache_size, how):
    result, execution = result_of(virtual_lab, Asking, how)
    if how == "handled":
        assert [first[:2] for first in result] == [[1, 0], [2, 0]]
    else:
        assert result == [[1, 1], [2, 1]]
    echoed = 2 if how == "handled" else 4
    timers = [name for name, _ in timers_of(execution)]
    assert (
        len(timers) == len([*filter(None, timers)]) == 2 + echoed + 2 * (how != "handled") + echoed * (how == "blocked")
    )
    assert len(types_of(execution, "ActivityTaskScheduled")) == echoed + (2 if how == "handled" else 4)
    assert execution.unhandled_failures().empty


# -- cancel ------------------------------------------------------------------------------------------------------------


gates: dict[str, threading.Event] = {}


@activity.with_attributes(name="rerun_and.long", heartbeat_timeout=6, **TASKS)
def long(gate):
    opened = gates[gate]
    while not opened.wait(0.005):
        activity.heartbeat()


@activity.with_attributes(
    name="rerun_and.backs_off_for_long", retry=Retry(maximum_attempts=3, initial_interval=3600), **TASKS
)
def backs_off_for_long():
    raise ValueError("not yet")


class CleansUp(OnWorkflow):
    """Waits until it is canceled, and then for its tasks to end."""

    name = "rerun_and.cleans_up"
    cancellation = "raise"
    reruns = False

    def run(self, gate):
        task, retried = self.submit(long, gate), self.submit(backs_off_for_long)
        signal = self.submit(self.wait_signal("never"))
        if self.reruns and not self.executor.history.cancel_requested:
            until_all_done(signal)
        try:
            signal.wait()
        except WorkflowCanceled:
            futures.wait(task, retried)
            self.submit(self.record_marker("states", [task.state, retried.state]))
            raise


class CleansUpInReruns(CleansUp):
    name = "rerun_and.cleans_up_in_reruns"
    reruns = True


class Asks(CleansUp):
    """The hook of a task that failed waits when the execution is canceled."""

    name = "rerun_and.asks"

    def on_task_failure(self, ctx):
        self.submit(self.start_timer("thinking", 3_600)).wait()
        return ctx.decide_retry()


class AsksInReruns(Asks):
    name = "rerun_and.asks_in_reruns"
    reruns = True


@pytest.mark.parametrize("workflow", [CleansUp, CleansUpInReruns, Asks, AsksInReruns])
def test_all_that_is_open_is_canceled_with_the_execution(lab, replay_cache_size, workflow, request):
    gate = request.node.name
    gates[gate] = threading.Event()
    try:
        execution = lab.start(workflow, gate)
        for _ in execution.watch(timeout=60):
            types = [event.type for event in execution.history()]
            if "TimerStarted" in types and types.count("ActivityTaskStarted") == 2:
                break
        execution.request_cancel()
        with pytest.raises(WorkflowExecutionCanceled):
            execution.result(60)
    finally:
        gates.pop(gate).set()
    [marker] = [event for event in execution.history() if event.type == "MarkerRecorded"]
    assert marker.attributes["details"] == '["CANCELLED","CANCELLED"]'
    assert len(types_of(execution, "ActivityTaskScheduled")) == 2
    replays_as_recorded(workflow, execution.history(), execution.workflow_id, execution.run_id, lab.domain)
