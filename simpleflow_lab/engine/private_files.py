"""JSON files that only the user can read: what other processes of this user need to know, and nobody else.

Rule: a file is private from its first moment, is replaced whole, and is never written or read through a symbolic link.
One that another user could have read or written is not used.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from typing import Any, Final

MAX_BYTES: Final = 8192
"""Longest file that is read."""


def write_private(path: str, record: Mapping[str, Any]) -> None:
    """Write the file, whatever the umask. Raises `OSError`."""
    beside = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(record, file)
    os.replace(beside, path)


def read_private(path: str) -> dict[str, Any]:
    """The JSON object in the file. Raises `OSError`, and `ValueError` if there is none or it must not be used."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, encoding="utf-8") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no file")
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077):
            raise ValueError("it is not this user's alone")
        record: Any = json.loads(file.read(MAX_BYTES))
    if not isinstance(record, dict):
        raise ValueError("it is no JSON object")
    return record
