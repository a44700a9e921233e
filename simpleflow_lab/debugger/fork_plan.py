"""Chooses what a fork inherits from the history that it is forked from.

Two kinds of point. Before a *decision*: everything that this decision saw is inherited, and nothing after it. At a
*task*: that task runs again, with what the code does because of it; everything else that was recorded is inherited,
also what came later in time, for it does not depend on it. But what came after the task and may be about it is not:
failures of other tasks, signals, timers that fired, cancel requests.

Rule: pure. Events are left out or get another result; none is added, and their order stays.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from simpleflow_lab.data.codec import parse_or_text
from simpleflow_lab.debugger.task_named import task_named
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.replay.history_reader import IDENTITY_KEY
from simpleflow_lab.replay.inherited import LEFT_OUT, InheritedRun
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, CLOSE_STATUS
from simpleflow_lab.swf.history import HistoryEvent

FIRST_FAILURE: Final = "first failure"
"""The point at the task whose failure came first, of those that ended the execution if that can be told."""
MAX_NAMED: Final = 5
"""Ids of tasks that a message names."""

_WHERE: Final = "say where to fork, by at= or in a shell --at: a decision's number or a task's id"
_OPENING: Final = {"ActivityTaskScheduled": "activityId", "StartChildWorkflowExecutionInitiated": "workflowId"}
_REFUSED: Final = {"ScheduleActivityTaskFailed": "activityId", "StartChildWorkflowExecutionFailed": "workflowId"}
_ABOUT_LATER: Final = frozenset({"WorkflowExecutionSignaled", "TimerFired", "WorkflowExecutionCancelRequested"})
"""Types of events that are not inherited from after a task that runs again."""
_CANCELED: Final = frozenset({"ActivityTaskCanceled", "ChildWorkflowExecutionCanceled"})

_Place = tuple[int, int]
"""Which run, and the id of an event in it."""


@dataclass(frozen=True, kw_only=True)
class ChildRun:
    """A run of a child execution that the fork commands anew, because it was open at the point or failed."""

    id: str
    """The workflow id."""
    run_id: str
    initiated: HistoryEvent
    """The event that initiated it."""
    until: datetime.datetime | None
    """When the point was; `None` if that is the child's own first failure, or its end."""


@dataclass(frozen=True, kw_only=True)
class ForkPlan:
    """The runs and results that a fork inherits."""

    runs: Sequence[InheritedRun]
    """The oldest first; the last one is of the run that is forked."""
    children: Sequence[ChildRun] = ()
    """The children of which what they had recorded need not run again."""
    at: str
    """The point in words."""
    results: int
    """Number of results that are inherited."""


@dataclass(kw_only=True)
class _Task:
    id: str
    name: str
    child: tuple[str, str] | None = None
    """Name and version of the type of a child execution; `None` of an activity task."""
    outcomes: list[tuple[_Place, HistoryEvent]] = field(default_factory=list)
    """The closes of its attempts, in order."""
    is_open: bool = True
    """Its latest attempt has not closed."""
    openings: list[tuple[_Place, HistoryEvent]] = field(default_factory=list)
    """The events that scheduled its attempts, in order."""
    run_ids: dict[_Place, str] = field(default_factory=dict)
    """Of a child, the run ids of its attempts that started, by the places of these events."""

    @property
    def last(self) -> HistoryEvent | None:
        """The event that closed it; `None` while it is open."""
        return self.outcomes[-1][1] if self.outcomes and not self.is_open else None

    @property
    def place(self) -> _Place:
        """The place at which it closed."""
        return self.outcomes[-1][0]

    @property
    def is_completed(self) -> bool:
        return self.last is not None and self.last.row.state == "completed"

    @property
    def is_failed(self) -> bool:
        return self.last is not None and not self.is_completed and self.last.type not in _CANCELED


