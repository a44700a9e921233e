"""`breakpoint()`, `pdb.set_trace()` and `input()` in code that a decider or a worker runs, or that is watched.

Such code runs in threads and processes without a keyboard: a debugger would hold them up for ever, or end `run` with an
error of its own. So while there is such code, they ask those who run it, and go on as ever for all other code. A
debugger that the user has put there, by `PYTHONBREAKPOINT` or as an IDE does, is left alone.

Rule: what is replaced is replaced while somebody asks for it, and is then as it was before.
"""

from __future__ import annotations

import bdb
import builtins
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from simpleflow_lab.exceptions import KeyboardInputError
from simpleflow_lab.locking.process_lock import process_lock
from simpleflow_lab.replay.lines import line_of, line_text

Handler = Callable[[FrameType, str], bool]
"""Gets the frame that called, and what it called; whether that is dealt with: `BREAKPOINT` and `SET_TRACE` are passed
over then, `INPUT` is refused."""

BREAKPOINT: Final = "breakpoint()"
SET_TRACE: Final = "pdb.set_trace()"
INPUT: Final = "input()"

_lock = process_lock()
_handlers: Final[list[Handler]] = []
_replaced: Final[list[_Replaced]] = []
"""The functions that are replaced while there is a handler; empty without one."""
_thread: Final = threading.local()
"""Its `is_own` is true while a debugger of the user's own begins."""


def add(handler: Handler, *, first: bool = False) -> None:
    """Ask this handler, after those that were added before or `first` of all, until it is removed."""
    with _lock:
        if not _handlers:
            _replaced.append(_Replaced())
        _handlers.insert(0 if first else len(_handlers), handler)


def remove(handler: Handler) -> None:
    """Ask it no more."""
    with _lock:
        _handlers.remove(handler)
        if not _handlers:
            _replaced.pop().put_back()


def ensure() -> None:
    """Stand in for `input` again, which ipykernel replaces while a cell runs: before code of a decision runs."""
    if _replaced and builtins.input is not _replaced[-1].ours[2]:
        with _lock:
            if _replaced:
                _replaced[-1].take_input()


class _Replaced:
    """Stands in for Python's three functions."""

    def __init__(self) -> None:
        self._hook = before = sys.breakpointhook
        self._set_trace = set_trace = bdb.Bdb.set_trace  # every `set_trace` of pdb, IPython and ipdb comes to it
        self._input = builtins.input

        def hook(*args: Any, **kwargs: Any) -> Any:
            if not _is_usual(before):
                outer, _thread.is_own = getattr(_thread, "is_own", False), True
                try:
                    return before(*args, **kwargs)
                finally:
                    _thread.is_own = outer
            return None if _is_dealt_with(sys._getframe(1), BREAKPOINT) else before(*args, **kwargs)

        def set_trace_asking(debugger: bdb.Bdb, frame: FrameType | None = None, *args: Any, **kwargs: Any) -> None:
            where = frame or sys._getframe(1)
            if getattr(_thread, "is_own", False) or not _is_dealt_with(where, SET_TRACE):
                set_trace(debugger, where, *args, **kwargs)

        def input_asking(*args: Any, **kwargs: Any) -> str:
            where = sys._getframe(1)
            if _is_dealt_with(where, INPUT):
                raise KeyboardInputError(line_text(line_of(where)))
            return self._input(*args, **kwargs)

        self.ours = hook, set_trace_asking, input_asking
        sys.breakpointhook = hook
        bdb.Bdb.set_trace = set_trace_asking  # type: ignore[method-assign, assignment]
        builtins.input = input_asking

    def take_input(self) -> None:
        if builtins.input is not self.ours[2]:
            self._input, builtins.input = builtins.input, self.ours[2]

    def put_back(self) -> None:
        """Put back what was replaced; what has replaced ours meanwhile stays, and asks nobody."""
        hook, set_trace, ours = self.ours
        if sys.breakpointhook is hook:
            sys.breakpointhook = self._hook
        if bdb.Bdb.set_trace is set_trace:
            bdb.Bdb.set_trace = self._set_trace  # type: ignore[method-assign]
        if builtins.input is ours:
            builtins.input = self._input


def _is_dealt_with(frame: FrameType, call: str) -> bool:
    return any(handler(frame, call) for handler in tuple(_handlers))


def _is_usual(hook: Callable[..., Any]) -> bool:
    """It is Python's own, and leads to `pdb`, or that of debugpy, which ipykernel puts into every kernel and which does
    nothing while no IDE is connected. Any other debugger may well stop in a thread."""
    if (hook.__module__ or "").partition(".")[0] == "debugpy":
        return not sys.modules["debugpy"].is_client_connected()
    return hook is sys.__breakpointhook__ and not os.environ.get("PYTHONBREAKPOINT")
