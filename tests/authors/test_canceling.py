"""`Future.cancel`: of tasks that wait, are scheduled, run; of children, timers, signals, groups and chains.

An activity that runs is canceled when its worker says so. The Lab's own workers are kept busy here, so that the task
falls to a worker of the test, which answers as it likes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from simpleflow_lab import Chain, Group, Workflow, activity, exceptions, futures

TASKS = {"task_list": "canceling", "version": "1"}
BY_HAND = "canceling-by-hand"
LAB_THREADS = 4
pytestmark = pytest.mark.usefixtures("replays_anew")


class Gate:
    """Holds activities until it opens."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.waiting = threading.Semaphore(0)

    def hold(self) -> None:
        self.waiting.release()
        self.opened.wait(60)


gates: dict[str, Gate] = {}


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Iterator[Gate]:
    name = request.node.name
    gates[name] = made = Gate()
    made.name = name  # type: ignore[attr-defined]
    yield made
    made.opened.set()


@activity.with_attributes(name="canceling.double", **TASKS)
def double(x):
    return 2 * x


@activity.with_attributes(name="canceling.hold", task_list=BY_HAND, version="1")
def hold(gate, result=None):
    gates[gate].hold()
    return result


@activity.with_attributes(name="canceling.by_hand", task_list=BY_HAND, version="1", retry=3)
def by_hand(*args):
    raise AssertionError("the test's worker takes this")


@activity.with_attributes(
    name="canceling.by_hand_aloud", task_list=BY_HAND, version="1", retry=3, raises_on_failure=True
)
def by_hand_aloud(*args):
    raise AssertionError("the test's worker takes this")


def one_off(run, **attributes):
    """A workflow whose `run` is this function."""
    return type("OneOff", (Workflow,), {"run": run, "task_list": "canceling", **attributes})


def recorded(execution, kind, attribute="activityId"):
    return [event.attributes.get(attribute) for event in execution.history() if event.type == kind]


class Canceled(Workflow):
    """Asks for an activity and cancels it when told to."""

    name = "canceling.canceled"
    task_list = "canceling"

    def run(self, gate: str, aloud: bool = False) -> Any:
        held = [self.submit(hold, gate) for _ in range(LAB_THREADS)]
        self.submit(self.wait_signal("all are busy")).wait()
        task = self.submit(by_hand_aloud if aloud else by_hand, 1)
        self.submit(self.wait_signal("cancel")).wait()
        asked = (task.running, task.cancel(), task.cancel(), task.done)
        task.wait()
        seen = [task.state, type(task.exception).__name__ if task.exception is not None else None, task.cancel()]
        futures.wait(held)
        if aloud and task.cancelled:
            with pytest.raises(exceptions.TaskCanceled):
                task.result
            return [asked, seen]
        return [asked, seen, task.result]


def started_by_hand(lab, execution, gate):
    """The task token of the activity, in the hands of the test."""
    for _ in range(LAB_THREADS):
        assert gate.waiting.acquire(timeout=200)
    execution.signal("all are busy")
    task: dict[str, Any] = {}
    while not task.get("taskToken"):
        task = lab.service.poll_for_activity_task(domain=lab.domain, taskList={"name": BY_HAND})
    return task["taskToken"]


def wait_until_asked(lab, token):
    """Heartbeats until SWF says that the task is to be canceled."""
    pause = threading.Event()
    end = time.monotonic() + 200
    while time.monotonic() < end:
        if lab.service.record_activity_task_heartbeat(taskToken=token)["cancelRequested"]:
            return
        pause.wait(0.02)
    raise AssertionError("the cancel request never came")


ASKED = [True, True, True, False]
"""It ran; it was asked to cancel; asked again nothing more is done; it is not done yet."""


@pytest.mark.parametrize("aloud", [False, True])
def test_ub_03_a_running_activity_is_canceled_when_its_worker_says_so(lab, gate, aloud):
    execution = lab.start(Canceled, gate.name, aloud)
    token = started_by_hand(lab, execution, gate)
    execution.signal("cancel")
    wait_until_asked(lab, token)
    lab.service.respond_activity_task_canceled(taskToken=token, details="cleaned up")
    gate.opened.set()
    result = execution.result(200)
    assert result[:2] == [ASKED, ["CANCELLED", "TaskCanceled", False]]
    assert len(recorded(execution, "ActivityTaskCancelRequested")) == 1
    assert execution.unhandled_failures().empty


