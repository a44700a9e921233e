"""Reports who polls, and what the open tasks of an execution wait for, as plain data for other processes.

Rule: this reads the engine's state and changes nothing. Names of members are spelled as SWF spells its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from simpleflow_lab.engine.client_sessions import ClientSession, HeldTask, instance_of
from simpleflow_lab.engine.engine_state import EngineState
from simpleflow_lab.engine.execution_state import ExecutionState, started_event, to_milliseconds
from simpleflow_lab.engine.process_records import ListKey, ProcessRecord, TypeKey
from simpleflow_lab.engine.task_lists import ScheduledTask
from simpleflow_lab.swf.event_types import ACTIVITY, DECISION_TASK
from simpleflow_lab.swf.history import HistoryEvent

MAX_TASKS: Final = 100
"""The most activity tasks that are listed of one execution, queued ones and started ones each."""


def pollers(state: EngineState, domain: str) -> list[dict[str, Any]]:
    """Each process that polls a task list of the domain, and each program without a session that polls now."""
    waiting: dict[tuple[ClientSession | None, ListKey], int] = {}
    for key, task_list in state.task_lists():
        for poll in task_list.polls():
            if not poll.finished:
                waiting[poll.session, key] = waiting.get((poll.session, key), 0) + 1
    served = {(session, key) for session in state.sessions for key in session.serves}
    listed = sorted(
        served | waiting.keys(), key=lambda each: (each[1][2], each[1][0], each[0].since if each[0] is not None else 0)
    )
    return [
        {
            "kind": key[0],
            "taskList": key[2],
            "waitingPolls": waiting.get((session, key), 0),
            "tasks": [] if session is None else [_task(state, held) for held in _held(state, session, key)],
            **({} if session is None else _client(state, session)),
        }
        for session, key in listed
        if key[1] == domain
    ]


def _client(state: EngineState, session: ClientSession) -> dict[str, Any]:
    return {
        "instance": session.instance,
        "pid": session.pid,
        "hostname": session.hostname,
        "since": session.since / 1000,
        "isSilent": session.is_silent(state.sessions.running()),
    }


def _held(state: EngineState, session: ClientSession, key: ListKey) -> Iterator[HeldTask]:
    return (held for held in session.held.values() if held.list_key == key and state.is_held(held))


def _task(state: EngineState, held: HeldTask) -> dict[str, Any]:
    execution = state.open[held.key]
    scheduled = execution.events[held.scheduled_id - 1].attributes
    return {
        "workflowExecution": execution.run.execution,
        **({"activityId": scheduled["activityId"]} if held.kind == ACTIVITY else {}),
        "scheduledEventId": held.scheduled_id,
        "since": to_milliseconds(execution.events[held.started_id - 1].timestamp) / 1000,
        "type": _type(_type_key(execution, execution.events[held.scheduled_id - 1])),
    }


def _type_key(execution: ExecutionState, scheduled: HistoryEvent) -> TypeKey:
    kind = DECISION_TASK if scheduled.type == "DecisionTaskScheduled" else ACTIVITY
    return ScheduledTask(kind, execution, scheduled).type_key


def _type(key: TypeKey) -> dict[str, str]:
    return {"name": key[1], "version": key[2]}


def open_tasks(state: EngineState, execution: ExecutionState) -> list[dict[str, Any]]:
    """The open decision task and activity tasks of an execution, and what each waits for.

    Of activity tasks the first `MAX_TASKS` that are queued, and as many that are started.
    """
    tasks = []
    if execution.started is not None:
        tasks.append(_started(state, execution, DECISION_TASK, *execution.started))
    elif execution.queued:
        tasks.append(_scheduled(state, execution, DECISION_TASK, execution.queued))
    left = {True: MAX_TASKS, False: MAX_TASKS}
    for entity in execution.entities:
        if entity.kind != ACTIVITY:
            continue
        started = started_event(entity)
        if not left[started is None]:
            continue
        left[started is None] -= 1
        if started is None:
            tasks.append(_scheduled(state, execution, ACTIVITY, entity.id))
        else:
            tasks.append(_started(state, execution, ACTIVITY, entity.id, started.id))
    return tasks


def _about(execution: ExecutionState, kind: str, scheduled_id: int) -> dict[str, Any]:
    scheduled = execution.events[scheduled_id - 1]
    about: dict[str, Any] = {
        "kind": kind,
        "scheduledEventId": scheduled_id,
        "taskList": scheduled.attributes["taskList"]["name"],
        "type": _type(_type_key(execution, scheduled)),
    }
    if kind == ACTIVITY:
        about["activityId"] = scheduled.attributes["activityId"]
    return about


def _started(
    state: EngineState, execution: ExecutionState, kind: str, scheduled_id: int, started_id: int
) -> dict[str, Any]:
    started = execution.events[started_id - 1]
    identity = started.attributes.get("identity")
    instance = instance_of(identity)
    session = state.sessions.living.get(instance) if instance is not None else None
    heartbeat = execution.heartbeats.get(scheduled_id) if kind == ACTIVITY else None
    return {
        **_about(execution, kind, scheduled_id),
        **({} if heartbeat is None else {"heartbeatAt": heartbeat.at / 1000}),
        "state": "started",
        "since": to_milliseconds(started.timestamp) / 1000,
        "holder": {"identity": identity} if session is None else _client(state, session),
        "isSilent": _is_silent(state, instance),
    }


def _is_silent(state: EngineState, instance: str | None) -> bool:
    """Whether a process with a session does not answer, or has not come back since this engine took the store over."""
    session = state.sessions.living.get(instance or "")
    if session is not None:
        return session.is_silent(state.sessions.running())
    # As long as tasks may be claimed, the processes are about to come back.
    return instance in state.sessions.away and state.claim_until is None


def _scheduled(state: EngineState, execution: ExecutionState, kind: str, scheduled_id: int) -> dict[str, Any]:
    scheduled = execution.events[scheduled_id - 1]
    about = _about(execution, kind, scheduled_id)
    reason = _reason(state, execution, (kind, execution.run.domain, about["taskList"]), scheduled)
    return {
        **about,
        "state": "scheduled",
        "since": to_milliseconds(scheduled.timestamp) / 1000,
        "isDefined": any(
            _type_key(execution, scheduled) in process.definitions and process.takes_of(execution.origin)
            for process in state.sessions.present()
        ),
        "reason": reason.text,
        "isSilent": reason.is_silent,
        "isServed": reason.is_served,
        "busyPollers": reason.busy,
    }


class _Reason(NamedTuple):
    """Why nobody has taken a task."""

    text: str
    """In words."""
    is_silent: bool = False
    """Whether it waits for a process that does not answer."""
    is_served: bool = False
    """Whether it is taken by itself: a process or a program that may take it polls its task list, or will again."""
    busy: int = 0
    """Number of those polls that are busy with other tasks."""


def _reason(state: EngineState, execution: ExecutionState, key: ListKey, scheduled: HistoryEvent) -> _Reason:
    """Why nobody has taken a task."""
    type_key = _type_key(execution, scheduled)
    name = f"{type_key[1]} {type_key[2]}"
    now = state.sessions.running()
    taking = [session for session in state.sessions if session.takes_of(execution.origin)]
    serving = [session for session in taking if key in session.serves]
    defining = [session for session in taking if type_key in session.definitions]
    able = [session for session in serving if session in defining]
    right = state.sessions.right_definition(key, type_key, execution.home, execution.origin)
    holder = None if right is None else right[1]
    if right is not None:
        able = [session for session in able if session.definitions[type_key] == right[0]]
    if not able and isinstance(holder, ProcessRecord):
        text = f"waits for process {holder.pid}, which has the definition it was started with and {_NOT_BACK}"
        return _Reason(text, is_silent=True)
    if not able:
        return _why_nobody_is_able(state, execution, key, type_key, defining)
    busy = sum(1 for session in able for _ in _held(state, session, key))
    pollers = f"{busy} pollers busy" if busy != 1 else "1 poller busy"
    if holder is not None and (len(serving) > len(able) or holder.is_silent(now)):
        why = f": {pollers}" if busy else ""
        waits_for = f"waits for process {holder.pid}, which has the definition it was started with"
        is_silent = all(session.is_silent(now) for session in able)
        return _Reason(f"{waits_for}{why}", is_silent=is_silent, is_served=not is_silent, busy=busy)
    silent = [session for session in able if session.is_silent(now)]
    if len(silent) == len(able):
        is_ = "is" if len(able) == 1 else "are"
        return _Reason(f"{_defines(able, name)} and {is_} silent: is it stopped?", is_silent=True)
    if not busy:
        home = state.sessions.record_of(execution.home)
        lives = home is not None and state.sessions.lives(execution.home)
        text = f"waits for process {home.pid}, which decided last" if home and lives else "it is about to be taken"
        return _Reason(text, is_served=True)
    return _Reason(pollers, is_served=True, busy=busy)


_NOT_BACK: Final = "has not come back since the owner of the store changed: is it stopped?"


def _why_nobody_is_able(
    state: EngineState, execution: ExecutionState, key: ListKey, type_key: TypeKey, defining: Sequence[ClientSession]
) -> _Reason:
    """The same of a task that none of the processes that poll its list could run."""
    name = f"{type_key[1]} {type_key[2]}"
    unknown = any(poll.session is None for poll in state.task_list(*key).polls())
    state.drop_if_empty(key)
    if unknown:
        return _Reason("a program without a session is about to take it", is_served=True)
    if defining:
        return _Reason(f"no process that defines {name} polls the task list {key[2]!r}: {_defines(defining, 'it')}")
    away = [each for each in state.sessions.away.values() if type_key in each.definitions]
    for each in away:
        if each.takes_of(execution.origin):
            return _Reason(f"process {each.pid} defines {name}, and {_NOT_BACK}", is_silent=True)
    others = [session for session in state.sessions if type_key in session.definitions]
    if others:
        run = "runs" if len(others) == 1 else "run"
        return _Reason(f"{_defines(others, name)}, and {run} only tasks of executions that it started")
    return _Reason(f"no process defines {name}")


def _defines(sessions: Sequence[ClientSession], what: str) -> str:
    """The processes that define something, in words."""
    pids = ", ".join(str(session.pid) for session in sessions)
    return f"process {pids} defines {what}" if len(sessions) == 1 else f"processes {pids} define {what}"
