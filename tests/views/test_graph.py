"""The dependency graph, what time was spent on, and what went on at once."""

from __future__ import annotations

import itertools
import json
import random
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from simpleflow_lab import Group, Lab, Workflow, activity, futures
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.critical_path import critical_path
from simpleflow_lab.views.graph import MAX_ROWS, graph, nodes_of
from simpleflow_lab.views.history_fold import fold_history
from simpleflow_lab.views.lineage import dependencies_of
from simpleflow_lab.views.summary import execution_summary
from simpleflow_lab.views.time_spent import (
    DECIDING,
    IDLE,
    NO_DECIDER,
    PARTS,
    QUEUED,
    RUNNING,
    SIGNALS,
    TIMERS,
    concurrency,
    time_spent,
    time_spent_table,
)
from tests.views.story import Story, eventful, large, when
from tests.views.test_hostile import PAYLOADS, hostile

RECORDED = sorted((Path(__file__).parent.parent / "histories").glob("*.json"))


@activity.with_attributes(name="graph.fetch", task_list="graph", version="1")
def fetch(i):
    return i


@activity.with_attributes(name="graph.parse", task_list="graph", version="1")
def parse(x):
    return x


@activity.with_attributes(name="graph.total", task_list="graph", version="1", retry=1)
def total(xs):
    return sum(xs)


@activity.with_attributes(name="graph.mail", task_list="graph", version="1")
def mail(x):
    raise OSError("relay refused")


class Pricing(Workflow):
    name = "graph-pricing"
    task_list = "graph"

    def run(self, n):
        parsed = [self.submit(parse, self.submit(fetch, i)) for i in range(n)]
        found = self.submit(total, futures.wait(*parsed))
        self.submit(mail, found).wait()
        return found.result


class Grouped(Workflow):
    name = "graph-grouped"
    task_list = "graph"

    def run(self, n):
        return self.submit(Group(*((fetch, i) for i in range(n)), max_parallel=2)).result


class Crossing(Workflow):
    """The line from its third task down to its last one goes through the row of a task that stands further left."""

    name = "graph-crossing"
    task_list = "graph"

    def run(self, n):
        fetched = self.submit(fetch, n)
        parsed = self.submit(parse, self.submit(parse, fetched))
        futures.wait(parsed)
        beside = self.submit(total, [fetched])
        futures.wait(beside, self.submit(parse, parsed))


class Approved(Workflow):
    """Its last task waits for a person, and then for a timer."""

    name = "graph-approved"
    task_list = "graph"

    def run(self, n):
        futures.wait(*(self.submit(fetch, i) for i in range(n)))
        self.submit(self.wait_signal("approve")).wait()
        self.submit(self.start_timer("cool down", 0)).wait()
        self.submit(total, [n]).wait()


def ran(workflow: type[Workflow], n: int) -> RecordedExecution:
    with Lab(":memory:", clock="virtual") as lab:
        execution = lab.start(workflow, n)
        execution.wait(30)
        return RecordedExecution(execution.history())


def test_a_map_is_one_row_with_counts_until_it_is_opened() -> None:
    folded = fold_history(ran(Pricing, 12).history())

    nodes = nodes_of(folded)

    assert [(node.name, node.tasks(), node.depth, sorted(node.before)) for node in nodes] == [
        ("graph.fetch", 12, 0, []),
        ("graph.parse", 12, 1, [0]),
        ("graph.total", 1, 2, [1]),
        ("graph.mail", 1, 3, [2]),
    ]
    opened = nodes_of(folded, opened={"graph.parse"})
    assert [node.tasks() for node in opened].count(1) == 14
    assert all(node.before == {0: False} for node in opened if node.name == "graph.parse")


