"""The mark beside a store that is open: with it, a `-wal` file that is missing, or damaged, is found out.

As long as a store is open, what was written last is in its `-wal` only. SQLite takes a store without one for complete,
and reads one up to the first part whose checksum is wrong: it can't tell damage from what a process was writing when
it died. So executions would start over as if nothing had happened, or lose what came last.

So the file `lab.sqlite.open` is there while the store is open, and has the latest uptime that the store recorded, and
the event that it committed last. A store that was not closed and does not have them is damaged. One without a `-wal`
that has them was completed by another program, as the command `sqlite3`, which moves the `-wal` into the store and
removes it.

Rule: the mark is advice and never the truth. It is written after the store and not synced, so it is never ahead of
what was written; without it nothing is checked, and one that says nothing tells only that there was a `-wal`. What was
written after it can be lost unnoticed: after a power failure that may be all since the system wrote the mark to the
disk, otherwise the commit that no caller was told of.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import urllib.parse
from typing import Final, NamedTuple

from simpleflow_lab.exceptions import StoreError

SUFFIX: Final = ".open"
_WAL_MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_WAL_HEADER_BYTES: Final = 32
_LINE: Final = "%020d %020d %020d %020d\n"
_RECORDED: Final = re.compile(r"(\d{20}) (\d{20})(?: (\d{20}) (\d{20}))?\n")
_SELECT_UPTIME: Final = (
    "SELECT id, last_alive FROM uptime WHERE typeof(last_alive) = 'integer' ORDER BY id DESC LIMIT 1"
)
_SELECT_EVENT: Final = "SELECT 1 FROM event WHERE execution = ? AND id = ?"
_WHY: Final = (
    "The store beside this file is open, or its process ended without closing it: it is not complete without its -wal "
    "file. Opening it again completes it and removes this file.\n"
)


class OpenMark:
    """The mark of a store that this process owns, from the moment when its `-wal` is there."""

    def __init__(self, path: str, session: int, last_alive: int) -> None:
        """Make it, with this uptime. Raises `OSError`."""
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(path + SUFFIX, flags, 0o600)
        self._recorded: tuple[int, int, int, int] | None = None
        self.record(session, last_alive, rest=_WHY)

    def record(self, session: int, last_alive: int, key: int = 0, event_id: int = 0, rest: str = "") -> None:
        """Record an uptime that is in the store by now, and an event of an execution that is there; 0 for none."""
        recorded = session, last_alive, key, event_id
        if self._recorded == recorded:
            return
        self._recorded = recorded
        with contextlib.suppress(OSError):  # no room on the disk, say: less is found out then
            os.pwrite(self._descriptor, (_LINE % recorded + rest).encode(), 0)

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
    if not os.path.lexists(path + SUFFIX):
        return
    recorded = _recorded(path)
    if not os.path.lexists(wal):
        found = "is missing"
    elif not _begins_as_wal(wal):
        found = "is not what was written"
    else:
        found = "is damaged"
    with_wal = found == "is damaged"
    # A mark that says nothing was made when the -wal was there: without it nobody knows that the store is complete.
    if not (with_wal if recorded is None else _has(path, recorded, with_wal=with_wal)):
        raise StoreError(
            f"the store {path} is damaged: {wal}, with what was written last, {found}; put it back, restore both from "
            f"a copy, or delete {path}{SUFFIX} to go on without what is lost"
        )


class _Recorded(NamedTuple):
    """The state of the store that a mark has recorded."""

    uptime: tuple[int, int]
    """The session and the time."""
    event: tuple[int, int] | None
    """The execution's number and the event's id; `None` for none, and in the mark of an older version."""


def _recorded(path: str) -> _Recorded | None:
    """The content of the mark; `None` for one that was not written yet, or is damaged itself. Raises `StoreError`."""
    try:
        with open(path + SUFFIX, encoding="ascii") as file:
            found = _RECORDED.match(file.read(100))
    except ValueError:
        return None
    except OSError as error:  # no damage: whether the store is complete stands there
        raise StoreError(
            f"the store {path} can't be opened: {path}{SUFFIX} can't be read ({error.strerror or error}); "
            "let it be read and written by you"
        ) from None
    if found is None:
        return None
    key, event_id = int(found[3] or 0), int(found[4] or 0)
    return _Recorded((int(found[1]), int(found[2])), (key, event_id) if key else None)


def _has(path: str, recorded: _Recorded, *, with_wal: bool) -> bool:
    """Whether the store has what the mark says, with or without what is in its `-wal`. Nothing is changed."""
    index = f"{path}-shm"
    had_index = os.path.lexists(index)
    uri = f"file:{urllib.parse.quote(path)}?mode=ro" + ("" if with_wal else "&immutable=1")
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            session, last_alive = connection.execute(_SELECT_UPTIME).fetchone() or (0, 0)
            has_event = recorded.event is None or connection.execute(_SELECT_EVENT, recorded.event).fetchone()
    except sqlite3.Error:
        return with_wal  # what is wrong is found out when the store is opened
    finally:
        if with_wal and not had_index:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(index)
    return (int(session), int(last_alive)) >= recorded.uptime and bool(has_event)


def _begins_as_wal(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            header = file.read(_WAL_HEADER_BYTES + 1)
    except OSError:
        return False
    return len(header) > _WAL_HEADER_BYTES and header.startswith(_WAL_MAGIC)
