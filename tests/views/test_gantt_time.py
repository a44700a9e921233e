"""The time axis of a Gantt chart, its lanes, and the lineage of a task."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.gantt import gantt
from simpleflow_lab.views.gantt_time import Fold, TimeAxis, folds_of
from simpleflow_lab.views.history_fold import fold_history
from tests.views.story import Story, eventful, large

HOUR = 3600


def nights(*, runs: bool = False) -> History:
    """Two hours of work, eight hours of a timer (or of a task), and two hours of work."""
    story = Story("shop.Nightly")
    story.decide()
    for number, start in enumerate((0, 10 * HOUR)):
        for part in range(4):
            task = story.at(start + part * 1800 + 10).schedule(f"load-{number}{part}", "shop.load")
            story.at(start + part * 1800 + 60).start(task, f"worker-{part % 2}")
            story.at(start + part * 1800 + 1700).complete(task)
        if number == 0:
            story.decide()
            if runs:
                slow = story.at(7300).schedule("slow", "shop.slow")
                story.start(slow)
                story.at(10 * HOUR).complete(slow)
            else:
                timer = story.at(7300).add("TimerStarted", timerId="night", startToFireTimeout="28000")
                story.at(10 * HOUR).add("TimerFired", timerId="night", startedEventId=timer)
    story.at(12 * HOUR).end("Completed")
    return story.history()


def test_hours_without_an_event_are_folded() -> None:
    figure = gantt(nights())

    (note,) = [note.text for note in figure.layout.annotations if "⁄⁄" in note.text]
    assert note == "7 h 58 min ⁄⁄"
    width = figure.layout.xaxis.range[1] - figure.layout.xaxis.range[0]
    assert width < 5 * HOUR
    assert not gantt(nights(), fold=False).layout.annotations


def test_hours_in_which_something_ran_are_folded_only_if_asked_for() -> None:
    assert folds_of(fold_history(nights(runs=True)), all_pauses=False) == []
    assert [round(fold.end - fold.start) for fold in folds_of(fold_history(nights(runs=True)), all_pauses=True)] == [
        28700
    ]


def test_a_short_execution_is_not_folded() -> None:
    assert (
        folds_of(fold_history(eventful()), all_pauses=False)
        == folds_of(fold_history(eventful()), all_pauses=True)
        == []
    )
    assert gantt(eventful()).layout.xaxis.type == "date"


@pytest.mark.parametrize("elapsed", [False, True])
@pytest.mark.parametrize(
    "seconds",
    [(1, -1_790_000_000, 2, -20_000_000, 13 * HOUR), (1, 10**9, 10, 2 * 10**9, 13 * HOUR), (1, -(10**9), 10**9, 10)],
    ids=["back", "forward", "both"],
)
def test_a_clock_that_was_set_by_decades_takes_no_memory(seconds: tuple[int, ...], elapsed: bool) -> None:
    story = Story()
    for number, second in enumerate(seconds):
        story.at(second).run(f"load-{number}", start=second, end=second)

    for fold in (None, True):
        figure = gantt(story.history(), elapsed=elapsed, fold=fold)
        assert len(figure.layout.xaxis.tickvals or ()) <= 100


def test_a_label_at_the_end_of_the_calendar_gets_the_room_that_there_is() -> None:
    story = Story()
    task = story.at(1).schedule("load", "shop.load")
    story.at(2).start(task)
    story.at(7_973 * 365.24 * 24 * HOUR).fail(task)  # the clock was set to the year 9998, and back
    story.at(3).end("Failed")

    _, last = gantt(story.history(), fold=False).layout.xaxis.range
    assert last.startswith("2026")


def test_elapsed_time_counts_from_the_start() -> None:
    wall, elapsed = gantt(eventful()), gantt(eventful(), elapsed=True)

    start = np.datetime64(eventful()[0].timestamp.replace(tzinfo=None), "ms")
    for before, after in zip(wall.data, elapsed.data, strict=True):
        times = before.base if before.type == "bar" else before.x
        seconds = after.base if after.type == "bar" else after.x
        assert np.allclose((np.asarray(times) - start).astype("int64") / 1000, np.asarray(seconds, dtype=float))
    assert elapsed.layout.xaxis.title.text == "seconds since the start"
    assert [trace.hovertext for trace in elapsed.data] == [trace.hovertext for trace in wall.data]


@given(
    st.lists(st.floats(0.001, 1e6), min_size=2, max_size=20),
    st.lists(st.floats(-100, 2e7), min_size=2, max_size=30),
)
def test_times_keep_their_order_however_they_are_folded(parts: list[float], times: list[float]) -> None:
    edges = np.cumsum(parts)
    folds = [Fold(float(edges[i]), float(edges[i + 1])) for i in range(0, len(edges) - 1, 2)]
    axis = TimeAxis(folds, float(edges[-1]))

    placed = axis.place(np.sort(np.array(times)))

    assert (np.diff(placed) >= -1e-6 * max(abs(placed).max(), 1)).all()
    for fold in folds:
        assert axis.place(np.array([fold.end]))[0] - axis.place(np.array([fold.start]))[0] == pytest.approx(axis.short)


def test_what_is_not_folded_keeps_its_length() -> None:
    figure = gantt(nights())

    lengths = {round(float(x)) for trace in figure.data if trace.name == "completed" for x in trace.x}
    assert lengths == {1640}


def test_lanes_are_of_workers_or_of_task_lists_if_asked_for() -> None:
    labels = [str(text) for text in gantt(nights(), by="worker").layout.yaxis.ticktext]

    assert {"worker-0 × 4", "worker-1 × 4"} <= set(labels)
    assert "in lanes by worker" in gantt(nights(), by="worker").layout.title.subtitle.text.replace("<br>", " ")
    assert any(text.endswith("× 8") for text in gantt(nights(), by="task_list").layout.yaxis.ticktext)
    with pytest.raises(UsageError, match="lanes are drawn by name, worker, task_list, not by 'colour'"):
        gantt(nights(), by="colour")


def test_a_lineage_is_drawn_and_the_rest_is_pale() -> None:
    story = Story("shop.Import")
    story.decide()
    ends = {}
    for name in ("a", "b"):
        ends[name] = story.at(1).schedule(name, f"pkg.{name}")
        story.start(ends[name])
    story.at(2).complete(ends["a"])
    story.decide()
    last = story.schedule("c", "pkg.c", control='{"after": ["a"]}')
    story.start(last)
    story.at(4).complete(last)
    story.end("Completed")

    figure = gantt(story.history(), lineage="a")

    pale = [trace for trace in figure.data if trace.name == "not of its lineage"]
    assert [len(trace.x) for trace in pale] == [1]
    assert sum(len(trace.x) for trace in figure.data if trace.type == "bar" and trace.name == "completed") == 2
    with pytest.raises(UsageError, match="no task 'z' in this execution: there are a, b, c"):
        gantt(story.history(), lineage="z")


def test_a_hover_box_says_what_a_task_came_from_and_what_came_of_it() -> None:
    story = Story("shop.Import")
    story.decide()
    first = story.schedule("a", "pkg.a<b>")
    story.start(first)
    story.complete(first)
    story.decide()
    for number in range(5):
        last = story.schedule(f"c{number}", "pkg.c", control='{"after": ["a"]}')
        story.start(last)
        story.complete(last)
    story.end("Completed")

    hovers = [hover for trace in gantt(story.history()).data if trace.name == "completed" for hover in trace.hovertext]

    assert any("before c0, c1, c2 and 2 more" in hover for hover in hovers)
    assert sum("after a<br>" in hover for hover in hovers) == 5


def test_in_a_chart_of_many_tasks_only_the_lineage_is_left() -> None:
    folded = fold_history(large(2_500))
    one = folded.attempts[7]

    figure = gantt(folded, lineage=one.id)

    assert sum(len(trace.x) for trace in figure.data if trace.type == "bar") < 60


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parent.parent / "histories").glob("*.json")), ids=lambda path: path.stem
)
def test_any_history_is_drawn_in_any_way(file: Path) -> None:
    history = History.from_file(file)

    for options in ({"fold": True}, {"elapsed": True}, {"fold": True, "elapsed": True}, {"by": "worker"}):
        gantt(history, **options).to_svg()