def test_what_is_recorded_is_told_from_what_is_likely() -> None:
    folded = fold_history(ran(Pricing, 3).history())

    fetched, parsed, summed, mailed = nodes_of(folded)

    assert parsed.before == {fetched.number: False}
    assert summed.before == {parsed.number: True}, "the values of parsed futures were handed over, not the futures"
    assert mailed.before == {summed.number: False}
    assert mailed.worst() == "failed"


def test_a_lineage_is_what_a_task_came_from_and_what_came_of_it() -> None:
    execution = ran(Pricing, 3)
    folded = fold_history(execution.history())
    ids = {attempt.id: attempt.scheduled_event_id for attempt in folded.attempts}
    names = {event_id: id for id, event_id in ids.items()}

    found = dependencies_of(folded).lineage([ids["activity-graph.parse-1"]])

    shown = {names[event_id] for event_id in found}
    assert {"activity-graph.fetch-1", "activity-graph.parse-1"} <= shown
    assert "activity-graph.fetch-2" not in shown


def test_a_label_stands_to_the_right_of_every_line_that_goes_down_through_its_row() -> None:
    folded = fold_history(ran(Crossing, 1).history())
    assert [(node.depth, sorted(node.before)) for node in nodes_of(folded, opened={"graph.parse"})] == [
        (0, []),
        (1, [0]),
        (2, [1]),
        (1, [0]),
        (3, [2]),
    ]

    figure = graph(folded, open="parse")

    places = {}
    for trace in figure.data:
        if "text" in trace.mode:
            places.update({y: (x, text) for x, y, text in zip(trace.x, trace.y, trace.text, strict=True) if text})
    assert {row: x for row, (x, _) in places.items()} == {0: 0, 1: 1, 2: 2, 3: 2, 4: 3}, "the fourth stands apart"
    for line in (trace for trace in figure.data if trace.mode == "lines"):
        points = list(zip(line.x, line.y, strict=True))
        for (x, top), (end, bottom) in itertools.pairwise(points):
            if None not in (x, end) and x == end:
                assert all(places[row][0] >= x for row in places if top < row < bottom)
    texts = {e.text.strip(): e for e in ET.fromstring(figure.to_svg()).iter() if e.text and e.text.strip()}
    assert {text.strip() for _, text in places.values()} <= texts.keys()


def test_members_of_a_group_share_a_row_though_some_were_deferred() -> None:
    folded = fold_history(ran(Grouped, 8).history())

    (node,) = nodes_of(folded)

    assert node.tasks() == 8
    assert sum(attempt.max_parallel is not None for attempt in folded.attempts) == 6


def test_the_tasks_that_are_opened_are_named_as_people_name_them() -> None:
    execution = ran(Pricing, 3)

    def rows(figure):
        return sum(len(trace.y) for trace in figure.data if trace.mode == "markers+text")

    assert (rows(execution.graph()), rows(execution.graph(open="parse"))) == (4, 6)
    with pytest.raises(UsageError, match=r"no task 'prase' in this execution: there are graph.fetch"):
        execution.graph(open="prase")


@pytest.mark.parametrize("file", RECORDED, ids=lambda path: path.stem)
def test_in_any_history_rows_stand_below_what_they_depend_on(file: Path) -> None:
    folded = fold_history(History.from_file(file))
    nodes = nodes_of(folded)

    for node in nodes:
        assert all(number < node.number and nodes[number].depth < node.depth for number in node.before)
    known = dependencies_of(folded)
    assert all(each < own for own, needed in known.before.items() for each in needed)
    graph(folded).to_svg()


