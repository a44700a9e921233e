"""An engine opens a store: what was running is lost, what was to follow follows, what waited goes on.

Rule: everything is derived from the histories. An execution is folded; its deadlines run again, later by the time the
engine was down (timers excepted); then, in one transaction per execution, tasks that were running in the dead process
time out. What should have followed from the last events and is not in the histories is carried out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence

from simpleflow_lab.engine import effects
from simpleflow_lab.engine.deadlines import activity_timed_out, decision_timed_out, open_deadlines
from simpleflow_lab.engine.decision_rules import NewEvent
from simpleflow_lab.engine.engine_state import EngineState
from simpleflow_lab.engine.execution_state import ExecutionState, Run, cancel_request, started_event
from simpleflow_lab.engine.store import Contents
from simpleflow_lab.engine.task_lists import ACTIVITY as ACTIVITY_TASK
from simpleflow_lab.engine.task_lists import Task
from simpleflow_lab.swf.entities import Entity
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, EXTERNAL_CANCEL, EXTERNAL_SIGNAL, LAMBDA
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.lost_workers import WORKER_LOST

HistoryOf = Callable[[Run], list[HistoryEvent]]
IsWorkerAlive = Callable[[str | None], bool]


def recover(state: EngineState, contents: Contents, history_of: HistoryOf, is_worker_alive: IsWorkerAlive) -> None:
    """Rebuild the state from the contents of a store, and record what the previous engine left undone.

    `history_of` reads the history of a closed execution; `is_worker_alive` takes the identity that a worker gave.
    """
    for domain in contents.domains:
        state.registry.put_domain(domain)
    for each in contents.types:
        state.registry.put_type(each)
    state.registry.changes.clear()
    for run in contents.runs:
        state.put_run(run)
        state.next_key = max(state.next_key, run.key + 1)
    for key, what in contents.damaged.items():
        # The others go on. What is left of this one can be looked at with SQLite, and only there.
        state.damaged[key] = what
        warnings.warn(what, stacklevel=2)
    now = state.now()
    recovered = []
    for key, events in contents.histories.items():
        execution = ExecutionState.fold(state.run_of_key[key], events)
        state.add_open(execution)
        recovered.append(execution)
        for since, deadline in open_deadlines(execution):
            down = 0 if deadline.wall_clock else downtime(contents.sessions, since, now)
            state.schedule(deadline, since + down)
    for execution in recovered:
        resume_tasks(state, execution, is_worker_alive)
        state.update_open_tasks(execution)
    for execution in recovered:
        _carry_out_rest(state, execution, history_of)
    _next_runs(state, contents.runs, history_of)
    state.dispatch()


def downtime(sessions: Sequence[tuple[int, int]], since: int, now: int) -> int:
    """Milliseconds between `since` and now in which no engine had the store open."""
    down, up_until = 0, None
    for opened_at, last_alive in (*sessions, (now, now)):
        if up_until is not None:
            down += max(0, opened_at - max(up_until, since))
        up_until = last_alive if up_until is None else max(up_until, last_alive)
    return down


def resume_tasks(state: EngineState, execution: ExecutionState, is_worker_alive: IsWorkerAlive) -> None:
    """Tasks whose worker died time out, tasks that waited are enqueued again."""
    for entity in execution.entities.of(ACTIVITY):
        if started_event(entity) is None:
            state.enqueue(Task(ACTIVITY_TASK, execution, entity.first), entity.first.attributes["taskList"]["name"])
    lost = list(_lost_tasks(execution, is_worker_alive))
    if lost:
        state.record(execution, lost)
    state.enqueue_decision_task(execution)


def _lost_tasks(execution: ExecutionState, is_worker_alive: IsWorkerAlive) -> Iterator[NewEvent]:
    if execution.started is not None:
        started = execution.events[execution.started[1] - 1]
        if not is_worker_alive(started.attributes.get("identity")):
            yield decision_timed_out(execution, "START_TO_CLOSE", execution.started[0])
    for entity in execution.entities.of(ACTIVITY):
        started_task = started_event(entity)
        if started_task is not None and not is_worker_alive(started_task.attributes.get("identity")):
            event_type, attributes = activity_timed_out(execution, "START_TO_CLOSE", entity.id)
            yield event_type, {**attributes, "details": WORKER_LOST}


# -- what should have followed -----------------------------------------------------------------------------------------


def _carry_out_rest(state: EngineState, execution: ExecutionState, history_of: HistoryOf) -> None:
    for entity in list(execution.entities):
        if execution.closed:
            return
        if entity.kind == CHILD:
            _child(state, execution, entity, history_of)
        elif entity.kind in (EXTERNAL_SIGNAL, EXTERNAL_CANCEL):
            _external(state, execution, entity)
        elif entity.kind == LAMBDA:
            effects.refuse_lambda(state, execution, entity.first)
        elif entity.kind == ACTIVITY and (request := cancel_request(entity)) is not None:
            effects.cancel_unstarted_activity(state, execution, request)
    _parent_closed(state, execution, history_of)


def _next_runs(state: EngineState, runs: Sequence[Run], history_of: HistoryOf) -> None:
    """A run continued as new, and the new one is not there: no later run has its id."""
    latest = {(run.domain, run.workflow_id): run for run in runs}
    for (domain, workflow_id), run in latest.items():
        if run.close_status == "CONTINUED_AS_NEW" and state.open_execution(domain, workflow_id, None) is None:
            closed = ExecutionState.fold(run, history_of(run))
            effects.start_next_run(state, closed, closed.events[-1])


def _child(state: EngineState, parent: ExecutionState, entity: Entity, history_of: HistoryOf) -> None:
    """The child was not started; or the parent was not told that it started; or not, how it closed."""
    running = state.open_execution(parent.run.domain, str(entity.name), None)
    if running is not None and entity.at("started") is not None:
        return
    child = _child_run(state, parent, entity)
    if child is None:
        if entity.at("started") is None:
            effects.start_child(state, parent, entity.first)
        return
    if entity.at("started") is None:
        effects.record_child_started(state, parent, entity.id, child.execution, child.workflow_type)
    if child.closed_at is not None:
        closed = ExecutionState.fold(child, history_of(child))
        # A run that continued as new says nothing; the next one is started elsewhere.
        effects.notify_parent(state, closed, closed.events[-1])


def _child_run(state: EngineState, parent: ExecutionState, entity: Entity) -> Run | None:
    """The latest run of this child, if it has any."""
    me = (parent.run.workflow_id, parent.run.run_id)
    runs = [
        run
        for run in state.run_of_key.values()
        if run.parent == me and run.domain == parent.run.domain and run.workflow_id == entity.name
    ]
    asked_at = round(entity.first.timestamp.timestamp() * 1000)
    started = entity.at("started")
    if started is None:
        runs = [run for run in runs if run.started_at >= asked_at and not _told_of(parent, run)]
    return max(runs, key=lambda run: run.key, default=None)


def _told_of(parent: ExecutionState, run: Run) -> bool:
    """The parent's history knows this run: it belongs to an earlier child of the same id."""
    return any(
        event.type == "ChildWorkflowExecutionStarted" and event.attributes["workflowExecution"]["runId"] == run.run_id
        for event in parent.events
    )


