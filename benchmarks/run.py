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
REQUIREMENTS = ("dbos==3.4.0", "simpleflow==0.36.0")


class Benchmark(NamedTuple):
    """One comparison."""

    title: str
    peer: str
    """Script of the peer, or "" for ourselves at another size."""
    n: int
    peer_n: int
    figure: str
    """"wall" or "cpu"."""
    pairs: int
    beside: str = ""
    """What we measure of ourselves on the other side, if it is not the same at another size."""


BENCHMARKS = {
    "chain": Benchmark("chain, durable: ours / DBOS steps", "peer_dbos.py", 1000, 1000, "wall", 5),
    "fan-out": Benchmark("fan-out, durable: ours / DBOS child workflows", "peer_dbos.py", 1000, 1000, "wall", 3),
    "decider": Benchmark("decisions of a chain: ours / upstream", "peer_upstream.py", 800, 800, "cpu", 1),
    "chain-client": Benchmark("chain: beside the owner / owner", "", 300, 300, "wall", 5, "chain"),
    "chain-client-cpu": Benchmark("chain: beside the owner / owner", "", 300, 300, "cpu", 5, "chain"),
    "fan-out-client": Benchmark("fan-out: beside the owner / owner", "", 300, 300, "wall", 5, "fan-out"),
    "fan-out-client-cpu": Benchmark("fan-out: beside the owner / owner", "", 300, 300, "cpu", 5, "fan-out"),
    "growth-chain": Benchmark("chain, durable: ours at 4,000 / ours at 500", "", 4000, 500, "wall", 3),
    "growth-fan-out": Benchmark("fan-out, durable: ours at 4,000 / ours at 500", "", 4000, 500, "wall", 3),
}


class Side:
    """A process that measures on demand."""

    def __init__(self, command: Sequence[str]):
        self._command = command
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def measure(self, name: str, n: int, figure: str) -> float:
        """Seconds per task."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name} {n}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._command} ended")
        return float(json.loads(line)[figure]) / n

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def peers_python() -> str:
    """The interpreter of the peers' virtual environment, made if it is not there."""
    python = PEERS / "bin" / "python"
    if not (PEERS / "made").exists():
        print("making the peers' virtual environment ...", file=sys.stderr)
        venv.create(PEERS, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        (PEERS / "made").touch()
    return str(python)


def run(name: str, benchmark: Benchmark, *, quick: bool) -> None:
    """Measure in turn and print the ratio."""
    kind = name.removeprefix("growth-").removesuffix("-cpu")
    other_kind = benchmark.beside or kind
    shrink = 5 if quick else 1
    ours = Side([sys.executable, "-m", "benchmarks.ours"])
    other = Side([peers_python(), str(ROOT / "benchmarks" / benchmark.peer)]) if benchmark.peer else ours
    n, peer_n = benchmark.n // shrink, benchmark.peer_n // shrink
    ours.measure(kind, max(n // 10, 10), benchmark.figure)
    other.measure(other_kind, max(peer_n // 10, 10), benchmark.figure)
    pairs = [
        (ours.measure(kind, n, benchmark.figure), other.measure(other_kind, peer_n, benchmark.figure))
        for _ in range(1 if quick else benchmark.pairs)
    ]
    for side in {ours, other}:
        side.close()
    ratios = sorted(a / b for a, b in pairs)
    middle = statistics.median(ratios)
    a, b = (statistics.median(column) * 1e6 for column in zip(*pairs, strict=True))
    print(
        f"{benchmark.title}: {middle:.3g} ({ratios[0]:.3g} to {ratios[-1]:.3g}), that is 1/{1 / middle:.3g}; "
        f"{a:,.0f} / {b:,.0f} us {benchmark.figure} per task, n = {n:,} / {peer_n:,}, {len(pairs)} pairs",
        flush=True,
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(BENCHMARKS)}")
    for name in options.names or BENCHMARKS:
        run(name, BENCHMARKS[name], quick=options.quick)


if __name__ == "__main__":
    main()