def test_a_signal_stands_between_what_ended_before_the_wait_for_it_and_what_was_scheduled_for_it() -> None:
    with Lab(":memory:") as lab:
        started = lab.start(Approved, 3)
        for _ in started.watch(timeout=60):
            if started.waits_in_short() == "signal approve":
                break
        started.signal("approve")
        started.wait(60)
        execution = RecordedExecution(started.history())
    folded = fold_history(execution.history())

    nodes = nodes_of(folded)

    assert [(node.kind, node.name, node.depth, node.before) for node in nodes] == [
        ("activity", "graph.fetch", 0, {}),
        ("signal", "approve", 1, {0: True}),
        ("timer", "cool down", 2, {1: True}),
        ("activity", "graph.total", 3, {2: True}),
    ]
    names = [trace.name for trace in execution.graph().data]
    assert names[-3:] == ["completed", "signal received", "timer fired"]
    assert set(names[:-3]) <= {"critical path, likely", "depends on, likely"}  # by which of them took some time
    assert "signal approve" in execution.graph().to_svg()
    fetched = {each.scheduled_event_id for each in folded.tasks if each.name == "graph.fetch"}
    assert fetched & execution.lineage(folded.tasks[-1].scheduled_event_id).all_needed


def test_a_signal_that_nothing_came_before_begins_the_graph() -> None:
    story = Story("first")
    story.add("WorkflowExecutionSignaled", signalName="go")
    story.decide()
    story.start(story.schedule("a-1", "pkg.a"))
    signal, task = nodes_of(fold_history(story.history()))
    assert (signal.name, signal.before, task.before) == ("go", {}, {0: True})


def test_a_signal_for_which_was_waited_is_on_the_critical_path() -> None:
    story = Story("waited")
    story.decide()
    first = story.at(1).schedule("a-1", "pkg.a")
    story.start(first)
    story.at(3).complete(first)
    story.decide(context=json.dumps({"waiting_signals": ["go"]}))
    story.at(6).add("WorkflowExecutionSignaled", signalName="go")
    story.decide(context="{}")
    second = story.schedule("a-2", "pkg.b")
    story.start(second)
    story.at(9).complete(second)
    story.decide()
    story.end("Completed")
    folded = fold_history(story.history())

    assert [(node.kind, node.name) for node in nodes_of(folded)] == [
        ("activity", "pkg.a"),
        ("signal", "go"),
        ("activity", "pkg.b"),
    ]
    assert [trace.name for trace in graph(folded).data] == ["critical path, likely", "completed", "signal received"]


def test_too_many_timers_and_signals_of_different_names_share_a_row_of_each_kind() -> None:
    story = Story("many")
    for number in range(MAX_ROWS):
        story.decide()
        story.add("WorkflowExecutionSignaled", signalName=f"go <b>{number}")
        story.decide()
        task = story.schedule(f"a-{number}", "pkg.a")
        story.start(task)
        story.complete(task)
        timer = {"timerId": f"t-{number}", "startToFireTimeout": "9"}
        story.add("TimerStarted", **timer, decisionTaskCompletedEventId=story.decided)
    folded = fold_history(story.history())

    signals, *tasks = nodes_of(folded)

    assert [(node.kind, node.tasks()) for node in tasks] == [("activity", MAX_ROWS), ("timer", MAX_ROWS)]
    assert (signals.kind, len(signals.signals), tasks[0].before) == ("signal", MAX_ROWS, {0: True})
    shown = graph(folded).to_json()
    for label in (f"signals × {MAX_ROWS}", f"<b>timer × {MAX_ROWS}"):
        assert json.dumps(label)[1:-1].replace("<", r"\u003c").replace(">", r"\u003e") in shown
    graph(folded).to_svg()


def test_tasks_that_too_many_open_ones_held_back_are_one_row_with_those_before_them() -> None:
    story = Story("deferred")
    story.decide(context='{"simpleflow_lab": {"open_activities": 2}}')
    first = story.schedule("a-1", "pkg.a")
    story.start(first)
    story.complete(first)
    story.decide(context="{}")
    others = [story.schedule(f"a-{number}", "pkg.a") for number in (2, 3)]
    later = story.schedule("a-4", "pkg.a")
    for task in (*others, later):
        story.start(task)

    held, after = nodes_of(fold_history(story.history()))

    assert [attempt.id for attempt in held.attempts] == ["a-1", "a-2", "a-3"]
    assert ([attempt.id for attempt in after.attempts], after.before) == (["a-4"], {0: True})


