"""Cancel requests that reach `run` (EH-10)."""

import contextlib
import threading

import pytest

from simpleflow_lab import Chain, Workflow, activity
from simpleflow_lab.exceptions import ExecutionBlocked, WorkflowCanceled, WorkflowExecutionCanceled
from tests.test_properties import replays_as_recorded

TASKS = {"task_list": "cancellation", "version": "1"}

done: list[str] = []


@activity.with_attributes(name="cancellation.do", **TASKS)
def do(what):
    done.append(what)
    return what


class CleansUp(Workflow):
    name = "cancellation.cleans_up"
    task_list = "cancellation"
    cancellation = "raise"
    seen: list[str] = []  # noqa: RUF012

    def run(self, how):
        chain = self.submit(Chain((do, "begin"), self.wait_signal("next"), (do, "not any more")))
        try:
            self.submit(self.start_timer("long", 3600)).wait()
        except WorkflowCanceled:
            cleaned = self.submit(do, "clean up").result
            if how == "raise":
                raise
            return [cleaned, chain.cancelled]
        return "not canceled"

    def on_canceled(self, history):
        self.seen.append("on_canceled")


def stands(execution):
    """Wait until the first step of the chain is done and the code waits."""
    for _ in execution.watch(timeout=200):
        types = [event.type for event in execution.history()]
        if "ActivityTaskCompleted" in types and types[-1] == "DecisionTaskCompleted":
            return


@pytest.fixture(autouse=True)
def _nothing_is_done():
    done.clear()
    CleansUp.seen.clear()


@pytest.mark.parametrize("replay_cache_size", [0, 500])
def test_a_workflow_cleans_up_and_is_canceled(lab, replay_cache_size):
    execution = lab.start(CleansUp, "raise")
    stands(execution)
    execution.request_cancel()
    with pytest.raises(WorkflowExecutionCanceled):
        execution.result(200)
    assert done == ["begin", "clean up"]
    assert CleansUp.seen == ["on_canceled"]


def test_a_workflow_that_goes_on_after_a_cancel_request_may_complete(lab):
    execution = lab.start(CleansUp, "return")
    stands(execution)
    execution.request_cancel()
    assert execution.result(200) == ["clean up", True]
    assert CleansUp.seen == []
    replays_as_recorded(CleansUp, execution.history(), execution.workflow_id, execution.run_id)


def test_it_is_raised_once_though_it_is_asked_twice(lab):
    class Twice(Workflow):
        name = "cancellation.twice"
        task_list = "cancellation"
        cancellation = "raise"

        def run(self):
            raised = 0
            for name in ("first", "second"):
                try:
                    self.submit(self.wait_signal(name)).wait()
                except WorkflowCanceled:
                    raised += 1
            return raised

    execution = lab.start(Twice)
    for _ in execution.watch(timeout=200):
        if [event.type for event in execution.history()][-1] == "DecisionTaskCompleted":
            break
    execution.request_cancel()
    for _ in execution.watch(timeout=200):
        types = [event.type for event in execution.history()]
        if types.count("DecisionTaskCompleted") == 2:
            break
    try:
        execution.request_cancel()
    finally:
        execution.signal("second")
    assert execution.result(200) == 1


def test_except_exception_around_a_task_does_not_swallow_it(lab):
    class Broad(Workflow):
        name = "cancellation.broad"
        task_list = "cancellation"
        cancellation = "raise"

        def run(self):
            while True:
                with contextlib.suppress(Exception):
                    self.submit(self.wait_signal("never")).wait()

    execution = lab.start(Broad)
    for _ in execution.watch(timeout=200):
        if [event.type for event in execution.history()][-1] == "DecisionTaskCompleted":
            break
    execution.request_cancel()
    with pytest.raises(WorkflowExecutionCanceled):
        execution.result(200)


def test_a_workflow_that_raises_execution_blocked_is_canceled_where_it_raises_it(lab):
    class Blocks(Workflow):
        name = "cancellation.blocks"
        task_list = "cancellation"
        cancellation = "raise"

        def run(self):
            if not self.submit(self.wait_signal("never")).finished:
                raise ExecutionBlocked

    execution = lab.start(Blocks)
    for _ in execution.watch(timeout=200):
        if [event.type for event in execution.history()][-1] == "DecisionTaskCompleted":
            break
    execution.request_cancel()
    with pytest.raises(WorkflowExecutionCanceled):
        execution.result(200)


def test_by_default_it_closes_at_once_and_nothing_more_runs(lab):
    begun, released = threading.Event(), threading.Event()

    @activity.with_attributes(name="cancellation.long", **TASKS)
    def long():
        begun.set()
        released.wait(200)

    class Closes(Workflow):
        name = "cancellation.closes"
        task_list = "cancellation"

        def run(self):
            try:
                self.submit(long).wait()
            except WorkflowCanceled:
                self.submit(do, "never")
                raise

    try:
        execution = lab.start(Closes)
        assert begun.wait(200)
        execution.request_cancel()
        with pytest.raises(WorkflowExecutionCanceled):
            execution.result(200)
    finally:
        released.set()
    assert done == []


def test_running_activities_are_asked_to_cancel_while_the_workflow_cleans_up(lab):
    begun, released = threading.Event(), threading.Event()

    @activity.with_attributes(name="cancellation.runs", **TASKS)
    def runs():
        begun.set()
        released.wait(200)

    class CancelsAll(Workflow):
        name = "cancellation.cancels_all"
        task_list = "cancellation"
        cancellation = "raise"

        def run(self):
            try:
                self.submit(runs).wait()
            except WorkflowCanceled:
                self.submit(do, "clean up").wait()
                raise

    try:
        execution = lab.start(CancelsAll)
        assert begun.wait(200)
        execution.request_cancel()
        with pytest.raises(WorkflowExecutionCanceled):
            execution.result(200)
    finally:
        released.set()
    events = [event for event in execution.history() if event.type == "ActivityTaskCancelRequested"]
    assert [event.attributes["activityId"] for event in events] == ["activity-cancellation.runs-1"]
    assert done == ["clean up"]
    replays_as_recorded(CancelsAll, execution.history(), execution.workflow_id, execution.run_id)


def test_an_idempotent_task_given_up_before_it_was_asked_for_can_be_asked_for(lab):
    @activity.with_attributes(name="cancellation.once", idempotent=True, **TASKS)
    def once(x):
        return x

    class Again(Workflow):
        name = "cancellation.again"
        task_list = "cancellation"

        def run(self):
            self.submit(once, 1).cancel()
            return self.submit(once, 1).result

    assert lab.start(Again).result(200) == 1
