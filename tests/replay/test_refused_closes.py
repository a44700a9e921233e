"""A close that SWF refuses, because something came meanwhile: the code sees that before it closes again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.exceptions import WorkflowCanceled
from simpleflow_lab.replay.trace import watch
from simpleflow_lab.swf.decisions import attributes
from tests.replay.story import Story
from tests.replay.trace_laws import check_trace

TASKS = {"task_list": "refused", "version": "1"}
OLD_DECIDER = '{"simpleflow_lab":1}'


@activity.with_attributes(name="refused.step", **TASKS)
def step(n):
    return n


class Drain(Workflow):
    """Counts the signals that came; waits for the first."""

    name, version, task_list = "refused.drain", "1", "refused"

    def run(self, n=0):
        if not n:
            self.submit(self.next_signal("s")).wait()
            n = 1
        while futures.wait(self.submit(self.next_signal("s")), timeout=0).done:
            n += 1
        return n


class DrainedByTwo(Drain):
    """Goes on as a new run after each two signals that it counted."""

    name = "refused.drained_by_two"

    def run(self, n=0, last=3):
        taken = 0
        while n < last:
            taken += futures.wait(self.submit(self.next_signal("s"))) == [None]
            n += 1
            if taken == 2 and n < last:
                while futures.wait(self.submit(self.next_signal("s")), timeout=0).done:
                    n += 1
                self.submit(self.continue_as_new(n, last)).wait()
        return n


class Slow(Workflow):
    name, version, task_list = "refused.slow", "1", "refused"

    def run(self):
        slow = self.submit(step, 1)
        tea = self.submit(self.start_timer("tea", 60))
        self.submit(self.next_signal("go")).wait()
        return [slow.done, tea.done]


class Fails(Workflow):
    name, version, task_list = "refused.fails", "1", "refused"

    def run(self):
        self.submit(self.next_signal("go")).wait()
        if futures.wait(self.submit(self.next_signal("pardon")), timeout=0).done:
            return "pardoned"
        raise ValueError("no pardon")


class CleansUp(Workflow):
    name, version, task_list = "refused.cleans_up", "1", "refused"
    cancellation = "raise"

    def run(self):
        try:
            self.submit(self.next_signal("go")).wait()
            self.submit(step, 1)
        except WorkflowCanceled:
            self.submit(self.record_marker("cleaned", "up")).wait()
            raise


class Child(Workflow):
    name, version, task_list = "refused.child", "1", "refused"

    def run(self):
        return 1


class Leaves(Workflow):
    """Records and starts something in the very decision that closes."""

    name, version, task_list = "refused.leaves", "1", "refused"

    def run(self):
        self.submit(self.next_signal("go")).wait()
        self.submit(self.record_marker("same", 1))
        late = bool(futures.wait(self.submit(self.next_signal("late")), timeout=0).done)
        self.submit(self.record_marker("late", late))
        new_way = self.patched("way")
        child = self.submit(Child)
        return [child.result, new_way] if late else new_way


def signaled(story: Story, name: str = "s", value: Any = None) -> Callable[[], Any]:
    return lambda: story.add("WorkflowExecutionSignaled", signalName=name, input=json.dumps(value))


def types(decisions: list[dict[str, Any]]) -> list[str]:
    return [decision["decisionType"] for decision in decisions]


def result(decisions: list[dict[str, Any]]) -> Any:
    assert types(decisions) == ["CompleteWorkflowExecution"]
    return json.loads(attributes(decisions[0])["result"])


def test_a_signal_that_came_while_the_close_was_decided_is_seen_before_it_closes_again() -> None:
    story = Story(Drain)
    signaled(story)()
    close = story.decide(signaled(story))
    assert result(close) == 1
    story.refuse_close(close)
    assert result(story.decide()) == 2


def test_a_close_may_be_refused_many_times() -> None:
    story = Story(Drain)
    signaled(story)()
    for n in range(1, 6):
        close = story.decide(signaled(story))
        assert result(close) == n
        story.refuse_close(close)
    assert result(story.decide()) == 6


def test_a_run_that_would_continue_as_new_counts_the_signal_first() -> None:
    story = Story(DrainedByTwo, 0, 9)
    for _ in range(2):
        signaled(story)()
    close = story.decide(signaled(story))
    assert types(close) == ["ContinueAsNewWorkflowExecution"]
    story.refuse_close(close)
    [again] = story.decide()
    assert json.loads(attributes(again)["input"])["args"] == [3, 9]


def test_an_activity_and_a_timer_that_ended_meanwhile_are_done() -> None:
    story = Story(Slow)
    events = {decision["decisionType"]: story.record(decision) for decision in story.decide()}
    signaled(story, "go")()

    def ended() -> None:
        story.add("ActivityTaskCompleted", scheduledEventId=events["ScheduleActivityTask"].id, result="1")
        story.add("TimerFired", timerId="tea", startedEventId=events["StartTimer"].id)

    close = story.decide(ended)
    assert result(close) == [False, False]
    story.refuse_close(close)
    assert result(story.decide()) == [True, True]


def test_a_run_that_was_about_to_fail_may_complete() -> None:
    story = Story(Fails)
    signaled(story, "go")()
    close = story.decide(signaled(story, "pardon"))
    assert types(close) == ["FailWorkflowExecution"]
    story.refuse_close(close)
    assert result(story.decide()) == "pardoned"


def test_a_cancel_request_that_came_meanwhile_is_raised() -> None:
    story = Story(CleansUp)
    story.decide()
    signaled(story, "go")()
    close = story.decide(lambda: story.add("WorkflowExecutionCancelRequested"))
    assert types(close) == ["CompleteWorkflowExecution"]
    story.refuse_close(close)
    assert types(story.decide()) == ["RecordMarker", "CancelWorkflowExecution"]


def test_what_the_decision_did_besides_stands_and_is_not_done_twice() -> None:
    story = Story(Leaves)
    signaled(story, "go")()
    decisions = story.decide(signaled(story, "late"))
    names = [attributes(each).get("markerName", each["decisionType"]) for each in decisions]
    assert names == [
        "simpleflow_lab.patch",
        "same",
        "late",
        "StartChildWorkflowExecution",
        "CompleteWorkflowExecution",
    ]
    story.refuse_close(decisions)
    started = next(event for event in story.events if event.type == "StartChildWorkflowExecutionInitiated")
    about = {
        "initiatedEventId": started.id,
        "workflowExecution": {"workflowId": "c", "runId": "c"},
        "workflowType": {"name": Child.name, "version": "1"},
    }
    story.add("ChildWorkflowExecutionStarted", **about)
    [marker] = story.decide()  # "late" had another value
    assert attributes(marker)["details"] == "true"
    story.record(marker)
    story.add("ChildWorkflowExecutionCompleted", result="5", startedEventId=story.events[-4].id, **about)
    close = story.decide()
    assert result(close) == [5, True]
    story.record(close[0])
    check_trace(Leaves, story.events, range(len(story.events)), workflow_id="w", run_id="r")


def test_histories_of_deciders_that_sent_the_close_again_are_replayed() -> None:
    story = Story(Drain)
    signaled(story)()
    story.identity = OLD_DECIDER
    close = story.decide(signaled(story))
    for _ in range(2):
        story.refuse_close(close)
        story.add("DecisionTaskScheduled", taskList={"name": "refused"})
        started = story.add("DecisionTaskStarted", scheduledEventId=len(story.events), identity=OLD_DECIDER)
        signaled(story)()
        story.completed = story.add("DecisionTaskCompleted", startedEventId=started.id)
    repeated = list(story.events)
    story.refuse_close(close)
    story.identity = None
    assert result(story.decide()) == 4  # a decider of today goes on
    # And the same if the old one closed.
    story.events, story.completed = repeated, repeated[-1]
    story.record(close[0])
    replay = story.new_replay()
    replay.feed(story.events)
    check_trace(Drain, story.events, range(len(story.events)), workflow_id="w", run_id="r")


def test_after_a_refusal_another_decider_than_ours_saw_what_came() -> None:
    story = Story(Drain)
    story.identity = None
    signaled(story)()
    close = story.decide(signaled(story))
    story.refuse_close(close)
    [close] = story.decide(signaled(story))
    assert result([close]) == 2
    story.record(close)
    check_trace(Drain, story.events, range(len(story.events)), workflow_id="w", run_id="r")


def test_a_watched_replay_tells_a_refused_close_and_what_followed() -> None:
    story = Story(Drain)
    close = story.decide()
    assert close == []
    signaled(story)()
    close = story.decide(signaled(story, value="second"))
    story.refuse_close(close)
    story.record(story.decide()[0])
    records = list(watch(Drain, story.events, workflow_id="w", run_id="r"))
    assert [record.close.refused if record.close else None for record in records] == [None, "UNHANDLED_DECISION", None]
    refused, last = records[1:]
    assert [each.state for each in refused.futures] == ["FINISHED", "PENDING"]
    assert [each.state for each in last.futures] == ["FINISHED", "FINISHED", "PENDING"]
    assert [signal.input for signal in last.signals] == ['"second"']
    assert [command.id for command in last.commands] == ["CompleteWorkflowExecution"]
    assert last.close is not None
    assert last.close.event_id == len(story.events)
    check_trace(Drain, story.events, range(len(story.events)), workflow_id="w", run_id="r")


class GoesOn(Workflow):
    name, version, task_list = "refused.goes_on", "1", "refused"

    def run(self, how):
        future = self.submit(self.continue_as_new(how))
        if how == "result":
            return future.result
        if how == "catch":
            return str(future.exception)
        if how == "wait":
            future.wait()
        return None


@pytest.mark.parametrize(
    ("how", "decision"),
    [("result", "Fail"), ("wait", "Fail"), ("leave", "Fail"), ("catch", "Complete")],
)
def test_a_run_that_can_not_continue_as_new_is_told_and_does_not_ask_for_ever(how: str, decision: str) -> None:
    story = Story(GoesOn, how)
    [close] = story.decide()
    assert close["decisionType"] == "ContinueAsNewWorkflowExecution"
    story.refuse_close([close], "WORKFLOW_TYPE_DEPRECATED")
    [after] = story.decide()
    assert after["decisionType"] == f"{decision}WorkflowExecution"
    assert "SWF refused it: WORKFLOW_TYPE_DEPRECATED" in (
        attributes(after).get("reason") or attributes(after)["result"]
    )
    story.record(after)
    check_trace(GoesOn, story.events, range(len(story.events)), workflow_id="w", run_id="r")


def test_histories_of_deciders_that_asked_again_are_replayed() -> None:
    story = Story(GoesOn, "result")
    story.identity = OLD_DECIDER
    for _ in range(3):
        [close] = story.decide()
        assert close["decisionType"] == "ContinueAsNewWorkflowExecution"
        story.refuse_close([close], "WORKFLOW_TYPE_DEPRECATED")
    story.identity = '{"simpleflow_lab":2}'
    assert types(story.decide()) == ["FailWorkflowExecution"]


@given(
    moments=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=8),
    workflow=st.sampled_from([Drain, DrainedByTwo]),
)
@example(moments=[(1, 1), (0, 2), (0, 1)], workflow=DrainedByTwo)
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_signals_at_any_moment_before_the_close_are_all_seen_by_this_run_or_the_next(
    moments: list[tuple[int, int]], workflow: type[Workflow]
) -> None:
    """Each decision has some signals before it is started, and some while it is made; a close is refused for these."""
    total = sum(before + meanwhile for before, meanwhile in moments)
    if not total:
        return
    args: tuple[int, ...] = (0, total) if workflow is DrainedByTwo else ()
    story, sent, histories = Story(workflow, *args), 0, []
    for before, meanwhile in [*moments, (0, 0), (0, 0)]:
        for _ in range(before):
            signaled(story)()
        one_signal = signaled(story)
        decisions = story.decide(lambda many=meanwhile, one=one_signal: [one() for _ in range(many)])
        sent += before + meanwhile
        if not decisions:
            continue
        if meanwhile:
            story.refuse_close(decisions)
            continue
        story.record(decisions[0])
        histories.append(story.events)
        if types(decisions) == ["CompleteWorkflowExecution"]:
            break
        story = Story(workflow, *json.loads(attributes(decisions[0])["input"])["args"])
    assert result(decisions) == sent
    for history in histories:
        check_trace(workflow, history, range(0, len(history), 3), workflow_id="w", run_id="r")


class Held(Drain):
    """Its second decision is held until the test has sent another signal."""

    name = "refused.held"

    def run(self):
        self.submit(self.next_signal("s")).wait()
        deciding.set()
        assert go_on.wait(60)
        n = 1
        print("one signal is here")
        while futures.wait(self.submit(self.next_signal("s")), timeout=0).done:
            n += 1
        print(f"signals here: {n}")
        return n


deciding, go_on = threading.Event(), threading.Event()


@pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DeterminismWarning")
def test_a_signal_that_the_engine_acknowledged_while_the_close_was_made_is_in_the_result(
    capsys: pytest.CaptureFixture[str],
) -> None:
    deciding.clear()
    go_on.clear()
    with Lab(":memory:") as lab:
        execution = lab.start(Held)
        execution.signal("s")
        assert deciding.wait(60)
        execution.signal("s")
        go_on.set()
        assert execution.result(60) == 2
        assert "CompleteWorkflowExecutionFailed" in [event.type for event in execution.history()]
    assert capsys.readouterr().out == "one signal is here\nsignals here: 1\nsignals here: 2\n"
