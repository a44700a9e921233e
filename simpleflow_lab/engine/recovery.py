"""Recovery: an engine opens a store and continues from its histories.

Rule: everything is derived from the histories. An execution is folded; its deadlines are restored, later by the time
no engine ran (timers excepted). Tasks that were started by workers that are lost time out, those of one execution
with one timestamp; those of client processes that live wait until their process names them, or for some seconds; tasks
that were scheduled are enqueued, for the process that decided their execution last, if that lives. Effects that are
missing from the histories are carried out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence

from simpleflow_lab.engine import effects
from simpleflow_lab.engine.client_sessions import CLAIM_SECONDS, HeldTask, instance_of
from simpleflow_lab.engine.deadlines import open_deadlines
from simpleflow_lab.engine.due import AWAY_PAUSE
from simpleflow_lab.engine.engine_state import EngineState
from simpleflow_lab.engine.execution_state import ExecutionState, Run, cancel_request, started_event, to_milliseconds
from simpleflow_lab.engine.process_records import ProcessRecord
from simpleflow_lab.engine.session_changes import lose
from simpleflow_lab.engine.store import Contents
from simpleflow_lab.exceptions import DamagedStoreWarning, StoreError
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, DECISION_TASK, EXTERNAL_CANCEL, EXTERNAL_SIGNAL, LAMBDA
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.history_entities import Entity

HistoryOf = Callable[[Run], list[HistoryEvent]]
IsWorkerAlive = Callable[[str | None], bool]
IsPresent = Callable[[ProcessRecord], bool]


def recover(
    state: EngineState,
    contents: Contents,
    history_of: HistoryOf,
    is_worker_alive: IsWorkerAlive,
    is_present: IsPresent,
) -> None:
    """Rebuild the state from the contents of a store, and record the events that the previous engine left out.

    `history_of` reads the history of a closed execution; `is_worker_alive` takes the identity that a worker gave;
    `is_present` says of a process that had a session whether it still has the store open.
    """
    for domain in contents.domains:
        state.registry.put_domain(domain)
    for each in contents.types:
        state.registry.put_type(each)
    state.registry.changes.clear()
    for run in contents.runs:
        state.runs.add(run)
        state.next_key = max(state.next_key, run.key + 1)
    for request in contents.requests:
        state.carried_out.put(request)
    state.damaged_rows = contents.damaged_rows
    for damage in contents.damaged_rows:
        warnings.warn(damage, DamagedStoreWarning, stacklevel=2)
    for key, damage in contents.damaged.items():
        _is_damaged(state, key, damage)
    now = state.now()
    recovered = []
    for key, events in contents.histories.items():
        execution = ExecutionState.fold(state.runs.by_key[key], events)
        execution.is_recovered = True
        state.add_open(execution)
        recovered.append(execution)
        for since, deadline in open_deadlines(execution):
            down = 0 if deadline.counts_downtime else downtime(contents.sessions, since, now)
            state.add_deadline(deadline, since + down)
    _remember_processes(state, contents.processes, is_present)
    for execution in recovered:
        _find_home(state, execution, is_worker_alive)
        _enqueue_activities(state, execution)
    _lose_tasks(state, recovered, is_worker_alive)
    for execution in recovered:
        state.enqueue_decision_task(execution)
        state.update_open_tasks(execution)
    for execution in recovered:
        _carry_out_missing_effects(state, execution, history_of)
    _next_runs(state, contents.runs, history_of)
    state.dispatch()


def _is_damaged(state: EngineState, key: int, damage: str) -> None:
    """Note that an execution is damaged. The others go on; the remains of this one can be read with SQLite only."""
    state.damaged[key] = damage
    warnings.warn(damage, DamagedStoreWarning, stacklevel=3)


def _closed(state: EngineState, run: Run, history_of: HistoryOf) -> ExecutionState | None:
    """A closed execution; `None` if it is damaged, which is noted."""
    if run.key not in state.damaged:
        try:
            return ExecutionState.fold(run, history_of(run))
        except StoreError as error:
            _is_damaged(state, run.key, str(error))
    return None


def latest_recorded(contents: Contents) -> int:
    """The latest time that a store has recorded, in milliseconds since 1970; 0 for an empty one."""
    return max(
        (
            *(last_alive for _, last_alive in contents.sessions),
            *(run.started_at if run.closed_at is None else run.closed_at for run in contents.runs),
            *(to_milliseconds(events[-1].timestamp) for events in contents.histories.values() if events),
        ),
        default=0,
    )


def downtime(sessions: Sequence[tuple[int, int]], since: int, now: int) -> int:
    """Milliseconds between `since` and `now` for which no engine ran on the store.

    `sessions` holds from when until when, as far as is known, engines ran. All times are in milliseconds since 1970.
    """
    down, up_until = 0, None
    for opened_at, last_alive in (*sessions, (now, now)):
        if up_until is not None:
            down += max(0, opened_at - max(up_until, since))
        up_until = last_alive if up_until is None else max(up_until, last_alive)
    return down


def _find_home(state: EngineState, execution: ExecutionState, is_worker_alive: IsWorkerAlive) -> None:
    """Let the process that decided the execution last be its home, if that lives, or the one that started it."""
    decided = (event for event in reversed(execution.events) if event.type == "DecisionTaskStarted")
    identity = next((event.attributes.get("identity") for event in decided), None)
    if instance_of(identity) is None or not is_worker_alive(identity):
        identity = execution.origin_identity
    execution.home = instance_of(identity)


def _remember_processes(state: EngineState, records: Iterable[ProcessRecord], is_present: IsPresent) -> None:
    """Know the definitions of the processes that had sessions, and which of them will come back."""
    sessions = state.sessions
    sessions.is_present = is_present
    for record in records:
        if not record.has_ended and is_present(record):
            sessions.away[record.instance] = record
        else:
            sessions.remember(record)
    state.forget_processes(sessions.forget())
    if sessions.away:
        state.look_at_away = state.now() + AWAY_PAUSE


def _enqueue_activities(state: EngineState, execution: ExecutionState) -> None:
    for entity in execution.entities.of(ACTIVITY):
        if started_event(entity) is None:
            state.enqueue(ACTIVITY, execution, entity.first)


def _lose_tasks(state: EngineState, recovered: Iterable[ExecutionState], is_worker_alive: IsWorkerAlive) -> None:
    """Time out the started tasks that are lost, process by process. Those of processes that live wait to be claimed."""
    lost: dict[str, list[HeldTask]] = {}
    for execution in recovered:
        for task, identity in _started_tasks(execution):
            instance = instance_of(identity)
            if not is_worker_alive(identity):
                lost.setdefault(instance or str(identity), []).append(task)
            elif instance is not None:
                state.unclaimed.setdefault(instance, []).append(task)
                state.claim_until = state.now() + round(CLAIM_SECONDS * 1000)
    for tasks in lost.values():
        lose(state, tasks)


def _started_tasks(execution: ExecutionState) -> Iterator[tuple[HeldTask, str | None]]:
    """The tasks that are started, each with the identity that its poller gave."""
    key = execution.run.key
    if execution.started is not None:
        scheduled_id, started_id = execution.started
        identity = execution.events[started_id - 1].attributes.get("identity")
        yield HeldTask(DECISION_TASK, key, scheduled_id, started_id), identity
    for entity in execution.entities.of(ACTIVITY):
        started = started_event(entity)
        if started is not None:
            yield HeldTask(ACTIVITY, key, entity.id, started.id), started.attributes.get("identity")


# -- missing effects ---------------------------------------------------------------------------------------------------


def _carry_out_missing_effects(state: EngineState, execution: ExecutionState, history_of: HistoryOf) -> None:
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
    """Start the next run of each run that continued as new and is the latest of its workflowId."""
    latest = {(run.domain, run.workflow_id): run for run in runs}
    for (domain, workflow_id), run in latest.items():
        if run.close_status == "CONTINUED_AS_NEW" and state.open_execution(domain, workflow_id, None) is None:
            closed = _closed(state, run, history_of)
            if closed is not None:
                effects.start_next_run(state, closed, closed.events[-1])


def _child(state: EngineState, parent: ExecutionState, entity: Entity, history_of: HistoryOf) -> None:
    """Start the child, or record in the parent that it started, or how it closed: whichever is missing."""
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
        closed = _closed(state, child, history_of)
        if closed is not None:
            # A run that continued as new is not reported; its next run is started by `_next_runs`.
            effects.notify_parent(state, closed, closed.events[-1])


def _child_run(state: EngineState, parent: ExecutionState, entity: Entity) -> Run | None:
    """The latest run of this child; `None` if it was never started."""
    ids = (parent.run.workflow_id, parent.run.run_id)
    runs = [run for run in state.runs.of_workflow_id(parent.run.domain, str(entity.name)) if run.parent == ids]
    if entity.at("started") is None:
        initiated_at = to_milliseconds(entity.first.timestamp)
        runs = [run for run in runs if run.started_at >= initiated_at and not _is_reported(parent, run)]
    return max(runs, key=lambda run: run.key, default=None)


def _is_reported(parent: ExecutionState, run: Run) -> bool:
    """Whether the parent's history has the start of this run, which then belongs to an earlier child of the same id."""
    return any(
        event.type == "ChildWorkflowExecutionStarted" and event.attributes["workflowExecution"]["runId"] == run.run_id
        for event in parent.events
    )


def _external(state: EngineState, source: ExecutionState, entity: Entity) -> None:
    """Deliver the signal or cancel request, or record in its source that it was delivered: whichever is missing."""
    requested = entity.first.attributes
    target = state.open_execution(source.run.domain, requested["workflowId"], requested.get("runId"))
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
    """Apply the child policy of a parent that closed, if it was not applied to this child."""
    if child.run.parent is None:
        return
    run = state.runs.find(child.run.domain, *child.run.parent)
    if run is None or run.closed_at is None or run.close_status == "CONTINUED_AS_NEW":
        return
    if any(event.attributes.get("cause") == "CHILD_POLICY_APPLIED" for event in child.events):
        return
    if "continuedExecutionRunId" in child.configuration and child.run.started_at >= run.closed_at:
        # The policy was applied to the run that continued as this one.
        return
    parent = _closed(state, run, history_of)
    if parent is None:
        return
    events = parent.events
    policy = events[-1].attributes.get("childPolicy", events[0].attributes["childPolicy"])
    effects.apply_policy_to(state, child, policy)
