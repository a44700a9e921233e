"""A history watched: what the records of its decisions say, and that watching leaves no trace of its own."""

from __future__ import annotations

import datetime
import gc
import io
import json
import logging
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.canvas import Chain, Group
from simpleflow_lab.exceptions import (
    DecisionTaskError,
    ExecutionBlocked,
    ImpureWorkflowError,
    NondeterminismError,
    TaskFailed,
    UsageError,
)
from simpleflow_lab.replay.recorder import MAX_ERROR, Recorder
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.replay.replay_thread import ReplayThread
from simpleflow_lab.replay.trace import DecisionRecord, open_decision, watch
from simpleflow_lab.swf.decisions import attributes
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.task import TaskFailureContext

VERSION = {"version": "trace", "task_list": "trace"}
counted: Counter[str] = Counter()
"""What ran, by name."""


@activity.with_attributes(**VERSION)
def add(*values: int) -> int:
    counted["activity"] += 1
    return sum(values)


@activity.with_attributes(**VERSION, raises_on_failure=True)
def break_down() -> None:
    raise ValueError("broken")


class Watched(Workflow):
    """Base of the workflows here: counts its hooks."""

    version, task_list = "trace", "trace"

    def on_completed(self, history: Any) -> None:
        counted["on_completed"] += 1

    def on_failure(self, history: Any, reason: str, details: str | None = None) -> None:
        counted["on_failure"] += 1

    def on_canceled(self, history: Any) -> None:
        counted["on_canceled"] += 1

    def after_closed(self, history: Any) -> None:
        counted["after_closed"] += 1


class Sums(Watched):
    name = "trace.sums"

    def run(self, count: int) -> int:
        seen: list[int] = []
        for number in range(count):
            print("round", number)
            print("to stderr", number, file=sys.stderr)
            seen.append(self.submit(add, number).result)
        return sum(seen)


class Diamond(Watched):
    name = "trace.diamond"

    def run(self) -> int:
        top = self.submit(add, 1)
        sides = self.submit(Group((add, top, 1), (add, top, 2)))
        return int(self.submit(add, *sides.result).result)


class Chained(Watched):
    name = "trace.chained"

    def run(self) -> Any:
        chain = self.submit(Chain((add, 1), (add, 2)))
        self.submit(self.start_timer("a minute", 60)).wait()
        return chain.result


class Failing(Watched):
    name = "trace.failing"

    def run(self) -> None:
        self.submit(break_down).wait()
        raise RuntimeError("the end")


class Hooked(Watched):
    name = "trace.hooked"

    def run(self) -> Any:
        return self.submit(break_down).result

    def on_task_failure(self, failure_context: TaskFailureContext) -> TaskFailureContext | None:
        self.submit(self.start_timer("think about it", 30)).wait()
        return None


class Listening(Watched):
    name = "trace.listening"

    def run(self) -> int:
        first = self.submit(self.next_signal("go"))
        return int(first.result)


@pytest.fixture(scope="module")
def one_lab() -> Iterator[Lab]:
    with Lab(":memory:", clock="virtual") as lab:
        yield lab


@pytest.fixture
def lab(one_lab: Lab) -> Lab:
    counted.clear()
    return one_lab


def history_of(lab: Lab, workflow: type[Workflow], *args: Any) -> History:
    execution = lab.start(workflow, *args)
    execution.wait(timeout=60)
    return execution.history()


def watched(workflow: type[Workflow], history: Any, **options: Any) -> list[DecisionRecord]:
    return list(watch(workflow, history, **options))


# -- what a record says --


def test_each_decision_has_a_record_with_its_events_commands_and_matches(lab: Lab) -> None:
    history = history_of(lab, Sums, 3)
    records = watched(Sums, history)
    completed = [event.id for event in history if event.type == "DecisionTaskCompleted"]
    assert [record.completed_event_id for record in records] == completed
    assert [record.number for record in records] == [1, 2, 3, 4]
    assert [event.id for record in records for event in record.events] == [*range(1, records[-1].started_event_id + 1)]
    for record in records:
        assert record.is_replayed
        assert not record.unmatched
        assert record.pending == 0
        assert [event.id for event in record.recorded] == [match.event_id for match in record.matches]
        assert record.error is None
        assert record.divergence is None
    (command,) = records[1].commands
    assert (command.kind, command.id) == ("activity", attributes(records[1].decisions[0])["activityId"])
    assert json.loads(command.input or "")["args"] == [1]
    assert command.line is not None
    assert command.line.function == "Sums.run"
    assert command.fiber == (1, "run")
    assert records[-1].close is not None
    assert records[-1].close.decision_type == "CompleteWorkflowExecution"
    assert records[-1].close.event_id == history[-1].id
    assert records[-1].suspended == ()


