"""All that the engine knows: domains, types, executions, task lists, deadlines; and how it changes.

Rule: no threads, no locks, no disk, no clock of its own: whoever calls holds the engine's lock. Events come into being
in `record` and nowhere else: one transaction, one timestamp, consecutive ids. What the store must write is collected
in `outbox`, in order.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.engine import domains_and_types, task_lists
from simpleflow_lab.engine.deadlines import DEADLINES, Deadline, deadlines_started_by, postponed_to
from simpleflow_lab.engine.decision_rules import NewEvent
from simpleflow_lab.engine.domains_and_types import Kind, Registry, Type
from simpleflow_lab.engine.execution_state import ExecutionState, Run, to_datetime
from simpleflow_lab.engine.lazy_heap import LazyHeap
from simpleflow_lab.engine.open_questions import DECISION_TASKS_SAY_NONE
from simpleflow_lab.engine.task_lists import Poll, Task, TaskList
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.entities import Entities
from simpleflow_lab.swf.event_types import CLOSE_STATUS, EVENT_TYPES
from simpleflow_lab.swf.history import HistoryEvent

CACHED_EVENTS: Final = 100_000
"""Closed executions stay in memory up to so many events, if they can be read again from the store."""


class NewEvents(NamedTuple):
    """Events of one transaction, for the store."""

    key: int
    """The execution's number."""
    events: list[HistoryEvent]
    """In order."""


class RunDeleted(NamedTuple):
    """An execution whose retention is over, for the store."""

    key: int
    """The execution's number."""


