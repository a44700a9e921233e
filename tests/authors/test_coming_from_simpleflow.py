"""`docs/coming_from_simpleflow.md`, line by line: what it says of this package is so.

What it says of upstream is tried with upstream in `tests/foreign/test_differences.py`.
"""

from __future__ import annotations

import datetime
import itertools
import json
import math
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import pytest
from simpleflow_lab.download import with_binaries

from simpleflow_lab import Chain, Group, Lab, Workflow, activity, futures, log, workflow
from simpleflow_lab import exceptions as errors
from simpleflow_lab.activity import current_context, heartbeat
from simpleflow_lab.canvas import GroupFuture
from simpleflow_lab.commands.command_table import table
from simpleflow_lab.data.codec import decode_input, encode
from simpleflow_lab.exceptions import (
    ActivityCanceled,
    EncodingError,
    ExecutionBlocked,
    NondeterminismError,
    TaskException,
    UsageError,
    WorkflowExecutionFailed,
)
from simpleflow_lab.swf.decisions import attributes
from tests.replay.story import Story

GUIDE = Path(__file__).parents[2] / "docs" / "coming_from_simpleflow.md"
TASKS = {"task_list": "guide", "version": "1"}
NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, 123456, datetime.UTC)

TESTS: dict[str, Callable[..., None]] = {}
"""The test of each line."""


