"""What can be seen: histories in pages, lists and counts of executions."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from simpleflow_lab.exceptions import UnknownResourceFault, ValidationException
from simpleflow_lab.swf import decisions
from tests.service.scenario import DOMAIN, EPOCH, Scenario

SINCE = {"startTimeFilter": {"oldestDate": EPOCH}}


@pytest.fixture
def crowd(lab: Scenario) -> Scenario:
    """Open: a, b, c, of which b is tagged and c of another type. Closed, in this order: z, y, x."""
    lab.workflow_type("other", "2")
    for workflow_id, options in (
        ("a", {}),
        ("b", {"tagList": ["blue", "round"]}),
        ("c", {"workflowType": {"name": "other", "version": "2"}}),
        ("x", {"taskList": {"name": "x"}}),
        ("y", {"taskList": {"name": "y"}, "tagList": ["blue"]}),
        ("z", {"taskList": {"name": "z"}}),
    ):
        lab.start(workflow_id, **options)
        lab.clock.advance(10)
    lab.decide(decisions.complete_workflow_execution(), task_list="z")
    lab.clock.advance(10)
    lab.decide(decisions.fail_workflow_execution(), task_list="y")
    lab.clock.advance(10)
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="x")
    return lab


def ids(answer: dict[str, Any]) -> str:
    return "".join(info["execution"]["workflowId"] for info in answer["executionInfos"])


def opened(lab: Scenario, **options: Any) -> str:
    return ids(lab.service.list_open_workflow_executions(domain=DOMAIN, **{**SINCE, **options}))


def closed(lab: Scenario, **options: Any) -> str:
    given = options if "closeTimeFilter" in options else {**SINCE, **options}
    return ids(lab.service.list_closed_workflow_executions(domain=DOMAIN, **given))


def test_open_executions_are_listed_latest_start_first(crowd: Scenario) -> None:
    assert opened(crowd) == "cba"
    assert opened(crowd, reverseOrder=True) == "abc"


def test_closed_executions_are_listed_by_the_time_of_the_filter(crowd: Scenario) -> None:
    assert closed(crowd) == "zyx"
    assert closed(crowd, reverseOrder=True) == "xyz"
    assert closed(crowd, closeTimeFilter={"oldestDate": EPOCH}) == "xyz"


@pytest.mark.parametrize(
    ("given", "found_open", "found_closed"),
    [
        ({"executionFilter": {"workflowId": "b"}}, "b", ""),
        ({"typeFilter": {"name": "other"}}, "c", ""),
        ({"typeFilter": {"name": "workflow", "version": "1"}}, "ba", "zyx"),
        ({"typeFilter": {"name": "other", "version": "1"}}, "", ""),
        ({"tagFilter": {"tag": "blue"}}, "b", "y"),
        ({"tagFilter": {"tag": "green"}}, "", ""),
    ],
)
def test_filters_filter(crowd: Scenario, given: dict[str, Any], found_open: str, found_closed: str) -> None:
    assert opened(crowd, **given) == found_open
    assert closed(crowd, **given) == found_closed
    counted = crowd.service.count_open_workflow_executions(domain=DOMAIN, **SINCE, **given)
    assert counted == {"count": len(found_open), "truncated": False}
    counted = crowd.service.count_closed_workflow_executions(domain=DOMAIN, **SINCE, **given)
    assert counted == {"count": len(found_closed), "truncated": False}


def test_closed_executions_are_found_by_how_they_closed(crowd: Scenario) -> None:
    for status, found in (("COMPLETED", "z"), ("FAILED", "y"), ("TERMINATED", "x"), ("CANCELED", "")):
        assert closed(crowd, closeStatusFilter={"status": status}) == found


def test_time_filters_include_their_bounds(crowd: Scenario) -> None:
    b = crowd.describe(crowd.run_of("b"))["executionInfo"]["startTimestamp"]
    assert opened(crowd, startTimeFilter={"oldestDate": b}) == "cb"
    assert opened(crowd, startTimeFilter={"oldestDate": EPOCH, "latestDate": b}) == "ba"
    later = b + datetime.timedelta(milliseconds=1)
    assert opened(crowd, startTimeFilter={"oldestDate": later.timestamp()}) == "c"


def test_lists_come_in_pages_that_new_executions_do_not_disturb(crowd: Scenario) -> None:
    first = crowd.service.list_open_workflow_executions(domain=DOMAIN, **SINCE, maximumPageSize=2)
    assert ids(first) == "cb"
    crowd.start("d")
    second = crowd.service.list_open_workflow_executions(
        domain=DOMAIN, **SINCE, maximumPageSize=2, nextPageToken=first["nextPageToken"]
    )
    assert ids(second) == "a"
    assert "nextPageToken" not in second


def test_filters_that_swf_does_not_combine_are_refused(crowd: Scenario) -> None:
    with pytest.raises(ValidationException, match="Cannot specify both a executionFilter and a tagFilter"):
        opened(crowd, executionFilter={"workflowId": "b"}, tagFilter={"tag": "x"})
    with pytest.raises(ValidationException, match="Cannot specify both a startTimeFilter and a closeTimeFilter"):
        closed(crowd, **SINCE, closeTimeFilter={"oldestDate": EPOCH})
    with pytest.raises(ValidationException, match="Must specify time filter"):
        crowd.service.count_closed_workflow_executions(domain=DOMAIN)


def test_an_open_execution_is_listed_as_it_is_described(crowd: Scenario) -> None:
    crowd.service.request_cancel_workflow_execution(domain=DOMAIN, workflowId="b")
    answer = crowd.service.list_open_workflow_executions(domain=DOMAIN, **SINCE, executionFilter={"workflowId": "b"})
    (info,) = answer["executionInfos"]
    assert info == crowd.describe(crowd.run_of("b"))["executionInfo"]
    assert info["cancelRequested"] is True


# -- histories ---------------------------------------------------------------------------------------------------------


def test_a_history_comes_in_pages_either_way(lab: Scenario) -> None:
    handle = lab.start()
    for _ in range(3):
        lab.signal()

    def pages(**options: Any) -> list[list[int]]:
        found, token = [], {}
        while True:
            answer = lab.service.get_workflow_execution_history(
                domain=DOMAIN, execution=handle.ids, maximumPageSize=2, **options, **token
            )
            found.append([event["eventId"] for event in answer["events"]])
            if "nextPageToken" not in answer:
                return found
            token = {"nextPageToken": answer["nextPageToken"]}

    assert pages() == [[1, 2], [3, 4], [5]]
    assert pages(reverseOrder=True) == [[5, 4], [3, 2], [1]]


def test_a_page_token_is_good_for_a_day(lab: Scenario) -> None:
    handle = lab.start()
    request = {"domain": DOMAIN, "execution": handle.ids, "maximumPageSize": 1}
    token = lab.service.get_workflow_execution_history(**request)["nextPageToken"]
    lab.clock.advance(86_401)
    with pytest.raises(ValidationException, match="Specified token has exceeded its maximum lifetime"):
        lab.service.get_workflow_execution_history(**request, nextPageToken=token)


@pytest.mark.moto("§3, message texts")
def test_an_unknown_run_is_unknown(lab: Scenario) -> None:
    handle = lab.start()
    for execution in ({"workflowId": "w", "runId": "22x"}, {"workflowId": "v", "runId": handle.run_id}):
        with pytest.raises(UnknownResourceFault) as refused:
            lab.service.get_workflow_execution_history(domain=DOMAIN, execution=execution)
        text = f"WorkflowExecution=[workflowId={execution['workflowId']}, runId={execution['runId']}]"
        assert refused.value.message == f"Unknown execution: {text}"


def test_an_answer_belongs_to_the_caller(lab: Scenario) -> None:
    handle = lab.start(tagList=["x"])
    before = lab.events(handle)
    answer = lab.events(handle)
    started = answer[0]["workflowExecutionStartedEventAttributes"]
    started["tagList"].append("y")
    started["taskList"]["name"] = "changed"
    started["input"] = "changed"
    lab.describe(handle)["executionConfiguration"]["taskList"]["name"] = "changed"
    assert lab.events(handle) == before
    assert lab.describe(handle)["executionConfiguration"]["taskList"] == {"name": "decisions"}


def test_executions_are_deleted_when_their_retention_is_over(lab: Scenario) -> None:
    handle = lab.start()
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="w")
    lab.clock.advance(90 * 86_400 - 1)
    assert lab.status(handle) == "TERMINATED"
    lab.clock.advance(3600)
    with pytest.raises(UnknownResourceFault, match="Unknown execution"):
        lab.describe(handle)
    assert lab.everything() == []
