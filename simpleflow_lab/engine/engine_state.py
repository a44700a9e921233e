"""The engine's state in memory: domains, types, executions, task lists and deadlines; and how it changes.

Rule: no threads, no locks, no disk, no clock of its own: the caller holds the engine's lock. Events are made in
`record` and nowhere else; those of one call have one timestamp and consecutive ids. Changes that the store must write
are collected in `outbox`, in order.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.engine import domains_and_types
from simpleflow_lab.engine.client_sessions import (
    ClientSessions,
    HeldTask,
    with_deaths,
    with_different_definition,
)
from simpleflow_lab.engine.deadlines import (
    DEADLINES,
    Deadline,
    deadlines_started_by,
)
from simpleflow_lab.engine.decision_rules import NewEvent
from simpleflow_lab.engine.domains_and_types import DomainsAndTypes, Kind, Type
from simpleflow_lab.engine.execution_state import ExecutionState, Run, started_event, to_datetime
from simpleflow_lab.engine.isolation import ISOLATED_AFTER, Isolation
from simpleflow_lab.engine.lazy_heap import LazyHeap
from simpleflow_lab.engine.open_questions import DECISION_TASKS_SAY_NONE
from simpleflow_lab.engine.process_records import ListKey, ProcessForgotten, ProcessRecord
from simpleflow_lab.engine.requests_carried_out import CarriedOut, CarriedOutRequests, RequestsForgotten
from simpleflow_lab.engine.run_index import RunIndex
from simpleflow_lab.engine.task_lists import Poll, ScheduledTask, TaskList
from simpleflow_lab.service.execution_logs import LogRecord
from simpleflow_lab.service.reports import Reports
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.event_types import ACTIVITY, CLOSE_STATUS, DECISION_TASK, EVENT_TYPES
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.history_entities import Entities

CACHED_EVENTS: Final = 100_000
"""Number of events of closed executions that stay in memory, unless the engine says otherwise."""


class NewEvents(NamedTuple):
    """A change for the store: events were recorded."""

    key: int
    """The execution's number."""
    events: list[HistoryEvent]
    """The events, in order."""


class RunDeleted(NamedTuple):
    """A change for the store: a closed execution was deleted."""

    key: int
    """The execution's number."""


class OriginChanged(NamedTuple):
    """A change for the store: a process attached an open execution."""

    key: int
    """The execution's number."""
    origin: str
    """The identity of the process."""


_ACTIVITY_CLOSES: Final = frozenset(
    {"ActivityTaskCompleted", "ActivityTaskFailed", "ActivityTaskCanceled", "ActivityTaskTimedOut"}
)
_NEVER: Final = 1 << 62
"""A time that never comes, in milliseconds since 1970."""


class NewLogRecords(NamedTuple):
    """A change for the store: the execution's code printed or logged something."""

    key: int
    """The execution's number."""
    records: list[LogRecord]
    """The records, in order."""
    dropped: int
    """Number of records that went before these, unwritten."""


Change = (
    CarriedOut
    | NewEvents
    | NewLogRecords
    | OriginChanged
    | ProcessForgotten
    | ProcessRecord
    | RequestsForgotten
    | Run
    | RunDeleted
    | domains_and_types.Change
)


class Starter(NamedTuple):
    """By whose definitions an execution that starts goes."""

    home: str | None = None
    """The instance of the process whose definitions it uses."""
    origin: str | None = None
    """The identity of the process that a person started it with."""

    @classmethod
    def of(cls, execution: ExecutionState) -> Starter:
        """For a child, or the next run, of an execution."""
        return cls(execution.home, execution.origin_identity)


Effect = Callable[["EngineState", ExecutionState, HistoryEvent], None]
"""A function that runs after an event was recorded, and records further events in the same or in other executions."""


