"""SWF's limits for one execution: what is counted, what waits, and what the author is told before it hurts."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from simpleflow_lab import Workflow, activity
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.replay.budgets import NEAR_FIELD, size_of
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.decisions import attributes
from simpleflow_lab.swf.limits import MAX_DATA, MAX_REQUEST_BYTES
from tests.replay.story import Story

TASKS: dict[str, Any] = {"task_list": "budgets", "version": "1"}


@activity.with_attributes(name="budgets.step", **TASKS)
def step(text):
    return text


class Child(Workflow):
    name = "budgets.child"
    version = "1"

    def run(self):
        return None


class Many(Workflow):
    """So many tasks of a kind."""

    name = "budgets.many"
    version = "1"

    def run(self, kind, count):
        ask = {
            "activity": lambda n: self.submit(step, n),
            "child": lambda n: self.submit(Child),
            "timer": lambda n: self.submit(self.start_timer(f"t{n}", 500)),
        }[kind]
        return [future.result for future in [ask(n) for n in range(count)]]


class Texts(Workflow):
    """Activities with these texts at once."""

    name = "budgets.texts"
    version = "1"

    def run(self, texts):
        return [future.result for future in [self.submit(step, text) for text in texts]]


class Returning(Workflow):
    """Markers that survive the close, and a result."""

    name = "budgets.returning"
    version = "1"

    def run(self, details, count, result):
        for n in range(count):
            self.submit(self.record_marker(f"m{n}", details))
        return result


def requested(story: Story) -> int:
    """Bytes of the request that answers with these decisions, as boto3 writes it."""
    context = story.answer.execution_context
    request = {
        "taskToken": "t" * 1024,
        "decisions": story.answer.decisions,
        **({} if context is None else {"executionContext": context}),
    }
    return len(json.dumps(request))


@pytest.mark.parametrize("text", ["x", "é", "\U0001f600", '"', "\x01", "\\"])
def test_a_request_stays_below_a_megabyte_whatever_its_characters(text: str) -> None:
    """boto3 sends ASCII: a character takes up to twelve bytes there."""
    story = Story(Texts, [text * 2_500] * 120)
    counts = []
    while sum(counts) < 120:
        made = story.decide()
        counts.append(sum(each["decisionType"] == "ScheduleActivityTask" for each in made))
        assert requested(story) < MAX_REQUEST_BYTES
        wake_up = None
        for decision in made:
            event = story.record(decision)
            wake_up = event if event.type == "TimerStarted" else None
        if wake_up is not None:
            story.add("TimerFired", timerId=wake_up.attributes["timerId"], startedEventId=wake_up.id)
    assert max(counts) <= 99


@pytest.mark.parametrize("text", ["x", "é", '"', "\U0001f600" * 5_000])
def test_the_size_of_a_decision_is_what_it_adds_to_the_request(text: str) -> None:
    timeouts = {f"{name}_timeout": "31536000" for name in ("schedule_to_close", "schedule_to_start", "start_to_close")}
    name = text[:256]
    made = [
        decisions.schedule_activity_task(
            activity_id=name,
            name=name,
            version=name[:64],
            input=text,
            control=text,
            task_list=name,
            task_priority="-2147483648",
            heartbeat_timeout="31536000",
            **timeouts,
        ),
        decisions.start_child_workflow_execution(
            workflow_id=name,
            name=name,
            version=name[:64],
            input=text,
            control=text,
            task_list=name,
            task_priority="-2147483648",
            child_policy="REQUEST_CANCEL",
            tag_list=[name] * 5,
            execution_start_to_close_timeout="31536000",
            task_start_to_close_timeout="31536000",
            lambda_role=name,
        ),
        decisions.start_timer(timer_id=name, start_to_fire_timeout="31536000", control=text),
    ]
    for decision in made:
        added = len(json.dumps([decision, decision])) - len(json.dumps([decision]))
        assert size_of(decision) == added


def test_a_close_that_does_not_fit_comes_with_the_next_answer() -> None:
    story = Story(Returning, "x" * 30_000, 30, "é" * 5_000)
    decisions = story.decide()
    assert [each["decisionType"] for each in decisions] == ["RecordMarker"] * 30 + ["StartTimer"]
    assert requested(story) < MAX_REQUEST_BYTES
    for decision in decisions:
        event = story.record(decision)
    story.add("TimerFired", timerId=event.attributes["timerId"], startedEventId=event.id)
    [close] = story.decide()
    assert close["decisionType"] == "CompleteWorkflowExecution"


class Long(Story):
    """A history so long that it is replayed only once, and anew at its end."""

    is_at_end = False

    def replays(self) -> list[Replay]:
        return [self.cached, self.new_replay()] if self.is_at_end else [self.cached]


def record_all(story: Story, decisions: list[dict[str, Any]]) -> list[Any]:
    return [story.record(decision) for decision in decisions]


def all_at_once(story: Story, kind: str) -> list[Any]:
    """Record answer after answer until one holds nothing new; gives the events of this kind of decision."""
    found: list[Any] = []
    while decisions := story.decide():
        for event in record_all(story, decisions):
            if event.attributes.get("timerId") == "_simpleflow_wake_up_timer":
                story.add("TimerFired", timerId=event.attributes["timerId"], startedEventId=event.id)
            elif event.type == kind:
                found.append(event)
    return found


@pytest.mark.parametrize(
    ("kind", "opened", "closed"),
    [
        ("activity", "ActivityTaskScheduled", "ActivityTaskCompleted"),
        ("child", "StartChildWorkflowExecutionInitiated", "ChildWorkflowExecutionCompleted"),
    ],
)
def test_at_most_a_thousand_are_open_and_the_author_is_told_where(kind: str, opened: str, closed: str) -> None:
    """L8: the history is counted. SWF never has to refuse one, which would cost events without end."""
    story = Long(Many, kind, 1003)
    events = all_at_once(story, opened)
    assert len(events) == 1000
    [warning] = story.cached.take_warnings()
    assert "at most 1,000" in warning
    assert f"({os.path.basename(__file__)}:" in warning.replace("at ", "")
    story.is_at_end = True
    names = {"scheduledEventId": events[0].id, "startedEventId": 0, "initiatedEventId": events[0].id}
    story.add(closed, **names, result="null", workflowExecution={"workflowId": "w", "runId": "r"})
    [next_] = story.decide()
    assert attributes(next_)["activityId" if kind == "activity" else "workflowId"]


def test_of_timers_it_is_told_before_swf_refuses_one() -> None:
    story = Long(Many, "timer", 790)
    all_at_once(story, "TimerStarted")
    assert story.cached.take_warnings() == []
    story = Long(Many, "timer", 810)
    all_at_once(story, "TimerStarted")
    [warning] = story.cached.take_warnings()
    assert "more than 800 timers are open" in warning


class WithoutPlace(Story):
    """A history on Amazon SWF, without a bucket."""

    def new_replay(self) -> Replay:
        return Replay(self.workflow, workflow_id="w", run_id="r", fields=Fields(in_store=False))


@pytest.mark.parametrize(("length", "is_told"), [(NEAR_FIELD - 100, False), (NEAR_FIELD + 100, True)])
def test_a_value_that_almost_does_not_fit_is_told_at_its_line(length: int, is_told: bool) -> None:
    story = WithoutPlace(Texts, ["x" * length])
    story.decide()
    warnings = story.cached.take_warnings()
    assert len(warnings) == is_told
    if is_told:
        assert "the input of activity" in warnings[0]
        assert f"SWF takes {MAX_DATA:,}" in warnings[0]
        assert "self.submit(step, text)" in warnings[0]
    story = Story(Texts, ["x" * length])  # here a longer one is no matter
    story.decide()
    assert story.cached.take_warnings() == []


def test_a_history_that_becomes_long_is_told_twice() -> None:
    story = Story(Many, "timer", 1)
    told: list[int] = []
    while len(told) < 2:
        record_all(story, story.decide()) if len(story.events) < 5 else None
        while len(story.events) % 500:
            story.add("MarkerRecorded", markerName="filler", decisionTaskCompletedEventId=1)
        story.add("WorkflowExecutionSignaled", signalName="x", externalInitiatedEventId=0)
        story.cached.feed(story.events)
        scheduled = story.add("DecisionTaskScheduled", taskList={"name": "refused"})
        started = story.add("DecisionTaskStarted", scheduledEventId=scheduled.id, identity=story.identity)
        story.cached.feed(story.events)
        story.cached.decide(started.id)
        story.add("DecisionTaskCompleted", scheduledEventId=scheduled.id, startedEventId=started.id)
        if len(story.cached.take_warnings()) > len(told):
            told.append(started.id)
    assert 10_000 <= told[0] < 10_600
    assert 22_500 <= told[1] < 23_100


def test_timers_that_swf_refuses_for_their_number_are_asked_for_again_later_and_later() -> None:
    """SWF wakes the decider at once: nothing but the answer itself can wait."""
    story = Story(Many, "timer", 1)
    [decision] = story.decide()
    waits = [story.answer.refused_timers]
    for _ in range(3):
        story.refuse(decision, "TIMER_CREATION_RATE_EXCEEDED")
        assert story.decide() == [decision]
        waits.append(story.answer.refused_timers)
    assert waits == [0, 1, 2, 3]
