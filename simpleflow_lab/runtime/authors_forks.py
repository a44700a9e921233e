"""Processes that the author's code forks: they end where that code returns, or raises, and never go on as a worker.

A fork in an activity copies the thread that runs it, with everything that waits for its end: the answer, and the polls
for further tasks. In the copy none of that is meant.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import NoReturn

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def ending_forks(what: str) -> Iterator[None]:
    """Run the author's code within this context: a process that it forks ends with the context.

    Its exit code is that of a Python program: 0, that of `SystemExit`, or 1 for another exception, which is printed.
    `what` names the code for the log.
    """
    here = os.getpid()
    try:
        yield
    except BaseException as error:
        if os.getpid() != here:
            _end(what, error)
        raise
    if os.getpid() != here:
        _end(what, None)


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
