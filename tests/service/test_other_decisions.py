"""Timers, markers, Lambda functions, and decisions that concern other executions."""

from __future__ import annotations

from typing import Any

import pytest

from simpleflow_lab.swf import decisions
from tests.service.scenario import DOMAIN, WORKFLOW_TYPE, Handle, Scenario, attributes


def timer(timer_id: str = "t", seconds: int = 10, **options: Any) -> dict[str, Any]:
    return decisions.start_timer(timer_id=timer_id, start_to_fire_timeout=seconds, **options)


def child(workflow_id: str = "c", **options: Any) -> dict[str, Any]:
    return decisions.start_child_workflow_execution(
        workflow_id=workflow_id, **{"name": "workflow", "version": "1", "task_list": "children", **options}
    )


# -- timers ------------------------------------------------------------------------------------------------------------


def test_a_timer_fires_when_its_time_has_come_and_not_before(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(timer(control="c"))
    assert lab.last(handle) == {
        "timerId": "t",
        "startToFireTimeout": "10",
        "control": "c",
        "decisionTaskCompletedEventId": 4,
    }
    lab.clock.advance(9.999)
    assert lab.types(handle)[-1] == "TimerStarted"
    lab.clock.advance(0.001)
    assert lab.types(handle)[-2:] == ["TimerFired", "DecisionTaskScheduled"]
    assert lab.last(handle, "TimerFired") == {"timerId": "t", "startedEventId": 5}


def test_a_timer_of_no_time_fires_at_once_in_a_transaction_of_its_own(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(timer(seconds=0))
    assert lab.types(handle)[-3:] == ["TimerStarted", "TimerFired", "DecisionTaskScheduled"]


def test_timers_fire_in_the_order_of_their_deadlines_each_by_itself(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(timer("late", 30), timer("early", 10), timer("middle", 20))
    lab.clock.advance(60)
    fired = [attributes(e)["timerId"] for e in lab.events(handle) if e["eventType"] == "TimerFired"]
    assert fired == ["early", "middle", "late"]
    assert lab.types(handle).count("DecisionTaskScheduled") == 2


def test_a_canceled_timer_does_not_fire_and_its_id_is_free(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(timer())
    lab.signal()
    lab.decide(decisions.cancel_timer(timer_id="t"), timer())
    assert lab.types(handle)[-2:] == ["TimerCanceled", "TimerStarted"]
    assert lab.last(handle, "TimerCanceled") == {
        "timerId": "t",
        "startedEventId": 5,
        "decisionTaskCompletedEventId": 9,
    }
    lab.clock.advance(10)
    assert lab.types(handle).count("TimerFired") == 1


def test_a_timer_id_in_use_is_a_cause(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(timer(), timer())
    assert lab.types(handle)[-3:] == ["TimerStarted", "StartTimerFailed", "DecisionTaskScheduled"]
    assert lab.last(handle, "StartTimerFailed") == {
        "timerId": "t",
        "cause": "TIMER_ID_ALREADY_IN_USE",
        "decisionTaskCompletedEventId": 4,
    }


def test_an_unknown_timer_can_not_be_canceled(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(decisions.cancel_timer(timer_id="none"))
    assert lab.last(handle, "CancelTimerFailed")["cause"] == "TIMER_ID_UNKNOWN"


@pytest.mark.own_service
def test_more_than_a_thousand_open_timers_are_too_many(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(*[timer(str(n)) for n in range(1001)])
    assert lab.last(handle, "StartTimerFailed")["cause"] == "OPEN_TIMERS_LIMIT_EXCEEDED"


def test_a_timer_of_a_closed_execution_is_gone(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(timer(), decisions.complete_workflow_execution())
    lab.clock.advance(60)
    assert lab.types(handle)[-1] == "WorkflowExecutionCompleted"


# -- markers and Lambda ------------------------------------------------------------------------------------------------


def test_markers_of_one_name_can_be_recorded_again_and_again(lab: Scenario) -> None:
    handle = lab.start()
    marker = decisions.record_marker(name="m", details="d")
    lab.decide(marker, marker)
    assert lab.types(handle)[-2:] == ["MarkerRecorded", "MarkerRecorded"]
    assert lab.last(handle) == {"markerName": "m", "details": "d", "decisionTaskCompletedEventId": 4}


def test_a_lambda_function_fails_to_start_for_want_of_a_role(lab: Scenario) -> None:
    handle = lab.start()
    scheduled = {"id": "l", "name": "function", "input": "{}"}
    lab.decide({"decisionType": "ScheduleLambdaFunction", "scheduleLambdaFunctionDecisionAttributes": scheduled})
    assert lab.types(handle)[-3:] == ["LambdaFunctionScheduled", "StartLambdaFunctionFailed", "DecisionTaskScheduled"]
    assert lab.last(handle, "LambdaFunctionScheduled") == {**scheduled, "decisionTaskCompletedEventId": 4}
    assert lab.last(handle, "StartLambdaFunctionFailed") == {
        "scheduledEventId": 5,
        "cause": "ASSUME_ROLE_FAILED",
        "message": "No IAM role is attached to the current workflow execution.",
    }


# -- children ----------------------------------------------------------------------------------------------------------


def parent_and_child(lab: Scenario, **options: Any) -> tuple[Handle, Handle]:
    parent = lab.start()
    lab.decide(child(**options))
    return parent, lab.run_of("c")


def test_a_child_is_initiated_in_the_decision_and_started_after_it(lab: Scenario) -> None:
    parent, started = parent_and_child(lab, input="[1]", control="c", tag_list=["x"])
    assert lab.types(parent)[-3:] == [
        "StartChildWorkflowExecutionInitiated",
        "ChildWorkflowExecutionStarted",
        "DecisionTaskScheduled",
    ]
    assert lab.last(parent, "StartChildWorkflowExecutionInitiated") == {
        "workflowId": "c",
        "workflowType": WORKFLOW_TYPE,
        "input": "[1]",
        "control": "c",
        "tagList": ["x"],
        "taskList": {"name": "children"},
        "executionStartToCloseTimeout": "100000",
        "taskStartToCloseTimeout": "30",
        "childPolicy": "TERMINATE",
        "decisionTaskCompletedEventId": 4,
    }
    assert lab.last(parent, "ChildWorkflowExecutionStarted") == {
        "workflowExecution": started.ids,
        "workflowType": WORKFLOW_TYPE,
        "initiatedEventId": 5,
    }
    first = attributes(lab.events(started)[0])
    assert first["parentWorkflowExecution"] == parent.ids
    assert first["parentInitiatedEventId"] == 5
    assert first["input"] == "[1]"
    assert lab.describe(started)["executionInfo"]["parent"] == parent.ids
    assert lab.describe(parent)["openCounts"]["openChildWorkflowExecutions"] == 1


@pytest.mark.parametrize(
    ("decision", "event_type", "taken"),
    [
        (decisions.complete_workflow_execution(result="r"), "ChildWorkflowExecutionCompleted", {"result": "r"}),
        (
            decisions.fail_workflow_execution(reason="r", details="d"),
            "ChildWorkflowExecutionFailed",
            {"reason": "r", "details": "d"},
        ),
        (decisions.cancel_workflow_execution(details="d"), "ChildWorkflowExecutionCanceled", {"details": "d"}),
    ],
)
def test_the_parent_is_notified_how_its_child_closed(
    lab: Scenario, decision: Any, event_type: str, taken: dict[str, str]
) -> None:
    parent, started = parent_and_child(lab)
    lab.decide()
    lab.decide(decision, task_list="children")
    assert lab.types(parent)[-2:] == [event_type, "DecisionTaskScheduled"]
    assert lab.last(parent, event_type) == {
        **taken,
        "workflowExecution": started.ids,
        "workflowType": WORKFLOW_TYPE,
        "initiatedEventId": 5,
        "startedEventId": 6,
    }
    assert lab.describe(parent)["openCounts"]["openChildWorkflowExecutions"] == 0


def test_the_parent_is_notified_of_a_terminated_child_and_of_one_that_timed_out(lab: Scenario) -> None:
    parent = lab.start()
    lab.decide(child("c"), child("d", execution_start_to_close_timeout="50"))
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="c")
    lab.clock.advance(50)
    assert "ChildWorkflowExecutionTerminated" in lab.types(parent)
    assert lab.last(parent, "ChildWorkflowExecutionTimedOut")["timeoutType"] == "START_TO_CLOSE"


def test_a_child_whose_id_is_running_fails_after_it_was_initiated(lab: Scenario) -> None:
    lab.start("c", taskList={"name": "elsewhere"})
    parent = lab.start("w")
    lab.decide(child("c", control="k"))
    assert lab.types(parent)[-2:] == ["StartChildWorkflowExecutionFailed", "DecisionTaskScheduled"]
    assert lab.last(parent, "StartChildWorkflowExecutionFailed") == {
        "workflowId": "c",
        "workflowType": WORKFLOW_TYPE,
        "control": "k",
        "cause": "WORKFLOW_ALREADY_RUNNING",
        "initiatedEventId": 5,
        "decisionTaskCompletedEventId": 4,
    }


def test_a_child_that_can_not_be_is_never_initiated(lab: Scenario) -> None:
    parent = lab.start()
    lab.service.register_workflow_type(domain=DOMAIN, name="bare", version="1")
    lab.workflow_type("old")
    lab.service.deprecate_workflow_type(domain=DOMAIN, workflowType={"name": "old", "version": "1"})
    lab.decide(
        child("x", name="nobody"),
        child("y", name="old"),
        child("z", name="bare"),
        child("z", name="bare", execution_start_to_close_timeout="9"),
        child("z", name="bare", execution_start_to_close_timeout="9", task_start_to_close_timeout="9"),
    )
    failures = [attributes(e) for e in lab.events(parent) if e["eventType"] == "StartChildWorkflowExecutionFailed"]
    assert [failure["cause"] for failure in failures] == [
        "WORKFLOW_TYPE_DOES_NOT_EXIST",
        "WORKFLOW_TYPE_DEPRECATED",
        "DEFAULT_EXECUTION_START_TO_CLOSE_TIMEOUT_UNDEFINED",
        "DEFAULT_TASK_START_TO_CLOSE_TIMEOUT_UNDEFINED",
        "DEFAULT_CHILD_POLICY_UNDEFINED",
    ]
    assert {failure["initiatedEventId"] for failure in failures} == {0}


@pytest.mark.own_service
def test_a_child_initiated_in_the_decision_that_closes_its_parent_is_not_started(lab: Scenario) -> None:
    parent = lab.start()
    lab.decide(child(), decisions.complete_workflow_execution())
    assert lab.types(parent)[-2:] == ["StartChildWorkflowExecutionInitiated", "WorkflowExecutionCompleted"]
    assert lab.everything() == [parent]


# -- signals and cancel requests to others -----------------------------------------------------------------------------


def test_a_signal_reaches_another_execution_and_its_sender_is_notified(lab: Scenario) -> None:
    source, target = lab.start("source"), lab.start("target", taskList={"name": "other"})
    lab.decide(
        decisions.signal_external_workflow_execution(workflow_id="target", signal_name="s", input="i", control="c")
    )
    assert lab.last(source, "SignalExternalWorkflowExecutionInitiated") == {
        "workflowId": "target",
        "signalName": "s",
        "input": "i",
        "control": "c",
        "decisionTaskCompletedEventId": 4,
    }
    assert lab.last(target) == {
        "signalName": "s",
        "input": "i",
        "externalWorkflowExecution": source.ids,
        "externalInitiatedEventId": 5,
    }
    assert lab.types(source)[-2:] == ["ExternalWorkflowExecutionSignaled", "DecisionTaskScheduled"]
    assert lab.last(source, "ExternalWorkflowExecutionSignaled") == {
        "workflowExecution": target.ids,
        "initiatedEventId": 5,
    }


def test_an_execution_can_signal_itself(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(decisions.signal_external_workflow_execution(workflow_id="w", run_id=handle.run_id, signal_name="s"))
    assert lab.types(handle)[-4:] == [
        "SignalExternalWorkflowExecutionInitiated",
        "WorkflowExecutionSignaled",
        "DecisionTaskScheduled",
        "ExternalWorkflowExecutionSignaled",
    ]


@pytest.mark.parametrize("run_id", [None, "22nobody"])
def test_a_signal_to_nobody_fails(lab: Scenario, run_id: str | None) -> None:
    handle = lab.start()
    workflow_id = "w" if run_id else "nobody"
    lab.decide(
        decisions.signal_external_workflow_execution(
            workflow_id=workflow_id, run_id=run_id, signal_name="s", control="c"
        )
    )
    failure = lab.last(handle, "SignalExternalWorkflowExecutionFailed")
    assert failure.pop("runId", None) == run_id
    assert failure == {
        "workflowId": workflow_id,
        "cause": "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION",
        "control": "c",
        "initiatedEventId": 5,
        "decisionTaskCompletedEventId": 4,
    }


def test_a_cancel_request_reaches_another_execution_and_its_sender_is_notified(lab: Scenario) -> None:
    source, target = lab.start("source"), lab.start("target", taskList={"name": "other"})
    lab.decide(decisions.request_cancel_external_workflow_execution(workflow_id="target", run_id=target.run_id))
    assert lab.last(target) == {"externalWorkflowExecution": source.ids, "externalInitiatedEventId": 5}
    assert lab.types(target)[-1] == "WorkflowExecutionCancelRequested"
    assert lab.types(source)[-2:] == ["ExternalWorkflowExecutionCancelRequested", "DecisionTaskScheduled"]
    assert lab.describe(target)["executionInfo"]["cancelRequested"] is True


def test_a_cancel_request_to_nobody_fails(lab: Scenario) -> None:
    handle = lab.start()
    lab.decide(decisions.request_cancel_external_workflow_execution(workflow_id="nobody"))
    assert lab.last(handle, "RequestCancelExternalWorkflowExecutionFailed")["cause"] == (
        "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"
    )


def test_a_signal_is_delivered_though_its_sender_closes_in_the_same_decision(lab: Scenario) -> None:
    source, target = lab.start("source"), lab.start("target", taskList={"name": "other"})
    signal = decisions.signal_external_workflow_execution(workflow_id="target", signal_name="s")
    lab.decide(signal, decisions.complete_workflow_execution())
    assert lab.types(target)[-1] == "WorkflowExecutionSignaled"
    assert lab.types(source)[-1] == "WorkflowExecutionCompleted"
