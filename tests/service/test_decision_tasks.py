"""Decision tasks: what schedules one, coalescing, what a decider is given, timeouts, task lists."""

from __future__ import annotations

from typing import Any

import pytest

from simpleflow_lab.exceptions import UnknownResourceFault, ValidationException
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.swf import decisions
from tests.service.scenario import DOMAIN, Scenario, attributes

ACTIVITY = decisions.schedule_activity_task(activity_id="a", name="activity", version="1", input="[1]")


def activity(activity_id: str, **options: Any) -> dict[str, Any]:
    return decisions.schedule_activity_task(activity_id=activity_id, name="activity", version="1", **options)


def test_a_start_schedules_the_first_decision_task_in_the_same_instant(lab: Scenario) -> None:
    handle = lab.start(input="[]", tagList=["a=1"])
    started, scheduled = lab.events(handle)
    assert attributes(started) == {
        "input": "[]",
        "tagList": ["a=1"],
        "workflowType": {"name": "workflow", "version": "1"},
        "executionStartToCloseTimeout": "100000",
        "taskStartToCloseTimeout": "30",
        "taskList": {"name": "decisions"},
        "childPolicy": "TERMINATE",
        "parentInitiatedEventId": 0,
    }
    assert attributes(scheduled) == {
        "taskList": {"name": "decisions"},
        "startToCloseTimeout": "30",
        "scheduleToStartTimeout": "NONE",
    }
    assert started["eventTimestamp"] == scheduled["eventTimestamp"]
    assert scheduled["eventTimestamp"].tzinfo is not None


def test_a_decider_is_given_the_history_up_to_its_own_start(lab: Scenario) -> None:
    handle = lab.start()
    task = lab.poll(identity="me")
    assert task["startedEventId"] == 3
    assert task["previousStartedEventId"] == 0
    assert task["workflowExecution"] == handle.ids
    assert task["workflowType"] == {"name": "workflow", "version": "1"}
    assert [event["eventType"] for event in task["events"]] == [
        "WorkflowExecutionStarted",
        "DecisionTaskScheduled",
        "DecisionTaskStarted",
    ]
    assert attributes(task["events"][-1]) == {"scheduledEventId": 2, "identity": "me"}


def test_an_empty_poll_has_no_token(lab: Scenario) -> None:
    assert lab.poll() == {"startedEventId": 0, "previousStartedEventId": 0}


