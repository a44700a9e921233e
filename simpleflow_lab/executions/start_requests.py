"""The request that starts an execution: its workflow, its input and SWF's options, checked before anything is sent.

Rule: whatever SWF would refuse of a start is refused here, in one line that names the option.
"""

from __future__ import annotations

import inspect
import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab import activity, workflow
from simpleflow_lab.data.codec import Changes, encode
from simpleflow_lab.exceptions import EncodingError, ReplacedDefinitionError, UsageError
from simpleflow_lab.settings import Settings
from simpleflow_lab.swf.decisions import seconds
from simpleflow_lab.swf.names import check_execution_options, check_name
from simpleflow_lab.task import computed
from simpleflow_lab.workflow import Workflow, is_replaced_workflow

START_OPTIONS: Final[Mapping[str, str]] = {
    "workflow_id": "workflowId",
    "task_list": "taskList",
    "task_priority": "taskPriority",
    "tag_list": "tagList",
    "execution_start_to_close_timeout": "executionStartToCloseTimeout",
    "task_start_to_close_timeout": "taskStartToCloseTimeout",
    "child_policy": "childPolicy",
    "lambda_role": "lambdaRole",
}
"""Options of `Lab.start`, by SWF's names in Python's spelling."""


def is_any_defined(kind: str) -> bool:
    """Whether this process defines anything of this kind, "workflow" or "activity"."""
    return bool({"workflow": workflow.registry, "activity": activity.registry}[kind])


def find_workflow(name: str) -> type[Workflow]:
    """A workflow defined in this process, by the name of its type or class. Raises `UsageError`."""
    found = [
        definition
        for type_name, version in workflow.registry
        for definition in workflow.same_type[type_name, version].values()
        if name in (type_name, definition.__name__, definition.class_name())
    ]
    if found:
        return found[-1]
    known = sorted({definition.__name__ for definition in workflow.registry.values()})
    listing = f"defined here: {', '.join(known[:8])}" if known else "none is defined here yet"
    raise UsageError(f"no workflow {name!r}: {listing}")


def given_workflow(given: object) -> type[Workflow]:
    """The workflow that is meant by a class or a name. Raises `UsageError` for what can't be started."""
    if isinstance(given, str):
        return find_workflow(given)
    if isinstance(given, type) and issubclass(given, Workflow):
        if given.run is Workflow.run:
            raise UsageError(f"{given.__name__} has no run method: write one")
        if is_replaced_workflow(given):
            raise UsageError(str(ReplacedDefinitionError("workflow", given.type_name(), given.type_version())))
        return given
    raise UsageError(f"{given!r} is no workflow: give a subclass of simpleflow_lab.Workflow")


def check_input(definition: type[Workflow], args: list[Any], kwargs: Mapping[str, Any]) -> None:
    """Raises `UsageError`, as `Lab.start` would, if `run` does not take these arguments, or JSON can't hold them."""
    input_text(definition, args, kwargs)


def input_text(
    definition: type[Workflow], args: list[Any], kwargs: Mapping[str, Any], changes: Changes | None = None
) -> str:
    """The input of an execution. Raises `UsageError` if `run` does not take these arguments, or JSON can't."""
    workflow.check_runnable(definition)
    try:
        inspect.signature(definition.run).bind(None, *args, **kwargs)
    except TypeError as error:
        raise UsageError(f"{definition.__name__}.run{_signature(definition)}: {error}") from None
    try:
        text = encode(workflow.input_of(definition, args, kwargs), changes)
    except EncodingError as error:
        raise UsageError(f"the input of {definition.__name__}: {error}") from None
    return text


def _signature(definition: type[Workflow]) -> str:
    return str(inspect.Signature(_parameters(definition)))


def _parameters(definition: type[Workflow]) -> list[inspect.Parameter]:
    return list(inspect.signature(definition.run).parameters.values())[1:]


def argument_names(definition: type[Workflow]) -> list[str]:
    """The names of the arguments that `run` of a workflow takes, in their order."""
    return [parameter.name for parameter in _parameters(definition)]


def computed_options(definition: type[Workflow], args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The options that the class computes for these arguments; what the call says itself comes before them."""
    hooks = {"workflow_id": "get_workflow_id", "task_list": "get_task_list", "tag_list": "get_tag_list"}
    found = {name: computed(definition, hook, args, kwargs) for name, hook in hooks.items()}
    if found["tag_list"] == Workflow.INHERIT_TAG_LIST:  # of a parent, which it doesn't have
        del found["tag_list"]
    return {name: value for name, value in found.items() if value}


def start_request(definition: type[Workflow], options: Mapping[str, Any], defaults: Settings) -> dict[str, Any]:
    """The arguments of SWF's StartWorkflowExecution: what the call says, then the class, then the settings.

    Raises `UsageError` for what SWF does not take.
    """
    values: dict[str, Any] = {
        "task_list": definition.task_list or defaults.workflow_default_task_list,
        "task_priority": workflow.priority_of(definition.task_priority),
        # There is no parent to inherit from.
        "tag_list": None if definition.tag_list == Workflow.INHERIT_TAG_LIST else definition.tag_list,
        "execution_start_to_close_timeout": definition.execution_timeout or defaults.workflow_default_execution_time,
        "task_start_to_close_timeout": (
            defaults.workflow_default_decision_task_timeout
            if definition.decision_tasks_timeout is None
            else definition.decision_tasks_timeout
        ),
        "child_policy": definition.child_policy or "TERMINATE",
        "lambda_role": definition.lambda_role,
        **{name: value for name, value in options.items() if value is not None},
    }
    values.setdefault("workflow_id", _new_workflow_id(definition))
    for name in ("execution_start_to_close_timeout", "task_start_to_close_timeout"):
        values[name] = seconds(values[name])
    if values["task_priority"] is not None:
        values["task_priority"] = str(values["task_priority"])
    _check(definition, values)
    values["task_list"] = {"name": values["task_list"]}
    if values["tag_list"] is not None:
        values["tag_list"] = list(values["tag_list"])
    return {START_OPTIONS[name]: value for name, value in values.items() if value is not None}


def _check(definition: type[Workflow], values: Mapping[str, Any]) -> None:
    of = f"{definition.type_name()}: "
    check_name(definition.type_name(), "Name", "the name of a workflow")
    check_name(definition.type_version(), "Version", f"{of}the version")
    check_name(values["workflow_id"], "WorkflowId", f"{of}the workflow_id")
    check_execution_options(of, values)


def _new_workflow_id(definition: type[Workflow]) -> str:
    """`basic-3f6c0d1e`: the workflow's name, and what makes it the only one."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", definition.type_name())[:200]
    return f"{name}-{uuid.uuid4().hex[:8]}"
