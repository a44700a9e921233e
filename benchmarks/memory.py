"""What is measured of memory: by how much a process grows that holds an open execution, in a process of its own.

`python -m benchmarks.memory 10000` prints the bytes of one with 10,000 events.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.stopwatch import Seconds

EVENTS_OF_A_TASK: Final = 6
"""Events that a chain records for each activity, with the decision that schedules it."""


def _resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("memory is measured on Linux only")


def _growth(do: Callable[[], object]) -> int:
    """By how many bytes this process grows."""
    before = _resident()
    held = do()
    after = _resident()
    del held
    return after - before


def open_execution(events: int) -> int:
    """Growth by an open execution with so many events: its engine and its decider's cached replay."""
    from simpleflow_lab import Lab, Workflow, activity, futures  # noqa: PLC0415

    @activity.with_attributes(name="benchmark.add", task_list="benchmark", version="1")
    def add(x: int) -> int:
        """A no-op activity."""
        return x + 1

    class ChainThatWaits(Workflow):
        """A chain that stays open."""

        name = "benchmark.chain-that-waits"
        task_list = "benchmark"

        def run(self, n: int) -> Any:
            """The chain, and the wait for a signal that nobody sends."""
            y: Any = 0
            for _ in range(n):
                y = self.submit(add, y)
            futures.wait(y)
            return self.submit(self.wait_signal("go")).result

    with Lab(":memory:") as lab:

        def run(n: int) -> object:
            execution = lab.start(ChainThatWaits, n)
            wanted = {
                "domain": lab.domain,
                "execution": {"workflowId": execution.workflow_id, "runId": execution.run_id},
            }
            while True:
                time.sleep(0.05)
                last = lab.service.get_workflow_execution_history(**wanted, reverseOrder=True, maximumPageSize=1)
                event = last["events"][0]
                if event["eventType"] == "DecisionTaskCompleted" and event["eventId"] >= EVENTS_OF_A_TASK * n:
                    return execution

        warm_up = run(20)
        grown = _growth(lambda: run(events // EVENTS_OF_A_TASK))
        del warm_up
    return grown


def measured(events: int) -> Seconds:
    """The megabytes of it, of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", str(events)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=Path(__file__).parents[1])
    return {"memory": float(done.stdout) / 1e6}


def ten_megabytes(events: int) -> Seconds:
    """What it is compared with."""
    return {"memory": 10.0}


MEASURED: Final[Mapping[str, Callable[[int], Seconds]]] = {"memory": measured, "ten-megabytes": ten_megabytes}


if __name__ == "__main__":
    print(open_execution(int(sys.argv[1])))
