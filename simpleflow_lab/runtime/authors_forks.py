"""Processes that the author's code forks: they end where that code returns, or raises, and never go on as a worker.

A fork in an activity copies the thread that runs it, with everything that waits for its end: the answer, and the polls
for further tasks. In the copy none of that is meant.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import NoReturn

logger = logging.getLogger(__name__)


class ending_forks:
    """Run the author's code within this context: a process that it forks ends with the context.

    Its exit code is that of a Python program: 0, that of `SystemExit`, or 1 for another exception, which is printed.
    `what` names the code for the log.
    """

    __slots__ = ("_here", "_what")

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._here = os.getpid()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if os.getpid() != self._here:
            _end(self._what, error)


def _end(what: str, error: BaseException | None) -> NoReturn:
    """End this process as Python would, but without the clean-up of what belongs to the process it was forked from."""
    code = 0
    try:
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
            if isinstance(error.code, str):
                sys.stderr.write(f"{error.code}\n")
        elif error is not None:
            code = 1
            sys.excepthook(type(error), error, error.__traceback__)
        logger.debug("process %s, which %s forked, ends with it", os.getpid(), what)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
    finally:
        os._exit(code & 0xFF)