Change = NewEvents | Run | RunDeleted | domains_and_types.Change
Effect = Callable[["EngineState", ExecutionState, HistoryEvent], None]
"""What follows from an event: a function that records further events, in this execution or in others."""


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

        `now` gives milliseconds since 1970. `effects` holds, by event type, what is run after an event of that type.
        Closed executions stay in memory up to `cached_events` events; all of them if it is `None`.
        """
        self.now = now
        self.new_run_id = new_run_id
        self.registry = Registry()
        self.runs: dict[tuple[str, str, str], Run] = {}
        """Every execution by domain, workflowId and runId."""
        self.run_of_key: dict[int, Run] = {}
        """Every execution by its number in the store."""
        self.open: dict[int, ExecutionState] = {}
        """Open executions by their numbers."""
        self.open_by_id: dict[tuple[str, str], ExecutionState] = {}
        """Open executions by domain and workflowId."""
        self.closed: OrderedDict[int, ExecutionState] = OrderedDict()
        """Closed executions that are still in memory, by their numbers, least recently used first."""
        self.deadlines: LazyHeap[Deadline] = LazyHeap(Deadline.alive)
        self.outbox: list[Change] = []
        """What the store must write, in order."""
        self.changed: dict[int, ExecutionState] = {}
        """Executions with events in the outbox."""
        self.served_polls: list[Poll] = []
        """Polls that were given a task and must be woken once the outbox is with the store."""
        self.damaged: dict[int, str] = {}
        """Open executions that can't go on, for their histories are not what was written, and what is wrong."""
        self.next_key = 1
        self.open_tasks = 0
        """Queued and running tasks of all executions."""
        self._effects = effects
        self._max_cached_events = cached_events
        self._cached_events = 0
        self._open_in: dict[str, int] = {}
        self._counted: dict[int, int] = {}
        self._task_lists: dict[tuple[str, str, str], TaskList] = {}
        self._to_match: dict[tuple[str, str, str], TaskList] = {}
        self._pending_effects: deque[tuple[ExecutionState, HistoryEvent]] = deque()

    # -- lookup for decision rules

    def find_type(self, domain: str, kind: Kind, name: str, version: str) -> Type | None:
        """A registered or deprecated type."""
        return self.registry.find(domain, kind, name, version)

    def count_open(self, domain: str) -> int:
        """How many executions of a domain are open."""
        return self._open_in.get(domain, 0)

    def open_execution(self, domain: str, workflow_id: str, run_id: str | None) -> ExecutionState | None:
        """The open execution of this id; with a run id, only if it is that run."""
        found = self.open_by_id.get((domain, workflow_id))
        return None if found is None or (run_id and found.run.run_id != run_id) else found

    # -- change

    def start(self, domain: str, workflow_id: str, run_id: str, attributes: dict[str, Any]) -> ExecutionState:
        """A new execution, whose first event has these attributes. Nobody else has its id open."""
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
        """Take an open execution in."""
        run = execution.run
        self.put_run(run)
        self.open[run.key] = execution
        self.open_by_id[run.domain, run.workflow_id] = execution
        self._open_in[run.domain] = self._open_in.get(run.domain, 0) + 1
        self._counted[run.key] = 0

    def put_run(self, run: Run) -> None:
        """Take the record of an execution in, or a later version of it."""
        self.runs[run.domain, run.workflow_id, run.run_id] = run
        self.run_of_key[run.key] = run

    def record(self, execution: ExecutionState, new: Iterable[NewEvent]) -> None:
        """Record events, all at one moment, and a decision task if one of them asks for it.

        `new` may be a generator that looks at the execution: each event is applied before the next one is asked for.
        """
        first = len(execution.events)
        moment = max(self.now(), execution.last_at)
        timestamp = to_datetime(moment)
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
        self._recorded(execution, execution.events[first:], moment)

    def _undo(self, execution: ExecutionState, length: int) -> None:
        """Something is wrong with our rules: leave the execution as it was."""
        before = ExecutionState.fold(self.run_of_key[execution.run.key], execution.events[:length])
        before.heartbeats, before.enqueued, before.ticket = execution.heartbeats, execution.enqueued, execution.ticket
        vars(execution).update(vars(before))

    def _recorded(self, execution: ExecutionState, events: list[HistoryEvent], moment: int) -> None:
        key = execution.run.key
        self.outbox.append(NewEvents(key, events))
        self.changed[key] = execution
        for event in events:
            if event.type in DEADLINES:
                for deadline in deadlines_started_by(execution, event):
                    self.schedule(deadline, moment)
            if event.type == "ActivityTaskScheduled":
                self.enqueue(Task(task_lists.ACTIVITY, execution, event), event.attributes["taskList"]["name"])
            if event.type in self._effects:
                self._pending_effects.append((execution, event))
        self.enqueue_decision_task(execution)
        if execution.closed:
            self._close(execution)
        self.update_open_tasks(execution)

    def update_open_tasks(self, execution: ExecutionState) -> None:
        """Bring the number of open tasks up to date."""
        tasks = execution.open_tasks
        self.open_tasks += tasks - self._counted.get(execution.run.key, 0)
        if execution.closed:
            self._counted.pop(execution.run.key, None)
        else:
            self._counted[execution.run.key] = tasks

    def _close(self, execution: ExecutionState) -> None:
        run = execution.run
        self.put_run(run)
        self.outbox.append(run)
        del self.open[run.key]
        del self.open_by_id[run.domain, run.workflow_id]
        self._open_in[run.domain] -= 1
        self.cache(execution)

    # -- follow-ups and polls

    def dispatch(self) -> None:
        """Do what follows from what was recorded, each in a transaction of its own, and give tasks to waiting polls."""
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
            self.forget_unused(name)

    def start_task(self, task: Task, poll: Poll) -> None:
        """The task is started by the poll, which is given it unless that was one event too many for the execution."""
        attributes: dict[str, Any] = {"scheduledEventId": task.scheduled.id}
        if poll.identity is not None:
            attributes["identity"] = poll.identity
        event_type = "DecisionTaskStarted" if task.kind == task_lists.DECISION else "ActivityTaskStarted"
        self.record(task.execution, [(event_type, attributes)])
        if not task.execution.closed:
            poll.given = (task, len(task.execution.events))

    def enqueue(self, task: Task, list_name: str) -> None:
        """Put a task into its list."""
        key = (task.kind, task.execution.run.domain, list_name)
        task_list = self.task_list(*key)
        task_list.push(task)
        self._to_match[key] = task_list

    def enqueue_decision_task(self, execution: ExecutionState) -> None:
        """Put the queued decision task into its list, unless another one is being decided."""
        queued = execution.queued
        if queued and execution.started is None and execution.enqueued != queued:
            execution.enqueued = queued
            entity = execution.entities.get(queued)
            assert entity is not None
            task = Task(task_lists.DECISION, execution, entity.first)
            self.enqueue(task, entity.first.attributes["taskList"]["name"])

    def task_list(self, kind: str, domain: str, name: str) -> TaskList:
        """The task list of this name, which needs no registration."""
        found = self._task_lists.get((kind, domain, name))
        if found is None:
            found = self._task_lists[kind, domain, name] = TaskList()
        return found

    def forget_unused(self, key: tuple[str, str, str]) -> None:
        """Drop a task list with neither tasks nor polls."""
        found = self._task_lists.get(key)
        if found is not None and found.unused:
            del self._task_lists[key]

    def waiting_polls(self) -> list[Poll]:
        """All polls that wait."""
        return [poll for task_list in self._task_lists.values() for poll in task_list.polls()]

    # -- time

    def schedule(self, deadline: Deadline, moment: int) -> None:
        """Let a deadline run from this moment on."""
        self.deadlines.push((moment + deadline.milliseconds,), deadline)

    def next_deadline(self) -> int | None:
        """The earliest moment at which something is due."""
        found = self.deadlines.first()
        return None if found is None else found[0][0]

    def run_due(self) -> None:
        """Record what is due, each in a transaction of its own, in the order of the deadlines."""
        while (found := self.deadlines.first()) is not None and found[0][0] <= self.now():
            self.deadlines.pop()
            deadline = found[1]
            later = postponed_to(deadline, found[0][0])
            if later is not None:
                self.deadlines.push((later,), deadline)
                continue
            self.record(deadline.execution, [deadline.due()])
            self.dispatch()

    # -- closed executions

    def cache(self, execution: ExecutionState) -> None:
        """Keep a closed execution in memory for a while."""
        self.closed[execution.run.key] = execution
        self._cached_events += len(execution.events)
        limit = self._max_cached_events
        while limit is not None and self._cached_events > limit and len(self.closed) > 1:
            _, oldest = self.closed.popitem(last=False)
            self._cached_events -= len(oldest.events)

    def in_memory(self, key: int) -> ExecutionState | None:
        """An execution that is in memory."""
        found = self.open.get(key)
        if found is None:
            found = self.closed.get(key)
            if found is not None:
                self.closed.move_to_end(key)
        return found

    def delete(self, run: Run) -> None:
        """Forget a closed execution."""
        del self.runs[run.domain, run.workflow_id, run.run_id]
        del self.run_of_key[run.key]
        cached = self.closed.pop(run.key, None)
        if cached is not None:
            self._cached_events -= len(cached.events)
        self.outbox.append(RunDeleted(run.key))


def _with_decision_task(execution: ExecutionState, new: Iterable[NewEvent]) -> Iterator[NewEvent]:
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
    """The last event that SWF records in a history is the one that ends it."""
    attributes = {"cause": "EVENT_LIMIT_EXCEEDED", "childPolicy": execution.configuration["childPolicy"]}
    return "WorkflowExecutionTerminated", attributes
