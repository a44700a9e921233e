"""The way of a log's records to the service: in order, within a bound, and in nobody's way."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import StoreError
from simpleflow_lab.runtime.log_writer import LoggedExecution, LogWriter
from simpleflow_lab.service.execution_logs import MAX_RECORDS, page_from_json

pytestmark = pytest.mark.forks

TASKS = {"task_list": "log-writer", "version": "1"}


@pytest.fixture
def engine() -> Iterator[EmbeddedSWF]:
    with EmbeddedSWF() as engine:
        engine.register_domain(name="lab", workflowExecutionRetentionPeriodInDays="1")
        engine.register_workflow_type(domain="lab", name="workflow", version="1")
        yield engine


def started(engine: EmbeddedSWF, workflow_id: str) -> LoggedExecution:
    run_id = engine.start_workflow_execution(
        domain="lab",
        workflowId=workflow_id,
        workflowType={"name": "workflow", "version": "1"},
        taskList={"name": "list"},
        childPolicy="TERMINATE",
        executionStartToCloseTimeout="60",
        taskStartToCloseTimeout="60",
    )["runId"]
    return LoggedExecution("lab", workflow_id, run_id)


def texts(engine: EmbeddedSWF, execution: LoggedExecution) -> list[str]:
    ids = {"workflowId": execution.workflow_id, "runId": execution.run_id}
    found = page_from_json(engine.read_log(domain="lab", execution=ids))
    return [each.record.text for each in found]


def test_one_writer_serves_a_service_and_does_not_keep_it_alive(engine):
    assert LogWriter.of(engine) is LogWriter.of(engine)
    other = EmbeddedSWF()
    LogWriter.of(other)
    assert LogWriter.of(other) is not LogWriter.of(engine)
    other.close()
    alive = weakref.ref(other)
    del other
    gc.collect()
    assert alive() is None


def test_lines_of_many_threads_are_all_there_each_thread_s_in_order(engine):
    writer, execution = LogWriter.of(engine), started(engine, "many")

    def write(name: str) -> None:
        for n in range(50):
            writer.write(execution, "a", 6, "stdout", f"{name} ")
            writer.write(execution, "a", 6, "stdout", f"{n}\n")

    workers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    writer.flush()
    found = texts(engine, execution)
    for name in "abcd":
        assert [text for text in found if text.startswith(name)] == [f"{name} {n}" for n in range(50)]
    assert len(found) == 200


def test_a_log_that_nobody_keeps_is_in_no_other_s_way(engine):
    writer, execution = LogWriter.of(engine), started(engine, "kept")
    writer.add(LoggedExecution("lab", "unknown", "run"), None, None, "stdout", "lost")
    writer.add(execution, None, None, "stdout", "kept")
    writer.flush()
    assert texts(engine, execution) == ["kept"]


def test_what_a_service_does_not_take_waits_within_a_bound_and_is_given_up_at_the_end(engine):
    writer, execution = LogWriter.of(engine), started(engine, "closed")
    engine.close()
    for n in range(2 * MAX_RECORDS):
        writer.add(execution, None, None, "stdout", str(n))
    with pytest.raises(StoreError):
        writer.flush()
    writer.task_ended(execution, None, None)  # raises nothing
    assert writer.waiting <= MAX_RECORDS
    writer.stop()
    assert writer.waiting == 0


@activity.with_attributes(name="log-writer.forks", **TASKS)
def forks():
    for n in range(20):
        print("before", n)
        pid = os.fork()
        if pid == 0:
            for _ in range(100):
                print("in the child")
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    print("after")


class Forks(Workflow):
    name = "log-writer.forks"
    task_list = "log-writer"

    def run(self):
        return self.submit(forks).result


def test_a_process_that_an_activity_forks_writes_no_log_and_waits_for_no_lock(tmp_path: Path):
    with Lab(tmp_path / "store.sqlite") as lab:
        execution = lab.start(Forks)
        execution.result(60)
        lines = [line.text for line in execution.logs()]
    assert lines == [*(f"before {n}" for n in range(20)), "after"]
