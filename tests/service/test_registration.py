"""Domains and types: registered, deprecated, deleted, tagged, listed."""

from __future__ import annotations

from typing import Any

import pytest

from simpleflow_lab.exceptions import (
    DomainAlreadyExistsFault,
    DomainDeprecatedFault,
    LimitExceededFault,
    TooManyTagsFault,
    TypeAlreadyExistsFault,
    TypeDeprecatedFault,
    TypeNotDeprecatedFault,
    UnknownResourceFault,
    ValidationException,
)
from tests.service.scenario import ACTIVITY_TYPE, DOMAIN, WORKFLOW_TYPE, Scenario

ARN = f"arn:aws:swf:us-east-1:000000000000:/domain/{DOMAIN}"


def names(infos: list[dict[str, Any]], member: str) -> list[tuple[str, str]]:
    return [(info[member]["name"], info[member]["version"]) for info in infos]


@pytest.mark.own_service
def test_a_domain_is_described_as_it_was_registered(lab: Scenario) -> None:
    lab.service.register_domain(name="d", description="mine", workflowExecutionRetentionPeriodInDays="NONE")
    assert lab.service.describe_domain(name="d") == {
        "domainInfo": {
            "name": "d",
            "status": "REGISTERED",
            "description": "mine",
            "arn": "arn:aws:swf:us-east-1:000000000000:/domain/d",
        },
        "configuration": {"workflowExecutionRetentionPeriodInDays": "NONE"},
    }


@pytest.mark.own_service
def test_a_domain_goes_from_registered_to_deprecated_and_back(lab: Scenario) -> None:
    def listed(status: str) -> list[str]:
        return [info["name"] for info in lab.service.list_domains(registrationStatus=status)["domainInfos"]]

    with pytest.raises(DomainAlreadyExistsFault, match=DOMAIN):
        lab.service.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="1")
    with pytest.raises(DomainAlreadyExistsFault, match=DOMAIN):
        lab.service.undeprecate_domain(name=DOMAIN)
    lab.service.deprecate_domain(name=DOMAIN)
    assert (listed("REGISTERED"), listed("DEPRECATED")) == ([], [DOMAIN])
    with pytest.raises(DomainDeprecatedFault, match=DOMAIN):
        lab.service.deprecate_domain(name=DOMAIN)
    with pytest.raises(DomainDeprecatedFault, match=DOMAIN):
        lab.workflow_type("another")
    # Its types were deprecated with it and stay so.
    lab.service.undeprecate_domain(name=DOMAIN)
    assert listed("REGISTERED") == [DOMAIN]
    info = lab.service.describe_workflow_type(domain=DOMAIN, workflowType=WORKFLOW_TYPE)["typeInfo"]
    assert info["status"] == "DEPRECATED"


def test_an_unknown_domain_is_unknown_to_all_operations_that_name_one(lab: Scenario) -> None:
    task_list = {"taskList": {"name": "l"}}
    execution = {"execution": {"workflowId": "w", "runId": "r"}}
    for operation, options in (
        (lab.service.list_workflow_types, {"registrationStatus": "REGISTERED"}),
        (lab.service.register_activity_type, {"name": "n", "version": "1"}),
        (lab.service.describe_activity_type, {"activityType": ACTIVITY_TYPE}),
        (lab.service.poll_for_decision_task, task_list),
        (lab.service.poll_for_activity_task, task_list),
        (lab.service.count_pending_decision_tasks, task_list),
        (lab.service.describe_workflow_execution, execution),
        (lab.service.get_workflow_execution_history, execution),
        (lab.service.list_open_workflow_executions, {"startTimeFilter": {"oldestDate": 0}}),
        (lab.service.count_closed_workflow_executions, {"startTimeFilter": {"oldestDate": 0}}),
    ):
        with pytest.raises(UnknownResourceFault) as refused:
            operation(domain="nowhere", **options)
        assert refused.value.message == "Unknown domain: nowhere"
    with pytest.raises(UnknownResourceFault, match=r"Unknown domain: nowhere"):
        lab.service.describe_domain(name="nowhere")


@pytest.mark.own_service
def test_a_hundred_domains_are_enough(lab: Scenario) -> None:
    for n in range(99):
        lab.service.register_domain(name=f"d{n}", workflowExecutionRetentionPeriodInDays="1")
    with pytest.raises(LimitExceededFault):
        lab.service.register_domain(name="one-more", workflowExecutionRetentionPeriodInDays="1")


