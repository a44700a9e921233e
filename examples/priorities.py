"""Priorities: what is urgent goes first where workers are few.

    python -m examples.priorities

A higher number goes first. It is said where a task is submitted (`__priority=`), or by the activity, or by the
workflow, in this order; `None` takes none at all. It matters when more tasks wait than workers are free: here one
doctor works alone, and all patients come while she opens the door.
"""

from __future__ import annotations

import sys
import threading

from simpleflow_lab import Lab, Workflow, activity, futures

everybody_waits = threading.Event()
treated: list[str] = []


@activity.with_attributes(task_list="priorities", version="example", task_priority=50)
def open_door() -> None:
    """Keeps the only worker until all patients wait."""
    everybody_waits.wait(30)


@activity.with_attributes(task_list="priorities", version="example")
def treat(patient: str) -> None:
    treated.append(patient)


@activity.with_attributes(task_list="priorities", version="example", task_priority=100)
def resuscitate(patient: str) -> None:
    treated.append(patient)


class Emergency(Workflow):
    name = "priorities"
    version = "example"
    task_list = "priorities"
    task_priority = 1  # of tasks that have none of their own

    def run(self) -> None:
        door = self.submit(open_door)
        patients = [
            self.submit(treat, "a cold"),
            self.submit(treat, "a broken arm", __priority=10),
            self.submit(resuscitate, "a heart attack"),
            self.submit(treat, "a prescription", __priority=None),
        ]
        futures.wait(door, patients)


def main(store: str = ":memory:") -> None:
    """One worker; the order in which it treats them."""
    treated.clear()
    everybody_waits.clear()
    with Lab(store, activity_threads=1) as lab:
        execution = lab.start(Emergency)
        for _ in execution.watch(timeout=30):
            if "DecisionTaskCompleted" in {event.type for event in execution.history()}:
                break
        everybody_waits.set()
        execution.wait(timeout=30)
    print(f"treated: {', '.join(treated)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
