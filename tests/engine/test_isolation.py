"""Activity tasks that were lost beside others run alone: by hand, without threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.test_client_sessions import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    opened = Engine().prepare()
    yield opened
    opened.swf.close()


def dies(engine: Engine, instance: str) -> None:
    connection = object()
    engine.swf.keep_session(instance=instance, record={}, connection=connection)
    engine.swf.connection_lost(instance, connection)


def lose_twice(engine: Engine) -> None:
    """Two tasks that were lost together two times, and are queued again; a third one that was never lost."""
    engine.session("d", {"a": "1"})
    engine.start("a", "d")
    for _ in range(2):
        task = engine.poll("decision", "d")
        engine.swf.respond_decision_task_completed(
            taskToken=task["taskToken"], decisions=[schedule("1"), schedule("2")]
        )
        engine.session("x", {}, {"b": "1"})
        assert engine.poll("activity", "x")
        assert engine.poll("activity", "x")
        dies(engine, "x")
    task = engine.poll("decision", "d")
    decisions = [schedule(activity_id) for activity_id in ("1", "2", "3", "4")]
    engine.swf.respond_decision_task_completed(taskToken=task["taskToken"], decisions=decisions)


def schedule(activity_id: str) -> dict[str, object]:
    return {
        "decisionType": "ScheduleActivityTask",
        "scheduleActivityTaskDecisionAttributes": {
            "activityId": activity_id,
            "activityType": {"name": "b", "version": "1"},
            "taskList": {"name": "l"},
            **dict.fromkeys(
                ("scheduleToCloseTimeout", "scheduleToStartTimeout", "startToCloseTimeout", "heartbeatTimeout"), "NONE"
            ),
        },
    }


def test_a_task_that_was_lost_beside_others_twice_runs_alone_in_its_process(engine):
    lose_twice(engine)
    engine.session("x", {}, {"b": "1"})
    first = engine.poll("activity", "x")
    assert first["activityId"] == "1"
    assert not engine.poll("activity", "x")
    engine.swf.respond_activity_task_completed(taskToken=first["taskToken"])
    second = engine.poll("activity", "x")
    assert second["activityId"] == "2"
    engine.swf.respond_activity_task_completed(taskToken=second["taskToken"])
    assert [engine.poll("activity", "x")["activityId"] for _ in range(2)] == ["3", "4"]


def test_other_processes_go_on_meanwhile(engine):
    lose_twice(engine)
    engine.session("x", {}, {"b": "1"})
    engine.session("y", {}, {"b": "1"})
    assert [engine.poll("activity", instance).get("activityId") for instance in "xyxy"] == ["1", "2", None, None]
    engine.session("z", {}, {"b": "1"})
    assert [engine.poll("activity", "z").get("activityId") for _ in range(2)] == ["3", "4"]


def test_a_process_that_never_had_nothing_to_do_makes_room_for_it(engine):
    engine.session("d", {"a": "1"})
    engine.session("y", {}, {"b": "1"})
    engine.start("a", "d")
    engine.schedule(engine.poll("decision", "d"), "b", "b")
    busy = [engine.poll("activity", "y") for _ in range(2)]
    lose_twice(engine)
    assert not engine.poll("activity", "y")
    for task in busy:
        engine.swf.respond_activity_task_completed(taskToken=task["taskToken"])
    assert engine.poll("activity", "y")["activityId"] == "1"


def test_what_was_lost_alone_counts_and_what_was_given_back_does_not(engine):
    lose_twice(engine)
    engine.session("x", {}, {"b": "1"})
    engine.poll("activity", "x")
    dies(engine, "x")
    (state,) = [each for each in engine.swf._durable.state.open.values() if each.lost_beside]
    assert state.lost_beside == {"1": 2, "2": 2}
