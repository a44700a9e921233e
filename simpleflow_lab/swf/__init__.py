"""Amazon SWF as data: event types, histories, decisions, request shapes, limits.

Rule: it imports nothing of ours but exceptions, and runs nothing.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # type checkers know what is here

    def __getattr__(name: str) -> ModuleType:
        """A module of this package, or of upstream's below this path (`upstream.PATHS`), when it is asked for."""
        path = f"{__name__}.{name}"
        try:
            return importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:
                raise
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
