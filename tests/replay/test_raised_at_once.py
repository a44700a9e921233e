"""What simpleflow decided at a failure while other tasks were open: it raises at `submit`, and does not wait for them.

Such a history is replayed as it was decided; a decider of ours waits, and its histories are held to that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.debugger.steps import ReplaySteps
from simpleflow_lab.exceptions import NondeterminismError, TaskException
from simpleflow_lab.replay.trace import watch
from simpleflow_lab.swf.history import History
from tests.replay.story import Story
from tests.replay.trace_laws import check_trace

KIND = {"task_list": "at-once", "version": "1"}
UPSTREAM = '{"user": "root", "hostname": "host", "pid": 7}'
OURS = Story.identity


@activity.with_attributes(raises_on_failure=True, **KIND)
def fails(number: int) -> None: ...


@activity.with_attributes(**KIND)
def slow(*args: Any) -> None: ...


@activity.with_attributes(**KIND)
def clean_up() -> None: ...


def workflow_of(code: Callable[[Workflow], Any]) -> type[Workflow]:
    return type("AtOnce", (Workflow,), {"name": "at-once", "version": "1", "task_list": "at-once", "run": code})


def waits(self: Workflow) -> None:
    futures.wait(self.submit(slow), self.submit(fails, 1))


def catches(self: Workflow) -> Any:
    try:
        futures.wait(self.submit(slow), self.submit(fails, 1), self.submit(fails, 2))
    except TaskException:
        return self.submit(clean_up).result
    return "not reached"


def recorded(code: Callable[[Workflow], Any], then: str, *, by: str | None = UPSTREAM, failures: int = 1) -> Story:
    """The tasks are scheduled, and some fail; the decision that follows records `then`."""
    story = Story(workflow_of(code))
    story.identity = by
    scheduled = [story.record(decision) for decision in story.decide()]
    for event in scheduled[1 : 1 + failures]:
        story.add("ActivityTaskFailed", scheduledEventId=event.id, startedEventId=0, reason="ValueError: no")
    asked = story.add("DecisionTaskScheduled", taskList={"name": "at-once"})
    begun = story.add("DecisionTaskStarted", scheduledEventId=asked.id, identity=by)
    story.completed = story.add("DecisionTaskCompleted", scheduledEventId=asked.id, startedEventId=begun.id)
    its = {"decisionTaskCompletedEventId": story.completed.id}
    if then == "fails":
        story.add("WorkflowExecutionFailed", reason='Workflow execution error in fails: "ValueError: no"', **its)
    else:
        kind = {"name": clean_up.name, "version": "1"}
        id = f"activity-{clean_up.name}-1"
        story.add("ActivityTaskScheduled", activityId=id, activityType=kind, input='{"args": [], "kwargs": {}}', **its)
    return story


def replay(definition: type[Workflow], story: Story) -> None:
    """Replay all that is recorded with this code."""
    found = Story(definition).new_replay()
    found.feed(story.events)
    found.replay_last_batch()


@pytest.mark.parametrize(("code", "then"), [(waits, "fails"), (catches, "goes on")])
def test_a_failure_is_raised_where_run_waits_if_simpleflow_decided_so(
    code: Callable[[Workflow], Any], then: str
) -> None:
    story = recorded(code, then)
    *_, last = watch(story.workflow, story.events)
    assert last.divergence is None
    assert last.raised_at_once == (f"activity-{fails.name}-1",)
    check_trace(story.workflow, story.events, cuts=range(len(story.events) + 1))
    with ReplaySteps(History(story.events), story.workflow) as steps:
        assert "so simpleflow decided" in str(steps[-1])
        assert (steps[-1].close is None) == (then == "goes on")
        if then == "fails":
            assert "futures.wait(" in str(steps[-1])  # it is the line that raised


def test_our_decider_goes_on_from_what_simpleflow_decided_at_a_failure() -> None:
    story = recorded(catches, "goes on")
    story.add("ActivityTaskCompleted", scheduledEventId=story.events[-1].id, startedEventId=0, result='"clean"')
    story.identity = OURS
    story.cached = story.new_replay()
    story.cached.feed(story.events[:-3])  # it was cached before
    [decision] = story.decide()
    assert decision["completeWorkflowExecutionDecisionAttributes"]["result"] == '"clean"'


@pytest.mark.parametrize(("code", "then"), [(waits, "fails"), (catches, "goes on")])
def test_what_a_decider_of_ours_did_not_wait_for_is_a_difference(code: Callable[[Workflow], Any], then: str) -> None:
    story = recorded(code, then, by=OURS)
    with pytest.raises(NondeterminismError):
        replay(story.workflow, story)


def test_edited_code_is_told_by_the_first_difference() -> None:
    story = recorded(catches, "goes on", failures=2)

    def edited(self: Workflow) -> Any:
        try:
            futures.wait(self.submit(slow), self.submit(fails, 1), self.submit(fails, 2))
        except TaskException:
            return self.submit(clean_up, "more").result  # simpleflow recorded no argument
        return "not reached"

    with pytest.raises(NondeterminismError) as found:
        replay(workflow_of(edited), story)
    assert found.value.event_id == story.events[-1].id
    assert found.value.author_error is None
