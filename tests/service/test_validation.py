"""Requests that break the model are refused whole, in SWF's words."""

from __future__ import annotations

from typing import Any

import pytest

from simpleflow_lab.exceptions import ValidationException
from simpleflow_lab.swf import decisions
from tests.service.scenario import DOMAIN, WORKFLOW_TYPE, Scenario

START: dict[str, Any] = {"domain": DOMAIN, "workflowId": "w", "workflowType": WORKFLOW_TYPE}


def refusal(operation: Any, **request: Any) -> str:
    with pytest.raises(ValidationException) as refused:
        operation(**request)
    return refused.value.message


@pytest.fixture
def direct(request: pytest.FixtureRequest, lab: Scenario) -> Scenario:
    """A service that is called in this process: boto3 can't even write such a request."""
    if request.node.callspec.params["service"] not in ("memory", "file", "client"):
        pytest.skip("boto3's serializer fails on this request before it is sent")
    return lab


def test_a_missing_member_is_named(lab: Scenario) -> None:
    assert refusal(lab.service.start_workflow_execution, workflowId="w", workflowType=WORKFLOW_TYPE) == (
        "1 validation error detected: Value null at 'domain' failed to satisfy constraint: Member must not be null"
    )


def test_several_problems_are_reported_at_once(lab: Scenario) -> None:
    assert refusal(lab.service.start_workflow_execution, workflowType={"name": "n"}) == (
        "3 validation errors detected: "
        "Value null at 'domain' failed to satisfy constraint: Member must not be null; "
        "Value null at 'workflowId' failed to satisfy constraint: Member must not be null; "
        "Value null at 'workflowType.version' failed to satisfy constraint: Member must not be null"
    )


@pytest.mark.own_service
@pytest.mark.parametrize(
    ("member", "value", "constraint"),
    [
        ("workflowId", "x" * 257, "Member must have length less than or equal to 256"),
        ("workflowId", "", "Member must have length greater than or equal to 1"),
        ("input", "x" * 32769, "Member must have length less than or equal to 32768"),
        ("childPolicy", "BOGUS", "Member must satisfy enum value set: [TERMINATE, REQUEST_CANCEL, ABANDON]"),
        ("tagList", ["1", "2", "3", "4", "5", "6"], "Member must have length less than or equal to 5"),
        ("workflowId", "a:b", "Member must satisfy regular expression pattern"),
        ("workflowId", "a/b", "Member must satisfy regular expression pattern"),
        ("workflowId", "a|b", "Member must satisfy regular expression pattern"),
        ("workflowId", "a\x07b", "Member must satisfy regular expression pattern"),
        ("workflowId", "arn", "Member must satisfy regular expression pattern"),
        ("workflowId", "lone \ud800", "Member must satisfy regular expression pattern"),
        ("executionStartToCloseTimeout", "NONE", "Member must satisfy regular expression pattern"),
        ("taskStartToCloseTimeout", "soon", "Member must satisfy regular expression pattern"),
        ("taskStartToCloseTimeout", "-1", "Member must satisfy regular expression pattern"),
        ("taskPriority", "high", "Member must satisfy regular expression pattern"),
        ("taskPriority", "2147483648", "Member must be from -2147483648 to 2147483647"),
    ],
)
def test_each_constraint_has_its_words(lab: Scenario, member: str, value: Any, constraint: str) -> None:
    message = refusal(lab.service.start_workflow_execution, **{**START, member: value})
    assert f"at '{member}" in message
    assert f"failed to satisfy constraint: {constraint}" in message
    assert lab.everything() == []


@pytest.mark.parametrize(
    ("member", "value", "constraint"),
    [
        ("input", None, "Member must not be null"),
        ("input", 3, "Member must be a string"),
        ("taskList", "name", "Member must be a structure"),
    ],
)
def test_values_of_other_types_are_refused(direct: Scenario, member: str, value: Any, constraint: str) -> None:
    message = refusal(direct.service.start_workflow_execution, **{**START, member: value})
    assert f"at '{member}' failed to satisfy constraint: {constraint}" in message


@pytest.mark.parametrize("longest", [{"workflowId": "x" * 256}, {"input": "é" * 32768}, {"tagList": ["x" * 256] * 5}])
def test_what_is_just_allowed_is_allowed(lab: Scenario, longest: dict[str, Any]) -> None:
    lab.service.start_workflow_execution(**{**START, **longest})


