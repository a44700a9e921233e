"""What is measured of ours: one JSON line of seconds for each line on standard input.

A line is `NAME N`; the answer `{"wall": …, "cpu": …}`. The process stays, so that starting Python is not measured.
Executions are measured here, what is read of histories in `reading`, stores in `stores`, starting Python in `starting`.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import debugging, memory, painting, reading, starting, stores
from benchmarks.stopwatch import Seconds, Stopwatch
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


class FanOutOfFive(FanOut):
    """One of many small executions."""

    name = "benchmark.fan-out-of-five"


def run(lab: Lab, workflow: type[Workflow], n: int, expected: int) -> Seconds:
    """Seconds of one execution."""
    with Stopwatch() as stopwatch:
        assert lab.start(workflow, n).result(600) == expected
    return stopwatch.seconds


def executions(lab: Lab, n: int) -> Seconds:
    """Seconds of n activities in executions of five, all of them open at once."""
    with Stopwatch() as stopwatch:
        started = [lab.start(FanOutOfFive, 5) for _ in range(n // 5)]
        assert all(execution.result(600) == 15 for execution in started)
    return stopwatch.seconds


def decider(lab: Lab, n: int) -> Seconds:
    """Seconds of all decisions of a chain: the events of each decision task read, replayed and answered."""
    execution = lab.start(Chain, n)
    assert execution.result(600) == n
    wires = [event.to_wire() for event in execution.history()]
    started_ids = sorted(
        wire["decisionTaskCompletedEventAttributes"]["startedEventId"]
        for wire in wires
        if wire["eventType"] == "DecisionTaskCompleted"
    )
    with Stopwatch() as stopwatch:
        replay, fed = Replay(Chain, workflow_id=execution.workflow_id, run_id=execution.run_id), 0
        for started in started_ids:
            replay.feed(event_from_wire(wire) for wire in wires[fed:started])
            answer = replay.decide(started)
            fed = started
    assert answer.decisions[-1]["decisionType"] == "CompleteWorkflowExecution"
    replay.close()
    return stopwatch.seconds


def by_hand(lab: Lab, n: int) -> Seconds:
    """Seconds of what a chain can't do without: for each task, two hand-offs between threads and a step of a replay."""
    there, back = queue.SimpleQueue[int | None](), queue.SimpleQueue[int]()

    def work() -> None:
        while (x := there.get()) is not None:
            back.put(x + 1)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    with Stopwatch() as stopwatch:
        y = 0
        for _ in range(n):
            there.put(y)
            y = back.get()
    there.put(None)
    assert y == n
    replayed = decider(lab, n)
    return {figure: stopwatch.seconds[figure] + replayed[figure] for figure in replayed}


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


class Labs:
    """The Labs that are measured, each opened when it is needed."""

    def __init__(self, closing: contextlib.ExitStack):
        self._closing = closing
        self._folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        self._opened: dict[str, Lab] = {}

    def _lab(self, name: str, open_it: Callable[[], Lab]) -> Lab:
        if name not in self._opened:
            self._opened[name] = self._closing.enter_context(open_it())
        return self._opened[name]

    @property
    def owner(self) -> Lab:
        """One whose process owns its durable store."""
        return self._lab("owner", lambda: Lab(self._folder / "benchmark.sqlite"))

    @property
    def memory(self) -> Lab:
        """One in memory."""
        return self._lab("memory", lambda: Lab(":memory:"))

    @property
    def client(self) -> Lab:
        """One whose durable store another process owns."""

        def opened() -> Lab:
            owner = Owner(self._folder / "other.sqlite")
            self._closing.callback(owner.close)
            return Lab(self._folder / "other.sqlite")

        return self._lab("client", opened)


def measured(labs: Labs, name: str, n: int) -> Seconds:
    """Seconds of one measurement."""
    total = n * (n + 1) // 2
    match name:
        case "chain":
            return run(labs.owner, Chain, n, n)
        case "fan-out" | "fan-out-for-huey" | "one-execution":
            return run(labs.owner, FanOut, n, total)
        case "chain-client":
            return run(labs.client, Chain, n, n)
        case "fan-out-client":
            return run(labs.client, FanOut, n, total)
        case "chain-in-memory":
            return run(labs.memory, Chain, n, n)
        case "by-hand":
            return by_hand(labs.memory, n)
        case "executions":
            return executions(labs.owner, n)
        case "decider":
            return decider(labs.memory, n)
        case "replay" | "replay-for-temporal":
            return reading.replay(FanOut, n, from_wire=name == "replay")
        case "steps":
            return reading.steps(FanOut, n)
    for each in (debugging, memory, painting, reading, stores, starting):
        if name in each.MEASURED:
            return each.MEASURED[name](n)
    raise SystemExit(f"nothing is measured under the name {name}")


def main() -> None:
    """Answer the lines on standard input."""
    if len(sys.argv) > 1:
        own(Path(sys.argv[1]))
        return
    with contextlib.ExitStack() as closing:
        labs = Labs(closing)
        for line in sys.stdin:
            name, n = line.split()[0], int(line.split()[1])
            print(json.dumps(measured(labs, name, n)), flush=True)


if __name__ == "__main__":
    main()
