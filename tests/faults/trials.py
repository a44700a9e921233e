"""The trials of the fault suite: each does something bad, often, and gives figures of the outcome.

Rule: a trial is given a folder, a size and a seed, and gives figures; what is counted as lost, duplicated or wrong is
`findings`' to say. Numbers (F1, …) are those of our notes on reliability, 4.3.
"""

from __future__ import annotations

import json
import logging
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simpleflow_lab import Lab
from simpleflow_lab.engine import sqlite_store as stores
from simpleflow_lab.engine.crash_points import POINTS
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import ServiceUnreachableError, StoreError
from simpleflow_lab.http.client import connect_to_owner
from tests.faults import programs
from tests.faults.findings import Figures, Found, check_results, check_store
from tests.faults.processes import TIMEOUT_SECONDS, Process
from tests.faults.programs import EVERYTHING, Sum, sum_of

RECOVERY = ("recover_before_append", "recover_after_append")
SOON = 60.0
"""Seconds for what takes less than one where nothing else runs; how long it took is a figure."""


class Story:
    """One execution "w" in one store, through several processes, each of which dies or brings it to its end."""

    def __init__(self, path: Path, figures: Figures, wanted: Any):
        self.path = path
        self.figures = figures
        self.found: dict[str, Found] = {}
        """What the store held after the latest process."""
        self._wanted = wanted
        self._reports: list[tuple[Any, ...]] = []
        self._lives = 0

    def after(self, process: Process, *, lives: int = 1) -> None:
        """The process is dead: what it did, and what it left, having opened the store so often."""
        self._lives += lives
        for run_id, activity_id, _ in process.reports_of("took"):
            # Before this process there was no other, so what was recorded then was not its own doing.
            self.figures.re_executed += run_id in self.found and activity_id in self.found[run_id].completed
        self._reports += process.reports
        self.figures.add_reports(process.reports)
        self.found = check_store(self.path, self._reports, self.figures)
        for each in self.found.values():
            tries = [event.attributes["activityId"] for event in each.history if event.type == "ActivityTaskScheduled"]
            if tries and max(map(tries.count, tries)) > self._lives:
                self.figures.wrong.append(f"{each.workflow_id}: scheduled more often than the store was opened")

    def end(self, process: Process, *, lives: int = 1) -> None:
        """This process was not killed: it must have brought the execution to its end."""
        code = process.finish()
        self.after(process, lives=lives)
        if code or process.reports_of("closed") != [("w", self._wanted)]:
            self.figures.wrong.append(f"{self.path.name}: exit code {code}, {process.reports_of('closed')}")
        check_results(self.found, self.figures)


# -- F1 ----------------------------------------------------------------------------------------------------------------


def random_kills(folder: Path, kills: int, seed: int) -> Figures:
    """F1: kill -9 at random moments of executions of 50 activities, each of which must end well all the same."""
    figures = Figures(seeds=[seed])
    chance = random.Random(seed)
    side, chain = 20, 30
    whole: float | None = None
    number = 0
    while figures.kills < kills or number == 0:
        story = Story(folder / f"random-{number}.sqlite", figures, sum_of(side, chain))
        number += 1
        first = process = Process("fifty", str(story.path), side, chain)
        while True:
            if whole is not None and figures.kills < kills:
                process.read(chance.uniform(0.0, whole))
                if process.kill():
                    figures.kills += 1
                    story.after(process)
                    process = Process("fifty", str(story.path), side, chain)
                    continue
            story.end(process)
            if process is first:
                # How long one takes that is left alone, so that the machine's speed matters less.
                took = time.monotonic() - process.started_at
                whole = took if whole is None else min(whole, took)
            break
    return figures


# -- F2 ----------------------------------------------------------------------------------------------------------------


PROGRAMS = {"everything": ((), EVERYTHING), "fifty": ((5, 12), sum_of(5, 12))}
"""Programs with their arguments, and what comes of them."""


