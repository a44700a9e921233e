"""A history folded into attempts, point events and decision tasks, event by event.

`HistoryFold` grows with its history: whoever follows an execution feeds it the new events and pays for these, not for
the whole history again. `fold_history` folds a whole history at once; it is the same fold.

Rule: feeding a history in parts gives what feeding it at once gives. And a table of the first n events is the prefix of
the table of all: it has the attempts that were scheduled by event n, in the same order. An attempt that closed by event
n is in both the same, but for `retried` and `unhandled`, which depend on what comes after. Any other is shown open, in
the state in which event n left it, and counts up to the time of event n.
"""

from __future__ import annotations

import datetime
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from simpleflow_lab.swf.event_types import CLOSE_STATUS, DECISION_TASK, EVENT_TYPES
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.swf.history_entities import Entities, Entity
from simpleflow_lab.views.attempts import (
    ATTEMPTS,
    POINT_EVENTS,
    Attempt,
    DecisionTask,
    PointEvent,
    attempt_of,
    decision_task_of,
    json_object,
    lasting_until,
    point_event_of,
)
from simpleflow_lab.views.task_counts import TaskCounts

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, kw_only=True)
class FoldedHistory:
    """What a history says at one time. It doesn't change when the fold that gave it grows."""

    history: History
    """The events."""
    attempts: tuple[Attempt, ...]
    """In the order in which they were scheduled."""
    point_events: tuple[PointEvent, ...]
    """In the order in which they happened."""
    decision_tasks: tuple[DecisionTask, ...]
    """In the order in which they were scheduled."""
    task_counts: TaskCounts
    """How many tasks are in each state of their latest attempts."""
    until: datetime.datetime
    """The time up to which open attempts and decision tasks are counted."""


class HistoryFold:
    """The attempts, point events and decision tasks of a history that grows. Any thread may call it.

    Feeding costs the same for each event. Asking costs what has changed since the last time, what is open, and the copy
    of a list.
    """

    def __init__(self, events: Iterable[HistoryEvent] = ()):
        self._lock = threading.RLock()
        self._entities = Entities()
        self._events: list[HistoryEvent] = []
        self._about: list[Entity] = []
        """What each event is about."""
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
            apply, about, fed = self._entities.apply, self._about.append, self._events.append
            for event in events:
                about(apply(event))
                fed(event)

    def attempts(self, until: datetime.datetime | None = None) -> tuple[Attempt, ...]:
        """All attempts, in the order in which they were scheduled.

        What is open counts up to `until`, by default the time of the last event, and never past the execution's close.
        """
        with self._lock:
            end = self._end(until)
            self._attempts.catch_up(self._events, self._about, end)
            return self._attempts.all(end)

    def changed_since(self, mark: int, until: datetime.datetime | None = None) -> list[Attempt]:
        """The attempts that are new or changed by the events after `mark`, in the order of scheduling.

        Those that are open and only have lasted longer are not among them.
        """
        with self._lock:
            end = self._end(until)
            self._attempts.catch_up(self._events, self._about, end)
            return self._attempts.changed_since(mark, end)

    def task_counts(self) -> TaskCounts:
        """How many tasks are in each state of their latest attempts."""
        with self._lock:
            self._attempts.catch_up(self._events, self._about, self._end(None))
            return self._attempts.task_counts()

    def point_events(self) -> tuple[PointEvent, ...]:
        """All point events, in the order in which they happened."""
        with self._lock:
            self._point_events.catch_up(self._about)
            return tuple(self._point_events.records)

    def decision_tasks(self, until: datetime.datetime | None = None) -> tuple[DecisionTask, ...]:
        """All decision tasks, in the order in which they were scheduled. What is open counts as in `attempts`."""
        with self._lock:
            self._decision_tasks.catch_up(self._events, self._about, self._end(until))
            return tuple(self._decision_tasks.records)

    def folded(self, until: datetime.datetime | None = None) -> FoldedHistory:
        """All of it as it is now, with `until` as in `attempts`."""
        with self._lock:
            return FoldedHistory(
                history=History(self._events),
                attempts=self.attempts(until),
                point_events=self.point_events(),
                decision_tasks=self.decision_tasks(until),
                task_counts=self.task_counts(),
                until=self._end(until),
            )

    def _end(self, until: datetime.datetime | None) -> datetime.datetime:
        """The time up to which what is open counts: nothing goes on after the execution closed."""
        if not self._events:
            return until or _EPOCH
        last = self._events[-1]
        return until if until is not None and last.type not in CLOSE_STATUS else last.timestamp


