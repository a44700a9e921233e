"""The threads of a Lab are bounded by its task lists and by what is in progress."""

import threading
import time

import pytest

from simpleflow_lab import Lab, Workflow, activity

LISTS = [f"pool-{number}" for number in range(50)]
CONSTANT = 12
"""Threads of the engine, of its store, of heartbeats, and the one that watches decisions."""


def _activity_of(task_list):
    @activity.with_attributes(name=f"pool.on-{task_list}", version="1", task_list=task_list)
    def name_of_list():
        return task_list

    return name_of_list


activities = {task_list: _activity_of(task_list) for task_list in LISTS}


class OneActivity(Workflow):
    name = "pool-one-activity"
    version = "1"

    def run(self, task_list, waits):
        if waits:
            self.submit(self.wait_signal("go")).wait()
        return self.submit(activities[task_list]).result


@pytest.fixture
def threads():
    """How many threads there are more than before the test."""
    before = threading.active_count()
    return lambda: threading.active_count() - before


def test_50_idle_task_lists_have_one_decider_and_one_worker_thread_each(threads):
    with Lab(":memory:", activity_threads=20) as lab:
        for task_list in LISTS:
            lab.start(OneActivity, task_list, True, task_list=task_list)
            lab._pool.start_activity_worker(task_list)
        assert threads() <= 2 * len(LISTS) + CONSTANT


def test_50_task_lists_have_a_thread_more_for_each_task_in_progress_and_for_a_while(threads):
    with Lab(":memory:", activity_threads=20) as lab:
        executions = [lab.start(OneActivity, task_list, False, task_list=task_list) for task_list in LISTS]
        assert [execution.result(timeout=120) for execution in executions] == LISTS
        assert threads() <= 3 * len(LISTS) + CONSTANT
        for worker in (*lab._pool._deciders.values(), *lab._pool._workers.values()):
            worker.poller.surplus_seconds = 0.0
        end = time.monotonic() + 120
        while threads() > 2 * len(LISTS) + CONSTANT and time.monotonic() < end:
            lab.service.release_polls()  # for the test not to wait until the polls have found nothing
            time.sleep(0.05)
        assert threads() <= 2 * len(LISTS) + CONSTANT
        again = [lab.start(OneActivity, task_list, False, task_list=task_list) for task_list in LISTS[:5]]
        assert [execution.result(timeout=120) for execution in again] == LISTS[:5]
