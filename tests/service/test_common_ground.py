"""What moto does as SWF does: the probes by which it was found right, where no other test of the suite is as small."""

from __future__ import annotations

from typing import Any

import pytest

from simpleflow_lab.exceptions import (
    DomainAlreadyExistsFault,
    DomainDeprecatedFault,
    TypeAlreadyExistsFault,
    TypeDeprecatedFault,
    UnknownResourceFault,
    WorkflowExecutionAlreadyStartedFault,
)
from simpleflow_lab.swf import decisions
from tests.service.scenario import ACTIVITY_TYPE, DOMAIN, WORKFLOW_TYPE, Scenario


def activity(activity_id: str, **options: Any) -> dict[str, Any]:
    return decisions.schedule_activity_task(activity_id=activity_id, **{"name": "activity", "version": "1", **options})


@pytest.mark.moto("activity_without_timeouts")
def test_an_activity_needs_timeouts_from_somewhere(lab: Scenario) -> None:
    lab.service.register_activity_type(domain=DOMAIN, name="bare", version="1", defaultTaskList={"name": "work"})
    handle = lab.start()
    lab.decide(activity("a", name="bare"))
    assert lab.types(handle)[-2:] == ["ScheduleActivityTaskFailed", "DecisionTaskScheduled"]
    assert lab.last(handle, "ScheduleActivityTaskFailed")["cause"] == "DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED"


@pytest.mark.moto("heartbeat_timeout_none")
def test_a_task_without_a_heartbeat_timeout_may_have_heartbeats(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(activity("a"))
    token = lab.take()["taskToken"]
    before = lab.types(handle)
    assert lab.service.record_activity_task_heartbeat(taskToken=token, details="d") == {"cancelRequested": False}
    assert lab.types(handle) == before


@pytest.mark.moto("order_dts_vs_failure")
def test_the_decision_task_of_a_failure_comes_after_what_succeeded(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(activity("a", name="nobody"), activity("b"))
    assert lab.types(handle)[3:] == [
        "DecisionTaskCompleted",
        "ScheduleActivityTaskFailed",
        "ActivityTaskScheduled",
        "DecisionTaskScheduled",
    ]


@pytest.mark.moto("count_pending")
def test_scheduled_activity_tasks_are_counted(lab: Scenario) -> None:
    lab.start()
    lab.decide(activity("a"), activity("b"))
    assert lab.service.count_pending_activity_tasks(domain=DOMAIN, taskList={"name": "work"}) == {
        "count": 2,
        "truncated": False,
    }


@pytest.mark.moto("count_pending")
def test_scheduled_decision_tasks_are_counted(lab: Scenario) -> None:
    lab.start("v")
    lab.start("w")
    assert lab.service.count_pending_decision_tasks(domain=DOMAIN, taskList={"name": "decisions"}) == {
        "count": 2,
        "truncated": False,
    }


@pytest.mark.moto("open_counts_lambda_key")
def test_a_description_counts_five_kinds_of_open_things(lab: Scenario) -> None:
    handle = lab.start()
    assert lab.describe(handle)["openCounts"] == {
        "openActivityTasks": 0,
        "openDecisionTasks": 1,
        "openTimers": 0,
        "openChildWorkflowExecutions": 0,
        "openLambdaFunctions": 0,
    }


@pytest.mark.moto("latest_execution_context")
def test_the_context_of_a_decision_is_recorded_and_described(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(activity("a"), executionContext="ctx")
    assert lab.describe(handle)["latestExecutionContext"] == "ctx"
    assert lab.last(handle, "DecisionTaskCompleted") == {
        "executionContext": "ctx",
        "scheduledEventId": 2,
        "startedEventId": 3,
    }


@pytest.mark.moto("cancel_workflow_decision")
def test_a_decider_may_cancel_without_a_request(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(decisions.cancel_workflow_execution(details="d"))
    assert lab.types(handle)[-1] == "WorkflowExecutionCanceled"
    assert lab.last(handle)["details"] == "d"
    assert lab.status(handle) == "CANCELED"


@pytest.mark.moto("close_not_last")
def test_nothing_follows_a_close(lab: Scenario) -> None:
    handle = lab.start()
    task = lab.poll()
    complete = decisions.complete_workflow_execution()
    for given in ([complete, activity("a")], [complete, complete]):
        with pytest.raises(Exception, match="Close must be last decision in list"):
            lab.answer(task, *given)
    assert lab.types(handle)[-1] == "DecisionTaskStarted"


@pytest.mark.moto("§3, message texts")
def test_what_is_registered_can_not_be_registered_again(lab: Scenario) -> None:
    with pytest.raises(DomainAlreadyExistsFault) as domain:
        lab.service.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="1")
    assert domain.value.message == DOMAIN
    with pytest.raises(TypeAlreadyExistsFault) as workflow:
        lab.workflow_type()
    assert workflow.value.message == "WorkflowType=[name=workflow, version=1]"
    with pytest.raises(TypeAlreadyExistsFault) as registered:
        lab.activity_type()
    assert registered.value.message == "ActivityType=[name=activity, version=1]"


@pytest.mark.moto("§3, message texts")
def test_what_is_deprecated_can_not_be_deprecated_again(lab: Scenario) -> None:
    lab.service.deprecate_workflow_type(domain=DOMAIN, workflowType=WORKFLOW_TYPE)
    with pytest.raises(TypeDeprecatedFault) as workflow:
        lab.service.deprecate_workflow_type(domain=DOMAIN, workflowType=WORKFLOW_TYPE)
    assert workflow.value.message == "WorkflowType=[name=workflow, version=1]"
    with pytest.raises(TypeDeprecatedFault):
        lab.start()


@pytest.mark.moto("§3, message texts")
@pytest.mark.own_service
def test_a_deprecated_domain_can_not_be_deprecated_again(lab: Scenario) -> None:
    lab.service.deprecate_domain(name=DOMAIN)
    with pytest.raises(DomainDeprecatedFault) as refused:
        lab.service.deprecate_domain(name=DOMAIN)
    assert refused.value.message == DOMAIN


@pytest.mark.moto("§3, message texts")
def test_what_is_unknown_is_named(lab: Scenario) -> None:
    def refusal(operation: Any, **request: Any) -> str:
        with pytest.raises(UnknownResourceFault) as refused:
            operation(**request)
        return refused.value.message

    assert refusal(lab.service.describe_domain, name="nowhere") == "Unknown domain: nowhere"
    nobody = {"name": "nobody", "version": "1"}
    assert refusal(lab.start, workflowType=nobody) == "Unknown type: WorkflowType=[name=nobody, version=1]"
    assert refusal(lab.service.describe_activity_type, domain=DOMAIN, activityType=nobody) == (
        "Unknown type: ActivityType=[name=nobody, version=1]"
    )
    assert refusal(lab.service.terminate_workflow_execution, domain=DOMAIN, workflowId="nobody") == (
        "Unknown execution, workflowId = nobody"
    )


@pytest.mark.moto("start_already_open_message, the fault")
def test_an_open_id_is_taken(lab: Scenario) -> None:
    lab.start()
    with pytest.raises(WorkflowExecutionAlreadyStartedFault):
        lab.start()


@pytest.mark.moto("§3, describe shapes")
def test_a_type_is_described_by_its_defaults(lab: Scenario) -> None:
    answer = lab.service.describe_activity_type(domain=DOMAIN, activityType=ACTIVITY_TYPE)
    assert answer["typeInfo"]["activityType"] == ACTIVITY_TYPE
    assert answer["typeInfo"]["status"] == "REGISTERED"
    assert answer["configuration"]["defaultTaskList"] == {"name": "work"}
