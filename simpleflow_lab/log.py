"""The package's logger, for authors: `from simpleflow_lab import logger`.

In a workflow it is silent while the code is replayed, so that each line appears once; in activities it always speaks.
No handler is configured: that is for the program's own `logging` set-up. The colours are upstream's names for what a
terminal shows.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import Final

RED: Final = "\033[91m"
GREEN: Final = "\033[92m"
YELLOW: Final = "\033[93m"
BLUE: Final = "\033[94m"
ORANGE: Final = "\033[38;5;214m"
BOLD: Final = "\033[1m"
END: Final = "\033[0m"


class ColorModes:
    """When `colorize` gives colours."""

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


def _speaks(record: logging.LogRecord) -> bool:
    return threading.get_ident() not in replaying_threads


logger: Final = logging.getLogger("simpleflow_lab")
"""A standard logger: configure it as any other."""
# A filter of a logger sees what is logged by this very logger, and not what comes from those below it.
logger.addFilter(_speaks)
