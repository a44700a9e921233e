"""The whole fault suite: `python -m tests.faults [--quick] [--seed N] [--output FILE]`.

Prints one line of JSON at the end, and exits with 1 if anything was lost, duplicated, executed again or wrong.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults import restarts, several, trials
from tests.faults.findings import Figures


def suite(seed: int, *, quick: bool) -> dict[str, Callable[[Path], Figures]]:
    """The trials by name, in full size or in a tenth of it."""

    def size(full: int) -> int:
        return max(1, full // 10) if quick else full

    return {
        "F1 random kills": lambda folder: trials.random_kills(folder, size(200), seed),
        "F2 crash points": lambda folder: trials.crash_points(folder, passages=(1, 3, 9) if quick else None),
        "F2 crash points in a longer run": lambda folder: trials.crash_points(
            folder, passages=(20, 30) if quick else None, program="fifty"
        ),
        "F6 dead deciders": lambda folder: trials.dead_deciders(folder, size(40), seed),
        "F6 dead remote deciders": lambda folder: trials.dead_remote_deciders(folder, size(10), seed),
        "F6 looping deciders": lambda folder: trials.looping_deciders(folder, size(10)),
        "F13 no room in the store": lambda folder: trials.full_disk(folder, size(10)),
        "F13 file may not grow": lambda folder: trials.short_files(folder, size(10), seed),
        "F13 full disk": lambda folder: trials.small_disks(folder, size(10)),
        "engine.start ended": lambda folder: restarts.boto3_programs(folder, [signal.SIGTERM] * size(10), seed),
        "engine.start killed": lambda folder: restarts.boto3_programs(folder, [signal.SIGKILL] * size(10), seed),
        "engine.start takes over": lambda folder: restarts.hand_overs(folder, [signal.SIGTERM] * size(20), seed),
        "engine.start takes over and is killed": lambda folder: restarts.hand_overs(
            folder, [signal.SIGTERM, signal.SIGKILL] * size(10), seed
        ),
        "F17 shared store": lambda folder: trials.shared_store(folder, 10 if quick else 60, seed),
        "killed processes": lambda folder: several.killed_processes(folder, size(200), seed),
        "suspended processes": lambda folder: several.suspended_processes(folder, 8.0 if quick else 30.0),
        "differing definitions": lambda folder: several.differing_definitions(folder, size(100), seed),
    }


def report(figures: Figures, seconds: float) -> dict[str, Any]:
    """The line."""
    waits = sorted(figures.waits)
    return {
        "kills": figures.kills,
        "crashes": dict(sorted(figures.crashes.items())),
        "faults": dict(sorted(figures.faults.items())),
        "executions": figures.executions,
        "lost": figures.lost,
        "duplicated": figures.duplicated,
        "re_executed": figures.re_executed,
        "timed_out": figures.timed_out,
        "wrong": len(figures.wrong),
        "locked": figures.locked,
        "worst_wait_ms": figures.worst_wait_ms,
        "p99_wait_ms": round(1000 * waits[len(waits) * 99 // 100]) if waits else 0,
        "worst_move_ms": figures.worst_move_ms,
        "worst_recovery_ms": figures.worst_recovery_ms,
        "worst_standstill_ms": figures.worst_standstill_ms,
        "seeds": sorted(set(figures.seeds)),
        "seconds": round(seconds),
    }


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--only", default="", help="trials whose names contain this")
    parser.add_argument("--output", type=Path, help="write the line to this file too")
    options = parser.parse_args()
    total, begun = Figures(), time.monotonic()
    for name, trial in suite(options.seed, quick=options.quick).items():
        if options.only not in name:
            continue
        since = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            try:
                figures = trial(Path(folder))
            except AssertionError as error:
                figures = Figures(wrong=[f"{name} was not finished: {error}"])
        sys.stderr.write(f"{name}: {json.dumps(report(figures, time.monotonic() - since))}\n")
        for violation in figures.wrong[:20]:
            sys.stderr.write(f"    {violation}\n")
        total.add(figures)
    line = json.dumps(report(total, time.monotonic() - begun))
    sys.stdout.write(f"{line}\n")
    if options.output is not None:
        options.output.write_text(f"{line}\n")
    return 0 if total.good else 1


if __name__ == "__main__":
    sys.exit(main())
