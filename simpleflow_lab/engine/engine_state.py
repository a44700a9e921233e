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
from simpleflow_lab.engine.deadlines import DEADLINES, Deadline, deadlines_started_by, postponed_to
from simpleflow_lab.engine.decision_rules import NewEvent
from simpleflow_lab.engine.domains_and_types import DomainsAndTypes, Kind, Type
from simpleflow_lab.engine.execution_state import ExecutionState, Run, to_datetime
from simpleflow_lab.engine.lazy_heap import LazyHeap
from simpleflow_lab.engine.open_questions import DECISION_TASKS_SAY_NONE
from simpleflow_lab.engine.run_index import RunIndex
from simpleflow_lab.engine.task_lists import Poll, ScheduledTask, TaskList
from simpleflow_lab.service.reports import Reports
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.event_types import ACTIVITY, CLOSE_STATUS, DECISION_TASK, EVENT_TYPES
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.history_entities import Entities

CACHED_EVENTS: Final = 100_000
"""How many events of closed executions stay in memory, unless the engine says otherwise."""


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


Change = NewEvents | Run | RunDeleted | domains_and_types.Change
Effect = Callable[["EngineState", ExecutionState, HistoryEvent], None]
"""A function that runs after an event was recorded, and records further events in the same or in other executions."""


