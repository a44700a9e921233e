"""Trials of `simpleflow engine.start`: it ends and starts again, and what uses it goes on.

Rule: as in `trials`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simpleflow_lab.engine.ownership import owner_pid
from tests.faults.findings import Figures, check_results, check_store
from tests.faults.processes import Process
from tests.foreign import boto3_program
from tests.foreign.boto3_program import DOMAIN, LIST, STEP, STEPS, TYPE, patiently
from tests.served import Served

EXECUTIONS = 8
"""Started before each restart."""
LONGEST = 100.0
"""Seconds after the last restart within which everything ends."""
PROGRAM = Path(boto3_program.__file__)
ROLES = (("decider", ""), ("decider", "decider 7"), ("worker", ""), ("worker", "1234@elsewhere"), ("worker", "w"))
"""What runs, and the identities with which it polls: none of them names a process of this machine."""


def boto3_programs(folder: Path, ends: Sequence[signal.Signals], seed: int) -> Figures:
    """Programs made with boto3 alone, and an engine that is ended so and starts again, at random moments.

    An engine that is killed may have handed out a task that nobody got: its timeout gives it out again, as on SWF. One
    that is ended otherwise leaves none.
    """
    figures = Figures(seeds=[seed])
    chance = random.Random(seed)
    path = folder / "served.sqlite"
    programs: list[subprocess.Popen[str]] = []
    served = Served(str(path))
    try:
        variables = served.variables
        for role, identity in ROLES:
            command = [sys.executable, str(PROGRAM), role, identity]
            environment = {**os.environ, **variables}
            programs.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
        client = served.client()
        client.register_workflow_type(domain=DOMAIN, **TYPE)
        client.register_activity_type(domain=DOMAIN, **STEP)
        for number, end in enumerate(ends):
            _start_executions(client, number)
            time.sleep(chance.uniform(0.3, 1.5))
            served.end(end)
            figures.kills += end is signal.SIGKILL
            figures.faults[f"engine ended by {end.name}"] += 1
            time.sleep(chance.uniform(0.0, 0.5))
            served = Served(str(path))
            if served.variables != variables:
                figures.wrong.append("the variables are others after a restart")
        restarted_at = time.monotonic()
        while _open(client) and time.monotonic() < restarted_at + LONGEST:
            time.sleep(0.1)
        figures.faults["seconds until the end"] = round(time.monotonic() - restarted_at)
        client.close()
    finally:
        for program in programs:
            program.terminate()
        reports = [json.loads(line) for program in programs for line in program.communicate()[0].splitlines()]
        with served:
            served.end()
    _check(path, reports, figures, killed=signal.SIGKILL in ends, wanted=EXECUTIONS * len(ends))
    return figures


def hand_overs(folder: Path, ends: Sequence[signal.Signals], seed: int) -> Figures:
    """Two kernels work on a store; `engine.start` takes it over from the one that owns it, and ends, again and again.

    What the kernels hold goes on. How many tasks timed out all the same is a figure: on a busy machine a kernel may
    name what it holds too late, or decide for longer than its timeout of two seconds.
    """
    figures = Figures(seeds=[seed])
    chance = random.Random(seed)
    path = folder / "handed-over.sqlite"
    kernels = [Process("kernel", str(path), name) for name in ("k1", "k2")]
    try:
        for kernel in kernels:
            kernel.wait_for("open")
        for end in ends:
            with Served(str(path)) as served:
                for kernel in kernels:
                    kernel.read(chance.uniform(0.2, 0.8))
                if owner_pid(str(path)) != served.process.pid:
                    figures.wrong.append(f"process {owner_pid(str(path))} owns the store, and not the engine")
                served.end(end)
            figures.kills += end is signal.SIGKILL
            figures.faults[f"engine ended by {end.name}"] += 1
            for kernel in kernels:
                kernel.read(chance.uniform(0.2, 0.8))
        for order, report in (("finish", "done"), ("stop", "")):
            for kernel in kernels:
                kernel.order(order)
            for kernel in kernels if report else ():
                kernel.wait_for(report)
        for kernel in kernels:
            if code := kernel.finish():
                figures.wrong.append(f"a kernel ended with {code}: {kernel.reports[-2:]}")
    finally:
        for kernel in kernels:
            kernel.kill()
    reports = [words for kernel in kernels for words in kernel.reports]
    figures.add_reports(reports)
    found = check_store(path, reports, figures)
    check_results(found, figures)
    figures.faults["timeouts"] += sum(
        event.type.endswith("TimedOut") for each in found.values() for event in each.history
    )
    return figures


def _start_executions(client: Any, turn: int) -> None:
    for number in range(EXECUTIONS):
        client.start_workflow_execution(
            domain=DOMAIN,
            workflowId=f"numbers-{turn}-{number}",
            workflowType=TYPE,
            taskList=LIST,
            executionStartToCloseTimeout="600",
            taskStartToCloseTimeout=boto3_program.TIMEOUT,
            childPolicy="TERMINATE",
        )


def _open(client: Any) -> int:
    """How many executions are open."""
    counted = patiently(client.count_open_workflow_executions, domain=DOMAIN, startTimeFilter={"oldestDate": 0})
    return int(counted["count"])


def _check(path: Path, reports: list[list[Any]], figures: Figures, *, killed: bool, wanted: int) -> None:
    """The executions have their results; what the engine refused was recorded before it was killed."""
    found = check_store(path, [tuple(words) for words in reports], figures)
    for each in found.values():
        if each.close_status == "COMPLETED" and each.result == sum(range(STEPS)):
            figures.executions += 1
        else:
            figures.wrong.append(f"{each.workflow_id}: {each.close_status}, {each.result}")
    timed_out = sum(event.type.endswith("TimedOut") for each in found.values() for event in each.history)
    refused = [words[1:] for words in reports if words[0] == "refused"]
    figures.faults["timeouts"] += timed_out
    figures.faults["answers that were recorded and not acknowledged"] += len(refused)
    if not killed and (timed_out or refused):
        figures.wrong.append(f"no engine was killed, and there are {timed_out} timeouts, and refused were {refused}")
    if any(code != "UnknownResourceFault" for code, _ in refused):
        figures.wrong.append(f"refused were {refused}")
    if figures.executions != wanted:
        figures.wrong.append(f"{figures.executions} of {wanted} executions")
