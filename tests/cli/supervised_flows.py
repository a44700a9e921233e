"""Workflows for processes that `decider.start`, `worker.start` and `standalone` start: tests copy this file.

An activity that takes long begins by making a file, and goes on until another file is there.
"""

import os
import time
from pathlib import Path

from simpleflow_lab import Workflow, activity


@activity.with_attributes(name="supervised.pid", version="1", task_list="supervised-activities")
def pid():
    return os.getpid()


@activity.with_attributes(name="supervised.gate", version="1", task_list="supervised-activities", heartbeat_timeout=60)
def gate(folder):
    """Its process, when `open` is in the folder; canceled if it is asked to."""
    Path(folder, f"began-{os.getpid()}").touch()
    while not Path(folder, "open").exists():
        try:
            activity.heartbeat()
        except BaseException:
            Path(folder, f"canceled-{os.getpid()}").touch()
            raise
        time.sleep(0.01)
    return os.getpid()


@activity.with_attributes(name="supervised.deaf", version="1", task_list="supervised-activities")
def deaf(folder):
    """It ends when it is killed."""
    Path(folder, f"began-{os.getpid()}").touch()
    while True:
        time.sleep(1)


@activity.with_attributes(
    name="supervised.killed",
    version="1",
    task_list="supervised-activities",
    heartbeat_timeout=2,
    schedule_to_start_timeout=3600,
    schedule_to_close_timeout=3600,
    retry=9,
)
def killed(folder, number):
    """Its number, once its process was killed while it ran."""
    while not Path(folder, f"killed-{number}").exists():
        Path(folder, f"began-{number}-{os.getpid()}").touch()
        time.sleep(0.01)
    return number


@activity.with_attributes(name="supervised.wrong", version="1", task_list="supervised-activities")
def wrong():
    raise ValueError("on purpose")


class Pids(Workflow):
    """The processes of its activities."""

    name = "supervised-pids"
    version = "1"
    task_list = "supervised-decisions"

    def run(self, count):
        return [future.result for future in [self.submit(pid) for _ in range(count)]]


class Gate(Workflow):
    """The process of its activity, which takes long."""

    name = "supervised-gate"
    version = "1"
    task_list = "supervised-decisions"

    def run(self, folder):
        return self.submit(gate, folder).result


class Deaf(Workflow):
    """It has an activity that nothing but a signal ends."""

    name = "supervised-deaf"
    version = "1"
    task_list = "supervised-decisions"

    def run(self, folder):
        return self.submit(deaf, folder).result


class Killed(Workflow):
    """The numbers of activities whose processes are killed."""

    name = "supervised-killed"
    version = "1"
    task_list = "supervised-decisions"

    def run(self, folder, count):
        return [future.result for future in [self.submit(killed, folder, number) for number in range(count)]]


class Parent(Workflow):
    """The result of a child."""

    name = "supervised-parent"
    version = "1"
    task_list = "supervised-decisions"

    def run(self):
        return self.submit(Pids, 1).result


class GateOfChild(Workflow):
    """The result of a child whose activity takes long."""

    name = "supervised-gate-of-child"
    version = "1"
    task_list = "supervised-decisions"

    def run(self, folder):
        return self.submit(Gate, folder).result


class Wrong(Workflow):
    """It fails."""

    name = "supervised-wrong"
    version = "1"
    task_list = "supervised-decisions"

    def run(self):
        future = self.submit(wrong)
        if future.exception is not None:
            raise future.exception
