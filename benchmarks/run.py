"""Runs the benchmarks beside their peers and prints ratios; see README.md in this folder."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".benchmarks" / "venv"
REQUIREMENTS = ("dbos==3.4.0", "simpleflow==0.36.0", "huey==2.5.3", "temporalio==1.35.0")


class Benchmark(NamedTuple):
    """One comparison."""

    title: str
    peer: str
    """Script of the peer, or "" for ourselves."""
    n: int
    quick: int
    """The size with `--quick`."""
    figure: str
    """"wall" or "cpu", in seconds, or "memory", in MB."""
    pairs: int
    at_most: float
    """The ratio that is aimed at, at most."""
    beside: str = ""
    """What is measured on the other side, if it has another name."""
    other_n: int = 0
    """The size on the other side, if it is another one; it is not changed by `--quick`."""
    per_task: bool = True
    """Whether n is how many tasks there are: then what is compared is the time of one."""
    in_browser: bool = False
    """Whether it needs Chromium: then `--quick` leaves it out, unless it is named."""


def _painted(title: str, at_most: float, beside: str, n: int = 1000) -> Benchmark:
    return Benchmark(title, "", n, 100, "wall", 3, at_most, beside, per_task=False, in_browser=True)


DBOS, UPSTREAM, HUEY, TEMPORAL = "peer_dbos.py", "peer_upstream.py", "peer_huey.py", "peer_temporal.py"
BENCHMARKS = {
    "chain": Benchmark("chain, durable: ours / DBOS steps", DBOS, 1000, 200, "wall", 5, 0.33),
    "fan-out": Benchmark("fan-out, durable: ours / DBOS child workflows", DBOS, 1000, 200, "wall", 3, 0.06),
    "fan-out-for-huey": Benchmark("fan-out, durable: ours / huey, a queue only", HUEY, 1000, 200, "wall", 5, 0.6),
    "growth-chain": Benchmark("chain: a long one / a short one", "", 4000, 800, "wall", 3, 1.0, "chain", 500),
    "growth-fan-out": Benchmark("fan-out: a large one / a small one", "", 4000, 800, "wall", 3, 1.0, "fan-out", 500),
    "chain-client": Benchmark("chain: beside the owner / owner", "", 300, 60, "wall", 5, 2.0, "chain"),
    "chain-client-cpu": Benchmark("chain: beside the owner / owner", "", 300, 60, "cpu", 5, 2.0, "chain"),
    "fan-out-client": Benchmark("fan-out: beside the owner / owner", "", 300, 60, "wall", 5, 2.0, "fan-out"),
    "fan-out-client-cpu": Benchmark("fan-out: beside the owner / owner", "", 300, 60, "cpu", 5, 2.0, "fan-out"),
    "chain-in-memory": Benchmark("chain in memory / by hand", "", 1000, 200, "cpu", 5, 4.0, "by-hand"),
    "executions": Benchmark("executions of 5 / one execution", "", 3500, 500, "wall", 3, 1.3, "one-execution"),
    "decider": Benchmark("decisions of a chain: ours / upstream", UPSTREAM, 800, 200, "cpu", 1, 0.0012),
    "replay": Benchmark("whole replay of a fan-out: ours / upstream", UPSTREAM, 4000, 2000, "cpu", 5, 0.25),
    "replay-8000": Benchmark("whole replay of a fan-out: ours / upstream", UPSTREAM, 8000, 4000, "cpu", 3, 0.25),
    "replay-for-temporal": Benchmark(
        "whole replay of a fan-out: ours / Temporal's Replayer", TEMPORAL, 8000, 2000, "cpu", 3, 0.3
    ),
    "steps-8000": Benchmark("replay to steps / upstream's replay", UPSTREAM, 8000, 4000, "cpu", 3, 0.25, "replay"),
    "history": Benchmark("history from JSON / json.loads", "", 8000, 4000, "cpu", 5, 2.0, "json-loads"),
    "tables": Benchmark("tasks() and profile(): ours / upstream's rows", UPSTREAM, 8000, 4000, "cpu", 5, 0.15),
    "gantt": Benchmark("gantt() to JSON / px.timeline", "", 8000, 4000, "cpu", 5, 0.7, "timeline"),
    "gantt-from-history": Benchmark(
        "the same with reading the tasks / px.timeline", "", 8000, 4000, "cpu", 5, 0.7, "timeline"
    ),
    "debugger": Benchmark(
        "opening the debugger / one second", "", 4000, 4000, "cpu", 3, 1.0, "one-second", 0, per_task=False
    ),
    "debugger-back": Benchmark(
        "100 steps back: a long history / a short one", "", 4000, 1000, "wall", 3, 6.0, "", 500, False
    ),
    "listing": Benchmark("list: a large store / a small one", "", 20_000, 2000, "cpu", 5, 2.0, "", 200, False),
    "finding": Benchmark("Lab.execution: a large store / a small one", "", 20_000, 2000, "cpu", 5, 2.0, "", 200, False),
    "opening": Benchmark("opening a store / SELECT", "", 20_000, 2000, "wall", 5, 10.0, "reading-rows", 0, False),
    "memory": Benchmark("an open execution / 10 MB", "", 10_000, 10_000, "memory", 3, 1.2, "ten-megabytes", 0, False),
    "paint": _painted("first paint of the live view / of px.timeline", 0.5, "timeline-paint"),
    "paint-update": _painted("an update of the live view / of px.timeline", 0.5, "timeline-update"),
    "paint-zoom": _painted("a zoom in the live view / in px.timeline", 0.5, "timeline-zoom"),
    "paint-10000": _painted("first paint of 10,000 tasks / 10 steps of 50 ms", 10.0, "paint-bar", 10_000),
    "paint-update-10000": _painted("an update of 10,000 tasks / 50 ms", 1.0, "paint-bar", 10_000),
    "paint-zoom-10000": _painted("a zoom in 10,000 tasks / 50 ms", 1.0, "paint-bar", 10_000),
    "paint-filter-10000": _painted("a filter of 10,000 tasks / 50 ms", 1.0, "paint-bar", 10_000),
    "paint-scroll-10000": _painted("a scroll in 10,000 tasks / 50 ms", 1.0, "paint-bar", 10_000),
    "import": Benchmark("import: ours / upstream", UPSTREAM, 5, 2, "cpu", 3, 0.4),
    "help": Benchmark("simpleflow --help: ours / upstream", UPSTREAM, 5, 2, "cpu", 3, 0.5),
    "start": Benchmark("workflow.start --local: ours / upstream", UPSTREAM, 5, 2, "cpu", 5, 0.65),
}


class Side:
    """A process that measures on demand."""

    def __init__(self, command: Sequence[str]):
        self._command = command
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def measure(self, name: str, n: int, figure: str) -> float:
        """Seconds of one measurement."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name} {n}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._command} ended")
        return float(json.loads(line)[figure])

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def peers_python() -> str:
    """The interpreter of the peers' virtual environment, made if it is not there."""
    python, made = PEERS / "bin" / "python", PEERS / "made"
    if not made.exists() or made.read_text() != "\n".join(REQUIREMENTS):
        print("making the peers' virtual environment ...", file=sys.stderr)
        venv.create(PEERS, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        made.write_text("\n".join(REQUIREMENTS))
    return str(python)


def run(name: str, benchmark: Benchmark, *, quick: bool) -> None:
    """Measure in turn and print the ratio."""
    kind = name.removeprefix("growth-").removesuffix("-cpu").removesuffix("-8000").removesuffix("-10000")
    other_kind = benchmark.beside or kind
    ours = Side([sys.executable, "-m", "benchmarks.ours"])
    other = Side([peers_python(), str(ROOT / "benchmarks" / benchmark.peer)]) if benchmark.peer else ours
    n = benchmark.quick if quick else benchmark.n
    other_n = benchmark.other_n or n
    warm_up = (max(n // 10, 10), max(other_n // 10, 10)) if benchmark.per_task and n > 100 else (n, other_n)
    ours.measure(kind, warm_up[0], benchmark.figure)
    other.measure(other_kind, warm_up[1], benchmark.figure)
    tasks, other_tasks = (n, other_n) if benchmark.per_task else (1, 1)
    pairs = [
        (
            ours.measure(kind, n, benchmark.figure) / tasks,
            other.measure(other_kind, other_n, benchmark.figure) / other_tasks,
        )
        for _ in range(1 if quick else benchmark.pairs)
    ]
    for side in {ours, other}:
        side.close()
    ratios = sorted(a / b for a, b in pairs)
    scale, unit = (1, "MB") if benchmark.figure == "memory" else (1e6, f"us {benchmark.figure}")
    a, b = (statistics.median(column) * scale for column in zip(*pairs, strict=True))
    print(
        f"{name:19} {statistics.median(ratios):8.3g} ({ratios[0]:.3g} to {ratios[-1]:.3g}), at most "
        f"{benchmark.at_most:g}: {benchmark.title}; {a:,.0f} / {b:,.0f} {unit}, "
        f"n = {n:,} / {other_n:,}, {_counted(len(pairs))}",
        flush=True,
    )


def _counted(pairs: int) -> str:
    return f"{pairs} pairs" if pairs != 1 else "1 pair"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(BENCHMARKS)}")
    usual = [name for name, each in BENCHMARKS.items() if not (options.quick and each.in_browser)]
    for name in options.names or usual:
        run(name, BENCHMARKS[name], quick=options.quick)


if __name__ == "__main__":
    main()
