"""A fold that grows: fed in any parts it says the same, and a table of a prefix is the prefix of the table."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from simpleflow_lab.activity import with_attributes
from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.executions.execution_views import have_failure_or_child
from simpleflow_lab.lab import Lab
from simpleflow_lab.swf.control import write_control
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.attempts import UNFINISHED, Attempt
from simpleflow_lab.views.history_fold import FoldedHistory, HistoryFold, attempts_of, fold_history
from simpleflow_lab.views.profile import profile_table
from simpleflow_lab.views.tables import decisions_table, point_events_table, tasks_table
from simpleflow_lab.workflow import Workflow
from tests.examples_count import TIMEOUT, examples
from tests.views.story import Story, eventful, large, when

pytestmark = pytest.mark.timeout(TIMEOUT)

RECORDED = sorted((Path(__file__).parent.parent / "histories").glob("*.json"))


class _Life:
    """A history by chance, valid: what happens next is drawn from what may happen next."""

    def __init__(self, data: st.DataObject):
        self._data = data
        self._story = Story()
        self._scheduled: dict[str, int] = {}
        self._started: dict[str, int] = {}
        self._timers: dict[str, int] = {}
        self._children: dict[str, tuple[int, bool]] = {}

    def live(self, steps: int) -> History:
        for step in range(steps):
            self._story.at(step * 0.25)
            self._data.draw(st.sampled_from(self._possible()))()
        if self._data.draw(st.booleans()):
            self._story.end(self._data.draw(st.sampled_from(["Completed", "Failed", "Terminated"])))
        return self._story.history()

    def _possible(self) -> list[Any]:
        possible = [self._schedule, self._schedule, self._decide, self._signal, self._mark, self._refuse]
        possible += [self._start] * 2 * bool(self._scheduled) + [self._close] * 2 * bool(self._started)
        possible += [self._cancel] * bool(self._scheduled or self._started)
        possible.append(self._end_timer if self._timers else self._start_timer)
        possible.append(self._go_on_with_child if self._children else self._initiate_child)
        return possible

    def _free_id(self) -> str | None:
        open_now = {*self._scheduled, *self._started}
        free = [task_id for task_id in ("a", "b", "c") if task_id not in open_now]
        return self._data.draw(st.sampled_from(free)) if free else None

    def _schedule(self) -> None:
        if (task_id := self._free_id()) is not None:
            control = write_control("w.py:1, submit", ["a"]) if task_id == "b" else None
            more = {} if control is None else {"control": control}
            self._scheduled[task_id] = self._story.schedule(task_id, f"pkg.{task_id}", **more)

    def _refuse(self) -> None:
        self._story.add("ScheduleActivityTaskFailed", activityId="d", cause="OPEN_ACTIVITIES_LIMIT_EXCEEDED")

    def _start(self) -> None:
        task_id = self._data.draw(st.sampled_from(sorted(self._scheduled)))
        self._started[task_id] = self._scheduled.pop(task_id)
        self._story.start(self._started[task_id])

    def _close(self) -> None:
        task_id = self._data.draw(st.sampled_from(sorted(self._started)))
        closing = self._data.draw(st.sampled_from(["complete", "fail", "time_out", "cancel"]))
        getattr(self._story, closing)(self._started.pop(task_id))

    def _cancel(self) -> None:
        task_id = self._data.draw(st.sampled_from(sorted({*self._scheduled, *self._started})))
        self._story.add("ActivityTaskCancelRequested", activityId=task_id)

    def _decide(self) -> None:
        ids = self._data.draw(st.none() | st.lists(st.sampled_from("abc"), unique=True))
        context = None if ids is None else f'{{"simpleflow_lab": {{"unhandled_failures": {list(ids)}}}}}'
        self._story.decide(0.1, context=None if context is None else context.replace("'", '"'))

    def _signal(self) -> None:
        self._story.add("WorkflowExecutionSignaled", signalName="s", input="1")

    def _mark(self) -> None:
        self._story.add("MarkerRecorded", markerName="m", decisionTaskCompletedEventId=self._story.decided)

    def _start_timer(self) -> None:
        self._timers["t"] = self._story.add("TimerStarted", timerId="t", startToFireTimeout="5")

    def _end_timer(self) -> None:
        kind = self._data.draw(st.sampled_from(["TimerFired", "TimerCanceled"]))
        self._story.add(kind, timerId="t", startedEventId=self._timers.pop("t"))

    def _initiate_child(self) -> None:
        kind = {"name": "pkg.Child", "version": "1"}
        event = self._story.add("StartChildWorkflowExecutionInitiated", workflowId="child", workflowType=kind)
        self._children["child"] = event, False

    def _go_on_with_child(self) -> None:
        initiated, is_started = self._children.pop("child")
        if is_started:
            self._story.add("ChildWorkflowExecutionCompleted", initiatedEventId=initiated)
        else:
            run = {"workflowId": "child", "runId": "r"}
            self._story.add("ChildWorkflowExecutionStarted", initiatedEventId=initiated, workflowExecution=run)
            self._children["child"] = initiated, True


@st.composite
def lives(draw: st.DrawFn) -> History:
    return _Life(draw(st.data())).live(draw(st.integers(0, 40)))


def feeding_is_folding(history: History) -> None:
    """At every prefix, what was fed event by event says what folding the prefix at once says."""
    fold = HistoryFold()
    for length, event in enumerate(history, start=1):
        fold.feed([event])
        assert fold.folded() == fold_history(history[:length])


def in_a_prefix(attempt: Attempt, later: Sequence[Attempt], prefix: Sequence[HistoryEvent]) -> Attempt:
    """The row that the law gives for a prefix, from the row of the whole table."""
    length, until = len(prefix), prefix[-1].timestamp
    own = [event for event in prefix if attempt.scheduled_event_id in (event.id, *_references(event))]
    retried = any(one.scheduled_event_id <= length for one in later)
    if attempt.closed_event_id is not None and attempt.closed_event_id <= length:
        return attempt._replace(retried=attempt.failed and retried, unhandled=False)
    begun = next((event for event in own if event.row.state == "started"), None)
    requested = any(
        event.type == "ActivityTaskCancelRequested" and event.attributes["activityId"] == attempt.id
        for event in prefix[attempt.scheduled_event_id :]
    )
    return attempt._replace(
        state=own[0].row.state if begun is None else "started",
        open=True,
        started=None if begun is None else begun.timestamp,
        closed=None,
        waiting=((until if begun is None else begun.timestamp) - attempt.scheduled).total_seconds(),
        running=None if begun is None else (until - begun.timestamp).total_seconds(),
        worker=attempt.worker if begun is not None else None,
        run_id=attempt.run_id if begun is not None else None,
        result=None,
        reason=None,
        details=None,
        timeout_type=None,
        cancel_requested=requested,
        retried=False,
        unhandled=False,
        closed_event_id=None,
    )


def _references(event: HistoryEvent) -> list[int]:
    keys = ("scheduledEventId", "initiatedEventId", "startedEventId")
    return [event.attributes[key] for key in keys if key in event.attributes]


def a_prefix_of_the_table(history: History) -> None:
    whole = attempts_of(history)
    for length in range(1, len(history)):
        rows = attempts_of(history[:length])
        expected = [attempt for attempt in whole if attempt.scheduled_event_id <= length]
        assert [row.scheduled_event_id for row in rows] == [attempt.scheduled_event_id for attempt in expected]
        for row, attempt in zip(rows, expected, strict=True):
            later = [one for one in whole if (one.kind, one.id) == (row.kind, row.id) and one.attempt > row.attempt]
            assert row == in_a_prefix(attempt, later, history[:length])


def what_is_not_folded_has_nothing_unhandled(history: History) -> None:
    """At every prefix, where no event says that anything failed or that there is a child, the fold says it neither."""
    fold = HistoryFold()
    for length, event in enumerate(history, start=1):
        fold.feed([event])
        if not have_failure_or_child(history[:length]):
            folded = fold.folded()
            assert folded.unhandled == ()
            assert not any(attempt.failed or attempt.run_id for attempt in folded.attempts)


def test_an_eventful_history_fed_event_by_event_is_the_history_folded_at_once() -> None:
    feeding_is_folding(eventful())


def test_a_table_of_a_prefix_of_an_eventful_history_is_the_prefix_of_its_table() -> None:
    a_prefix_of_the_table(eventful())


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_laws_hold_for_recorded_histories(path: Path) -> None:
    history = History.from_file(path)
    feeding_is_folding(history)
    a_prefix_of_the_table(history)
    what_is_not_folded_has_nothing_unhandled(history)


@examples(40, 2_000)
@given(history=lives())
def test_a_history_fed_event_by_event_is_the_history_folded_at_once(history: History) -> None:
    feeding_is_folding(history)


@examples(40, 2_000)
@given(history=lives())
def test_a_table_of_a_prefix_is_the_prefix_of_the_table(history: History) -> None:
    a_prefix_of_the_table(history)


@examples(40, 2_000)
@given(history=lives())
def test_what_is_not_folded_has_nothing_unhandled(history: History) -> None:
    what_is_not_folded_has_nothing_unhandled(history)


@examples(60, 3_000)
@given(history=lives(), cuts=st.lists(st.integers(0, 60), max_size=5))
def test_what_changed_since_a_mark_makes_the_old_table_the_new_one(history: History, cuts: list[int]) -> None:
    fold, shown, mark = HistoryFold(), dict[int, Attempt](), 0
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(history)], strict=True):
        fold.feed(history[start:end])
        changed = fold.changed_since(mark)
        assert [row.scheduled_event_id for row in changed] == sorted(row.scheduled_event_id for row in changed)
        shown |= {row.scheduled_event_id: row for row in changed}
        mark = fold.mark
        now = fold.attempts()
        as_shown = [
            shown[row.scheduled_event_id]._replace(waiting=row.waiting, running=row.running)
            if row.open
            else shown[row.scheduled_event_id]
            for row in now
        ]
        assert as_shown == list(now)
        assert fold.changed_since(mark) == []


@examples(40, 1_000)
@given(history=lives(), at=st.integers(0, 60))
def test_counts_of_tasks_are_those_of_the_latest_attempts(history: History, at: int) -> None:
    fold = HistoryFold(history[:at])
    fold.feed(history[at:])
    latest = {(row.kind, row.id): row for row in fold.attempts()}.values()
    counts = fold.folded().task_counts

    open_ones = [row for row in latest if row.open]
    running = [row for row in open_ones if row.started is not None]
    if history.close_status is None:
        assert (counts.waiting, counts.running) == (len(open_ones) - len(running), len(running))
        assert counts.unfinished == 0
        assert set(counts.running_names) == {row.name for row in running}
    else:  # nothing goes on
        assert (counts.waiting, counts.running, counts.running_names) == (0, 0, ())
        assert counts.unfinished == len(open_ones)
        assert {row.state for row in open_ones} <= {UNFINISHED}
    assert counts.failed == sum(row.failed for row in latest)
    assert counts.completed == sum(not row.open and not row.failed for row in latest)


def test_what_a_fold_gave_stays_when_it_grows() -> None:
    history = eventful()
    fold = HistoryFold(history[:20])
    given = fold.folded()
    fold.feed(history[20:])

    assert fold.folded() != given
    assert given == fold_history(history[:20])
    assert isinstance(given, FoldedHistory)


def test_tables_of_a_folded_history_are_those_of_its_events() -> None:
    history = eventful()
    for table in (tasks_table, decisions_table, point_events_table, profile_table):
        assert table(fold_history(history)).equals(table(history))


def test_open_tasks_count_up_to_the_time_that_is_asked_for() -> None:
    fold = HistoryFold(eventful())

    assert fold.attempts(when(9))[-1].running == pytest.approx(3.2)
    assert fold.attempts(when(10))[-1].running == pytest.approx(4.2)
    assert fold.decision_tasks(when(8))[-1].waiting == 1.0
    assert fold.decision_tasks(when(9))[-1].waiting == 2.0


def test_events_that_refer_to_nothing_are_refused_and_those_before_them_stay() -> None:
    fold = HistoryFold()
    history = eventful()
    broken = HistoryEvent(6, "ActivityTaskStarted", when(1), {"scheduledEventId": 4})
    with pytest.raises(HistoryError, match="event 6"):
        fold.feed([*history[:5], broken])

    fold.feed(history[5:])
    assert fold.folded() == fold_history(history)


def test_new_events_are_all_that_is_folded() -> None:
    history = large(2_000)
    fold = HistoryFold(history[:-200])
    before, mark = fold.attempts(), fold.mark
    fold.feed(history[-200:-100])
    after = fold.attempts()

    untouched = sum(old is new for old, new in zip(before, after, strict=False))
    assert len(fold.changed_since(mark)) <= 100
    still_open = sum(row.open for row in before)
    assert untouched >= len(before) - 100 - still_open


def test_several_threads_feed_and_read_no_half_fold() -> None:
    history = large(300)
    fold, errors = HistoryFold(), list[BaseException]()

    def read() -> None:
        try:
            while fold.mark < len(history):
                rows = fold.folded()
                assert len(rows.history) >= sum(not row.open for row in rows.attempts)
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for event in history:
        fold.feed([event])
    for reader in readers:
        reader.join()

    assert errors == []
    assert fold.folded() == fold_history(history)


# -- lines, decisions and dependencies ---------------------------------------------------------------------------------


@with_attributes(task_list="fold", version="1")
def add(a: int, b: int) -> int:
    return a + b


class Sums(Workflow):
    name, version, task_list = "fold.sums", "1", "fold"

    def run(self) -> Any:
        first, second = self.submit(add, 1, 2), self.submit(add, 3, 4)
        return self.submit(add, first, second).result


def test_tasks_say_their_line_their_decision_and_what_they_depend_on() -> None:
    with Lab(":memory:") as lab:
        execution = lab.start(Sums)
        assert execution.result(60) == 10
        tasks = execution.tasks()
        decisions = execution.decisions()

    assert all("test_history_fold.py" in line and "self.submit(add" in line for line in tasks["line"])
    assert tasks["depends_on"].tolist() == [(), (), (tasks["id"][0], tasks["id"][1])]
    assert tasks["decision_event_id"].tolist()[:2] == [decisions["closed_event_id"][0]] * 2
    assert tasks["decision_event_id"].isin(decisions["closed_event_id"]).all()


def test_tasks_of_other_deciders_have_no_line_and_depend_on_nothing() -> None:
    story = Story()
    for number, control in enumerate((None, "words", "[1]", '{"at": 3, "after": "a"}', 7, {"at": 1}, "{" * 9_000)):
        story.schedule(f"a-{number}", **({} if control is None else {"control": control}))
    tasks = tasks_table(story.history())

    assert tasks["line"].isna().all()
    assert tasks["depends_on"].tolist() == [()] * 7
    assert tasks["decision_event_id"].isna().all(), "0 is SWF's word for none"
    assert tasks_table(History()).dtypes.equals(tasks.dtypes)
