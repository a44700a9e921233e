"""A history as records: one attempt for every time something was tried, one point event for what takes no time.

An activity that is retried twice is three attempts, each with its own input, times, worker and error. Children, lambdas
and timers are attempts too. Markers, signals and refused decisions only happen, and are point events. Tables, listings
and figures are made of these records and know no event by other means.

Rule: plain data, which needs no pandas. `views.attempt_rows` makes the records of events.
"""

from __future__ import annotations

import datetime
import itertools
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from simpleflow_lab.swf.conventions import DEADLINE_TIMER, RETRY_TIMER, WAKE_UP_TIMER, is_given_back, is_worker_lost
from simpleflow_lab.swf.event_types import (
    ACTIVITY,
    CHILD,
    DECISION_FAILURE,
    EXTERNAL_CANCEL,
    EXTERNAL_SIGNAL,
    LAMBDA,
    MARKER,
    SIGNAL,
    TIMER,
    UNKNOWN,
)

EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
"""The time from which times are counted."""
ATTEMPTS: Final = frozenset({ACTIVITY, CHILD, LAMBDA, TIMER})
"""Kinds of entities that are attempts."""
TASKS: Final = frozenset({ACTIVITY, CHILD, LAMBDA})
"""Kinds of attempts that do work; a timer only waits."""
POINT_EVENTS: Final = frozenset({MARKER, SIGNAL, EXTERNAL_SIGNAL, EXTERNAL_CANCEL, DECISION_FAILURE, UNKNOWN})
"""Kinds of entities that are point events."""
FAILURES: Final = frozenset({"failed", "timed_out", "canceled", "terminated", "schedule_failed", "start_failed"})
"""States of an attempt that came to no result."""
UNFINISHED: Final = "unfinished"
"""The state of an attempt that was open when its execution closed."""


class Attempt(NamedTuple):
    """One attempt of an activity task, child execution or lambda, or one timer."""

    kind: str
    """`activity`, `child`, `lambda` or `timer`."""
    name: str
    """Name of the activity or workflow type or of the lambda function; a timer's id."""
    version: str | None
    """Version of that type."""
    id: str
    """`activityId`, `workflowId`, `timerId` or the lambda's `id`."""
    attempt: int
    """1 for the first of this kind and id, then 2, 3, …"""
    state: str
    """SWF's word in lower case: `scheduled`, `started`, `completed`, `failed`, `timed_out`, `canceled`, …;
    or `unfinished`, for which SWF has no event: it was open when the execution closed."""
    open: bool
    """No event closed it (yet)."""
    scheduled: datetime.datetime
    """When it was scheduled or initiated; for a timer, when it started."""
    started: datetime.datetime | None = None
    """When a worker took it, or `None`."""
    closed: datetime.datetime | None = None
    """When it closed, or `None`."""
    waiting: float = 0.0
    """Seconds from scheduled to started, or for as long as it had not started."""
    running: float | None = None
    """Seconds from started to closed, or for as long as it had not closed; `None` if it never started."""
    task_list: str | None = None
    """The task list it was scheduled on."""
    worker: str | None = None
    """The worker that took it, as `user@host:pid` if its identity is JSON with these, else the identity as it is. A
    note says so if its process had another definition of the task's type than the one that the execution used."""
    input: str | None = None
    """As recorded."""
    result: str | None = None
    """As recorded."""
    reason: str | None = None
    """The `reason` of a failure, the `cause` for which SWF refused it, or that its process died or gave it back."""
    details: str | None = None
    """As recorded: the traceback of a failure, a heartbeat's last words."""
    timeout_type: str | None = None
    """Which of its timeouts ended it."""
    priority: int | None = None
    """Its task priority."""
    cancel_requested: bool = False
    """The decider requested its cancellation."""
    retried: bool = False
    """It failed, and there is a later attempt."""
    unhandled: bool = False
    """Its last attempt failed, the execution completed all the same, and the workflow never handled the failure."""
    run_id: str | None = None
    """The run of a child execution."""
    scheduled_event_id: int = 0
    """The event that opened it; 0 if none did."""
    closed_event_id: int | None = None
    """The event that closed it."""
    line: str | None = None
    """The line of the author's code that scheduled it, such as `orders.py:25, x = self.submit(load)`, as our deciders
    record it in `control`; `None` in the histories of other deciders."""
    decision_event_id: int | None = None
    """The `DecisionTaskCompleted` event of the decision that scheduled it, or `None` if the history doesn't say."""
    depends_on: tuple[str, ...] = ()
    """Ids of the tasks whose futures were among its arguments, as our deciders record them in `control`, at most 100;
    empty in the histories of other deciders."""
    max_parallel: int | None = None
    """The `max_parallel` of the group that held the task back until another member had closed, as our deciders record
    it in `control`; `None` if none did."""

    @property
    def failed(self) -> bool:
        """It closed without a result. Canceling a timer is no failure."""
        return is_failure(self.kind, self.state)

    @property
    def shown_state(self) -> str:
        """Its state in the command's tables: `lost` if it ended with its process, `given_back` if its worker was
        stopped, where SWF's history can only say that it timed out, or failed."""
        if is_worker_lost(self.details):
            return "lost"
        return "given_back" if is_given_back(self.details) else self.state

    @property
    def last_state_at(self) -> datetime.datetime:
        """The time at which it came into its state."""
        return self.closed or self.started or self.scheduled