def _external(state: EngineState, source: ExecutionState, entity: Entity) -> None:
    """The message was not delivered; or it was, and the sender was not told."""
    asked = entity.first.attributes
    target = state.open_execution(source.run.domain, asked["workflowId"], asked.get("runId"))
    signal = entity.kind == EXTERNAL_SIGNAL
    if target is not None and _delivered(source, target, entity.id):
        outcome = "ExternalWorkflowExecutionSignaled" if signal else "ExternalWorkflowExecutionCancelRequested"
        attributes = {"workflowExecution": target.run.execution, "initiatedEventId": entity.id}
        state.record(source, [(outcome, attributes)])
    elif signal:
        effects.signal_external(state, source, entity.first)
    else:
        effects.cancel_external(state, source, entity.first)


def _delivered(source: ExecutionState, target: ExecutionState, initiated_id: int) -> bool:
    return any(
        event.attributes.get("externalInitiatedEventId") == initiated_id
        and event.attributes.get("externalWorkflowExecution") == source.run.execution
        for event in target.events
    )


def _parent_closed(state: EngineState, child: ExecutionState, history_of: HistoryOf) -> None:
    """The parent closed, and its child policy has not reached this child."""
    if child.run.parent is None:
        return
    run = state.runs.get((child.run.domain, *child.run.parent))
    if run is None or run.closed_at is None or run.close_status == "CONTINUED_AS_NEW":
        return
    if any(event.attributes.get("cause") == "CHILD_POLICY_APPLIED" for event in child.events):
        return
    if "continuedExecutionRunId" in child.configuration and child.run.started_at >= run.closed_at:
        # It concerned the run before.
        return
    events = history_of(run)
    policy = events[-1].attributes.get("childPolicy", events[0].attributes["childPolicy"])
    effects.apply_policy_to(state, child, policy)
