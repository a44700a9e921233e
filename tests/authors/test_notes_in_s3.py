"""Notes of steps and of metrology in buckets that the environment names, read where the activities run."""

from __future__ import annotations

import json

import pytest

from simpleflow_lab import Chain, Workflow, activity, metrology
from simpleflow_lab.exceptions import WorkflowExecutionFailed
from simpleflow_lab.metrology import MetrologyWorkflow
from simpleflow_lab.step.workflow import WorkflowStepMixin
from tests.authors.conftest import over_the_wire
from tests.s3 import NAME

worked: list[str] = []


@activity.with_attributes(name="notes_in_s3.work", task_list="notes-in-s3", version="1")
def work(what):
    worked.append(what)


class Stepped(Workflow, WorkflowStepMixin):
    name = "notes_in_s3.stepped"
    task_list = "notes-in-s3"

    def run(self):
        self.submit(Chain(self.step("a", (work, "a")), self.step("b", (work, "b")))).wait()
        return self.get_steps_done()


@pytest.fixture(autouse=True)
def _nothing_worked():
    worked.clear()


@pytest.mark.parametrize("place", [NAME, f"{NAME}/etl"])
def test_notes_of_steps_are_in_step_bucket(bucket, lab, place, monkeypatch):
    monkeypatch.setenv("STEP_BUCKET", place)
    first = lab.start(Stepped, workflow_id="notes")
    assert first.result(200) == []
    inside = place.removeprefix(NAME).lstrip("/")
    assert bucket.keys == [f"{inside}/notes/steps/{step}".lstrip("/") for step in ("a", "b")]
    assert json.loads(bucket.get(bucket.keys[0]))["run_id"] == first.run_id
    again = lab.start(Stepped, workflow_id="notes")
    assert again.result(200) == ["a", "b"]
    assert worked == ["a", "b"]


class Elsewhere(Stepped):
    name = "notes_in_s3.elsewhere"

    def get_step_bucket(self):
        return NAME


def test_what_the_workflow_says_goes_before_step_bucket(bucket, lab, monkeypatch):
    monkeypatch.setenv("STEP_BUCKET", "another-one")
    lab.start(Elsewhere, workflow_id="notes").result(200)
    assert bucket.keys == ["notes/steps/a", "notes/steps/b"]


def test_without_any_bucket_steps_on_amazon_fail_at_once_and_name_the_ways_out(monkeypatch):
    with over_the_wire(monkeypatch, objects=False) as lab:
        execution = lab.start(Stepped, workflow_id="notes")
        with pytest.raises(WorkflowExecutionFailed, match=r"SIMPLEFLOW_JUMBO_FIELDS_BUCKET.* STEP_BUCKET") as failed:
            execution.result(200)
    assert "\n" not in failed.value.reason
    assert worked == []


@activity.with_attributes(name="notes_in_s3.measured", task_list="notes-in-s3", version="1", raises_on_failure=True)
def measured(count):
    with metrology.step("read") as step:
        step.read.records = count
    return count


class Measured(MetrologyWorkflow):
    name = "notes_in_s3.measured_workflow"
    task_list = "notes-in-s3"

    def run(self, executor):
        there = activity.with_attributes(task_list="notes-in-s3", executor=executor, raises_on_failure=True)(measured)
        return self.submit(there, 7).result


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_figures_are_in_metrology_bucket(bucket, lab, monkeypatch, executor):
    monkeypatch.setenv("METROLOGY_BUCKET", NAME)
    monkeypatch.setenv("METROLOGY_PATH_PREFIX", "figures")
    execution = lab.start(Measured, executor)
    assert execution.result(200) == 7
    folder = f"figures/{metrology.folder_of(execution.workflow_id, execution.run_id)}"
    assert sorted(key.removeprefix(folder).split(".")[0] for key in bucket.keys) == ["activity", "metrology"]
    assert execution.metrology()["read_records"].tolist() == [7]
