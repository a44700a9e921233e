"""An activity that runs in one process, looked at from another: what is only known there is not shown, and no error."""

from __future__ import annotations

import datetime
import os
import threading

import pytest

from simpleflow_lab import Lab, Workflow, activity
from tests.waiting import until

TASKS = {"task_list": "elsewhere", "version": "1"}
gates: dict[str, threading.Event] = {}


@activity.with_attributes(name="elsewhere.reports", heartbeat_timeout=90, **TASKS)
def reports(gate):
    activity.heartbeat(0.25, {"rows": 7})
    gates[gate].wait(200)
    return os.getpid()


class Reports(Workflow):
    name = "elsewhere.reports_workflow"
    task_list = "elsewhere"

    def run(self, gate):
        return self.submit(reports, gate).result


@pytest.fixture
def gate(request):
    name = request.node.name
    gates[name] = threading.Event()
    yield name
    gates.pop(name).set()


def test_progress_is_shown_where_it_is_known_and_nowhere_else(lab, gate, tmp_path):
    there = lab if lab.address.startswith("aws:") else Lab(tmp_path / "lab.sqlite")
    with Lab(there.address, notice=lambda _: None) as onlooker:
        execution = there.start(Reports, gate)
        until(lambda: any(one.has_progress for one in execution.progress().activities))
        assert [(one.progress, one.details) for one in execution.progress().activities] == [(0.25, {"rows": 7})]

        seen = onlooker.execution(execution.workflow_id)
        assert (seen.progress().running, seen.progress().running_names) == (1, ("elsewhere.reports",))
        assert seen.progress().activities == ()
        latest = seen.describe()["latestActivityTaskTimestamp"]
        assert isinstance(latest, datetime.datetime)
        assert latest == [event for event in seen.history() if event.type == "ActivityTaskStarted"][-1].timestamp
        assert "elsewhere.reports" in seen._repr_html_()
        gates[gate].set()
        assert seen.result(200) == os.getpid()
        assert execution.progress().activities == seen.progress().activities == ()
    if there is not lab:
        there.close()