def crash_points(
    folder: Path,
    points: Iterable[str] = POINTS,
    passages: Iterable[int] | None = None,
    program: str = "everything",
) -> Figures:
    """F2: a crash at the 1st, 2nd, … passage of each point, until a run ends untouched; or at these passages alone."""
    figures = Figures()
    arguments, wanted = PROGRAMS[program]

    def start(path: Path, crash_at: str | None = None) -> Process:
        return Process(program, str(path), *arguments, crash_at=crash_at)

    for point in points:
        for number in passages or range(1, 1000):
            story = Story(folder / f"{point}-{number}.sqlite", figures, wanted)
            if point in RECOVERY:
                # What is recovered differs: the store of a process that came so far, and died.
                first = start(story.path, f"after_commit_before_reply:{number}")
                untouched = first.finish() == 0
                story.after(first)
                if untouched:
                    break
                process = start(story.path, f"{point}:1")
            else:
                process = start(story.path, f"{point}:{number}")
            if process.finish() == 0:
                story.after(process)
                break
            story.after(process)
            figures.crashes[point] += 1
            story.end(start(story.path))
    return figures


# -- F6 ----------------------------------------------------------------------------------------------------------------


def dead_deciders(folder: Path, kills: int, seed: int) -> Figures:
    """F6: a decider dies when it has decided and not answered; it was the engine's process."""
    figures = Figures(seeds=[seed])
    chance = random.Random(seed)
    for number in range(kills):
        story = Story(folder / f"decider-{number}.sqlite", figures, sum_of(4, 8))
        process = Process("dying_decider", str(story.path), chance.randint(1, 8), "30")
        process.finish()
        story.after(process)
        figures.faults["decider died"] += 1
        story.end(Process("dying_decider", str(story.path), 0, "30"))
    return figures


def dead_remote_deciders(folder: Path, kills: int, seed: int) -> Figures:
    """F6: the same in a process beside the engine's: the task times out after two seconds, and another decides."""
    figures = Figures(seeds=[seed])
    chance = random.Random(seed)
    for number in range(kills):
        path = folder / f"remote-decider-{number}.sqlite"
        owner = Process("owner", str(path))
        owner.wait_for("owns")
        first = Process("dying_decider", str(path), chance.randint(1, 8), "2")
        first.finish()
        figures.faults["remote decider died"] += 1
        second = Process("dying_decider", str(path), 0, "2")
        code = second.finish()
        owner.order("stop")
        owner.finish()
        if code or second.reports_of("closed") != [("w", sum_of(4, 8))]:
            figures.wrong.append(f"{path.name}: exit code {code}, {second.reports[-3:]}")
        reports = [*first.reports, *second.reports]
        figures.add_reports(reports)
        found = check_store(path, reports, figures)
        check_results(found, figures)
        (each,) = found.values()
        timed_out = [e.attributes["timeoutType"] for e in each.history if e.type == "DecisionTaskTimedOut"]
        if set(timed_out) != {"START_TO_CLOSE"}:
            figures.wrong.append(f"{path.name}: decision tasks timed out: {timed_out}")
    return figures


def looping_deciders(folder: Path, loops: int) -> Figures:
    """F6: code that loops for ever is interrupted. All others go on; it goes on too once the code is mended."""
    figures = Figures()
    for number in range(loops):
        path = folder / f"loop-{number}.sqlite"
        process = Process("looper", str(path), True)
        if process.wait_for("closed") != ("w", sum_of(4, 4)):
            figures.wrong.append(f"{path.name}: the other list did not go on")
        if process.wait_for("behind") != (50,):
            figures.wrong.append(f"{path.name}: its own list did not go on")
        if not process.wait_for("interrupted")[0].startswith("programs.py:"):
            figures.wrong.append(f"{path.name}: the line that loops was not named")
        figures.faults["decider loops"] += 1
        process.kill()
        check_store(path, process.reports, figures)
        cured = Process("looper", str(path), False)
        if cured.finish() or cured.reports_of("closed") != [("loop", 50), ("behind", 50)]:
            figures.wrong.append(f"{path.name}: {cured.reports[-3:]}")
        reports = [*process.reports, *cured.reports]
        figures.add_reports(reports)
        check_results(check_store(path, reports, figures), figures)
    return figures


# -- F13 ---------------------------------------------------------------------------------------------------------------


