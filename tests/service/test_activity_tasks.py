"""Activity tasks: scheduling, the four timeouts, heartbeats, cancellation, outcomes."""

from __future__ import annotations

from typing import Any

import pytest

from simpleflow_lab.exceptions import UnknownResourceFault
from simpleflow_lab.swf import decisions
from tests.service.scenario import DOMAIN, Handle, Scenario


def activity(activity_id: str = "a", **options: Any) -> dict[str, Any]:
    return decisions.schedule_activity_task(activity_id=activity_id, **{"name": "activity", "version": "1", **options})


def scheduled(lab: Scenario, **options: Any) -> Handle:
    """An execution with one scheduled activity task."""
    handle = lab.start()
    lab.decide(activity(**options))
    return handle


def test_a_scheduled_task_records_what_it_was_given_and_what_its_type_adds(lab: Scenario) -> None:
    handle = scheduled(lab, input="[1]", control="c", start_to_close_timeout="7", task_priority=3)
    assert lab.last(handle) == {
        "activityId": "a",
        "activityType": {"name": "activity", "version": "1"},
        "input": "[1]",
        "control": "c",
        "taskList": {"name": "work"},
        "taskPriority": "3",
        "scheduleToStartTimeout": "NONE",
        "scheduleToCloseTimeout": "NONE",
        "startToCloseTimeout": "7",
        "heartbeatTimeout": "NONE",
        "decisionTaskCompletedEventId": 4,
    }


@pytest.mark.moto("§3, shapes")
def test_a_worker_is_given_the_task_and_its_start_is_recorded(lab: Scenario) -> None:
    handle = scheduled(lab, input="[1]")
    task = lab.take(identity="me")
    assert task.pop("taskToken")
    assert task == {
        "activityId": "a",
        "activityType": {"name": "activity", "version": "1"},
        "input": "[1]",
        "startedEventId": 6,
        "workflowExecution": handle.ids,
    }
    assert lab.last(handle) == {"scheduledEventId": 5, "identity": "me"}
    assert lab.take() == {"startedEventId": 0}


def test_a_task_without_input_comes_without_input(lab: Scenario) -> None:
    scheduled(lab)
    assert "input" not in lab.take()


def test_a_result_is_recorded_and_wakes_the_decider(lab: Scenario) -> None:
    handle = scheduled(lab)
    lab.work("3")
    assert lab.types(handle)[-2:] == ["ActivityTaskCompleted", "DecisionTaskScheduled"]
    assert lab.last(handle, "ActivityTaskCompleted") == {"result": "3", "scheduledEventId": 5, "startedEventId": 6}
    first, second = lab.events(handle)[-2:]
    assert first["eventTimestamp"] == second["eventTimestamp"]


def test_an_empty_result_is_recorded_and_a_missing_one_is_missing(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(activity("a"), activity("b"))
    lab.complete(lab.take(), "")
    assert lab.last(handle, "ActivityTaskCompleted")["result"] == ""
    lab.complete(lab.take())
    assert "result" not in lab.last(handle, "ActivityTaskCompleted")


@pytest.mark.moto("§3, shapes")
def test_a_failure_is_recorded_with_reason_and_details(lab: Scenario) -> None:
    handle = scheduled(lab)
    lab.service.respond_activity_task_failed(taskToken=lab.take()["taskToken"], reason="no", details="because")
    assert lab.types(handle)[-2:] == ["ActivityTaskFailed", "DecisionTaskScheduled"]
    assert lab.last(handle, "ActivityTaskFailed") == {
        "reason": "no",
        "details": "because",
        "scheduledEventId": 5,
        "startedEventId": 6,
    }


def test_a_second_answer_is_refused_and_changes_nothing(lab: Scenario) -> None:
    handle = scheduled(lab)
    task = lab.work()
    before = lab.types(handle)
    for again in (
        lambda: lab.complete(task),
        lambda: lab.service.respond_activity_task_failed(taskToken=task["taskToken"]),
        lambda: lab.service.respond_activity_task_canceled(taskToken=task["taskToken"]),
        lambda: lab.service.record_activity_task_heartbeat(taskToken=task["taskToken"]),
    ):
        with pytest.raises(UnknownResourceFault, match=r"Unknown activity, scheduledEventId = 5$"):
            again()
    assert lab.types(handle) == before


@pytest.mark.moto("respond_to_closed_workflow")
def test_an_answer_to_a_closed_execution_names_the_execution(lab: Scenario) -> None:
    handle = scheduled(lab)
    task = lab.take()
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="w")
    with pytest.raises(UnknownResourceFault) as refused:
        lab.complete(task)
    assert refused.value.message == f"Unknown execution: WorkflowExecution=[workflowId=w, runId={handle.run_id}]"


