"""Handlers of signals for as long as a command needs them: who called it, as a test or a notebook, gets its own back.

Rule: a handler takes no lock: the main thread, in which it runs, may hold it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType


@contextlib.contextmanager
def handling(numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Within this context these signals call `handler`, if it is the main thread that enters it: only that one can."""
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handler) for number in numbers} if is_main else {}
    try:
        yield
    finally:
        for number, earlier in before.items():
            if earlier is not None:  # else it was not set by Python, and can't be set again
                signal.signal(number, earlier)