class EngineState:
    """The engine's memory."""

    def __init__(
        self,
        *,
        now: Callable[[], int],
        new_run_id: Callable[[], str],
        effects: Mapping[str, Effect],
        cached_events: int | None,
    ):
        """Make an empty state.

        `now` gives milliseconds since 1970. `effects` holds the effects of events by event type. Closed executions stay
        in memory up to `cached_events` events; all of them if it is `None`.
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
        """For how many milliseconds, since the engine was made, its process did not run."""
        self.deadlines: LazyHeap[Deadline] = LazyHeap(Deadline.is_pending)
        """Deadlines by the time at which they pass, in milliseconds since 1970, and by the value of `suspended` that is
        part of this time."""
        self.outbox: list[Change] = []
        """Changes that the store must write, in order."""
        self.changed: dict[int, ExecutionState] = {}
        """Executions with events in the outbox."""
        self.served_polls: list[Poll] = []
        """Polls that were assigned a task and must be woken once the store has the outbox."""
        self.damaged: dict[int, str] = {}
        """Open executions that can't go on, because their histories on disk are damaged, each with an explanation."""
        self.next_key = 1
        """The number of the next execution."""
        self.reports = Reports()
        """What deciders reported of open executions. Not in the histories."""
        self.open_tasks = 0
        """How many tasks of all executions are scheduled or started."""
        self._effects = effects
        self._max_cached_events = cached_events
        self._cached_events = 0
        self._open_tasks_of: dict[int, int] = {}
        self._task_lists: dict[tuple[str, str, str], TaskList] = {}
        self._to_match: dict[tuple[str, str, str], TaskList] = {}
        self._pending_effects: deque[tuple[ExecutionState, HistoryEvent]] = deque()

    # -- look-ups

    def find_type(self, domain: str, kind: Kind, name: str, version: str) -> Type | None:
        """The type, registered or deprecated; `None` if it is unknown."""
        return self.registry.find(domain, kind, name, version)

    def count_open(self, domain: str) -> int:
        """How many executions of a domain are open."""
        return len(self.runs.open(domain))

    def open_execution(self, domain: str, workflow_id: str, run_id: str | None) -> ExecutionState | None:
        """The open execution with this workflowId; with a run id, only if it is that run."""
        found = self.open_by_id.get((domain, workflow_id))
        return None if found is None or (run_id and found.run.run_id != run_id) else found

    # -- changes

    def start_execution(self, domain: str, workflow_id: str, run_id: str, attributes: dict[str, Any]) -> ExecutionState:
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
        )
        self.next_key += 1
        execution = ExecutionState(run)
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
        except BaseException:
            self._undo(execution, first)
            raise
        self._recorded(execution, execution.events[first:], at)

    def _undo(self, execution: ExecutionState, length: int) -> None:
        """Restore the execution to its first `length` events, after an error in the rules."""
        before = ExecutionState.fold(self.runs.by_key[execution.run.key], execution.events[:length])
        before.heartbeats, before.enqueued, before.ticket = execution.heartbeats, execution.enqueued, execution.ticket
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
                self.enqueue(ScheduledTask(ACTIVITY, execution, event), event.attributes["taskList"]["name"])
            if event.type in self._effects:
                self._pending_effects.append((execution, event))
        self.enqueue_decision_task(execution)
        if not self.reports.is_empty:
            self._update_reports(execution, events)
        if execution.closed:
            self._close(execution)
        self.update_open_tasks(execution)

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
        while self._to_match:
            name, task_list = self._to_match.popitem()
            while (found := task_list.match()) is not None:
                task, poll = found
                self.start_task(task, poll)
                self.served_polls.append(poll)
            self.drop_if_empty(name)

    def start_task(self, task: ScheduledTask, poll: Poll) -> None:
        """Start the task and assign it to the poll, unless that was one event too many and closed the execution."""
        attributes: dict[str, Any] = {"scheduledEventId": task.scheduled.id}
        if poll.identity is not None:
            attributes["identity"] = poll.identity
        event_type = "DecisionTaskStarted" if task.kind == DECISION_TASK else "ActivityTaskStarted"
        self.record(task.execution, [(event_type, attributes)])
        if not task.execution.closed:
            poll.assigned = (task, len(task.execution.events))

    def enqueue(self, task: ScheduledTask, list_name: str) -> None:
        """Put a task into a task list of its execution's domain."""
        key = (task.kind, task.execution.run.domain, list_name)
        task_list = self.task_list(*key)
        task_list.push(task)
        self._to_match[key] = task_list

    def enqueue_decision_task(self, execution: ExecutionState) -> None:
        """Put the execution's queued decision task into its task list, unless another decision task is started."""
        queued = execution.queued
        if queued and execution.started is None and execution.enqueued != queued:
            execution.enqueued = queued
            entity = execution.entities.get(queued)
            assert entity is not None
            task = ScheduledTask(DECISION_TASK, execution, entity.first)
            self.enqueue(task, entity.first.attributes["taskList"]["name"])

    def task_list(self, kind: str, domain: str, name: str) -> TaskList:
        """The task list with this name; it is made if there is none."""
        found = self._task_lists.get((kind, domain, name))
        if found is None:
            found = self._task_lists[kind, domain, name] = TaskList()
        return found

    def drop_if_empty(self, key: tuple[str, str, str]) -> None:
        """Drop the task list if it has neither tasks nor polls."""
        found = self._task_lists.get(key)
        if found is not None and found.is_empty:
            del self._task_lists[key]

    def waiting_polls(self) -> list[Poll]:
        """All polls that wait for a task."""
        return [poll for task_list in self._task_lists.values() for poll in task_list.polls()]

    # -- time

    def add_deadline(self, deadline: Deadline, since: int) -> None:
        """Add a deadline that began to run at `since`, in milliseconds since 1970."""
        self.deadlines.push((since + deadline.milliseconds, self.suspended), deadline)

    def next_deadline(self) -> int | None:
        """The time of the earliest deadline, in milliseconds since 1970; `None` without one."""
        found = self.deadlines.first()
        return None if found is None else found[0][0]

    def record_due(self) -> None:
        """Record the events of all deadlines that have passed, in the order of the deadlines, with their effects."""
        while (found := self.deadlines.first()) is not None and found[0][0] <= self.now():
            self.deadlines.pop()
            (at, suspended), deadline = found
            later = postponed_to(deadline, at, self.suspended - suspended, self.suspended)
            if later > at:
                self.deadlines.push((later, self.suspended), deadline)
                continue
            self.record(deadline.execution, [deadline.event()])
            self.dispatch()

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
