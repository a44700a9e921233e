"""Executions: start, signals, cancel requests, termination, timeouts, closing, continuing as new."""

from __future__ import annotations

from typing import Any

import pytest

from simpleflow_lab.exceptions import (
    DefaultUndefinedFault,
    DomainDeprecatedFault,
    TypeDeprecatedFault,
    UnknownResourceFault,
    WorkflowExecutionAlreadyStartedFault,
)
from simpleflow_lab.swf import decisions
from tests.service.scenario import DOMAIN, WORKFLOW_TYPE, Handle, Scenario, attributes

COMPLETE = decisions.complete_workflow_execution(result="r")


def child(workflow_id: str, policy: str) -> dict[str, Any]:
    return decisions.start_child_workflow_execution(
        workflow_id=workflow_id, name="workflow", version="1", task_list="children", child_policy=policy
    )


def terminate(lab: Scenario, workflow_id: str = "w", **options: Any) -> None:
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId=workflow_id, **options)


# -- start -------------------------------------------------------------------------------------------------------------


def test_run_ids_look_like_those_of_swf_and_differ(lab: Scenario) -> None:
    first, second = lab.start("v").run_id, lab.start("w").run_id
    assert len(first) == len(second) == 46
    assert first.startswith("22")
    assert first != second


def test_an_id_is_taken_as_long_as_its_execution_is_open(lab: Scenario) -> None:
    lab.start()
    with pytest.raises(WorkflowExecutionAlreadyStartedFault):
        lab.start()
    terminate(lab)
    lab.start()


@pytest.mark.moto("start_missing_defaults")
@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "executionStartToCloseTimeout"),
        ({"executionStartToCloseTimeout": "9"}, "taskList"),
        ({"executionStartToCloseTimeout": "9", "taskList": {"name": "l"}}, "taskStartToCloseTimeout"),
        (
            {"executionStartToCloseTimeout": "9", "taskList": {"name": "l"}, "taskStartToCloseTimeout": "9"},
            "childPolicy",
        ),
    ],
)
def test_what_neither_call_nor_type_gives_is_named(lab: Scenario, given: dict[str, Any], missing: str) -> None:
    lab.service.register_workflow_type(domain=DOMAIN, name="bare", version="1")
    with pytest.raises(DefaultUndefinedFault) as refused:
        lab.start(workflowType={"name": "bare", "version": "1"}, **given)
    assert refused.value.message == missing


def test_what_the_call_gives_goes_before_what_the_type_has(lab: Scenario) -> None:
    handle = lab.start(
        taskList={"name": "mine"}, taskStartToCloseTimeout="NONE", childPolicy="ABANDON", taskPriority="4"
    )
    assert lab.describe(handle)["executionConfiguration"] == {
        "executionStartToCloseTimeout": "100000",
        "taskList": {"name": "mine"},
        "taskStartToCloseTimeout": "NONE",
        "childPolicy": "ABANDON",
        "taskPriority": "4",
    }
    assert lab.last(handle, "DecisionTaskScheduled")["taskPriority"] == "4"


@pytest.mark.own_service
def test_an_unknown_or_deprecated_domain_or_type_starts_nothing(lab: Scenario) -> None:
    with pytest.raises(UnknownResourceFault, match=r"Unknown domain: nowhere"):
        lab.service.start_workflow_execution(domain="nowhere", workflowId="w", workflowType=WORKFLOW_TYPE)
    with pytest.raises(UnknownResourceFault, match=r"Unknown type: WorkflowType=\[name=nobody, version=1\]$"):
        lab.start(workflowType={"name": "nobody", "version": "1"})
    lab.service.deprecate_workflow_type(domain=DOMAIN, workflowType=WORKFLOW_TYPE)
    with pytest.raises(TypeDeprecatedFault, match=r"WorkflowType=\[name=workflow, version=1\]$"):
        lab.start()
    lab.service.deprecate_domain(name=DOMAIN)
    with pytest.raises(DomainDeprecatedFault, match=DOMAIN):
        lab.start()


def test_an_empty_tag_list_stays_an_empty_tag_list(lab: Scenario) -> None:
    handle = lab.start(tagList=[])
    assert attributes(lab.events(handle)[0])["tagList"] == []
    assert lab.describe(handle)["executionInfo"]["tagList"] == []


