"""pandas tables: columns, types, values."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simpleflow_lab.swf.history import History
from simpleflow_lab.views.history_fold import fold_history
from simpleflow_lab.views.profile import profile_table
from simpleflow_lab.views.tables import (
    decisions_table,
    events_table,
    executions_table,
    failed_rows_first,
    point_events_table,
    tasks_table,
    unhandled_failures,
)
from tests.views.story import Story, eventful, large, when

RECORDED = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))
TABLES = (tasks_table, events_table, decisions_table, point_events_table, unhandled_failures, profile_table)
UTC_MS = "datetime64[ms, UTC]"


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_histories_tabulate(path: Path) -> None:
    history = History.from_file(path)
    empty = History()
    for table in TABLES:
        frame = table(history)
        pd.testing.assert_frame_equal(frame, table(history))
        assert frame.dtypes.equals(table(empty).dtypes), f"{table.__name__}: types depend on the data"
    assert events_table(history)["id"].tolist() == [event.id for event in history]
    tasks = tasks_table(history)
    closed = tasks[~tasks["open"] & tasks["started"].notna()]
    spent = (closed["closed"] - closed["scheduled"]).dt.total_seconds()
    np.testing.assert_allclose(closed["waiting"] + closed["running"], spent)


def test_the_basic_example_of_amazon_swf() -> None:
    tasks = tasks_table(History.from_file(RECORDED[0].with_name("workflow_execution_basic.json")))

    assert tasks["name"].tolist() == [f"examples.basic.{name}" for name in ("increment", "Delay", "double")]
    assert tasks["state"].tolist() == ["completed"] * 3
    assert tasks["result"].tolist() == ["2", "2", "4"]
    assert tasks["waiting"].tolist() == [0.055, 0.042, 30.704]
    assert tasks["running"].tolist() == [0.27, 30.24, 0.236]
    assert tasks["worker"].unique().tolist() == ["lab@worker:1"]
    assert tasks["started"][1] == pd.Timestamp("2017-01-17 18:05:55.476", tz="UTC")


def test_a_recorded_failure_that_nobody_looked_at() -> None:
    history = History.from_file(RECORDED[0].with_name("failing_activity_output.json"))

    (row,) = unhandled_failures(history).to_dict("records")

    assert (row["state"], row["unhandled"]) == ("failed", True)
    assert row["reason"] == "JumboTooLargeError: Message too long (10485762 chars)"


def test_failures_of_an_open_execution_are_those_so_far() -> None:
    story = Story()
    story.decide(0.1)
    for name, reason in (("away-1", "OSError: away"), ("wrong-1", "ValueError: no")):
        task = story.schedule(name)
        story.start(task)
        story.at(2).fail(task, reason=reason)
    story.decide(0.1)

    assert unhandled_failures(story.history())["id"].tolist() == ["away-1", "wrong-1"]
    story.end("Failed", reason="ValueError: no")
    assert unhandled_failures(story.history()).empty


def test_tasks_are_typed() -> None:
    tasks = tasks_table(eventful())

    types = tasks.dtypes.astype(str).to_dict()
    assert {types[name] for name in ("scheduled", "started", "closed")} == {UTC_MS}
    assert {types[name] for name in ("waiting", "running")} == {"float64"}
    assert {types[name] for name in ("open", "cancel_requested", "retried", "unhandled")} == {"bool"}
    assert {types[name] for name in ("attempt", "scheduled_event_id")} == {"int64"}
    assert {types[name] for name in ("priority", "closed_event_id")} == {"Int64"}
    assert len(tasks) == 11
    assert tasks["open"].sum() == 3
    assert tasks.loc[tasks["open"], "closed"].isna().all()
    assert tasks["priority"].dropna().tolist() == [5]


def test_times_of_any_year_and_zone_come_out_as_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=-7))
    story = Story()
    story.schedule("a")
    first, task = story.history()
    history = History(
        [
            first._replace(timestamp=datetime.datetime(1, 1, 2, tzinfo=datetime.UTC)),
            task._replace(timestamp=datetime.datetime(9999, 12, 30, 23, 59, 59, 999_000, tzinfo=zone)),
        ]
    )

    assert str(tasks_table(history)["scheduled"][0]) == "9999-12-31 06:59:59.999000+00:00"


def test_events_say_what_they_are_about() -> None:
    events = events_table(eventful()).set_index("id")

    started = events[events["type"] == "ActivityTaskStarted"].iloc[0]
    assert (started["kind"], started["name"], started["state"]) == ("activity", "activity-shop.load-1", "started")
    assert events.loc[started["entity"], "type"] == "ActivityTaskScheduled"
    assert events.loc[1, "attributes"]["workflowType"] == {"name": "shop.orders.Import", "version": "1.2"}
    assert events["elapsed"].tolist() == sorted(events["elapsed"])


def test_decisions_count_and_name_what_was_decided() -> None:
    decisions = decisions_table(eventful(), until=when(8))

    assert decisions["decisions"].tolist() == [3, 4, 3, 3, 0]
    assert decisions["kinds"][0] == "ScheduleActivityTask × 2, StartTimer"
    assert decisions["state"].tolist() == ["completed"] * 4 + ["scheduled"]
    assert decisions["waiting"].iloc[-1] == 1.0
    assert np.isnan(decisions["deciding"].iloc[-1])


def test_executions_from_what_boto3_lists() -> None:
    opened = {
        "execution": {"workflowId": "w-1", "runId": "r-1"},
        "workflowType": {"name": "pkg.Story", "version": "1"},
        "startTimestamp": when(0).astimezone(datetime.timezone(datetime.timedelta(hours=2))),
        "executionStatus": "OPEN",
        "cancelRequested": True,
        "tagList": ["a", "b", "forked-from:r-9"],
        "parent": {"workflowId": "w-0", "runId": "r-0"},
    }
    closed = {**opened, "closeTimestamp": when(90), "executionStatus": "CLOSED", "closeStatus": "FAILED"}

    table = executions_table([opened, closed], until=when(5))

    assert table["status"].tolist() == ["OPEN", "FAILED"]
    assert table["duration"].tolist() == [5.0, 90.0]
    assert table["started"].tolist() == [pd.Timestamp(when(0))] * 2
    assert table.dtypes.astype(str)["closed"] == UTC_MS
    tags = ("a", "b", "forked-from:r-9")
    assert table.loc[0, ["parent", "cancel_requested", "tags", "forked_from"]].tolist() == ["w-0", True, tags, "r-9"]
    assert np.isnan(executions_table([opened])["duration"][0])
    assert executions_table([]).dtypes.equals(table.dtypes)


def test_a_profile_adds_up_attempts_by_name() -> None:
    profile = profile_table(eventful()).set_index("name")

    load = profile.loc["shop.load"]
    assert (load["count"], load["attempts"], load["failed"], load["open"]) == (1, 3, 2, 0)
    assert load["total_running"] == pytest.approx(1.2 + 1.5 + 1.1)
    assert load["max_running"] == 1.5
    assert load["median_running"] == 1.2
    assert load["percentage"] == pytest.approx(100 * 3.8 / 7.0)
    assert profile.loc["shop.Audit", "total_running"] == pytest.approx(4.6), "what is open counts"
    assert profile.loc["shop.queue", "total_waiting"] == pytest.approx(1.4)
    assert np.isnan(profile.loc["shop.queue", "mean_running"])
    assert profile["total_running"].tolist() == sorted(profile["total_running"], reverse=True)


def test_a_table_is_the_callers_own() -> None:
    history = eventful()
    before = history.to_json()

    events_table(history)["attributes"][0]["input"] = "changed"
    tasks = tasks_table(history)
    tasks["state"] = "changed"

    assert history.to_json() == before


def test_times_of_a_table_are_not_those_of_the_next_one() -> None:
    folded = fold_history(eventful())
    first, second = tasks_table(folded), tasks_table(folded)
    first["scheduled"].array[:] = pd.NaT
    assert second["scheduled"].notna().all()
    assert tasks_table(folded)["scheduled"].notna().all()


def test_twenty_five_thousand_events_tabulate() -> None:
    history = large(8_300)
    assert len(history) == 24_908

    tasks = tasks_table(history)

    assert len(tasks) == 8_300
    assert tasks["id"].is_unique
    assert (tasks["attempt"] == 1).all()
    assert profile_table(history)["attempts"].sum() == 8_300


def many(number: int = 200, failed: int = 100) -> History:
    story = Story()
    for each in range(number):
        task = story.schedule(f"a-{each}")
        story.start(task)
        if each == failed:
            story.fail(task)
        else:
            story.complete(task)
    return story.history()


@pytest.mark.parametrize("timer", ["_simpleflow_wake_up_timer", "__simpleflow_task_a-1"])
def test_a_timer_by_which_a_decider_pauses_is_no_task(timer: str) -> None:
    story = Story()
    story.complete(story.schedule("a-1"))
    for name in (timer, "patience"):
        story.add("TimerStarted", timerId=name, startToFireTimeout="0", decisionTaskCompletedEventId=story.decided)
    history = story.history()

    assert tasks_table(history)["id"].tolist() == ["a-1", "patience"]
    counts = fold_history(history).task_counts
    assert (counts.completed, counts.running, counts.waiting, counts.failed) == (1, 1, 0, 0)
    assert counts.running_names == ("patience",)
    assert timer in str(events_table(history)["attributes"].tolist())


def test_what_failed_comes_first_where_a_table_of_tasks_is_cut() -> None:
    table = tasks_table(many())

    shown = failed_rows_first(table, limit=60)
    assert shown["id"].tolist()[:3] == ["a-100", "a-0", "a-1"]
    assert sorted(shown.index) == list(table.index)
    assert failed_rows_first(table, limit=200) is table
    by_state = table.sort_values("running")
    assert failed_rows_first(by_state.iloc[::-1], limit=60)["id"].tolist() == by_state.iloc[::-1]["id"].tolist()
    counts = table.groupby("state").size().to_frame()
    assert failed_rows_first(counts, limit=0) is counts
    assert type(table) is pd.DataFrame