class Planner:
    """The history of one run, and what it inherited itself, to be inherited from."""

    def __init__(
        self,
        history: Sequence[HistoryEvent],
        *,
        workflow_id: str,
        run_id: str,
        inherited: Sequence[InheritedRun] = (),
    ) -> None:
        """`inherited` is what the run inherits, if it is a fork."""
        self._history = history
        own = InheritedRun(workflow_id=workflow_id, run_id=run_id, events=history[1:])
        self._runs = [*inherited, own]
        self._tasks = _tasks_of(self._runs)
        self._own = len(self._runs) - 1
        for run in inherited:
            for id in run.given:
                self._tasks.setdefault(id, _Task(id=id, name=id, is_open=False))

    @property
    def close_status(self) -> str | None:
        """SWF's close status, or `None`."""
        return CLOSE_STATUS.get(self._history[-1].type)

    # -- points --

    def plan(
        self,
        at: int | str | Sequence[str] | None,
        replace: Mapping[str, str],
        anew: Iterable[str] = (),
    ) -> ForkPlan:
        """The plan of a fork that begins at this point, with these results, as fields by task id, in place of those
        that were recorded.

        `at` is the number of a decision, a task or tasks, `FIRST_FAILURE`, or `None`: the first failure of a run that
        failed, else the end of the history, where only what is replaced makes a difference. The tasks of `anew` run
        again, too. Raises `UsageError`.
        """
        for id in replace:
            self._task(id)
        if isinstance(at, int) and not isinstance(at, bool):
            if tuple(anew):
                raise UsageError(
                    "a fork before a decision runs again what came after it, and no other task: leave out anew, or "
                    f"the number {at}, for a fork in which those tasks run again and the others are reused"
                )
            return self._made(at=f"before decision {at}", until=self._started_of(at), replace=replace)
        if at is None:
            tasks = self._failed_first()
            if not tasks and not replace and not tuple(anew) and self.close_status == "COMPLETED":
                raise UsageError(
                    f"this execution completed: {_WHERE}, or which result to replace, by "
                    'replace={"TASK": …} or --replace TASK=JSON'
                )
        elif at == FIRST_FAILURE:
            tasks = self._failed_first()
            if not tasks and self.close_status == "COMPLETED":
                raise UsageError(f"no task of this execution failed: {_WHERE}")
        else:
            if not isinstance(at, str) and not (isinstance(at, Sequence) and all(isinstance(each, str) for each in at)):
                raise UsageError(
                    f"at is the number of a decision, a step, a task's id or {FIRST_FAILURE!r}, not {at!r:.80}"
                )
            if not at:
                raise UsageError(f"at names no task: give the id of one, a decision's number or {FIRST_FAILURE!r}")
            tasks = [self._task(each) for each in ([at] if isinstance(at, str) else at)]
        again = {task.id: task for task in [*tasks, *(self._task(each) for each in anew)]}
        refused = [task for task in again.values() if task.last is not None and task.last.type in _REFUSED]
        if refused:
            place = min(task.place for task in refused)
            number = self._number_after(place)
            return self._made(
                at=f"before decision {number}, which asked for {refused[0].id}",
                until=self._started_of(number),
                replace=replace,
            )
        whole = set(again)
        if at in (None, FIRST_FAILURE):
            whole -= {task.id for task in tasks}
        named = [task.id for task in again.values()]
        at_words = f"at {', '.join(named[:MAX_NAMED])}" if named else "where it ended"
        if len(named) > MAX_NAMED:
            at_words += f" and {len(named) - MAX_NAMED:,} more"
        return self._made(at=at_words, until=self._last_id(), replace=replace, again=again, whole=whole)

    def plan_until(self, until: datetime.datetime | None) -> ForkPlan:
        """The plan for a child whose parent is forked: its fork inherits what the child had recorded by this time.

        Without a time, the fork of a child that failed inherits what the first failure leaves, and that of any other
        all that was recorded.
        """
        if until is None and self.close_status == "FAILED":
            return self.plan(None, {})
        seen = sum(1 for event in self._history if until is None or event.timestamp <= until)
        last = min(max(seen, 1), self._last_id())
        again: Mapping[str, _Task] | None = {} if until is None else None
        return self._made(at="where its parent was forked", until=last, replace={}, again=again)

    def _task(self, id: str) -> _Task:
        return self._tasks.get(id) or self._tasks[task_named(id, self.names())]

    def task_id(self, id: str) -> str:
        """The id of the task that this word names; see `debugger.task_named`. Raises `UsageError`."""
        return self._task(id).id

    def names(self) -> Mapping[str, str]:
        """The names of the types of all tasks, by id."""
        return {task.id: task.name for task in self._tasks.values()}

    def open_children(self) -> Mapping[str, tuple[str, str]]:
        """Name and version of the child executions of which no close is recorded, by workflow id."""
        return {task.id: task.child for task in self._tasks.values() if task.child is not None and task.is_open}

    def failed(self) -> list[str]:
        """Ids of the tasks that failed for good, were canceled, or have not ended."""
        return [task.id for task in self._tasks.values() if not task.is_completed and task.outcomes]

    def _failed_first(self) -> list[_Task]:
        """The task whose failure is the first of those that ended the execution, or the first of all; none if no task
        failed, or the execution completed though some did."""
        failed = sorted((task for task in self._tasks.values() if task.is_failed), key=lambda task: task.place)
        if not failed or self.close_status == "COMPLETED":
            return failed[:1]
        close = self._history[-1].attributes
        said = f"{close.get('reason') or ''}\n{close.get('details') or ''}"
        unhandled = self._unhandled()
        causes = [task for task in failed if task.id in unhandled or task.id in said]
        return (causes or failed)[:1]

    def _unhandled(self) -> frozenset[str]:
        """The tasks whose failures the code did not handle, as its decider wrote them down."""
        for event in reversed(self._history):
            if event.type == "DecisionTaskCompleted":
                context = parse_or_text(event.attributes.get("executionContext"))
                ours = context.get(IDENTITY_KEY) if isinstance(context, dict) else None
                ids = ours.get("unhandled_failures") if isinstance(ours, dict) else None
                return frozenset(map(str, ids)) if isinstance(ids, list) else frozenset()
        return frozenset()

    def _decisions(self) -> list[int]:
        """The `DecisionTaskStarted` of each decision that was made, in order, and of the one that is open."""
        found: list[int] = []
        started = 0
        for event in self._history:
            if event.type == "DecisionTaskStarted":
                started = event.id
            elif event.type == "DecisionTaskCompleted":
                found.append(int(event.attributes.get("startedEventId") or started))
                started = 0
            elif event.type == "DecisionTaskTimedOut":
                started = 0
        if started and self.close_status is None:
            found.append(started)
        return found

    def _started_of(self, number: int) -> int:
        decisions = self._decisions()
        if not 1 <= number <= len(decisions):
            raise UsageError(f"no decision {number}: this execution has {len(decisions)}, from 1")
        return decisions[number - 1]

    def _number_after(self, place: _Place) -> int:
        """The number of the decision that this event, which records a part of it, belongs to."""
        run, id = place
        if run < self._own:
            return 1
        return max(1, sum(started < id for started in self._decisions()))

    def _last_id(self) -> int:
        """The last event that the latest decision saw, if it closed the execution; else the last one but the close."""
        if self.close_status is None:
            return self._history[-1].id
        decided = self._history[-1].attributes.get("decisionTaskCompletedEventId")
        if decided:
            return int(self._history[int(decided) - 1].attributes.get("startedEventId") or decided)
        return self._history[-1].id - 1

    # -- what is inherited --

    def _made(
        self,
        *,
        at: str,
        until: int,
        replace: Mapping[str, str],
        again: Mapping[str, _Task] | None = None,
        whole: Collection[str] = (),
    ) -> ForkPlan:
        """`whole` are the ids of the tasks of `again` of which nothing is inherited."""
        end = (self._own, until)
        point = min((task.place for task in (again or {}).values() if task.outcomes), default=None)
        left_out: set[_Place] = set()
        changed: dict[_Place, HistoryEvent] = {}
        given: dict[str, str | None] = {}
        replaced = {self._task(id).id: text for id, text in replace.items()}
        results = 0
        children: list[ChildRun] = []
        for task in self._tasks.values():
            runs_again = again is not None and task.id in again
            is_later = task.is_failed or task.is_open or (task.last is not None and not task.is_completed)
            for place, _ in task.outcomes:
                if runs_again or (point is not None and place > point and is_later):
                    left_out.add(place)
            is_inherited = task.last is not None and task.place <= end and task.place not in left_out
            if task.id in replaced:
                if is_inherited and task.last is not None and task.last.type not in _REFUSED:
                    changed[task.place] = _completed(task.last, replaced[task.id])
                else:
                    left_out.update(place for place, _ in task.outcomes)
                    given[task.id] = replaced[task.id]
                results += 1
            elif is_inherited and task.is_completed:
                results += 1
            elif not is_inherited and task.child is not None and task.id not in whole:
                children += self._child_of(task, end, is_to_its_end=again is not None)
        if again is not None:
            for number, run in enumerate(self._runs):
                for event in run.events:
                    place = (number, event.id)
                    if event.type == "WorkflowExecutionCancelRequested" or (
                        point is not None and place > point and event.type in _ABOUT_LATER
                    ):
                        left_out.add(place)
        runs = []
        for number, run in enumerate(self._runs):
            events = [
                changed.get((number, event.id)) or (_left_out(event) if (number, event.id) in left_out else event)
                for event in run.events
                if number < self._own or event.id <= until
            ]
            own_given = {**run.given, **(given if number == self._own else {})}
            own_given = {id: text for id, text in own_given.items() if again is None or id not in again or id in given}
            runs.append(run._replace(events=events, given=own_given))
        return ForkPlan(runs=runs, at=at, results=results, children=children)

    def _child_of(self, task: _Task, end: _Place, *, is_to_its_end: bool) -> Iterator[ChildRun]:
        """The run of a child that is open where the inherited events end, if it is one of this run's."""
        place, initiated = next((each for each in reversed(task.openings) if each[0] <= end), ((-1, 0), None))
        run_id = task.run_ids.get(place)
        if initiated is not None and run_id is not None and place[0] == self._own:
            until = None if is_to_its_end else self._history[end[1] - 1].timestamp
            yield ChildRun(id=task.id, run_id=run_id, initiated=initiated, until=until)


