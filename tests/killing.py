"""Programs that a test kills at random moments, until they end by themselves."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from typing import NamedTuple


class Ended(NamedTuple):
    """How a program ended at last."""

    out: str
    """What it printed after `open`."""
    kills: int


def killed_until_it_ends(
    start: Callable[[], subprocess.Popen[str]], chance: random.Random, *, kills: int, longest: float
) -> Ended:
    """Start a program again and again. Each time it prints `open`; within `longest` seconds of that it is killed with
    SIGKILL, but for no more than `kills` times. It is to end with 0."""
    killed = 0
    while True:
        process = start()
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "open\n"
        try:
            process.wait(timeout=chance.uniform(0.0, longest) if killed < kills else 200)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            continue
        # Not communicate(): the line may be in the buffer of readline() already.
        out, err = process.stdout.read(), process.stderr.read()
        process.communicate()
        assert process.returncode == 0, err
        return Ended(out, killed)
