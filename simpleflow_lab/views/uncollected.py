"""Python's garbage collector kept out of what makes ten thousands of records that all stay.

CPython looks at all objects of a process once a quarter of them is new. Records of a history are no garbage, and in a
notebook with pandas and plotly loaded such a look takes longer than making them.

Rule: only around work that is bounded by the size of one history. Where code of users runs in it, garbage is still
collected, only not as often.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator
from typing import Final

FIRST_THRESHOLD: Final = 50_000
"""Number of objects that are made, net, between two collections in a `seldom_collected` block; else it is CPython's
700."""

_seldom: Final[list[tuple[int, int, int]]] = []
"""The thresholds before each such block that is open, the first one's in the first place."""
_seldom_lock: Final = threading.Lock()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No collection in this block, if there are any outside of it. Blocks may be nested, and run in several threads:
    the first that ends turns collections on again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """Fewer collections in this block, also in other threads. Blocks may be nested, and run in several threads; the
    last one that ends sets what was before the first."""
    with _seldom_lock:
        _seldom.append(gc.get_threshold())
        if 0 < _seldom[0][0] < FIRST_THRESHOLD:
            gc.set_threshold(FIRST_THRESHOLD, *_seldom[0][1:])
    try:
        yield
    finally:
        with _seldom_lock:
            before = _seldom[0]
            _seldom.pop()
            if not _seldom:
                gc.set_threshold(*before)
