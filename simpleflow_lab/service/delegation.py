"""SWF's operations, each made of one call: for services that pass every operation on in the same way.

Rule: names and arguments come from `service.protocol`, so a type checker sees in a delegating service the operations
that it sees there.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, NoReturn, ParamSpec

from simpleflow_lab.service.protocol import Answer, SWFService

P = ParamSpec("P")


def _delegated(
    operation: Callable[Concatenate[SWFService, P], Answer],
) -> Callable[Concatenate[DelegatingService, P], Answer]:
    """A method with the name and the arguments of an operation, that passes it on."""
    name = operation.__name__

    @functools.wraps(operation)
    def delegate(self: DelegatingService, /, *args: P.args, **request: P.kwargs) -> Answer:
        if args:
            refuse_positional(operation)
        return self.call(name, request)

    return delegate


def refuse_positional(operation: Callable[..., Answer]) -> NoReturn:
    """Raise `TypeError` for positional arguments: like boto3's, the operations take keyword arguments only."""
    raise TypeError(f"{operation.__name__}() only accepts keyword arguments")


def call_operation(service: SWFService, operation: str, request: Mapping[str, Any]) -> Answer:
    """Call a service's operation by boto3's name of it."""
    answer: Answer = getattr(service, operation)(**request)
    return answer


class DelegatingService(ABC):
    """An `SWFService` whose operations all go through `call`."""

    @abstractmethod
    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Carry out an operation of SWF, by boto3's name of it, as in "register_domain"."""

    # domains and types
    register_domain = _delegated(SWFService.register_domain)
    deprecate_domain = _delegated(SWFService.deprecate_domain)
    undeprecate_domain = _delegated(SWFService.undeprecate_domain)
    describe_domain = _delegated(SWFService.describe_domain)
    list_domains = _delegated(SWFService.list_domains)
    tag_resource = _delegated(SWFService.tag_resource)
    untag_resource = _delegated(SWFService.untag_resource)
    list_tags_for_resource = _delegated(SWFService.list_tags_for_resource)
    register_workflow_type = _delegated(SWFService.register_workflow_type)
    deprecate_workflow_type = _delegated(SWFService.deprecate_workflow_type)
    undeprecate_workflow_type = _delegated(SWFService.undeprecate_workflow_type)
    delete_workflow_type = _delegated(SWFService.delete_workflow_type)
    describe_workflow_type = _delegated(SWFService.describe_workflow_type)
    list_workflow_types = _delegated(SWFService.list_workflow_types)
    register_activity_type = _delegated(SWFService.register_activity_type)
    deprecate_activity_type = _delegated(SWFService.deprecate_activity_type)
    undeprecate_activity_type = _delegated(SWFService.undeprecate_activity_type)
    delete_activity_type = _delegated(SWFService.delete_activity_type)
    describe_activity_type = _delegated(SWFService.describe_activity_type)
    list_activity_types = _delegated(SWFService.list_activity_types)
    # executions
    start_workflow_execution = _delegated(SWFService.start_workflow_execution)
    signal_workflow_execution = _delegated(SWFService.signal_workflow_execution)
    request_cancel_workflow_execution = _delegated(SWFService.request_cancel_workflow_execution)
    terminate_workflow_execution = _delegated(SWFService.terminate_workflow_execution)
    describe_workflow_execution = _delegated(SWFService.describe_workflow_execution)
    get_workflow_execution_history = _delegated(SWFService.get_workflow_execution_history)
    list_open_workflow_executions = _delegated(SWFService.list_open_workflow_executions)
    list_closed_workflow_executions = _delegated(SWFService.list_closed_workflow_executions)
    count_open_workflow_executions = _delegated(SWFService.count_open_workflow_executions)
    count_closed_workflow_executions = _delegated(SWFService.count_closed_workflow_executions)
    # tasks
    poll_for_decision_task = _delegated(SWFService.poll_for_decision_task)
    respond_decision_task_completed = _delegated(SWFService.respond_decision_task_completed)
    poll_for_activity_task = _delegated(SWFService.poll_for_activity_task)
    record_activity_task_heartbeat = _delegated(SWFService.record_activity_task_heartbeat)
    respond_activity_task_completed = _delegated(SWFService.respond_activity_task_completed)
    respond_activity_task_failed = _delegated(SWFService.respond_activity_task_failed)
    respond_activity_task_canceled = _delegated(SWFService.respond_activity_task_canceled)
    count_pending_decision_tasks = _delegated(SWFService.count_pending_decision_tasks)
    count_pending_activity_tasks = _delegated(SWFService.count_pending_activity_tasks)
