"""Metrology: what activities read and wrote, step by step, and how fast.

    python -m examples.measured

`metrology.step` is a step of the running activity: set what it read and wrote, and its time is measured. The figures
are kept beside the history, for each attempt; they are notes, and fail nothing if they can't be kept. A
`MetrologyWorkflow` leaves all of them in one object when it closes. `execution.metrology()` is the table of all steps.
"""

from __future__ import annotations

import sys

from simpleflow_lab import Lab, activity, metrology
from simpleflow_lab.metrology import MetrologyTask, MetrologyWorkflow


@activity.with_attributes(task_list="measured", version="example", raises_on_failure=True)
def load(lines: int) -> list[str]:
    with metrology.step("generate") as step:
        text = "\n".join(f"order {number};{number % 7}" for number in range(lines))
        step.write.bytes = len(text)
    with metrology.step("parse") as step:
        step.read.bytes = len(text)
        orders = text.splitlines()
        step.write.records = len(orders)
    return orders


@activity.with_attributes(task_list="measured", version="example", raises_on_failure=True)
class Total(MetrologyTask):
    """A class says `self.step`."""

    def __init__(self, orders: list[str]):
        self.orders = orders

    def execute(self) -> int:
        with self.step("sum") as step:
            step.read.records = len(self.orders)
            step.metadata["unit"] = "pieces"
            return sum(int(order.partition(";")[2]) for order in self.orders)


class Orders(MetrologyWorkflow):
    name = "measured"
    version = "example"
    task_list = "measured"

    def run(self, lines: int) -> int:
        total: int = self.submit(Total, self.submit(load, lines)).result
        return total


def main(store: str = ":memory:") -> None:
    """The figures of each step; those per second are in further columns."""
    with Lab(store) as lab:
        execution = lab.start(Orders, 1000)
        print(f"{execution.result(timeout=30)} pieces")
        columns = ["name", "step", "read_bytes", "read_records", "write_bytes", "write_records"]
        print(execution.metrology()[columns].to_string(index=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
