"""How a test waits for what another thread or process does, if nobody announces it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], *, seconds: float = 200.0) -> T:
    """The first true value of the condition. The limit, below that of pytest, only ends what hangs."""
    end, pause = time.monotonic() + seconds, 0.001
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(pause)
        pause = min(2 * pause, 0.05)  # a look at processes may take long itself
    return found
