"""The `executionContext` that our deciders write into a decision: what the code waits for that no event shows.

    {"waiting_signals": ["go"],
     "simpleflow_lab": {"max_parallel": [[4, 96]], "open_activities": 12, "unhandled_failures": ["load-1"]}}

`waiting_signals` is upstream's. The context of the latest decision that set one holds until another decision sets it.

Rule: data and one reader. A context may be anybody's text, so the reader takes what has the right shape, bounded, and
leaves the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from simpleflow_lab.swf.history import HistoryEvent

WAITING_SIGNALS: Final = "waiting_signals"
"""Names of the signals that the code waits for."""
OURS: Final = "simpleflow_lab"
"""The key under which everything stands that upstream doesn't write."""
MAX_PARALLEL: Final = "max_parallel"
"""For each group that holds members back: its `max_parallel`, and how many members wait."""
OPEN_ACTIVITIES: Final = "open_activities"
"""Number of activity tasks that wait because no more may be open at a time."""
REUSED: Final = "reused"
"""Of a fork: how many results that it inherits, or was given, its code has taken so far."""
MAX_GROUPS: Final = 20
"""The most groups that are written down and read."""
MAX_SIGNALS: Final = 200
"""The most names of signals that are read."""


class ContextWaits(NamedTuple):
    """The waits of the code, as the latest decision wrote them down."""

    signals: tuple[str, ...] = ()
    """Names of signals."""
    groups: tuple[tuple[int, int], ...] = ()
    """Of each group with members that wait: its `max_parallel`, and how many wait."""
    deferred: int = 0
    """Number of activity tasks that wait because no more may be open at a time."""
    reused: int | None = None
    """Number of results that a fork has reused; `None` of any other execution, and of a fork without a decision."""


def waits_in(context: str | None) -> ContextWaits:
    """The waits of the code that this execution context names."""
    if not context:
        return ContextWaits()
    try:
        found = json.loads(context)
    except (ValueError, RecursionError):
        return ContextWaits()
    if not isinstance(found, dict):
        return ContextWaits()
    ours = found.get(OURS)
    ours = ours if isinstance(ours, dict) else {}
    names = [name for name in _list(found.get(WAITING_SIGNALS)) if isinstance(name, str)]
    groups = [
        (pair[0], pair[1])
        for pair in _list(ours.get(MAX_PARALLEL))[:MAX_GROUPS]
        if isinstance(pair, list) and len(pair) == 2 and all(type(number) is int for number in pair)
    ]
    deferred, reused = ours.get(OPEN_ACTIVITIES), ours.get(REUSED)
    return ContextWaits(
        signals=tuple(dict.fromkeys(names))[:MAX_SIGNALS],
        groups=tuple(groups),
        deferred=deferred if type(deferred) is int else 0,
        reused=reused if type(reused) is int and reused >= 0 else None,
    )


def latest_context(events: Iterable[HistoryEvent]) -> str | None:
    """The execution context after these events, given latest first; `None` if no decision set one."""
    for event in events:
        if event.type == "DecisionTaskCompleted" and "executionContext" in event.attributes:
            context = event.attributes["executionContext"]
            return context if isinstance(context, str) else None
    return None


def reused_by(history: Sequence[HistoryEvent]) -> int | None:
    """The number of results that the fork with this history has reused so far; `None` if nobody has said so."""
    return waits_in(latest_context(reversed(history))).reused


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