# -- signals and cancel requests ---------------------------------------------------------------------------------------


def test_a_signal_is_recorded_with_and_without_input(lab: Scenario) -> None:
    handle = lab.start()
    lab.signal()
    assert lab.last(handle) == {"signalName": "go", "externalInitiatedEventId": 0}
    lab.signal(name="stop", input="", runId=handle.run_id)
    assert lab.last(handle) == {"signalName": "stop", "input": "", "externalInitiatedEventId": 0}


def test_a_cancel_request_is_an_event_each_time_and_shown_while_the_execution_is_open(lab: Scenario) -> None:
    handle = lab.start()
    assert lab.describe(handle)["executionInfo"]["cancelRequested"] is False
    for _ in range(2):
        lab.service.request_cancel_workflow_execution(domain=DOMAIN, workflowId="w")
    assert lab.types(handle).count("WorkflowExecutionCancelRequested") == 2
    assert lab.last(handle) == {"externalInitiatedEventId": 0}
    assert lab.describe(handle)["executionInfo"]["cancelRequested"] is True
    lab.decide(decisions.cancel_workflow_execution(details="d"))
    assert lab.last(handle) == {"details": "d", "decisionTaskCompletedEventId": 6}
    assert lab.status(handle) == "CANCELED"
    assert lab.describe(handle)["executionInfo"]["cancelRequested"] is False


@pytest.mark.parametrize("verb", ["signal", "cancel", "terminate"])
def test_nobody_is_reached_where_nobody_is_open(lab: Scenario, verb: str) -> None:
    operation, options = {
        "signal": (lab.service.signal_workflow_execution, {"signalName": "s"}),
        "cancel": (lab.service.request_cancel_workflow_execution, {}),
        "terminate": (lab.service.terminate_workflow_execution, {}),
    }[verb]
    lab.start("other")
    with pytest.raises(UnknownResourceFault, match=r"Unknown execution, workflowId = w$"):
        operation(domain=DOMAIN, workflowId="w", **options)
    with pytest.raises(UnknownResourceFault) as refused:
        operation(domain=DOMAIN, workflowId="other", runId="22x", **options)
    assert refused.value.message == "Unknown execution: WorkflowExecution=[workflowId=other, runId=22x]"
    with pytest.raises(UnknownResourceFault, match="Unknown domain: nowhere"):
        operation(domain="nowhere", workflowId="w", **options)


# -- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.moto("terminate_semantics, the event")
def test_a_terminated_execution_records_cause_reason_and_child_policy(lab: Scenario) -> None:
    handle = lab.start()
    lab.poll()
    terminate(lab, reason="enough", details="d", childPolicy="ABANDON")
    assert lab.types(handle)[-1] == "WorkflowExecutionTerminated"
    assert lab.last(handle) == {
        "reason": "enough",
        "details": "d",
        "childPolicy": "ABANDON",
        "cause": "OPERATOR_INITIATED",
    }


def test_an_execution_ends_at_its_timeout_whatever_goes_on(lab: Scenario) -> None:
    handle = lab.start(executionStartToCloseTimeout="60")
    lab.poll()
    lab.clock.advance(59.999)
    assert lab.status(handle) == "OPEN"
    lab.clock.advance(0.001)
    assert lab.status(handle) == "TIMED_OUT"
    assert lab.last(handle) == {"timeoutType": "START_TO_CLOSE", "childPolicy": "TERMINATE"}


def test_a_closed_execution_is_described_with_its_times_and_what_was_open(lab: Scenario) -> None:
    handle = lab.start(tagList=["x"])
    lab.decide(decisions.schedule_activity_task(activity_id="a", name="activity", version="1"))
    lab.clock.advance(2)
    terminate(lab)
    description = lab.describe(handle)
    events = lab.events(handle)
    assert description["executionInfo"] == {
        "execution": handle.ids,
        "workflowType": WORKFLOW_TYPE,
        "startTimestamp": events[0]["eventTimestamp"],
        "closeTimestamp": events[-1]["eventTimestamp"],
        "executionStatus": "CLOSED",
        "closeStatus": "TERMINATED",
        "cancelRequested": False,
        "tagList": ["x"],
    }
    assert description["openCounts"] == {
        "openActivityTasks": 1,
        "openDecisionTasks": 0,
        "openTimers": 0,
        "openChildWorkflowExecutions": 0,
        "openLambdaFunctions": 0,
    }


