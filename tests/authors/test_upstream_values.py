"""What a program for upstream passes and returns: taken where nothing is lost, the same value everywhere, and told."""

from __future__ import annotations

import datetime
import math

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.exceptions import WorkflowExecutionFailed

TASKS = {"task_list": "upstream-values", "version": "1"}
NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, 250000, datetime.UTC)


@activity.with_attributes(name="upstream_values.same", **TASKS)
def same(value):
    return value


@activity.with_attributes(name="upstream_values.by_rank", **TASKS)
def by_rank(value):
    assert list(value) == ["1", "null"], value
    return {1: value, None: math.inf}


@activity.with_attributes(name="upstream_values.in_a_process", executor="processes", **TASKS)
def in_a_process():
    return {2: "b"}


@activity.with_attributes(name="upstream_values.once", idempotent=True, **TASKS)
def once(when):
    return when


class Values(Workflow):
    name, version, task_list = "upstream_values.values", "1", "upstream-values"

    def run(self, given):
        marker = self.submit(self.record_marker("m", {3: math.nan})).result
        sent = self.submit(self.signal("s", {4: 1}, propagate=False)).result
        ranked = self.submit(by_rank, {1: "a", None: "b"}).result
        forked = self.submit(in_a_process).result
        return [given, [str(each) for each in marker.items()], sent["args"], ranked, forked]


class Once(Workflow):
    name, version, task_list = "upstream_values.once", "1", "upstream-values"

    def run(self):
        futures = [self.submit(once, when) for when in (NOON, NOON, NOON.replace(microsecond=250001))]
        return [future.result for future in futures]


class Loses(Workflow):
    name, version, task_list = "upstream_values.loses", "1", "upstream-values"

    def run(self):
        return self.submit(same, {1: "a", "1": "b"}).result


def test_keys_and_numbers_come_as_upstream_gives_them_and_the_execution_says_so():
    with Lab(":memory:") as lab:
        execution = lab.start(Values, {0: -math.inf})
        assert execution.result(200) == [
            {"0": -math.inf},
            ["('3', nan)"],
            [{"4": 1}],
            {"1": {"1": "a", "null": "b"}, "null": math.inf},
            {"2": "b"},
        ]
        told = sorted(warning.partition(": the ")[0] for warning in execution.warnings)
        assert told == [
            "details of marker m",
            "details of marker m",
            "input of Values",
            "input of Values",
            "input of signal s",
            "input of upstream_values.by_rank",
            "result",
            "result of upstream_values.by_rank",
            "result of upstream_values.by_rank",
            "result of upstream_values.in_a_process",
        ]
        assert "the key 2 is written as the text '2'" in "".join(execution.warnings)


class Waits(Workflow):
    name, version, task_list = "upstream_values.waits", "1", "upstream-values"

    def run(self, when):
        return self.submit(self.wait_signal("go")).result and when


def test_an_open_execution_that_upstream_started_is_taken_up_whatever_its_spelling():
    with Lab(":memory:") as lab:
        kind = {"name": Waits.name, "version": "1"}
        lab.service.register_workflow_type(domain=lab.domain, **kind)
        lab.service.start_workflow_execution(
            domain=lab.domain,
            workflowId="waits",
            workflowType=kind,
            taskList={"name": "upstream-values"},
            executionStartToCloseTimeout="60",
            taskStartToCloseTimeout="60",
            childPolicy="TERMINATE",
            input='{"__extra": {"class": "m.Waits"}, "args": ["2026-01-02T12:00:00.250Z"], "kwargs": {}}',
        )
        execution = lab.start(Waits, NOON.replace(microsecond=250999), workflow_id="waits")
        execution.signal("go", "1")
        assert execution.result(200) == "2026-01-02T12:00:00.250Z"


def test_two_keys_that_would_become_one_are_refused_where_they_are_passed():
    with Lab(":memory:") as lab, pytest.raises(WorkflowExecutionFailed, match="both of the keys 1 and '1'"):
        lab.start(Loses).result(200)


def test_times_are_spelled_as_upstream_does_unless_that_cuts_them_and_then_are_another_task():
    with Lab(":memory:") as lab:
        execution = lab.start(Once)
        assert execution.result(200) == [
            "2026-01-02T12:00:00.250Z",
            "2026-01-02T12:00:00.250Z",
            "2026-01-02T12:00:00.250001Z",
        ]
        ids = [event.attributes["activityId"] for event in execution.history() if event.type == "ActivityTaskScheduled"]
        # What upstream makes of the first.
        assert ids[0] == "activity-upstream_values.once-e08f9815b5e352fd2459369b4c9a2865"
        assert len(ids) == 2
