"""What is measured of processes that start: importing the package, and the command line's help."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

Seconds = dict[str, float]


def _seconds_of(command: Sequence[str], times: int) -> Seconds:
    """Seconds of a command that is run so often, the same modules compiled each time."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
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


MEASURED: Final[Mapping[str, Callable[[int], Seconds]]] = {"import": importing, "help": help_text}
