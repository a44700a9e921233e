"""Whether a process runs, and whether the worker that started a task may still answer, as far as its identity tells.

An engine that takes over a store finds tasks that were started. Those of processes that have ended are lost; those of
workers in other processes go on and will be completed. Our identities and upstream's are JSON with the worker's pid and
host name. Other SWF programs name themselves as they like, or not at all.

Rule: a task is lost only if its worker's identity names a process that has ended. Any other keeps its timeouts, as on
Amazon SWF, and is accepted when it is answered in time.
"""

from __future__ import annotations

import json
import os
import socket


def is_worker_alive(identity: str | None, *, in_this_process: bool = False) -> bool:
    """Whether the worker with this identity may still answer: whether its process is running, if it names one.

    `in_this_process` is the answer for workers of the calling process itself: whether its threads may have started
    tasks of the previous engine.
    """
    try:
        worker = json.loads(identity or "")
        pid, host = int(worker["pid"]), worker["hostname"]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return True
    if host != socket.gethostname() or pid <= 0:
        # An engine has clients on its own machine only: another host name is that of this machine before it was
        # renamed, or of a container that is gone.
        return False
    if pid == os.getpid():
        return in_this_process
    return is_running(pid)


def is_running(pid: int) -> bool:
    """Whether the process exists and has not ended, stopped or not."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # the process exists, and belongs to another user
    return _state(pid) != "Z"


def is_stopped(pid: int) -> bool:
    """Whether the process is suspended, by Ctrl-Z, SIGSTOP or a debugger; false on systems without /proc."""
    return _state(pid) in ("T", "t")


def _state(pid: int) -> str | None:
    """The state of a process, in the letter of /proc; `None` if it has none, or on systems without /proc."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name, in parentheses, may hold anything; the state follows it.
            return next(iter(file.read().rpartition(")")[2].split()), None)
    except OSError:
        return None
