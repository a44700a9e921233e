"""One record per attempt: states, times, attempts, what went unhandled."""

from __future__ import annotations

import json

import pytest

from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import Attempt, last_attempts
from simpleflow_lab.views.history_fold import attempts_of, fold_history
from tests.views.story import IDENTITY, Story, eventful, when


def only(history: History, **kwargs: object) -> Attempt:
    (attempt,) = attempts_of(history, **kwargs)  # type: ignore[arg-type]
    return attempt


def by_key(history: History) -> dict[tuple[str, int], Attempt]:
    return {(attempt.id, attempt.attempt): attempt for attempt in attempts_of(history)}


def test_an_activity_waits_from_scheduled_to_started_and_runs_from_there_to_its_close() -> None:
    story = Story()
    task = story.at(1).schedule("a-1", "pkg.increment", taskPriority="-3")
    story.at(2.25).start(task)
    story.at(5).complete(task, "2")

    attempt = only(story.history())

    assert (attempt.kind, attempt.name, attempt.version, attempt.id) == ("activity", "pkg.increment", "v1", "a-1")
    assert (attempt.state, attempt.open, attempt.attempt) == ("completed", False, 1)
    assert (attempt.scheduled, attempt.started, attempt.closed) == (when(1), when(2.25), when(5))
    assert (attempt.waiting, attempt.running) == (1.25, 2.75)
    assert (attempt.input, attempt.result, attempt.task_list) == ('{"args": []}', "2", "workers")
    assert (attempt.worker, attempt.priority) == ("lab@node-1:17", -3)
    assert (attempt.scheduled_event_id, attempt.closed_event_id) == (task, task + 2)


def test_every_retry_is_an_attempt_of_its_own() -> None:
    tasks = by_key(eventful())

    first, second, third = (tasks["activity-shop.load-1", n] for n in (1, 2, 3))

    assert [task.state for task in (first, second, third)] == ["failed", "timed_out", "completed"]
    assert [task.retried for task in (first, second, third)] == [True, True, False]
    assert first.reason == "ConnectionError: shop.example did not answer"
    assert second.timeout_type == "HEARTBEAT"
    assert second.input == '{"args": ["again"]}'
    assert third.worker is None


def test_a_child_has_the_state_the_type_and_the_run_of_its_execution() -> None:
    child = by_key(eventful())["audit-2026", 1]

    assert (child.kind, child.name, child.state, child.open) == ("child", "shop.Audit", "started", True)
    assert (child.waiting, child.run_id, child.task_list) == (0.5, "run-of-the-audit", "auditors")


def test_a_lambda_and_a_timer_are_attempts_too() -> None:
    tasks = by_key(eventful())

    assert (tasks["resize-1", 1].name, tasks["resize-1", 1].running) == ("resize", 0.5)
    assert (tasks["patience", 1].state, tasks["patience", 1].waiting, tasks["patience", 1].running) == ("fired", 0, 5.0)


def test_what_swf_refused_to_schedule_took_no_time() -> None:
    refused = by_key(eventful())["activity-shop.gone-1", 1]

    assert (refused.state, refused.reason) == ("schedule_failed", "ACTIVITY_TYPE_DOES_NOT_EXIST")
    assert (refused.waiting, refused.running, refused.open, refused.failed) == (0, None, False, True)


def test_what_is_open_counts_up_to_the_last_event_or_until() -> None:
    story = Story()
    task = story.at(1).schedule("a-1")
    assert (only(story.history()).state, only(story.history(), until=when(9)).waiting) == ("scheduled", 8)

    story.at(2).start(task)
    story.at(5).decide(0)

    assert only(story.history()).running == 3
    assert only(story.history(), until=when(12)).running == 10
    assert only(story.history(), until=when(1.5)).running == 0, "never less than nothing"


def test_a_cancel_request_is_no_state() -> None:
    story = Story()
    task = story.at(1).schedule("a-1")
    story.at(2).start(task)
    story.at(3).add("ActivityTaskCancelRequested", activityId="a-1")

    asked = only(story.history())

    assert (asked.state, asked.open, asked.cancel_requested) == ("started", True, True)

    story.at(4).cancel(task)

    assert only(story.history()).state == "canceled"


def test_a_timer_that_is_started_again_is_not_retried_and_canceling_it_is_no_failure() -> None:
    story = Story()
    for second in (1, 2):
        timer = story.at(second).add("TimerStarted", timerId="t", startToFireTimeout="9")
        story.at(second + 0.5).add("TimerCanceled", timerId="t", startedEventId=timer)
    story.end()

    attempts = attempts_of(story.history())

    assert [attempt.attempt for attempt in attempts] == [1, 2]
    assert not any(attempt.retried or attempt.failed or attempt.unhandled for attempt in attempts)


def test_an_open_task_is_canceled_whose_id_was_refused_for_another_one() -> None:
    story = Story()
    story.schedule("a-1")
    story.add("ScheduleActivityTaskFailed", activityId="a-1", cause="ACTIVITY_ID_ALREADY_IN_USE")
    story.add("ActivityTaskCancelRequested", activityId="a-1")

    first, refused = attempts_of(story.history())

    assert (first.state, first.cancel_requested) == ("scheduled", True)
    assert (refused.state, refused.cancel_requested) == ("schedule_failed", False)


