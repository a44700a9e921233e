"""What a test asks of processes, each of which may end at any moment."""

from __future__ import annotations

import contextlib

import psutil


def is_alive(pid: int) -> bool:
    """Whether there is this process, and it has not ended."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def kill(process: psutil.Process) -> None:
    """`kill -9`, unless it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
