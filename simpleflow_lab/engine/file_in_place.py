"""Whether the file of an open store is still the one at its path: a person may remove, rename or replace it.

Rule: what would be written to a file that nobody can open again is not acknowledged. And the connection to such a file
is never closed: SQLite removes the `-wal` at its path then, which is that of the store that is there now.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from typing import Final

from simpleflow_lab.exceptions import StoreError


class StoreGoneError(StoreError):
    """The file of an open store is not at its path any more."""


class FileInPlace:
    """The file that was at a path when this was made."""

    def __init__(self, path: str) -> None:
        """Raises `OSError`."""
        self._path = path
        self._found = _identity(path)

    def check(self) -> None:
        """Raise `StoreGoneError` if it is not there any more."""
        try:
            found: tuple[int, int] | None = _identity(self._path)
        except FileNotFoundError:
            found = None
        except OSError:  # its folder can't be read for now
            return
        if found != self._found:
            what = "removed or renamed" if found is None else "replaced by another file"
            raise StoreGoneError(
                f"the store {self._path} was {what} while it was open: nothing more is written, because it would be "
                "lost. End the processes that have it open; then open what is there, or a copy"
            )


def leave_open(connection: sqlite3.Connection) -> None:
    """Keep a connection until the process ends, also while the interpreter ends."""
    forever: Final = threading.Event()
    threading.Thread(target=_hold, args=(connection, forever), name="simpleflow-lab store gone", daemon=True).start()


def _hold(connection: sqlite3.Connection, forever: threading.Event) -> sqlite3.Connection:
    forever.wait()
    return connection


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
