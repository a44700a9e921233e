"""Who outlived an engine: whether the process that started a task is still there to answer.

An engine that takes over a store finds tasks that were started. Those of the dead engine's own threads died with it;
those of workers in other processes go on, and their answers will come. The identity that a worker polls with mostly
tells: ours and upstream's is JSON with its pid and host name.
"""

from __future__ import annotations

import json
import os
import socket


def is_worker_alive(identity: str | None, *, in_this_process: bool = False) -> bool:
    """The worker with this identity is alive. Who can't be told apart from the dead is not.

    `in_this_process` says whether threads of this very process may have started tasks of the engine before.
    """
    try:
        worker = json.loads(identity or "")
        pid, host = int(worker["pid"]), worker["hostname"]
    except (ValueError, TypeError, KeyError):
        return False
    if host != socket.gethostname() or pid <= 0:
        # An engine serves its own machine only: a name of another one is this one's before it was renamed, or that of a
        # container that is no more.
        return False
    if pid == os.getpid():
        return in_this_process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it is there, and another user's
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """The process has ended, and only its parent has not looked yet. Where there is no /proc, nobody can say."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name, in parentheses, may hold anything; the state follows it.
            return file.read().rpartition(")")[2].split()[:1] == ["Z"]
    except OSError:
        return False
