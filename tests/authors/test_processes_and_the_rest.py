"""Activities in processes of their own, with all else that an activity may use: nothing tells them from threads."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import simpleflow_lab.data.numpy_pandas
from simpleflow_lab import Group, Workflow, activity, metrology
from simpleflow_lab.data.objects import current_storage
from simpleflow_lab.exceptions import WorkflowExecutionFailed
from simpleflow_lab.metrology import MetrologyTask
from tests.notebook.kernel import Kernel

assert simpleflow_lab.data.numpy_pandas

pytestmark = pytest.mark.forks

TASKS = {"task_list": "processes-and", "version": "1", "executor": "processes", "raises_on_failure": True}
HERE = os.getpid()
logger = logging.getLogger("tests.processes_and")


@activity.with_attributes(name="processes_and.make", **TASKS)
def make(length):
    assert os.getpid() != HERE
    return "é" * length


@activity.with_attributes(name="processes_and.join", **TASKS)
def join(parts, *, more):
    assert os.getpid() != HERE
    return "".join([*parts, more])


class Large(Workflow):
    name = "processes_and.large"
    task_list = "processes-and"

    def run(self, length):
        made = self.submit(Group((make, length), (make, length)))
        joined = self.submit(join, made, more=self.submit(make, 1))
        return [len(joined.result), self.submit(join, [], more=joined).result == joined.result]


def test_large_arguments_and_results_pass_from_process_to_process(lab_for_large):
    execution = lab_for_large.start(Large, 60_000)
    assert execution.result(60) == [120_001, True]
    assert all(len(event.attributes.get("result") or "") < 1_000 for event in execution.history())


@activity.with_attributes(name="processes_and.too_large", **TASKS)
def too_large():
    return "x" * 6_000_000


class TooLarge(Workflow):
    name = "processes_and.too_large_workflow"
    task_list = "processes-and"

    def run(self):
        return self.submit(too_large).result


def test_a_result_too_large_to_be_kept_fails_with_the_limit(lab_for_large):
    with pytest.raises(WorkflowExecutionFailed, match="5242880"):
        lab_for_large.start(TooLarge).result(200)


@activity.with_attributes(name="processes_and.double", **TASKS)
def double(frame):
    assert os.getpid() != HERE
    return frame.assign(n=frame["n"] * 2)


class Frames(Workflow):
    name = "processes_and.frames"
    task_list = "processes-and"

    def run(self, frame):
        return self.submit(double, self.submit(double, frame)).result


@pytest.mark.parametrize("rows", [3, 20_000])
def test_data_frames_small_and_large_come_back_equal(lab_for_large, rows):
    frame = pd.DataFrame(
        {"n": range(rows), "at": pd.date_range("2026-01-01", periods=rows, freq="s", tz="UTC"), "name": "é"}
    )
    pd.testing.assert_frame_equal(lab_for_large.start(Frames, frame).result(60), frame.assign(n=frame["n"] * 4))


@activity.with_attributes(name="processes_and.step", **TASKS)
class Measured(MetrologyTask):
    def __init__(self, count):
        self.count = count

    def execute(self):
        with self.step("read") as step:
            step.read.records = self.count
        with metrology.step("write") as step:
            step.write.bytes = 10 * self.count
        current_storage().default.put(f"notes/{self.count}", str(os.getpid()).encode())
        return current_storage().default.keys("notes/")


class Notes(Workflow):
    name = "processes_and.notes"
    task_list = "processes-and"

    def run(self):
        return self.submit(Measured, 7).result


def test_objects_and_figures_are_kept_by_the_lab(lab):
    execution = lab.start(Notes)
    assert execution.result(200) == ["notes/7"]
    assert int(lab.storage.default.get("notes/7")) != HERE
    table = execution.metrology().set_index("step")
    assert (table.loc["read", "read_records"], table.loc["write", "write_bytes"]) == (7, 70)


@activity.with_attributes(name="processes_and.says", **TASKS)
def says(path):
    activity.heartbeat(0.5, {"rows": 7})
    print("printed")
    logger.warning("logged %s", "once")
    while not Path(path).exists():
        time.sleep(0.005)
    return os.getpid()


class Says(Workflow):
    name = "processes_and.says_workflow"
    task_list = "processes-and"

    def run(self, path):
        return self.submit(says, path).result


def test_middleware_goes_around_it_in_its_process_and_what_it_says_is_seen_here(lab, tmp_path, capsys):
    def around(context, call, args, kwargs):
        activity.heartbeat(0.1)
        Path(f"{args[0]}.before").write_text(f"{context['name']} {os.getpid()}")
        result = call(*args, **kwargs)
        return [result, os.getpid()]

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    lab.use(around)
    path = tmp_path / "go on"
    try:
        execution = lab.start(Says, str(path))
        found, deadline = (), time.monotonic() + 200
        while not (found and found[0].progress == 0.5) and time.monotonic() < deadline:
            time.sleep(0.01)
            found = execution.progress().activities
        assert [(one.name, one.progress, one.details) for one in found] == [("processes_and.says", 0.5, {"rows": 7})]
        path.touch()
        pid, around_pid = execution.result(200)
    finally:
        path.touch()
        logger.removeHandler(handler)
    assert pid == around_pid != HERE
    assert Path(f"{path}.before").read_text() == f"processes_and.says {pid}"
    shown = capsys.readouterr()
    assert shown.out.splitlines() == ["printed"]
    assert shown.err.count("WARNING logged once") == 1


CELL = """
import logging, os, sys
import pandas as pd
import simpleflow_lab.data.numpy_pandas
from simpleflow_lab import Lab, Workflow, activity, metrology
from simpleflow_lab.data.objects import current_storage

logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s")
kernel_pid = os.getpid()

def timed(context, call, args, kwargs):
    print("before", context["name"])
    return call(*args, **kwargs)

@activity.with_attributes(task_list="cells", raises_on_failure=True, executor="processes", heartbeat_timeout=5)
def grow(frame, times):
    activity.heartbeat(0.5)
    logging.warning("in another process: %s", os.getpid() != kernel_pid)
    with metrology.step("grow") as step:
        step.read.records = len(frame)
    current_storage().default.put("notes/cell", b"kept")
    return pd.concat([frame] * times, ignore_index=True)

class InACell(Workflow):
    name = "processes_and.cell"
    task_list = "cells"

    def run(self, frame):
        return self.submit(grow, self.submit(grow, frame, 10_000), 2).result

lab = Lab(middleware=[timed])
execution = lab.start(InACell, pd.DataFrame({"n": [1, 2], "text": ["a", "é"]}))
print(len(execution.result(60)))
print(execution.metrology()["read_records"].tolist())
"""


def test_all_of_it_from_a_notebooks_cell(tmp_path):
    with Kernel(tmp_path / "store.sqlite") as kernel:
        done = kernel.run(CELL, cell_id="all")
        assert done.error is None, done.traceback
        kept = kernel.run("print(lab.storage.default.get('notes/cell'), execution.progress().completed)\nlab.close()")
        assert kept.stdout.split() == ["b'kept'", "2"], kept.shown
        assert "40000\n[2, 20000]" in done.stdout
        assert done.stderr.count("WARNING in another process: True") == 2, done.shown
        assert done.stdout.count("before __main__.grow") == 2
