"""A task that comes with the answer to the one before: to a worker that has been told to stop meanwhile, or that gives
it back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http import store_keys
from simpleflow_lab.http.connection_file import connection_file_path
from simpleflow_lab.http.server import Endpoint

LONG = 200
TASK_LIST = "task-with-an-answer"
ran: list[int] = []
may_end = threading.Event()
may_end.set()


class Owner(EmbeddedSWF):
    """An engine that tells of a task before a client gets it with the answer to its last one."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.gives: queue.Queue[str] = queue.Queue()
        self.may_send = threading.Event()

    def remote_answer(self, operation: str, *args: Any, **options: Any) -> Any:
        """See `EmbeddedSWF`."""
        answer = super().remote_answer(operation, *args, **options)
        if operation == "RespondActivityTaskCompleted" and answer.get("taskToken"):
            self.gives.put(answer["taskToken"])
            self.may_send.wait(LONG)
        return answer


@activity.with_attributes(name="with-an-answer.work", version="1", task_list=TASK_LIST)
def work(number: int) -> int:
    ran.append(number)
    if number:
        may_end.wait(LONG)
    return number


class Two(Workflow):
    name = "with-an-answer-two"
    version = "1"
    task_list = "with-an-answer-decisions"

    def run(self) -> list[int]:
        return [future.result for future in [self.submit(work, number) for number in range(2)]]


@pytest.fixture
def owner(tmp_path) -> Iterator[Owner]:
    path = str(tmp_path / "lab.sqlite")
    with Owner(path) as engine:
        endpoint = Endpoint(engine, keys=store_keys.of_store(path), connection_file=connection_file_path(path))
        yield engine
        engine.may_send.set()
        endpoint.close()


@pytest.mark.parametrize("drain", [True, False])
def test_a_worker_that_was_told_to_stop_runs_the_task_or_gives_it_back_at_once(owner, drain):
    ran.clear()
    with Lab(owner.path, serve="nothing") as lab:
        lab.start_deciders(task_list=Two.task_list)
        execution = lab.start(Two)
        worker = lab.start_workers(1, task_list=TASK_LIST)
        owner.gives.get(timeout=LONG)
        assert not worker.stop(drain=drain, seconds=0)
        owner.may_send.set()
        assert worker.stop(drain=drain, seconds=LONG)
        assert ran == ([0, 1] if drain else [0])
        worker.start()
        assert execution.result(LONG) == [0, 1]
        assert ran == [0, 1]


def test_the_result_of_a_task_that_was_given_back_is_no_late_one(owner, caplog):
    ran.clear()
    owner.may_send.set()
    may_end.clear()
    with Lab(owner.path, serve="nothing") as lab:
        lab.start_deciders(task_list=Two.task_list)
        execution = lab.start(Two)
        (worker,) = lab.start_workers(1, task_list=TASK_LIST)
        try:
            owner.release_task(taskToken=owner.gives.get(timeout=LONG))
        finally:
            may_end.set()
        assert execution.result(LONG) == [0, 1]
        assert worker.stop(seconds=LONG)
        assert (worker.failed, worker.done) == (0, 2)
    assert "too late" not in caplog.text
