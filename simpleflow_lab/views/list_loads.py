"""The number of tasks of an execution that ran at once on each task list, and the times when none did."""

from __future__ import annotations

import datetime
import operator
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from simpleflow_lab.swf.event_types import ACTIVITY
from simpleflow_lab.views.attempts import Attempt, AttemptColumns, seconds_between

Span = tuple[datetime.datetime, datetime.datetime]

SHORTEST_ABSENCE: Final = 1.0
"""Seconds in which nothing ran on a list before it counts as a time of its own: a poll takes a moment."""


@dataclass(frozen=True)
class ListLoad:
    """The activity tasks of one execution on one task list. What is asked of it is made when it is asked."""

    columns: AttemptColumns
    """All attempts of the execution."""
    places: Sequence[int]
    """The places of those of the list, in the order of scheduling."""
    until: datetime.datetime
    """The time up to which those that are open count."""

    @cached_property
    def most_at_once(self) -> int:
        """The most that ran at the same time."""
        return _most_at_once(self.starts, self.ends)

    @cached_property
    def most_open(self) -> int:
        """The most that were open at the same time: they ran, or were queued."""
        scheduled = self._column("scheduled")
        ends = map(max, scheduled, [closed or self.until for closed in self._column("closed")])
        return _most_at_once(sorted(scheduled), sorted(ends))

    @cached_property
    def busy(self) -> list[Span]:
        """The times in which at least one ran, in order, apart from each other."""
        return _union(self._spans)

    @cached_property
    def taken(self) -> list[Attempt]:
        """Those that were started, in the order of their starts."""
        return sorted(
            [each for each in map(self.columns.record, self.places) if each.started is not None], key=_STARTED
        )

    @cached_property
    def starts(self) -> list[datetime.datetime]:
        """The times at which these were started, in order."""
        return [start for start, _ in self._spans]

    @cached_property
    def ends(self) -> list[datetime.datetime]:
        """The times at which these closed, or up to which they count, in order."""
        return sorted([end for _, end in self._spans])

    @cached_property
    def _spans(self) -> list[Span]:
        """The times between which those that were started ran, in the order of their starts."""
        spans = [
            (start, end if end > start else start)
            for start, closed in zip(self._column("started"), self._column("closed"), strict=True)
            if start is not None
            for end in [closed or self.until]
        ]
        spans.sort(key=_START)
        return spans

    def _column(self, name: str) -> list[Any]:
        """A column of those of the list."""
        values = self.columns.by_name[name]
        return [values[place] for place in self.places]

    def longest_within(self, start: datetime.datetime, end: datetime.datetime) -> Attempt | None:
        """The task that ran longest of those that ran between these times; `None` if none did."""
        longest, found = 0.0, None
        for attempt, began in zip(self.taken, self.starts, strict=True):
            seconds = seconds_between(max(began, start), min(attempt.closed or end, end))
            if seconds > longest:
                longest, found = seconds, attempt
        return found

    def taken_after(self, at: datetime.datetime) -> Attempt | None:
        """The task that was queued and that a worker took when another one closed at this time.

        `None` if none was queued, or if fewer ran than at other times: then it did not wait for that.
        """
        if bisect_left(self.starts, at) - bisect_left(self.ends, at) < self.most_at_once:
            return None
        place = bisect_left(self.starts, at)
        if place < len(self.taken) and self.taken[place].scheduled < at:
            return self.taken[place]
        return None

    def spans(self, start: datetime.datetime, end: datetime.datetime) -> Iterator[tuple[datetime.datetime, bool]]:
        """The time from `start` to `end` in pieces, latest first: when each begins, and whether any task ran in it.

        Less than `SHORTEST_ABSENCE` without a task counts as if one had run. The pieces alternate.
        """
        pieces: list[tuple[datetime.datetime, bool]] = []
        at = end
        place = bisect_left(self.busy, end, key=lambda span: span[0]) - 1
        while at > start:
            busy_from, busy_to = self.busy[place] if place >= 0 else (start, start)
            free_from = max(min(busy_to, at), start)
            if seconds_between(free_from, at) >= SHORTEST_ABSENCE:
                pieces.append((free_from, False))
                at = free_from
            if at > start:
                at = max(min(busy_from, free_from), start)
                pieces.append((at, True))
            place -= 1
        for number, (begin, is_busy) in enumerate(pieces):
            if number + 1 == len(pieces) or pieces[number + 1][1] != is_busy:
                yield begin, is_busy


def loads_of(attempts: AttemptColumns, until: datetime.datetime) -> dict[str, ListLoad]:
    """The load of each task list, by its name; what is open runs up to `until`."""
    lists: defaultdict[str, list[int]] = defaultdict(list)
    columns = attempts.by_name
    for place, (kind, task_list) in enumerate(zip(columns["kind"], columns["task_list"], strict=True)):
        if kind == ACTIVITY and task_list is not None:
            lists[task_list].append(place)
    return {name: ListLoad(attempts, places, until) for name, places in lists.items()}


def _union(spans: Iterable[Span]) -> list[Span]:
    """Spans in the order of their starts, those that overlap as one."""
    apart: list[Span] = []
    since: datetime.datetime | None = None
    last = since
    for start, end in spans:
        if last is not None and start <= last:
            if end > last:
                last = end
            continue
        if since is not None and last is not None:
            apart.append((since, last))
        since, last = start, end
    if since is not None and last is not None:
        apart.append((since, last))
    return apart


def _most_at_once(starts: Sequence[datetime.datetime], ends: Sequence[datetime.datetime]) -> int:
    """The most spans at one time, of which these are the starts and the ends, each in order."""
    most = ended = 0
    for start in starts:
        # Each that begins takes the place of one that has ended, if there is any, or else one more place.
        if ends[ended] <= start:
            ended += 1
        else:
            most += 1
    return most


_STARTED: Final = operator.attrgetter("started")
_START: Final = operator.itemgetter(0)
