"""Who outlived an engine: whether the process that started a task is still there to answer.

An engine that takes over a store finds tasks that were started. Those of the dead engine's own threads died with it;
those of workers in other processes go on, and their answers will come. The identity that a worker polls with mostly
tells: ours and upstream's is JSON with its pid and host name.
"""

from __future__ import annotations

import json
import os
import socket


def outlives(identity: str | None, *, this_process: bool = False) -> bool:
    """The worker with this identity is alive. Who can't be told apart from the dead is not.

    `this_process` says whether threads of this very process may have started tasks of the engine before.
    """
    try:
        worker = json.loads(identity or "")
        pid, host = int(worker["pid"]), worker["hostname"]
    except (ValueError, TypeError, KeyError):
        return False
    if host != socket.gethostname() or pid <= 0:
        # On another machine, perhaps in a container: nobody here can say. Its timeouts will.
        return pid > 0
    if pid == os.getpid():
        return this_process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