def test_no_decisions_and_nothing_pending_leave_the_execution_idle(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide()
    assert lab.types(handle)[-1] == "DecisionTaskCompleted"
    assert "taskToken" not in lab.poll()


def test_all_events_of_an_answer_have_one_timestamp(lab: Scenario) -> None:
    handle = lab.start()
    task = lab.poll()
    lab.clock.advance(1.5)
    lab.answer(task, activity("a"), decisions.start_timer(timer_id="t", start_to_fire_timeout=5))
    completed, *rest = lab.events(handle)[3:]
    assert completed["eventType"] == "DecisionTaskCompleted"
    assert [event["eventType"] for event in rest] == ["ActivityTaskScheduled", "TimerStarted"]
    assert {event["eventTimestamp"] for event in rest} == {completed["eventTimestamp"]}
    assert all(attributes(event)["decisionTaskCompletedEventId"] == 4 for event in rest)


def test_what_happens_during_a_decision_queues_one_task_and_one_only(lab: Scenario) -> None:
    handle = lab.start()
    task = lab.poll()
    for _ in range(3):
        lab.signal()
    assert (
        lab.types(handle)[3:]
        == ["WorkflowExecutionSignaled", "DecisionTaskScheduled"] + ["WorkflowExecutionSignaled"] * 2
    )
    # Never are two tasks of one execution being decided.
    assert "taskToken" not in lab.poll()
    lab.answer(task)
    following = lab.poll()
    assert following["previousStartedEventId"] == 3
    assert following["startedEventId"] == 9


def test_a_close_is_refused_when_something_happened_that_the_decider_has_not_seen(lab: Scenario) -> None:
    handle = lab.start()
    task = lab.poll()
    lab.signal()
    lab.answer(task, decisions.complete_workflow_execution(result="early"))
    assert lab.types(handle)[3:] == [
        "WorkflowExecutionSignaled",
        "DecisionTaskScheduled",
        "DecisionTaskCompleted",
        "CompleteWorkflowExecutionFailed",
    ]
    assert lab.last(handle) == {"cause": "UNHANDLED_DECISION", "decisionTaskCompletedEventId": 6}
    lab.decide(decisions.complete_workflow_execution(result="late"))
    assert lab.status(handle) == "COMPLETED"


@pytest.mark.parametrize(
    ("decision", "event_type"),
    [
        (decisions.complete_workflow_execution(), "CompleteWorkflowExecutionFailed"),
        (decisions.fail_workflow_execution(reason="r"), "FailWorkflowExecutionFailed"),
        (decisions.cancel_workflow_execution(), "CancelWorkflowExecutionFailed"),
        (decisions.continue_as_new_workflow_execution(), "ContinueAsNewWorkflowExecutionFailed"),
    ],
)
def test_every_closing_decision_can_be_unhandled(lab: Scenario, decision: Any, event_type: str) -> None:
    handle = lab.start()
    task = lab.poll()
    lab.signal()
    lab.answer(task, decision)
    assert lab.types(handle)[-1] == event_type
    assert lab.last(handle)["cause"] == "UNHANDLED_DECISION"


def test_start_at_previous_started_event_gives_only_what_is_new(lab: Scenario) -> None:
    lab.start()
    lab.decide(ACTIVITY)
    lab.work()
    task = lab.poll(startAtPreviousStartedEvent=True)
    assert task["previousStartedEventId"] == 3
    assert [event["eventId"] for event in task["events"]] == [3, 4, 5, 6, 7, 8, 9]


def test_a_task_that_timed_out_is_no_previous_task(lab: Scenario) -> None:
    handle = lab.start()
    lab.poll()
    lab.clock.advance(30)
    assert lab.types(handle)[3:] == ["DecisionTaskTimedOut", "DecisionTaskScheduled"]
    assert lab.last(handle, "DecisionTaskTimedOut") == {
        "timeoutType": "START_TO_CLOSE",
        "scheduledEventId": 2,
        "startedEventId": 3,
    }
    assert lab.poll()["previousStartedEventId"] == 0


def test_the_timeout_of_a_task_that_was_answered_does_not_end_the_next_one(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(decisions.start_timer(timer_id="t", start_to_fire_timeout=20))
    lab.clock.advance(19)
    lab.signal()
    task = lab.poll()
    lab.clock.advance(29)
    assert "DecisionTaskTimedOut" not in lab.types(handle)
    lab.answer(task)
    lab.decide(decisions.complete_workflow_execution())
    assert lab.status(handle) == "COMPLETED"


def test_an_answer_after_the_timeout_is_refused(lab: Scenario) -> None:
    lab.start()
    task = lab.poll()
    lab.clock.advance(30)
    with pytest.raises(
        UnknownResourceFault, match=r"^UnknownResourceFault: Unknown decision task, scheduledEventId = 2$"
    ):
        lab.answer(task)


@pytest.mark.moto("§3, message texts")
def test_a_second_answer_is_refused(lab: Scenario) -> None:
    lab.start()
    task = lab.decide()
    with pytest.raises(UnknownResourceFault, match="Unknown decision task, scheduledEventId = 2"):
        lab.answer(task)


@pytest.mark.moto("respond_to_closed_workflow")
def test_an_answer_to_a_closed_execution_is_refused(lab: Scenario) -> None:
    handle = lab.start()
    task = lab.poll()
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="w")
    with pytest.raises(UnknownResourceFault) as refused:
        lab.answer(task)
    assert refused.value.message == (f"Unknown execution: WorkflowExecution=[workflowId=w, runId={handle.run_id}]")


@pytest.mark.moto("§3, message texts")
@pytest.mark.parametrize("token", ["bogus", "AAAAKgAAAAEAAAAA", "é"])
def test_a_token_that_was_never_given_is_invalid(lab: Scenario, token: str) -> None:
    with pytest.raises(ValidationException, match="Invalid token"):
        lab.service.respond_decision_task_completed(taskToken=token)
    with pytest.raises(ValidationException, match="Invalid token"):
        lab.service.respond_activity_task_completed(taskToken=token)


@pytest.mark.moto("close_not_last, decision_missing_attributes")
def test_a_refused_answer_changes_nothing_and_leaves_the_token_valid(lab: Scenario) -> None:
    handle = lab.start()
    task = lab.poll()
    with pytest.raises(ValidationException, match="Close must be last decision in list"):
        lab.answer(task, decisions.complete_workflow_execution(), ACTIVITY)
    with pytest.raises(
        ValidationException, match=r"Value null at 'decisions\.2\.member\.recordMarkerDecisionAttributes"
    ):
        lab.answer(task, ACTIVITY, {"decisionType": "RecordMarker", "recordMarkerDecisionAttributes": {}})
    assert len(lab.events(handle)) == 3
    lab.answer(task, ACTIVITY)
    assert lab.types(handle)[-1] == "ActivityTaskScheduled"


def test_a_failed_decision_before_a_close_fails_the_close_and_wakes_the_decider(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(decisions.cancel_timer(timer_id="none"), decisions.complete_workflow_execution())
    assert lab.types(handle)[4:] == [
        "CancelTimerFailed",
        "CompleteWorkflowExecutionFailed",
        "DecisionTaskScheduled",
    ]


def test_the_decision_task_of_a_failure_stands_at_the_end_of_the_batch(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(decisions.cancel_timer(timer_id="none"), ACTIVITY)
    assert lab.types(handle)[4:] == ["CancelTimerFailed", "ActivityTaskScheduled", "DecisionTaskScheduled"]


def test_the_latest_context_that_a_decision_gave_stays(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(ACTIVITY, executionContext="first")
    lab.work()
    lab.decide(activity("b"))
    assert lab.describe(handle)["latestExecutionContext"] == "first"
    lab.work()
    lab.decide(executionContext="")
    assert lab.describe(handle)["latestExecutionContext"] == ""
    assert lab.last(handle, "DecisionTaskCompleted")["executionContext"] == ""


# -- task lists --------------------------------------------------------------------------------------------------------


def test_a_decider_can_move_its_decision_tasks_to_another_list(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(taskList={"name": "sticky"})
    lab.signal()
    assert lab.last(handle)["taskList"] == {"name": "sticky"}
    assert "taskToken" not in lab.poll()
    lab.decide(task_list="sticky")
    assert lab.describe(handle)["executionConfiguration"]["taskList"] == {"name": "decisions"}


def test_a_task_that_is_not_started_on_the_other_list_in_time_comes_back(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(taskList={"name": "sticky"}, taskListScheduleToStartTimeout="10")
    lab.signal()
    assert lab.last(handle)["scheduleToStartTimeout"] == "10"
    lab.clock.advance(10)
    assert lab.types(handle)[-2:] == ["DecisionTaskTimedOut", "DecisionTaskScheduled"]
    assert lab.last(handle, "DecisionTaskTimedOut") == {
        "timeoutType": "SCHEDULE_TO_START",
        "scheduledEventId": 6,
        "startedEventId": 0,
    }
    assert lab.last(handle)["taskList"] == {"name": "decisions"}
    assert "taskToken" not in lab.poll("sticky")
    assert lab.poll()["startedEventId"] == 9


def test_tasks_of_one_list_go_out_by_priority_then_by_age(lab: Scenario) -> None:
    for workflow_id, priority in (("low", "-1"), ("first", "0"), ("second", "0"), ("urgent", "7")):
        lab.start(workflow_id, taskPriority=priority)
        lab.clock.advance(1)
    order = [lab.poll()["workflowExecution"]["workflowId"] for _ in range(4)]
    assert order == ["urgent", "first", "second", "low"]


def test_pending_tasks_are_counted_until_they_start(lab: Scenario) -> None:
    def count() -> int:
        return lab.service.count_pending_decision_tasks(domain=DOMAIN, taskList={"name": "decisions"})["count"]

    lab.start("v")
    lab.start("w")
    assert count() == 2
    lab.poll()
    assert count() == 1
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="w")
    assert count() == 0


# -- pages -------------------------------------------------------------------------------------------------------------


def test_a_long_history_comes_in_pages_of_the_same_task(lab: Scenario) -> None:
    lab.start()
    for _ in range(4):
        lab.signal()
    first = lab.poll(maximumPageSize=3)
    assert [event["eventId"] for event in first["events"]] == [1, 2, 3]
    lab.signal()
    second = lab.poll(nextPageToken=first["nextPageToken"], maximumPageSize=3)
    assert [event["eventId"] for event in second["events"]] == [4, 5, 6]
    third = lab.poll(nextPageToken=second["nextPageToken"])
    # What happened after the task started is not part of it.
    assert [event["eventId"] for event in third["events"]] == [7]
    assert "nextPageToken" not in third
    for page in (second, third):
        for member in ("taskToken", "startedEventId", "previousStartedEventId", "workflowExecution", "workflowType"):
            assert page[member] == first[member]


def test_pages_can_be_read_backwards(lab: Scenario) -> None:
    lab.start()
    first = lab.poll(maximumPageSize=2, reverseOrder=True)
    assert [event["eventId"] for event in first["events"]] == [3, 2]
    second = lab.poll(nextPageToken=first["nextPageToken"], maximumPageSize=2, reverseOrder=True)
    assert [event["eventId"] for event in second["events"]] == [1]
    assert "nextPageToken" not in second


def test_pages_of_a_task_that_is_over_are_refused(lab: Scenario) -> None:
    lab.start()
    task = lab.poll(maximumPageSize=1)
    lab.answer(task)
    with pytest.raises(UnknownResourceFault, match="Unknown decision task"):
        lab.poll(nextPageToken=task["nextPageToken"])


def test_a_page_token_of_another_kind_is_invalid(lab: Scenario, service: SWFService) -> None:
    handle = lab.start()
    page = lab.service.get_workflow_execution_history(domain=DOMAIN, execution=handle.ids, maximumPageSize=1)
    with pytest.raises(ValidationException, match="Invalid token"):
        lab.poll(nextPageToken=page["nextPageToken"])
    with pytest.raises(ValidationException, match="Invalid token"):
        lab.poll(nextPageToken="garbage")
