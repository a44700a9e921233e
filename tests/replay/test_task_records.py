"""A workflow's view of its history: upstream's records, each event folded once, on anybody's histories."""

from __future__ import annotations

from pathlib import Path

import pytest

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.replay import task_records as views
from simpleflow_lab.swf.event_types import EVENT_TYPES
from simpleflow_lab.swf.history import History
from tests.views.story import eventful

FOLDER = Path(__file__).parents[1] / "histories"
RECORDED = sorted(FOLDER.glob("*.json"))
KINDS = ["workflow", "activities", "child_workflows", "signals", "signal_lists", "markers", "timers", "tasks"]


def records(view: views.History) -> dict[str, object]:
    return {kind: getattr(view, kind) for kind in KINDS}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_view_that_grows_event_by_event_says_what_one_of_the_whole_says(path: Path) -> None:
    """UB-18: however often it is read and whenever, nothing is counted twice."""
    history = History.from_file(path)
    growing = views.History(history, length=0)
    for length in range(len(history) + 1):
        growing.advance(length)
        assert growing.last_event_id == (length or None)
        assert records(growing) == records(growing)
        growing.parse()
    assert records(growing) == records(views.History(history))
    assert [event.id for event in growing] == [event.id for event in history]
    assert len(growing.activities) == len(
        {e.attributes["activityId"] for e in history if e.type.endswith("yTaskScheduled")}
    )


def test_an_activity_that_was_tried_again_counts_its_retries_from_zero() -> None:
    view = views.History(History.from_file(FOLDER / "failing_activity_output.json"))
    [record] = view.activities.values()
    assert record["state"] == "failed"
    assert record["retry"] == 0
    assert record["reason"]
    assert view[record["failed_id"] - 1].type == "ActivityTaskFailed"


def test_a_timer_that_was_canceled_says_so_by_upstreams_keys() -> None:
    view = views.History(History.from_file(FOLDER / "timer_and_cancel.json"))
    canceled = [timer for timer in view.timers.values() if timer["state"] == "canceled"]
    assert canceled
    assert set(canceled[0]) >= {"id", "start_to_fire_timeout", "started_event_id", "canceled_event_id", "control"}
    assert isinstance(canceled[0]["start_to_fire_timeout"], int)


def test_a_signal_has_its_input_decoded_and_all_occurrences_are_kept() -> None:
    view = views.History(History.from_file(FOLDER / "unrequested_signal.json"))
    [(name, latest)] = view.signals.items()
    assert view.get_signal_events(name)[-1] == latest
    assert view.signal_lists["never came"] == []
    assert view.event_details("signal", name) == latest
    assert view.event_details("signal", "never came") is None


def test_lambda_events_and_workers_without_identity_do_not_trouble_it() -> None:
    """UB-11 and UB-12."""
    view = views.History(eventful())
    assert any(record["identity"] is None for record in view.activities.values() if "identity" in record)
    assert view.child_workflows
    assert view.markers
    assert view.completed_decision_id is not None


def test_every_type_of_event_that_is_told_is_one_of_swfs() -> None:
    assert set(views._EVENTS) <= set(EVENT_TYPES)


def test_a_kind_that_has_no_details_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match='"marker", "signal" and "timer"'):
        views.History().event_details("activity", "x")
