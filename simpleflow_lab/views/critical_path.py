"""The critical path of an execution, from its start to its close, or to now: where its time went.

The path is found backwards. What ended the execution was a decision; that was made because something had ended, a task
say; that had been scheduled by a decision; and so on, to the start. Whatever was not on the path could have taken
longer, by its *slack*, and nothing that followed would have come later.

Which tasks a task depended on is read from `control`, where our deciders record it. For other tasks it is taken to be
the last thing that ended before the decision that scheduled them.

Rule: the segments tile the time of the execution: the first begins at its start, each begins where the one before
ends, and the last ends at its close, or at `until`. Nothing here reads a clock or raises for odd attributes.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, TypeGuard

from simpleflow_lab.swf.conventions import DEADLINE_TIMER, RETRY_TIMER, WAKE_UP_TIMER
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, TIMER
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.attempts import TASKS, Attempt, closings_by_id, ends_needed, seconds_between, waits_for_ends
from simpleflow_lab.views.decision_triggers import DecisionTaskEvents, DecisionTriggers
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.list_loads import ListLoad, loads_of

RUNNING: Final = "running"
CHILD_RUNNING: Final = "child"
RETRY: Final = "retry"
QUEUED: Final = "queued"
NOT_TAKEN: Final = "not taken"
DEFERRED: Final = "max_parallel"
OPEN_LIMIT: Final = "open limit"
TIMER_WAIT: Final = "timer"
SIGNAL_WAIT: Final = "signal"
REQUEST: Final = "request"
DECIDING: Final = "deciding"
NO_DECIDER: Final = "no decider"
CODE: Final = "code"

KINDS: Final = (
    *(RUNNING, CHILD_RUNNING, RETRY, QUEUED, NOT_TAKEN, DEFERRED, OPEN_LIMIT),
    *(TIMER_WAIT, SIGNAL_WAIT, REQUEST, DECIDING, NO_DECIDER, CODE),
)
"""The kinds of segments."""


class Segment(NamedTuple):
    """A part of the critical path, in which one thing kept the execution from going on."""

    kind: str
    """`running` (an activity or a lambda), `child`, `retry` (the pause before the next attempt), `queued` (for a
    worker), `not taken` (queued, while no task of the execution ran on that task list: nobody polled it, or others kept
    its workers busy, which a history doesn't tell), `max_parallel` and `open limit` (not scheduled yet, because as many
    as allowed were open), `timer`, `signal`, `request` (a signal or cancel request on its way to another execution),
    `deciding`, `no decider` (a decision task that nobody had taken) or `code` (nothing that could end by itself was
    open)."""
    start: datetime.datetime
    """When it begins."""
    end: datetime.datetime
    """When it ends: where the next one begins."""
    seconds: float
    """Its length in seconds."""
    id: str | None = None
    """Id of the task, child, timer or request, name of the signal; `None` of decisions."""
    name: str | None = None
    """Name of the activity or workflow type."""
    attempt: int | None = None
    """Which attempt of the task; of a `retry` the one that had failed."""
    state: str | None = None
    """The state of the attempt, as in `tasks()`."""
    task_list: str | None = None
    """The task list of an activity."""
    at_once: int | None = None
    """Of `queued` and `not taken`: how many tasks of the execution ran at once on that list, at most."""
    limit: int | None = None
    """Of `max_parallel`: the limit."""
    scheduled_event_id: int | None = None
    """The event that opened the attempt."""


@dataclass(frozen=True, kw_only=True)
class CriticalPath:
    """The critical path of one execution."""

    segments: tuple[Segment, ...]
    """In the order of time, without a gap."""
    triggers: DecisionTriggers
    """The decisions of the history, with what they saw."""
    lists: dict[str, ListLoad]
    """The numbers of tasks that ran at once on each task list."""

    def attempts(self) -> set[int]:
        """The attempts that are on the path, whose running or timer is: the `scheduled_event_id` of each."""
        return {
            segment.scheduled_event_id
            for segment in self.segments
            if segment.scheduled_event_id is not None and segment.kind in _IS_DONE
        }

    def seconds(self) -> float:
        """The length of the whole path in seconds."""
        return sum(segment.seconds for segment in self.segments)


_IS_DONE: Final = frozenset({RUNNING, CHILD_RUNNING, RETRY, TIMER_WAIT})
"""Kinds of segments in which an attempt itself was what it took."""


def critical_path(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> CriticalPath:
    """The critical path of an execution; of an open one up to `until`, by default the time of the last event.

    Of what is open at that time, it is on the path what is likely to end last: a task before a signal, a signal before
    a timer, and the one that was scheduled first. Raises `HistoryError` if an event refers to nothing known.
    """
    folded = fold_history(history, until=until)
    triggers = DecisionTriggers(folded.history, folded.others)
    lists = loads_of(folded.columns, folded.until)
    segments = _Walk(folded, triggers, lists).segments()
    return CriticalPath(segments=segments, triggers=triggers, lists=lists)


# -- the way back ------------------------------------------------------------------------------------------------------


class _Walk:
    """The way from the end of an execution to its start."""

    def __init__(self, folded: FoldedHistory, triggers: DecisionTriggers, lists: dict[str, ListLoad]) -> None:
        self._history, self._triggers, self._lists = folded.history, triggers, lists
        self._attempts = folded.columns
        self._requests = {event.event_id: event for event in folded.point_events}
        places = range(len(self._attempts))
        self._places: dict[int | None, int] = dict(
            zip(self._attempts.by_name["scheduled_event_id"], places, strict=True)
        )
        self._places.update(zip(self._attempts.by_name["closed_event_id"], places, strict=True))
        """The place of the attempt that each event opened or closed; of `None` one that is open."""
        self._made: list[Segment] = []
        """Latest first."""
        if self._history:
            self._origin = self._history[0].timestamp
            self._at = max(folded.until, self._origin)

    @cached_property
    def _closings(self) -> dict[str, list[int]]:
        return closings_by_id(self._attempts)

    def segments(self) -> tuple[Segment, ...]:
        if not self._history:
            return ()
        last, place = self._history[-1], self._triggers.that_closed()
        if self._history.close_status is not None:
            self._at = max(last.timestamp, self._origin)
        # Each step goes to an earlier event.
        before = len(self._history) + 1 if self._history.close_status is None else last.id
        trigger = self._blocked_before(before) if place is None else self._decision(place, ())
        while trigger is not None and 1 < trigger.id < before:
            before = trigger.id
            trigger = self._ended_by(trigger)
        self._to(CODE, self._origin)
        return tuple(reversed(self._made))

    def _to(self, kind: str, start: datetime.datetime, **members: object) -> None:
        """The segment that begins at this time, and ends where the way back has come to."""
        start = min(max(start, self._origin), self._at)
        if start < self._at or kind in _IS_DONE:
            seconds = seconds_between(start, self._at)
            self._made.append(Segment(kind, start, self._at, seconds, **members))  # type: ignore[arg-type]
        self._at = start

    # -- a decision, and what it was made for --

    def _decision(self, place: int, needed: Iterable[int]) -> HistoryEvent | None:
        """The time that a decision took from its trigger on; gives the trigger."""
        return self._deciding(self._triggers.completed[place], tuple(needed))

    def _deciding(self, decision: DecisionTaskEvents, needed: tuple[int, ...]) -> HistoryEvent | None:
        while True:
            trigger = self._triggers.trigger(decision, needed)
            since = self._history[decision.first - 1 if trigger is None else trigger.id - 1].timestamp
            for each in self._triggers.back_from(decision):
                if (each.closed or self._at) < since:
                    break
                if each.closed is not None and each is not decision:
                    # The next one was scheduled while this one was being made, or after it.
                    self._to(NO_DECIDER, max(each.closed, since))
                if each.started is not None:
                    self._to(DECIDING, max(each.started, since))
            self._to(NO_DECIDER, since)
            before = None if trigger is not None else self._triggers.made_before(decision.scheduled_id)
            if before is None:
                return trigger
            # Nothing new was there: it is a decision that another one left over.
            decision = self._triggers.completed[before]

    def _requested_by(self, attempt: Attempt) -> HistoryEvent | None:
        """The time before an attempt was scheduled; gives the trigger of that."""
        decided = attempt.decision_event_id
        before = decided + 1 if _is_id(decided, below=attempt.scheduled_event_id) else attempt.scheduled_event_id
        place = self._triggers.made_before(before)
        if place is None:
            return self._history[0]
        needed = ends_needed(attempt, self._closings) if waits_for_ends(attempt) else []
        held = self._held_since(attempt, place, needed)
        if held is None:
            return self._decision(place, needed)
        since, kind = held
        self._decision(place, ())  # of the member that closed, until the next one was scheduled
        made = self._triggers.completed[since].closed
        assert made is not None
        self._to(
            kind,
            made,
            id=attempt.id,
            name=attempt.name,
            task_list=attempt.task_list,
            limit=attempt.max_parallel if kind == DEFERRED else None,
            scheduled_event_id=attempt.scheduled_event_id,
        )
        return self._decision(since, needed)

    def _held_since(self, attempt: Attempt, place: int, needed: list[int]) -> tuple[int, str] | None:
        """The decision since which an attempt was deferred, and by what; `None` if it was not.

        It is the first of those after which something was deferred that had seen all that the attempt depends on.
        """
        if attempt.attempt > 1 or attempt.kind == TIMER or place == 0:
            return None
        limit, waits = attempt.max_parallel, self._triggers.waits_after[place - 1]
        if limit is not None and any(group[0] == limit for group in waits.groups):
            kind = DEFERRED
            since = self._triggers.since_when(place - 1, lambda w: any(group[0] == limit for group in w.groups))
        elif attempt.kind == ACTIVITY and self._is_among_first(attempt, waits.deferred):
            kind = OPEN_LIMIT
            since = self._triggers.since_when(place - 1, lambda w: w.deferred > 0)
        else:
            return None
        seen = self._triggers.that_saw(max(needed)) if needed else None
        since = since if seen is None else max(since, seen)
        return (since, kind) if since < place else None

    def _is_among_first(self, attempt: Attempt, number: int) -> bool:
        """It is one of the first so many activity tasks that its decision scheduled."""
        if not number or attempt.decision_event_id is None:
            return False
        before = attempt.scheduled_event_id - attempt.decision_event_id - 1
        others = self._history[attempt.decision_event_id : attempt.scheduled_event_id - 1] if before < _FEW else ()
        return before < _FEW and sum(event.row.entity == ACTIVITY for event in others) < number

    # -- what ended, and was the trigger --

    def _ended_by(self, event: HistoryEvent) -> HistoryEvent | None:
        """The time of what this event ended; gives the trigger of what began it."""
        place = self._places.get(event.id)
        if place is not None:
            return self._attempt(self._attempts.record(place))
        if event.type == "ChildWorkflowExecutionStarted":
            place = self._places.get(event.attributes.get("initiatedEventId", 0))
            if place is not None and self._attempts.by_name["scheduled_event_id"][place] < event.id:
                return self._attempt(self._attempts.record(place))
        if event.type == "WorkflowExecutionSignaled":
            return self._signal(event)
        initiated_id = event.attributes.get("initiatedEventId")
        if _is_id(initiated_id, below=event.id):
            self._to(REQUEST, self._history[initiated_id - 1].timestamp, id=_text(self._requests.get(initiated_id)))
        decided = event.attributes.get("decisionTaskCompletedEventId")
        if _is_id(initiated_id, below=event.id):
            decided = self._history[initiated_id - 1].attributes.get("decisionTaskCompletedEventId")
        if _is_id(decided, below=event.id):
            place = self._triggers.made_before(decided + 1)
            return self._history[0] if place is None else self._decision(place, ())
        return self._blocked_before(event.id)

    def _attempt(self, attempt: Attempt) -> HistoryEvent | None:
        if attempt.id == WAKE_UP_TIMER and attempt.kind == TIMER:
            self._to(DECIDING, attempt.scheduled)
            return self._requested_by(attempt)
        kind = _kind_of(attempt)
        is_timer = attempt.kind == TIMER
        of = self._failed_before(attempt) if kind == RETRY else None if is_timer else attempt
        members: dict[str, object] = {
            "id": attempt.id.removeprefix(RETRY_TIMER) if kind == RETRY else attempt.id,
            "name": None if of is None else of.name,
            "attempt": None if of is None else of.attempt,
            "state": attempt.state,
            "task_list": attempt.task_list if attempt.kind == ACTIVITY else None,
            "scheduled_event_id": attempt.scheduled_event_id,
        }
        if is_timer or attempt.kind == CHILD:
            self._to(kind, attempt.scheduled, **members)
        else:
            if attempt.started is not None:
                self._to(kind, attempt.started, **members)
            self._queued(attempt, members)
        return self._requested_by(attempt)

    def _queued(self, attempt: Attempt, members: dict[str, object]) -> None:
        """The time in which an attempt was queued: while others of its list ran, and while none did."""
        load = self._lists.get(attempt.task_list or "")
        if load is None:
            self._to(QUEUED, attempt.scheduled, **members)
            return
        members = {**members, "at_once": load.most_at_once}
        for start, is_busy in load.spans(attempt.scheduled, self._at):
            self._to(QUEUED if is_busy else NOT_TAKEN, start, **members)
        self._to(QUEUED, attempt.scheduled, **members)

    def _failed_before(self, timer: Attempt) -> Attempt | None:
        """The attempt after which this retry's pause began."""
        closings = self._closings.get(timer.id.removeprefix(RETRY_TIMER), [])
        before = [event_id for event_id in closings if event_id < timer.scheduled_event_id]
        return self._attempts.record(self._places[before[-1]]) if before else None

    def _signal(self, event: HistoryEvent) -> HistoryEvent | None:
        """The wait for a signal: since the code waited for it, or since the decision before."""
        name = str(event.attributes.get("signalName"))
        place = self._triggers.made_before(event.id)
        if place is None:
            return self._history[0]
        return self._signal_wait(name, place)

    def _signal_wait(self, name: str, place: int) -> HistoryEvent | None:
        if name in self._triggers.waits_after[place].signals:
            place = self._triggers.since_when(place, lambda waits: name in waits.signals)
        closed = self._triggers.completed[place].closed
        assert closed is not None
        self._to(SIGNAL_WAIT, closed, id=name)
        return self._decision(place, ())

    # -- what was open --

    def _blocked_before(self, event_id: int) -> HistoryEvent | None:
        """The time of what was open before this event; gives the trigger of what began that."""
        decision = next(
            (decision for decision in reversed(self._triggers.all) if decision.scheduled_id < event_id), None
        )
        is_open = decision is not None and (decision.closed is None or self._closed_after(decision, event_id))
        if decision is not None and is_open and seconds_between(decision.begins, self._at) >= A_WHILE:
            return self._deciding(decision, ())
        columns = self._attempts.by_name
        ids = zip(columns["scheduled_event_id"], columns["closed_event_id"], strict=True)
        were_open = [
            self._attempts.record(place)
            for place, (opened_by, ended_by) in enumerate(ids)
            if (ended_by is None or ended_by > event_id) and opened_by < event_id
        ]
        found = sorted([attempt for attempt in were_open if attempt.id != WAKE_UP_TIMER], key=_likely_last)
        place = self._triggers.made_before(event_id)
        signals = () if place is None else self._triggers.waits_after[place].signals
        if found and (_likely_last(found[0])[0] == 0 or not signals):
            return self._attempt(found[0])
        if place is not None and signals:
            return self._signal_wait(signals[0], place)
        if decision is not None and is_open:
            return self._deciding(decision, ())
        if place is None:
            return self._history[0]
        closed = self._triggers.completed[place].closed
        assert closed is not None
        self._to(CODE, closed)
        return self._decision(place, ())

    def _closed_after(self, decision: DecisionTaskEvents, event_id: int) -> bool:
        return decision.completed_id is not None and decision.completed_id > event_id


A_WHILE: Final = 1.0
"""Seconds for which a decision task is open before it counts as what an execution waits for."""
_FEW: Final = 1_000
"""The most events of one decision that are looked through."""


def _kind_of(attempt: Attempt) -> str:
    if attempt.kind == TIMER:
        return RETRY if attempt.id.startswith(RETRY_TIMER) else TIMER_WAIT
    return CHILD_RUNNING if attempt.kind == CHILD else RUNNING


def _likely_last(attempt: Attempt) -> tuple[int, int]:
    """The one on the path of several things that are open: tasks, then timers, then timeouts of waits."""
    is_retry = attempt.id.startswith(RETRY_TIMER)
    rank = 0 if attempt.kind in TASKS or is_retry else 2 if attempt.id.startswith(DEADLINE_TIMER) else 1
    return rank, attempt.scheduled_event_id


def _is_id(value: object, *, below: int) -> TypeGuard[int]:
    return type(value) is int and 0 < value < below


def _text(event: object) -> str | None:
    return getattr(event, "name", None)
