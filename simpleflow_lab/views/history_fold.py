"""A history folded into attempts, point events and decision tasks, event by event.

`HistoryFold` grows with its history: whoever follows an execution feeds it the new events and pays for these, not for
the whole history again. `fold_history` folds a whole history at once; it is the same fold.

Rule: feeding a history in parts gives what feeding it at once gives. And a table of the first n events is the prefix of
the table of all: it has the attempts that were scheduled by event n, in the same order. An attempt that closed by event
n is in both the same, but for `retried` and `unhandled`, which depend on what comes after. Any other is shown open, in
the state in which event n left it, and counts up to the time of event n. If that event closes the execution, the state
of what is open is `unfinished`.
"""

from __future__ import annotations

import datetime
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from simpleflow_lab.swf.event_types import CLOSE_STATUS, DECISION_TASK, TIMER
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.swf.history_entities import Entities, Entity
from simpleflow_lab.views.attempt_rows import AttemptRows, decision_task_of, json_object, point_event_of
from simpleflow_lab.views.attempts import (
    EPOCH,
    POINT_EVENTS,
    Attempt,
    AttemptColumns,
    DecisionTask,
    PointEvent,
    is_own_pause,
    lasting_until,
)
from simpleflow_lab.views.reused_tasks import reused_tasks
from simpleflow_lab.views.task_counts import TaskCounts
from simpleflow_lab.views.uncollected import uncollected
from simpleflow_lab.views.unhandled import undelivered_signals