def test_a_chain_of_many_tasks_of_one_name_is_one_row() -> None:
    story = Story("chain")
    for number in range(MAX_ROWS + 50):
        story.decide()
        task = story.schedule(f"a-{number}", "pkg.a")
        story.start(task)
        story.complete(task)
    story.end("Completed")

    (node,) = nodes_of(fold_history(story.history()))

    assert node.tasks() == MAX_ROWS + 50


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_nothing_of_a_history_is_markup(payload: str) -> None:
    history = hostile(payload, tasks=3)
    for figure in (
        graph(history),
        concurrency(history),
        concurrency(history, by="name"),
        concurrency(history, by="worker"),
    ):
        tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(figure.to_svg()).iter()}
        assert tags <= {"svg", "title", "defs", "clipPath", "pattern", "g", "rect", "path", "text", "tspan"}
        shown = [
            str(text) for trace in figure.data for text in [trace.name, *(trace.text or ()), *(trace.hovertext or ())]
        ]
        for text in [*shown, figure.layout.title.text]:
            left = text
            for tag in ("<b>", "</b>", "<br>", "<i>", "</i>"):
                left = left.replace(tag, "")
            assert "<" not in left


# -- what time was spent on --------------------------------------------------------------------------------------------


def worked() -> History:
    """0 to 1 s a decision is queued, to 2 it is made, to 5 a task is queued, to 9 it runs, then nothing until 10."""
    story = Story("shop.Import")
    scheduled = story.add("DecisionTaskScheduled", taskList={"name": "d"})
    started = story.at(1).add("DecisionTaskStarted", scheduledEventId=scheduled)
    story.at(2).add("DecisionTaskCompleted", scheduledEventId=scheduled, startedEventId=started)
    task = story.schedule("a", "pkg.a")
    story.at(5).start(task)
    story.at(9).complete(task)
    story.at(10).end("Terminated")
    return story.history()


def test_each_moment_counts_once() -> None:
    spent = {each.part: each.seconds for each in time_spent(worked())}

    assert spent == {RUNNING: 4.0, QUEUED: 3.0, DECIDING: 1.0, NO_DECIDER: 1.0, SIGNALS: 0.0, TIMERS: 0.0, IDLE: 1.0}


def test_the_wait_for_a_signal_beside_a_timer_is_told_as_the_critical_path_tells_it() -> None:
    story = Story()
    story.at(1).decide(context=json.dumps({"waiting_signals": ["go"]}))
    story.add("TimerStarted", timerId="patience", startToFireTimeout="90", decisionTaskCompletedEventId=story.decided)
    history = story.history()

    spent = {each.part: each.seconds for each in time_spent(history, until=when(60))}
    path = critical_path(history, until=when(60))
    waited = sum(segment.seconds for segment in path.segments if segment.kind == "signal")
    assert (spent[SIGNALS], spent[TIMERS]) == (pytest.approx(waited), 0.0)
    assert waited > 58


@pytest.mark.parametrize("file", RECORDED, ids=lambda path: path.stem)
def test_the_parts_are_all_of_the_time(file: Path) -> None:
    history = History.from_file(file)

    table = time_spent_table(history)

    assert table["part"].tolist() == list(PARTS)
    assert table["seconds"].sum() == pytest.approx(execution_summary(history).duration, abs=1e-6)
    assert (table["seconds"] >= 0).all()


def test_the_parts_are_those_of_a_clock_that_looks_at_every_moment() -> None:
    folded = fold_history(eventful())
    start, end = folded.history[0].timestamp.timestamp(), folded.until.timestamp()
    moments = [start + (end - start) * (i + 0.5) / 20_000 for i in range(20_000)]

    def at(when):
        return end if when is None else when.timestamp()

    tasks = [a for a in folded.attempts if a.kind != "timer"]
    running = [(at(a.started), at(a.closed)) for a in tasks if a.started is not None]
    counted = sum(any(first <= moment < last for first, last in running) for moment in moments)

    assert time_spent(folded)[0].seconds == pytest.approx((end - start) * counted / 20_000, abs=0.01)


