"""What holds of every watched history, whatever the workflow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from simpleflow_lab import Workflow
from simpleflow_lab.replay.trace import DecisionRecord, watch
from simpleflow_lab.swf.history import HistoryEvent


def check_trace(
    workflow: type[Workflow], history: Sequence[HistoryEvent], cuts: Iterable[int] = (), **options: Any
) -> None:
    """Watch a history that the workflow's code wrote, whole and cut after these events, and check the records."""
    records = list(watch(workflow, history, **options))
    completed = [event for event in history if event.type == "DecisionTaskCompleted"]
    assert [record.completed_event_id for record in records] == [event.id for event in completed]
    seen = [event.id for record in records for event in record.events]
    assert seen == list(range(1, len(seen) + 1))
    numbers = [command.number for record in records for command in record.commands]
    assert numbers == sorted(set(numbers))
    for record in records:
        _check_record(record, history)
    for until in cuts:
        cut = list(watch(workflow, history, until=until, dry=True, **options))
        same = [record for record in records if (record.completed_event_id or 0) <= until]
        whole = cut[: len(same)]
        assert [record.commands for record in whole] == [record.commands for record in same]
        assert [record.suspended for record in whole] == [record.suspended for record in same]
        assert len(cut) - len(same) in (0, 1)


def _check_record(record: DecisionRecord, history: Sequence[HistoryEvent]) -> None:
    assert record.is_replayed
    assert record.error is None
    assert record.divergence is None
    recorded = {event.id for event in record.recorded}
    assert {match.event_id for match in record.matches} <= recorded
    assert all(history[id - 1].decision is not None for id in recorded)
    assert len(record.decisions) == len(record.matches)
    futures = record.futures
    assert [future.number for future in futures] == list(range(1, len(futures) + 1))
    for future in futures:
        assert all(number < future.number for number in future.depends_on)
        if future.state == "FINISHED":
            assert future.value is not None
        events = [future.scheduled_event_id, future.started_event_id, future.closed_event_id]
        known = [event for event in events if event is not None]
        assert known == sorted(known)
        assert future.attempts == 0 or future.scheduled_event_id is not None
    for fiber in record.suspended:
        assert fiber.name.label
        assert fiber.recorded_at <= record.started_event_id
