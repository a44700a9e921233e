"""An author is told of their own error first, and of the failure that led to it."""

from __future__ import annotations

import json
import pickle
import re
import time

import pytest

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.canvas import FuncGroup
from simpleflow_lab.exceptions import (
    NondeterminismError,
    WorkflowExecutionFailed,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
)
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.replay.trace import watch
from tests.replay.story import Story

TASKS = {"task_list": "causes", "version": "1"}
DAY = 24 * 3600


@activity.with_attributes(name="causes.load", **TASKS)
def load():
    raise OSError("disk full")


@activity.with_attributes(name="causes.check", raises_on_failure=True, **TASKS)
def check():
    raise LookupError("no such row")


class ReadsNone(Workflow):
    """Goes on with the `None` of a failed activity, and dies of it."""

    name, version, task_list = "causes.reads_none", "1", "causes"

    def run(self):
        return [line.strip() for line in self.submit(load).result]


class Several(Workflow):
    name, version, task_list = "causes.several", "1", "causes"

    def run(self):
        total = 0
        for part in futures.wait([self.submit(load) for _ in range(3)]):
            total += part
        return total


class Raises(Workflow):
    name, version, task_list = "causes.raises", "1", "causes"

    def run(self):
        self.submit(load).wait()
        return self.submit(check).result


class GivesUp(Workflow):
    name, version, task_list = "causes.gives_up", "1", "causes"

    def run(self):
        if self.submit(load).result is None:
            self.fail("nothing was loaded")


def failure_of(lab: Lab, workflow: type[Workflow]):
    execution = lab.start(workflow)
    with pytest.raises(WorkflowExecutionFailed) as failed:
        execution.result(60)
    return execution, failed.value


def test_an_error_that_a_swallowed_failure_led_to_names_that_failure():
    with Lab(":memory:") as lab:
        execution, error = failure_of(lab, ReadsNone)
        raised = "TypeError: 'NoneType' object is not iterable"
        after = f"{raised} (after activity-causes.load-1: OSError: disk full, not handled)"
        assert error.reason == after
        assert (
            "Before this error, and not handled by the workflow, failed:\n  activity-causes.load-1: OSError: disk full"
            in (error.details)
        )
        assert error.details.endswith("TypeError: 'NoneType' object is not iterable\n")
        assert list(execution.unhandled_failures()["id"]) == ["activity-causes.load-1"]
        assert repr(execution).endswith(f": FAILED, {after}>")
        page = execution._repr_html_()
        assert "1 failure unhandled:</strong> the workflow did not handle the failure of it" in page


def test_of_several_the_first_is_named_and_all_are_listed():
    with Lab(":memory:") as lab:
        execution, error = failure_of(lab, Several)
        first = execution.tasks().sort_values("closed_event_id")["id"].iloc[0]
        assert f"(after {first}: OSError: disk full, and 2 more, not handled)" in error.reason
        assert all(f"  activity-causes.load-{n}: OSError: disk full\n" in error.details for n in (1, 2, 3))
        assert len(execution.unhandled_failures()) == 3


def test_the_error_of_a_task_stays_the_reason_and_the_details_tell_the_other():
    with Lab(":memory:") as lab:
        execution, error = failure_of(lab, Raises)
        assert error.reason == "TaskFailed: activity-causes.check-1: LookupError: no such row"
        assert "activity-causes.load-1: OSError: disk full" in error.details
        assert list(execution.unhandled_failures()["id"]) == ["activity-causes.load-1"]


def test_a_reason_of_the_authors_own_comes_first_and_the_failure_before_it_is_named():
    with Lab(":memory:") as lab:
        execution, error = failure_of(lab, GivesUp)
        assert error.reason == "nothing was loaded (after activity-causes.load-1: OSError: disk full, not handled)"
        assert error.details.endswith("failed:\n  activity-causes.load-1: OSError: disk full")
        assert repr(execution).endswith(f": FAILED, {error.reason}>")
        assert list(execution.unhandled_failures()["id"]) == ["activity-causes.load-1"]


class LoadsInAChild(Workflow):
    name, version, task_list = "causes.loads_in_a_child", "1", "causes"

    def run(self):
        return self.submit(load).result


