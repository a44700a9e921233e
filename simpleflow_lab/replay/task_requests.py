"""From a task whose arguments are there to what its request asks of SWF, for the kinds of task that ask for much.

They say what follows from the task, its arguments and how this run was started, and nothing else: so a retry with
another task (`ReplayExecutor.change`) asks for what a first attempt would ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simpleflow_lab.data.fields import DeferredFields
from simpleflow_lab.data.references import all_loaded
from simpleflow_lab.swf.decisions import seconds
from simpleflow_lab.task import ActivityTask, ContinueAsNewWorkflowTask, WorkflowTask
from simpleflow_lab.workflow import Workflow, input_of, priority_of

Asks = dict[str, Any]
"""Members of a `Request`, or further arguments of a decision's builder."""


def of_activity(
    task: ActivityTask,
    args: list[Any],
    kwargs: dict[str, Any],
    *,
    priority: int | str | None,
    defaults: Mapping[str, str],
    fields: DeferredFields,
) -> Asks:
    """An activity task; `defaults` are for what its activity leaves unset."""
    activity = task.activity
    return {
        "task": task,
        "type": (activity.name, activity.version),
        "input": fields.encode_input(task.input_of(args, kwargs), f"input of {activity.name}"),
        "arguments": (args, kwargs),
        "members": {
            "task_list": activity.task_list,
            "task_priority": priority,
            "start_to_close_timeout": activity.task_start_to_close_timeout,
            "schedule_to_close_timeout": activity.task_schedule_to_close_timeout,
            "schedule_to_start_timeout": activity.task_schedule_to_start_timeout,
            "heartbeat_timeout": activity.task_heartbeat_timeout,
            **{name: defaults[name] for name in activity.unset if name in defaults},
        },
    }


def of_child(
    task: WorkflowTask, args: list[Any], kwargs: dict[str, Any], *, started: Mapping[str, Any], fields: DeferredFields
) -> Asks:
    """A child workflow; `started` are the attributes with which its parent was started."""
    workflow = task.workflow
    return {
        "task": task,
        "type": (workflow.type_name(), workflow.type_version()),
        "alias": workflow.class_name(),
        "input": fields.encode_input(input_of(workflow, args, kwargs), f"input of {workflow.type_name()}"),
        "arguments": (args, kwargs),
        "members": _child_members(task, all_loaded(args), all_loaded(kwargs), started),
    }


def _child_members(
    task: WorkflowTask, args: Sequence[Any], kwargs: Mapping[str, Any], parent: Mapping[str, Any]
) -> Asks:
    workflow = task.workflow
    tags = task.tag_list(args, kwargs)
    if tags is Workflow.INHERIT_TAG_LIST:
        tags = parent.get("tagList")
    timeout, decision_timeout = workflow.execution_timeout, workflow.decision_tasks_timeout
    return {
        "task_list": task.task_list(args, kwargs) or parent["taskList"]["name"],
        "task_priority": priority_of(task.task_priority, workflow.task_priority),
        "execution_start_to_close_timeout": (
            parent.get("executionStartToCloseTimeout") if timeout is None else seconds(timeout)
        ),
        "task_start_to_close_timeout": (
            parent.get("taskStartToCloseTimeout") if decision_timeout is None else seconds(decision_timeout)
        ),
        "child_policy": workflow.child_policy or parent.get("childPolicy"),
        "tag_list": list(tags) if tags else None,
        "lambda_role": workflow.lambda_role,
    }


def of_next_run(
    task: ContinueAsNewWorkflowTask,
    args: list[Any],
    kwargs: dict[str, Any],
    *,
    started: Mapping[str, Any],
    fields: DeferredFields,
) -> Asks:
    """To continue as new. SWF falls back to the type's defaults, not to this run's values: so they are all given."""
    return {
        "input": fields.encode_input(input_of(task.workflow, args, kwargs), "input of the next run"),
        "task_list": started["taskList"]["name"],
        "task_priority": started.get("taskPriority"),
        "execution_start_to_close_timeout": started.get("executionStartToCloseTimeout"),
        "task_start_to_close_timeout": started.get("taskStartToCloseTimeout"),
        "child_policy": started.get("childPolicy"),
        "tag_list": started.get("tagList"),
        "workflow_type_version": task.workflow.type_version(),
        "lambda_role": started.get("lambdaRole"),
    }