class _Warnings(logging.Handler):
    """What the store's logger warns of, and a moment to wait for."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self.came = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
        self.came.set()


def full_disk(folder: Path, outages: int) -> Figures:
    """F13: SQLite finds no room, in a process that lives on. Pages are counted, so the disk need not be full."""
    figures = Figures()
    path = folder / "full.sqlite"
    warnings = _Warnings()
    stores.logger.addHandler(warnings)
    try:
        with Lab(path, activity_threads=programs.THREADS) as lab:
            lab.start(Sum, 1, 1, 0.0).result(TIMEOUT_SECONDS)
            host = lab.service.engine._durable
            for number in range(outages):
                warnings.came.clear()
                before = len(warnings.texts)
                host.store._query(_pages(8))
                execution = lab.start(Sum, 10, 20, 0.0, 20_000, workflow_id=f"full-{number}")
                if not warnings.came.wait(TIMEOUT_SECONDS) or not host.paused:
                    figures.wrong.append(f"outage {number}: the store did not pause")
                figures.faults["no room in the store"] += 1
                # What is on disk can still be read.
                host.store._query(lambda connection: connection.execute("SELECT count(*) FROM event").fetchone())
                room = time.monotonic()
                host.store._query(_pages(1 << 30))
                if execution.result(TIMEOUT_SECONDS) != sum_of(10, 20):
                    figures.wrong.append(f"outage {number}: {execution.result()}")
                waited = time.monotonic() - room
                if waited > SOON or host.paused is not None:
                    figures.wrong.append(f"outage {number}: it went on {waited:.1f} s after there was room")
                if len(warnings.texts) != before + 1:
                    figures.wrong.append(f"outage {number}: {len(warnings.texts) - before} warnings")
    finally:
        stores.logger.removeHandler(warnings)
    check_results(check_store(path, [], figures), figures)
    return figures


def closed_without_room(folder: Path) -> Figures:
    """F13: closing does not wait for room, and calls that waited raise."""
    figures = Figures(faults=Counter({"closed without room": 1}))
    path = folder / "closed.sqlite"
    warnings = _Warnings()
    stores.logger.addHandler(warnings)
    refused: list[StoreError] = []

    def register(engine: EmbeddedSWF, number: int) -> None:
        try:
            engine.register_domain(
                name=f"d{number}", description="x" * 1000, workflowExecutionRetentionPeriodInDays="1"
            )
        except StoreError as error:
            refused.append(error)

    try:
        with EmbeddedSWF(path) as engine:
            engine._durable.store._query(_pages(0))
            calls = [threading.Thread(target=register, args=(engine, number)) for number in range(50)]
            for call in calls:
                call.start()
            if not warnings.came.wait(TIMEOUT_SECONDS):
                figures.wrong.append("the store did not pause")
    finally:
        stores.logger.removeHandler(warnings)
    for call in calls:
        call.join(TIMEOUT_SECONDS)
    with EmbeddedSWF(path) as again:
        there = len(again.list_domains(registrationStatus="REGISTERED")["domainInfos"])
    if not refused or there + len(refused) != len(calls):
        figures.wrong.append(f"{len(refused)} calls were refused, and {there} of {len(calls)} domains are there")
    return figures


def _pages(more: int) -> Any:
    """So many more pages than it has are what the store may have."""

    def limit(connection: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {min(pages + more, 1 << 30)}")

    return limit


def short_files(folder: Path, outages: int, seed: int) -> Figures:
    """F13: a write error that does not say what was written: one clear error, and all is there when it is reopened."""
    figures = Figures(seeds=[seed])
    chance = random.Random(seed)
    for number in range(outages):
        story = Story(folder / f"short-{number}.sqlite", figures, sum_of(10, 20))
        process = Process("short_file", str(story.path), chance.randint(150, 500))
        story.end(process, lives=2)
        figures.faults["file may not grow"] += 1
        reports = [text for (text,) in process.reports_of("failed")]
        if len(reports) != 1 or "what was acknowledged is safe" not in reports[0] or "\n" in reports[0]:
            figures.wrong.append(f"{story.path.name}: reported: {reports}")
    return figures


def small_disks(folder: Path, outages: int) -> Figures:
    """F13: a disk that is full indeed (ENOSPC). Needs the right to mount one; without it, it is not counted."""
    figures = Figures()
    for number in range(outages):
        place = folder / f"disk-{number}"
        place.mkdir()
        process = Process("small_disk", str(place), 6)
        code = process.finish()
        if process.reports_of("no disk"):
            break
        figures.add_reports(words for words in process.reports if words[0] == "log")
        figures.faults["full disk"] += 1
        logged = [text for (text,) in process.reports_of("log")]
        if (
            code
            or process.reports_of("closed") != [("full", sum_of(10, 20))]
            or process.reports_of("history") != [(30,)]
        ):
            figures.wrong.append(f"{place.name}: exit code {code}, {process.reports[-3:]}")
        elif process.reports_of("after room")[0][0] > SOON or len(logged) != 1 or "make room" not in logged[0]:
            figures.wrong.append(f"{place.name}: {process.reports_of('after room')}, {logged}")
        else:
            figures.executions += 1
    return figures


# -- F17 ---------------------------------------------------------------------------------------------------------------


def shared_store(folder: Path, seconds: float, seed: int) -> Figures:
    """F17: two kernels and four workers on one store, any of which is killed and started again, the owner most."""
    figures = Figures(seeds=[seed])
    chance = random.Random(seed)
    path = folder / "shared.sqlite"
    slots: list[tuple[Any, ...]] = [("kernel", "k1"), ("kernel", "k2")]
    slots += [("worker", decides) for decides in (True, True, False, False)]
    reports: list[tuple[Any, ...]] = []

    def start(slot: int) -> Process:
        name, argument = slots[slot]
        return Process(name, str(path), argument)

    running = [start(slot) for slot in range(len(slots))]
    try:
        for process in running:
            process.wait_for("open")
        end = time.monotonic() + seconds
        while time.monotonic() < end or not figures.faults["owner killed"]:
            pause = chance.uniform(0.2, 0.8)
            for process in running:
                process.read(pause / len(running))
            owner = _owner(path)
            pids = [process.pid for process in running]
            slot = pids.index(owner) if owner in pids and chance.random() < 0.4 else chance.randrange(len(slots))
            killed_at = time.monotonic()
            if not running[slot].kill():
                figures.wrong.append(f"{slots[slot]} had ended: {running[slot].reports[-2:]}")
            reports += running[slot].reports
            figures.kills += 1
            if pids[slot] == owner:
                figures.faults["owner killed"] += 1
                moved = _moved(path, owner, killed_at)
                figures.worst_move_ms = max(figures.worst_move_ms, round(1000 * moved))
                if moved > SOON:
                    figures.wrong.append(f"the store had no owner for {moved:.1f} s")
            running[slot] = start(slot)
        for process in running[:2]:
            process.order("finish")
        for process in running[:2]:
            process.wait_for("done")
        for process in running:
            process.order("stop")
        for process in running:
            if code := process.finish():
                figures.wrong.append(f"{process.pid} ended with {code}: {process.reports[-2:]}")
            reports += process.reports
    finally:
        for process in running:
            process.kill()
    figures.add_reports(reports)
    for words in reports:
        if words[0] == "closed" and words[2] != sum_of(3, 5):
            figures.wrong.append(f"{words[1]} gave {words[2]}")
    check_results(check_store(path, reports, figures), figures)
    return figures


def _owner(path: Path) -> int | None:
    """The process id of the owner, as it says itself."""
    try:
        return int(json.loads(Path(f"{path}.endpoint").read_text())["pid"])
    except (OSError, ValueError):
        return None


def _moved(path: Path, dead: int, since: float) -> float:
    """Seconds until another process answers as the owner."""
    while (passed := time.monotonic() - since) < TIMEOUT_SECONDS:
        if _owner(path) not in (None, dead):
            try:
                service = connect_to_owner(str(path))
                service.list_domains(registrationStatus="REGISTERED")
            except ServiceUnreachableError:
                pass
            else:
                return passed
        os.sched_yield()
        time.sleep(0.01)
    return TIMEOUT_SECONDS
