"""The tasks on which each task of an execution depended: those that are known, and those that are likely.

Known are the tasks whose futures were among its arguments, as our deciders record them in `control`, and its own
attempt before. For a task without either it is what had ended when the decision that scheduled it was made; where that
was decided for a signal, it is what had ended when the code began to wait for the signal.

Rule: whatever a task depends on was scheduled before it, so there is no circle. Histories of any decider will do.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from simpleflow_lab.swf.event_types import ACTIVITY
from simpleflow_lab.views.attempts import Attempt, is_own_timer
from simpleflow_lab.views.decision_triggers import DecisionTriggers
from simpleflow_lab.views.history_fold import FoldedHistory


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """The dependencies of the attempts of one execution, by their `scheduled_event_id`."""

    before: Mapping[int, tuple[int, ...]]
    """The tasks on which each depended."""
    likely: frozenset[int]
    """Those of which it is not recorded."""
    signals: Mapping[int, str] = field(default_factory=dict)
    """The name of the signal for which an attempt was likely scheduled."""

    def lineage(self, ids: Iterable[int]) -> set[int]:
        """These attempts, all that they depended on, and all that depended on them."""
        wanted = set(ids)
        return _reached(wanted, self.before) | _reached(wanted, self.after)

    def of(self, id: int) -> Lineage:
        """The lineage of one attempt, by direction."""
        after = self.after
        return Lineage(
            needed=self.before.get(id, ()),
            dependents=tuple(after.get(id, ())),
            all_needed=frozenset(_reached({id}, self.before) - {id}),
            all_dependents=frozenset(_reached({id}, after) - {id}),
            is_likely=id in self.likely,
        )

    @functools.cached_property
    def after(self) -> Mapping[int, Sequence[int]]:
        """By each attempt that others depended on: those others."""
        after: dict[int, list[int]] = {}
        for each, needed in self.before.items():
            for one in needed:
                after.setdefault(one, []).append(each)
        return after


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """The attempts on which one depended, and those that depended on it, each by its `scheduled_event_id`."""

    needed: tuple[int, ...]
    """The tasks on which it depended itself."""
    dependents: tuple[int, ...]
    """The tasks that depended on it itself."""
    all_needed: frozenset[int]
    """With what these depended on in turn."""
    all_dependents: frozenset[int]
    """With what depended on these in turn."""
    is_likely: bool
    """The tasks on which it depended are not recorded, but likely."""


def _reached(ids: Iterable[int], ways: Mapping[int, Iterable[int]]) -> set[int]:
    found, left = set(ids), list(ids)
    while left:
        for each in ways.get(left.pop(), ()):
            if each not in found:
                found.add(each)
                left.append(each)
    return found


def dependencies_of(folded: FoldedHistory) -> Dependencies:
    """The dependencies of all attempts but the timers that deciders start for themselves."""
    triggers = DecisionTriggers(folded.history, folded.others)
    places: dict[str, list[int]] = {}
    """The attempts of each id, in the order of scheduling."""
    by_closing: dict[int, int] = {}
    free: dict[tuple[str, str], _Likely] = {}
    """The dependencies of the latest task of each name that was not deferred; those that were have the same, and it."""
    before: dict[int, tuple[int, ...]] = {}
    likely: set[int] = set()
    signals: dict[int, str] = {}
    scheduled_by: Counter[int | None] = Counter()
    """By each decision, how many activity tasks it has scheduled so far."""
    for attempt in folded.attempts:
        if attempt.closed_event_id is not None and not is_own_timer(attempt):
            by_closing[attempt.closed_event_id] = attempt.scheduled_event_id
    for attempt in folded.attempts:
        if is_own_timer(attempt):
            continue
        own = attempt.scheduled_event_id
        ids = [attempt.id] if attempt.attempt > 1 else list(attempt.depends_on)
        needed = [places[id][bisect_left(places[id], own) - 1] for id in ids if id in places]
        if not needed:
            name, place = (attempt.kind, attempt.name), _decided_at(attempt, triggers)
            is_deferred = attempt.max_parallel is not None or _is_deferred(attempt, place, triggers, scheduled_by)
            if not is_deferred:
                free[name] = _ended_before(attempt, place, triggers, by_closing)
            found = free.get(name, _Likely())
            needed = list(found.needed)
            if needed or found.signal is not None:
                likely.add(own)
            if found.signal is not None:
                signals[own] = found.signal
        before[own] = tuple(dict.fromkeys(needed))
        places.setdefault(attempt.id, []).append(own)
        if attempt.kind == ACTIVITY:
            scheduled_by[attempt.decision_event_id] += 1
    return Dependencies(before=before, likely=frozenset(likely), signals=signals)


class _Likely(NamedTuple):
    """The attempts on which one likely depended, and the signal for which it was likely scheduled."""

    needed: tuple[int, ...] = ()
    signal: str | None = None


def _decided_at(attempt: Attempt, triggers: DecisionTriggers) -> int | None:
    return triggers.made_before((attempt.decision_event_id or attempt.scheduled_event_id) + 1)


def _is_deferred(
    attempt: Attempt, place: int | None, triggers: DecisionTriggers, scheduled_by: Mapping[int | None, int]
) -> bool:
    """Whether it had been asked for before, when no more activity tasks might be open."""
    if not place or attempt.kind != ACTIVITY or attempt.decision_event_id is None:
        return False
    return scheduled_by.get(attempt.decision_event_id, 0) < triggers.waits_after[place - 1].deferred


def _ended_before(
    attempt: Attempt, place: int | None, triggers: DecisionTriggers, by_closing: Mapping[int, int]
) -> _Likely:
    """The attempt whose end was the trigger of the decision that scheduled this one, or the signal that was, and the
    attempt with whose end the wait for the signal began."""
    trigger = None if place is None else triggers.trigger(triggers.completed[place])
    signal: str | None = None
    if trigger is not None and trigger.type == "WorkflowExecutionSignaled":
        signal = name = str(trigger.attributes.get("signalName"))
        place = triggers.made_before(trigger.id)
        if place is not None and name in triggers.waits_after[place].signals:
            place = triggers.since_when(place, lambda waits: name in waits.signals)
        trigger = None if place is None else triggers.trigger(triggers.completed[place])
    ended = None if trigger is None else by_closing.get(trigger.id)
    return _Likely(() if ended is None or ended >= attempt.scheduled_event_id else (ended,), signal)
