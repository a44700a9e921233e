"""What activities read and wrote, step by step."""

from __future__ import annotations

import datetime
import json
import logging
from typing import ClassVar

import pytest

from simpleflow_lab import Lab, Workflow, activity, metrology, settings
from simpleflow_lab.activity_context import set_current_task
from simpleflow_lab.data.objects import MemoryObjects, Storage, using_storage
from simpleflow_lab.exceptions import StoreError, UsageError
from simpleflow_lab.metrology import MetrologyTask, MetrologyWorkflow, StepIO
from tests.running import task_of

tries: dict[str, int] = {}


@activity.with_attributes(name="metrology.copy", task_list="metrology", version="1", retry=1)
def copy(name, count):
    tries[name] = tries.get(name, 0) + 1
    with metrology.step("read") as step:
        step.read.bytes = 1000 * count
        step.read.records = count
        if tries[name] == 1 and count > 1:
            raise ValueError("the first attempt fails within the step")
    with metrology.step("write") as outer:
        with metrology.step("flush") as inner:
            inner.write.records = 1
        outer.write.bytes = 10 * count
        outer.metadata["file"] = name
    return count


@activity.with_attributes(name="metrology.class", task_list="metrology", version="1", raises_on_failure=True)
class Counts(MetrologyTask):
    meta: ClassVar = {"source": "tests"}

    def __init__(self, records):
        self.records = records

    def execute(self):
        with self.step("count") as step:
            step.read.records = self.records
            step.read.sampled = True
        return [step.name for step in self.steps]


class Copies(MetrologyWorkflow):
    name = "metrology.copies"
    task_list = "metrology"

    def run(self, name):
        futures = [self.submit(copy, f"{name}-{count}", count) for count in (1, 2)]
        return [*(future.result for future in futures), self.submit(Counts, 5).result]


class Idle(Workflow):
    name = "metrology.idle"
    task_list = "metrology"

    def run(self):
        return None


def test_every_step_of_every_attempt_is_a_row(lab, request):
    """MT-01, UB-20: the attempt that failed has its figures, too."""
    execution = lab.start(Copies, request.node.name)
    assert execution.result(timeout=200) == [1, 2, ["count"]]
    table = execution.metrology().set_index(["task", "attempt", "step"])
    first, second, counted = "activity-metrology.copy-1", "activity-metrology.copy-2", "activity-metrology.class-1"
    assert sorted(table.index) == [
        (counted, 1, "count"),
        *((first, 1, step) for step in ("flush", "read", "write")),
        (second, 1, "read"),
        *((second, 2, step) for step in ("flush", "read", "write")),
    ]
    assert table.loc[(second, 1, "read"), "state"] == "failed"
    assert table.loc[(second, 2, "read"), ["read_bytes", "read_records"]].tolist() == [2000, 2]
    row = table.loc[(counted, 1, "count")]
    assert row["read_records_s"] == pytest.approx(5 / row["seconds"])
    assert row["read_bytes_s"] == 0
    assert table["running"].notna().all()


def test_figures_are_summed_up_by_activity_and_step(lab, request):
    execution = lab.start(Copies, request.node.name)
    execution.result(timeout=200)
    table = execution.metrology(by="activity").set_index(["name", "step"])
    assert table.loc[("metrology.copy", "read"), ["count", "read_bytes"]].tolist() == [3, 5000]
    assert table.loc[("metrology.copy", "write"), ["count", "write_bytes"]].tolist() == [2, 30]
    seconds = table.loc[("metrology.copy", "read"), "seconds"]
    assert table.loc[("metrology.copy", "read"), "read_bytes_s"] == pytest.approx(5000 / seconds)
    with pytest.raises(UsageError, match="'activity'"):
        execution.metrology(by="day")


def test_an_execution_without_figures_has_an_empty_table(lab):
    execution = lab.start(Idle)
    execution.result(timeout=200)
    assert execution.metrology().empty
    assert execution.metrology(by="activity").empty
    assert "read_bytes_s" in execution.metrology(by="activity").columns


