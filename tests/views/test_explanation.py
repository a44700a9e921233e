"""One look explains: for each trouble, one `explain` names the cause, how much it cost, and what helps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simpleflow_lab.constants import DEFAULT_ACTIVITY_THREADS
from simpleflow_lab.exceptions import NondeterminismError
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.critical_path import critical_path
from simpleflow_lab.views.earlier_runs import EarlierRuns
from simpleflow_lab.views.explanation import MAX_LINES, explain
from simpleflow_lab.views.history_waits import waits_of
from tests.views import troubles
from tests.views.path_laws import check_path
from tests.views.story import Story, eventful, large, when

TROUBLES: dict[Callable[[], History], list[str]] = {
    troubles.slow_task_off_the_path: [
        "✓ COMPLETED after 12.1 s",
        'result: "done" → execution.result()',
        "97 % of 12.1 s: 11.7 s running fetch-1 (3.9 s), parse-1 (3.9 s), load-1 (3.9 s) → execution.critical_path()",
        "not on the critical path: audit-1 ran 8.9 s, and could have run 3.0 s longer → execution.slack()",
    ],
    troubles.waits_between_retries: [
        "✓ COMPLETED after 9.2 s",
        "result: 8 → execution.result()",
        "2 failed attempts were tried again: fetch-8 2 times, last ConnectionError: no answer "
        "→ execution.tasks(), or simpleflow workflow.tasks shop-1",
        "63 % of 9.2 s: 5.8 s between attempts of fetch-8 "
        "→ retry= of the activity sets how often it is tried, and the pauses",
        "30 % of the time: 2.8 s running fetch-8 → execution.critical_path()",
    ],
    troubles.queueing_behind_few_workers: [
        "✓ COMPLETED after 6.2 s",
        "result: [] → execution.result()",
        "65 % of 6.2 s: 4.0 s queued on task list pricing, where of this execution at most 2 ran at once: "
        f"price-6, behind price-1 → lab.start_workers({max(4, DEFAULT_ACTIVITY_THREADS)}, task_list='pricing')",
        "32 % of the time: 2.0 s running price-6 → execution.critical_path()",
    ],
    troubles.deferred_by_max_parallel: [
        "✓ COMPLETED after 6.1 s",
        "result: [] → execution.result()",
        "64 % of 6.1 s: 3.9 s deferred by max_parallel=1: price-3 → raise max_parallel of the group",
        "31 % of the time: 1.9 s running price-3 → execution.critical_path()",
    ],
    troubles.deferred_by_the_limit_of_open_tasks: [
        "✓ COMPLETED after 10.1 s",
        "result: [] → execution.result()",
        "49 % of 10.1 s: 4.9 s deferred, as many activity tasks as allowed were open: price-2 "
        "→ max_open_activity_count of the workflow, and the settings, limit them",
        "49 % of the time: 4.9 s running price-2 → execution.critical_path()",
    ],
    troubles.deferred_for_want_of_workers: [
        "✓ COMPLETED after 7.1 s",
        "result: [] → execution.result()",
        "69 % of 7.1 s: 4.9 s deferred, as many activity tasks as allowed were open: price-3; of 2 that were open on "
        f"task list pricing at most 1 ran at once → lab.start_workers({DEFAULT_ACTIVITY_THREADS}, task_list='pricing')",
        "14 % of the time: 1.0 s queued on task list pricing, where of this execution at most 1 ran at once: "
        f"price-3, behind price-2 → lab.start_workers({DEFAULT_ACTIVITY_THREADS}, task_list='pricing')",
        "13 % of the time: 900 ms running price-3 → execution.critical_path()",
        "not on the critical path: price-2 ran 900 ms, and could have run 100 ms longer → execution.slack()",
    ],
    troubles.forgotten_signal: [
        "▶ OPEN for 1 min",
        "waits for signal approved → execution.signal('approved'), or simpleflow workflow.signal shop-1 approved",
        "98 % of 1 min: 58.9 s waiting for signal approved",
    ],
    troubles.late_signal: [
        "✓ COMPLETED after 1 min",
        "result: true → execution.result()",
        "98 % of 1 min: 58.9 s waiting for signal approved",
    ],
    troubles.lost_worker: [
        "✓ COMPLETED after 10.1 s",
        "result: 1 → execution.result()",
        "1 attempt was lost with its worker: train-1, in lab@node-1:17 "
        "→ execution.tasks(), or simpleflow workflow.tasks shop-1",
        "68 % of 10.1 s: 6.9 s in an attempt that was lost with the worker: train-1 → execution.tasks()",
        "29 % of the time: 2.9 s running train-1 → execution.critical_path()",
    ],
    troubles.swallowed_failure: [
        "✓ COMPLETED after 2.1 s",
        'result: "paid" → execution.result()',
        "1 failure was not handled: mail-1 (SMTPException: relay refused) → execution.unhandled_failures()",
        "90 % of 2.1 s: 1.9 s running pay-1 → execution.critical_path()",
        "not on the critical path: mail-1 ran 900 ms, and could have run 1.0 s longer → execution.slack()",
    ],
    troubles.long_timer: [
        "✓ COMPLETED after 1 h",
        "result: null → execution.result()",
        "100 % of 1 h: 1 h for timer cool down",
    ],
    troubles.nobody_takes_it: [
        "✓ COMPLETED after 31.1 s",
        "result: 1 → execution.result()",
        "96 % of 31.1 s: 29.9 s queued on task list workers, while nothing of this execution ran there: price-1; "
        "nobody polled it, or other executions kept its workers busy "
        f"→ lab.start_workers({DEFAULT_ACTIVITY_THREADS}, task_list='workers'); lab.pollers() shows who polls",
    ],
    troubles.nobody_decides: [
        "▶ OPEN for 1 min",
        "waits for a decision: no decider has taken it from task list deciders "
        "→ start a decider: lab.resume(), or start the process that defines the workflow",
        "100 % of 1 min: 1 min until a decider took its decision tasks "
        "→ lab.start_deciders(), or the process that defines the workflow; lab.pollers() shows who polls",
    ],
}


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_one_look_explains(trouble: Callable[[], History]) -> None:
    found = explain(trouble(), workflow_id="shop-1", until=when(60))

    assert found.lines() == TROUBLES[trouble]
    check_path(trouble())


# -- how it ended, and by whom -----------------------------------------------------------------------------------------


def status(history: History) -> str:
    return explain(history)[0].text


def ended(how: str, **attributes: object) -> History:
    story = Story(executionStartToCloseTimeout="90", parentWorkflowExecution={"workflowId": "the-parent", "runId": "r"})
    story.decide(0.5)
    story.at(2).end(how, **attributes)
    return story.history()


@pytest.mark.parametrize(
    ("how", "attributes", "said"),
    [
        (
            "Terminated",
            {"cause": "OPERATOR_INITIATED", "reason": "stale"},
            "somebody terminated it, with reason: stale",
        ),
        ("Terminated", {"cause": "OPERATOR_INITIATED"}, "somebody terminated it, without a reason"),
        (
            "Terminated",
            {"cause": "CHILD_POLICY_APPLIED"},
            "its parent the-parent closed, and its child policy is TERMINATE",
        ),
        ("Terminated", {"cause": "EVENT_LIMIT_EXCEEDED"}, "SWF ended it, for its history had become too long"),
        ("TimedOut", {"timeoutType": "START_TO_CLOSE"}, "its timeout, 1 min 30 s, was over"),
        ("Failed", {"reason": "KeyError: 'a'"}, "its code failed with KeyError: 'a'"),
        ("ContinuedAsNew", {"newExecutionRunId": "r-2"}, "its code went on in a new run"),
    ],
)
def test_the_status_says_who_gave_it_and_why(how: str, attributes: dict[str, object], said: str) -> None:
    assert status(ended(how, **attributes)).partition(" after 2.0 s: ")[2] == said


def test_a_cancel_request_is_told_with_who_sent_it() -> None:
    story = Story()
    story.decide(0.1)
    story.at(3).add(
        "WorkflowExecutionCancelRequested", externalWorkflowExecution={"workflowId": "shop-parent", "runId": "r"}
    )
    assert status(story.history()) == (
        "▶ OPEN for 3.0 s: its code has not answered a cancel request of shop-parent, 0 s before"
    )
    story.decide(0.1)
    story.at(4).end("Canceled")
    assert (
        status(story.history())
        == "⊘ CANCELED after 4.0 s: its code agreed to a cancel request of shop-parent, 1.0 s before"
    )


def test_a_failed_execution_names_the_task_behind_it_and_what_was_left() -> None:
    story = Story()
    story.decide(0.1)
    bad, slow = story.schedule("activity-shop.bad-1", "shop.bad"), story.schedule("activity-shop.slow-1", "shop.slow")
    story.start(bad)
    story.start(slow)
    story.at(1).fail(bad, "ValueError: no")
    story.decide(0.1)
    story.end("Failed", reason="ValueError: no")
    context_free = [line.text for line in explain(story.history(), workflow_id="w-1")]
    assert context_free[0] == "✗ FAILED after 1.1 s: its code failed with ValueError: no (task bad-1)"
    assert "1 activity task was not finished when it closed: slow-1" in context_free


def test_a_failure_after_the_last_decision_is_not_said_to_be_handled() -> None:
    story = Story()
    story.decide(0.1)
    early, late = (story.schedule(f"activity-shop.{name}-1", f"shop.{name}") for name in ("early", "late"))
    story.at(1).fail(early, "ValueError: early")
    story.decide(0.5)
    story.at(1.2).fail(late, "ValueError: late")  # the decider, or what is left of it, never saw it
    story.at(2).add("DecisionTaskScheduled", taskList={"name": "deciders"})
    assert [line.text for line in explain(story.history()) if "failed" in line.text] == [
        "2 tasks failed so far: early-1 (ValueError: early), late-1 (ValueError: late)"
    ]
    story.at(3).end("TimedOut", timeoutType="START_TO_CLOSE")
    assert [(line.kind, line.text) for line in explain(story.history()) if "failed" in line.text] == [
        ("unhandled", "1 task failed, and no decision was made after that: late-1 (ValueError: late)"),
        ("handled", "1 task failed, and its code handled that: early-1 (ValueError: early)"),
    ]


def test_of_what_was_left_it_is_told_how_much_had_not_started() -> None:
    def left(started: int) -> str:
        story = Story()
        story.decide(0.1)
        tasks = [story.schedule(f"activity-shop.a-{n}", "shop.a") for n in range(1, 6)]
        for task in tasks[5 - started :]:
            story.start(task)
        story.at(1).end("Terminated")
        return next(line.text for line in explain(story.history()) if line.kind == "unfinished")

    assert left(5) == "5 activity tasks were not finished when it closed: a-1, a-2, a-3 and 2 more"
    assert left(1) == "5 activity tasks were not finished when it closed; 4 had not started: a-5, a-1, a-2 and 2 more"
    assert left(0) == "5 activity tasks were not finished when it closed, and had not started: a-1, a-2, a-3 and 2 more"


# -- beside earlier runs -----------------------------------------------------------------------------------------------


def test_what_made_it_slower_than_earlier_runs_is_named() -> None:
    slow, usual = troubles.waits_between_retries(), troubles.swallowed_failure()
    earlier = EarlierRuns(seconds=[2.1, 2.0, 3.3], typical=critical_path(usual))
    compared = next(line for line in explain(slow, earlier=earlier) if line.kind == "compared")
    assert (
        compared.text == "7.1 s slower than the last 3 runs (median 2.1 s): waits between attempts of fetch-8 (+5.8 s)"
    )
    assert compared.seconds == pytest.approx(7.1)


def test_a_time_as_usual_is_not_worth_a_line_and_a_shorter_one_is() -> None:
    def kinds(*seconds: float) -> list[str]:
        return [line.text for line in explain(troubles.long_timer(), earlier=EarlierRuns(seconds=seconds))]

    assert not any("than" in text for text in kinds(3600.0, 3599.0) + kinds())
    assert "20 min faster than the run before (1 h 20 min)" in kinds(4800.1)


# -- any history -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("history", [eventful(), large(300), History()], ids=["eventful", "large", "empty"])
def test_any_history_is_explained_in_ten_lines_at_most(history: History) -> None:
    found = explain(history)
    assert len(found) <= MAX_LINES
    assert repr(found).count("\n") == max(len(found) - 1, 0)
    assert list(found.to_pandas().columns) == ["about", "what", "seconds", "what helps"]
    assert len(found.to_pandas()) == len(found)


def test_what_a_history_says_is_escaped_and_bounded() -> None:
    story = Story()
    story.decide(0.1)
    bad = story.schedule("<b>&$x$", "<i>" * 50)
    story.start(bad)
    story.at(1).fail(bad, "<script>alert(1)</script>" * 100)
    story.decide(0.1)
    story.end("Failed", reason="<img src=x onerror=alert(1)>" * 50)
    page = explain(story.history(), workflow_id="</code><script>")._repr_html_()
    assert "<script>" not in page
    assert "<img" not in page
    assert "<i>" not in page
    assert len(page) < 8_000


def test_what_is_printed_holds_no_control_character() -> None:
    story = Story()
    story.decide(0.1)
    task = story.schedule("work\x1b[31m-1")
    story.start(task)
    story.at(2).fail(task, reason="OSError: \x1b]0;owned\x07 gone")
    story.decide(0.1)
    story.end("Failed", reason="OSError: \x9b31m gone")

    printed = repr(explain(story.history(), workflow_id="shop-1"))
    assert "owned" in printed
    assert all(character.isprintable() or character == "\n" for character in printed)


def test_a_changed_code_is_told_with_what_it_asks_for_now() -> None:
    error = NondeterminismError(
        event_id=5,
        recorded='activity shop.fetch (version 1) [activity-shop.fetch-1] with {"args":["books"],"kwargs":{}}',
        requested='activity shop.order (version 1) [activity-shop.order-1] with {"args":["books"],"kwargs":{}}',
        recorded_line="shop.py, line 12",
        requested_line="shop.py, line 14",
    )
    report = {"error": "NondeterminismError", "message": str(error), "endsWait": True, "pid": 12345}
    waits = waits_of(Story().history(), workflow_id="shop-1", errors=[report], until=when(60))

    blocked = explain(Story().history(), workflow_id="shop-1", waits=waits, until=when(60)).lines()[1]

    assert "event 5: the history has activity shop.fetch" in blocked
    assert "the code now asks for activity shop.order" in blocked


def test_a_failure_by_a_timeout_says_that_it_is_one() -> None:
    story = Story()
    task = story.schedule("fetch-1")
    story.start(task)
    story.time_out(task)
    story.at(3).end("Completed")

    assert any("fetch-1 (timed out: START_TO_CLOSE)" in line for line in explain(story.history()).lines())


def test_cancels_that_swf_did_not_permit_are_told_with_what_to_allow() -> None:
    story = Story()
    story.decide(0.1)
    task = story.schedule("fetch-1")
    story.add("TimerStarted", timerId="patience", startToFireTimeout="9", decisionTaskCompletedEventId=story.decided)
    story.at(2).decide(0.1)
    refused = {"cause": "OPERATION_NOT_PERMITTED", "decisionTaskCompletedEventId": story.decided}
    for _ in range(2):
        story.add("CancelTimerFailed", timerId="patience", **refused)
    story.add("RequestCancelActivityTaskFailed", activityId="fetch-1", **refused)
    story.add("CancelTimerFailed", timerId="fired", **{**refused, "cause": "TIMER_ID_UNKNOWN"})
    story.complete(task)
    story.at(3).end("Completed")

    assert [str(line) for line in explain(story.history()) if line.kind == "refused"] == [
        "SWF refused to cancel timer patience (OPERATION_NOT_PERMITTED): it went on "
        "→ allow swf:CancelTimer to the credentials of its decider",
        "SWF refused to cancel activity task fetch-1 (OPERATION_NOT_PERMITTED): it went on "
        "→ allow swf:RequestCancelActivityTask to the credentials of its decider",
    ]


def test_the_time_of_a_blocked_decision_is_told_as_that() -> None:
    story = Story()
    story.decide(0.5)
    story.at(1).add("WorkflowExecutionSignaled", signalName="go")
    scheduled = story.add("DecisionTaskScheduled", taskList={"name": "deciders"})
    story.add("DecisionTaskStarted", scheduledEventId=scheduled)
    error = {"error": "NondeterminismError", "message": "event 5", "endsWait": True}
    waits = waits_of(story.history(), workflow_id="shop-1", errors=[error], until=when(60))

    found = explain(story.history(), workflow_id="shop-1", waits=waits, until=when(60)).lines()

    assert found[1].startswith("can't go on: waits for a blocked decision: NondeterminismError: event 5 → fix the code")
    assert [line for line in found if "decision" in line][1:] == [
        "98 % of 1 min: 59.0 s in the decision that is blocked"
    ]


def test_of_what_is_queued_in_two_task_lists_each_task_is_told_once() -> None:
    story = Story("shop.Prices")
    story.decide(0.1)
    lists = ["prices", "shops", "shops"]
    tasks = [
        story.schedule(f"activity-shop.price-{number}", "shop.price", taskList={"name": lists[number % 3]})
        for number in range(1, 31)
    ]
    for task in tasks[20:]:
        story.start(task)

    waits = [line.text for line in explain(story.history()) if line.kind == "waits"]

    assert waits == [
        "waits for activity shop.price [activity-shop.price-1], which is queued in task list shops, and 13 more alike",
        "waits for activity shop.price [activity-shop.price-3], which is queued in task list prices, and 5 more alike"
        ", and for 10 more",
    ]


def test_tasks_that_wait_for_the_same_are_one_line() -> None:
    story = Story("shop.Prices")
    story.decide(0.1)
    for number in range(1, 41):
        story.schedule(f"activity-shop.price-{number}", "shop.price")
    story.add("TimerStarted", timerId="patience", startToFireTimeout="60", decisionTaskCompletedEventId=story.decided)

    waits = [line for line in explain(story.history()) if line.kind == "waits"]

    assert [line.text for line in waits] == [
        "waits for activity shop.price [activity-shop.price-1], which is queued in task list workers"
        ", and 39 more alike",
        "waits for timer patience",
    ]
