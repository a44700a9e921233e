"""The mark beside a store that is open: with it, a `-wal` file that is missing is found out.

As long as a store is open, what was written last is in its `-wal` only. SQLite takes a store without one for complete:
where the `-wal` of a killed process was deleted, or a store in use was copied without it, executions would start over
as if nothing had happened.

So the file `lab.sqlite.open` is there while the store is open, and has the latest uptime that the store recorded. A
store that was not closed, has no `-wal` and does not know of that uptime is damaged. One that knows it was completed
by another program, as the command `sqlite3`, which moves the `-wal` into the store and removes it.

Rule: the mark is advice and never the truth. It is written after the store and not synced, so it is never ahead of
what was written; without it nothing is checked.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import urllib.parse
from typing import Final

from simpleflow_lab.exceptions import StoreError

SUFFIX: Final = ".open"
_WAL_MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_WAL_HEADER_BYTES: Final = 32
_UPTIME: Final = "{:020d} {:020d}\n"
_RECORDED: Final = re.compile(r"(\d{20}) (\d{20})\n")
_SELECT_UPTIME: Final = "SELECT id, last_alive FROM uptime ORDER BY id DESC LIMIT 1"
_WHY: Final = (
    "The store beside this file is open, or its process ended without closing it: it is not complete without its -wal "
    "file. Opening it again completes it and removes this file.\n"
)


class OpenMark:
    """The mark of a store that this process owns, from the moment when its `-wal` is there."""

    def __init__(self, path: str, session: int, last_alive: int):
        """Make it, with this uptime. Raises `OSError`."""
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(path + SUFFIX, flags, 0o600)
        self._recorded: tuple[int, int] | None = None
        self.record(session, last_alive, _WHY)

    def record(self, session: int, last_alive: int, rest: str = "") -> None:
        """Record an uptime that is in the store by now."""
        if self._recorded == (session, last_alive):
            return
        self._recorded = session, last_alive
        with contextlib.suppress(OSError):  # no room on the disk, say: less is found out then
            os.pwrite(self._descriptor, (_UPTIME.format(session, last_alive) + rest).encode(), 0)

    def close(self, *, complete: bool) -> None:
        """Close it; remove it if all that was written is in the store itself, or SQLite has removed the `-wal`."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        if complete or not os.path.lexists(f"{self._path}-wal"):
            remove(self._path)


def remove(path: str) -> None:
    """Remove the mark of the store at this path, if it has one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path + SUFFIX)
        descriptor = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)  # before the -wal goes
        finally:
            os.close(descriptor)


def check_complete(path: str) -> None:
    """Check that a store which was not closed has what was written last. The caller owns it. Raises `StoreError`."""
    wal = f"{path}-wal"
    if not os.path.lexists(path):
        if os.path.lexists(wal):
            raise StoreError(
                f"the store {path} is damaged: it is gone, but {wal} is there; restore it from a copy, or move {wal} "
                "away to begin a new store"
            )
        return
    recorded = _recorded(path)
    if recorded is not None and not _begins_as_wal(wal) and _known(path) < recorded:
        found = "is not what was written" if os.path.lexists(wal) else "is missing"
        raise StoreError(
            f"the store {path} is damaged: {wal}, with what was written last, {found}; put it back, restore both from "
            f"a copy, or delete {path}{SUFFIX} to go on without what is lost"
        )


def _recorded(path: str) -> tuple[int, int] | None:
    """The uptime in the mark: session and time; `None` if there is no mark, or one that was not written yet."""
    try:
        with open(path + SUFFIX, encoding="ascii") as file:
            found = _RECORDED.match(file.read(64))
    except (OSError, ValueError):
        return None
    return None if found is None else (int(found[1]), int(found[2]))


def _known(path: str) -> tuple[int, int]:
    """The latest uptime in the store itself, without a `-wal`. Nothing is changed."""
    uri = f"file:{urllib.parse.quote(path)}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            session, last_alive = connection.execute(_SELECT_UPTIME).fetchone() or (0, 0)
    except sqlite3.Error:
        return (0, 0)
    return int(session), int(last_alive)


def _begins_as_wal(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            header = file.read(_WAL_HEADER_BYTES + 1)
    except OSError:
        return False
    return len(header) > _WAL_HEADER_BYTES and header.startswith(_WAL_MAGIC)
