"""Whether a process that had a session at a store's owner still has the store open, told by a lock and not by time.

Each process that has a session holds a lock on one byte of the file `lab.sqlite.lock`, from before the session opens
until the store is closed. The operating system releases it whatever happens to the process, and keeps it as long as
the process is suspended or slow. So an owner that takes over knows which processes will come back to it, however long
that takes.

Rule: the byte follows from the instance, so that the lock needs no file of its own, and no room on the disk.
"""

from __future__ import annotations

import hashlib

from simpleflow_lab.engine.liveness import is_running
from simpleflow_lab.locking.file_lock import HAS_RANGES, FileLock


class Presence:
    """The lock of one process on a store."""

    def __init__(self, path: str, instance: str) -> None:
        """The process with this instance, and the store at this path. Nothing is locked yet."""
        self.instance = instance
        # Some byte that no file is long enough for; two processes have the same one once in 2 ** 60 times.
        byte = (1 << 61) + int.from_bytes(hashlib.sha256(instance.encode()).digest()[:8]) % (1 << 60)
        self._lock = FileLock(f"{path}.lock", byte=byte)

    def hold(self) -> None:
        """Say that this process has the store open, until `release`. Raises `OSError`."""
        if HAS_RANGES:
            self._lock.acquire()
            self._lock.restore()

    def release(self) -> None:
        """Say so no longer."""
        self._lock.release()

    def is_held(self, pid: int) -> bool:
        """Whether the process, whose id is `pid`, has the store open; on a system without such locks, whether it
        runs."""
        if not HAS_RANGES:
            return is_running(pid)
        try:
            return self._lock.is_anybodys()
        except OSError:  # as a person may have changed its mode: then the process id has to do
            return is_running(pid)