class ReadsNoneOfAChild(Workflow):
    name, version, task_list = "causes.reads_none_of_a_child", "1", "causes"

    def run(self):
        return self.submit(LoadsInAChild).result["x"]


class Grandparent(Workflow):
    name, version, task_list = "causes.grandparent", "1", "causes"

    def run(self):
        return self.submit(ReadsNoneOfAChild).result


@pytest.mark.parametrize("workflow", [ReadsNoneOfAChild, Grandparent])
def test_what_a_child_swallowed_is_named_in_the_error_of_whoever_reads_its_none(workflow):
    with Lab(":memory:") as lab:
        execution, error = failure_of(lab, workflow)
        first, second, *_ = str(error).splitlines()
        assert "TypeError: 'NoneType' object is not subscriptable" in first
        assert second.startswith(
            "Before this error, 1 failure was not handled in its children: load-1 (OSError: disk full) in "
        )
        assert pickle.loads(pickle.dumps(error)).below == error.below
        assert "; 1 failure was not handled in its children: load-1 (OSError: disk full) in " in repr(execution)
        [(task, child)] = execution.unhandled_failures()[["id", "in_child"]].itertuples(index=False)
        assert (task, child) == ("activity-causes.load-1", lab.execution(child).workflow_id)
        assert lab.execution(child).result() is None


class CompletesAllTheSame(Workflow):
    name, version, task_list = "causes.completes", "1", "causes"

    def run(self):
        self.submit(load).wait()
        return self.submit(LoadsInAChild).result


def test_an_execution_that_completed_all_the_same_names_its_own_and_those_of_its_children():
    with Lab(":memory:") as lab:
        execution = lab.start(CompletesAllTheSame)
        assert execution.result(60) is None
        own, below = execution.unhandled_failures()[["id", "in_child"]].itertuples(index=False)
        assert (isinstance(own.in_child, str), isinstance(below.in_child, str)) == (False, True)
        said = (
            "1 failure was not handled: load-1 (OSError: disk full); 1 failure was not handled in its children: load-1"
        )
        assert f": COMPLETED; {said}" in repr(execution)
        page = execution._repr_html_()
        assert "1 failure unhandled:</strong>" in page
        assert "1 failure unhandled in its children:</strong>" in page
        assert f"{below.in_child}, activity-causes.load-1: failed: OSError: disk full" in page


class LoadsInItsSecondRun(Workflow):
    name, version, task_list = "causes.second_run", "1", "causes"

    def run(self, n):
        return self.submit(self.continue_as_new(n - 1)).result if n else self.submit(load).result


class ReadsNoneOfALaterRun(Workflow):
    name, version, task_list = "causes.none_of_a_later_run", "1", "causes"

    def run(self):
        return self.submit(LoadsInItsSecondRun, 2).result["x"]


def test_what_a_later_run_of_a_child_swallowed_is_named_too():
    with Lab(":memory:") as lab:
        execution, error = failure_of(lab, ReadsNoneOfALaterRun)
        assert "1 failure was not handled in its children: load-1 (OSError: disk full) in " in str(error)
        assert list(execution.unhandled_failures()["id"]) == ["activity-causes.load-1"]


class ReadsNoneDaysLater(Workflow):
    name, version, task_list, execution_timeout = "causes.none_days_later", "1", "causes", 50 * DAY

    def run(self):
        nothing = self.submit(LoadsInAChild).result
        self.submit(self.start_timer("weeks", 40 * DAY)).wait()
        return nothing["x"]


def test_a_child_that_is_deleted_by_now_holds_nothing_up():
    with Lab(":memory:", clock="virtual") as lab:
        execution, error = failure_of(lab, ReadsNoneDaysLater)
        assert [each.kind for each in execution.attempts()] == ["child", "timer"]
        assert execution.unhandled_failures().empty
        assert error.below == ""
        assert repr(execution).endswith(f": FAILED, {error.reason}>")


class Waits(Workflow):
    name, version, task_list, execution_timeout = "causes.waits", "1", "causes", 3600

    def run(self, handles=False):
        failed = self.submit(load)
        assert failed.result is None
        self.submit(self.wait_signal("go")).wait()
        if handles:
            assert failed.exception
        self.submit(self.wait_signal("end")).wait()


