"""The time until which a caller waits for a service that is silent: for the owner of a store that is stopped, say.

Rule: it ends the waiting for a service that is known to be silent, and never a call that is just slow.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

_deadline: Final[ContextVar[float | None]] = ContextVar("simpleflow_lab_deadline", default=None)


@contextlib.contextmanager
def waiting_until(deadline: float | None) -> Iterator[None]:
    """Within it, calls of this thread wait until this time of the monotonic clock for a silent service; `None` is for
    ever."""
    before = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(before)


def is_over() -> bool:
    """Whether the caller waits no longer."""
    deadline = _deadline.get()
    return deadline is not None and time.monotonic() >= deadline
