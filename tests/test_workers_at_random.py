"""Whoever starts, scales and stops workers at random loses nothing, and has no more at work than was asked for."""

import random
import threading
import time

import pytest

from simpleflow_lab import Lab, Workflow, activity
from tests.examples_count import repeats

LONG = 120
LISTS = ("random-a", "random-b", "random-c")


class AtWork:
    """How many activities of each task list are at work, and how many there were at most since `reset`."""

    def __init__(self):
        self.lock = threading.Lock()
        self.now = dict.fromkeys(LISTS, 0)
        self.most = dict.fromkeys(LISTS, 0)

    def change(self, task_list, by):
        with self.lock:
            self.now[task_list] += by
            self.most[task_list] = max(self.most[task_list], self.now[task_list])

    def reset(self):
        with self.lock:
            self.most.update(self.now)


at_work = AtWork()


def _activity_on(task_list):
    @activity.with_attributes(name=f"at-random.{task_list}", version="1", task_list=task_list)
    def work(number, seconds):
        at_work.change(task_list, 1)
        time.sleep(seconds)
        at_work.change(task_list, -1)
        return number

    return work


ON = {task_list: _activity_on(task_list) for task_list in LISTS}


class AtRandom(Workflow):
    name = "at-random"
    version = "1"

    def run(self, work):
        futures = [self.submit(ON[task_list], number, seconds) for number, (task_list, seconds) in enumerate(work)]
        return [future.result for future in futures]


@pytest.mark.parametrize("seed", [0, *repeats(range(1, 6))])
def test_operating_workers_loses_nothing_and_keeps_the_limits(seed):
    chance = random.Random(seed)
    threads = threading.active_count()
    with Lab(":memory:", activity_threads=3, serve=chance.choice(("everything", "nothing"))) as lab:
        executions = []
        for _ in range(60):
            task_list = chance.choice(LISTS)
            chosen = lab.workers.of(task_list)
            match chance.randrange(7):
                case 0:
                    work = [
                        [chance.choice(LISTS), chance.choice((0, 0.001, 0.02))] for _ in range(chance.randrange(1, 12))
                    ]
                    executions.append((lab.start(AtRandom, work, task_list=task_list), len(work)))
                case 1:
                    lab.start_workers(chance.randrange(1, 6), task_list=task_list)
                case 2:
                    lab.start_deciders(task_list=task_list)
                case 3:
                    chosen.stop(seconds=chance.choice((0, 0.01, None)))
                case 4:
                    chosen.start()
                case 5 if any(worker.kind == "activity worker" for worker in chosen):
                    chosen.scale(chance.randrange(1, 6))
                case _:
                    repr(lab.workers), repr(lab.pollers())
        for task_list in LISTS:
            lab.start_workers(2, task_list=task_list)
            lab.start_deciders(task_list=task_list)
        limits_hold_again(lab)
        for execution, count in executions:
            assert execution.result(LONG) == list(range(count))
            assert not [event.type for event in execution.history() if "TimedOut" in event.type]
        assert max(at_work.most.values()) <= 2
        assert all(not worker.failed for worker in lab.workers)
    end = time.monotonic() + LONG
    while threading.active_count() > threads and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= threads


def limits_hold_again(lab):
    """Wait until no more are at work than the last scale allows."""
    end = time.monotonic() + LONG
    while any(worker.poller.thread_count > worker.at_once for worker in lab.workers):
        assert time.monotonic() < end
        lab.service.release_polls()
        time.sleep(0.01)
    at_work.reset()
