"""A row of slow activities, to be killed in the middle.

    simpleflow workflow.start --local examples.survivor.Survivor --workflow-id trip --input '["/tmp/trip.txt", 8, 1.0]'
    ... kill -9 it, or close the terminal ...
    simpleflow resume --module examples.survivor trip
    cat /tmp/trip.txt

Each activity adds a line to a file when it begins and another when it has ended, so the file shows what ran. What had
completed before the kill is not run again; what was running is, for nobody can know how far it came. With `killed_in` a
step kills its process itself, when it runs for the first time.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from simpleflow_lab import Workflow, activity


@activity.with_attributes(task_list="survivor", version="example", raises_on_failure=True)
def step(number: int, path: str, seconds: float, killed: bool = False) -> int:
    runs_again = killed and Path(path).exists() and f"begin {number}\n" in Path(path).read_text(encoding="utf-8")
    _note(path, f"begin {number}")
    time.sleep(seconds)
    if killed and not runs_again:
        os.kill(os.getpid(), signal.SIGKILL)
    _note(path, f"end {number}")
    return os.getpid()


def _note(path: str, line: str) -> None:
    """One write of one line: it is in the file as a whole, or not at all."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{line}\n")


class Survivor(Workflow):
    name = "survivor"
    version = "example"
    task_list = "survivor"

    def run(self, path: str, steps: int = 8, seconds: float = 1.0, killed_in: int | None = None) -> dict[str, int]:
        numbers = range(steps)
        processes = [self.submit(step, number, path, seconds, number == killed_in).result for number in numbers]
        return {"steps": len(processes), "processes": len(set(processes))}