def test_an_argument_that_swf_does_not_know_is_refused(direct: Scenario) -> None:
    assert 'Unknown parameter in input: "workflowID"' in refusal(
        direct.service.start_workflow_execution, **START, workflowID="w"
    )


def test_a_description_that_no_utf_8_has_is_refused_and_the_service_goes_on(lab: Scenario) -> None:
    service, description = lab.service, "lone \ud800"
    told = "failed to satisfy constraint: Member must satisfy regular expression pattern"
    assert told in refusal(
        service.register_domain, name="d", workflowExecutionRetentionPeriodInDays="1", description=description
    )
    for register in (service.register_workflow_type, service.register_activity_type):
        assert told in refusal(register, domain=DOMAIN, name="n", version="1", description=description)
        register(domain=DOMAIN, name="n", version="1", description="two\nlines, \U0001f600")


@pytest.mark.parametrize("days", ["91", "1" * 5, "9" * 6])
def test_retention_is_at_most_90_days_and_the_refusal_says_so(direct: Scenario, days: str) -> None:
    told = rf"Value '{days}' at 'workflowExecutionRetentionPeriodInDays' .*: Member must be from 0 to 90, or NONE$"
    with pytest.raises(ValidationException, match=told):
        direct.service.register_domain(name="d", workflowExecutionRetentionPeriodInDays=days)


@pytest.mark.parametrize("days", ["91", "-1", "many", "9" * 5000])
def test_another_retention_is_refused(lab: Scenario, days: str) -> None:
    with pytest.raises(ValidationException):
        lab.service.register_domain(name="d", workflowExecutionRetentionPeriodInDays=days)


def test_a_page_has_at_most_a_thousand_items(lab: Scenario) -> None:
    message = refusal(lab.service.list_domains, registrationStatus="REGISTERED", maximumPageSize=1001)
    assert message.endswith("Member must have value less than or equal to 1000")


def test_decisions_are_checked_by_position_and_member(lab: Scenario) -> None:
    lab.start()
    task = lab.poll()

    def refused(*given: Any) -> str:
        return refusal(lab.service.respond_decision_task_completed, taskToken=task["taskToken"], decisions=list(given))

    assert refused(decisions.record_marker(name="m"), {"decisionType": "Dance"}) == (
        "1 validation error detected: Value 'Dance' at 'decisions.2.member.decisionType' failed to satisfy constraint: "
        "Member must satisfy enum value set: [ScheduleActivityTask, RequestCancelActivityTask, "
        "CompleteWorkflowExecution, FailWorkflowExecution, CancelWorkflowExecution, ContinueAsNewWorkflowExecution, "
        "RecordMarker, StartTimer, CancelTimer, SignalExternalWorkflowExecution, "
        "RequestCancelExternalWorkflowExecution, StartChildWorkflowExecution, ScheduleLambdaFunction]"
    )
    assert "decisions.1.member.scheduleActivityTaskDecisionAttributes'" in refused(
        {"decisionType": "ScheduleActivityTask"}
    )
    # Attributes of other types are checked too, if they are there.
    stray = {**decisions.record_marker(name="m"), "startTimerDecisionAttributes": {"timerId": ""}}
    assert "2 validation errors detected" in refused(stray)


def test_decisions_without_required_attributes_need_none(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide({"decisionType": "CompleteWorkflowExecution"})
    assert lab.status(handle) == "COMPLETED"


def test_names_of_activities_timers_signals_and_markers_are_checked(lab: Scenario) -> None:
    lab.start()
    task = lab.poll()
    for decision in (
        decisions.schedule_activity_task(activity_id="a:b", name="activity", version="1"),
        decisions.start_timer(timer_id="a/b", start_to_fire_timeout=1),
        decisions.record_marker(name="a|b"),
        decisions.signal_external_workflow_execution(workflow_id="w", signal_name="a:b"),
    ):
        message = refusal(
            lab.service.respond_decision_task_completed, taskToken=task["taskToken"], decisions=[decision]
        )
        assert "pattern" in message


def test_heartbeat_details_are_short(lab: Scenario) -> None:
    lab.start()
    lab.decide(decisions.schedule_activity_task(activity_id="a", name="activity", version="1"))
    token = lab.take()["taskToken"]
    message = refusal(lab.service.record_activity_task_heartbeat, taskToken=token, details="x" * 2049)
    assert message.endswith("Member must have length less than or equal to 2048")
