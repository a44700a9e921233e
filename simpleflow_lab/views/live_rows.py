"""The messages to the live view of an execution: its tasks as short rows, and all else in one small record.

Both are plain values that JSON can hold. Times are seconds since the start of the execution. Texts are bounded and not
escaped: the view puts them into text nodes.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Final

from simpleflow_lab.views.attempts import TASKS, Attempt, is_own_pause
from simpleflow_lab.views.formatting import (
    HOVER_LIMIT,
    LABEL_LIMIT,
    VALUE_LIMIT,
    bounded,
    share,
    shortened,
    traceback_text,
)
from simpleflow_lab.views.lineage import Lineage
from simpleflow_lab.views.style import STATES, STATUSES, Style, style_of
from simpleflow_lab.views.task_labels import task_label
from simpleflow_lab.views.waiting import BLOCKED, SIGNAL, Wait

FASTEST: Final = 0.25
"""The least seconds between two updates."""
MAX_FAILURES: Final = 50
"""The most failures that are sent with their details: the latest."""
MAX_NEIGHBOURS: Final = 8
"""The most tasks that are named of those that one depended on, and of those that depended on it."""
MAX_LINES: Final = 4
"""The most lines of what it waits for, of warnings, and of progress."""

ROW: Final = (
    *("event", "id", "name", "attempt", "kind", "state", "flag", "scheduled", "started", "closed"),
    *("task_list", "worker", "outcome", "label"),
)
"""The members of a row, in their order. `event` is the id of the event that scheduled the task: it identifies the row.
`label` is what people call the task, as `load-1`.
A task that a fork reuses has no such event: its `event` is -1, -2, ….
`flag` is `unhandled`, `retried` or empty; `started` and `closed` are `None` before."""


def is_shown(attempt: Attempt) -> bool:
    """Whether it has a row: the pauses of deciders have none."""
    return not is_own_pause(attempt)


def task_row(attempt: Attempt, start: datetime.datetime) -> list[Any]:
    """One attempt as a row of the live view."""
    outcome = attempt.reason or attempt.timeout_type or attempt.result or attempt.details
    return [
        attempt.scheduled_event_id,
        shortened(attempt.id),
        shortened(attempt.name),
        attempt.attempt,
        attempt.kind,
        attempt.state,
        _flag(attempt),
        _since(start, attempt.scheduled),
        _since(start, attempt.started),
        _since(start, attempt.closed),
        shortened(attempt.task_list),
        shortened(attempt.worker),
        bounded(outcome, HOVER_LIMIT),
        task_label(attempt.id, attempt.name if attempt.kind in TASKS else None),
    ]


def _since(start: datetime.datetime, time: datetime.datetime | None) -> float | None:
    return None if time is None else round((time - start).total_seconds(), 3)


def _flag(attempt: Attempt) -> str:
    return "unhandled" if attempt.unhandled else "retried" if attempt.retried else ""


def failure_record(attempt: Attempt) -> dict[str, Any]:
    """A failed attempt with the details of its failure."""
    return {
        "event": attempt.scheduled_event_id,
        "id": shortened(attempt.id),
        "attempt": attempt.attempt,
        "state": attempt.state,
        "flag": _flag(attempt),
        "reason": bounded(attempt.reason or attempt.timeout_type, HOVER_LIMIT),
        "details": bounded(traceback_text(attempt.details), VALUE_LIMIT) if attempt.details else "",
    }


def lineage_record(event: int, lineage: Lineage) -> dict[str, Any]:
    """The lineage of the attempt that this event scheduled: attempts before and after it, by the `event` of their
    rows."""
    return {
        "event": event,
        "needed": list(lineage.needed[:MAX_NEIGHBOURS]),
        "dependents": list(lineage.dependents[:MAX_NEIGHBOURS]),
        "before": sorted(lineage.all_needed),
        "after": sorted(lineage.all_dependents),
        "likely": lineage.is_likely,
    }


def latest_failures(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Of these attempts those that failed, at most `MAX_FAILURES`, the latest first."""
    failed = [attempt for attempt in attempts if attempt.kind in TASKS and attempt.failed]
    failed.sort(key=lambda attempt: attempt.closed_event_id or 0, reverse=True)
    return failed[:MAX_FAILURES]


def status_record(status: str) -> dict[str, str]:
    """The style in which a status of an execution is shown."""
    return _style_record(STATUSES[status])


def state_styles() -> dict[str, dict[str, str]]:
    """The styles in which states of tasks are shown."""
    return {state: _style_record(of) for state, of in STATES.items()}


def _style_record(of: Style) -> dict[str, str]:
    return {"word": of.word, "glyph": of.glyph, "colour": of.colour}


def count_records(counts: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    """Numbers of tasks by state, for the bar and the line below it; without those of which there are none."""
    return [_style_record(style_of(state)) | {"number": number} for state, number in counts if number]


def waits_record(waits: Sequence[Wait], lines: Sequence[str]) -> dict[str, Any]:
    """The waits of it: lines, the names of the signals that it waits for itself, and those of its children, each with
    the id of the child; and whether a decision is blocked, of it or of one below it."""
    signals = [wait.id for wait in waits if wait.kind == SIGNAL and wait.depth == 0 and wait.id]
    below = [[wait.workflow_id, wait.id] for wait in waits if wait.kind == SIGNAL and wait.depth and wait.id]
    return {
        "lines": first_lines(lines),
        "signals": signals,
        "below": below[:MAX_LINES],
        "blocked": any(wait.kind == BLOCKED for wait in waits),
    }


def first_lines(lines: Sequence[str]) -> list[str]:
    """The first of these lines, and how many more there are."""
    more = len(lines) - MAX_LINES
    return [bounded(line, HOVER_LIMIT) for line in lines[:MAX_LINES]] + ([f"and {more:,} more"] if more > 0 else [])


def running_names(names: Sequence[str]) -> list[str]:
    """The names of the types of what runs, the first ones."""
    return [shortened(name) for name in names[:MAX_LINES]] + (["…"] if len(names) > MAX_LINES else [])


def report_lines(reports: Iterable[tuple[str, Any]]) -> list[str]:
    """The progress of activities, by their ids and heartbeats: the first ones, as `copy-1 40 %`."""
    first = itertools.islice(reports, MAX_LINES)
    return [f"{shortened(activity_id)} {bounded(share(progress), HOVER_LIMIT)}" for activity_id, progress in first]


def title_record(*, workflow_type: str, version: str, workflow_id: str, run_id: str) -> dict[str, str]:
    """The texts that name it."""
    names = {"type": workflow_type, "version": version, "workflow_id": workflow_id, "run_id": run_id}
    return {key: shortened(value, LABEL_LIMIT) for key, value in names.items()}
