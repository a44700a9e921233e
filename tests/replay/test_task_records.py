"""Histories with records: upstream's keys, each event folded once, of any history."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import simpleflow_lab.history

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.replay import task_records
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.swf.event_types import EVENT_TYPES
from simpleflow_lab.swf.history import History, HistoryEvent
from tests.views.story import eventful

NOW = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)
FOLDER = Path(__file__).parents[1] / "histories"
RECORDED = sorted(FOLDER.glob("*.json"))
KINDS = ["workflow", "activities", "child_workflows", "signals", "signal_lists", "markers", "timers", "tasks"]


def records(history: HistoryWithRecords) -> dict[str, object]:
    return {kind: getattr(history, kind) for kind in KINDS}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_history_that_grows_event_by_event_has_the_records_of_the_whole(path: Path) -> None:
    """UB-18: however often it is read and whenever, nothing is counted twice."""
    history = History.from_file(path)
    growing = HistoryWithRecords(history, length=0)
    for length in range(len(history) + 1):
        growing.advance(length)
        assert growing.last_event_id == (length or None)
        assert records(growing) == records(growing)
        growing.parse()
    assert records(growing) == records(HistoryWithRecords(history))
    assert [event.id for event in growing] == [event.id for event in history]
    assert len(growing.activities) == len(
        {e.attributes["activityId"] for e in history if e.type.endswith("yTaskScheduled")}
    )


def test_the_retries_of_an_activity_count_from_zero() -> None:
    history = HistoryWithRecords(History.from_file(FOLDER / "failing_activity_output.json"))
    [record] = history.activities.values()
    assert record["state"] == "failed"
    assert record["retry"] == 0
    assert record["reason"]
    assert history[record["failed_id"] - 1].type == "ActivityTaskFailed"


def test_a_canceled_timer_has_upstreams_keys() -> None:
    history = HistoryWithRecords(History.from_file(FOLDER / "timer_and_cancel.json"))
    canceled = [timer for timer in history.timers.values() if timer["state"] == "canceled"]
    assert canceled
    assert set(canceled[0]) >= {"id", "start_to_fire_timeout", "started_event_id", "canceled_event_id", "control"}
    assert isinstance(canceled[0]["start_to_fire_timeout"], int)


def test_a_signals_input_is_decoded_and_all_occurrences_are_recorded() -> None:
    history = HistoryWithRecords(History.from_file(FOLDER / "unrequested_signal.json"))
    [(name, latest)] = history.signals.items()
    assert history.get_signal_events(name)[-1] == latest
    assert history.signal_lists["never came"] == []
    assert history.event_details("signal", name) == latest
    assert history.event_details("signal", "never came") is None


def test_lambda_events_and_workers_without_identity_do_not_trouble_it() -> None:
    """UB-11 and UB-12."""
    history = HistoryWithRecords(eventful())
    assert any(record["identity"] is None for record in history.activities.values() if "identity" in record)
    assert history.child_workflows
    assert history.markers
    assert history.completed_decision_id is not None


def test_every_event_type_that_changes_a_record_is_one_of_swfs() -> None:
    assert set(task_records._EVENTS) <= set(EVENT_TYPES)


def test_a_kind_that_has_no_details_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match='"marker", "signal" and "timer"'):
        HistoryWithRecords().event_details("activity", "x")


def test_history_is_one_class_for_users_and_upstreams_programs() -> None:
    assert simpleflow_lab.History is simpleflow_lab.history.History is HistoryWithRecords
    history = simpleflow_lab.History.from_file(FOLDER / "failing_activity_output.json")
    assert history == History.from_file(FOLDER / "failing_activity_output.json")
    assert isinstance(history[3:], simpleflow_lab.History)
    assert history.activities
    path = FOLDER / "failing_activity_output.json"
    for recorded in (simpleflow_lab.open_history(path), simpleflow_lab.RecordedExecution(History.from_file(path))):
        assert isinstance(recorded.history(), simpleflow_lab.History)
        assert recorded.history() == history


def test_a_running_executions_history_and_its_executors_are_the_public_history() -> None:
    class Seeing(Workflow):
        name = "records.seeing"
        task_list = "records"

        def run(self) -> bool:
            return isinstance(self.executor.history, simpleflow_lab.History)

    with Lab(":memory:") as lab:
        execution = lab.start(Seeing)
        assert execution.result(200) is True
        assert isinstance(execution.history(), simpleflow_lab.History)
        assert execution.history().workflow["state"] == "completed"


@pytest.mark.parametrize("start", range(12))
def test_a_slice_has_the_records_of_what_began_in_it(start: int) -> None:
    history = HistoryWithRecords(eventful())
    sliced = history[start:]
    assert [event.id for event in sliced] == list(range(start + 1, len(history) + 1))
    scheduled = {e.attributes["activityId"] for e in sliced if e.type == "ActivityTaskScheduled"}
    assert scheduled <= set(sliced.activities) <= set(history.activities)


def test_an_attempt_has_the_keys_of_its_own_events_only() -> None:
    events = [
        HistoryEvent(1, "WorkflowExecutionStarted", NOW, {}),
        *_attempt(2, "ActivityTaskTimedOut", timeoutType="START_TO_CLOSE"),
        *_attempt(5, "ActivityTaskFailed", reason="no"),
    ]
    history = HistoryWithRecords(events)
    first, second = history.attempts()
    assert first == history.attempt(events[3])
    assert first["timeout_value"] == "7"
    assert second == history.attempt(events[6])
    assert second == {
        **{"type": "activity", "id": "a", "name": "n", "version": "1", "state": "failed"},
        **{"scheduled_id": 5, "started_id": 6, "failed_id": 7},
        **{f"{state}_timestamp": NOW for state in ("scheduled", "started", "failed")},
        **{"identity": "w", "input": '{"args": [1]}', "control": None, "task_list": None, "reason": "no"},
        **{"details": None, "decision_task_completed_event_id": None, "activity_type": {"name": "n", "version": "1"}},
    }
    assert history.activities["a"]["retry"] == 1


def _attempt(scheduled: int, ended: str, **attributes: str) -> list[HistoryEvent]:
    type_ = {"name": "n", "version": "1"}
    started = scheduled + 1
    given = {"activityId": "a", "activityType": type_, "input": '{"args": [1]}', "startToCloseTimeout": "7"}
    return [
        HistoryEvent(scheduled, "ActivityTaskScheduled", NOW, given),
        HistoryEvent(started, "ActivityTaskStarted", NOW, {"scheduledEventId": scheduled, "identity": "w"}),
        HistoryEvent(started + 1, ended, NOW, {"scheduledEventId": scheduled, "startedEventId": started, **attributes}),
    ]