def test_tasks_of_a_closed_execution_are_given_to_nobody(lab: Scenario) -> None:
    scheduled(lab)
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="w")
    assert "taskToken" not in lab.take()


def test_an_activity_id_can_be_used_again_once_its_task_is_closed(lab: Scenario) -> None:
    handle = scheduled(lab)
    lab.work()
    lab.decide(activity("a"))
    assert lab.types(handle)[-1] == "ActivityTaskScheduled"


# -- decisions that fail -----------------------------------------------------------------------------------------------


def failure(lab: Scenario, *given: Any) -> dict[str, Any]:
    handle = lab.start()
    lab.decide(*given)
    assert lab.types(handle)[-2:] == ["ScheduleActivityTaskFailed", "DecisionTaskScheduled"]
    return lab.last(handle, "ScheduleActivityTaskFailed")


@pytest.mark.moto("order_dts_vs_failure")
def test_an_unknown_type_is_a_cause(lab: Scenario) -> None:
    assert failure(lab, activity(name="nobody")) == {
        "activityId": "a",
        "activityType": {"name": "nobody", "version": "1"},
        "cause": "ACTIVITY_TYPE_DOES_NOT_EXIST",
        "decisionTaskCompletedEventId": 4,
    }


@pytest.mark.moto("order_dts_vs_failure")
def test_a_deprecated_type_is_a_cause(lab: Scenario) -> None:
    lab.service.deprecate_activity_type(domain=DOMAIN, activityType={"name": "activity", "version": "1"})
    assert failure(lab, activity())["cause"] == "ACTIVITY_TYPE_DEPRECATED"


@pytest.mark.moto("order_dts_vs_failure")
def test_an_id_in_use_is_a_cause(lab: Scenario) -> None:
    assert failure(lab, activity("a"), activity("a"))["cause"] == "ACTIVITY_ID_ALREADY_IN_USE"


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ([], "DEFAULT_TASK_LIST_UNDEFINED"),
        (["taskList"], "DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED"),
        (["taskList", "scheduleToStartTimeout"], "DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED"),
        (
            ["taskList", "scheduleToStartTimeout", "startToCloseTimeout"],
            "DEFAULT_SCHEDULE_TO_CLOSE_TIMEOUT_UNDEFINED",
        ),
        (
            ["taskList", "scheduleToStartTimeout", "startToCloseTimeout", "scheduleToCloseTimeout"],
            "DEFAULT_HEARTBEAT_TIMEOUT_UNDEFINED",
        ),
    ],
)
def test_each_missing_default_is_a_cause(lab: Scenario, given: list[str], cause: str) -> None:
    lab.service.register_activity_type(domain=DOMAIN, name="bare", version="1")
    decision = activity(name="bare")
    values: dict[str, Any] = dict.fromkeys(given, "9") | ({"taskList": {"name": "work"}} if given else {})
    decision["scheduleActivityTaskDecisionAttributes"].update(values)
    assert failure(lab, decision)["cause"] == cause