def test_an_activity_that_completes_first_is_finished(lab, gate):
    execution = lab.start(Canceled, gate.name)
    token = started_by_hand(lab, execution, gate)
    execution.signal("cancel")
    wait_until_asked(lab, token)
    lab.service.respond_activity_task_completed(taskToken=token, result="7")
    gate.opened.set()
    assert execution.result(200) == [ASKED, ["FINISHED", None, False], 7]


def test_an_activity_that_fails_after_it_was_canceled_is_not_tried_again(lab, gate):
    execution = lab.start(Canceled, gate.name)
    token = started_by_hand(lab, execution, gate)
    execution.signal("cancel")
    wait_until_asked(lab, token)
    lab.service.respond_activity_task_failed(taskToken=token, reason="broken")
    gate.opened.set()
    assert execution.result(200) == [ASKED, ["CANCELLED", "TaskCanceled", False], None]
    assert recorded(execution, "ActivityTaskScheduled").count("activity-canceling.by_hand-1") == 1


def test_an_activity_that_no_worker_took_is_canceled_by_swf(lab, gate):
    def run(self):
        held = [self.submit(hold, gate.name) for _ in range(LAB_THREADS)]
        self.submit(self.wait_signal("all are busy")).wait()
        task = self.submit(by_hand, 1)
        self.submit(self.start_timer("a moment", 0)).wait()
        assert task.cancel()
        task.wait()
        self.submit(self.wait_signal("go on")).wait()
        futures.wait(held)
        return task.cancelled

    execution = lab.start(one_off(run, name="canceling.unstarted"))
    for _ in range(LAB_THREADS):
        assert gate.waiting.acquire(timeout=200)
    execution.signal("all are busy")
    for _ in execution.watch(timeout=200):
        if recorded(execution, "ActivityTaskCanceled", "startedEventId"):
            break
    gate.opened.set()
    execution.signal("go on")
    assert execution.result(200) is True
    assert recorded(execution, "ActivityTaskCanceled", "startedEventId") == [0]


def test_a_worker_may_cancel_what_nobody_asked_it_to(lab, gate):
    """UB-03: upstream's workflow never hears of it."""

    def run(self):
        held = [self.submit(hold, gate.name) for _ in range(LAB_THREADS)]
        self.submit(self.wait_signal("all are busy")).wait()
        task = self.submit(by_hand, 1)
        error = task.exception
        futures.wait(held)
        return [task.cancelled, type(error).__name__, error.details]

    execution = lab.start(one_off(run, name="canceling.unasked"))
    token = started_by_hand(lab, execution, gate)
    lab.service.respond_activity_task_canceled(taskToken=token, details="no room")
    gate.opened.set()
    assert execution.result(200) == [True, "TaskCanceled", "no room"]


def test_an_activity_that_closes_while_it_is_canceled_is_what_it_became(lab, gate):
    """SWF refuses the cancel, for the activity is not there any more: `RequestCancelActivityTaskFailed`."""
    deciding, decide = threading.Event(), threading.Event()

    def run(self):
        task = self.submit(hold, gate.name, 5)
        self.submit(self.wait_signal("cancel")).wait()
        if not self.is_replaying:
            deciding.set()
            decide.wait(200)
        asked = task.cancel()
        return [asked, task.result, self.submit(double, 1).result]

    execution = lab.start(one_off(run, name="canceling.race"))
    assert gate.waiting.acquire(timeout=200)
    execution.signal("cancel")
    assert deciding.wait(200)
    gate.opened.set()
    for _ in execution.watch(timeout=200):
        if recorded(execution, "ActivityTaskCompleted", "result"):
            break
    decide.set()
    assert execution.result(200) == [True, 5, 2]
    assert recorded(execution, "RequestCancelActivityTaskFailed", "cause") == ["ACTIVITY_ID_UNKNOWN"]


def test_what_was_not_sent_is_given_up_at_once(virtual_lab):
    def run(self):
        now = self.submit(double, 1)
        later = self.submit(double, self.submit(self.wait_signal("never")))
        assert [now.cancel(), later.cancel()] == [True, True]
        assert [now.state, later.state, type(now.exception).__name__] == ["CANCELLED", "CANCELLED", "TaskCanceled"]
        return self.submit(double, 2).result

    execution = virtual_lab.start(one_off(run, name="canceling.not_sent"))
    assert execution.result(200) == 4
    assert recorded(execution, "ActivityTaskScheduled") == ["activity-canceling.double-3"]


def test_what_depends_on_a_canceled_task_that_raises_fails_with_it(virtual_lab):
    def run(self):
        first = self.submit(by_hand_aloud, 1)
        second = self.submit(double, first)
        first.cancel()
        return type(second.exception).__name__

    assert virtual_lab.start(one_off(run, name="canceling.depends")).result(200) == "TaskCanceled"