def _left_out(event: HistoryEvent) -> HistoryEvent:
    return HistoryEvent(event.id, LEFT_OUT, event.timestamp, {})


def _completed(event: HistoryEvent, result: str) -> HistoryEvent:
    """The event that closes a task, as one that completes it with this result."""
    kind = "ActivityTaskCompleted" if event.row.entity == ACTIVITY else "ChildWorkflowExecutionCompleted"
    dropped = {"reason", "details", "timeoutType"}
    attributes = {name: value for name, value in event.attributes.items() if name not in dropped}
    return HistoryEvent(event.id, kind, event.timestamp, {**attributes, "result": result})


def _tasks_of(runs: Sequence[InheritedRun]) -> dict[str, _Task]:
    """All activity tasks and child executions, by id, in the order in which they were first scheduled."""
    tasks: dict[str, _Task] = {}
    for number, run in enumerate(runs):
        opened: dict[int, _Task] = {}
        for event in run.events:
            attributes, place = event.attributes, (number, event.id)
            id_attribute = _OPENING.get(event.type)
            if id_attribute is not None:
                task = _known(tasks, attributes, id_attribute)
                task.is_open = True
                task.openings.append((place, event))
                opened[event.id] = task
            elif event.type == "ChildWorkflowExecutionStarted":
                initiated = int(attributes.get("initiatedEventId") or 0)
                if initiated in opened:
                    run_id = (attributes.get("workflowExecution") or {}).get("runId")
                    opened[initiated].run_ids[number, initiated] = str(run_id)
            elif event.type in _REFUSED and not attributes.get("initiatedEventId"):
                task = _known(tasks, attributes, _REFUSED[event.type])
                task.outcomes.append((place, event))
                task.is_open = False
            elif event.row.closes and event.row.entity in (ACTIVITY, CHILD):
                follows = event.row.find.follows
                found = opened.get(attributes.get(follows, 0)) if follows else None
                if found is not None:
                    found.outcomes.append((place, event))
                    found.is_open = False
    return tasks


def _known(tasks: dict[str, _Task], attributes: Mapping[str, Any], id_attribute: str) -> _Task:
    id = str(attributes.get(id_attribute))
    type = attributes.get("activityType") or attributes.get("workflowType") or {}
    name = str(type.get("name"))
    child = (name, str(type.get("version"))) if id_attribute == "workflowId" else None
    return tasks.setdefault(id, _Task(id=id, name=name, child=child))
