"""Histories cut into decision batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.replay.history_reader import DecisionBatch, HistoryReader
from simpleflow_lab.swf.history import History, HistoryEvent
from tests.replay.story import START

HISTORIES = sorted((Path(__file__).parent.parent / "histories").rglob("*.json"))


def events(*described: tuple[str, dict]) -> list[HistoryEvent]:
    return [HistoryEvent(number, type_, START, its) for number, (type_, its) in enumerate(described, 1)]


def shape(batches: list[DecisionBatch]) -> list[tuple[int, int, list[int]]]:
    """Ids: of the start of each decision, of its completion, and of the events that record it."""
    return [(batch.started_event_id, batch.completed.id, [event.id for event in batch.recorded]) for batch in batches]


def all_batches(reader: HistoryReader, history: list[HistoryEvent]) -> list[DecisionBatch]:
    last = [*reader.read(history)]
    left = reader.take_last_batch()
    return [*last, *([left] if left is not None else [])]


STARTED = ("WorkflowExecutionStarted", {})
TWO_DECISIONS = events(
    STARTED,
    ("DecisionTaskScheduled", {}),
    ("DecisionTaskStarted", {"identity": '{"simpleflow_lab": "1", "max_open": 7}'}),
    ("DecisionTaskCompleted", {"startedEventId": 3}),
    ("ActivityTaskScheduled", {"decisionTaskCompletedEventId": 4}),
    ("TimerStarted", {"decisionTaskCompletedEventId": 4}),
    ("ActivityTaskStarted", {"scheduledEventId": 5}),
    ("DecisionTaskScheduled", {}),
    ("DecisionTaskStarted", {"identity": "somebody else"}),
    ("DecisionTaskCompleted", {"startedEventId": 9}),
    ("WorkflowExecutionCompleted", {"decisionTaskCompletedEventId": 10}),
)


def test_a_batch_holds_the_events_that_record_its_decision() -> None:
    assert shape([*HistoryReader().read(TWO_DECISIONS)]) == [(3, 4, [5, 6]), (9, 10, [11])]


def test_a_batch_is_complete_when_another_event_follows_and_not_before() -> None:
    reader = HistoryReader()
    assert [*reader.read(TWO_DECISIONS[:6])] == []
    assert shape([*reader.read(TWO_DECISIONS[6:7])]) == [(3, 4, [5, 6])]
    assert reader.take_last_batch() is None


def test_the_last_batch_can_be_taken_by_whoever_knows_that_it_is_complete() -> None:
    reader = HistoryReader()
    assert shape(all_batches(reader, TWO_DECISIONS[:6])) == [(3, 4, [5, 6])]
    assert [*reader.read(TWO_DECISIONS[6:9])] == []


def test_a_decision_without_commands_is_a_batch_too() -> None:
    history = events(
        STARTED,
        ("DecisionTaskScheduled", {}),
        ("DecisionTaskStarted", {}),
        ("DecisionTaskCompleted", {"startedEventId": 3}),
        ("WorkflowExecutionSignaled", {"signalName": "s"}),
    )
    assert shape([*HistoryReader().read(history)]) == [(3, 4, [])]


def test_what_became_of_a_request_later_records_no_decision() -> None:
    """A child that could not start after all is told of with the id of the decision that asked for it."""
    history = events(
        STARTED,
        ("DecisionTaskScheduled", {}),
        ("DecisionTaskStarted", {}),
        ("DecisionTaskCompleted", {"startedEventId": 3}),
        ("StartChildWorkflowExecutionInitiated", {"decisionTaskCompletedEventId": 4}),
        ("StartChildWorkflowExecutionFailed", {"decisionTaskCompletedEventId": 4, "initiatedEventId": 5}),
    )
    assert shape([*HistoryReader().read(history)]) == [(3, 4, [5])]


def test_the_identity_of_a_decider_of_ours_is_known() -> None:
    reader = HistoryReader()
    assert len([*reader.read(TWO_DECISIONS)]) == 2
    assert reader.decider_of(3) == {"simpleflow_lab": "1", "max_open": 7}
    assert reader.decider_of(9) is None


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_event_by_event_gives_the_batches_of_the_whole(path: Path) -> None:
    history = list(History.from_file(path))
    reader, found = HistoryReader(), []
    for number in range(len(history)):
        # What was read before is skipped.
        found += reader.read(history[max(0, number - 2) : number + 1])
    left = reader.take_last_batch()
    assert [*found, *([left] if left is not None else [])] == all_batches(HistoryReader(), history)
    assert reader.events == history


def test_a_missing_event_is_an_error() -> None:
    reader = HistoryReader()
    assert [*reader.read(TWO_DECISIONS[:2])] == []
    with pytest.raises(HistoryError, match="event 4 came after event 2"):
        list(reader.read(TWO_DECISIONS[3:]))


def test_a_history_starts_at_its_start() -> None:
    with pytest.raises(HistoryError, match="starts with WorkflowExecutionStarted, not TimerFired"):
        list(HistoryReader().read(events(("TimerFired", {}))))