@pytest.mark.parametrize(
    ("identity", "worker"),
    [
        (None, None),
        (IDENTITY, "lab@node-1:17"),
        ('{"hostname": "h"}', "h"),
        ('{"hostname": "h", "user": 3, "pid": "x"}', "h"),
        ('{"hostname": {"a": 1}}', '{"hostname": {"a": 1}}'),
        ("{" * 100_000, "{" * 100_000),
        ('{"a":' * 100_000, '{"a":' * 100_000),
        ("[1]", "[1]"),
        ("worker 7", "worker 7"),
        ('{"hostname": "h", "pid": 1, "definition_differs": true}', "h:1 with another definition"),
        ('{"hostname": "h", "pid": 1, "definition_differs": 1}', "h:1"),
    ],
)
def test_an_identity_may_be_anything(identity: str | None, worker: str | None) -> None:
    story = Story()
    story.start(story.schedule("a-1"), identity)

    assert only(story.history()).worker == worker


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    story = Story()
    story.complete(story.schedule("a-\ud800", "naïve \ud83d\ude00"), "\udfff")

    attempt = only(story.history())

    assert (attempt.id, attempt.name, attempt.result) == ("a-\ufffd", "naïve 😀", "\ufffd")


# -- what nobody looked at ---------------------------------------------------------------------------------------------


def failing(status: str | None = "Completed", context: str | None = None) -> History:
    """`retried` fails twice, `mended` fails once, `canceled` is canceled, `fine` completes."""
    story = Story()
    for task_id in ("retried", "mended"):
        story.fail(story.schedule(task_id))
    story.fail(story.schedule("retried"))
    story.complete(story.schedule("mended"))
    story.complete(story.schedule("fine"))
    story.cancel(story.schedule("canceled"))
    story.decide(context='{"simpleflow_lab": {"unhandled_failures": ["mended", "fine"]}}' if context else None)
    story.decide(context=context)
    if status is not None:
        story.end(status)
    return story.history()


def unhandled(history: History) -> list[tuple[str, int]]:
    return [(attempt.id, attempt.attempt) for attempt in attempts_of(history) if attempt.unhandled]


def test_final_failures_of_a_completed_execution_went_unnoticed_if_no_decider_says_otherwise() -> None:
    assert unhandled(failing()) == [("retried", 2), ("canceled", 1)]


@pytest.mark.parametrize("status", [None, "Failed", "Canceled", "Terminated", "TimedOut", "ContinuedAsNew"])
def test_nothing_is_unnoticed_unless_the_execution_completed(status: str | None) -> None:
    assert unhandled(failing(status)) == []


@pytest.mark.parametrize(
    ("ids", "expected"),
    [([], []), (["canceled"], [("canceled", 1)]), (["retried", "fine", 7, None], [("retried", 2)])],
)
def test_the_latest_decider_decides_what_went_unnoticed(ids: list[object], expected: list[tuple[str, int]]) -> None:
    assert unhandled(failing(context=json.dumps({"simpleflow_lab": {"unhandled_failures": ids}}))) == expected


@pytest.mark.parametrize(
    "context",
    [
        '"simpleflow_lab"',
        '{"simpleflow_lab": []}',
        '{"simpleflow_lab": {"unhandled_failures": {}}}',
        '{"simpleflow_lab"',
    ],
)
def test_a_context_of_somebody_else_is_passed_over(context: str) -> None:
    """The decision task before it says what counts; both ids in there are of tasks that went well in the end."""
    assert unhandled(failing(context=context)) == []


# -- decision tasks and point events -----------------------------------------------------------------------------------


def test_a_decision_task_knows_what_it_brought_and_what_was_decided() -> None:
    story = Story()
    completed = story.at(1).decide(0.5)
    for n in (1, 2):
        story.schedule(f"a-{n}", decisionTaskCompletedEventId=completed)
    child = story.add(
        "StartChildWorkflowExecutionInitiated",
        workflowId="c",
        workflowType={"name": "c", "version": "1"},
        decisionTaskCompletedEventId=completed,
    )
    story.at(2).add(
        "StartChildWorkflowExecutionFailed",
        workflowId="c",
        initiatedEventId=child,
        cause="WORKFLOW_TYPE_DOES_NOT_EXIST",
        decisionTaskCompletedEventId=completed,
    )
    last = story.at(3).decide(0.25)
    story.end(decisionTaskCompletedEventId=last)

    first, second = fold_history(story.history()).decision_tasks

    assert dict(first.kinds) == {"ScheduleActivityTask": 2, "StartChildWorkflowExecution": 1}
    assert (first.decisions, first.new_events, first.deciding) == (3, 3, 0.5)
    assert dict(second.kinds) == {"CompleteWorkflowExecution": 1}
    assert (second.new_events, second.deciding) == (story.history()[-1].id - 2 - 3, 0.25)


def test_point_events_are_what_takes_no_time() -> None:
    point_events = fold_history(eventful()).point_events

    assert [(event.kind, event.name, event.text) for event in point_events] == [
        ("marker", "first retry", "1"),
        ("signal", "hurry", "[1]"),
    ]


def test_folding_twice_gives_the_same() -> None:
    history = eventful()
    before = history.to_json()

    assert fold_history(history) == fold_history(history)
    assert attempts_of(history) == fold_history(history).attempts
    assert history.to_json() == before


def test_the_last_attempts_are_one_per_task() -> None:
    last = last_attempts(attempts_of(eventful()))

    assert len(last) == len({attempt.id for attempt in last}) == 9
    assert last[0].state == "completed"


def test_a_history_without_events_has_nothing_to_say() -> None:
    assert attempts_of(History()) == ()
    assert fold_history(History()).decision_tasks == ()