class AttemptColumns:
    """Attempts, as columns and as records; each is made of the other when it is asked for. Equal if the records are."""

    def __init__(self, by_name: Mapping[str, Sequence[Any]]) -> None:
        """`by_name` has the values of each field of `Attempt`, in the order of the fields."""
        self.by_name = by_name
        self.made: dict[str, Any] = {}
        """The columns of times that `views.time_columns` has made, by their names."""

    @classmethod
    def of(cls, records: Iterable[Attempt]) -> AttemptColumns:
        """The columns of these records."""
        attempts = cls.__new__(cls)
        attempts.records = tuple(records)
        attempts.made = {}
        return attempts

    @cached_property
    def by_name(self) -> Mapping[str, Sequence[Any]]:
        """The values of each field of `Attempt`. Not to be changed."""
        columns: Iterable[Sequence[Any]] = zip(*self.records, strict=True) if self.records else itertools.repeat(())
        return dict(zip(Attempt._fields, columns, strict=False))

    @cached_property
    def records(self) -> tuple[Attempt, ...]:
        """One for each attempt."""
        return tuple(map(Attempt._make, zip(*self.by_name.values(), strict=True)))

    def record(self, place: int) -> Attempt:
        """One of the records, which doesn't make the others."""
        made: tuple[Attempt, ...] | None = self.__dict__.get("records")
        return Attempt._make([values[place] for values in self.by_name.values()]) if made is None else made[place]

    def __len__(self) -> int:
        return len(self.by_name["id"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AttemptColumns) and self.records == other.records

    def __hash__(self) -> int:
        return hash(self.records)


class PointEvent(NamedTuple):
    """Something that happened and took no time of its own: a marker, a signal, a cancel request, a refused decision."""

    kind: str
    """`marker`, `signal`, `external_signal`, `external_cancel`, `decision_failure`, or `unknown`."""
    name: str
    """Name of the marker or signal, workflow id of a cancel request, type of the event otherwise."""
    state: str
    """The state that its events put it in."""
    at: datetime.datetime
    """When it began."""
    text: str | None
    """The text that was recorded with it: a marker's details, a signal's input, a refusal's cause."""
    event_id: int
    """The event that opened it."""


class DecisionTask(NamedTuple):
    """One decision task."""

    state: str
    """`scheduled`, `started`, `completed` or `timed_out`."""
    open: bool
    """It has not closed (yet)."""
    scheduled: datetime.datetime
    """When it was scheduled."""
    started: datetime.datetime | None
    """When a decider took it."""
    closed: datetime.datetime | None
    """When it was completed or timed out."""
    waiting: float
    """Seconds from scheduled to started, or for as long as it had not started."""
    deciding: float | None
    """Seconds from started to closed, or for as long as it had not closed."""
    worker: str | None
    """The decider that took it."""
    new_events: int
    """Events that it brought the decider: those after the start of the decision task that was completed before it."""
    decisions: int
    """Decisions made, refused ones included."""
    kinds: Mapping[str, int]
    """Number of decisions of each of SWF's decision types."""
    scheduled_event_id: int
    """The event that opened it."""
    closed_event_id: int | None
    """The event that closed it."""


def is_failure(kind: str, state: str) -> bool:
    """Whether an attempt of this kind in this state closed without a result. Canceling a timer is no failure."""
    return state in FAILURES and not (kind == TIMER and state == "canceled")


def is_own_timer(attempt: Attempt) -> bool:
    """Whether this is a timer that a decider of ours started for itself, and the author's code did not."""
    return attempt.kind == TIMER and attempt.id.startswith(_OWN_TIMERS)


def is_own_pause(attempt: Attempt) -> bool:
    """Whether this is a timer by which a decider waits for a retry or has itself called again: no task of the author's.
    The timer of a deadline is: the author's code asked for it with a `timeout`."""
    return attempt.kind == TIMER and attempt.id.startswith((RETRY_TIMER, WAKE_UP_TIMER))


_OWN_TIMERS: Final = (RETRY_TIMER, DEADLINE_TIMER, WAKE_UP_TIMER)


def failures_first(attempts: Iterable[Attempt]) -> list[Attempt]:
    """These attempts in their order, but those that failed and were not tried again before all others."""
    return sorted(attempts, key=lambda attempt: not attempt.failed or attempt.retried)


def last_attempts(attempts: Iterable[Attempt]) -> list[Attempt]:
    """The latest attempt of every kind and id, in the order of their first attempts."""
    latest: dict[tuple[str, str], Attempt] = {}
    for attempt in attempts:
        latest[attempt.kind, attempt.id] = attempt
    return list(latest.values())


def waits_for_ends(attempt: Attempt) -> bool:
    """Whether there may be any `ends_needed` of an attempt."""
    return bool(attempt.depends_on) or attempt.attempt > 1 or attempt.kind == TIMER


def ends_needed(attempt: Attempt, closings: Mapping[str, Sequence[int]]) -> list[int]:
    """The events that an attempt was waiting for: ends of tasks that it depends on, or of its attempt before.

    `closings` are the events that closed the attempts of each id, in order.
    """
    ids = list(attempt.depends_on)
    if attempt.kind == TIMER and attempt.id.startswith(RETRY_TIMER):
        ids = [attempt.id.removeprefix(RETRY_TIMER)]
    elif attempt.attempt > 1:
        ids = [attempt.id, RETRY_TIMER + attempt.id]
    ends = []
    for id in ids:
        of_id = closings.get(id, ())
        before = bisect_left(of_id, attempt.scheduled_event_id)
        if before:
            ends.append(of_id[before - 1])
    return ends


def closings_by_id(attempts: AttemptColumns) -> dict[str, list[int]]:
    """The events that closed the attempts of each id, in order."""
    closings: dict[str, list[int]] = {}
    for id, closed_event_id in zip(attempts.by_name["id"], attempts.by_name["closed_event_id"], strict=True):
        if closed_event_id is not None:
            closings.setdefault(id, []).append(closed_event_id)
    for of_id in closings.values():
        of_id.sort()
    return closings


def lasting_until(attempt: Attempt, until: datetime.datetime) -> Attempt:
    """An open attempt, counted up to this time."""
    if attempt.started is None:
        return attempt._replace(waiting=seconds_between(attempt.scheduled, until))
    return attempt._replace(running=seconds_between(attempt.started, until))


def seconds_between(start: datetime.datetime, end: datetime.datetime) -> float:
    """Seconds between two times; 0 if the second comes before the first."""
    return (end - start).total_seconds() if end > start else 0.0
