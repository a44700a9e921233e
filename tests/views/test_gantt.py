"""The Gantt chart: bars where the time went, drawn so that nothing is told by colour alone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from simpleflow_lab import RecordedExecution
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.critical_path import KINDS, critical_path
from simpleflow_lab.views.execution_page import gantt_html
from simpleflow_lab.views.gantt import MAX_LANES, NARROW_PLOT, gantt
from simpleflow_lab.views.gantt_drawing import PATH
from simpleflow_lab.views.gantt_path import MAX_SEGMENTS
from simpleflow_lab.views.history_fold import tasks_of
from simpleflow_lab.views.markup import escape
from simpleflow_lab.views.style import SEGMENT_STYLES, STATES
from tests.views.story import Story, eventful, large, when
from tests.views.troubles import slow_task_off_the_path

PATH_ROW = "<b>critical path</b>"
RECORDED = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


def trace(figure: go.Figure, name: str, kind: str = "bar") -> Any:
    (found,) = [
        trace for trace in figure.data if trace.name == name and trace.type == kind and trace.legendgroup != PATH
    ]
    return found


def rows(figure: go.Figure) -> dict[str, float]:
    found = dict(zip(figure.layout.yaxis.ticktext, figure.layout.yaxis.tickvals, strict=True))
    return {label: row for label, row in found.items() if label != PATH_ROW}


def bars(figure: go.Figure) -> int:
    return sum(len(trace.y) for trace in figure.data if trace.type == "bar" and trace.legendgroup != PATH)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_histories_draw(path: Path) -> None:
    history = History.from_file(path)

    figure = gantt(history)

    assert figure.to_json() == gantt(history).to_json()
    for drawn in figure.data:
        times = drawn.base if drawn.type == "bar" else drawn.x
        assert times.dtype == "datetime64[ms]", "plotly's widget draws nanoseconds wrong"
        assert times.min() >= np.datetime64(history[0].timestamp.replace(tzinfo=None), "ms")


def test_an_attempt_is_a_thin_bar_that_waits_and_a_thick_one_that_runs() -> None:
    story = Story()
    story.at(1).run("a-1", start=3, end=7.5)
    figure = gantt(story.at(8).history())

    waits, runs = trace(figure, "waiting"), trace(figure, "completed")

    assert (waits.base[0], waits.x[0]) == (np.datetime64("2026-01-01T12:00:01"), 2000)
    assert (runs.base[0], runs.x[0]) == (np.datetime64("2026-01-01T12:00:03"), 4500)
    assert waits.width[0] < runs.width[0]
    assert waits.y[0] == runs.y[0] == rows(figure)["a-1"]
    assert "waiting 2.0 s, running 4.5 s" in runs.hovertext[0]


def test_retries_stay_on_the_row_of_their_task() -> None:
    figure = gantt(eventful())

    row = rows(figure)["load-1"]

    assert {name for name in ("failed", "timed out", "completed") if row in trace(figure, name).y} == {
        "failed",
        "timed out",
        "completed",
    }
    assert "attempt 2 of 3" in trace(figure, "timed out").hovertext[0]


def test_the_wait_before_a_retry_is_on_the_row_of_its_task_too() -> None:
    story = Story()
    timer = {"timerId": "__simpleflow_task_a-1"}
    failed = story.at(1).schedule("a-1")
    story.start(failed)
    story.at(2).fail(failed)
    started = story.add("TimerStarted", startToFireTimeout="60", decisionTaskCompletedEventId=story.decided, **timer)
    story.at(62).add("TimerFired", startedEventId=started, **timer)
    story.at(62).run("a-1", start=63, end=64)
    figure = gantt(story.history())

    assert list(rows(figure)) == ["a-1"]
    assert list(trace(figure, "timer fired").y) == [rows(figure)["a-1"]]


@pytest.mark.parametrize("end", [2.1, 1000])
def test_labels_beside_bars_have_room(end: float) -> None:
    story = Story()
    for task_id, closed in (("a-1", 2), ("a-2", end)):
        task = story.at(1).schedule(task_id)
        story.start(task)
        story.at(closed).fail(task, reason="ValueError: something went rather wrong")
    figure = gantt(story.history())

    (label, *_) = trace(figure, "failed", "scatter").text
    first, last = (np.datetime64(moment) for moment in figure.layout.xaxis.range)
    right_of_it = (last - trace(figure, "failed", "scatter").x[-1]) / (last - first)
    assert right_of_it * NARROW_PLOT > 5.5 * len(label)


def test_rows_are_in_the_order_of_scheduling_below_signals_and_decisions() -> None:
    assert list(rows(gantt(eventful()))) == [
        "<i>markers, signals</i>",
        "<i>decisions</i>",
        "load-1",
        "parse-1",
        "timer patience",
        "child audit-2026",
        "lambda resize-1",
        "render-1",
        "gone-1",
        "queue-1",
        "busy-1",
    ]


def test_what_is_open_runs_up_to_until_and_says_so() -> None:
    figure = gantt(eventful(), until=when(9))

    running = trace(figure, "running")
    ends = running.base + running.x.astype("timedelta64[ms]")
    assert set(ends) == {np.datetime64("2026-01-01T12:00:09")}
    assert running.marker.pattern.shape
    labels = trace(figure, "still open", "scatter")
    assert set(labels.text) == {"running", "not started"}


def test_what_was_open_when_the_execution_closed_ends_there() -> None:
    story = Story()
    story.start(story.at(1).schedule("a-1"))
    story.at(5).end("Terminated")

    figure = gantt(story.history(), until=when(1000))
    assert trace(figure, "not finished").x[0] == 4000
    assert trace(figure, "not finished", "scatter").text == ("not finished",)
    assert "still open" not in {each.name for each in figure.data}


def test_no_state_is_told_by_colour_alone() -> None:
    drawn = [(look.pattern, look.symbol, look.word) for look in STATES.values()]

    assert all(
        pattern for state, (pattern, _, _) in zip(STATES, drawn, strict=True) if state not in ("completed", "fired")
    )
    figure = gantt(eventful())
    for name in ("failed", "timed out", "running"):
        assert trace(figure, name).marker.pattern.shape
    assert trace(figure, "refused", "scatter").text == (" refused: ACTIVITY_TY…ES_NOT_EXIST",)


def test_unnoticed_failures_stand_above_the_chart() -> None:
    story = Story()
    story.fail(story.schedule("a-1"))
    story.end()

    assert "<b>⚠ 1 unhandled failure</b> · 1 task" in gantt(story.history()).layout.title.subtitle.text.replace(
        "<br>", " "
    )
    assert "unhandled" not in gantt(eventful()).layout.title.subtitle.text.replace("<br>", " ")


def test_title_and_subtitle_say_what_happened() -> None:
    layout = gantt(eventful(), until=when(65)).layout

    assert layout.title.text == "shop.orders.Import"
    assert layout.title.subtitle.text.replace("<br>", " ") == (
        "▶ OPEN · 1 min 5 s · 8 tasks in 10 attempts, 1 timer · waits for a decision: no decider has taken it from "
        "task list deciders, 2 activities, child audit-2026 of shop.Audit"
    )
    assert gantt(eventful(), title="mine").layout.title.text == "mine"


def test_the_figure_suits_a_light_and_a_dark_page_and_offers_no_upload() -> None:
    layout = gantt(eventful()).layout

    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert "sendChartToCloud" in layout.modebar.remove


def test_many_tasks_are_packed_into_lanes_by_name() -> None:
    figure = gantt(large(200, workers=12))

    assert "in lanes by name" in figure.layout.title.subtitle.text.replace("<br>", " ")
    assert [label for label in rows(figure) if "×" in label] == [f"pkg.step{i} × 50" for i in range(4)]
    assert bars(figure) == 200 + 2
    for drawn in figure.data:
        if drawn.type == "bar":
            assert_no_overlap(drawn)


@pytest.mark.parametrize("by", ["name", "worker", "task_list"])
@pytest.mark.parametrize("close", [None, "Terminated", "TimedOut"])
def test_what_never_started_covers_nothing_that_ran_in_its_lanes(close: str | None, by: str) -> None:
    story = Story()
    story.decide()
    tasks = [story.schedule(f"a-{i}") for i in range(200)]
    for i, task in enumerate(tasks[:100]):
        story.at(1 + i).start(task)
        story.at(1.9 + i).complete(task)
    story.at(102).start(tasks[100])
    story.at(103).time_out(tasks[101], "SCHEDULE_TO_START")
    story.at(104)
    if close:
        story.end(close)
    figure = gantt(story.history(), until=when(104), by=by)

    assert "waiting not drawn" in figure.layout.title.subtitle.text.replace("<br>", " ")
    ran = [each for each in figure.data if each.type == "bar" and each.name in ("completed", "running")]
    waited = trace(figure, "not started")
    assert len(waited.y) == 98
    assert len(set(waited.y)) == 1
    if by != "worker":
        assert max(max(each.y) for each in ran) == waited.y[0] - 1  # the last of its lanes
    assert not set(waited.y) & {y for each in ran for y in each.y}


def test_what_had_not_started_at_the_close_looks_otherwise_than_what_ran() -> None:
    story = Story()
    story.decide()
    ran, _ = story.schedule("ran-1"), story.schedule("queued-1")
    story.at(1).start(ran)
    story.at(5).end("Terminated")

    figure = gantt(story.history())

    assert list(trace(figure, "not finished").y) == [rows(figure)["ran-1"]]
    assert list(trace(figure, "not started").y) == [rows(figure)["queued-1"]]
    ends = trace(figure, "not finished", "scatter")
    assert ends.text == ("not finished", "not finished, not started")
    assert "⊟ not finished, not started<br>" in ends.hovertext[1]


def assert_no_overlap(drawn: Any) -> None:
    ends: dict[float, Any] = {}
    for i in np.argsort(drawn.base, kind="stable"):
        assert ends.get(drawn.y[i], drawn.base[i]) <= drawn.base[i]
        ends[drawn.y[i]] = drawn.base[i] + np.timedelta64(int(drawn.x[i]), "ms")


def test_more_lanes_than_fit_become_numbers_over_time() -> None:
    story = Story()
    tasks = [story.at(1).schedule(f"a-{i}") for i in range(MAX_LANES + 1)]
    for task in tasks:
        story.at(2).start(task)
    for task in tasks:
        story.at(4).complete(task)

    figure = gantt(story.history())

    assert "how many" in figure.layout.title.subtitle.text.replace("<br>", " ")
    (label,) = rows(figure)
    assert label == f"pkg.work × {len(tasks)}<br>at most {len(tasks)} waiting, {len(tasks)} running"
    hovers = trace(figure, "running").hovertext
    assert re.search(rf"<br>{len(tasks)}\.0 running<br>", hovers[len(hovers) // 2])


def test_thousands_of_tasks_in_a_few_seconds_are_counted_exactly() -> None:
    story = Story()
    for i in range(8_000):  # each begins when the one before ends
        story.at(i / 1000).run(f"a-{i}", start=i / 1000, end=(i + 1) / 1000)

    figure = gantt(story.history())

    running = [hover.split("<br>")[1] for hover in trace(figure, "running").hovertext]
    assert set(running) == {"1.0 running"}
    assert not [bar for bar in figure.data if bar.name == "waiting"], "none of them waited"


def test_a_history_at_swfs_limit_stays_small() -> None:
    figure = gantt(large(8_300))

    assert "8,300 tasks; above, how many wait" in figure.layout.title.subtitle.text.replace("<br>", " ")
    assert bars(figure) <= 2_000
    assert len(figure.to_json()) < 1_000_000
    failures = trace(figure, "failed", "scatter")
    said = sum(int(hover.partition(" ")[0]) for hover in failures.hovertext)
    assert said == sum(event.type == "ActivityTaskFailed" for event in large(8_300))


def test_names_beyond_the_first_share_a_row() -> None:
    figure = gantt(large(3_000, names=100))

    assert len(rows(figure)) == 16
    assert any(label.startswith("85 other names × ") for label in rows(figure))


@pytest.mark.parametrize("max_bars", [-1, 0, 1])
def test_any_number_of_bars_may_be_asked_for(max_bars: int) -> None:
    assert gantt(eventful(), max_bars=max_bars).data
    assert gantt(History(), max_bars=max_bars).layout.annotations[0].text == "<b>nothing was scheduled</b>"


def test_the_page_needs_nothing_else() -> None:
    page = gantt_html(eventful(), workflow_id="import-17", domain="test", until=when(9))

    assert page == gantt_html(eventful(), workflow_id="import-17", domain="test", until=when(9))
    ours = page.replace(page[page.index("<script>") : page.rindex("</script>")], "")
    assert "http" not in ours.replace("http-equiv", "")
    assert "default-src 'none'" in page
    for said in ("import-17", "shop.orders.Import", "ConnectionError: shop.example did not answer"):
        assert said in ours


def test_the_page_bounds_its_table() -> None:
    page = gantt_html(large(300), max_rows=10)

    assert page.count("<tr>") == 11
    assert "and 290 more attempts" in page


def test_the_page_whose_table_is_cut_has_what_failed_first() -> None:
    history = eventful()
    failed = [task.id for task in tasks_of(history) if task.failed and not task.retried]
    page = gantt_html(history, max_rows=len(failed))

    table = page[page.rindex("<tbody>") :]
    assert len(failed) > 1
    assert all(f">{escape(task)}<" in table for task in failed)


# -- the critical path -------------------------------------------------------------------------------------------------


def path_bars(figure: go.Figure) -> list[tuple[Any, Any, str]]:
    """Begin, end and kind of each bar of the row of the critical path, in the order of time."""
    found = [
        (start, start + np.timedelta64(int(length), "ms"), bar.name)
        for bar in figure.data
        if bar.type == "bar" and bar.legendgroup == PATH
        for start, length in zip(bar.base, bar.x, strict=True)
    ]
    return sorted(found)


@pytest.mark.parametrize("history", [eventful(), large(200), large(1_000)], ids=["rows", "lanes", "numbers"])
def test_every_chart_has_the_critical_path_above_the_tasks(history: History) -> None:
    figure = gantt(history)
    drawn = path_bars(figure)
    assert figure.layout.yaxis.ticktext[0] == PATH_ROW
    path = [segment for segment in critical_path(history).segments if segment.seconds]
    assert [kind for _, _, kind in drawn] == [SEGMENT_STYLES[segment.kind].word for segment in path]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(drawn))


def test_a_line_runs_along_the_bars_on_the_path_and_hovers_tell_the_slack_of_the_others() -> None:
    figure = gantt(slow_task_off_the_path())
    line = trace_of_path(figure)
    places = rows(figure)
    on_path = [places[name] for name in ("fetch-1", "parse-1", "load-1")]
    assert [round(float(y)) for y in line.y[::2]] == on_path
    hovers = " ".join(trace(figure, "completed").hovertext)
    assert hovers.count("on the critical path") == 3
    assert "slack 3.0 s" in hovers


def trace_of_path(figure: go.Figure) -> Any:
    (found,) = [trace for trace in figure.data if trace.type == "scatter" and trace.name == PATH]
    return found


def test_a_long_path_stays_small() -> None:
    story = Story()
    story.decide(0.01)
    for number in range(MAX_SEGMENTS + 50):
        story.run(f"a-{number}", start=number + 0.5, end=number + 1)
        story.decide(0.01)
    story.end()
    figure = gantt(story.history())
    assert len(path_bars(figure)) == MAX_SEGMENTS
    assert PATH not in {trace.name for trace in figure.data}


def test_kinds_of_segments_differ_by_more_than_colour() -> None:
    assert len({(of.word) for of in SEGMENT_STYLES.values()}) == len(SEGMENT_STYLES)
    assert set(SEGMENT_STYLES) == set(KINDS)


def test_what_is_no_option_of_the_chart_is_told_in_one_line() -> None:
    execution = RecordedExecution(eventful())

    with pytest.raises(UsageError, match=r"^a Gantt chart has no option 'nosuch': there are by, children, "):
        execution.gantt(nosuch=1)
    with pytest.raises(UsageError, match=r"^until is a time, a datetime with its zone, not 'x'$"):
        execution.gantt(until="x")


def test_the_pauses_of_deciders_have_no_lane_and_no_row() -> None:
    story = Story()
    timers = ("_simpleflow_wake_up_timer", "__simpleflow_task_other", "patience")
    for timer in timers:
        story.add("TimerStarted", timerId=timer, startToFireTimeout="60", decisionTaskCompletedEventId=story.decided)
    few = gantt(story.history())

    assert list(rows(few)) == ["timer patience"]
    assert "1 timer" in str(few.layout.title.subtitle.text.replace("<br>", " "))
    assert "_simpleflow" not in gantt(story.history(), by="name").to_json()
