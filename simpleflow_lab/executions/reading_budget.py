"""The most executions below another one that are read, and how deep: whoever asks waits for each of them."""

from __future__ import annotations

from typing import Final

MAX_CHILDREN: Final = 30
"""The most executions below one that are read."""
MAX_DEPTH: Final = 10
"""The most levels below it."""


class Budget:
    """The number of executions that may still be read."""

    def __init__(self) -> None:
        self._left = MAX_CHILDREN

    def take(self) -> bool:
        """Whether one more may be read, which then counts as read."""
        self._left -= 1
        return self._left >= 0
