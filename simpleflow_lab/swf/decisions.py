"""Decisions in SWF's shape: one builder for each type of decision that our deciders make.

A decision is one item of what a decider answers: `{"decisionType": …, "…DecisionAttributes": {…}}`. The arguments of a
builder have the names of SWF's members, in snake case. Builders leave out what is `None`, for SWF takes no nulls.
Timeouts are SWF's strings, of whole seconds or `NONE`; without one, the default of the type holds.

Rule: which members a decision has is read from the tables of `swf.shapes`.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Required, TypedDict, Unpack

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.shapes import ENUMS, STRUCTURES

Decision = dict[str, Any]

DECISION_TYPES: Final[tuple[str, ...]] = ENUMS["DecisionType"]
"""SWF's decision types, in the order of its service model."""

CLOSING_DECISIONS: Final = frozenset(
    {
        "CompleteWorkflowExecution",
        "FailWorkflowExecution",
        "CancelWorkflowExecution",
        "ContinueAsNewWorkflowExecution",
    }
)
"""Decisions that close the execution; such a one must be the last of its list."""


@functools.cache  # for there are 13 types
def attributes_key(decision_type: str) -> str:
    """The member that holds a decision's attributes."""
    return f"{decision_type[0].lower()}{decision_type[1:]}DecisionAttributes"


