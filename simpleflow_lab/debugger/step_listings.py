"""Steps and futures as tables of plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from simpleflow_lab.replay.lines import line_text
from simpleflow_lab.replay.trace import FutureRecord
from simpleflow_lab.views.listings import Kind, Listing

_STEPS: Final = {
    "step": Kind.COUNT,
    "trigger": Kind.TEXT,
    "started_event_id": Kind.COUNT,
    "completed_event_id": Kind.COUNT,
    "time": Kind.TIME,
    "new_events": Kind.COUNT,
    "commands": Kind.COUNT,
    "changed_futures": Kind.COUNT,
    "waiting_fibers": Kind.COUNT,
    "waits_at": Kind.TEXT,
    "output": Kind.TEXT,
    "decisions": Kind.COUNT,
    "bytes": Kind.COUNT,
    "events": Kind.COUNT,
    "error": Kind.TEXT,
}
_FUTURES: Final = {
    "future": Kind.COUNT,
    "kind": Kind.TEXT,
    "id": Kind.TEXT,
    "state": Kind.TEXT,
    "failed": Kind.TEXT,
    "value": Kind.TEXT,
    "attempts": Kind.COUNT,
    "line": Kind.TEXT,
    "fiber": Kind.TEXT,
    "depends_on": Kind.TEXT,
    "scheduled_event_id": Kind.COUNT,
    "started_event_id": Kind.COUNT,
    "closed_event_id": Kind.COUNT,
}


def steps_listing(rows: Sequence[tuple[object, ...]]) -> Listing:
    """One row per step."""
    return Listing(columns=_STEPS, rows=rows)


def futures_listing(futures: Iterable[FutureRecord]) -> Listing:
    """One row per future, as it was at the end of a step."""
    rows = [
        (
            future.number,
            future.kind,
            future.id,
            future.state,
            "yes" if future.failed else "no",
            future.value,
            future.attempts,
            None if future.line is None else line_text(future.line),
            None if future.fiber is None else future.fiber.label,
            ", ".join(map(str, future.depends_on)) or None,
            future.scheduled_event_id,
            future.started_event_id,
            future.closed_event_id,
        )
        for future in futures
    ]
    return Listing(columns=_FUTURES, rows=rows)
