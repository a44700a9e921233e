"""Changes of the engine's state by client sessions: whose definitions an execution uses, and what tasks are lost.

Rule: the caller holds the engine's lock. Nothing of it is in a history, but for the time-outs of tasks that are lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from simpleflow_lab.engine.client_sessions import OPENING_SECONDS, ClientSession, HeldTask
from simpleflow_lab.engine.deadlines import activity_timed_out, decision_timed_out
from simpleflow_lab.engine.decision_rules import NewEvent
from simpleflow_lab.engine.engine_state import EngineState, OriginChanged
from simpleflow_lab.engine.execution_state import ExecutionState, Run
from simpleflow_lab.swf.conventions import GIVEN_BACK, LOST_BESIDE, WORKER_LOST
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, DECISION_TASK

MAX_LOGS_TO_TELL: Final = 1_000
"""Executions of which a process is told at once that their logs have grown."""
MAX_PARENTS: Final = 50
"""Executions above one that are named."""


def limit_to_own(state: EngineState, session: ClientSession, own_executions_only: bool) -> None:
    """Give this session only tasks of executions that it started or attached, and of their children, or any."""
    if session.own_executions_only != own_executions_only:
        session.own_executions_only = own_executions_only
        _queue_again_those_of(state, session.instance)


def _queue_again_those_of(state: EngineState, origin: str) -> None:
    for execution in state.open.values():
        if execution.origin == origin:
            state.queue_again(execution)


def is_left_to(state: EngineState, execution: ExecutionState, instance: str) -> bool:
    """Whether a process that goes on with everything may attach this execution, which no person has named.

    The process by whose definitions it goes has ended; or another one can't make its decisions, and the one that it
    was started with is this one, or has ended.
    """
    lives = state.sessions.lives
    if not lives(execution.home):
        return True
    is_own = instance in (execution.home, execution.origin)
    return (is_own or not lives(execution.origin)) and state.reports.is_blocked(execution.run.run_id)


def attach(state: EngineState, execution: ExecutionState, instance: str) -> None:
    """Let the execution use the definitions of this process, which a person has chosen.

    A decision that another process could not make is made there: its task is given out again. One that processes
    have died of is tried once more.
    """
    own = state.sessions.living.get(instance)
    if own is not None:
        _come_from(state, execution, own)
    state.set_home(execution, instance)
    started = execution.started
    if started is None or not state.reports.is_blocked(execution.run.run_id):
        return
    if execution.deaths or own is None or (execution.run.key, started[0]) not in own.held:
        execution.deaths = max(execution.deaths - 1, 0)
        lose(state, [HeldTask(DECISION_TASK, execution.run.key, *started)], GIVEN_BACK)


def _come_from(state: EngineState, execution: ExecutionState, session: ClientSession) -> None:
    """Let the process of this session be the origin of the execution.

    If it takes tasks of no other, it gets the open children with it, except those that another process that lives
    has attached since.
    """
    before = execution.origin
    if before != session.instance:
        execution.origin_identity = session.identity
        state.outbox.append(OriginChanged(execution.run.key, session.identity))
        state.queue_again(execution)
    if not session.own_executions_only:
        return
    for entity in execution.entities.of(CHILD):
        child = state.open_execution(execution.run.domain, str(entity.name), None)
        if (
            child is not None
            and child.run.parent == (execution.run.workflow_id, execution.run.run_id)
            and (child.origin in (before, session.instance) or not state.sessions.lives(child.origin))
        ):
            _come_from(state, child, session)


def retry_decision(state: EngineState, execution: ExecutionState) -> bool:
    """Give out again the decision task of an execution whose decisions are blocked, whichever process holds it;
    whether that was so. One that processes have died of is tried once more."""
    if execution.started is None or not state.reports.is_blocked(execution.run.run_id):
        return False
    execution.deaths = max(execution.deaths - 1, 0)
    lose(state, [HeldTask(DECISION_TASK, execution.run.key, *execution.started)], GIVEN_BACK)
    return True


def note_log(state: EngineState, run: Run, writer: str | None) -> None:
    """Another process has added to the log of an execution: tell the one that started it, if it lives."""
    execution = state.open.get(run.key)
    origin = None if execution is None else execution.origin
    session = state.sessions.living.get(origin) if origin is not None and origin != writer else None
    if session is None or (run.key not in session.logs and len(session.logs) >= MAX_LOGS_TO_TELL):
        return
    parents: list[str] = []
    above: Run | None = run
    while above is not None and above.parent is not None and len(parents) < MAX_PARENTS:
        parents.append(above.parent[0])
        above = state.runs.find(run.domain, *above.parent)
    session.logs[run.key] = {"domain": run.domain, "execution": run.execution, "parents": parents}
    if session.is_local and state.sessions.on_change is not None:
        state.sessions.on_change()


def open_session(state: EngineState, session: ClientSession, held: Iterable[HeldTask]) -> None:
    """Open a session, or take up the one that its process has. `held` are the tasks that its process holds."""
    found = state.sessions.living.get(session.instance)
    is_back = state.sessions.away.pop(session.instance, None) is not None
    if found is None:
        is_known = is_back or state.sessions.record_of(session.instance) is not None
        state.sessions.living[session.instance] = session
        if not session.is_local:
            state.unbound[session.instance] = state.now() + round(OPENING_SECONDS * 1000)
        if session.own_executions_only or not is_known:
            _queue_again_those_of(state, session.instance)
    else:
        found.definitions, found.serves, found.known_changes = session.definitions, session.serves, -1
        limit_to_own(state, found, session.own_executions_only)
        found.speaks(session.spoke_at)
        session = found
    state.remember_process(session.record())
    if is_back:
        # What others wrote to these logs, the engine that is gone may not have told.
        for execution in state.open.values():
            if execution.origin == session.instance:
                note_log(state, execution.run, None)
    unclaimed = state.unclaimed.pop(session.instance, [])
    for task in held:
        if state.is_held(task):
            session.hold(task, state.is_held)
    state.sessions.changed()
    # The others never reached it: the engine died with its answers.
    lose(state, [task for task in unclaimed if (task.key, task.scheduled_id) not in session.held], GIVEN_BACK)
    state.match_all()


def end_session(state: EngineState, session: ClientSession, details: str = WORKER_LOST) -> None:
    """End a session: its polls end without a task, and its tasks are given out again.

    `details` says why of its activities: their process has ended, or gives them back.
    """
    if session.ended:
        return
    forgotten = state.sessions.end(session)
    state.remember_process(session.record())
    state.forget_processes(forgotten)
    state.unbound.pop(session.instance, None)
    for poll in state.waiting_polls():
        if poll.session is session:
            poll.wake()
    lose(state, session.held.values(), details)
    session.held.clear()
    state.match_all()


def lose(state: EngineState, tasks: Iterable[HeldTask], details: str = WORKER_LOST) -> None:
    """Record that nobody answers these tasks, and for activities why; those of one execution get one timestamp.

    They are all that one process had at one moment: if it has died, any of them may be the cause, but for decisions
    that were blocked.
    """
    lost: dict[int, list[NewEvent]] = {}
    held = [task for task in tasks if state.is_held(task)]
    deciding = [
        state.open[task.key]
        for task in held
        if task.kind == DECISION_TASK and not state.reports.is_blocked(state.open[task.key].run.run_id)
    ]
    if details == WORKER_LOST and sum(task.kind == ACTIVITY for task in held) + len(deciding) > 1:
        details = LOST_BESIDE
    if details != GIVEN_BACK:
        for execution in deciding:
            execution.deaths += 1
    for task in held:
        lost.setdefault(task.key, []).append(lost_event(state.open[task.key], task.kind, task.scheduled_id, details))
    for key, events in lost.items():
        state.record(state.open[key], events)


def lost_event(execution: ExecutionState, kind: str, scheduled_id: int, details: str = WORKER_LOST) -> NewEvent:
    """The event that says that nobody answers a started task; `details` says why, if it is an activity's."""
    if kind == DECISION_TASK:
        return decision_timed_out(execution, "START_TO_CLOSE", scheduled_id)
    event_type, attributes = activity_timed_out(execution, "START_TO_CLOSE", scheduled_id)
    return event_type, {**attributes, "details": details}