def attributes(decision: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of a decision."""
    found: Mapping[str, Any] = decision.get(attributes_key(decision["decisionType"]), {})
    return found


_WITH_TASK_LIST: Final = frozenset(
    {"ScheduleActivityTask", "StartChildWorkflowExecution", "ContinueAsNewWorkflowExecution"}
)


def with_task_list(decisions: Iterable[Decision], task_list: str) -> list[Decision]:
    """These decisions, with what they schedule, start or continue on this task list."""
    return [
        {**decision, attributes_key(kind): {**attributes(decision), "taskList": {"name": task_list}}}
        if (kind := decision["decisionType"]) in _WITH_TASK_LIST
        else decision
        for decision in decisions
    ]


def seconds(value: int | float | str | None) -> str | None:
    """A duration as SWF writes it, in whole seconds, rounded up: `None` gives `NONE`, no limit.

    Raises `UsageError` for what is no number, as `nan`.
    """
    if value is None:
        return "NONE"
    if isinstance(value, str):
        return value
    try:
        return str(math.ceil(value))
    except (ValueError, OverflowError, TypeError):
        raise UsageError(f"{value!r:.80} is no number of seconds: None or 'NONE' means no limit") from None


# -- activities, children and the next run ---------------------------------------------------------------------------


class ActivityTask(TypedDict, total=False):
    """The arguments of `schedule_activity_task`."""

    activity_id: Required[str]
    name: Required[str]
    """Name of the activity type."""
    version: Required[str]
    """Version of the activity type."""
    input: str | None
    control: str | None
    task_list: str | None
    """Name of the task list."""
    task_priority: int | str | None
    schedule_to_start_timeout: str | None
    schedule_to_close_timeout: str | None
    start_to_close_timeout: str | None
    heartbeat_timeout: str | None


class _Run(TypedDict, total=False):
    """The common attributes of a child and the next run of an execution."""

    input: str | None
    task_list: str | None
    """Name of the task list of the run's decision tasks."""
    task_priority: int | str | None
    execution_start_to_close_timeout: str | None
    task_start_to_close_timeout: str | None
    child_policy: str | None
    tag_list: Sequence[str] | None
    lambda_role: str | None


class ChildExecution(_Run, total=False):
    """The arguments of `start_child_workflow_execution`."""

    workflow_id: Required[str]
    name: Required[str]
    """Name of the workflow type."""
    version: Required[str]
    """Version of the workflow type."""
    control: str | None


class NextRun(_Run, total=False):
    """The arguments of `continue_as_new_workflow_execution`."""

    workflow_type_version: str | None


def schedule_activity_task(**task: Unpack[ActivityTask]) -> Decision:
    """Schedule an activity task."""
    return _decision("ScheduleActivityTask", _with_type(task, "activity_type"))


def start_child_workflow_execution(**child: Unpack[ChildExecution]) -> Decision:
    """Start a child workflow execution."""
    return _decision("StartChildWorkflowExecution", _with_type(child, "workflow_type"))


def continue_as_new_workflow_execution(**run: Unpack[NextRun]) -> Decision:
    """Close this run and start the next one with an empty history."""
    return _decision("ContinueAsNewWorkflowExecution", run)


def _with_type(arguments: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    """The arguments with the type in one member instead of its name and its version in two."""
    members = dict(arguments)
    members[member] = {"name": members.pop("name"), "version": members.pop("version")}
    return members


# -- all others --------------------------------------------------------------------------------------------------------


def request_cancel_activity_task(*, activity_id: str) -> Decision:
    """Request that an open activity task be canceled."""
    return _decision("RequestCancelActivityTask", {"activity_id": activity_id})


def start_timer(*, timer_id: str, start_to_fire_timeout: int | str, control: str | None = None) -> Decision:
    """Start a timer, in whole seconds; 0 fires at once."""
    return _decision(
        "StartTimer", {"timer_id": timer_id, "start_to_fire_timeout": start_to_fire_timeout, "control": control}
    )


def cancel_timer(*, timer_id: str) -> Decision:
    """Cancel an open timer."""
    return _decision("CancelTimer", {"timer_id": timer_id})


def record_marker(*, name: str, details: str | None = None) -> Decision:
    """Record a marker."""
    return _decision("RecordMarker", {"marker_name": name, "details": details})


def signal_external_workflow_execution(
    *,
    workflow_id: str,
    signal_name: str,
    run_id: str | None = None,
    input: str | None = None,
    control: str | None = None,
) -> Decision:
    """Signal another execution, or this one."""
    return _decision(
        "SignalExternalWorkflowExecution",
        {"workflow_id": workflow_id, "run_id": run_id, "signal_name": signal_name, "input": input, "control": control},
    )


def request_cancel_external_workflow_execution(
    *, workflow_id: str, run_id: str | None = None, control: str | None = None
) -> Decision:
    """Request that another execution be canceled."""
    return _decision(
        "RequestCancelExternalWorkflowExecution", {"workflow_id": workflow_id, "run_id": run_id, "control": control}
    )


def complete_workflow_execution(*, result: str | None = None) -> Decision:
    """Close the execution as completed."""
    return _decision("CompleteWorkflowExecution", {"result": result})


def fail_workflow_execution(*, reason: str | None = None, details: str | None = None) -> Decision:
    """Close the execution as failed."""
    return _decision("FailWorkflowExecution", {"reason": reason, "details": details})


def cancel_workflow_execution(*, details: str | None = None) -> Decision:
    """Close the execution as canceled."""
    return _decision("CancelWorkflowExecution", {"details": details})


# -- names of members --------------------------------------------------------------------------------------------------


_WRITE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "task_list": lambda name: {"name": name},
    "task_priority": str,
    "tag_list": list,
    "start_to_fire_timeout": str,
}
"""The functions that write values; any other stays as it is."""


def _members(decision_type: str) -> dict[str, tuple[str, Callable[[Any], Any] | None]]:
    """SWF's names of a decision's members, and how they are written, by their names in snake case."""
    structure = STRUCTURES[f"{decision_type}DecisionAttributes"]
    names = [member.partition(":")[0].rstrip("*") for member in structure.split()]
    snakes = {re.sub("(?=[A-Z])", "_", name).lower(): name for name in names}
    return {snake: (name, _WRITE.get(snake)) for snake, name in snakes.items()}


_MEMBERS: Final = {decision_type: _members(decision_type) for decision_type in DECISION_TYPES}


def _decision(decision_type: str, arguments: Mapping[str, Any]) -> Decision:
    """A decision with these members. Raises `KeyError` for one that it does not have."""
    members = _MEMBERS[decision_type]
    attributes: dict[str, Any] = {}
    for name, value in arguments.items():
        if value is not None:
            member, write = members[name]
            attributes[member] = value if write is None else write(value)
    return {"decisionType": decision_type, attributes_key(decision_type): attributes}
