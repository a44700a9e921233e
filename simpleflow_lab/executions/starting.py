"""Executions started, with their deciders; an open one of the same workflow and input is taken up again instead."""

from __future__ import annotations

import contextvars
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from simpleflow_lab.data.codec import Changes, arguments_of
from simpleflow_lab.exceptions import JumboTooLargeError, UsageError, WorkflowExecutionAlreadyStartedFault
from simpleflow_lab.executions.start_requests import (
    START_OPTIONS,
    computed_options,
    given_workflow,
    input_text,
    start_request,
)
from simpleflow_lab.executions.started_already import run_like
from simpleflow_lab.runtime.pool import WorkerPool
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.workflow import define_renamed_workflow


class Started(NamedTuple):
    """An execution that runs now."""

    workflow_id: str
    run_id: str
    attached: bool
    """It was open before, and is taken up again."""


def start_execution(
    pool: WorkerPool,
    service: SWFService,
    workflow: object,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    input: Any = None,
) -> Started:
    """Start an execution of a workflow, a class or the name of its type, at the service of a pool; see `Lab.start`.

    `kwargs` are keyword arguments of its `run` and those of `START_OPTIONS`; `input` is given in place of arguments.
    Raises `UsageError`.
    """
    context, registration = pool.context, pool.registration
    definition = given_workflow(workflow)
    options = {name: value for name, value in kwargs.items() if name in START_OPTIONS}
    given, named = list(args), {name: value for name, value in kwargs.items() if name not in START_OPTIONS}
    if input is not None:
        if given or named:
            raise UsageError("give the arguments as input=… or by themselves, not both")
        given, named = arguments_of(input, where="input")
    changes: Changes = {}
    label = f"input of {definition.__name__}"
    try:
        text = context.fields.store(input_text(definition, given, named, changes), label)
    except JumboTooLargeError as error:
        raise UsageError(str(error)) from None
    request = start_request(definition, computed_options(definition, given, named) | options, context.settings)
    define_renamed_workflow(definition)
    kind = {"name": definition.type_name(), "version": definition.type_version()}
    registration.register_workflow_type(kind["name"], kind["version"])
    # The decider first: an execution of milliseconds should not wait for its decider's thread to start.
    pool.serve_execution(request["taskList"]["name"])
    # The workflow's output goes where the output of this call goes.
    workflow_id = request["workflowId"]
    other = pool.set_output_context(workflow_id, contextvars.copy_context())
    began = datetime.datetime.now(datetime.UTC)
    attached = False
    try:
        run_id = service.start_workflow_execution(domain=context.domain, workflowType=kind, input=text, **request)[
            "runId"
        ]
    except WorkflowExecutionAlreadyStartedFault:
        try:
            run_id = run_like(
                service,
                domain=context.domain,
                workflow_id=workflow_id,
                workflow_type=kind,
                text=text,
                began=began,
            )
        except UsageError:
            pool.set_output_context(workflow_id, other)
            raise
        attached = True
    ids = {"workflowId": workflow_id, "runId": run_id}
    for change in changes.values():
        pool.warned({"workflowExecution": ids}, f"{label}: {change}")
    return Started(workflow_id, run_id, attached)
