"""Trials of several processes on one store: killed, suspended, and with definitions that differ.

Rule: no activity may be retried and no timeout is short, so whatever is lost between two processes is seen.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from tests.faults.findings import Figures, check_results, check_store
from tests.faults.processes import Process
from tests.faults.programs import sum_of

SIDE, CHAIN = 3, 3
"""The shape of each execution."""


def killed_processes(folder: Path, kills: int, seed: int, *, processes: int = 4, executions: int = 60) -> Figures:
    """Each process runs so many executions; any of them is killed and started again, ten or twenty times a round."""
    figures = Figures(seeds=[seed])
    chance = random.Random(seed)
    number = 0
    while figures.kills < kills:
        path = folder / f"killed-{number}.sqlite"
        number += 1
        _round(path, figures, chance, min(20, kills - figures.kills), processes, executions)
    return figures


def _round(path: Path, figures: Figures, chance: random.Random, kills: int, processes: int, executions: int) -> None:
    names = [f"p{slot}" for slot in range(processes)]

    def start(slot: int) -> Process:
        return Process("batch", str(path), names[slot], executions, SIDE, CHAIN)

    running = [start(slot) for slot in range(processes)]
    reports: list[tuple[Any, ...]] = []
    try:
        running[0].wait_for("open")
        for _ in range(kills):
            pause = chance.uniform(0.05, 0.4)
            for process in running:
                process.read(pause / processes)
            slot = chance.randrange(processes)
            if not running[slot].kill():
                figures.wrong.append(f"{names[slot]} had ended: {running[slot].reports[-2:]}")
            reports += running[slot].reports
            figures.kills += 1
            running[slot] = start(slot)
        killed_at = time.monotonic()
        # In turn: a process whose reports nobody reads comes to a stop, and one may wait for the activities of another.
        waiting = list(running)
        while waiting:
            waiting = [
                process
                for process in waiting
                if process.read(0.2) and not process.reports_of("done") and not process.reports_of("error")
            ]
        figures.worst_recovery_ms = max(figures.worst_recovery_ms, round(1000 * (time.monotonic() - killed_at)))
        _stop(running, figures)
    finally:
        for process in running:
            process.kill()
    for process in running:
        reports += process.reports
    _check(path, reports, figures)
    closed = {words[1] for words in reports if words[0] == "closed"}
    missing = {f"{name}-{number}" for name in names for number in range(executions)} - closed
    if missing:
        figures.wrong.append(f"{len(missing)} executions gave no result, {min(missing)} among them")


def suspended_processes(folder: Path, seconds: float) -> Figures:
    """Owner and client are stopped, one after the other, for longer than the timeouts of what they do."""
    figures = Figures()
    path = folder / "suspended.sqlite"
    running = [Process("sleepy", str(path), name, seconds / 4) for name in ("owner", "client")]
    try:
        for process in running:
            process.wait_for("at work")
        for process in running:
            os.kill(process.pid, signal.SIGSTOP)
            figures.faults["process suspended"] += 1
            time.sleep(seconds)
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(1.0)
        for process in running:
            process.wait_for("done")
        _stop(running, figures)
    finally:
        for process in running:
            process.kill()
    _check(path, [words for process in running for words in process.reports], figures)
    return figures


def differing_definitions(folder: Path, rounds: int, seed: int) -> Figures:
    """Processes define the same types differently, and edit them while they run: each runs its own definition."""
    figures = Figures(seeds=[seed])
    chance = random.Random(seed)
    path = folder / "differing.sqlite"
    running = [Process("editor", str(path), name) for name in ("a", "b", "c")]
    try:
        for process in running:
            process.wait_for("open")
        for _ in range(rounds):
            chance.choice(running).order("edit")
            process.read(chance.uniform(0.0, 0.3))
        for process in running:
            process.order("finish")
        for process in running:
            process.wait_for("done")
        _stop(running, figures)
    finally:
        for process in running:
            process.kill()
    reports = [words for process in running for words in process.reports]
    figures.faults["definition edited"] += sum(words[0] == "edited" for words in reports)
    for words in reports:
        if words[0] == "foreign":
            figures.wrong.append(f"{words[1]} ran {words[2]}, and its own process defines {words[3]}")
    figures.add_reports(reports)
    check_store(path, reports, figures)
    figures.executions += sum(words[0] == "closed" for words in reports)
    return figures


def _stop(running: list[Process], figures: Figures) -> None:
    for process in running:
        process.order("stop")
    for process in running:
        if code := process.finish():
            figures.wrong.append(f"{process.pid} ended with {code}: {process.reports[-2:]}")


def _check(path: Path, reports: list[tuple[Any, ...]], figures: Figures) -> None:
    figures.add_reports(reports)
    for words in reports:
        if words[0] == "closed" and words[2] != sum_of(SIDE, CHAIN):
            figures.wrong.append(f"{words[1]} gave {words[2]}")
    found = check_store(path, reports, figures)
    check_results(found, figures)
    moments = sorted(event.timestamp for each in found.values() for event in each.history)
    pauses = ((later - earlier).total_seconds() for earlier, later in itertools.pairwise(moments))
    figures.worst_standstill_ms = max(figures.worst_standstill_ms, round(1000 * max(pauses, default=0.0)))
