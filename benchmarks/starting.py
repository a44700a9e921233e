"""What is measured of processes that start: importing the package, the command line's help, and a whole workflow."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

Seconds = dict[str, float]


QUICKSTART: Final = """
from {package} import Workflow, activity, futures

@activity.with_attributes(task_list="quickstart", version="example")
def increment(x):
    return x + 1

@activity.with_attributes(task_list="quickstart", version="example")
def double(x):
    return x * 2

class Quickstart(Workflow):
    name = "quickstart"
    version = "example"
    task_list = "example"

    def run(self, x):
        y = self.submit(increment, x)
        z = self.submit(double, y)
        futures.wait(y, z)
        return z.result
"""
"""The workflow that is started, for either package."""


def _seconds_of(command: Sequence[str], times: int, **variables: str) -> Seconds:
    """Seconds of a command that is run so often with these variables in its environment, the same modules compiled
    each time."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | variables
    environment["PYTHONPYCACHEPREFIX"] = str(Path(__file__).parents[1] / ".benchmarks" / "compiled")
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for _ in range(times):
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": time.perf_counter() - wall, "cpu": cpu}


def importing(times: int, package: str = "simpleflow_lab") -> Seconds:
    """Seconds in which Python starts and imports the package."""
    return _seconds_of([sys.executable, "-c", f"import {package}"], times)


def help_text(times: int) -> Seconds:
    """Seconds of `simpleflow --help` of the environment that this runs in."""
    return _seconds_of([str(Path(sys.executable).with_name("simpleflow")), "--help"], times)


def local_start(times: int, package: str = "simpleflow_lab") -> Seconds:
    """Seconds of `simpleflow workflow.start --local` of the quickstart, the store a new file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"quickstart_{package}.py").write_text(QUICKSTART.format(package=package))
        words = ["workflow.start", "--local", f"quickstart_{package}.Quickstart", "--input", "[1]"]
        return _seconds_of(
            [str(Path(sys.executable).with_name("simpleflow")), *words],
            times,
            PYTHONPATH=folder,
            SIMPLEFLOW_LAB_STORE=f"{folder}/store.sqlite",
        )


MEASURED: Final[Mapping[str, Callable[[int], Seconds]]] = {"import": importing, "help": help_text, "start": local_start}
