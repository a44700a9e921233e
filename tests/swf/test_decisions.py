"""The builders of decisions against the tables of shapes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from simpleflow_lab.engine import validation
from simpleflow_lab.swf import decisions, shapes

ALL = {
    "ScheduleActivityTask": {
        **dict.fromkeys(("activity_id", "name", "version", "input", "control", "task_list"), "x"),
        **dict.fromkeys(("schedule_to_start_timeout", "schedule_to_close_timeout"), "1"),
        **dict.fromkeys(("task_priority", "start_to_close_timeout", "heartbeat_timeout"), "1"),
    },
    "StartChildWorkflowExecution": {
        **dict.fromkeys(("workflow_id", "name", "version", "input", "control", "task_list", "lambda_role"), "x"),
        **dict.fromkeys(("task_priority", "execution_start_to_close_timeout", "task_start_to_close_timeout"), "1"),
        **{"child_policy": "ABANDON", "tag_list": ["x"]},
    },
    "ContinueAsNewWorkflowExecution": {
        **dict.fromkeys(("input", "task_list", "workflow_type_version", "lambda_role"), "x"),
        **dict.fromkeys(("task_priority", "execution_start_to_close_timeout", "task_start_to_close_timeout"), "1"),
        **{"child_policy": "ABANDON", "tag_list": ["x"]},
    },
    "RequestCancelActivityTask": {"activity_id": "x"},
    "CompleteWorkflowExecution": {"result": "x"},
    "FailWorkflowExecution": {"reason": "x", "details": "x"},
    "CancelWorkflowExecution": {"details": "x"},
    "RecordMarker": {"name": "x", "details": "x"},
    "StartTimer": {"timer_id": "x", "start_to_fire_timeout": 0, "control": "x"},
    "CancelTimer": {"timer_id": "x"},
    "SignalExternalWorkflowExecution": dict.fromkeys(("workflow_id", "run_id", "signal_name", "input", "control"), "x"),
    "RequestCancelExternalWorkflowExecution": dict.fromkeys(("workflow_id", "run_id", "control"), "x"),
}
"""Every argument of the builder of each type of decision."""


def build(decision_type: str, **arguments: Any) -> decisions.Decision:
    builder = getattr(decisions, re.sub(r"(?<!^)(?=[A-Z])", "_", decision_type).lower())
    decision: decisions.Decision = builder(**arguments)
    return decision


def test_every_type_but_that_of_lambda_functions_has_a_builder() -> None:
    assert set(ALL) == set(decisions.DECISION_TYPES) - {"ScheduleLambdaFunction"}


@pytest.mark.parametrize("decision_type", ALL)
def test_a_builder_takes_every_member_that_swf_takes_and_writes_it_as_swf_does(decision_type: str) -> None:
    decision = build(decision_type, **ALL[decision_type])
    structure = shapes.STRUCTURES[f"{decision_type}DecisionAttributes"].split()
    assert set(decisions.attributes(decision)) == {member.partition(":")[0].rstrip("*") for member in structure}
    validation.check("RespondDecisionTaskCompleted", {"taskToken": "x", "decisions": [decision]})


@pytest.mark.parametrize("decision_type", ALL)
def test_a_builder_leaves_out_what_is_none(decision_type: str) -> None:
    structure = shapes.STRUCTURES[f"{decision_type}DecisionAttributes"].split()
    required = {member.partition(":")[0] for member in structure}
    arguments = {
        name: value if f"{name}*" in {snake_case(each) for each in required} or name in ("name", "version") else None
        for name, value in ALL[decision_type].items()
    }
    decision = build(decision_type, **arguments)
    validation.check("RespondDecisionTaskCompleted", {"taskToken": "x", "decisions": [decision]})
    assert None not in decisions.attributes(decision).values()


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
