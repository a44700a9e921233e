"""Lines of an author's code: finding the one that runs, and writing it for a person.

Rule: frames of this package are never an author's.
"""

from __future__ import annotations

import functools
import linecache
import os
import traceback
from types import FrameType
from typing import NamedTuple

_PACKAGE = __name__.partition(".")[0]


class Line(NamedTuple):
    """A line of an author's code."""

    filename: str
    """The file, as the code object names it."""
    lineno: int
    """The number of the line, from 1."""
    function: str
    """The qualified name of the function."""


def author_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame from `frame` outwards that is not of this package, or `None`."""
    while frame is not None and _is_of_package(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    return frame


def line_of(frame: FrameType) -> Line:
    """The line that this frame executes."""
    return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)


def line_of_error(error: BaseException) -> Line | None:
    """The author's line that raised: the innermost of the file in which their code begins; `None` if it has none."""
    found: Line | None = None
    for frame, lineno in traceback.walk_tb(error.__traceback__):
        is_theirs = not _is_of_package(frame.f_globals.get("__name__", ""))
        if is_theirs and (found is None or found.filename == frame.f_code.co_filename):
            found = Line(frame.f_code.co_filename, lineno, frame.f_code.co_qualname)
    return found


def line_text(line: Line) -> str:
    """The line as `basic.py:25, z = self.submit(double, y)`; the file name of a notebook's cell is left out."""
    return _line_text(line.filename, line.lineno, linecache.getline(line.filename, line.lineno))


def place_text(line: Line) -> str:
    """The line without its source, as `basic.py:25`, or `cell line 25` of a notebook."""
    return f"{_file_of(line.filename)}{line.lineno}"


def shortened(text: str, limit: int = 200) -> str:
    """The text, cut to at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


@functools.lru_cache(maxsize=256)
def _is_of_package(module: str) -> bool:
    """Whether a module of this name is of this package."""
    return module.partition(".")[0] == _PACKAGE


@functools.lru_cache(maxsize=256)
def _line_text(filename: str, lineno: int, source: str) -> str:
    place, shown = f"{_file_of(filename)}{lineno}", source.strip()
    return f"{place}, {shortened(shown, 120)}" if shown else place


@functools.lru_cache(maxsize=256)
def _file_of(filename: str) -> str:
    """The text before the number of a line."""
    is_cell = filename.startswith("<ipython-input") or f"{os.sep}ipykernel_" in filename
    return "cell line " if is_cell else f"{os.path.basename(filename)}:"
