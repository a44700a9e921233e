"""Refusals of SWF: a command whose cause passes is made again later, any other has failed. L1: not in a tight loop."""

from __future__ import annotations

import json

import pytest

from simpleflow_lab import Workflow, activity
from simpleflow_lab.swf.decisions import attributes
from tests.replay.story import Story

TASKS = {"task_list": "refused", "version": "1"}
BACK_OFF = "__simpleflow_task_"


@activity.with_attributes(name="refused.step", **TASKS)
def step(n):
    return n


class Child(Workflow):
    name = "refused.child"
    version = "1"

    def run(self):
        return None


class Steps(Workflow):
    """Submits one task of the kind named."""

    name = "refused.steps"
    version = "1"

    def run(self, kind):
        ask = {
            "activity": lambda: self.submit(step, 1),
            "child": lambda: self.submit(Child),
            "timer": lambda: self.submit(self.start_timer("t", 5)),
            "signal": lambda: self.submit(self.signal("s", workflow_id="elsewhere")),
        }[kind]
        future = ask()
        future.wait()
        return str(future.exception)


PASSING = [
    ("activity", "OPEN_ACTIVITIES_LIMIT_EXCEEDED"),
    ("activity", "ACTIVITY_CREATION_RATE_EXCEEDED"),
    ("child", "OPEN_CHILDREN_LIMIT_EXCEEDED"),
    ("child", "OPEN_WORKFLOWS_LIMIT_EXCEEDED"),
    ("child", "CHILD_CREATION_RATE_EXCEEDED"),
    ("signal", "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED"),
]


@pytest.mark.parametrize(("kind", "cause"), PASSING)
def test_what_is_refused_for_want_of_room_waits_longer_each_time(kind, cause):
    """L1: upstream asks again at once, for ever, until SWF ends the execution at 25,000 events."""
    story = Story(Steps, kind)
    [decision] = story.decide()
    waits = []
    for _ in range(8):
        story.refuse(decision, cause)
        [timer] = story.decide()
        assert timer["decisionType"] == "StartTimer"
        assert attributes(timer)["timerId"].startswith(BACK_OFF)
        waits.append(int(attributes(timer)["startToFireTimeout"]))
        story.fire(timer)
        [retried] = story.decide()
        assert attributes(retried) == attributes(decision)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


PERMANENT = [
    ("activity", "ACTIVITY_TYPE_DEPRECATED"),
    ("activity", "ACTIVITY_ID_ALREADY_IN_USE"),
    ("activity", "DEFAULT_TASK_LIST_UNDEFINED"),
    ("activity", "OPERATION_NOT_PERMITTED"),
    ("child", "WORKFLOW_ALREADY_RUNNING"),
    ("child", "WORKFLOW_TYPE_DEPRECATED"),
    ("child", "DEFAULT_CHILD_POLICY_UNDEFINED"),
    ("timer", "OPERATION_NOT_PERMITTED"),
    ("timer", "TIMER_ID_ALREADY_IN_USE"),
    ("signal", "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"),
    ("signal", "OPERATION_NOT_PERMITTED"),
]


@pytest.mark.parametrize(("kind", "cause"), PERMANENT)
def test_what_is_refused_for_good_has_failed(kind, cause):
    story = Story(Steps, kind)
    [decision] = story.decide()
    story.refuse(decision, cause)
    [close] = story.decide()
    assert close["decisionType"] in ("CompleteWorkflowExecution", "FailWorkflowExecution")
    assert cause in str(attributes(close))


@pytest.mark.parametrize(
    ("kind", "cause"), [("activity", "ACTIVITY_TYPE_DOES_NOT_EXIST"), ("child", "WORKFLOW_TYPE_DOES_NOT_EXIST")]
)
def test_a_task_whose_type_swf_does_not_know_is_retried_a_few_times_and_then_has_failed(kind, cause):
    story = Story(Steps, kind)
    [decision] = story.decide()
    for _ in range(3):
        story.refuse(decision, cause)
        [again] = story.decide()
        assert attributes(again) == attributes(decision)
    story.refuse(decision, cause)
    [close] = story.decide()
    assert cause in str(attributes(close))


class Retried(Steps):
    name = "refused.retried"

    def run(self):
        return self.submit(persistent, 1).result


@activity.with_attributes(name="refused.persistent", retry=1, raises_on_failure=True, **TASKS)
def persistent(n):
    return n


def test_registering_a_type_spends_no_retry():
    story = Story(Retried)
    [decision] = story.decide()
    story.refuse(decision, "ACTIVITY_TYPE_DOES_NOT_EXIST")
    story.decide()
    for left in (1, 0):
        scheduled = story.record(decision)
        story.add("ActivityTaskFailed", scheduledEventId=scheduled.id, startedEventId=0, reason="no")
        [next_] = story.decide()
        assert (next_["decisionType"] == "ScheduleActivityTask") is bool(left)


class Cancels(Steps):
    """Cancels a task of the kind named, and waits for it."""

    name = "refused.cancels"

    def run(self, kind):
        task = self.submit(step, 1) if kind == "activity" else self.submit(Child)
        self.submit(self.start_timer("t", 5)).wait()
        task.cancel()
        task.wait()