class EngineState:
    """The engine's memory."""

    def __init__(
        self,
        *,
        now: Callable[[], int],
        running: Callable[[], float],
        new_run_id: Callable[[], str],
        effects: Mapping[str, Effect],
        cached_events: int | None,
    ) -> None:
        """Make an empty state.

        `now` gives milliseconds since 1970, `running` for how many seconds the engine's process has run.
        `effects` holds the effects of events by event type. Closed executions stay in memory up to `cached_events`
        events; all of them if it is `None`.
        """
        self.now = now
        self.new_run_id = new_run_id
        self.registry = DomainsAndTypes()
        self.runs = RunIndex()
        """The records of all executions."""
        self.open: dict[int, ExecutionState] = {}
        """Open executions by their numbers."""
        self.open_by_id: dict[tuple[str, str], ExecutionState] = {}
        """Open executions by domain and workflowId."""
        self.closed: OrderedDict[int, ExecutionState] = OrderedDict()
        """Closed executions that are still in memory, by their numbers, least recently used first."""
        self.suspended = 0
        """Milliseconds, since the engine was made, for which its process did not run."""
        self.deadlines: LazyHeap[Deadline] = LazyHeap(Deadline.is_pending)
        """Deadlines by the time at which they pass, in milliseconds since 1970, and by the value of `paused` that is
        part of this time."""
        self.outbox: list[Change] = []
        """Changes that the store must write, in order."""
        self.changed: dict[int, ExecutionState] = {}
        """Executions with events in the outbox."""
        self.scheduling: list[ExecutionState] = []
        """Those of them that have scheduled activity tasks."""
        self.served_polls: list[Poll] = []
        """Polls that were assigned a task and must be woken once the store has the outbox."""
        self.damaged: dict[int, str] = {}
        """Open executions that can't go on, because their histories on disk are damaged, each with an explanation."""
        self.damaged_rows: list[str] = []
        """Explanations of what else in the store is damaged."""
        self.sessions = ClientSessions(running, self._processes_of_open)
        """The client sessions."""
        self.carried_out = CarriedOutRequests()
        """The requests of clients that have taken effect."""
        self.isolation = Isolation(self.is_held)
        """Which activity tasks run alone."""
        self.unclaimed: dict[str, list[HeldTask]] = {}
        """Tasks of the previous engine's clients, by instance, until their process names those that it holds."""
        self.unbound: dict[str, int] = {}
        """By the instance of a session without a connection: when it ends, in milliseconds since 1970."""
        self.claim_until: int | None = None
        """When the tasks are lost that nobody has claimed whose process is not known to live, in milliseconds since
        1970."""
        self.look_at_away: int | None = None
        """When to look whether the processes that are away live, in milliseconds since 1970; `None` if none is away."""
        self.next_key = 1
        """The number of the next execution."""
        self.reports = Reports()
        """The reports of deciders about open executions. Not in the histories."""
        self.open_tasks = 0
        """Number of tasks of all executions that are scheduled or started."""
        self.refuses: Callable[[str], bool] = _never
        """Whether a decision of this type is refused for reasons of the account, as Amazon does."""
        self._effects = effects
        self._max_cached_events = cached_events
        self._cached_events = 0
        self._open_tasks_of: dict[int, int] = {}
        self._task_lists: dict[ListKey, TaskList] = {}
        self._to_match: dict[ListKey, TaskList] = {}
        self._recheck: dict[ListKey, int] = {}
        self._pending_effects: deque[tuple[ExecutionState, HistoryEvent]] = deque()

    # -- look-ups

    def find_type(self, domain: str, kind: Kind, name: str, version: str) -> Type | None:
        """The type, registered or deprecated; `None` if it is unknown."""
        return self.registry.find(domain, kind, name, version)

    def count_open(self, domain: str) -> int:
        """The number of open executions of a domain."""
        return len(self.runs.open(domain))

    def open_execution(self, domain: str, workflow_id: str, run_id: str | None) -> ExecutionState | None:
        """The open execution with this workflowId; with a run id, only if it is that run."""
        found = self.open_by_id.get((domain, workflow_id))
        return None if found is None or (run_id and found.run.run_id != run_id) else found

    def damage_of(self, domain: str, workflow_id: str, run_id: str | None = None) -> str | None:
        """The explanation of the open execution with this workflowId that is damaged; `None` if there is none."""
        for key, explanation in self.damaged.items():
            run = self.runs.by_key[key]
            if (run.domain, run.workflow_id) == (domain, workflow_id) and run_id in (None, "", run.run_id):
                return explanation
        return None

    # -- changes

    def start_execution(
        self, domain: str, workflow_id: str, run_id: str, attributes: dict[str, Any], starter: Starter
    ) -> ExecutionState:
        """Start an execution whose first event has these attributes. No open execution may have its workflowId."""
        parent = attributes.get("parentWorkflowExecution")
        tags = attributes.get("tagList")
        run = Run(
            key=self.next_key,
            domain=domain,
            workflow_id=workflow_id,
            run_id=run_id,
            type_name=attributes["workflowType"]["name"],
            type_version=attributes["workflowType"]["version"],
            started_at=self.now(),
            parent=None if parent is None else (parent["workflowId"], parent["runId"]),
            tags=None if tags is None else tuple(tags),
            origin=starter.origin,
        )
        self.next_key += 1
        execution = ExecutionState(run)
        execution.home = starter.home
        self.outbox.append(run)
        self.add_open(execution)
        self.record(execution, [("WorkflowExecutionStarted", attributes)])
        return execution

    def add_open(self, execution: ExecutionState) -> None:
        """Add an open execution."""
        run = execution.run
        self.runs.add_open(run)
        self.open[run.key] = execution
        self.open_by_id[run.domain, run.workflow_id] = execution
        self._open_tasks_of[run.key] = 0

    def record(self, execution: ExecutionState, new: Iterable[NewEvent]) -> None:
        """Record events, all with the same timestamp, and a decision task if one of them calls for it.

        `new` may be a generator that reads the execution: each event is applied before the next one is generated.
        """
        first = len(execution.events)
        at = max(self.now(), execution.last_at)
        timestamp = to_datetime(at)
        try:
            for event_type, attributes in _with_decision_task(execution, new):
                event_id = len(execution.events) + 1
                if event_id >= limits.MAX_HISTORY_EVENTS and event_type not in CLOSE_STATUS:
                    event_type, attributes = _event_limit_exceeded(execution)
                execution.apply(HistoryEvent(event_id, event_type, timestamp, attributes))
                if execution.closed:
                    break
        except BaseException:  # an interrupt too: a history has all of a call's events or none
            self._undo(execution, first)
            raise
        execution.last_at = at
        self._recorded(execution, execution.events[first:], at)

    def _undo(self, execution: ExecutionState, length: int) -> None:
        """Restore the execution to its first `length` events, after an error in the rules."""
        before = ExecutionState.fold(self.runs.by_key[execution.run.key], execution.events[:length])
        before.heartbeats, before.enqueued = execution.heartbeats, execution.enqueued
        before.ticket, before.scheduling_ticket = execution.ticket, execution.scheduling_ticket
        before.home, before.home_changes = execution.home, execution.home_changes
        before.origin_identity = execution.origin_identity
        before.deaths, before.is_recovered = execution.deaths, execution.is_recovered
        vars(execution).update(vars(before))

    def _recorded(self, execution: ExecutionState, events: list[HistoryEvent], at: int) -> None:
        key = execution.run.key
        self.outbox.append(NewEvents(key, events))
        self.changed[key] = execution
        for event in events:
            if event.type in DEADLINES:
                for deadline in deadlines_started_by(execution, event):
                    self.add_deadline(deadline, at)
            if event.type == "ActivityTaskScheduled":
                self.enqueue(ACTIVITY, execution, event)
                self.scheduling.append(execution)
            if event.type in self._effects:
                self._pending_effects.append((execution, event))
        self.enqueue_decision_task(execution)
        if not self.reports.is_empty:
            self._update_reports(execution, events)
        if self.isolation.is_used:
            self._let_others_run(execution, events)
        if execution.closed:
            self._close(execution)
        self.update_open_tasks(execution)

    def _let_others_run(self, execution: ExecutionState, events: Iterable[HistoryEvent]) -> None:
        """Look for polls again for what waited until an activity task closed."""
        for event in events:
            if event.type in _ACTIVITY_CLOSES:
                self.isolation.closed(execution.run.key, event.attributes["scheduledEventId"])
                self.match_all()
        if execution.closed:
            self.match_all()

    def _update_reports(self, execution: ExecutionState, events: Iterable[HistoryEvent]) -> None:
        """Forget reports that these events make untrue."""
        if execution.closed:
            self.reports.drop(execution.run.run_id)
        elif any(event.type in ("DecisionTaskCompleted", "DecisionTaskTimedOut") for event in events):
            self.reports.unblock(execution.run.run_id)

    def update_open_tasks(self, execution: ExecutionState) -> None:
        """Update the number of open tasks after the execution has changed."""
        tasks = execution.open_tasks
        self.open_tasks += tasks - self._open_tasks_of.get(execution.run.key, 0)
        if execution.closed:
            self._open_tasks_of.pop(execution.run.key, None)
        else:
            self._open_tasks_of[execution.run.key] = tasks

    def _close(self, execution: ExecutionState) -> None:
        run = execution.run
        self.runs.close(run)
        self.outbox.append(run)
        del self.open[run.key]
        del self.open_by_id[run.domain, run.workflow_id]
        self.cache(execution)

    # -- effects, and tasks for polls

    def dispatch(self) -> None:
        """Run the effects of the events that were recorded, then assign tasks to the polls that wait for them."""
        while self._pending_effects:
            execution, event = self._pending_effects.popleft()
            self._effects[event.type](self, execution, event)
            if event.type in CLOSE_STATUS:
                execution.entities = Entities(keep_closed=False)
        now = self.now() if self._to_match else 0
        while self._to_match:
            key, task_list = self._to_match.popitem()
            while (found := task_list.match(now)) is not None:
                task, poll = found
                self.start_task(task, poll, key)
                self.served_polls.append(poll)
            self.matched(key, task_list)

    def matched(self, key: ListKey, task_list: TaskList) -> None:
        """Note when a task list must be checked again; drop it if it has neither tasks nor polls."""
        if task_list.recheck_at is not None:
            self._recheck[key] = task_list.recheck_at
        elif self._recheck:
            self._recheck.pop(key, None)
        if task_list.is_empty:
            self.drop_if_empty(key)

    def start_task(self, task: ScheduledTask, poll: Poll, key: ListKey) -> None:
        """Start the task and assign it to the poll, unless that was one event too many and closed the execution."""
        attributes: dict[str, Any] = {"scheduledEventId": task.scheduled.id}
        execution, session = task.execution, poll.session
        if poll.identity is not None:
            attributes["identity"] = poll.identity
        meant = execution.origin or execution.home
        if session is not None and meant != session.instance and self.sessions.differs(session, task.type_key, meant):
            attributes["identity"] = with_different_definition(poll.identity)
        if task.kind == DECISION_TASK and execution.deaths:
            attributes["identity"] = with_deaths(attributes.get("identity"), execution.deaths)
        event_type = "DecisionTaskStarted" if task.kind == DECISION_TASK else "ActivityTaskStarted"
        self.record(execution, [(event_type, attributes)])
        if session is not None and task.kind == DECISION_TASK:
            self.set_home(execution, session.instance)
        if not execution.closed:
            started_id = len(execution.events)
            poll.assigned = (task, started_id)
            if session is not None:
                held = HeldTask(task.kind, execution.run.key, task.scheduled.id, started_id, key)
                session.hold(held, self.is_held)
                if task.is_isolated:
                    self.isolation.started(held)
                if poll.client_number is not None:
                    session.unconfirmed[poll.client_number] = held

    def enqueue(self, kind: str, execution: ExecutionState, scheduled: HistoryEvent) -> None:
        """Put a task into the task list that its event names."""
        key = kind, execution.run.domain, scheduled.attributes["taskList"]["name"]
        task_list = self.task_list(*key)
        task_list.push(
            ScheduledTask(
                kind,
                execution,
                scheduled,
                execution.home_changes,
                self._isolates(kind, execution, scheduled),
                self.now(),
            )
        )
        self._to_match[key] = task_list

    def _isolates(self, kind: str, execution: ExecutionState, scheduled: HistoryEvent) -> bool:
        """Whether a task is to run alone."""
        if not execution.lost_beside or kind != ACTIVITY:
            return False
        isolates = execution.lost_beside.get(scheduled.attributes["activityId"], 0) >= ISOLATED_AFTER
        self.isolation.is_used = self.isolation.is_used or isolates
        return isolates

    def enqueue_decision_task(self, execution: ExecutionState) -> None:
        """Put the execution's queued decision task into its task list, unless another decision task is started."""
        queued = execution.queued
        if queued and execution.started is None and execution.enqueued != queued:
            execution.enqueued = queued
            entity = execution.entities.get(queued)
            assert entity is not None
            self.enqueue(DECISION_TASK, execution, entity.first)

    # -- whose definitions an execution uses: see `session_changes`

    def remember_process(self, record: ProcessRecord) -> None:
        """Let the store keep the definitions of a process."""
        self.outbox.append(record)

    def _processes_of_open(self) -> set[str | None]:
        """The instances of the processes by whose definitions an open execution goes."""
        return {process for execution in self.open.values() for process in (execution.origin, execution.home)}

    def forget_processes(self, instances: Iterable[str]) -> None:
        """Let the store keep those of these processes no longer."""
        self.outbox.extend(map(ProcessForgotten, instances))

    # -- requests that may come again: see `requests_carried_out`

    def remember_request(self, request_id: str, answer: Mapping[str, Any]) -> None:
        """Let the store keep that a request has taken effect in this transaction, and was answered so."""
        self.outbox.append(self.carried_out.add(request_id, self.now(), answer))
        self.forget_requests()

    def forget_requests(self) -> None:
        """Let the store keep the requests no longer that are too old, or too many."""
        forgotten = self.carried_out.forget(self.now())
        if forgotten is not None:
            self.outbox.append(forgotten)

    def set_home(self, execution: ExecutionState, home: str) -> None:
        """Let the execution use the definitions of this process from now on; its queued tasks are queued again."""
        if execution.home == home or execution.closed:
            return
        execution.home = home
        self.queue_again(execution)

    def queue_again(self, execution: ExecutionState) -> None:
        """Put the queued tasks of an execution into their lists again: who may take them has changed."""
        execution.home_changes += 1
        for entity in execution.entities.of(ACTIVITY):
            if started_event(entity) is None:
                self.enqueue(ACTIVITY, execution, entity.first)
        execution.enqueued = 0
        self.enqueue_decision_task(execution)

    def is_held(self, task: HeldTask) -> bool:
        """Whether this task is still started, and not closed."""
        execution = self.open.get(task.key)
        if execution is None or execution.closed:
            return False
        if task.kind == DECISION_TASK:
            return execution.started == (task.scheduled_id, task.started_id)
        entity = execution.entities.get(task.scheduled_id)
        started = started_event(entity) if entity is not None else None
        return started is not None and started.id == task.started_id

    def match_all(self) -> None:
        """Look for polls for all tasks that wait: a session has come, gone or changed."""
        self._to_match.update(self._task_lists)

    def task_list(self, kind: str, domain: str, name: str) -> TaskList:
        """The task list with this name; it is made if there is none."""
        found = self._task_lists.get((kind, domain, name))
        if found is None:
            found = self._task_lists[kind, domain, name] = TaskList((kind, domain, name), self.sessions, self.isolation)
        return found

    def drop_if_empty(self, key: tuple[str, str, str]) -> None:
        """Drop the task list if it has neither tasks nor polls."""
        found = self._task_lists.get(key)
        if found is not None and found.is_empty:
            del self._task_lists[key]
            self._recheck.pop(key, None)

    def task_lists(self) -> list[tuple[ListKey, TaskList]]:
        """The task lists with tasks or polls."""
        return list(self._task_lists.items())

    def waiting_polls(self) -> list[Poll]:
        """All polls that wait for a task."""
        return [poll for task_list in self._task_lists.values() for poll in task_list.polls()]

    # -- time

    def add_deadline(self, deadline: Deadline, since: int) -> None:
        """Add a deadline that began to run at `since`, in milliseconds since 1970."""
        self.deadlines.push((since + deadline.milliseconds, self.suspended), deadline)

    def paused(self, deadline: Deadline) -> tuple[int, int]:
        """The milliseconds for which a timeout did not run: the engine's process did not run, or the task's holder was
        silent. And for how many milliseconds the holder has not been heard."""
        if not deadline.is_of_started_task:
            return self.suspended, 0
        silent, unheard = self.sessions.silence(deadline.execution.run.key, deadline.event_id)
        return self.suspended + silent, unheard

    def was_suspended(self, milliseconds: int) -> None:
        """Note that the engine's process did not run for so long: no client could speak meanwhile."""
        self.suspended += milliseconds
        if self.claim_until is not None:
            self.claim_until += milliseconds
        for instance in self.unbound:
            self.unbound[instance] += milliseconds

    def next_deadline(self, *, before: int | None = None) -> int | None:
        """The time at which something is due next, in milliseconds since 1970; `None` if nothing is.

        Deadlines count only if they lie `before` this time.
        """
        found = self.deadlines.first(before=None if before is None else (before,))
        earliest = None if found is None else found[0][0]
        if self._recheck or self.unbound or self.claim_until is not None or self.look_at_away is not None:
            others = (time for time in (earliest, self.claim_until, self.look_at_away) if time is not None)
            earliest = min(*self._recheck.values(), *self.unbound.values(), *others, _NEVER)
        return earliest

    def match_rechecked(self) -> None:
        """Look for polls for the tasks that waited until now for a process of their own."""
        if self._recheck:
            for key in [key for key, at in self._recheck.items() if at <= self.now()]:
                del self._recheck[key]
                if key in self._task_lists:
                    self._to_match[key] = self._task_lists[key]

    # -- closed executions

    def cache(self, execution: ExecutionState) -> None:
        """Keep a closed execution in memory; the least recently used ones are dropped to make room."""
        self.closed[execution.run.key] = execution
        self._cached_events += len(execution.events)
        limit = self._max_cached_events
        while limit is not None and self._cached_events > limit and len(self.closed) > 1:
            _, oldest = self.closed.popitem(last=False)
            self._cached_events -= len(oldest.events)

    def in_memory(self, key: int) -> ExecutionState | None:
        """The execution with this number if it is in memory, open or closed."""
        found = self.open.get(key)
        if found is None:
            found = self.closed.get(key)
            if found is not None:
                self.closed.move_to_end(key)
        return found

    def delete(self, run: Run) -> None:
        """Delete a closed execution."""
        self.runs.delete(run)
        cached = self.closed.pop(run.key, None)
        if cached is not None:
            self._cached_events -= len(cached.events)
        self.outbox.append(RunDeleted(run.key))


