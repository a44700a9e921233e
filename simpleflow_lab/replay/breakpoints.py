"""What `breakpoint()` does in code that a decider or a worker runs, or that somebody only watches.

Such code runs in threads and processes without a keyboard: a debugger would hold them up for ever, or end `run` with an
error of its own. So while there is such code, `sys.breakpointhook` asks those who run it, and goes on as ever for all
other code. A debugger that the user has put there, by `PYTHONBREAKPOINT` or as an IDE does, is left alone.

Rule: what is replaced in `sys` is replaced while somebody asks for it, and is then as it was before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from simpleflow_lab.process_lock import process_lock

Handler = Callable[[FrameType], bool]
"""Gets the frame that called `breakpoint()`; whether that is dealt with."""

_lock = process_lock()
_handlers: Final[list[Handler]] = []
_hooks_before: Final[list[Callable[..., Any]]] = []
"""The hook that ours stands for, while there is a handler."""


def add(handler: Handler, *, first: bool = False) -> None:
    """Ask this handler, after those that were added before or `first` of all, until it is removed."""
    with _lock:
        if not _handlers:
            _hooks_before.append(sys.breakpointhook)
            sys.breakpointhook = _hook
        _handlers.insert(0 if first else len(_handlers), handler)


def remove(handler: Handler) -> None:
    """Ask it no more."""
    with _lock:
        _handlers.remove(handler)
        if not _handlers:
            before = _hooks_before.pop()
            if sys.breakpointhook is _hook:  # what has replaced it meanwhile stays
                sys.breakpointhook = before


def _hook(*args: Any, **kwargs: Any) -> Any:
    before = _hooks_before[-1] if _hooks_before else sys.__breakpointhook__
    frame = sys._getframe(1)
    if _is_usual(before) and any(handler(frame) for handler in tuple(_handlers)):
        return None
    return before(*args, **kwargs)


def _is_usual(hook: Callable[..., Any]) -> bool:
    """It is Python's own, and leads to `pdb`: any other debugger may well stop in a thread."""
    return hook is sys.__breakpointhook__ and not os.environ.get("PYTHONBREAKPOINT")
