"""The slack of tasks: by how much longer each could have taken, and nothing that followed would have come later.

What follows a task are the tasks that depend on it, as our deciders record it in `control`, its own next attempt, the
task that its worker took next, where all workers were at work, and the next decision in which the code went on by
itself: for a task without recorded dependencies, or to the close. So slack is what a task could have taken longer at
least.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping

from simpleflow_lab.swf.conventions import DEADLINE_TIMER, WAKE_UP_TIMER
from simpleflow_lab.swf.event_types import TIMER
from simpleflow_lab.views.attempts import Attempt, closings_by_id, ends_needed, seconds_between
from simpleflow_lab.views.critical_path import CriticalPath
from simpleflow_lab.views.decision_triggers import DecisionTaskEvents
from simpleflow_lab.views.history_fold import FoldedHistory


def slack(folded: FoldedHistory, path: CriticalPath) -> dict[int, float]:
    """The slack in seconds of each attempt by its `scheduled_event_id`; 0 for those on the path.

    Of what did not close, and of what closed when nothing followed any more, there is none.
    """
    follows = _Follows(folded, path)
    found = dict.fromkeys(path.attempts(), 0.0)
    closed = [attempt for attempt in folded.attempts if attempt.closed_event_id is not None]
    closed.sort(key=_closed_event_id, reverse=True)
    for attempt in closed:
        if attempt.scheduled_event_id not in found:
            least = follows.least(attempt, found)
            if least < math.inf:
                found[attempt.scheduled_event_id] = least
    return found


class _Follows:
    """The things that follow each attempt, and how long after its close."""

    def __init__(self, folded: FoldedHistory, path: CriticalPath) -> None:
        self._triggers, self._lists = path.triggers, path.lists
        self._next: dict[int, list[tuple[Attempt, DecisionTaskEvents]]] = {}
        """The attempts that needed each close, by its event, and the decisions that scheduled them."""
        self._by_itself: dict[int, list[Attempt]] = {}
        """The attempts that each decision scheduled though nothing that they depend on was new to it."""
        self._closing = path.triggers.that_closed()
        self._closings = closings_by_id(folded.columns)
        for attempt in folded.attempts:
            if attempt.id != WAKE_UP_TIMER:
                self._sort_in(attempt)
        places = {*self._by_itself, *(() if self._closing is None else (self._closing,))}
        self._places = sorted(places)

    def _sort_in(self, attempt: Attempt) -> None:
        decided = attempt.decision_event_id or attempt.scheduled_event_id
        place = self._triggers.made_before(decided + 1)
        if place is None:
            return
        decision = self._triggers.completed[place]
        needed = ends_needed(attempt, self._closings)
        for event_id in needed:
            self._next.setdefault(event_id, []).append((attempt, decision))
        is_own = attempt.kind == TIMER and attempt.id.startswith(DEADLINE_TIMER)
        if not is_own and not any(decision.first <= id <= decision.last for id in needed):
            self._by_itself.setdefault(place, []).append(attempt)

    def least(self, attempt: Attempt, known: Mapping[int, float]) -> float:
        """The least time after the close of an attempt that whatever follows it could have waited."""
        closed_id = _closed_event_id(attempt)
        least = math.inf
        for follower, decision in self._next.get(closed_id, ()):
            least = min(
                least, self._gap(attempt, decision, closed_id) + known.get(follower.scheduled_event_id, math.inf)
            )
        load = self._lists.get(attempt.task_list or "")
        taken = (
            None
            if load is None or attempt.closed is None or attempt.started is None
            else load.taken_after(attempt.closed)
        )
        if taken is not None and taken.started is not None and attempt.closed is not None:
            room = known.get(taken.scheduled_event_id, math.inf)
            least = min(least, seconds_between(attempt.closed, taken.started) + room)
        seen = self._triggers.that_saw(closed_id)
        if seen is None:
            return least
        after = bisect_left(self._places, seen)
        if after == len(self._places):
            return least
        place = self._places[after]
        room = 0.0 if place == self._closing else math.inf
        for follower in self._by_itself.get(place, ()):
            room = min(room, known.get(follower.scheduled_event_id, math.inf))
        return min(least, self._gap(attempt, self._triggers.completed[place], closed_id) + room)

    def _gap(self, attempt: Attempt, decision: DecisionTaskEvents, closed_id: int) -> float:
        """The time from a close to the latest event that triggered a later decision."""
        trigger = self._triggers.trigger(decision)
        if trigger is None or trigger.id <= closed_id or attempt.closed is None:
            return 0.0
        return seconds_between(attempt.closed, trigger.timestamp)


def _closed_event_id(attempt: Attempt) -> int:
    return attempt.closed_event_id or 0