@dataclass(frozen=True, kw_only=True)
class FoldedHistory:
    """The attempts, point events and decision tasks of a history at one time. A fold that grows leaves it alone."""

    history: History
    """The events."""
    others: tuple[HistoryEvent, ...]
    """Those of the events that are about no attempt."""
    columns: AttemptColumns
    """The attempts, in the order in which they were scheduled."""
    point_events: tuple[PointEvent, ...]
    """In the order in which they happened."""
    decision_tasks: tuple[DecisionTask, ...]
    """In the order in which they were scheduled."""
    until: datetime.datetime
    """The time up to which open attempts and decision tasks are counted."""
    unhandled_ids: frozenset[str]
    """Of a closed execution: ids of the tasks, and names of the signals, whose failure nobody handled, as its decider
    wrote them down."""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts as records."""
        return self.columns.records

    @cached_property
    def task_counts(self) -> TaskCounts:
        """The number of tasks by the state of their latest attempts, without the pauses of deciders."""
        return TaskCounts.of(without_own_pauses(self.attempts))

    @cached_property
    def tasks(self) -> tuple[Attempt, ...]:
        """The attempts of what the author's code asked for: without the pauses of deciders; of a fork what it reuses
        first."""
        return (*self.reused, *without_own_pauses(self.attempts))

    @cached_property
    def task_columns(self) -> AttemptColumns:
        """The columns of `tasks`."""
        are_all = not self.reused and TIMER not in self.columns.by_name["kind"]
        return self.columns if are_all else AttemptColumns.of(self.tasks)

    @cached_property
    def reused(self) -> tuple[Attempt, ...]:
        """Of a fork: the tasks whose results it inherits; see `views.reused_tasks`."""
        return reused_tasks(self.history)

    @cached_property
    def unhandled(self) -> tuple[Attempt, ...]:
        """Of a closed execution: what failed and nobody handled; signals that were not delivered come last."""
        places = (place for place, is_unhandled in enumerate(self.columns.by_name["unhandled"]) if is_unhandled)
        tasks = tuple(map(self.columns.record, places))
        others = self.unhandled_ids - {task.id for task in tasks}
        return (*tasks, *undelivered_signals(self.history, others)) if others else tasks


class HistoryFold:
    """The attempts, point events and decision tasks of a history that grows. Any thread may call it.

    Feeding costs the same for each event. Asking costs what has changed since the last time, what is open, and the copy
    of a list.
    """

    def __init__(self, events: Iterable[HistoryEvent] = ()) -> None:
        self._lock = threading.RLock()
        self._entities = Entities()
        """The entities that are no attempts: those are in `_attempts`."""
        self._events: list[HistoryEvent] = []
        self._others: list[HistoryEvent] = []
        """Those that are about no attempt."""
        self._attempts = _Attempts()
        self._point_events = _PointEvents()
        self._decision_tasks = _DecisionTasks()
        self.feed(events)

    @property
    def mark(self) -> int:
        """The number of events fed so far, to be given to `changed_since` later."""
        return len(self._events)

    def feed(self, events: Iterable[HistoryEvent]) -> None:
        """Fold in the events that follow those fed before.

        Raises `HistoryError` for an event that refers to nothing known; the events before it have been folded in.
        """
        with self._lock:
            self._attempts.rows.feed(events, self._events, self._follow, self._decision_tasks.made)

    def _follow(self, event: HistoryEvent) -> None:
        """Follow an event that is about no attempt of its own."""
        if event.type in CLOSE_STATUS:
            self._attempts.rows.close(event)
        entity = self._entities.apply(event)
        self._others.append(event)
        if entity.kind == DECISION_TASK:
            self._decision_tasks.follow(event, entity)
            if event.type == "DecisionTaskCompleted":
                self._attempts.read_context(event)
        elif entity.kind in POINT_EVENTS:
            self._point_events.touch(entity)
        decision = event.decision
        if decision is not None:
            self._decision_tasks.made[event.attributes.get("decisionTaskCompletedEventId"), decision] += 1

    def attempts(self, until: datetime.datetime | None = None) -> tuple[Attempt, ...]:
        """All attempts, in the order in which they were scheduled.

        What is open counts up to `until`, by default the time of the last event, and never past the execution's close.
        """
        with self._lock:
            end = self._end(until)
            self._attempts.catch_up(self._events, end)
            return self._attempts.all(end)

    def changed_since(self, mark: int, until: datetime.datetime | None = None) -> list[Attempt]:
        """The attempts that are new or changed by the events after `mark`, in the order of scheduling.

        Those that are open and only have lasted longer are not among them.
        """
        with self._lock:
            end = self._end(until)
            self._attempts.catch_up(self._events, end)
            return self._attempts.changed_since(mark, end)

    def point_events(self) -> tuple[PointEvent, ...]:
        """All point events, in the order in which they happened."""
        with self._lock:
            return tuple(self._point_events.all())

    def decision_tasks(self, until: datetime.datetime | None = None) -> tuple[DecisionTask, ...]:
        """All decision tasks, in the order in which they were scheduled. What is open counts as in `attempts`."""
        with self._lock:
            return tuple(self._decision_tasks.all(self._end(until)))

    def folded(self, until: datetime.datetime | None = None) -> FoldedHistory:
        """All of it as it is now, with `until` as in `attempts`."""
        with self._lock:
            return self._as_it_is(AttemptColumns.of(self.attempts(until)), until)

    def folded_once(self, until: datetime.datetime | None = None) -> FoldedHistory:
        """The result of `folded`, without records that would be there the next time: for a fold that grows no more."""
        with self._lock:
            return self._as_it_is(self._attempts.columns(self._events, self._end(until)), until)

    def _as_it_is(self, columns: AttemptColumns, until: datetime.datetime | None) -> FoldedHistory:
        return FoldedHistory(
            history=History(self._events),
            others=tuple(self._others),
            columns=columns,
            point_events=self.point_events(),
            decision_tasks=self.decision_tasks(until),
            until=self._end(until),
            unhandled_ids=self._attempts.unhandled_ids(self._events) or _NONE,
        )

    def _end(self, until: datetime.datetime | None) -> datetime.datetime:
        """The time up to which what is open counts: nothing goes on after the execution closed."""
        if not self._events:
            return until or EPOCH
        last = self._events[-1]
        return until if until is not None and last.type not in CLOSE_STATUS else last.timestamp


def fold_history(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> FoldedHistory:
    """A whole history folded, with `until` as in `HistoryFold.attempts`. One that is folded already is given back.

    Raises `HistoryError` if an event refers to nothing known.
    """
    if isinstance(history, FoldedHistory):
        return history
    with uncollected():
        return HistoryFold(history).folded_once(until)


def tasks_of(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> tuple[Attempt, ...]:
    """The attempts of what the author's code asked for: `attempts_of` without the timers by which deciders wait for a
    retry or have themselves called again; of a fork what it reuses first. Raises `HistoryError`."""
    return fold_history(history, until=until).tasks


def without_own_pauses(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """These attempts without the timers by which deciders wait for a retry or have themselves called again."""
    return tuple(attempt for attempt in attempts if not is_own_pause(attempt))


def attempts_of(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> tuple[Attempt, ...]:
    """The attempts of a history, with `until` as in `HistoryFold.attempts`. Raises `HistoryError`."""
    return fold_history(history, until=until).attempts


# -- the parts of a fold -----------------------------------------------------------------------------------------------


class _Attempts:
    """The attempts so far. A record is made again only when an event has touched it."""

    def __init__(self) -> None:
        self.rows = AttemptRows()
        self._records: list[Attempt] = []
        self._built = 0
        """Number of changes that are in the records."""
        self._contexts: list[str] = []
        """The execution contexts that may name unhandled failures."""
        self._unhandled: frozenset[str] | None = _NONE
        """The ids of those that are in the records."""

    def columns(self, events: Sequence[HistoryEvent], until: datetime.datetime) -> AttemptColumns:
        """All of them after these events, which it has followed; open ones count up to this time."""
        return self.rows.columns(unhandled_ids=self.unhandled_ids(events), until=until)

    def catch_up(self, events: Sequence[HistoryEvent], until: datetime.datetime) -> None:
        """Bring the records up to these events, all of which it has followed."""
        rows, records = self.rows, self._records
        unhandled = self.unhandled_ids(events)
        if unhandled != self._unhandled:
            self._unhandled = unhandled
            rows.touched += rows.failed
            rows.touched_by += [events[-1].id] * len(rows.failed)
        if self._built < len(rows.touched):
            places = dict.fromkeys(rows.touched[self._built :])
            columns = rows.columns(unhandled_ids=unhandled, until=until, places=places)
            for place, record in zip(places, columns.records, strict=True):
                # An attempt is touched first by the event that opens it, so new ones come here in order.
                records[place : place + 1] = [record]
            self._built = len(rows.touched)

    def all(self, until: datetime.datetime) -> tuple[Attempt, ...]:
        """Every attempt; open ones count up to this time."""
        for place in self.rows.open:
            self._records[place] = lasting_until(self._records[place], until)
        return tuple(self._records)

    def changed_since(self, mark: int, until: datetime.datetime) -> list[Attempt]:
        """The attempts that changed by the events after the first `mark` ones."""
        places = sorted(set(self.rows.touched[bisect_right(self.rows.touched_by, mark) :]))
        return [
            lasting_until(self._records[place], until) if place in self.rows.open else self._records[place]
            for place in places
        ]

    def read_context(self, event: HistoryEvent) -> None:
        """Follow a completed decision task."""
        context = event.attributes.get("executionContext")
        if isinstance(context, str) and '"simpleflow_lab"' in context and "_failures" in context:
            self._contexts.append(context)

    def unhandled_ids(self, events: Sequence[HistoryEvent]) -> frozenset[str] | None:
        """The ids of the tasks whose failures went unhandled, of an execution that these events close, as the latest
        decider wrote them down; `None` if it completed and none did.

        Our replay records them in the `executionContext` of its decision tasks: `{"simpleflow_lab":
        {"unhandled_failures": [id, …]}}`.
        """
        if not events or events[-1].type not in CLOSE_STATUS:
            return _NONE
        for context in reversed(self._contexts):
            ours = json_object(context).get("simpleflow_lab")
            # "unnoticed_failures" is how version 0.1.0 spelled it.
            found = ours if isinstance(ours, dict) else {}
            ids = found.get("unhandled_failures", found.get("unnoticed_failures"))
            if isinstance(ids, list):
                return frozenset(item for item in ids if isinstance(item, str))
        # If it did not complete, any failure may be what ended it.
        return None if events[-1].type == "WorkflowExecutionCompleted" else _NONE


_NONE: Final[frozenset[str]] = frozenset()


class _PointEvents:
    """The point events so far."""

    def __init__(self) -> None:
        self._records: dict[Entity, PointEvent | None] = {}
        """In the order in which they happened; `None` until it is made, again."""

    def touch(self, entity: Entity) -> None:
        """An event was about this entity."""
        self._records[entity] = None

    def all(self) -> list[PointEvent]:
        """The records."""
        for entity, record in self._records.items():
            if record is None:
                self._records[entity] = point_event_of(entity)
        return [record for record in self._records.values() if record is not None]


class _DecisionTasks:
    """The decision tasks so far, with the decisions that each made."""

    def __init__(self) -> None:
        self._records: list[DecisionTask] = []
        """In the order in which they were scheduled; open ones count up to the `until` of `all`."""
        self._entities: list[Entity] = []
        self._index: dict[Entity, int] = {}
        self._by_completed: dict[int, int] = {}
        """The place of each decision task by its DecisionTaskCompleted event."""
        self.made: Counter[tuple[Any, str]] = Counter()
        """The decisions that are not in `_kinds` yet: the DecisionTaskCompleted event of each, and its type."""
        self._kinds: list[Counter[str]] = []
        """Number of decisions of each type that each made."""
        self._seen: list[int] = []
        """For each, the start of the decision task that was completed before it started."""
        self._last_seen = 0
        self._stale: dict[int, None] = {}
        """The places of those whose records are to be made again."""
        self._workers: dict[str, str] = {}

    def follow(self, event: HistoryEvent, entity: Entity) -> None:
        """Follow an event about a decision task."""
        place = self._index.get(entity)
        if place is None:
            place = self._index[entity] = len(self._entities)
            self._entities.append(entity)
            self._kinds.append(Counter())
            self._seen.append(0)
        if event.type == "DecisionTaskStarted":
            self._seen[place] = self._last_seen
        elif event.type == "DecisionTaskCompleted":
            self._by_completed[event.id] = place
            started = entity.at("started")
            self._last_seen = started.id if started is not None else self._last_seen
        self._stale[place] = None

    def _count_decisions(self) -> None:
        """Count the decisions that were made since the last time."""
        for (completed_id, decision), number in self.made.items():
            place = self._by_completed.get(completed_id)
            if place is not None:
                self._kinds[place][decision] += number
                self._stale[place] = None
        self.made.clear()

    def all(self, until: datetime.datetime) -> list[DecisionTask]:
        """The records; what is open counts up to `until`."""
        self._count_decisions()
        stale, self._stale = self._stale, {}
        for place in stale:
            record = decision_task_of(
                self._entities[place],
                seen=self._seen[place],
                kinds=dict(self._kinds[place]),
                until=until,
                workers=self._workers,
            )
            self._records[place : place + 1] = [record]
            if record.open:
                self._stale[place] = None
        return self._records
