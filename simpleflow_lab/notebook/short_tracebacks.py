"""Errors of this package as a notebook shows them: the lines of the user's cells and modules, and none of ours.

Rule: only what is shown is shortened. The error keeps its traceback, for `%debug` and for whoever catches it.
"""

from __future__ import annotations

import contextlib
import os
import re
import types
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.views.text_tables import visible_lines

_PACKAGE: Final = f"{Path(__file__).resolve().parents[1]}{os.sep}"
_MACHINERY: Final = (
    os.sep + os.path.join("asyncio", ""),
    os.sep + os.path.join("IPython", "core", ""),
    contextlib.__file__,
)
"""The modules between a cell and our code when it awaits, when a magic runs, or when our code is in a context."""
_FILE: Final = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+)')
_METHOD: Final = "_render_traceback_"
"""IPython calls this method of an error to show it."""


@contextmanager
def short_tracebacks(shell: InteractiveShell) -> Iterator[None]:
    """Within this context the shell shows errors of this package without its own lines."""

    def render(error: BaseException) -> list[str]:
        return rendered(shell, error)

    setattr(SimpleflowLabError, _METHOD, render)
    try:
        yield
    finally:
        if SimpleflowLabError.__dict__.get(_METHOD) is render:
            delattr(SimpleflowLabError, _METHOD)


def rendered(shell: Any, error: BaseException) -> list[str]:
    """The lines that the shell shows of an error, of those that led to it, too."""
    with ExitStack() as restore:
        for each in _chain(error):
            restore.callback(each.with_traceback, each.__traceback__)
            each.with_traceback(_of_user(each.__traceback__))
        lines: list[str] = shell.InteractiveTB.structured_traceback(
            type(error), error, error.__traceback__, tb_offset=0
        )
        for each in _chain(error):  # its text may be that of a history: no colours, no other direction of writing
            text = str(each)
            lines = [line.replace(text, visible_lines(text)) if text else line for line in lines]
        return [_with_cells(shell, line) for line in lines]


def _with_cells(shell: Any, text: str) -> str:
    """The text, in which recorded tracebacks name cells of this kernel as IPython does, `Cell In[3], line 2`."""

    def named(found: re.Match[str]) -> str:
        number = shell.compile._filename_map.get(found["file"])
        return found[0] if number is None else f"Cell In[{number}], line {found['line']}"

    return _FILE.sub(named, text)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _of_user(trace: types.TracebackType | None) -> types.TracebackType | None:
    """The traceback without the lines of this package and of what called it; `None` if no other line is left."""
    shown = []
    while trace is not None:
        if not _is_ours(trace.tb_frame.f_code.co_filename):
            shown.append(trace)
        trace = trace.tb_next
    found: types.TracebackType | None = None
    for each in reversed(shown):
        found = types.TracebackType(found, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return found


def _is_ours(file: str) -> bool:
    return file.startswith(_PACKAGE) or any(part in file for part in _MACHINERY)
