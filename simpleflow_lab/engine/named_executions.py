"""The executions that requests and task tokens name, or SWF's refusal of what is unknown."""

from __future__ import annotations

from simpleflow_lab.engine.engine_state import EngineState
from simpleflow_lab.engine.execution_state import ExecutionState, Run
from simpleflow_lab.exceptions import StoreError, UnknownResourceFault
from simpleflow_lab.service.protocol import Structure


def run_of(state: EngineState, domain: str, ids: Structure) -> Run:
    """The run that a structure WorkflowExecution names. Raises `UnknownResourceFault`."""
    state.registry.domain(domain)
    found = state.runs.find(domain, ids["workflowId"], ids["runId"])
    if found is None:
        raise UnknownResourceFault(unknown_execution(ids["workflowId"], ids["runId"]))
    return found


def open_execution(state: EngineState, key: int) -> ExecutionState:
    """The open execution with this number. Raises `UnknownResourceFault`."""
    found = state.open.get(key)
    if found is None:
        run = state.runs.by_key.get(key)
        raise UnknownResourceFault(unknown_execution(run.workflow_id, run.run_id) if run else "Unknown execution")
    return found


def refuse_damaged(state: EngineState, domain: str, workflow_id: str, run_id: str | None = None) -> None:
    """Raise `StoreError` if an execution with this workflowId is open, and its history on disk is damaged."""
    explanation = state.damage_of(domain, workflow_id, run_id)
    if explanation is not None:
        raise StoreError(explanation)


def of_decision_task(state: EngineState, key: int, scheduled_id: int, started_id: int) -> ExecutionState:
    """The execution of a decision task that is started. Raises `UnknownResourceFault`."""
    execution = open_execution(state, key)
    if execution.started != (scheduled_id, started_id):
        raise UnknownResourceFault(f"Unknown decision task, scheduledEventId = {scheduled_id}")
    return execution


def unknown_execution(workflow_id: str, run_id: str | None) -> str:
    """SWF's words for an execution that it does not know."""
    if run_id:
        return f"Unknown execution: WorkflowExecution=[workflowId={workflow_id}, runId={run_id}]"
    return f"Unknown execution, workflowId = {workflow_id}"