def test_local_variables_are_those_of_that_moment(lab: Lab) -> None:
    records = watched(Sums, history_of(lab, Sums, 3))
    stacks = [fiber.stack for record in records for fiber in record.suspended]
    assert [len(stack) for stack in stacks] == [1, 1, 1]
    assert [(stack[0].locals or {})["seen"] for stack in stacks] == ["[]", "[0]", "[0, 1]"]
    assert [(stack[0].locals or {})["number"] for stack in stacks] == ["0", "1", "2"]
    assert "self.submit(add, number).result" in stacks[0][0].text
    assert [fiber.waits_for_ids[0][-2:] for record in records for fiber in record.suspended] == ["-1", "-2", "-3"]


def test_local_variables_can_be_spared_up_to_an_event(lab: Lab) -> None:
    history = history_of(lab, Sums, 3)
    later = watched(Sums, history)[1].started_event_id
    stacks = [fiber.stack for record in watched(Sums, history, stacks_from=later) for fiber in record.suspended]
    assert [stack[0].locals is None for stack in stacks] == [True, False, False]
    assert all(stack[0].line.function == "Sums.run" for stack in stacks)


def test_output_is_recorded_and_not_written(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    history = history_of(lab, Sums, 2)
    capsys.readouterr()
    records = watched(Sums, history)
    assert [record.output for record in records] == ["round 0\n", "round 1\n", ""]
    assert capsys.readouterr() == ("", "")
    print("this is")
    assert capsys.readouterr().out == "this is\n"


class Talkative(Watched):
    name = "trace.talkative"

    def run(self) -> None:
        for _ in range(1_000):
            print("x" * 99)


def test_output_is_bounded(lab: Lab) -> None:
    (record,) = watched(Talkative, history_of(lab, Talkative))
    assert len(record.output or "") == 10_000


def test_futures_have_a_provenance(lab: Lab) -> None:
    history = history_of(lab, Diamond)
    records = watched(Diamond, history)
    futures = records[-1].futures
    assert [future.kind for future in futures] == ["activity", "group", "activity", "activity", "activity"]
    top, group, left, right, last = futures
    assert group.members == (left.number, right.number)
    assert left.depends_on == right.depends_on == (top.number,)
    assert top.depends_on == last.depends_on == ()  # what `result` gave is no future any more
    assert [future.state for future in futures] == ["FINISHED"] * 5
    assert [future.value for future in futures] == ["1", "[2, 3]", "2", "3", "5"]
    for future in (top, left, right, last):
        assert future.attempts == 1
        events = [future.scheduled_event_id, future.started_event_id, future.closed_event_id]
        types = [history[(event or 0) - 1].type for event in events]
        assert types == ["ActivityTaskScheduled", "ActivityTaskStarted", "ActivityTaskCompleted"]
        assert history[(events[0] or 0) - 1].attributes["activityId"] == future.id
    first = records[0].futures
    assert [future.state for future in first] == ["PENDING"] * 4
    assert [future.scheduled_event_id is None for future in first] == [False, True, True, True]
    assert records[0].changed_futures == first


def test_a_fiber_has_a_label_and_says_what_it_waits_for(lab: Lab) -> None:
    first = watched(Chained, history_of(lab, Chained))[0]
    run, chain = first.suspended
    assert run.name == (1, "run")
    assert run.waits_for_ids == ["a minute"]
    assert run.stack[-1].line.function == "Chained.run"
    assert chain.name.number == 2
    assert chain.name.label.startswith("Chain at test_trace.py:")
    assert chain.stack == ()
    assert [command.fiber for command in first.commands] == [chain.name, run.name]


def test_a_hook_that_waits_has_a_fiber_of_its_own(lab: Lab) -> None:
    history = history_of(lab, Hooked)
    records = watched(Hooked, history)
    hooks = [fiber for record in records for fiber in record.suspended if fiber.name.label.startswith("hook ")]
    assert hooks
    assert hooks[0].name.label.startswith("hook on_task_failure of activity-")
    assert hooks[0].stack[-1].line.function == "Hooked.on_task_failure"
    assert "failure_context" in (hooks[0].stack[-1].locals or {})


def test_signals_are_recorded_by_the_decision_that_saw_them_first() -> None:
    with Lab(":memory:") as lab:
        execution = lab.start(Listening)
        execution.signal("go", "7")
        assert execution.result(timeout=60) == 7
        history = execution.history()
    records = watched(Listening, history)
    (seen,) = (each for record in records for each in record.signals)
    assert seen.name == "go"
    assert history[seen.event_id - 1].type == "WorkflowExecutionSignaled"
    (future,) = records[-1].futures
    assert (future.kind, future.id, future.value) == ("signal wait", "go", "7")


# -- watching runs nothing --


@pytest.mark.parametrize("workflow", [Sums, Diamond, Chained, Failing, Hooked])
def test_watching_runs_no_activity_and_no_hook_of_a_close(lab: Lab, workflow: type[Workflow]) -> None:
    args = [2] if workflow is Sums else []
    history = history_of(lab, workflow, *args)
    assert counted["after_closed"] == 1
    before = counted.copy()
    for until in range(len(history) + 1):
        watched(workflow, history, until=until, dry=True)
    assert counted == before


class SeesReplaying(Watched):
    name = "trace.sees_replaying"

    def run(self) -> int:
        for number in range(3):
            counted[f"is_replaying={self.is_replaying}"] += 1
            self.submit(add, number).wait()
        return 1


def test_the_code_is_told_that_it_is_replayed(lab: Lab) -> None:
    history = history_of(lab, SeesReplaying)
    counted.clear()
    watched(SeesReplaying, history)
    for until in range(len(history) + 1):
        watched(SeesReplaying, history, until=until, dry=True)
    assert set(counted) == {"is_replaying=True"}


class Cleans(Watched):
    name = "trace.cleans"

    def run(self) -> None:
        try:
            self.submit(add, 1).wait()
        finally:
            counted["cleaned up"] += 1
            print("cleaned up")


def test_abandoned_code_prints_nothing(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    history = history_of(lab, Cleans)
    capsys.readouterr()
    watched(Cleans, history, until=5)
    next(iter(watch(Cleans, history)))
    assert capsys.readouterr().out == ""


# -- prefixes --


@pytest.mark.parametrize("workflow", [Sums, Diamond, Chained, Failing, Hooked])
def test_the_records_of_a_prefix_are_a_prefix_of_the_records(lab: Lab, workflow: type[Workflow]) -> None:
    args = [3] if workflow is Sums else []
    history = history_of(lab, workflow, *args)
    whole = watched(workflow, history)
    for until in range(len(history) + 1):
        records = watched(workflow, history, until=until)
        assert len(records) == sum(event.type == "DecisionTaskCompleted" for event in history[:until])
        assert records[:-1] == whole[: max(len(records) - 1, 0)]
        if records:
            last, same = records[-1], whole[len(records) - 1]
            assert last.commands == same.commands
            assert last.suspended == same.suspended
            assert last.matches == same.matches[: len(last.matches)]
            assert [event.id for event in last.recorded] == [e.id for e in same.recorded if e.id <= until]


class Patched(Watched):
    name = "trace.patched"

    def run(self) -> int:
        self.submit(add, 0).wait()
        numbers = (10, 20) if self.patched("larger numbers") else (1, 2)
        first = self.submit(add, numbers[0])
        return int(self.submit(add, numbers[1], first).result)


def test_a_prefix_takes_the_patches_that_the_rest_of_its_last_decision_records(lab: Lab) -> None:
    history = history_of(lab, Patched)
    whole = watched(Patched, history)
    patched = whole[1]
    assert [command.kind for command in patched.commands] == ["marker", "activity"]
    assert patched.completed_event_id is not None
    for until in range(patched.completed_event_id, patched.completed_event_id + 3):
        first, last = watched(Patched, history, until=until)
        assert first == whole[0]
        assert (last.commands, last.suspended) == (patched.commands, patched.suspended)
        assert last.divergence is None


def test_a_record_says_whether_more_events_may_record_its_decision(lab: Lab) -> None:
    history = history_of(lab, Diamond)
    assert not any(record.may_be_cut for record in watched(Diamond, history))
    first = watched(Diamond, history)[0]
    assert first.completed_event_id is not None
    for until in range(first.completed_event_id, first.recorded[-1].id + 1):
        assert watched(Diamond, history, until=until)[-1].may_be_cut
    assert not watched(Diamond, history, until=until + 1)[0].may_be_cut


def test_the_open_decision_can_be_looked_at(lab: Lab) -> None:
    history = history_of(lab, Diamond)
    whole = watched(Diamond, history)
    for record in whole:
        dry = watched(Diamond, history, until=record.started_event_id, dry=True)[-1]
        assert not dry.is_replayed
        assert dry.completed_event_id is None
        assert dry.number == record.number
        assert dry.commands == record.commands
        assert dry.decisions == record.decisions
        assert dry.suspended == record.suspended
        assert dry.matches == ()
    assert dry.close is not None
    assert (dry.close.decision_type, dry.close.event_id) == ("CompleteWorkflowExecution", None)


def test_without_an_open_decision_there_is_nothing_more_to_look_at(lab: Lab) -> None:
    history = history_of(lab, Diamond)
    assert watched(Diamond, history, dry=True) == watched(Diamond, history)
    assert open_decision(history) is None
    assert open_decision(history[:2]) is None
    assert open_decision(history[:3]) == 3
    assert open_decision(history[:4]) is None


def test_a_dry_decision_counts_nothing_as_sent(lab: Lab) -> None:
    history = history_of(lab, Diamond)
    replay = Replay(Diamond)
    replay.feed(history[:3])
    answer = replay.decide(3, dry=True)
    assert replay.decide(3, dry=True) == answer
    assert len(answer.decisions) == 1
    with pytest.raises(RuntimeError, match="dry"):
        replay.decide(3)
    replay.close()


# -- differences --


class Changed(Watched):
    name = "trace.sums"

    def run(self, count: int) -> int:
        seen = [self.submit(add, 0).result]
        seen.append(self.submit(add, 100).result)
        return sum(seen)


class Shorter(Watched):
    name = "trace.sums"

    def run(self, count: int) -> int:
        return int(self.submit(add, 0).result)


class Longer(Watched):
    name = "trace.sums"

    def run(self, count: int) -> int:
        self.submit(add, 0)
        self.submit(self.start_timer("new", 5)).wait()
        return 1


def test_a_difference_is_data_with_both_sides(lab: Lab) -> None:
    history = history_of(lab, Sums, 2)
    records = watched(Changed, history, on_divergence="collect")
    assert len(records) == 2
    assert records[0].divergence is None
    divergence = records[1].divergence
    assert divergence is not None
    second = [event for event in history if event.type == "ActivityTaskScheduled"][1]
    assert divergence.event_id == second.id
    assert "[1]" in (divergence.recorded or "")
    assert "[100]" in (divergence.commanded or "")
    assert "self.submit(add, number)" in (divergence.recorded_line or "")
    assert "self.submit(add, 100)" in (divergence.commanded_line or "")
    assert [event.id for event in records[1].recorded] == [second.id]
    assert [command.input for command in records[1].unmatched] == [records[1].commands[0].input]
    assert (records[1].error or "").startswith("NondeterminismError: event ")


def test_a_difference_is_raised_after_its_record(lab: Lab) -> None:
    history = history_of(lab, Sums, 2)
    records: list[DecisionRecord] = []
    with pytest.raises(NondeterminismError) as raised:
        records.extend(watch(Changed, history))
    assert [record.divergence is None for record in records] == [True, False]
    assert records[1].divergence is not None
    assert raised.value.event_id == records[1].divergence.event_id


def test_what_the_code_no_longer_commands_is_a_difference(lab: Lab) -> None:
    history = history_of(lab, Sums, 2)
    *_, last = watched(Shorter, history, on_divergence="collect")
    assert last.number == 2
    assert last.divergence is not None
    assert "add-2" in (last.divergence.recorded or "")
    assert [command.kind for command in last.unmatched] == ["close"]


def test_what_the_history_does_not_record_is_a_difference(lab: Lab) -> None:
    history = history_of(lab, Sums, 2)
    first = next(event for event in history if event.type == "DecisionTaskCompleted")
    (record,) = watched(Longer, history, on_divergence="collect")
    assert record.divergence is not None
    assert record.divergence.event_id == first.id
    assert record.divergence.recorded is None
    assert "timer new" in (record.divergence.commanded or "")
    assert [(command.kind, command.id) for command in record.unmatched] == [("timer", "new")]
    assert record.pending == 1


class HookBreaks(Watched):
    name = "trace.sums"

    def before_replay(self, history: Any) -> None:
        if len(history) > 3:
            raise OSError("no disk")

    def run(self, count: int) -> int:
        return int(self.submit(add, 0).result)


def test_a_decision_that_cannot_be_made_has_a_record_with_the_error(lab: Lab) -> None:
    history = history_of(lab, Sums, 2)
    *_, last = watched(HookBreaks, history, on_divergence="collect")
    assert last.number == 2
    assert last.divergence is None
    assert "no disk" in (last.error or "")


# -- a close that SWF refused --

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Written:
    """A history written event by event."""

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []

    def add(self, type_: str, **its: Any) -> int:
        when = START + datetime.timedelta(seconds=len(self.events))
        self.events.append(HistoryEvent(len(self.events) + 1, type_, when, its))
        return len(self.events)

    def decision(self) -> int:
        scheduled = self.add("DecisionTaskScheduled", taskList={"name": "trace"})
        started = self.add("DecisionTaskStarted", scheduledEventId=scheduled, identity='{"simpleflow_lab": 2}')
        return self.add("DecisionTaskCompleted", scheduledEventId=scheduled, startedEventId=started)


class Once(Watched):
    name = "trace.once"

    def run(self) -> int:
        return 3


@pytest.fixture
def refused() -> list[HistoryEvent]:
    history = Written()
    history.add(
        "WorkflowExecutionStarted",
        input='{"args": [], "kwargs": {}}',
        taskList={"name": "trace"},
        workflowType={"name": Once.name, "version": "trace"},
    )
    completed = history.decision()
    history.add("WorkflowExecutionSignaled", signalName="late")
    history.events[-2], history.events[-1] = (
        HistoryEvent(history.events[-2].id, "WorkflowExecutionSignaled", START, {"signalName": "late"}),
        HistoryEvent(history.events[-1].id, "DecisionTaskCompleted", START, history.events[-2].attributes),
    )
    history.add(
        "CompleteWorkflowExecutionFailed", cause="UNHANDLED_DECISION", decisionTaskCompletedEventId=completed + 1
    )
    again = history.decision()
    history.add("WorkflowExecutionCompleted", result="3", decisionTaskCompletedEventId=again)
    return history.events


def test_a_refused_close_shows_that_the_run_went_on(refused: list[HistoryEvent]) -> None:
    first, second = watched(Once, refused)
    assert first.close is not None
    assert first.close.decision_type == "CompleteWorkflowExecution"
    assert first.close.refused == "UNHANDLED_DECISION"
    assert refused[(first.close.event_id or 0) - 1].type == "CompleteWorkflowExecutionFailed"
    assert [each.name for each in second.signals] == ["late"]
    assert [command.id for command in second.commands] == ["CompleteWorkflowExecution"]
    assert second.close is not None
    assert second.close.refused is None
    assert second.close.event_id == len(refused)
    assert not first.unmatched
    assert not second.unmatched


def test_a_refused_close_at_every_prefix(refused: list[HistoryEvent]) -> None:
    for until in range(len(refused) + 1):
        records = watched(Once, refused, until=until, dry=True)
        assert all(record.divergence is None and record.error is None for record in records)


# -- an observer of a live decider --


def test_an_observer_of_a_decider_gets_each_decision_once(lab: Lab) -> None:
    history = history_of(lab, Diamond)
    records: list[DecisionRecord] = []
    replay = Replay(Diamond, observer=Recorder(records.append))
    starts = [event.id for event in history if event.type == "DecisionTaskStarted"]
    for started in starts:
        replay.feed(history[:started])
        replay.decide(started)
    replay.feed(history)
    replay.replay_last_batch()
    replay.close()
    assert [record.started_event_id for record in records] == starts
    assert not any(record.is_replayed for record in records)
    assert [record.commands for record in records] == [record.commands for record in watched(Diamond, history)]
    assert counted["on_completed"] == 2  # this one decided in earnest


def test_waiting_for_several_futures_names_those_that_are_open(lab: Lab) -> None:
    records = watched(AnyOfTwo, history_of(lab, AnyOfTwo))
    assert [sorted(fiber.waits_for_ids) for fiber in records[0].suspended] == [["long", "short"]]


class TwoChains(Watched):
    def run(self) -> None:
        futures.wait(self.submit(Group(Chain((add, 1, 1), (add, 2, 1), (add, 3, 1)), Chain((add, 4, 1), (add, 5, 1)))))


def test_who_waits_for_a_group_waits_only_for_those_of_its_tasks_that_are_open(lab: Lab) -> None:
    records = watched(TwoChains, history_of(lab, TwoChains))
    waits = 0
    for record in records:
        open_tasks = {future.id for future in record.futures if future.id and future.state in ("PENDING", "RUNNING")}
        for fiber in record.suspended:
            waits += 1
            assert fiber.waits_for_ids
            assert set(fiber.waits_for_ids) <= open_tasks, record.number
    assert waits >= 3  # in each decision but the last, of which there are fewer where tasks end together


class AnyOfTwo(Watched):
    name = "trace.any_of_two"

    def run(self) -> None:
        timers = [self.submit(self.start_timer(name, seconds)) for name, seconds in (("long", 9), ("short", 2))]
        futures.wait(timers, return_when=futures.FIRST_COMPLETED)


def test_a_failure_is_a_value(lab: Lab) -> None:
    (future,) = watched(Failing, history_of(lab, Failing))[-1].futures
    assert future.failed
    assert (future.value or "").startswith(f"{TaskFailed.__name__}(")
    assert "broken" in (future.value or "")


# -- code that runs again from its start --


class Blocking(Watched):
    name = "trace.blocking"

    def run(self, count: int) -> int:
        print("from the start")
        chain = self.submit(Chain(*((add, number) for number in range(count))))
        if not chain.done:
            raise ExecutionBlocked
        last = self.submit(add, self.submit(add, 1), 1)
        if not last.done:
            raise ExecutionBlocked
        return int(last.result)


def test_no_fiber_of_a_run_before_is_suspended_in_a_rerun(lab: Lab) -> None:
    records = watched(Blocking, history_of(lab, Blocking, 4))
    names = [[fiber.name for fiber in record.suspended] for record in records]
    (chain,) = names[0]
    assert chain.number == 2
    assert names == [[chain]] * 4 + [[]] * 3
    for number, record in enumerate(records[:4], start=1):
        (fiber,) = record.suspended
        assert [id[-2:] for id in fiber.waits_for_ids] == [f"-{number}"]
        assert record.commands[0].fiber == chain
    assert [record.output for record in records] == ["from the start\n"] * 7


def test_a_task_that_a_rerun_submits_again_stays_one_future(lab: Lab) -> None:
    count = 5
    history = history_of(lab, Blocking, count)
    records = watched(Blocking, history)
    futures = records[-1].futures
    assert [future.kind for future in futures] == ["chain", *["activity"] * (count + 2)]
    assert futures[0].members == tuple(range(2, count + 2))
    assert futures[-1].depends_on == (futures[-2].number,)
    assert {future.state for future in futures} == {"FINISHED"}
    for future in futures[1:]:
        assert future.attempts == 1
        events = [future.scheduled_event_id, future.started_event_id, future.closed_event_id]
        types = [history[(event or 0) - 1].type for event in events]
        assert types == ["ActivityTaskScheduled", "ActivityTaskStarted", "ActivityTaskCompleted"]
    assert sum(len(record.changed_futures) for record in records) <= 4 * len(futures)


class BlockingInFibers(Watched):
    name = "trace.blocking_in_fibers"

    def run(self) -> int:
        slow = self.submit(self.start_timer("slow", 90))
        chains = [self.submit(Chain((add, number), (add, number))) for number in (1, 2)]
        broken = self.submit(break_down)
        if not all(future.done for future in [*chains, broken, slow]):
            raise ExecutionBlocked
        return 1

    def on_task_failure(self, failure_context: TaskFailureContext) -> TaskFailureContext | None:
        self.submit(self.start_timer("think about it", 30)).wait()
        return None


def test_fibers_and_hooks_of_reruns_keep_their_names_and_a_prefix_its_records(lab: Lab) -> None:
    execution = lab.start(BlockingInFibers)
    with pytest.raises(Exception, match="broken"):
        execution.result(timeout=60)
    history = execution.history()
    records = watched(BlockingInFibers, history)
    names = {fiber.name for record in records for fiber in record.suspended}
    assert len({name.number for name in names}) == len(names) == 3
    for record in records:
        ids = [future.id for future in record.futures if future.id is not None]
        assert len(ids) == len(set(ids))
        shown = [fiber.name for fiber in record.suspended]
        assert len(shown) == len(set(shown))


# -- errors and interrupts --


class Untold(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError("in __str__")


class Fragile(Watched):
    name = "trace.fragile"
    determinism = "off"
    at: str | None = None
    error: BaseException = RuntimeError("on purpose")

    def __init__(self, executor: Any):
        super().__init__(executor)
        self.fails_at("__init__")

    def before_replay(self, history: Any) -> None:
        self.fails_at("before_replay")

    def run(self) -> int:
        self.submit(add, 1).wait()
        self.fails_at("run")
        return int(self.submit(add, 2).result)

    def fails_at(self, place: str) -> None:
        if self.at == place:
            raise self.error


@pytest.mark.parametrize(
    ("at", "error", "text"),
    [
        ("__init__", RuntimeError("on purpose"), "RuntimeError in trace.fragile.__init__: on purpose"),
        ("__init__", Untold(), "Untold in trace.fragile.__init__: <Untold.__str__ raised ZeroDivisionError>"),
        ("before_replay", Untold(), "Untold in trace.fragile.before_replay: <Untold.__str__ raised ZeroDivisionError>"),
        ("run", ConnectionError("x" * 1_000_000), "ConnectionError in trace.fragile.run: xxx"),
    ],
)
def test_an_error_of_the_code_that_lets_no_decision_be_made_has_a_bounded_record(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, at: str, error: Exception, text: str
) -> None:
    history = history_of(lab, Fragile)
    monkeypatch.setattr(Fragile, "at", at)
    monkeypatch.setattr(Fragile, "error", error)
    last = watched(Fragile, history, on_divergence="collect")[-1]
    assert text in (last.error or "")
    assert len(last.error or "") <= MAX_ERROR
    with pytest.raises(DecisionTaskError, match=r"in trace\.fragile"):
        watched(Fragile, history)


class Impure(Watched):
    name = "trace.impure"
    determinism = "off"

    def run(self) -> float:
        return float(self.submit(add, 1).result) + time.time()


def test_impure_code_that_must_not_decide_has_a_record_that_says_so(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    history = history_of(lab, Impure)
    monkeypatch.setattr(Impure, "determinism", "raise")
    for started in [event.id for event in history if event.type == "DecisionTaskStarted"]:
        last = watched(Impure, history, until=started, dry=True, on_divergence="collect")[-1]
        assert (last.error or "").startswith("ImpureWorkflowError: ")
        assert "time.time" in (last.error or "")
        assert (last.started_event_id, last.is_replayed, last.commands) == (started, False, ())
        with pytest.raises(ImpureWorkflowError):
            watched(Impure, history, until=started, dry=True)


class Interruptible(Watched):
    name = "trace.interruptible"
    how: str | None = None

    def run(self) -> int:
        self.submit(add, 1).wait()
        if self.how == "signal":
            signal.raise_signal(signal.SIGINT)
        elif self.how == "raise":
            raise KeyboardInterrupt
        return int(self.submit(add, 2).result)


@pytest.mark.parametrize("on_divergence", ["raise", "collect"])
def test_an_interrupt_reaches_who_watches_and_leaves_no_record(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, on_divergence: str
) -> None:
    history = history_of(lab, Interruptible)
    monkeypatch.setattr(Interruptible, "how", "signal")
    records: list[DecisionRecord] = []
    with pytest.raises(KeyboardInterrupt):
        records.extend(watch(Interruptible, history, on_divergence=on_divergence))  # type: ignore[arg-type]
    assert [record.error for record in records] == [None]


def test_an_interrupt_that_the_code_itself_raised_fails_the_execution_in_another_thread(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Interruptible, "how", "raise")
    history = history_of(lab, Interruptible)
    assert history[-1].attributes["reason"] == "KeyboardInterrupt"
    with ReplayThread() as thread:
        last = thread.listed(watch(Interruptible, history))[-1]
    assert last.close is not None
    assert last.close.decision_type == "FailWorkflowExecution"
    assert last.error is None


# -- watching runs no code of the author's beside the workflow, and is bounded --


class CountingList(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        counted["list.__iter__"] += 1
        return super().__iter__()


class CountingDict(dict[str, Any]):
    def items(self) -> Any:
        counted["dict.items"] += 1
        return super().items()


class OwnContainers(Watched):
    name = "trace.own_containers"

    def run(self) -> int:
        first = self.submit(add, 1)
        second = self.submit(add, *CountingList([1, 2]))
        passed = self.submit(first_of, CountingList([first, CountingDict(a=second)]))
        variables = CountingDict(passed=passed)
        variables["x" * 1_000] = variables[1] = 1  # type: ignore[index]
        exec("found = passed.result", {}, variables)
        return int(variables["found"])


@activity.with_attributes(**VERSION)
def first_of(values: list[int]) -> int:
    return values[0]


def test_containers_of_the_author_are_read_no_more_often_when_watched(lab: Lab) -> None:
    history = history_of(lab, OwnContainers)
    counted.clear()
    replay = Replay(OwnContainers)
    replay.feed(history)
    replay.close()
    unwatched = counted.copy()
    assert unwatched["list.__iter__"]
    counted.clear()
    records = watched(OwnContainers, history)
    assert counted == unwatched
    assert [future.depends_on for future in records[-1].futures] == [(), (), (1, 2)]
    frame = records[0].suspended[0].stack[-1]
    assert list(frame.locals or {}) == ["passed", "x" * 97 + "..."]


class Deep(Watched):
    name = "trace.deep"

    def run(self, depth: int) -> int:
        return self.run(depth - 1) if depth else int(self.submit(add, 1).result)


@pytest.mark.parametrize(("depth", "frames", "is_cut"), [(0, 1, False), (49, 50, False), (50, 50, True)])
def test_a_deep_stack_is_cut_and_says_so(lab: Lab, depth: int, frames: int, is_cut: bool) -> None:
    (fiber,) = watched(Deep, history_of(lab, Deep, depth))[0].suspended
    assert (len(fiber.stack), fiber.is_stack_cut) == (frames, is_cut)
    assert (fiber.stack[-1].locals or {})["depth"] == "0"


# -- threads --


def in_another_thread(call: Callable[[], None]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_an_iterator_that_another_thread_drops_is_closed_quietly_in_its_own(
    lab: Lab, capfd: pytest.CaptureFixture[str]
) -> None:
    history = history_of(lab, Cleans)
    counted.clear()
    capfd.readouterr()
    dropped = [watch(Cleans, history)]
    next(dropped[0])
    in_another_thread(dropped.clear)
    gc.collect()
    assert counted["cleaned up"] == 0
    assert len(watched(Cleans, history)) == 2
    assert counted["cleaned up"] == 2
    assert capfd.readouterr() == ("", "")


def test_a_record_that_another_thread_asks_for_is_an_error(lab: Lab) -> None:
    records = watch(Sums, history_of(lab, Sums, 2))
    next(records)
    errors: list[str] = []

    def ask() -> None:
        with pytest.raises(UsageError) as raised:
            next(records)
        errors.append(str(raised.value))

    in_another_thread(ask)
    assert "in one thread" in errors[0]


# -- logging --


class Logging(Watched):
    name = "trace.logging"

    def run(self) -> int:
        logging.getLogger("an author's").warning("in run")
        try:
            return int(self.submit(add, 1).result)
        finally:
            logging.getLogger("an author's").warning("cleaned up")


def test_what_watched_code_logs_reaches_no_handler_and_that_of_other_threads_does(lab: Lab) -> None:
    history, elsewhere = history_of(lab, Logging), history_of(lab, LogsElsewhere)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("an author's")
    before = logging.Logger.callHandlers, sys.stdout, sys.stderr
    logger.addHandler(handler)
    try:
        records = watch(Logging, history)
        next(records)
        logger.warning("between records")
        assert len([*records, *watch(LogsElsewhere, elsewhere)]) == 3
        logger.warning("afterwards")
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue().splitlines() == ["between records", "elsewhere", "afterwards"]
    assert (logging.Logger.callHandlers, sys.stdout, sys.stderr) == before


class LogsElsewhere(Watched):
    name = "trace.logs_elsewhere"

    def run(self) -> int:
        in_another_thread(lambda: logging.getLogger("an author's").warning("elsewhere"))
        return int(self.submit(add, 1).result)
