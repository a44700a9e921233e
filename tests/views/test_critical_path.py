"""The critical path: what kept an execution from going on, from its start to its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.attempts import Attempt, AttemptColumns
from simpleflow_lab.views.critical_path import critical_path
from simpleflow_lab.views.list_loads import loads_of
from tests.examples_count import examples
from tests.views.path_laws import check_path
from tests.views.story import Story, eventful, large, when

RECORDED = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_path_of_a_recorded_history_tiles_its_time(path: Path) -> None:
    check_path(History.from_file(path))


@pytest.mark.parametrize("history", [eventful(), large(300)], ids=["eventful", "large"])
def test_so_does_that_of_a_history_with_one_of_everything_and_of_a_large_one(history: History) -> None:
    check_path(history)


def test_a_decision_task_that_waits_for_the_current_decision_is_part_of_deciding() -> None:
    """SWF schedules the next one while the one before is made: nobody else could take it."""
    history = History.from_file(next(path for path in RECORDED if path.stem == "failing_workflow_output"))
    found = [(segment.kind, round(segment.seconds, 3)) for segment in critical_path(history).segments]
    assert found[2:] == [("child", 0.595), ("deciding", 0.505), ("no decider", 0.039), ("deciding", 0.579)]


def test_any_number_of_decisions_may_follow_each_other_with_nothing_new() -> None:
    story = Story()
    for second in range(2_000):
        story.at(second).decide(0.5)

    check_path(story.history())


@examples(100, 5_000)
@given(st.lists(st.integers(-60, 60), min_size=1, max_size=60))
def test_clocks_that_go_back_break_no_law(steps: list[int]) -> None:
    """Timestamps of somebody else's history need not grow with its events."""
    at, moved = 0.0, []
    for number, event in enumerate(eventful()):
        at += steps[number % len(steps)]
        moved.append(HistoryEvent(event.id, event.type, when(at), event.attributes))
    check_path(History(moved))


SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=20)


@examples(100, 5_000)
@given(SPANS)
def test_the_load_of_a_task_list_is_what_counting_at_each_start_gives(spans: list[tuple[int, int, int]]) -> None:
    """Of what ends and begins at one time, the end comes first."""
    attempts = [
        Attempt(
            kind="activity",
            name="load",
            version="1",
            id=f"load-{number}",
            attempt=1,
            state="completed",
            open=False,
            scheduled=when(scheduled),
            started=when(scheduled + waiting),
            closed=when(scheduled + waiting + running),
            task_list="etl",
        )
        for number, (scheduled, waiting, running) in enumerate(spans)
    ]
    load = loads_of(AttemptColumns.of(attempts), when(60))["etl"]
    starts = [(each.started, each.closed) for each in attempts]
    assert load.most_at_once == most_at_once(starts)
    assert load.most_open == most_at_once([(each.scheduled, each.closed) for each in attempts])
    assert load.busy[0][0] == min(start for start, _ in starts)


def most_at_once(spans: list[tuple[Any, Any]]) -> int:
    """The most that have begun and not ended at any of their starts."""
    return max(sum(start <= at for start, _ in spans) - sum(end <= at for _, end in spans) for at, _ in spans)
