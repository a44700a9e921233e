"""What is measured of ours: one JSON line of seconds for each line on standard input.

A line is `NAME N`; the answer `{"wall": …, "cpu": …}`. The process stays, so that starting Python is not measured.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.swf.history import event_from_wire


@activity.with_attributes(name="benchmark.increment", task_list="benchmark", version="1")
def increment(x: int) -> int:
    """A no-op activity."""
    return x + 1


class Chain(Workflow):
    """Each activity takes the result of the one before."""

    name = "benchmark.chain"
    task_list = "benchmark"

    def run(self, n: int) -> Any:
        """The chain."""
        y: Any = 0
        for _ in range(n):
            y = self.submit(increment, y)
        return y.result


class FanOut(Workflow):
    """All activities side by side."""

    name = "benchmark.fan-out"
    task_list = "benchmark"

    def run(self, n: int) -> Any:
        """The fan-out."""
        return sum(futures.wait(*self.map(increment, range(n))))


def durable(lab: Lab, workflow: type[Workflow], n: int, expected: int) -> dict[str, float]:
    """Seconds of one execution on a durable store."""
    wall, cpu = time.perf_counter(), time.process_time()
    assert lab.start(workflow, n).result(600) == expected
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def decider(lab: Lab, n: int) -> dict[str, float]:
    """Seconds of all decisions of a chain: the events of each decision task read, replayed and answered."""
    execution = lab.start(Chain, n)
    assert execution.result(600) == n
    wires = [event.to_wire() for event in execution.history()]
    started_ids = sorted(
        wire["decisionTaskCompletedEventAttributes"]["startedEventId"]
        for wire in wires
        if wire["eventType"] == "DecisionTaskCompleted"
    )
    wall, cpu = time.perf_counter(), time.process_time()
    replay, fed = Replay(Chain, workflow_id=execution.workflow_id, run_id=execution.run_id), 0
    for started in started_ids:
        replay.feed(event_from_wire(wire) for wire in wires[fed:started])
        answer = replay.decide(started)
        fed = started
    used = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    assert answer.decisions[-1]["decisionType"] == "CompleteWorkflowExecution"
    replay.close()
    return used


class Owner:
    """Another process that owns a durable store, and serves nothing but it."""

    def __init__(self, store: Path):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ours", str(store)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def own(store: Path) -> None:
    """Own a store until standard input ends."""
    with Lab(store):
        print("ready", flush=True)
        sys.stdin.read()


def main() -> None:
    """Answer the lines on standard input."""
    if len(sys.argv) > 1:
        own(Path(sys.argv[1]))
        return
    with contextlib.ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        lab = closing.enter_context(Lab(folder / "benchmark.sqlite"))
        client: Lab | None = None
        for line in sys.stdin:
            name, n = line.split()[0], int(line.split()[1])
            if name.endswith("-client") and client is None:
                owner = Owner(folder / "other.sqlite")
                closing.callback(owner.close)
                client = closing.enter_context(Lab(folder / "other.sqlite"))
            used_lab = client if name.endswith("-client") and client is not None else lab
            name = name.removesuffix("-client")
            if name == "chain":
                answer = durable(used_lab, Chain, n, n)
            elif name == "fan-out":
                answer = durable(used_lab, FanOut, n, n * (n + 1) // 2)
            else:
                answer = decider(lab, n)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