def test_a_workflow_leaves_all_figures_with_its_tasks_when_it_closes(lab, request):
    """MT-02."""
    execution = lab.start(Copies, request.node.name)
    execution.result(timeout=200)
    folder = metrology.folder_of(execution.workflow_id, execution.run_id)
    merged = json.loads(lab.storage.default.get(f"{folder}metrology.json"))
    assert [(task_id, attempt["state"]) for task_id, attempt in merged] == [
        ("activity-metrology.copy-1", "completed"),
        ("activity-metrology.copy-2", "failed"),
        ("activity-metrology.copy-2", "completed"),
        ("activity-metrology.class-1", "completed"),
    ]
    counted = merged[-1][1]
    assert counted["metrology"]["meta"] == {"source": "tests"}
    assert counted["metrology"]["steps"][0]["read"] | {"rec_s": None} == {
        "bytes": 0, "records": 5, "mb_s": None, "rec_s": None, "sampled": True
    }  # fmt: skip
    assert datetime.datetime.fromisoformat(counted["completed_timestamp"])


def test_figures_are_there_after_the_store_was_opened_again(tmp_path, request):
    with Lab(tmp_path / "lab.sqlite") as lab:
        execution = lab.start(Copies, request.node.name)
        execution.result(timeout=200)
    with Lab(tmp_path / "lab.sqlite") as lab:
        found = lab.execution(execution.workflow_id).metrology()
    assert len(found) == 8


class BrokenObjects(MemoryObjects):
    def put(self, key, content):
        raise StoreError("the disk is full")


def test_figures_that_can_not_be_kept_fail_nothing(request, caplog):
    with Lab(":memory:") as lab:
        lab.storage.default = BrokenObjects()
        with caplog.at_level(logging.WARNING, "simpleflow_lab.metrology"):
            assert lab.start(Copies, request.node.name).result(timeout=200) == [1, 2, ["count"]]
    messages = [record.getMessage() for record in caplog.records if record.name == "simpleflow_lab.metrology"]
    assert messages
    assert all("could not be stored: the disk is full" in message for message in messages)


def test_figures_go_to_the_bucket_that_is_configured():
    bucket = MemoryObjects()
    asked = []

    def at(location):
        asked.append(location)
        return bucket

    context = {"workflow_id": "w/../x", "run_id": "r+=", "activity_id": "a" * 256, "started_event_id": 7}
    with (
        settings.override(metrology_bucket="figures", metrology_path_prefix="etl/"),
        using_storage(Storage(MemoryObjects(), at)),
        set_current_task(task_of(context)),
        metrology.step("s"),
    ):
        pass
    assert set(asked) == {"figures/etl"}
    (key,) = bucket.keys("metrology/")
    assert key.startswith("metrology/w%2F..%2Fx/r%2B%3D/activity.")
    assert key.endswith(".7.json")


def test_steps_outside_of_an_activity_are_measured_and_not_kept():
    with metrology.step("alone") as step:
        step.read.records = 3
    assert step.time_total is not None
    assert step.get_stats()["read"]["records"] == 3
    task = Counts.callable(2)
    assert task.execute()[-1] == "count"
    task.post_execute()


def test_rates_of_a_step_that_took_no_time_are_unknown():
    read = StepIO()
    read.bytes, read.records = 2 * 1024 * 1024, 10
    assert read.get_stats(0.0)["mb_s"] is None
    assert (read.get_stats(4.0)["mb_s"], read.get_stats(4.0)["rec_s"]) == (0.5, 2)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"{",
        b"[]",
        b'{"started_event_id": "x"}',
        b'{"started_event_id": 7, "steps": [1, {"read": [], "time_total": "x"}]}',
    ],
)
def test_an_object_that_has_no_figures_is_left_out(lab, content, request):
    execution = lab.start(Copies, request.node.name)
    execution.result(timeout=200)
    folder = metrology.folder_of(execution.workflow_id, execution.run_id)
    lab.storage.default.put(f"{folder}activity.odd.7.json", content)
    assert len(execution.metrology()) >= 5
