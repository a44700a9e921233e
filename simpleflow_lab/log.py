"""The package's logger, for authors: `from simpleflow_lab import logger`.

In a workflow it is silent while the code is replayed, so that each line appears once; in activities it always speaks.
A decision that is made anew, because SWF refused its close, does not log a second time what it logged before.
No handler is configured: that is for the program's own `logging` set-up. The colours are upstream's names for what a
terminal shows.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

RED: Final = "\033[91m"
GREEN: Final = "\033[92m"
YELLOW: Final = "\033[93m"
BLUE: Final = "\033[94m"
ORANGE: Final = "\033[38;5;214m"
BOLD: Final = "\033[1m"
END: Final = "\033[0m"


class ColorModes:
    """The modes of `colorize`: when it gives colours."""

    AUTO: Final = "auto"
    """If standard output is a terminal."""
    ALWAYS: Final = "always"
    NEVER: Final = "never"


color_mode: str = ColorModes.AUTO
"""One of `ColorModes`."""

_COLORS: Final = {
    "CRITICAL": RED,
    "ERROR": RED,
    "WARNING": YELLOW,
    "INFO": GREEN,
    "DEBUG": BLUE,
    "NOTSET": END,
    "RED": RED,
    "GREEN": GREEN,
    "YELLOW": YELLOW,
    "BLUE": BLUE,
    "ORANGE": ORANGE,
    "BOLD": BOLD,
}


def colorize(level: str, message: str) -> str:
    """The message in the colour of a log level, or of a colour's name, as `color_mode` says."""
    if color_mode == ColorModes.NEVER or (color_mode == ColorModes.AUTO and not sys.stdout.isatty()):
        return message
    return f"{_COLORS[level]}{message}{END}"


replaying_threads: Final[dict[int, int]] = {}
"""Threads that replay workflow code, by identifier, and how many replays deep. The replay writes it."""


log_receivers: Final[dict[int, Callable[[str], None]]] = {}
"""Called with the lines that a replaying thread's code logs and that are dropped, by the thread's identifier."""
logged_before: Final[dict[int, deque[str]]] = {}
"""The texts that a thread which makes a decision anew logged for it before and not again yet, by its identifier."""


def is_to_be_logged(logger: str, level: int, msg: object, args: Any) -> bool:
    """Whether the code of this thread logs this line now, and did not before, in the decision that it makes anew."""
    thread = threading.get_ident()
    is_replaying, before = thread in replaying_threads, logged_before.get(thread)
    receiver = log_receivers.get(thread) if is_replaying else None
    if receiver is None and (is_replaying or before is None):
        return not is_replaying
    try:
        line = f"{logger}:{level}:{str(msg) % args if args else msg}"
    except Exception:  # logging itself tells of arguments that don't fit
        line = f"{logger}:{level}:{msg!r}"
    if receiver is not None:
        receiver(line)
        return False
    return not (before and is_repeated(before, line))


def is_repeated(before: deque[str], text: str) -> bool:
    """Whether this text is the next one of those before, which is then taken out; from the first difference none is."""
    if before and before[0] == text:
        before.popleft()
        return True
    before.clear()
    return False


def _speaks(record: logging.LogRecord) -> bool:
    return is_to_be_logged(record.name, record.levelno, record.msg, record.args)


logger: Final = logging.getLogger("simpleflow_lab")
"""A standard logger: configure it as any other."""
# A filter of a logger sees what is logged by this very logger, and not what comes from those below it.
logger.addFilter(_speaks)