def test_a_call_submitted_twice_is_one_task_to_cancel(virtual_lab):
    same = activity.with_attributes(name="canceling.same", idempotent=True, **TASKS)(lambda x: x)

    def run(self):
        first, again = self.submit(same, 1), self.submit(same, 1)
        assert again.cancel()
        assert (first.cancelled, again.cancelled) == (True, True)
        return self.submit(same, 1).result

    execution = virtual_lab.start(one_off(run, name="canceling.twice"))
    assert execution.result(200) == 1
    assert len(recorded(execution, "ActivityTaskScheduled")) == 1


def test_what_is_done_cant_be_canceled(virtual_lab):
    def run(self):
        done = self.submit(double, 1)
        marker = self.submit(self.record_marker("m"))
        signal = self.submit(self.signal("s", propagate=False))
        futures.wait(done, signal)
        return [future.cancel() for future in (done, marker, signal)]

    assert virtual_lab.start(one_off(run, name="canceling.done")).result(200) == [False, False, False]


def test_a_signal_not_yet_sent_is_called_back(virtual_lab):
    def run(self):
        signal = self.submit(self.signal("s", propagate=False))
        assert signal.cancel()
        self.submit(double, 1).wait()
        return self.submit(self.wait_signal("s")).done

    assert virtual_lab.start(one_off(run, name="canceling.signal")).result(200) is False


# -- children ----------------------------------------------------------------------------------------------------------


class Child(Workflow):
    name = "canceling.child"
    task_list = "canceling"
    retry = 2

    def run(self, refuses=False):
        self.submit(self.start_timer("hour", 3_600)).wait()
        return "completed"

    def should_cancel(self, history):
        return "true" not in history[0].attributes["input"]


@pytest.mark.parametrize(("refuses", "expected"), [(False, [True, None]), (True, [False, "completed"])])
def test_a_child_that_runs_is_asked_and_decides(virtual_lab, refuses, expected):
    def run(self):
        child = self.submit(Child, refuses)
        self.submit(self.start_timer("minute", 60)).wait()
        assert [child.cancel(), child.cancel(), child.done] == [True, True, False]
        child.wait()
        return [child.cancelled, None if child.cancelled else child.result]

    execution = virtual_lab.start(one_off(run, name="canceling.parent"))
    assert execution.result(200) == expected
    assert len(recorded(execution, "RequestCancelExternalWorkflowExecutionInitiated")) == 1


# -- groups and chains -------------------------------------------------------------------------------------------------


def test_canceling_a_group_cancels_its_members(virtual_lab):
    def run(self):
        group = self.submit(Group(*[self.start_timer(f"{n}", 3_600 + n) for n in range(3)], Child, (double, 1)))
        self.submit(self.start_timer("minute", 60)).wait()
        assert group.cancel()
        group.wait()
        assert (group.cancelled, group.cancel(), group.result) == (True, False, None)
        return [future.state for future in group.futures]

    execution = virtual_lab.start(one_off(run, name="canceling.group"))
    assert execution.result(200) == ["CANCELLED"] * 4 + ["FINISHED"]
    assert len(recorded(execution, "TimerCanceled")) == 3


@pytest.mark.parametrize("options", [{}, {"send_result": True}])
def test_canceling_a_chain_submits_no_more_of_it(virtual_lab, options):
    def run(self):
        chain = self.submit(Chain((double, 1), self.start_timer("hour", 3_600), (double, 2), **options))
        self.submit(self.start_timer("minute", 60)).wait()
        assert chain.cancel()
        self.submit(double, 3).wait()
        return [chain.cancelled, len(chain.futures)]

    execution = virtual_lab.start(one_off(run, name=f"canceling.chain{len(options)}"))
    assert execution.result(200) == [True, 2]
    assert len(recorded(execution, "ActivityTaskScheduled")) == 2


def test_canceling_a_group_with_few_at_a_time_submits_no_more_of_it(virtual_lab):
    def run(self):
        timers = [self.start_timer(f"{n}", 3_600) for n in range(5)]
        group = self.submit(Group(Chain(Group(*timers, max_parallel=2)), bubbles_exception_on_failure=True))
        self.submit(self.start_timer("minute", 60)).wait()
        group.cancel()
        group.wait()
        return group.cancelled

    execution = virtual_lab.start(one_off(run, name="canceling.few"))
    assert execution.result(200) is True
    assert len(recorded(execution, "TimerStarted", "timerId")) == 3