def test_an_empty_history_has_the_same_columns() -> None:
    empty, full = time_spent_table(History()), time_spent_table(worked())

    assert empty.dtypes.equals(full.dtypes)
    assert empty["part"].tolist() == full["part"].tolist()
    concurrency(History()).to_svg()
    graph(History()).to_svg()


# -- how much at once --------------------------------------------------------------------------------------------------


def test_a_line_says_how_many_ran_at_every_moment() -> None:
    folded = fold_history(eventful())
    line = concurrency(folded).data[0]
    xs, ys = np.asarray(line.x).astype("datetime64[ms]").astype("int64") / 1000, np.asarray(line.y)
    chance = random.Random(1)

    for _ in range(200):
        moment = chance.uniform(xs[0], xs[-1] - 0.01)
        shown = ys[np.searchsorted(xs, moment, side="right") - 1]
        ran = [
            a
            for a in folded.attempts
            if a.kind != "timer" and a.started is not None
            and a.started.timestamp() <= moment < (a.closed or folded.until).timestamp()
        ]  # fmt: skip
        assert shown == len(ran)


def test_many_tasks_make_a_line_of_few_points_that_keeps_the_peak() -> None:
    folded = fold_history(large(3_000))
    line = concurrency(folded).data[0]

    starts = sorted(a.started for a in folded.attempts if a.started is not None)
    ends = sorted(a.closed or folded.until for a in folded.attempts if a.started is not None)
    peak = max(i + 1 - sum(end <= start for end in ends[: i + 1]) for i, start in enumerate(starts[:200]))
    assert len(line.x) <= 601
    assert max(line.y) >= peak


def test_what_runs_is_told_apart_by_name_and_by_nothing_else() -> None:
    names = [trace.name for trace in ran(Pricing, 3).concurrency(by="name").data]

    assert any(name.startswith("parse, at most") for name in names)
    with pytest.raises(UsageError, match="told apart by name, task_list, worker, not by 'colour'"):
        concurrency(worked(), by="colour")


@pytest.mark.parametrize(("tasks", "expected"), [(1, ["0", "1"]), (3, ["0", "1", "2", "3"]), (99, ["0", "20", "40"])])
def test_the_axis_of_concurrency_counts_whole_tasks(tasks: int, expected: list[str]) -> None:
    story = Story()
    story.at(0.1).decide()
    started = [story.at(0.2).schedule(f"a-{each}") for each in range(tasks)]
    for each in started:
        story.at(0.3).start(each)
    for each in started:
        story.at(0.9).complete(each)

    ticks = list(concurrency(story.history()).layout.yaxis.ticktext)
    assert ticks[: len(expected)] == expected
    assert len(ticks) <= 6


def test_a_long_queue_does_not_press_down_what_ran() -> None:
    story = Story()
    story.decide()
    tasks = [story.schedule(f"a-{i}") for i in range(200)]
    for task in tasks:
        story.start(task)
        story.at(story._now + 1).complete(task)
    story.end()
    chart = concurrency(story.history())
    running, queued, _ = chart.data

    assert queued.yaxis == "y2"
    assert max(running.y) >= 0.4 * chart.layout.yaxis.range[1]
    assert chart.layout.yaxis.domain[1] < chart.layout.yaxis2.domain[0]
    assert chart.layout.yaxis2.range[1] >= 200
    assert "200" in chart.to_svg()


def test_a_short_queue_shares_the_axis_of_what_ran() -> None:
    story = Story()
    story.decide()
    for i in range(4):
        story.run(f"a-{i}", start=1, end=2)
    story.end()

    assert "yaxis2" not in concurrency(story.history()).layout.to_plotly_json()
