"""Retries as authors see them: how often, after how long, after which errors."""

from __future__ import annotations

import datetime
import itertools

import pytest

from simpleflow_lab import Lab, Retry, Workflow, activity
from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.exceptions import TaskFailed, WorkflowExecutionFailed
from tests.authors.replaying import replay_all, timers_of, types_of

TASKS = {"task_list": "retries", "version": "1"}

tries: dict[tuple[str, str], int] = {}


def again() -> int:
    """Which attempt of the running activity task this is."""
    context = activity.current_context()
    task = context["run_id"], context["activity_id"]
    tries[task] = tries.get(task, 0) + 1
    return tries[task]


def seconds_between(execution, event_type):
    times = [event.timestamp for event in execution.history() if event.type == event_type]
    return [round((b - a) / datetime.timedelta(seconds=1)) for a, b in itertools.pairwise(times)]


def one_task(of, type_name, **attributes):
    """A workflow that submits one activity and tells how it ended."""

    def run(self, *args):
        future = self.submit(of, *args)
        return [future.result, type(future.exception).__name__]

    return type("OneTask", (Workflow,), {"name": type_name, "task_list": "retries", "run": run, **attributes})


@activity.with_attributes(
    name="retries.backing_off", retry=Retry(maximum_attempts=5, initial_interval=60, maximum_interval=300), **TASKS
)
def backing_off(succeed_at):
    attempt = again()
    if attempt < succeed_at:
        raise ConnectionError("busy")
    return attempt


BackingOff = one_task(backing_off, "retries.backing_off_flow")


def test_each_wait_is_longer_and_is_a_timer_of_swf(shared_lab):
    """EH-04."""
    execution = shared_lab.start(BackingOff, 5)
    assert execution.result(200) == [5, "NoneType"]
    name = "__simpleflow_task_activity-retries.backing_off-1"  # upstream's name, used again once it has fired
    assert timers_of(execution) == [(name, 60), (name, 120), (name, 240), (name, 300)]
    waited = seconds_between(execution, "ActivityTaskScheduled")
    assert all(wait <= seen <= wait + 2 for wait, seen in zip([60, 120, 240, 300], waited, strict=True))
    replay_all(execution, BackingOff)


def test_when_the_attempts_are_used_up_the_task_has_failed(shared_lab):
    """P14: upstream waited once more before it gave up."""
    execution = shared_lab.start(BackingOff, 100)
    assert execution.result(200) == [None, "TaskFailed"]
    assert len(types_of(execution, "ActivityTaskFailed")) == 5
    assert len(timers_of(execution)) == 4
    replay_all(execution, BackingOff)


@activity.with_attributes(name="retries.at_once", retry=2, **TASKS)
def at_once(succeed_at):
    attempt = again()
    if attempt < succeed_at:
        raise ConnectionError("busy")
    return attempt


AtOnce = one_task(at_once, "retries.at_once_flow")


def test_a_number_of_retries_is_without_any_wait(shared_lab):
    """TO-03: two retries are three attempts."""
    execution = shared_lab.start(AtOnce, 3)
    assert execution.result(200) == [3, "NoneType"]
    assert timers_of(execution) == []
    assert shared_lab.start(AtOnce, 4).result(200) == [None, "TaskFailed"]


@activity.with_attributes(
    name="retries.jittery", retry=Retry(maximum_attempts=4, initial_interval=1000, jitter=0.5), **TASKS
)
def jittery():
    raise ValueError


Jittery = one_task(jittery, "retries.jittery_flow")


def test_jitter_differs_between_runs_and_is_the_same_in_a_replay(shared_lab):
    runs = [shared_lab.start(Jittery) for _ in range(3)]
    for execution in runs:
        execution.result(200)
        replay_all(execution, Jittery)
    drawn = [[wait for _, wait in timers_of(execution)] for execution in runs]
    assert len({tuple(waits) for waits in drawn}) == 3
    for waits in drawn:
        for wait, middle in zip(waits, [1000, 2000, 4000], strict=True):
            assert middle / 2 <= wait <= middle * 1.5


class Permanent(ValueError):
    """Nothing that a retry could mend."""


@activity.with_attributes(
    name="retries.choosy", retry=Retry(initial_interval=0, on=[OSError, "Flaky"], not_on=[FileNotFoundError]), **TASKS
)
def choosy(error):
    again()
    raise {
        "permanent": Permanent,
        "connection": ConnectionResetError,
        "missing": FileNotFoundError,
        "flaky": type("Flaky", (Exception,), {}),
    }[error]


Choosy = one_task(choosy, "retries.choosy_flow")


@pytest.mark.parametrize(("error", "attempts"), [("permanent", 1), ("connection", 3), ("missing", 1), ("flaky", 3)])
def test_only_the_errors_that_the_policy_names_are_tried_again(shared_lab, error, attempts):
    execution = shared_lab.start(Choosy, error)
    assert execution.result(200) == [None, "TaskFailed"]
    assert len(types_of(execution, "ActivityTaskFailed")) == attempts
    replay_all(execution, Choosy)