def says(line: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """This is the test of the line that begins so."""

    def note(test: Callable[..., None]) -> Callable[..., None]:
        assert line not in TESTS
        TESTS[line] = test
        return test

    return note


def table_rows() -> list[str]:
    """What the guide's tables have in their first column: what upstream does."""
    rows = re.findall(r"^\| (.*?) \| .* \|$", GUIDE.read_text(), re.MULTILINE)
    return [row for row in rows if row not in ("upstream", "---")]


def lines() -> list[str]:
    """The rows of the guide's tables, and the bold beginnings of its lists."""
    items = re.findall(r"^- \*\*(.*?)\*\*: ", GUIDE.read_text(), re.MULTILINE)
    return table_rows() + items


def test_every_line_has_a_test_and_every_test_a_line():
    found = lines()
    assert len(set(found)) == len(found)
    tested = {line: [row for row in found if row.startswith(line)] for line in TESTS}
    assert {line: rows for line, rows in tested.items() if len(rows) != 1} == {}
    assert set(found) - {row for rows in tested.values() for row in rows} == set()


def test_every_item_of_a_list_has_a_beginning_that_is_looked_for():
    assert len(re.findall(r"^- ", GUIDE.read_text(), re.MULTILINE)) == len(
        re.findall(r"^- \*\*.*?\*\*: ", GUIDE.read_text(), re.MULTILINE)
    )


# -- what the tests run ------------------------------------------------------------------------------------------------


@activity.with_attributes(name="guide.double", **TASKS)
def double(x):
    return 2 * x


@activity.with_attributes(name="guide.same", **TASKS)
def same(value=None):
    return value


@activity.with_attributes(name="guide.once", idempotent=True, **TASKS)
def once(value):
    return str(value)


@activity.with_attributes(name="guide.fails", **TASKS)
def fails():
    raise ValueError("on purpose")


@activity.with_attributes(name="guide.raises", raises_on_failure=True, **TASKS)
def raises():
    raise ValueError("on purpose")


_numbers = itertools.count(1)


def workflow_of(run: Callable[..., Any], **members: Any) -> type[Workflow]:
    """A workflow with this `run`, of a type of its own."""
    return type("Guide", (Workflow,), {"name": f"guide.{next(_numbers)}", **TASKS, **members, "run": run})


def execute(run: Callable[..., Any], *args: Any, **members: Any) -> Any:
    """The result of this `run`, in no time."""
    with Lab(":memory:", clock="virtual") as lab:
        return lab.start(workflow_of(run, **members), *args).result(60)


# -- what is better ----------------------------------------------------------------------------------------------------


@says("A task is numbered when it is scheduled")
def test_a_late_argument_gives_no_task_the_result_of_another():
    def run(self):
        first = self.submit(double, 1)
        second, third = self.submit(double, first), self.submit(double, 300)
        return [second.result, third.result]

    assert execute(run) == [4, 600]


@says("Code that changed under an open execution")
def test_changed_code_is_found_out():
    story = Story(workflow_of(lambda self: self.submit(double, 1).result))
    [schedule] = story.decide()
    story.record(schedule)
    story.add("WorkflowExecutionSignaled", signalName="s", input="1")
    story.workflow = workflow_of(lambda self: self.submit(double, 2).result)
    with pytest.raises(NondeterminismError):
        story.new_replay().feed(story.events)


@says("Reading `.result` of a pending future")
def test_run_goes_on_where_it_waited_unless_it_raises_execution_blocked_itself():
    entered = []

    def run(self):
        entered.append(1)
        return self.submit(double, 1).result

    assert execute(run) == 2
    assert len(entered) == 1

    def blocks(self):
        entered.append(2)
        future = self.submit(double, 1)
        if not future.done:
            raise ExecutionBlocked
        return future.result

    assert execute(blocks) == 2
    assert entered.count(2) == 2


@says("`ExecutionBlocked` is an `Exception`")
def test_execution_blocked_is_not_caught_as_an_exception():
    assert issubclass(ExecutionBlocked, BaseException)
    assert not issubclass(ExecutionBlocked, Exception)


@says("A pending future inside a list or dict")
def test_a_pending_future_in_a_list_holds_up_its_task_alone():
    def run(self):
        pending = self.submit(self.wait_signal("later"))
        waits = self.submit(same, [{"x": pending}])
        other = self.submit(double, 1).result
        self.submit(self.signal("later", 7, propagate=False))
        return [other, waits.result[0]["x"]["args"]]

    assert execute(run) == [2, [7]]


@says("The failure of a task with `raises_on_failure`")
def test_a_failure_is_raised_where_its_result_is_read():
    def run(self):
        failing, timer = self.submit(raises), self.submit(self.start_timer("meanwhile", 1))
        try:
            futures.wait(failing, timer)
        except TaskException:
            return timer.done
        return "not reached"

    with Lab(":memory:", clock="virtual") as lab:
        assert lab.start(workflow_of(run)).result(200) is True


@says("`raises_on_failure` of a container")
def test_raises_on_failure_of_a_group_changes_no_activity_and_may_be_set_later():
    def run(self):
        quiet = Group((fails,), raises_on_failure=False)
        loud = Chain((fails,))
        loud.raises_on_failure = True
        assert self.submit(quiet).result == [None]
        with pytest.raises(errors.AggregateException):
            self.submit(loud).result
        return fails.raises_on_failure

    assert execute(run) is False


@says("A failure whose error is never read")
def test_a_failure_that_nobody_read_is_shown():
    with Lab(":memory:") as lab:
        execution = lab.start(workflow_of(lambda self: self.submit(fails).result))
        assert execution.result(60) is None
        assert len(execution.unhandled_failures()) == 1


@says("`print` and log lines in `run`")
def test_lines_of_run_appear_once(capfd):
    def run(self):
        print("once")
        return self.submit(double, self.submit(double, 1)).result

    with Lab(":memory:", replay_cache_size=0) as lab:  # each decision is a replay from the start
        execution = lab.start(workflow_of(run))
        assert execution.result(60) == 4
    assert capfd.readouterr().out.count("once") == 1


@says("An unexpected error in a decider")
def test_the_workflows_own_error_closes_it_and_one_around_it_does_not():
    def hook(self, history):
        raise OSError("no disk")

    with Lab(":memory:") as lab:
        blocked = lab.start(workflow_of(lambda self: 1, before_replay=hook))
        with pytest.raises(errors.DecisionTaskError):
            blocked.result(60)
        assert blocked.status == "OPEN"

        def run(self):
            raise ValueError("mine")

        with pytest.raises(WorkflowExecutionFailed):
            lab.start(workflow_of(run)).result(60)


@says("The reason of a workflow's error")
def test_the_reason_is_the_error():
    def run(self):
        raise ValueError("mine")

    with Lab(":memory:") as lab, pytest.raises(WorkflowExecutionFailed) as failed:
        lab.start(workflow_of(run)).result(60)
    assert failed.value.reason == "ValueError: mine"


@says("The local executor runs one task after the other")
def test_local_runs_try_again_and_side_by_side():
    attempts = []
    meet = threading.Barrier(2)

    @activity.with_attributes(name="guide.meets", retry=1, **TASKS)
    def meets(n):
        attempts.append(n)
        meet.wait(200)  # both at once, or never
        if attempts.count(n) == 1:
            raise ValueError("the first time")
        return n

    with Lab(":memory:", activity_threads=2) as lab:
        execution = lab.start(workflow_of(lambda self: self.submit(Group((meets, 1), (meets, 2))).result))
        assert execution.result(60) == [1, 2]
    assert sorted(attempts) == [1, 1, 2, 2]


@says("`cancel()` of a future")
def test_a_canceled_activity_is_canceled():
    child = workflow_of(lambda self: self.submit(self.wait_signal("never")).result)

    def run(self):
        tasks = [self.submit(waits), self.submit(child)]
        self.submit(self.start_timer("until they run", 1)).wait()
        for task in tasks:
            task.cancel()
            futures.wait([task], return_when=futures.FIRST_COMPLETED)
        return [task.cancelled for task in tasks]

    with Lab(":memory:") as lab:
        assert lab.start(workflow_of(run)).result(60) == [True, True]


@activity.with_attributes(name="guide.waits", heartbeat_timeout=6, **TASKS)
def waits():
    while True:
        heartbeat()
        time.sleep(0.05)


@says("`signal` and `continue_as_new` fail with positional")
def test_signals_and_next_runs_take_positional_arguments():
    def run(self, n):
        if n == 1:
            return self.submit(self.continue_as_new(2)).result
        self.submit(self.signal("s", n, propagate=False))
        return self.submit(self.wait_signal("s")).result["args"]

    with Lab(":memory:") as lab:
        first = lab.start(workflow_of(run), 1, workflow_id="runs")
        first.wait(60)
        assert lab.execution("runs").result(60) == [2]


@says("`get_task_list`, `get_tag_list` and `get_workflow_id`")
def test_class_methods_and_static_methods_say_what_a_start_has():
    named = workflow_of(
        lambda self, n: n,
        get_workflow_id=classmethod(lambda cls, n: f"{cls.name}-{n}"),
        get_tag_list=staticmethod(lambda cls, n: [f"{cls.name}={n}"]),
    )
    with Lab(":memory:") as lab:
        execution = lab.start(named, 3)
        assert execution.result(60) == 3
        assert execution.workflow_id == f"{named.name}-3"
        assert execution.history()[0].attributes["tagList"] == [f"{named.name}=3"]


@says("Timeouts and tags of a class")
def test_timeouts_and_tags_of_the_class_hold():
    with Lab(":memory:") as lab:
        own = lab.start(workflow_of(lambda self: 1, execution_timeout=7200, tag_list=["a"])).history()[0].attributes
        assert (own["executionStartToCloseTimeout"], own["tagList"]) == ("7200", ["a"])
        none = lab.start(workflow_of(lambda self: 1)).history()[0].attributes
        assert none["executionStartToCloseTimeout"] == str(7 * 24 * 3600)


@says("Of the signals of one name")
def test_each_signal_is_passed_on():
    def listens(self):
        seen = [self.submit(self.next_signal("s")).result["args"] for _ in range(2)]
        return [*seen[0], *seen[1]]

    child = workflow_of(listens)

    def run(self):
        family = self.submit(child)
        for n in (1, 2):
            self.submit(self.signal("s", n))
            self.submit(self.start_timer(f"t{n}", 1)).wait()
        return family.result

    assert execute(run) == [1, 2]


@says("A child with the workflow id of an earlier one")
def test_a_child_with_the_id_of_an_earlier_one_and_another_input_is_refused():
    child = workflow_of(lambda self, n: n, get_workflow_id=classmethod(lambda cls, n: "guide-of-one-id"))
    with pytest.raises(errors.SameChildError):
        execute(lambda self: [self.submit(child, n).result for n in (1, 2)])
    assert execute(lambda self: [self.submit(child, 1).result for _ in range(2)]) == [1, 1]


@says("A timer with the id of an earlier one")
def test_a_timer_with_the_id_of_an_earlier_one_is_told():
    def run(self):
        for _ in range(2):
            self.submit(self.start_timer("t", 1)).wait()

    with Lab(":memory:", clock="virtual") as lab:
        execution = lab.start(workflow_of(run))
        execution.result(60)
        assert (len(execution.tasks()), len(execution.warnings)) == (1, 1)


@says("A marker, or the cancel of a timer")
def test_a_marker_is_there_at_once_and_causes_no_decision():
    def run(self):
        self.submit(self.record_marker("m", {"a": 1}))
        self.submit(self.start_timer("t", 100))
        self.submit(self.cancel_timer("t"))
        return self.get_event_details("marker", "m")["details"]

    with Lab(":memory:") as lab:
        execution = lab.start(workflow_of(run))
        assert execution.result(60) == {"a": 1}
        assert [event.type for event in execution.history()].count("DecisionTaskCompleted") == 1


# -- activities --------------------------------------------------------------------------------------------------------


@says("Each task runs in a process that is forked for it")
def test_a_task_runs_in_this_process_or_in_one_of_its_own_and_its_cancel_is_raised():
    canceled = []

    @activity.with_attributes(name="guide.stops", heartbeat_timeout=6, **TASKS)
    def stops():
        try:
            waits()
        except ActivityCanceled:
            canceled.append(1)
            raise

    @activity.with_attributes(name="guide.pid", **TASKS)
    def pid():
        return os.getpid()

    elsewhere = activity.with_attributes(name="guide.pid_elsewhere", executor="processes", **TASKS)(pid)

    def run(self):
        task = self.submit(stops)
        pids = [self.submit(pid).result, self.submit(elsewhere).result]
        task.cancel()
        futures.wait([task], return_when=futures.FIRST_COMPLETED)
        return pids

    with Lab(":memory:") as lab:
        here, there = lab.start(workflow_of(run)).result(60)
    assert here == os.getpid()
    assert there != os.getpid()
    assert canceled == [1]


@says("A worker runs any function that has the name")
def test_a_worker_runs_nothing_that_is_not_defined():
    undefined = activity.with_attributes(name="os.getpid", **TASKS)(os.getpid)
    definition = workflow_of(lambda self: self.submit(undefined).result)
    with Lab(":memory:") as lab:
        lab.serves = "decisions"
        execution = lab.start(definition)
        while "ActivityTaskScheduled" not in [event.type for event in execution.history()]:
            time.sleep(0.01)
        del activity.registry["os.getpid", "1"]
        lab.start_workers(task_list="guide")
        with pytest.raises(TimeoutError):
            execution.result(0.3)
        assert "ActivityTaskStarted" not in [event.type for event in execution.history()]


@says("`activity.context` is kept on the function")
def test_each_task_sees_its_own_context():
    barrier = threading.Barrier(2)

    @activity.with_attributes(name="guide.context", meta={"team": "etl"}, **TASKS)
    def context(n):
        barrier.wait(200)
        return [current_context()["activity_id"], context.context["activity_id"], current_context()["meta"]]

    with Lab(":memory:", activity_threads=2) as lab:
        execution = lab.start(workflow_of(lambda self: self.submit(Group((context, 1), (context, 2))).result))
        assert execution.result(60) == [
            [f"activity-guide.context-{n}", f"activity-guide.context-{n}", {"team": "etl"}] for n in (1, 2)
        ]
    assert "started_event_id" not in current_context()


# -- values ------------------------------------------------------------------------------------------------------------


@says("The seconds of a time are cut to three digits")
def test_microseconds_are_kept_and_tell_tasks_apart():
    def run(self):
        tasks = [self.submit(once, NOON), self.submit(once, NOON.replace(microsecond=123457))]
        return [task.result for task in tasks]

    assert execute(run) == ["2026-01-02T12:00:00.123456Z", "2026-01-02T12:00:00.123457Z"]


@says("Bytes that are not UTF-8")
def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(EncodingError, match="bytes that are not UTF-8"):
        encode([b"\xff"])


@says("A set is written in whatever order")
def test_a_set_is_sorted():
    assert encode({"b", "a", "c"}) == '["a","b","c"]'


@says("Keys of several types")
def test_keys_of_several_types_are_taken_unless_two_become_one():
    assert execute(lambda self: self.submit(same, {1: "a", None: "b"}).result) == {"1": "a", "null": "b"}
    with pytest.raises(EncodingError, match="become one"):
        encode({1: "a", "1": "b"})


@says("Keys that become text, and NaN")
def test_keys_that_become_text_and_nan_are_told():
    with Lab(":memory:") as lab:
        execution = lab.start(workflow_of(lambda self: {1: math.nan}))
        assert math.isnan(execution.result(60)["1"])
        assert len(execution.warnings) == 2


@says("Lone surrogates")
def test_lone_surrogates_and_deep_nesting_are_refused():
    deep: Any = []
    for _ in range(101):
        deep = [deep]
    for value in ("\ud800", deep):
        with pytest.raises(EncodingError):
            encode(value)


@says("`--input` takes NaN")
def test_what_is_typed_is_json():
    with pytest.raises(UsageError, match="NaN is not JSON"):
        decode_input("[NaN]", where="--input")


@says("A large value without a bucket")
def test_a_large_value_needs_no_bucket():
    assert execute(lambda self: len(self.submit(same, "x" * 100_000).result)) == 100_000


# -- containers, types, the history ------------------------------------------------------------------------------------


class Synced(GroupFuture):
    """As one for upstream."""

    def __init__(self, activities, workflow, max_parallel, bubbles_exception_on_failure):
        super().__init__(activities, workflow, max_parallel, bubbles_exception_on_failure)
        self.at_first = len(self.futures)

    def sync_result(self):
        raise AssertionError("it is not called")


@says("A `future_class` submits the members")
def test_a_future_class_gets_upstreams_arguments_before_members_are_submitted():
    def run(self):
        future = self.submit(Group((double, 1), future_class=Synced))
        return [future.result, future.at_first, len(future.activities)]

    assert execute(run) == [[2], 0, 1]


def class_of(name: str, type_name: str) -> type[Workflow]:
    return type(name, (Workflow,), {"name": type_name, **TASKS, "run": lambda self: type(self).__name__})


@says("Named by the input")
def test_the_input_says_which_class_runs():
    first, second = class_of("First", "guide.two"), class_of("Second", "guide.two")
    with Lab(":memory:") as lab:
        assert [lab.start(each).result(60) for each in (first, second)] == ["First", "Second"]


@says("Named by the type")
def test_a_type_named_as_the_class_is_run_by_it():
    class_of("Typed", "guide.typed")
    started = {"taskList": {"name": "guide"}, "childPolicy": "TERMINATE", "input": '{"args":[],"kwargs":{}}'}
    timeouts = {"executionStartToCloseTimeout": "60", "taskStartToCloseTimeout": "60"}
    kind = {"name": f"{__name__}.Typed", "version": "1"}
    with Lab(":memory:") as lab:
        lab.service.register_workflow_type(domain=lab.domain, **kind)
        lab.start_deciders(task_list="guide")
        lab.service.start_workflow_execution(
            domain=lab.domain, workflowId="typed", workflowType=kind, **started, **timeouts
        )
        assert lab.execution("typed").result(60) == "Typed"


@says("Gone")
def test_the_class_that_was_defined_last_goes_on_for_one_that_is_gone():
    gone, stays = class_of("Gone", "guide.gone"), class_of("Stays", "guide.gone")
    assert workflow.defined("guide.gone", "1", {"__extra": {"class": f"{__name__}.Gone"}}) is gone
    workflow.forget(gone)
    assert workflow.defined("guide.gone", "1", {"__extra": {"class": f"{__name__}.Gone"}}) is stays


@says("Records")
def test_a_workflow_reads_its_history_with_upstreams_records():
    seen = []

    def run(self):
        self.submit(double, 1).wait()
        self.submit(self.record_marker("m", 1))
        self.submit(self.start_timer("t", 1)).wait()
        history = self.executor.history
        seen.append(history.last_event_id)
        assert history.get_signal_events("none") == []
        return [sorted(history.activities), sorted(history.markers), sorted(history.timers), len(history.tasks) > 0]

    with Lab(":memory:", clock="virtual", replay_cache_size=0) as lab:
        execution = lab.start(workflow_of(run))
        assert execution.result(60) == [["activity-guide.double-1"], ["m"], ["t"], True]
        started = [event.id for event in execution.history() if event.type == "DecisionTaskStarted"]
    assert set(seen) == {started[-1]}


@says("Events")
def test_events_have_swfs_names():
    def run(self):
        self.submit(double, 1).wait()
        last = [event for event in self.executor.history if event.type == "ActivityTaskCompleted"]
        return last[0].attributes["result"]

    assert execute(run) == "2"


# -- executions that run: how both take over from each other is tried in tests/foreign/test_hand_over.py ---------------


@says("Children")
def test_a_child_is_started_under_the_name_of_its_type():
    child = workflow_of(lambda self: 1)
    story = Story(workflow_of(lambda self: self.submit(child).result))
    [start] = story.decide()
    assert attributes(start)["workflowType"]["name"] == child.name


@says("Large values")
def test_an_input_with_references_makes_upstreams_worker_fail_and_says_why():
    def run(self):
        return self.submit(same, self.submit(same, "x" * 40_000)).result and None

    with Lab(":memory:") as lab:
        execution = lab.start(workflow_of(run))
        assert execution.result(60) is None
        inputs = [e.attributes["input"] for e in execution.history() if e.type == "ActivityTaskScheduled"]
        # Upstream calls `input["meta"].get`.
        assert "only workers of simpleflow_lab can read it" in json.loads(inputs[1])["meta"]


@says("Failures while others are open")
@pytest.mark.parametrize("by", [None, Story.identity])
def test_what_upstream_decided_at_a_failure_is_no_difference(by):
    def run(self):
        futures.wait(self.submit(raises), self.submit(double, 1))

    story = Story(workflow_of(run))
    story.identity = by
    first, second = story.decide()
    scheduled = story.record(first)
    story.record(second)
    story.add("ActivityTaskFailed", scheduledEventId=scheduled.id, startedEventId=0, reason="ValueError: no")
    story.decide()
    story.record({"decisionType": "FailWorkflowExecution"})
    with nullcontext() if by is None else pytest.raises(NondeterminismError):
        story.new_replay().feed(story.events)


@says("Numbers that shift")
@pytest.mark.parametrize(
    ("identity", "why"),
    [(None, "under another number: simpleflow, which recorded it,"), (Story.identity, "or restore the code")],
    ids=["simpleflow's", "ours"],
)
def test_a_history_in_which_numbers_shifted_does_not_go_on(identity, why):
    def run(self):
        first = self.submit(double, 1)
        second, third = self.submit(double, first), self.submit(double, 300)
        return [second.result, third.result]

    story = Story(workflow_of(run))
    story.identity = identity
    one, three = story.decide()
    # Upstream gave the third call the second number, for the second call still waits.
    attributes(three)["activityId"] = "activity-guide.double-2"
    story.record(one)
    story.record(three)
    story.add("WorkflowExecutionSignaled", signalName="s", input="1")
    with pytest.raises(NondeterminismError, match=rf"activity-guide\.double-2.* {why}"):
        story.new_replay().feed(story.events)


@pytest.mark.parametrize(
    ("identity", "why"),
    [(None, "recorded before, as activity-guide.double-2, and simpleflow"), (Story.identity, "or restore the code")],
    ids=["simpleflow's", "ours"],
)
def test_a_task_that_got_a_number_twice_is_told_with_the_first_one(identity, why):
    def run(self):
        first = self.submit(double, 1)
        second = self.submit(double, 300)
        third = self.submit(double, first)
        return [second.result, third.result]

    story = Story(workflow_of(run))
    story.identity = identity
    one, two = story.decide()
    scheduled = story.record(one)
    story.record(two)
    started = story.add("ActivityTaskStarted", scheduledEventId=scheduled.id, identity="worker")
    story.add("ActivityTaskCompleted", scheduledEventId=scheduled.id, startedEventId=started.id, result="2")
    story.decide()
    # Upstream gave the third call the second number, with its result, and the second call the third number.
    attributes(two)["activityId"] = "activity-guide.double-3"
    story.record(two)
    story.add("WorkflowExecutionSignaled", signalName="s", input="1")
    with pytest.raises(NondeterminismError, match=rf"activity-guide\.double-3.* {why}"):
        story.new_replay().feed(story.events)


# -- what is not here --------------------------------------------------------------------------------------------------


@says("Object layer")
def test_there_is_no_object_layer():
    with pytest.raises(ModuleNotFoundError):
        __import__("simpleflow_lab.swf.mapper")


@says("Options")
def test_this_option_is_not_here():
    command = table.get_command(click.Context(table), "workflow.history")
    assert command is not None
    assert "--reverse-order" not in {option for parameter in command.params for option in parameter.opts}


@says("Programs from S3")
def test_nothing_that_an_input_names_is_downloaded():
    with pytest.raises(UsageError):
        with_binaries({"tool": "s3://bucket/tool"})


@says("Logging setup")
def test_logging_is_not_set_up():
    assert not hasattr(log, "setup_logging")
