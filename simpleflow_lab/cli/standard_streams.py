"""The standard streams of the command: any of them may be closed, be on a full disk, or lose its reader.

Rule: without a standard output there is no answer, and a command does nothing; who wants none drops it. An answer that
can't be written when it is there is one line on stderr, and the exit code is 1.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import Final

from simpleflow_lab.exceptions import UsageError

_NOT_WRITTEN: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EBADF})


def prepare() -> None:
    """Let the three streams be there, and print characters that a terminal's encoding does not have as escapes.

    A file that is opened while one is closed would get its number, and what is printed would be written into it.
    Raises `UsageError` if standard output is closed.
    """
    closed = set()
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            closed.add(number)
            # The lowest number that is free.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  as long as the process lives
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    if 1 in closed:
        raise UsageError("the standard output is closed, and the answer goes there: >/dev/null drops it")


def is_not_written(error: OSError) -> bool:
    """Whether this error, met while an answer was printed, is one of standard output: its disk is full, say."""
    return error.errno in _NOT_WRITTEN and error.filename is None


def give_up_stdout() -> None:
    """Write no more to standard output. Python would complain again when it flushes it at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