pushed = []
"""The clock of the current Lab."""


by_timeout = Retry(initial_interval=10, timeouts={"HEARTBEAT": 2, "START_TO_CLOSE": 0})


@activity.with_attributes(name="retries.silent", heartbeat_timeout=100, retry=by_timeout, **TASKS)
def silent(succeed_at):
    if again() < succeed_at:
        pushed[-1].advance(101)


@activity.with_attributes(name="retries.slow", start_to_close_timeout=100, retry=by_timeout, **TASKS)
def slow(succeed_at):
    if again() < succeed_at:
        pushed[-1].advance(101)


Silent = one_task(silent, "retries.silent_flow")
Slow = one_task(slow, "retries.slow_flow")


@pytest.mark.parametrize(
    ("workflow", "succeed_at", "attempts", "ended"),
    [(Silent, 3, 3, "NoneType"), (Silent, 4, 3, "TimeoutError"), (Slow, 2, 1, "TimeoutError")],
)
def test_each_type_of_timeout_has_its_own_number_of_retries(shared_lab, workflow, succeed_at, attempts, ended):
    """Issue 242 of upstream: more retries for heartbeats that stay out, none for tasks that run too long."""
    pushed.append(shared_lab.clock)
    execution = shared_lab.start(workflow, succeed_at)
    assert execution.result(200) == [None, ended]
    assert len(types_of(execution, "ActivityTaskScheduled")) == attempts
    assert [wait for _, wait in timers_of(execution)] == [10, 20][: attempts - 1]
    replay_all(execution, workflow)


@activity.with_attributes(
    name="retries.expiring",
    retry=Retry(maximum_attempts=None, initial_interval=100, backoff_coefficient=1, expiration=350),
    **TASKS,
)
def expiring():
    raise ValueError


Expiring = one_task(expiring, "retries.expiring_flow")


def test_no_attempt_is_made_after_the_expiration(shared_lab):
    execution = shared_lab.start(Expiring)
    assert execution.result(200) == [None, "TaskFailed"]
    assert len(types_of(execution, "ActivityTaskFailed")) == 4  # at 0, 100, 200 and 300 s
    replay_all(execution, Expiring)


class FailingChild(Workflow):
    name = "retries.failing_child"
    task_list = "retries"
    retry = Retry(maximum_attempts=3, initial_interval=30, on=[LookupError])

    def run(self, error):
        raise {"key": KeyError("k"), "value": ValueError("v")}[error]


class WithChild(Workflow):
    name = "retries.with_child"
    task_list = "retries"

    def run(self, error):
        return self.submit(FailingChild, error).result


@pytest.mark.parametrize(("error", "waits"), [("key", [30, 60]), ("value", [])])
def test_a_child_workflow_is_tried_again_by_its_policy(shared_lab, error, waits):
    """EH-07; of a child the reason says what was raised."""
    execution = shared_lab.start(WithChild, error)
    with pytest.raises(WorkflowExecutionFailed):
        execution.result(200)
    assert [wait for _, wait in timers_of(execution)] == waits
    assert len(types_of(execution, "ChildWorkflowExecutionFailed")) == len(waits) + 1
    replay_all(execution, WithChild)


@activity.with_attributes(
    name="retries.aloud", retry=Retry(maximum_attempts=2, initial_interval=0), raises_on_failure=True, **TASKS
)
def aloud():
    raise ValueError("again and again")


class Aloud(Workflow):
    name = "retries.aloud_flow"
    task_list = "retries"

    def run(self):
        try:
            return self.submit(aloud).result
        except TaskFailed as error:
            return error.reason


def test_the_last_error_is_the_one_that_is_raised(shared_lab):
    """EH-03."""
    assert shared_lab.start(Aloud).result(200) == "ValueError: again and again"


class SideBySide(Workflow):
    """Waits of several tasks at once, among other things."""

    name = "retries.side_by_side"
    task_list = "retries"

    def run(self):
        futures = [self.submit(backing_off, n) for n in (1, 2, 3)]
        return [future.result for future in futures]


def test_tasks_wait_side_by_side(shared_lab):
    execution = shared_lab.start(SideBySide)
    assert execution.result(200) == [1, 2, 3]
    assert sorted(wait for _, wait in timers_of(execution)) == [60, 60, 120]
    replay_all(execution, SideBySide)


def test_a_wait_outlives_the_process_that_began_it(tmp_path):
    """A Lab that opens the store again finds the timer, and a decider that never saw the run goes on with it."""
    clock = ManualClock()
    with Lab(tmp_path / "store.sqlite", clock=clock) as first:
        begun = first.start(BackingOff, 2)
        next(_ for _ in begun.watch() if types_of(begun, "TimerStarted"))
    clock.advance(61)
    with Lab(tmp_path / "store.sqlite", clock=clock) as second:
        [execution] = second.resume(begun.workflow_id)
        result = execution.result(200)
        timers = timers_of(execution)
    assert result == [2, "NoneType"]
    assert timers == [("__simpleflow_task_activity-retries.backing_off-1", 60)]
