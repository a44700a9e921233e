"""The tasks of two executions of one workflow, side by side.

Tasks are the same if their kind and id are: ids are numbers of a kind of task, or made of its arguments, and so the
same from run to run. Ids of children differ: these are compared by their type and their place among those of that type.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from simpleflow_lab.swf.event_types import CHILD
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.history_fold import FoldedHistory


class TaskDifference(NamedTuple):
    """One task in both executions: `a`, the one that is asked, and `b`, the other one."""

    kind: str
    """`activity`, `child`, `lambda` or `timer`."""
    name: str
    """Name of its type; a timer's id."""
    id: str
    """Its id; of a child that of `a`, or else that of `b`."""
    state_a: str | None
    """The state of its last attempt, or `None` if it is not there."""
    state_b: str | None
    """The same of `b`."""
    attempts_a: int
    """Number of attempts."""
    attempts_b: int
    """The same of `b`."""
    waiting_a: float | None
    """Seconds for which its attempts were queued, added up."""
    waiting_b: float | None
    """The same of `b`."""
    running_a: float | None
    """Seconds for which they ran, added up."""
    running_b: float | None
    """The same of `b`."""
    longer: float
    """Seconds by which `a` took longer, waiting and running; what is not there counts as 0."""
    same_input: bool | None
    """Whether the input of the first attempt is the same; `None` if it is not in both."""
    same_result: bool | None
    """Whether the result is the same; `None` if it is not in both."""


def task_differences(a: FoldedHistory, b: FoldedHistory) -> list[TaskDifference]:
    """One for each task of either execution, in the order of their first scheduling, whichever is `a`."""
    ours, theirs = _tasks(a), _tasks(b)
    places = [_places(tasks) for tasks in (ours, theirs)]
    keys = sorted({**ours, **theirs}, key=lambda key: (min(each[key] for each in places if key in each), key))
    return [_difference(ours.get(key, []), theirs.get(key, [])) for key in keys]


def same_value(one: str | None, other: str | None) -> bool:
    """Whether two recorded texts are the same, or the same JSON with other spaces or its keys in another order."""
    if one == other or one is None or other is None:
        return one == other
    try:
        values = [json.dumps(json.loads(text), sort_keys=True) for text in (one, other)]
    except (ValueError, RecursionError):
        return False
    return values[0] == values[1]


def _places(tasks: Mapping[tuple[str, str], Sequence[Attempt]]) -> dict[tuple[str, str], tuple[int, int]]:
    """The place at which each task was first scheduled: by which of the decisions that scheduled one, and as which of
    all tasks.

    Unlike times and event ids, these are the same in two runs that do the same.
    """
    decisions: dict[int, int] = {}
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for place, (key, attempts) in enumerate(tasks.items()):
        first = attempts[0]
        decided = decisions.setdefault(first.decision_event_id or first.scheduled_event_id, len(decisions))
        found[key] = decided, place
    return found


def _tasks(folded: FoldedHistory) -> dict[tuple[str, str], list[Attempt]]:
    """The attempts of each task, by what makes it the same task in another execution."""
    found: dict[tuple[str, str], list[Attempt]] = {}
    children: dict[str, str] = {}
    numbers: Counter[str] = Counter()
    for attempt in folded.tasks:
        name = attempt.id
        if attempt.kind == CHILD:
            if attempt.id not in children:
                numbers[attempt.name] += 1
                children[attempt.id] = f"{attempt.name} {numbers[attempt.name]}"
            name = children[attempt.id]
        found.setdefault((attempt.kind, name), []).append(attempt)
    return found


def _difference(ours: Sequence[Attempt], theirs: Sequence[Attempt]) -> TaskDifference:
    first = (ours or theirs)[0]
    waiting, running = [[_sum(each, part) for each in (ours, theirs)] for part in ("waiting", "running")]
    in_both = bool(ours and theirs)
    return TaskDifference(
        kind=first.kind,
        name=first.name,
        id=first.id,
        state_a=ours[-1].state if ours else None,
        state_b=theirs[-1].state if theirs else None,
        attempts_a=len(ours),
        attempts_b=len(theirs),
        waiting_a=waiting[0],
        waiting_b=waiting[1],
        running_a=running[0],
        running_b=running[1],
        longer=(waiting[0] or 0.0) + (running[0] or 0.0) - (waiting[1] or 0.0) - (running[1] or 0.0),
        same_input=same_value(ours[0].input, theirs[0].input) if in_both else None,
        same_result=same_value(ours[-1].result, theirs[-1].result) if in_both else None,
    )


def _sum(attempts: Sequence[Attempt], part: str) -> float | None:
    return sum(getattr(attempt, part) or 0.0 for attempt in attempts) if attempts else None