@pytest.mark.parametrize(
    ("kind", "decision_type"),
    [("activity", "RequestCancelActivityTask"), ("child workflow", "RequestCancelExternalWorkflowExecution")],
)
def test_a_cancel_that_swf_does_not_permit_is_told_with_what_to_allow_and_its_line(kind, decision_type):
    story = Story(Cancels, kind)
    asked_for, timer = story.decide()
    first = story.record(asked_for)
    story.fire(timer)
    if kind != "activity":
        story.add("ChildWorkflowExecutionStarted", initiatedEventId=first.id, **attributes(asked_for))
    [cancel] = story.decide()
    story.refuse(cancel, "OPERATION_NOT_PERMITTED")
    assert story.decide() == []  # it goes on, and is waited for
    [told] = story.cached.take_warnings()
    assert told.startswith("test_refusals.py:")
    assert f"SWF refused the cancel of {kind} " in told
    assert told.endswith(
        f"(OPERATION_NOT_PERMITTED), which goes on: allow swf:{decision_type} to the credentials of its decider"
    )


class CancelsTimer(Steps):
    """Cancels a timer in the decision after the one that started it, and waits for a signal."""

    name = "refused.cancels_timer"

    def run(self):
        patience = self.submit(self.start_timer("patience", 60))
        self.submit(self.start_timer("t", 5)).wait()
        self.submit(self.cancel_timer("patience"))
        self.submit(self.wait_signal("go")).wait()
        return patience.cancelled


def story_of_a_refused_timer_cancel(cause):
    story = Story(CancelsTimer)
    patience, timer = story.decide()
    story.record(patience)
    story.fire(timer)
    [cancel] = story.decide()
    story.refuse(cancel, cause)
    assert story.decide() == []
    return story


def test_a_cancel_of_a_timer_that_swf_does_not_permit_is_told_with_what_to_allow_and_its_line():
    story = story_of_a_refused_timer_cancel("OPERATION_NOT_PERMITTED")
    [told] = story.cached.take_warnings()
    assert told.startswith("test_refusals.py:")
    assert told.endswith(
        "SWF refused the cancel of timer 'patience' (OPERATION_NOT_PERMITTED), which goes on: "
        "allow swf:CancelTimer to the credentials of its decider"
    )


def test_a_timer_whose_cancel_was_refused_changes_nothing_when_it_fires():
    story = story_of_a_refused_timer_cancel("OPERATION_NOT_PERMITTED")
    story.add("WorkflowExecutionSignaled", signalName="go", externalInitiatedEventId=0)
    started = next(event for event in story.events if event.attributes.get("timerId") == "patience")
    story.add("TimerFired", timerId="patience", startedEventId=started.id)
    [close] = story.decide()
    assert json.loads(attributes(close)["result"]) is True


def test_nothing_is_told_of_a_cancel_that_came_after_its_timer_had_fired():
    story = story_of_a_refused_timer_cancel("TIMER_ID_UNKNOWN")
    assert story.cached.take_warnings() == []


class ManyTimers(Steps):
    name = "refused.many_timers"

    def run(self):
        timers = [self.submit(self.start_timer(f"t{n}", 5)) for n in range(3)]
        for timer in timers:
            timer.wait()


def test_a_timer_too_many_waits_for_another_to_end():
    """A timer can't be waited for by means of a timer."""
    story = Story(ManyTimers)
    first, second, third = story.decide()
    started = [story.record(first), story.record(second)]
    story.refuse(third, "OPEN_TIMERS_LIMIT_EXCEEDED")
    assert story.decide() == []
    story.add("TimerFired", timerId="t0", startedEventId=started[0].id)
    assert story.decide() == [third]
    story.fire(third)
    story.add("TimerFired", timerId="t1", startedEventId=started[1].id)
    [close] = story.decide()
    assert close["decisionType"] == "CompleteWorkflowExecution"


class Hooked(Steps):
    name = "refused.hooked"

    def run(self):
        return self.submit(persistent, 1).result

    def on_task_failure(self, failure_context):
        ctx = failure_context
        return ctx.decide_retry(7) if ctx.event["state"] == "schedule_failed" else None


def test_the_hook_is_told_of_what_is_refused_for_good():
    story = Story(Hooked)
    [decision] = story.decide()
    story.refuse(decision, "ACTIVITY_TYPE_DEPRECATED")
    [timer] = story.decide()
    assert attributes(timer)["startToFireTimeout"] == "7"
    story.fire(timer)
    assert [attributes(each) for each in story.decide()] == [attributes(decision)]


def test_a_retry_whose_timer_is_refused_does_not_wait():
    """A service that takes each timer id only once, as moto does, must not lose the task."""
    story = Story(Hooked)
    [decision] = story.decide()
    story.refuse(decision, "ACTIVITY_TYPE_DEPRECATED")
    [timer] = story.decide()
    story.refuse(timer, "TIMER_ID_ALREADY_IN_USE")
    assert [attributes(each) for each in story.decide()] == [attributes(decision)]
