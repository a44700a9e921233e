"""Changing a workflow's code while executions of it are open.

    python -m examples.patches

A replay must ask for what the history has, so new code can't simply do something else where old executions have passed
already: that would be a `NondeterminismError`. `self.patched(name)` says which way to go. Executions that come there
for the first time take the new way, and a marker in their history says so; those that passed before keep to the old.

Yesterday orders were billed before they were shipped, today they are billed after. The program starts one order with
yesterday's code, deploys today's while that order waits, starts another one, and lets both go on.
"""

from __future__ import annotations

import sys

from simpleflow_lab import Execution, Lab, Workflow, activity


@activity.with_attributes(task_list="patches", version="example", raises_on_failure=True)
def do(what: str) -> str:
    return what


def before() -> type[Workflow]:
    """Yesterday's code."""

    class Order(Workflow):
        name = "patches"
        version = "example"
        task_list = "patches"

        def run(self) -> list[str]:
            done = [self.submit(do, "bill").result]
            self.submit(self.wait_signal("address")).wait()
            return [*done, self.submit(do, "ship").result]

    return Order


def after() -> type[Workflow]:
    """Today's. When no order that was billed first is open, `self.deprecate_patch("ship first")` and the new way."""

    class Order(Workflow):
        name = "patches"
        version = "example"
        task_list = "patches"

        def run(self) -> list[str]:
            ship_first = self.patched("ship first")
            done = [] if ship_first else [self.submit(do, "bill").result]
            self.submit(self.wait_signal("address")).wait()
            done.append(self.submit(do, "ship").result)
            if ship_first:
                done.append(self.submit(do, "bill").result)
            return done

    return Order


def wait_for_its_turn(execution: Execution) -> None:
    """Until the code waits for the signal."""
    for _ in execution.watch(timeout=30):
        if "address" in str(execution.describe().get("latestExecutionContext")):
            return


def main(store: str = ":memory:") -> None:
    """An order from before, an order from after."""
    with Lab(store) as lab:
        old = lab.start(before())
        wait_for_its_turn(old)
        new = lab.start(after())
        for name, execution in (("from before", old), ("from after", new)):
            execution.signal("address")
            print(f"{name}: {', '.join(execution.result(timeout=30))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