def _with_decision_task(execution: ExecutionState, new: Iterable[NewEvent]) -> Iterator[NewEvent]:
    """The events, and a DecisionTaskScheduled at the end if one of them wakes the decider and none is queued."""
    wakes = False
    for event in new:
        wakes = wakes or EVENT_TYPES[event[0]].wakes
        yield event
    if wakes and not execution.queued:
        configuration = execution.configuration
        attributes: dict[str, Any] = {"taskList": {"name": execution.task_list}}
        attributes["startToCloseTimeout"] = configuration["taskStartToCloseTimeout"]
        if "taskPriority" in configuration:
            attributes["taskPriority"] = configuration["taskPriority"]
        if execution.override is not None and execution.override.schedule_to_start is not None:
            attributes["scheduleToStartTimeout"] = execution.override.schedule_to_start
        elif DECISION_TASKS_SAY_NONE:
            attributes["scheduleToStartTimeout"] = "NONE"
        yield "DecisionTaskScheduled", attributes


def _event_limit_exceeded(execution: ExecutionState) -> NewEvent:
    """The event that closes an execution whose history has reached SWF's limit."""
    attributes = {"cause": "EVENT_LIMIT_EXCEEDED", "childPolicy": execution.configuration["childPolicy"]}
    return "WorkflowExecutionTerminated", attributes


def _never(decision_type: str) -> bool:
    return False
