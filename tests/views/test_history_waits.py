"""What a history shows that its execution waits for, as rows, as a phrase, as a table and as HTML."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pandas as pd
import pytest

from simpleflow_lab.constants import DEFAULT_ACTIVITY_THREADS
from simpleflow_lab.swf.conventions import DEADLINE_TIMER, RETRY_TIMER, WAKE_UP_TIMER
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.execution_page import gantt_html
from simpleflow_lab.views.formatting import HOVER_LIMIT
from simpleflow_lab.views.gantt import gantt
from simpleflow_lab.views.history_waits import MAX_OF_A_KIND, description_in_words, disk_wait, waits_of
from simpleflow_lab.views.waiting import KINDS, Wait, Waits, phrase
from simpleflow_lab.views.worker_advice import Polling
from tests.views.story import Story, eventful, when
from tests.views.test_hostile import PAYLOADS, Shape, hostile


def only(waits: list[Wait], kind: str) -> Wait:
    (found,) = [wait for wait in waits if wait.kind == kind]
    return found


def decided(context: object = None) -> Story:
    story = Story()
    story.at(1).decide(context=None if context is None else json.dumps(context))
    return story


def timer(story: Story, timer_id: str, seconds: str = "30") -> None:
    story.add("TimerStarted", timerId=timer_id, startToFireTimeout=seconds, decisionTaskCompletedEventId=story.decided)


def test_a_closed_execution_waits_for_nothing() -> None:
    story = decided({"waiting_signals": ["go"]})
    story.end()

    assert waits_of(story.history()) == []
    assert "closed" in repr(Waits([]))


def test_a_signal_is_named_with_the_call_and_the_command_that_send_it() -> None:
    wait = only(waits_of(decided({"waiting_signals": ["go on"]}).history(), workflow_id="order-1"), "signal")

    assert (wait.what, wait.since) == ("signal go on", when(1.1))
    assert wait.to_do == "execution.signal('go on'), or simpleflow workflow.signal order-1 'go on'"


def test_a_signal_that_is_waited_for_no_longer_is_not_named() -> None:
    story = decided({"waiting_signals": ["go"]})
    timer(story, "patience")
    story.decide(context="")

    assert [wait.kind for wait in waits_of(story.history())] == ["timer"]


def test_a_signal_that_came_and_that_no_decision_has_seen_yet_is_not_waited_for() -> None:
    story = decided({"waiting_signals": ["go", "stop"]})
    story.add("WorkflowExecutionSignaled", signalName="go", externalInitiatedEventId=0)

    assert [wait.id for wait in waits_of(story.history()) if wait.kind == "signal"] == ["stop"]


def test_the_signals_of_a_decision_that_sets_no_context_are_those_of_the_one_before() -> None:
    story = decided({"waiting_signals": ["go"]})
    timer(story, "patience")
    story.decide()

    assert [wait.kind for wait in waits_of(story.history())] == ["signal", "timer"]


def test_a_timer_has_its_end() -> None:
    story = decided()
    timer(story, "patience", "90")
    wait = only(waits_of(story.history()), "timer")

    assert (wait.what, wait.since, wait.until) == ("timer patience", when(1.1), when(91.1))
    assert Waits([wait], now=when(11.1)).lines() == ["timer patience, for 10.0 s, until 12:01:31 UTC"]


@pytest.mark.parametrize(
    ("timer_id", "kind", "what"),
    [
        (f"{RETRY_TIMER}activity-load-1", "retry", "the pause before the next attempt of activity-load-1"),
        (f"{DEADLINE_TIMER}_1", "timer", "the timeout of a wait for futures"),
        (WAKE_UP_TIMER, "decision", "the next decision: one answer could not hold all"),
    ],
)
def test_a_timer_of_the_deciders_is_told_as_what_it_is(timer_id: str, kind: str, what: str) -> None:
    story = decided()
    timer(story, timer_id)

    assert only(waits_of(story.history()), kind).what == what


def test_an_activity_is_queued_or_runs() -> None:
    story = decided()
    story.schedule("load-1", "pkg.load", scheduleToStartTimeout="60", scheduleToCloseTimeout="NONE")
    story.start(story.schedule("load-2", "pkg.load", startToCloseTimeout="300", scheduleToCloseTimeout="200"))
    queued, running = waits_of(story.history())

    assert (queued.what, queued.until) == (
        "activity pkg.load [load-1], which is queued in task list workers",
        when(61.1),
    )
    assert (running.what, running.until) == ("activity pkg.load [load-2], which runs in lab@node-1:17", when(201.1))
    assert (queued.to_do, running.to_do) == (
        f"start more workers: lab.start_workers({DEFAULT_ACTIVITY_THREADS}, task_list='workers')",
        "",
    )


@pytest.mark.parametrize(
    ("polling", "advice"),
    [
        (Polling(at_once={"workers": 7}, is_all=True, default=6), "more workers: lab.start_workers(14, "),
        (Polling(at_once={"workers": 1}, is_all=True, default=6), "more workers: lab.start_workers(6, "),
        (Polling(at_once={"workers": 1}, is_all=True, default=1), "more workers: lab.start_workers(2, "),
        (Polling(is_all=True), "its workers: lab.start_workers("),
        (Polling(), "its workers: lab.start_workers("),
    ],
)
def test_what_is_advised_for_a_queued_task_is_more_than_polls_now(polling: Polling, advice: str) -> None:
    story = decided()
    story.schedule("load-1", "pkg.load")
    (queued,) = waits_of(story.history(), polling=polling)

    assert queued.to_do == f"start {advice}task_list='workers')"


def test_what_to_do_about_a_task_is_what_the_engine_says_of_it() -> None:
    story = Story()
    first, second = (story.schedule(f"load-{n}", "pkg.load") for n in (1, 2))
    story.start(second)
    tasks = [{"scheduledEventId": first, "isDefined": False}, {"scheduledEventId": second, "isSilent": True}]
    undefined, silent = waits_of(story.history(), tasks=tasks)
    assert "define it" in undefined.to_do
    assert "kill -CONT" in silent.to_do


def test_a_decision_that_nobody_makes_and_one_that_is_made() -> None:
    story = Story()
    scheduled = story.add("DecisionTaskScheduled", taskList={"name": "deciders"})
    waits = waits_of(story.history())
    assert only(waits, "decision").what == "a decision: no decider has taken it from task list deciders"
    assert "resume" in waits[0].to_do

    story.add("DecisionTaskStarted", scheduledEventId=scheduled)
    assert only(waits_of(story.history()), "decision").what == "a decision: a decider has taken it"


@pytest.mark.parametrize(
    ("known", "advice"),
    [
        ({"isServed": True, "busyPollers": 2}, "a poller that is free takes it"),
        ({"isServed": True, "busyPollers": 0}, ""),
        ({"isServed": False}, "start a decider: lab.resume()"),
        ({}, "start a decider: lab.resume()"),
        ({"isServed": False, "isSilent": True}, "let that process go on (kill -CONT)"),
    ],
)
def test_what_is_advised_for_a_queued_decision_goes_by_who_polls_for_it(known: dict[str, Any], advice: str) -> None:
    story = Story()
    scheduled = story.add("DecisionTaskScheduled", taskList={"name": "deciders"})
    tasks = [{"scheduledEventId": scheduled, "reason": "why", **known}]
    wait = only(waits_of(story.history(), tasks=tasks), "decision")
    assert wait.what == "a decision: why"
    assert wait.to_do.startswith(advice)
    assert bool(wait.to_do) == bool(advice)


def test_the_decision_that_is_made_is_told_and_not_the_one_that_is_queued_behind_it() -> None:
    story = decided()
    task = story.schedule("load-1", "pkg.load")
    scheduled = story.add("DecisionTaskScheduled", taskList={"name": "deciders"}, startToCloseTimeout="300")
    started = story.add("DecisionTaskStarted", scheduledEventId=scheduled, identity="there")
    story.start(task)
    story.add("DecisionTaskScheduled", taskList={"name": "deciders"}, startToCloseTimeout="300")
    began = story.history()[started - 1].timestamp

    def wait(seconds: int) -> Wait:
        return only(waits_of(story.history(), until=began + datetime.timedelta(seconds=seconds)), "decision")

    assert wait(1).what == "a decision: a decider has taken it"
    assert wait(60).what == "a decision: a decider has taken it, and has not answered: there"
    assert "when its timeout is over" in wait(60).to_do


def test_a_decision_that_takes_long_is_told_with_its_process_and_line() -> None:
    story = Story()
    scheduled = story.add("DecisionTaskScheduled", taskList={"name": "deciders"})
    story.add("DecisionTaskStarted", scheduledEventId=scheduled)
    started = story.history()[-1].timestamp
    tasks = [{"scheduledEventId": scheduled, "holder": {"pid": 17}, "isSilent": False}]

    def wait(seconds: int, **known: Any) -> Wait:
        until = started + datetime.timedelta(seconds=seconds)
        return only(waits_of(story.history(), tasks=tasks, until=until, **known), "decision")

    assert wait(1).what == "a decision: a decider has taken it"
    assert wait(1).goes_on
    assert wait(12).what == "a decision: its decider has not answered for 12.0 s: process 17"
    assert "a warning of the execution names its line" in wait(12).to_do
    named = wait(12, running_line="flow.py:5, while True")
    assert named.what == "a decision: run has not come back for 12.0 s: process 17, flow.py:5, while True"
    assert "into an activity" in named.to_do
    assert not named.goes_on


def test_a_decision_that_nobody_answers_and_of_whose_process_nothing_is_known_is_told_with_its_timeout() -> None:
    story = Story()
    scheduled = story.add("DecisionTaskScheduled", taskList={"name": "deciders"}, startToCloseTimeout="300")
    identity = json.dumps({"pid": 17, "hostname": "there"})
    story.add("DecisionTaskStarted", scheduledEventId=scheduled, identity=identity)
    started = story.history()[-1].timestamp

    def wait(seconds: int) -> Wait:
        return only(waits_of(story.history(), until=started + datetime.timedelta(seconds=seconds)), "decision")

    assert wait(1).goes_on
    assert wait(12).what == "a decision: a decider has taken it, and has not answered: there:17"
    assert not wait(12).goes_on
    assert wait(12).until == started + datetime.timedelta(seconds=300)
    assert "when its timeout is over" in wait(12).to_do
    assert wait(20).what == wait(12).what  # it is printed whenever it changes


def test_what_limits_defer_is_counted() -> None:
    context = {"simpleflow_lab": {"max_parallel": [[4, 96], [1, 1]], "open_activities": 12}}
    limits = [wait.what for wait in waits_of(decided(context).history())]

    assert limits == [
        "96 deferred members of a group with max_parallel=4, until others have closed",
        "1 deferred member of a group with max_parallel=1, until others have closed",
        "12 deferred activity tasks, until fewer are open",
    ]


def every_wait() -> list[Wait]:
    """One of everything that an execution can wait for, also of a child of it, in the order in which it is shown."""
    story = decided(
        {"waiting_signals": ["go"], "simpleflow_lab": {"max_parallel": [[4, 96]], "open_activities": 1}},
    )
    _, unknown, running, silent = (story.schedule(f"load-{n}", "pkg.load") for n in range(1, 5))
    story.start(running)
    story.start(silent)
    story.add("ActivityTaskCancelRequested", activityId="load-3")
    story.add("ActivityTaskCancelRequested", activityId="load-4")
    story.add("LambdaFunctionScheduled", id="lambda-1", name="resize", decisionTaskCompletedEventId=story.decided)
    child = {"workflowType": {"name": "pkg.Child", "version": "1"}, "decisionTaskCompletedEventId": story.decided}
    story.add("StartChildWorkflowExecutionInitiated", workflowId="child-1", **child)
    initiated = story.add("StartChildWorkflowExecutionInitiated", workflowId="child-2", **child)
    story.add(
        "ChildWorkflowExecutionStarted",
        initiatedEventId=initiated,
        workflowExecution={"workflowId": "child-2", "runId": "run-2"},
    )
    for timer_id in ("patience", f"{DEADLINE_TIMER}_1", f"{RETRY_TIMER}activity-load-1", WAKE_UP_TIMER):
        timer(story, timer_id)
    story.add("SignalExternalWorkflowExecutionInitiated", signalName="paid", workflowId="shop-2")
    story.add("RequestCancelExternalWorkflowExecutionInitiated", workflowId="shop-3")
    story.add("DecisionTaskScheduled", taskList={"name": "deciders"})
    tasks = [
        {"scheduledEventId": unknown, "reason": "no process defines pkg.load v1", "isDefined": False},
        {"scheduledEventId": silent, "isSilent": True, "heartbeatAt": when(1.1).timestamp()},
    ]
    error = {"error": "NondeterminismError", "message": "event 5", "endsWait": True, "pid": 7}
    own = waits_of(story.history(), workflow_id="shop-1", tasks=tasks, errors=[error], until=when(3.1))
    below = waits_of(decided().history(), workflow_id="child-2", depth=1, errors=[error])
    full = disk_wait("no space left", workflow_id="shop-1", depth=0)
    return [full, *own, *below, *waits_of(decided().history(), workflow_id="shop-1")]


def test_every_wait_is_the_end_of_a_sentence() -> None:
    """What a row says follows "waits for": of an execution, and of a child as subject of its own."""
    found = [f"{wait.workflow_id if wait.depth else ''} waits for {wait.what}".strip() for wait in every_wait()]
    assert found == [
        "waits for the disk: no space left",
        "waits for a blocked decision in process 7: NondeterminismError: event 5",
        "waits for a decision: no decider has taken it from task list deciders",
        "waits for the next decision: one answer could not hold all",
        "waits for signal go",
        "waits for activity pkg.load [load-1], which is queued in task list workers",
        "waits for activity pkg.load [load-2], which is queued in task list workers: no process defines pkg.load v1",
        "waits for activity pkg.load [load-3], which runs in lab@node-1:17, its cancel requested",
        "waits for activity pkg.load [load-4], which runs in lab@node-1:17, last heartbeat 2.0 s ago, its cancel "
        "requested, and does not answer: is it stopped?",
        "waits for lambda resize [lambda-1], which is queued",
        "waits for child child-1 of pkg.Child, which has not started",
        "waits for child child-2 of pkg.Child",
        "waits for the pause before the next attempt of activity-load-1",
        "waits for timer patience",
        "waits for the timeout of a wait for futures",
        "waits for 96 deferred members of a group with max_parallel=4, until others have closed",
        "waits for 1 deferred activity task, until fewer are open",
        "waits for signal paid on its way",
        "waits for cancel request to shop-3 on its way",
        "child-2 waits for a blocked decision in process 7: NondeterminismError: event 5",
        "waits for nothing that can happen by itself: no task, timer, child or signal is open",
    ]


def test_all_that_is_waited_for_is_the_end_of_one_sentence() -> None:
    """Every combination is a list of such ends: `phrase` puts commas between them, and numbers for several alike."""
    assert phrase(every_wait(), limit=30) == (
        "child-2: a blocked decision in process 7: NondeterminismError: event 5, "
        "a blocked decision in process 7: NondeterminismError: event 5, the disk: no space left, "
        "a decision: no decider has taken it from task list deciders, "
        "the next decision: one answer could not hold all, signal go, "
        "4 activities (activity pkg.load [load-2], which is queued in task list workers: no process defines pkg.load "
        "v1, …), lambda resize [lambda-1], which is queued, 2 children, the pause before the next attempt of "
        "activity-load-1, 2 timers, 96 deferred members of a group with max_parallel=4, until others have closed, "
        "1 deferred activity task, until fewer are open, signal paid on its way, "
        "cancel request to shop-3 on its way, "
        "nothing that can happen by itself: no task, timer, child or signal is open"
    )


def test_a_signal_to_another_execution_is_on_its_way() -> None:
    story = decided()
    story.add("SignalExternalWorkflowExecutionInitiated", workflowId="other", signalName="go")
    story.add("RequestCancelExternalWorkflowExecutionInitiated", workflowId="third")

    assert [wait.what for wait in waits_of(story.history())] == [
        "signal go on its way",
        "cancel request to third on its way",
    ]


def test_an_open_execution_that_nothing_can_wake_says_so() -> None:
    (wait,) = waits_of(decided().history())

    assert wait.kind == "code"
    assert "nothing that can happen by itself" in wait.what


def test_many_of_a_kind_are_counted() -> None:
    story = decided()
    for number in range(1_000):
        story.schedule(f"load-{number}")
    waits = waits_of(story.history())

    assert len(waits) == MAX_OF_A_KIND + 1
    assert waits[-1].what == "and 990 more activity tasks"
    assert Waits(waits).in_words() == "1,000 activities"


def test_rows_are_in_the_order_of_their_kinds() -> None:
    kinds = [KINDS.index(wait.kind) for wait in waits_of(eventful())]

    assert kinds == sorted(kinds)
    assert len(kinds) >= 3


CONTEXTS = [
    "",
    "x",
    "[]",
    "{}",
    '{"waiting_signals": 1}',
    '{"waiting_signals": [1, null, {}]}',
    '{"simpleflow_lab": []}',
    '{"simpleflow_lab": {"max_parallel": [[1], 2, ["a", "b"], [true, 1]], "open_activities": "many"}}',
    "[" * 100_000,
]


@pytest.mark.parametrize("context", CONTEXTS)
def test_an_execution_context_may_be_anybodys(context: str) -> None:
    story = Story()
    story.decide(context=context)

    assert [wait.kind for wait in waits_of(story.history())] == ["code"]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_rows_hold_no_element_of_the_historys_making(payload: str) -> None:
    def waits(text: str) -> Waits:
        history = list(hostile(text, status=None))
        at = len(history) + 1
        context = {"scheduledEventId": at, "executionContext": json.dumps({"waiting_signals": [text]})}
        history.append(HistoryEvent(at, "DecisionTaskScheduled", when(5), {}))
        history.append(HistoryEvent(at + 1, "DecisionTaskStarted", when(5), {"scheduledEventId": at}))
        history.append(HistoryEvent(at + 2, "DecisionTaskCompleted", when(5), context))
        return Waits(waits_of(History(history), workflow_id=text), now=when(10))

    found, plain = waits(payload), waits("plain")
    assert Shape(found._repr_html_()).elements == Shape(plain._repr_html_()).elements
    for wait in found:
        assert len(wait.what) <= HOVER_LIMIT
        assert len(wait.what.splitlines()) == 1
    assert len(repr(found).splitlines()) == len(repr(plain).splitlines())
    assert all(len(line.splitlines()) == 1 for line in found.lines())


def test_the_table_has_a_row_for_each_wait() -> None:
    waits = Waits(waits_of(eventful(), workflow_id="order-1"))
    table = waits.to_pandas()

    assert list(table.columns) == ["kind", "waits for", "since", "until", "what to do"]
    assert list(table["waits for"]) == [wait.what for wait in waits]
    assert isinstance(table["since"].dtype, pd.DatetimeTZDtype)


def described(context: object = None, **counts: int) -> dict[str, object]:
    words = {} if context is None else {"latestExecutionContext": json.dumps(context)}
    execution = {"execution": {"workflowId": "parent-1", "runId": "r"}}
    return {
        "executionInfo": execution,
        "openCounts": {f"open{name}": number for name, number in counts.items()},
        **words,
    }


@pytest.mark.parametrize(
    ("description", "words"),
    [
        (described(ActivityTasks=3, Timers=1), "3 activities, 1 timer"),
        (described({"waiting_signals": ["go"]}, ChildWorkflowExecutions=2), "signal go, 2 children"),
        (described({"simpleflow_lab": {"max_parallel": [[2, 5]]}}, ActivityTasks=2), "2 activities, 5 deferred"),
        (described(DecisionTasks=1, LambdaFunctions=1), "a decision, 1 lambda"),
        (described(), "nothing that can happen by itself"),
    ],
)
def test_a_description_is_told_in_a_few_words(description: dict[str, object], words: str) -> None:
    assert description_in_words(description) == words


def test_what_blocks_a_decision_is_the_reason_and_not_that_a_decider_has_taken_it() -> None:
    story = Story()
    scheduled = story.add("DecisionTaskScheduled", taskList={"name": "deciders"})
    story.add("DecisionTaskStarted", scheduledEventId=scheduled)
    tasks = [{"scheduledEventId": scheduled, "holder": {"pid": 17}, "isSilent": False}]
    error = {"execution": {"workflowId": "parent-1", "runId": "r"}, "error": "NondeterminismError", "message": "no"}
    until = story.history()[-1].timestamp + datetime.timedelta(seconds=12)

    (wait,) = waits_of(story.history(), tasks=tasks, errors=[{**error, "endsWait": True}], until=until)
    assert wait.kind == "blocked decision"
    stopped = [{**tasks[0], "isSilent": True}]
    assert len(waits_of(story.history(), tasks=stopped, errors=[{**error, "endsWait": True}])) == 2
    assert description_in_words(described(DecisionTasks=1), error) == "a blocked decision: NondeterminismError"


def test_a_blocked_decision_comes_first_in_a_few_words() -> None:
    error = {"execution": {"workflowId": "child-1", "runId": "r"}, "error": "NondeterminismError", "message": "no"}

    assert (
        description_in_words(described(Timers=1), error)
        == "a blocked decision of child-1: NondeterminismError, 1 timer"
    )
    assert waits_of(decided().history(), errors=[{**error, "endsWait": True, "pid": 7}])[0].what == (
        "a blocked decision in process 7: NondeterminismError: no"
    )


def test_what_the_engine_knows_of_a_task_is_told_with_it() -> None:
    story = decided()
    queued = story.schedule("load-1", "pkg.load")
    running = story.schedule("load-2", "pkg.load")
    story.start(running)
    tasks = [
        {"scheduledEventId": queued, "reason": "no process defines pkg.load v1"},
        {"scheduledEventId": running, "isSilent": True},
    ]
    first, second = waits_of(story.history(), tasks=tasks)

    assert first.what.endswith("is queued in task list workers: no process defines pkg.load v1")
    assert second.what.endswith("runs in lab@node-1:17, and does not answer: is it stopped?")
    assert not second.goes_on
    assert "no process defines" in Waits([first, second]).in_words()


def test_a_task_that_waits_for_a_process_that_does_not_answer_says_how_to_go_on_without_it() -> None:
    story = decided()
    queued = story.schedule("load-1", "pkg.load")
    (wait,) = waits_of(
        story.history(), tasks=[{"scheduledEventId": queued, "reason": "waits for process 7", "isSilent": True}]
    )
    assert wait.to_do == (
        "let that process go on (kill -CONT), or end it; or lab.resume(id) goes on with the definitions of the "
        "process that calls it"
    )


def test_a_chart_and_its_page_say_what_an_open_execution_waits_for() -> None:
    story = decided({"waiting_signals": ["go <b>"]})
    subtitle = gantt(story.history()).layout.title.subtitle.text.replace("<br>", " ")
    assert "waits for signal go &lt;b&gt;" in subtitle
    assert "waits for signal go" in gantt_html(story.history())

    story.end()
    assert "waits for" not in gantt(story.history()).layout.title.subtitle.text.replace("<br>", " ")
    assert "waits for" not in gantt_html(story.history())