@pytest.mark.own_service
def test_more_than_a_thousand_open_tasks_are_too_many(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(*[activity(f"a{n}") for n in range(1000)])
    lab.signal()
    lab.decide(activity("one-more"))
    assert lab.last(handle, "ScheduleActivityTaskFailed")["cause"] == "OPEN_ACTIVITIES_LIMIT_EXCEEDED"
    assert lab.describe(handle)["openCounts"]["openActivityTasks"] == 1000


# -- timeouts ----------------------------------------------------------------------------------------------------------


def test_a_task_that_nobody_starts_times_out(lab: Scenario) -> None:
    handle = scheduled(lab, schedule_to_start_timeout="5")
    lab.clock.advance(4.999)
    assert lab.types(handle)[-1] == "ActivityTaskScheduled"
    lab.clock.advance(0.001)
    assert lab.types(handle)[-2:] == ["ActivityTaskTimedOut", "DecisionTaskScheduled"]
    assert lab.last(handle, "ActivityTaskTimedOut") == {
        "timeoutType": "SCHEDULE_TO_START",
        "scheduledEventId": 5,
        "startedEventId": 0,
    }
    assert "taskToken" not in lab.take()


def test_a_task_that_was_started_has_no_schedule_to_start_timeout(lab: Scenario) -> None:
    handle = scheduled(lab, schedule_to_start_timeout="5")
    lab.take()
    lab.clock.advance(100)
    assert lab.types(handle)[-1] == "ActivityTaskStarted"


def test_a_task_that_is_not_finished_times_out_whatever_its_heartbeats(lab: Scenario) -> None:
    handle = scheduled(lab, start_to_close_timeout="5")
    task = lab.take()
    lab.clock.advance(4)
    lab.service.record_activity_task_heartbeat(taskToken=task["taskToken"], details="80 %")
    lab.clock.advance(1)
    assert lab.last(handle, "ActivityTaskTimedOut") == {
        "timeoutType": "START_TO_CLOSE",
        "scheduledEventId": 5,
        "startedEventId": 6,
        "details": "80 %",
    }
    with pytest.raises(UnknownResourceFault, match="Unknown activity, scheduledEventId = 5"):
        lab.complete(task)


@pytest.mark.parametrize("started", [False, True])
def test_the_whole_has_a_timeout_too(lab: Scenario, started: bool) -> None:
    handle = scheduled(lab, schedule_to_close_timeout="5")
    if started:
        lab.take()
    lab.clock.advance(5)
    timed_out = lab.last(handle, "ActivityTaskTimedOut")
    assert timed_out["timeoutType"] == "SCHEDULE_TO_CLOSE"
    assert timed_out["startedEventId"] == (6 if started else 0)


def test_heartbeats_put_the_heartbeat_timeout_off_and_record_nothing(lab: Scenario) -> None:
    handle = scheduled(lab, heartbeat_timeout="5")
    task = lab.take()
    before = lab.types(handle)
    for _ in range(4):
        lab.clock.advance(4)
        assert lab.service.record_activity_task_heartbeat(taskToken=task["taskToken"]) == {"cancelRequested": False}
    assert lab.types(handle) == before
    lab.clock.advance(4.999)
    assert lab.types(handle) == before
    lab.clock.advance(0.001)
    assert lab.last(handle, "ActivityTaskTimedOut")["timeoutType"] == "HEARTBEAT"


def test_the_earliest_deadline_wins(lab: Scenario) -> None:
    handle = scheduled(lab, start_to_close_timeout="6", heartbeat_timeout="5", schedule_to_close_timeout="7")
    lab.take()
    lab.clock.advance(60)
    assert lab.last(handle, "ActivityTaskTimedOut")["timeoutType"] == "HEARTBEAT"
    assert lab.types(handle).count("ActivityTaskTimedOut") == 1


def test_a_late_result_always_loses_to_a_deadline(lab: Scenario) -> None:
    scheduled(lab, start_to_close_timeout="5")
    task = lab.take()
    lab.clock.advance(5)
    with pytest.raises(UnknownResourceFault):
        lab.complete(task)


# -- cancellation ------------------------------------------------------------------------------------------------------


def cancel(activity_id: str = "a") -> dict[str, Any]:
    return decisions.request_cancel_activity_task(activity_id=activity_id)


def test_a_task_that_runs_learns_of_its_cancellation_with_its_next_heartbeat(lab: Scenario) -> None:
    handle = scheduled(lab)
    task = lab.take()
    lab.signal()
    lab.decide(cancel())
    assert lab.types(handle)[-1] == "ActivityTaskCancelRequested"
    assert lab.last(handle) == {"activityId": "a", "decisionTaskCompletedEventId": 10}
    assert lab.service.record_activity_task_heartbeat(taskToken=task["taskToken"]) == {"cancelRequested": True}
    lab.service.respond_activity_task_canceled(taskToken=task["taskToken"], details="cleaned up")
    assert lab.last(handle, "ActivityTaskCanceled") == {
        "details": "cleaned up",
        "scheduledEventId": 5,
        "startedEventId": 6,
        "latestCancelRequestedEventId": 11,
    }
    assert lab.types(handle)[-1] == "DecisionTaskScheduled"


def test_a_worker_may_complete_a_task_with_a_cancel_request(lab: Scenario) -> None:
    handle = scheduled(lab)
    task = lab.take()
    lab.signal()
    lab.decide(cancel())
    lab.complete(task, "too late")
    assert lab.types(handle)[-2] == "ActivityTaskCompleted"


def test_a_worker_may_cancel_without_a_request(lab: Scenario) -> None:
    handle = scheduled(lab)
    lab.service.respond_activity_task_canceled(taskToken=lab.take()["taskToken"])
    assert lab.last(handle, "ActivityTaskCanceled") == {"scheduledEventId": 5, "startedEventId": 6}


def test_a_task_that_nobody_started_is_canceled_in_a_transaction_of_its_own(lab: Scenario) -> None:
    handle = scheduled(lab)
    lab.signal()
    lab.decide(cancel())
    assert lab.types(handle)[-3:] == ["ActivityTaskCancelRequested", "ActivityTaskCanceled", "DecisionTaskScheduled"]
    assert lab.last(handle, "ActivityTaskCanceled") == {
        "scheduledEventId": 5,
        "startedEventId": 0,
        "latestCancelRequestedEventId": 10,
    }
    assert "taskToken" not in lab.take()


def test_an_unknown_id_can_not_be_canceled(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(cancel("nobody"))
    assert lab.types(handle)[-2:] == ["RequestCancelActivityTaskFailed", "DecisionTaskScheduled"]
    assert lab.last(handle, "RequestCancelActivityTaskFailed") == {
        "activityId": "nobody",
        "cause": "ACTIVITY_ID_UNKNOWN",
        "decisionTaskCompletedEventId": 4,
    }


# -- lists -------------------------------------------------------------------------------------------------------------


def test_activity_tasks_go_out_by_priority_then_in_the_order_they_were_scheduled(lab: Scenario) -> None:
    lab.start()
    lab.decide(activity("a"), activity("b"), activity("urgent", task_priority=1))
    assert [lab.take()["activityId"] for _ in range(3)] == ["urgent", "a", "b"]


def test_pending_activity_tasks_are_counted(lab: Scenario) -> None:
    def count(task_list: str) -> dict[str, Any]:
        return lab.service.count_pending_activity_tasks(domain=DOMAIN, taskList={"name": task_list})

    lab.start()
    lab.decide(activity("a"), activity("b"))
    assert count("work") == {"count": 2, "truncated": False}
    lab.take()
    assert count("work") == {"count": 1, "truncated": False}
    assert count("never heard of") == {"count": 0, "truncated": False}


def test_the_time_of_the_latest_activity_event_is_given(lab: Scenario) -> None:
    handle = lab.start()
    assert "latestActivityTaskTimestamp" not in lab.describe(handle)
    lab.decide(activity())
    lab.clock.advance(3)
    lab.work()
    assert lab.describe(handle)["latestActivityTaskTimestamp"] == lab.events(handle)[-1]["eventTimestamp"]