def fold_history(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> FoldedHistory:
    """A whole history folded, with `until` as in `HistoryFold.attempts`. One that is folded already is given back.

    Raises `HistoryError` if an event refers to nothing known.
    """
    return history if isinstance(history, FoldedHistory) else HistoryFold(history).folded(until)


def attempts_of(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> tuple[Attempt, ...]:
    """The attempts of a history, with `until` as in `HistoryFold.attempts`. Raises `HistoryError`."""
    return history.attempts if isinstance(history, FoldedHistory) else HistoryFold(history).attempts(until)


# -- the parts of a fold -----------------------------------------------------------------------------------------------


class _Attempts:
    """The attempts so far. A record is made again only when an event has touched its entity."""

    def __init__(self) -> None:
        self._entities: list[Entity] = []
        self._numbers: list[int] = []
        """1 for the first attempt of a kind and id, then 2, 3, …"""
        self._records: list[Attempt] = []
        self._index: dict[Entity, int] = {}
        """The place of each entity in the lists above."""
        self._latest: dict[tuple[str, str | None], int] = {}
        """The place of the latest attempt of each kind and id."""
        self._followed: set[int] = set()
        """The places of the other ones."""
        self._open: dict[int, None] = {}
        self._failed: dict[int, None] = {}
        self._touched: list[int] = []
        """The places of the attempts that changed, once for each change."""
        self._touched_by: list[int] = []
        """The event of each change."""
        self._caught_up = 0
        """Number of events that are in the lists above."""
        self._contexts: list[str] = []
        """The execution contexts that may name unhandled failures."""
        self._unhandled: frozenset[str] | None = frozenset()
        self._workers: dict[str, str] = {}
        self._counted: dict[int, tuple[str, str]] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._counted_up_to = 0
        """Number of changes that are in `_counts`."""

    def catch_up(self, events: Sequence[HistoryEvent], about: Sequence[Entity], until: datetime.datetime) -> None:
        """Bring the records up to these events, each of which is about an entity."""
        if self._caught_up == len(events):
            return
        built = len(self._touched)
        for i in range(self._caught_up, len(events)):
            entity = about[i]
            if entity.kind in ATTEMPTS:
                place = self._index.get(entity)
                if place is None:
                    place = self._add(entity, i + 1)
                self._touched.append(place)
                self._touched_by.append(i + 1)
            elif events[i].type == "DecisionTaskCompleted":
                self._read_context(events[i])
        self._caught_up = len(events)
        unhandled: frozenset[str] | None = _NONE
        if events[-1].type in CLOSE_STATUS:
            unhandled = self._unhandled_ids()
            if unhandled is None and events[-1].type != "WorkflowExecutionCompleted":
                unhandled = _NONE  # any failure may be what ended it
        if unhandled != self._unhandled:
            self._unhandled = unhandled
            self._touched += self._failed
            self._touched_by += [len(events)] * len(self._failed)
        self._build(dict.fromkeys(self._touched[built:]), until)

    def _add(self, entity: Entity, event_id: int) -> int:
        """Give a new attempt its place; the one before it is not the latest any more."""
        key = entity.kind, entity.name
        before = self._latest.get(key)
        if before is not None:
            self._touched.append(before)
            self._touched_by.append(event_id)
            self._followed.add(before)
        place = self._index[entity] = self._latest[key] = len(self._entities)
        self._entities.append(entity)
        self._numbers.append(1 if before is None else self._numbers[before] + 1)
        return place

    def _build(self, places: Iterable[int], until: datetime.datetime) -> None:
        records, unhandled, workers = self._records, self._unhandled, self._workers
        for place in places:
            attempt = attempt_of(
                self._entities[place],
                number=self._numbers[place],
                is_last=place not in self._followed,
                unhandled_ids=unhandled,
                until=until,
                workers=workers,
            )
            # An attempt is touched first by the event that opens it, so new ones come here in order.
            if place == len(records):
                records.append(attempt)
            else:
                records[place] = attempt
            if attempt.open:
                self._open[place] = None
            else:
                self._open.pop(place, None)
                if attempt.state != "completed" and attempt.failed:
                    self._failed[place] = None

    def all(self, until: datetime.datetime) -> tuple[Attempt, ...]:
        """Every attempt; open ones count up to this time."""
        for place in self._open:
            self._records[place] = lasting_until(self._records[place], until)
        return tuple(self._records)

    def changed_since(self, mark: int, until: datetime.datetime) -> list[Attempt]:
        """The attempts that changed by the events after the first `mark` ones."""
        places = sorted(set(self._touched[bisect_right(self._touched_by, mark) :]))
        return [
            lasting_until(self._records[place], until) if place in self._open else self._records[place]
            for place in places
        ]

    def task_counts(self) -> TaskCounts:
        """How many tasks are in each state of their latest attempts."""
        counts, counted = self._counts, self._counted
        for place in dict.fromkeys(self._touched[self._counted_up_to :]):
            if place in counted:
                counts[counted.pop(place)] -= 1
            if place not in self._followed:
                attempt = self._records[place]
                key = counted[place] = attempt.kind, attempt.state
                counts[key] += 1
        self._counted_up_to = len(self._touched)
        running = (self._records[place] for place in self._open if place not in self._followed)
        return TaskCounts(
            by_kind_and_state={key: number for key, number in counts.items() if number},
            running_names=tuple(dict.fromkeys(one.name for one in running if one.started is not None)),
        )

    def _read_context(self, event: HistoryEvent) -> None:
        context = event.attributes.get("executionContext")
        if isinstance(context, str) and '"simpleflow_lab"' in context and "_failures" in context:
            self._contexts.append(context)

    def _unhandled_ids(self) -> frozenset[str] | None:
        """Ids of the tasks whose failures went unhandled, as the latest decider wrote them down; `None` if none did.

        Our replay records them in the `executionContext` of its decision tasks: `{"simpleflow_lab":
        {"unhandled_failures": [id, …]}}`.
        """
        for context in reversed(self._contexts):
            ours = json_object(context).get("simpleflow_lab")
            # "unnoticed_failures" is how version 0.1.0 spelled it.
            found = ours if isinstance(ours, dict) else {}
            ids = found.get("unhandled_failures", found.get("unnoticed_failures"))
            if isinstance(ids, list):
                return frozenset(item for item in ids if isinstance(item, str))
        return None


_NONE: Final[frozenset[str]] = frozenset()


class _PointEvents:
    """The point events so far."""

    def __init__(self) -> None:
        self.records: list[PointEvent] = []
        """In the order in which they happened."""
        self._index: dict[Entity, int] = {}
        self._caught_up = 0

    def catch_up(self, about: Sequence[Entity]) -> None:
        """Bring the records up to events that are about these entities."""
        for entity in about[self._caught_up :]:
            if entity.kind in POINT_EVENTS:
                place = self._index.setdefault(entity, len(self.records))
                self.records[place : place + 1] = [point_event_of(entity)]
        self._caught_up = len(about)


_DECIDED: Final = frozenset(name for name, row in EVENT_TYPES.items() if row.decision is not None)
"""Types of events that record decisions."""


class _DecisionTasks:
    """The decision tasks so far, with the decisions that each made."""

    def __init__(self) -> None:
        self.records: list[DecisionTask] = []
        """In the order in which they were scheduled; open ones count up to the `until` of `catch_up`."""
        self._entities: list[Entity] = []
        self._index: dict[Entity, int] = {}
        self._by_completed: dict[int, int] = {}
        """The place of each decision task by its DecisionTaskCompleted event."""
        self._kinds: list[Counter[str]] = []
        """How many decisions of each type each made."""
        self._seen: list[int] = []
        """For each, the start of the decision task that was completed before it started."""
        self._last_seen = 0
        self._open: dict[int, None] = {}
        self._caught_up = 0
        self._workers: dict[str, str] = {}

    def catch_up(self, events: Sequence[HistoryEvent], about: Sequence[Entity], until: datetime.datetime) -> None:
        """Bring the records up to these events, each of which is about an entity."""
        stale = dict(self._open)
        for i in range(self._caught_up, len(events)):
            event, entity = events[i], about[i]
            if entity.kind == DECISION_TASK:
                stale[self._follow(event, entity)] = None
            elif event.type in _DECIDED and (decision_type := event.decision) is not None:
                place = self._by_completed.get(event.attributes.get("decisionTaskCompletedEventId", 0))
                if place is not None:
                    self._kinds[place][decision_type] += 1
                    stale[place] = None
        self._caught_up = len(events)
        for place in stale:
            self._build(place, until)

    def _follow(self, event: HistoryEvent, entity: Entity) -> int:
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
        return place

    def _build(self, place: int, until: datetime.datetime) -> None:
        record = decision_task_of(
            self._entities[place],
            seen=self._seen[place],
            kinds=dict(self._kinds[place]),
            until=until,
            workers=self._workers,
        )
        self.records[place : place + 1] = [record]
        if record.open:
            self._open[place] = None
        else:
            self._open.pop(place, None)