@pytest.mark.parametrize("handles", [False, True])
def test_an_execution_that_is_terminated_keeps_what_it_had_not_handled_by_then(handles):
    with Lab(":memory:") as lab:
        execution = lab.start(Waits, handles)
        while "signal go" not in execution.waits_in_short():
            time.sleep(0.01)
        execution.signal("go")
        while "signal end" not in execution.waits_in_short():
            time.sleep(0.01)
        execution.terminate()
        assert ("not handled: load-1 (OSError" in repr(execution)) is not handles
        with pytest.raises(WorkflowExecutionTerminated) as ended:
            execution.result(60)
        assert ("1 failure was not handled: load-1 (OSError: disk full)" in str(ended.value)) is not handles
        assert list(execution.unhandled_failures()["id"]) == ([] if handles else ["activity-causes.load-1"])


def test_an_execution_that_times_out_keeps_what_it_had_not_handled():
    with Lab(":memory:", clock="virtual") as lab:
        execution = lab.start(Waits)
        with pytest.raises(
            WorkflowExecutionTimedOut, match=r"1 failure was not handled: load-1 \(OSError: disk full\)"
        ):
            execution.result(60)
        assert list(execution.unhandled_failures()["id"]) == ["activity-causes.load-1"]


# -- an error of the author's that comes with a divergence -------------------------------------------------------------


class Loads(Workflow):
    name, version, task_list = "causes.loads", "1", "causes"

    def run(self):
        self.submit(load).wait()
        self.submit(self.start_timer("t", 3)).wait()


class MissesTheActivity(Loads):
    def run(self):
        self.submit(laod).wait()  # noqa: F821  a name that the restarted process doesn't define
        self.submit(self.start_timer("t", 3)).wait()


class MissesItInAGroup(Loads):
    def run(self):
        group = self.submit(FuncGroup(lambda: laod))  # noqa: F821
        self.submit(self.start_timer("t", 3)).wait()
        return group.result


@pytest.mark.parametrize("workflow", [MissesTheActivity, MissesItInAGroup])
def test_an_error_of_the_code_comes_before_any_word_about_determinism(workflow):
    story = Story(Loads)
    for decision in story.decide():
        story.record(decision)
    story.add("ActivityTaskFailed", scheduledEventId=len(story.events), reason="OSError: disk full")
    for decision in story.decide():
        story.record(decision)
    story.add("DecisionTaskScheduled", taskList={"name": "causes"})
    replay = Replay(workflow, workflow_id="w", run_id="r")
    with pytest.raises(NondeterminismError) as raised:
        replay.feed(story.events)
    said = str(raised.value)
    assert re.match(r"NameError: name 'laod' is not defined.*, at test_root_causes\.py:\d+, .*laod", said), said
    assert "changed" not in said
    record = list(watch(workflow, story.events, workflow_id="w", run_id="r", on_divergence="collect"))[-1]
    assert record.error == f"NondeterminismError: {said}"


def test_without_an_error_the_message_is_about_the_difference():
    story = Story(Loads)
    for decision in story.decide():
        story.record(decision)
    story.add("WorkflowExecutionSignaled", signalName="x", input=json.dumps(None))

    class Other(Loads):
        def run(self):
            self.submit(check).wait()

    replay = Replay(Other, workflow_id="w", run_id="r")
    with pytest.raises(NondeterminismError, match=r"^event 5: the history has activity causes\.load") as raised:
        replay.feed(story.events)
    assert raised.value.author_error is None


class FailsBelow(Workflow):
    name, version, task_list = "causes.fails_below", "1", "causes"

    def run(self, levels):
        if not levels:
            raise LookupError("no such row")
        return self.submit(FailsBelow, levels - 1).result[0]


@pytest.mark.parametrize("levels", [1, 2, 4, 9])
def test_the_innermost_error_is_told_first_however_many_children_are_between(levels):
    with Lab(":memory:") as lab:
        execution = lab.start(FailsBelow, levels)
        with pytest.raises(WorkflowExecutionFailed) as raised:
            execution.result(60)
        assert "LookupError: no such row" in str(raised.value).splitlines()[0]
        assert "LookupError: no such row" in repr(execution)
        assert "LookupError: no such row" in execution.explain()[0].text
