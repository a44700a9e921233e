"""Output commit: what a decision shows to somebody waits until the events that it follows from are on disk.

A decision begins before the events that it was told are on disk. What it decides waits for the disk by itself. What the
author's code prints or logs, and what a hook of the close does, does not: if the process died then, somebody would have
seen the result of an activity that runs again, and may give another one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final


class _Thread(threading.local):
    wait: Callable[[], None] | None = None


_thread: Final = _Thread()


class output_waits_for:
    """Within this context, the first output of this thread calls `wait`, which returns when the events are on disk, or
    raises."""

    __slots__ = ("_before", "_wait")

    def __init__(self, wait: Callable[[], None]) -> None:
        self._wait = wait

    def __enter__(self) -> None:
        self._before, _thread.wait = _thread.wait, self._wait

    def __exit__(self, *error: object) -> None:
        _thread.wait = self._before


def before_output() -> None:
    """Call this before the author's code has an effect outside. Raises what the `wait` of this thread raises."""
    wait = _thread.wait
    if wait is None:
        return
    _thread.wait = None  # it may log, which is output
    try:
        wait()
    except BaseException:  # an interrupt too: the next output must wait as this one did
        _thread.wait = wait
        raise
