"""A lock on a file, which one process on this machine holds, until it releases it or ends, whatever ends it.

Rule: a forked process holds no lock of its parent's: its copy of the descriptor is closed, so that the lock is free
once the parent has ended. Any thread may fork at any time, as an author's activity does: a fork waits for the few
system calls of an attempt to lock, and refuses nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import time
import weakref
from typing import Final

_PAUSE_SECONDS: Final = 0.02
_RANGE: Final = "hhqqi4x"
"""The structure `flock` of a lock on a range of a file: type, whence, start, length and process."""
HAS_RANGES: Final = hasattr(fcntl, "F_OFD_SETLK")
"""Whether this system has locks on ranges of a file that belong to an open file, as Linux has."""


class FileLock:
    """The lock on one file. It is not re-entrant: whoever shares the object knows whether it is held."""

    def __init__(self, path: str | os.PathLike[str], *, byte: int | None = None) -> None:
        """Nothing is locked, and no file made, yet.

        With `byte` it is the lock on that byte of the file, which need not have as many; it and the lock on the file
        know nothing of each other. There is none without `HAS_RANGES`.
        """
        self.path = os.fspath(path)
        self._byte = byte
        self._descriptor: int | None = None
        _locks.add(self)

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self, *, seconds: float = 0.0) -> bool:
        """Hold the lock, if no other holder has it, or releases it within this time; whether it is held now.

        The file is made, for its user alone, if it is not there. Raises `OSError` if it can't be opened or locked.
        """
        deadline = time.monotonic() + seconds
        while self._descriptor is None and not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    def _try(self) -> bool:
        with _lock:
            return self._descriptor is not None or self._try_to_lock()

    def _try_to_lock(self) -> bool:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._lock(descriptor)
            is_there = os.fstat(descriptor).st_nlink > 0  # else it was removed meanwhile, and locks nothing
        except BlockingIOError:
            is_there = False
        except BaseException:  # an interrupt too: the descriptor is not left open
            os.close(descriptor)
            raise
        if is_there:
            self._descriptor = descriptor
        else:
            os.close(descriptor)
        return is_there

    def restore(self) -> None:
        """Lock the file that is at the path now, or make one, if that which is locked was removed: others would lock
        the new one. Nothing happens if the lock is not held, or another holder has the new one. Raises `OSError`."""
        with _lock:
            removed = self._descriptor
            if removed is None or os.fstat(removed).st_nlink > 0:
                return
            is_restored = False
            try:
                is_restored = self._try_to_lock()
            finally:
                if not is_restored:
                    self._descriptor = removed
        if is_restored:
            os.close(removed)

    def _lock(self, descriptor: int) -> None:
        if self._byte is None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _range(fcntl.F_WRLCK, self._byte))

    def _unlock(self, descriptor: int) -> None:
        if self._byte is None:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        else:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _range(fcntl.F_UNLCK, self._byte))

    def is_anybodys(self) -> bool:
        """Whether any process holds the lock on this byte of the file; it is not taken for that.

        Raises `OSError` if the file can't be opened.
        """
        assert self._byte is not None
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _range(fcntl.F_WRLCK, self._byte))
        finally:
            os.close(descriptor)
        return bool(struct.unpack(_RANGE, found)[0] != fcntl.F_UNLCK)

    def release(self) -> None:
        """Let others have it, if it is held."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # Not by the end of the descriptor alone: a process that is forked at this moment has a copy of it.
            with contextlib.suppress(OSError):
                self._unlock(descriptor)
            os.close(descriptor)

    def close_copy(self) -> None:
        """In a forked process: what its parent holds is the parent's."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.release()


def _range(kind: int, byte: int) -> bytes:
    return struct.pack(_RANGE, kind, os.SEEK_SET, byte, 1, 0)


_locks: Final[weakref.WeakSet[FileLock]] = weakref.WeakSet()
_lock: Final = threading.Lock()
"""Held while a lock is tried, and by a thread that forks: a descriptor that no object has yet is never copied."""


def _after_in_child() -> None:
    """The locks are its parent's."""
    _lock._at_fork_reinit()  # type: ignore[attr-defined]
    for lock in list(_locks):
        with contextlib.suppress(OSError):
            lock.close_copy()


os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_in_child)
