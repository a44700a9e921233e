"""One owner per store: the lock of the process that owns it.

Rule: the owner of a store holds a lock on a file beside it for as long as the process lives; the operating system
releases it whatever happens to the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket

from simpleflow_lab.engine.private_files import write_private
from simpleflow_lab.engine.store_files import is_no_room
from simpleflow_lab.exceptions import StoreError, StoreInUseError, StorePausedError
from simpleflow_lab.locking.file_lock import FileLock


class Ownership:
    """The lock on a store, held from construction to `release`."""

    def __init__(self, path: str) -> None:
        """Lock the store. Raises `StoreInUseError` if another engine owns it, `StoreError` if it can't be locked;
        `StorePausedError` if that is for want of room on its disk."""
        self._owner_path = _owner_path(path)
        self._lock = FileLock(f"{path}.lock")
        try:
            is_held = self._lock.acquire()
        except OSError as error:
            raise StoreError(f"the store {path} can't be locked: {error.strerror or error}") from None
        if not is_held:
            raise StoreInUseError(path, owner_text(path))
        try:
            write_private(self._owner_path, {"pid": os.getpid(), "host": socket.gethostname()})
        except OSError as error:
            self._lock.release()
            problem = f"the store {path} can't be opened ({error.strerror})"
            if is_no_room(error):
                raise StorePausedError(f"{problem}: make room on its disk") from None
            raise StoreError(f"{problem}: let its folder be written by you") from None

    def restore(self) -> None:
        """Lock the store again if the file that is locked was removed."""
        with contextlib.suppress(OSError):  # its folder can't be written for now, or has no room
            self._lock.restore()

    def release(self) -> None:
        """Release the lock."""
        with contextlib.suppress(OSError):
            os.unlink(self._owner_path)
        self._lock.release()


class ServingLock:
    """The lock of the process that serves a store to SWF programs, which were told where it is and can't look for it.

    While it holds the lock, no other process takes the ownership of the store: those that find no owner wait for it.
    The operating system releases the lock whatever happens to the process.
    """

    def __init__(self, path: str) -> None:
        """The store at this path; nothing is locked yet."""
        self._path = path
        self._lock = FileLock(f"{path}.serving")

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock.is_held

    def acquire(self, *, seconds: float = 0.0) -> bool:
        """Lock it, if within this time no other process serves the store. Raises `StoreError` if it can't be locked."""
        try:
            return self._lock.acquire(seconds=seconds)
        except OSError as error:
            raise StoreError(f"the store {self._path} can't be locked: {error.strerror or error}") from None

    def release(self) -> None:
        """Release the lock, if it is held."""
        self._lock.release()

    def is_elsewhere(self) -> bool:
        """Whether another process holds the lock. Raises `StoreError`."""
        if self.held or not os.path.exists(self._lock.path):
            return False
        if not self.acquire():
            return True
        self.release()
        return False


def owner_pid(path: str) -> int | None:
    """The process that owns the store at this path, if that is known and it is on this machine."""
    found = _read_record(_owner_path(path))
    return found[0] if found is not None and found[1] == socket.gethostname() else None


def _owner_path(path: str) -> str:
    return f"{path}.owner"


def _read_record(path: str) -> tuple[int, str] | None:
    """The owner's process id and host; `None` if they can't be read."""
    try:
        with open(path, encoding="utf-8") as file:
            owner = json.loads(file.read(4096))
        return int(owner["pid"]), str(owner["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def owner_text(path: str) -> str:
    """The owner of the store at this path, as error messages name it."""
    found = _read_record(_owner_path(path))
    if found is None:
        return "another process"
    pid, host = found
    if pid == os.getpid() and host == socket.gethostname():
        return "this process"
    return f"process {pid} on {host}"
