"""The tasks whose results a fork inherits, as attempts that were there when it started.

Each has the state `reused`: it ran in another execution, which its `reason` names, and took no time in this one. What
`explain()` counts are those that the code has asked for.

Rule: what a fork inherits may come from anybody: what is not as a fork writes it gives no task, and never raises. A
large one is an object of its own, which a view does not read.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.swf.control import read_control
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, EVENT_TYPES
from simpleflow_lab.swf.fork_start import forked_from
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.inherited_text import unpack
from simpleflow_lab.views.attempts import Attempt

REUSED: Final = "reused"
"""The state of such an attempt."""
_OPENING: Final[Mapping[str, tuple[str, str]]] = {
    "ActivityTaskScheduled": (ACTIVITY, "activityId"),
    "StartChildWorkflowExecutionInitiated": (CHILD, "workflowId"),
}
"""The events that open a task: its kind, and the attribute with its id."""


def reused_tasks(history: Sequence[HistoryEvent]) -> tuple[Attempt, ...]:
    """Those of the fork with this history, in the order in which they were first scheduled; none of what is no fork.

    A task that the fork has scheduled itself is none of them.
    """
    origin = forked_from(history[0].attributes) if history else None
    if origin is None:
        return ()
    try:
        runs = unpack(origin.inherited)
    except HistoryError:
        return ()
    found: dict[tuple[str, str], Attempt | None] = {}
    for run in runs if isinstance(runs, list) else ():
        if isinstance(run, dict) and isinstance(run.get("events"), list):
            _add(found, run, history[0].timestamp)
    own = {_place_of(event.type, event.attributes) for event in history if event.type in _OPENING}
    return tuple(attempt for place, attempt in found.items() if attempt is not None and place not in own)


def _add(found: dict[tuple[str, str], Attempt | None], run: Mapping[str, Any], at: datetime.datetime) -> None:
    """Add the tasks of one run: with `None` those that are not known to have completed."""
    opened: dict[int, tuple[str, str, Mapping[str, Any]]] = {}
    given = run.get("given")
    for number, event in enumerate(run["events"], 2):
        if not (
            isinstance(event, list) and len(event) == 3 and isinstance(event[0], str) and isinstance(event[2], dict)
        ):
            continue
        type, _, attributes = event
        row = EVENT_TYPES.get(type)
        if type in _OPENING:
            place = _place_of(type, attributes)
            opened[number] = (*place, attributes)
            found[place] = None
        elif row is not None and row.state == "completed" and row.find.follows is not None:
            before = attributes.get(row.find.follows)
            task = opened.get(before) if isinstance(before, int) else None
            if task is not None:
                found[task[:2]] = _attempt(task, attributes.get("result"), run, at)
    for kind, id, attributes in opened.values():
        if isinstance(given, dict) and id in given:
            found[kind, id] = _attempt((kind, id, attributes), given[id], run, at)


def _place_of(type: str, attributes: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and id of the task that an event opens."""
    kind, id = _OPENING[type]
    return kind, str(attributes.get(id))


def _attempt(
    task: tuple[str, str, Mapping[str, Any]], result: Any, run: Mapping[str, Any], at: datetime.datetime
) -> Attempt:
    kind, id, attributes = task
    type = attributes.get("activityType") or attributes.get("workflowType")
    named = type if isinstance(type, dict) else {}
    control = read_control(_text(attributes.get("control")))
    return Attempt(
        kind=kind,
        name=str(named.get("name") or id),
        version=_text(named.get("version")),
        id=id,
        attempt=1,
        state=REUSED,
        open=False,
        scheduled=at,
        started=at,
        closed=at,
        running=0.0,
        input=_text(attributes.get("input")),
        result=_text(result),
        reason=f"of {run.get('workflow_id')}, run {run.get('run_id')}",
        scheduled_event_id=1,
        closed_event_id=1,
        line=control.line,
        depends_on=control.depends_on,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