def test_a_type_is_described_with_the_defaults_it_was_given_and_no_others(lab: Scenario) -> None:
    created = lab.clock.now()
    lab.service.register_workflow_type(
        domain=DOMAIN, name="t", version="2", description="d", defaultTaskList={"name": "l"}, defaultLambdaRole="arn:x"
    )
    answer = lab.service.describe_workflow_type(domain=DOMAIN, workflowType={"name": "t", "version": "2"})
    assert answer["configuration"] == {"defaultTaskList": {"name": "l"}, "defaultLambdaRole": "arn:x"}
    info = answer["typeInfo"]
    assert round(info.pop("creationDate").timestamp() * 1000) == created
    assert info == {"workflowType": {"name": "t", "version": "2"}, "status": "REGISTERED", "description": "d"}


@pytest.mark.parametrize("kind", ["workflow", "activity"])
def test_a_type_lives_and_dies(lab: Scenario, kind: str) -> None:
    text = f"{kind.capitalize()}Type=[name={kind}, version=1]"
    named = {f"{kind}Type": {"name": kind, "version": "1"}, "domain": DOMAIN}
    register = {"workflow": lab.workflow_type, "activity": lab.activity_type}[kind]

    def call(verb: str) -> Any:
        return getattr(lab.service, f"{verb}_{kind}_type")(**named)

    with pytest.raises(TypeAlreadyExistsFault) as refused:
        register(kind)
    assert refused.value.message == text
    with pytest.raises(TypeAlreadyExistsFault):
        call("undeprecate")
    with pytest.raises(TypeNotDeprecatedFault):
        call("delete")
    call("deprecate")
    info = call("describe")["typeInfo"]
    assert info["status"] == "DEPRECATED"
    assert "deprecationDate" in info
    with pytest.raises(TypeDeprecatedFault) as deprecated:
        call("deprecate")
    assert deprecated.value.message == text
    call("undeprecate")
    assert "deprecationDate" not in call("describe")["typeInfo"]
    call("deprecate")
    call("delete")
    with pytest.raises(UnknownResourceFault) as unknown:
        call("describe")
    assert unknown.value.message == f"Unknown type: {text}"
    register(kind)


def test_types_are_listed_by_name_and_in_pages(lab: Scenario) -> None:
    for name, version in (("b", "1"), ("a", "2"), ("a", "1"), ("c", "1")):
        lab.activity_type(name, version)
    request = {"domain": DOMAIN, "registrationStatus": "REGISTERED"}

    def listed(**options: Any) -> list[tuple[str, str]]:
        return names(lab.service.list_activity_types(**request, **options)["typeInfos"], "activityType")

    everything = [("a", "1"), ("a", "2"), ("activity", "1"), ("b", "1"), ("c", "1")]
    assert listed() == everything
    assert listed(reverseOrder=True) == everything[::-1]
    assert listed(name="a") == everything[:2]
    first = lab.service.list_activity_types(**request, maximumPageSize=3)
    second = lab.service.list_activity_types(**request, maximumPageSize=3, nextPageToken=first["nextPageToken"])
    assert names(first["typeInfos"] + second["typeInfos"], "activityType") == everything
    assert "nextPageToken" not in second
    with pytest.raises(ValidationException, match="Invalid token"):
        lab.service.list_workflow_types(**request, nextPageToken=first["nextPageToken"])


def test_no_token_follows_a_last_page_that_is_exactly_full(lab: Scenario) -> None:
    request = {"domain": DOMAIN, "registrationStatus": "REGISTERED"}
    assert "nextPageToken" not in lab.service.list_activity_types(**request, maximumPageSize=1)


@pytest.mark.own_service
def test_a_domain_has_tags(lab: Scenario) -> None:
    lab.service.tag_resource(resourceArn=ARN, tags=[{"key": "a", "value": "1"}, {"key": "b"}])
    lab.service.tag_resource(resourceArn=ARN, tags=[{"key": "a", "value": "2"}])
    assert lab.service.list_tags_for_resource(resourceArn=ARN) == {"tags": [{"key": "a", "value": "2"}, {"key": "b"}]}
    lab.service.untag_resource(resourceArn=ARN, tagKeys=["b", "unknown"])
    assert lab.service.list_tags_for_resource(resourceArn=ARN) == {"tags": [{"key": "a", "value": "2"}]}
    with pytest.raises(TooManyTagsFault):
        lab.service.tag_resource(resourceArn=ARN, tags=[{"key": str(n)} for n in range(50)])
    with pytest.raises(UnknownResourceFault):
        lab.service.list_tags_for_resource(resourceArn=ARN + "x")