def test_open_tasks_do_not_keep_an_execution_from_closing(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(
        decisions.schedule_activity_task(activity_id="a", name="activity", version="1"),
        decisions.start_timer(timer_id="t", start_to_fire_timeout=5),
        COMPLETE,
    )
    assert lab.last(handle) == {"result": "r", "decisionTaskCompletedEventId": 4}
    assert lab.status(handle) == "COMPLETED"


@pytest.mark.moto("§3, shapes")
def test_a_failed_execution_keeps_its_reason_and_details(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(decisions.fail_workflow_execution(reason="r", details="d"))
    assert lab.last(handle) == {"reason": "r", "details": "d", "decisionTaskCompletedEventId": 4}
    assert lab.status(handle) == "FAILED"


@pytest.mark.own_service
@pytest.mark.many_events
def test_the_25000th_event_ends_the_execution(lab: Scenario) -> None:
    handle = lab.start()
    marker = decisions.record_marker(name="m")
    while lab.status(handle) == "OPEN":
        lab.decide(*[marker] * 4000)
        if lab.status(handle) == "OPEN":
            lab.signal()
    events = lab.events(handle)
    assert len(events) == 25_000
    assert attributes(events[-1]) == {"cause": "EVENT_LIMIT_EXCEEDED", "childPolicy": "TERMINATE"}
    assert lab.status(handle) == "TERMINATED"


@pytest.mark.own_service
@pytest.mark.many_events
def test_a_task_whose_start_would_be_the_25000th_event_is_given_to_nobody(lab: Scenario) -> None:
    handle = lab.start()
    marker = decisions.record_marker(name="m")
    for _ in range(4):
        lab.decide(*[marker] * 6000)
        lab.signal()
    # 2 of the start, 4 times 6004; the last answer leaves room for one signal, its decision task and one event more.
    lab.decide(*[marker] * (25_000 - 24_018 - 2 - 3))
    lab.signal()
    assert len(lab.events(handle)) == 24_999
    assert "taskToken" not in lab.poll()
    assert lab.last(handle)["cause"] == "EVENT_LIMIT_EXCEEDED"


# -- children when their parent closes ---------------------------------------------------------------------------------


def family(lab: Scenario, policy: str) -> tuple[Handle, Handle, Handle]:
    """A parent with that policy, its child, and the child's own child, whose parents terminate."""
    parent = lab.start(childPolicy=policy)
    lab.decide(child("c", "TERMINATE"))
    lab.decide(child("g", "TERMINATE"), task_list="children")
    return parent, lab.run_of("c"), lab.run_of("g")


@pytest.mark.parametrize("end", ["complete", "terminate", "time out"])
def test_children_are_terminated_with_their_parent_however_it_closes(lab: Scenario, end: str) -> None:
    parent, started, grandchild = family(lab, "TERMINATE")
    if end == "complete":
        lab.decide(COMPLETE)
    elif end == "terminate":
        terminate(lab)
    else:
        lab.clock.advance(100_000)
    assert lab.last(started) == {"cause": "CHILD_POLICY_APPLIED", "childPolicy": "TERMINATE"}
    assert lab.status(grandchild) == "TERMINATED"
    assert lab.types(parent)[-1].startswith("WorkflowExecution")


def test_children_get_a_cancel_request_where_that_is_the_policy(lab: Scenario) -> None:
    parent, started, grandchild = family(lab, "REQUEST_CANCEL")
    lab.decide(COMPLETE)
    assert lab.types(started)[-2:] == ["WorkflowExecutionCancelRequested", "DecisionTaskScheduled"] or (
        lab.types(started)[-1] == "WorkflowExecutionCancelRequested"
    )
    assert lab.last(started, "WorkflowExecutionCancelRequested") == {
        "cause": "CHILD_POLICY_APPLIED",
        "externalWorkflowExecution": parent.ids,
        "externalInitiatedEventId": 0,
    }
    assert lab.status(grandchild) == "OPEN"


def test_abandoned_children_go_on_and_their_end_is_reported_to_nobody(lab: Scenario) -> None:
    parent, started, _ = family(lab, "ABANDON")
    lab.decide(COMPLETE)
    assert lab.status(started) == "OPEN"
    terminate(lab, "c")
    assert lab.types(parent)[-1] == "WorkflowExecutionCompleted"


def test_the_call_that_terminates_can_choose_the_policy(lab: Scenario) -> None:
    _, started, _ = family(lab, "TERMINATE")
    terminate(lab, childPolicy="ABANDON")
    assert lab.status(started) == "OPEN"


# -- continue as new ---------------------------------------------------------------------------------------------------


def test_a_run_that_continues_as_new_is_followed_by_another_with_a_history_of_its_own(lab: Scenario) -> None:
    lab.workflow_type(version="2", defaultTaskList={"name": "second"})
    first = lab.start(tagList=["x"], taskList={"name": "decisions"})
    lab.decide(decisions.continue_as_new_workflow_execution(input="[2]", workflow_type_version="2", tag_list=["y"]))
    second = lab.run_of("w")
    assert second.run_id != first.run_id
    assert lab.status(first) == "CONTINUED_AS_NEW"
    assert lab.last(first) == {
        "input": "[2]",
        "newExecutionRunId": second.run_id,
        "workflowType": {"name": "workflow", "version": "2"},
        "tagList": ["y"],
        # What the decision leaves out comes from the type, not from the run that closes.
        "taskList": {"name": "second"},
        "executionStartToCloseTimeout": "100000",
        "taskStartToCloseTimeout": "30",
        "childPolicy": "TERMINATE",
        "decisionTaskCompletedEventId": 4,
    }
    started = attributes(lab.events(second)[0])
    assert started["continuedExecutionRunId"] == first.run_id
    assert started["parentInitiatedEventId"] == 0
    assert started["input"] == "[2]"
    assert lab.types(second) == ["WorkflowExecutionStarted", "DecisionTaskScheduled"]


def test_a_child_that_continues_as_new_reports_when_its_last_run_closes(lab: Scenario) -> None:
    parent = lab.start()
    lab.decide(child("c", "TERMINATE"))
    continued = decisions.continue_as_new_workflow_execution(task_list="children")
    lab.decide(continued, task_list="children")
    assert lab.types(parent)[-2:] == ["ChildWorkflowExecutionStarted", "DecisionTaskScheduled"]
    second = lab.run_of("c")
    lab.decide(COMPLETE, task_list="children")
    closed = lab.last(parent, "ChildWorkflowExecutionCompleted")
    assert closed["workflowExecution"] == second.ids
    assert closed["result"] == "r"


def test_a_child_that_continued_as_new_is_terminated_with_its_parent(lab: Scenario) -> None:
    lab.start()
    lab.decide(child("c", "TERMINATE"))
    lab.decide(decisions.continue_as_new_workflow_execution(task_list="children"), task_list="children")
    second = lab.run_of("c")
    terminate(lab)
    assert lab.status(second) == "TERMINATED"


@pytest.mark.parametrize(
    ("version", "cause"),
    [
        ("9", "WORKFLOW_TYPE_DOES_NOT_EXIST"),
        ("old", "WORKFLOW_TYPE_DEPRECATED"),
        ("bare", "DEFAULT_EXECUTION_START_TO_CLOSE_TIMEOUT_UNDEFINED"),
    ],
)
def test_a_run_can_not_continue_as_what_does_not_exist(lab: Scenario, version: str, cause: str) -> None:
    lab.workflow_type(version="old")
    lab.service.deprecate_workflow_type(domain=DOMAIN, workflowType={"name": "workflow", "version": "old"})
    lab.service.register_workflow_type(domain=DOMAIN, name="workflow", version="bare")
    handle = lab.start()
    lab.decide(decisions.continue_as_new_workflow_execution(workflow_type_version=version))
    assert lab.types(handle)[-2:] == ["ContinueAsNewWorkflowExecutionFailed", "DecisionTaskScheduled"]
    assert lab.last(handle, "ContinueAsNewWorkflowExecutionFailed") == {
        "cause": cause,
        "decisionTaskCompletedEventId": 4,
    }
