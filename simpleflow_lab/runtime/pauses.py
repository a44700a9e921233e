"""The pauses between two attempts at the same request."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
"""Seconds before an answer, or a request for an object, is repeated: the first, and the longest."""
LOOK_FOR_ROOM_SECONDS: Final = 1.0
"""Seconds, at most, before what waits for room on the disk of a store is repeated: it is on this machine."""


def pauses(first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> Iterator[float]:
    """Seconds to wait before each further attempt: up to twice as long each time, at random, so that processes which
    failed together do not try again together."""
    pause = first
    while True:
        yield pause * (0.5 + random.random() / 2)
        pause = min(2 * pause, longest)
