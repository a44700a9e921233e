"""`inspect.getsource` for classes that are defined in cells.

Python finds the source of a class by the file of its module, and the module of cells has no file. A class of a cell has
the file of its methods.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def class_sources() -> Iterator[None]:
    """Within this context, `inspect.getsource` finds classes that cells defined."""
    original: Any = inspect.getfile

    def getfile(thing: Any) -> str:
        try:
            return str(original(thing))
        except (OSError, TypeError):
            found = _file_of_methods(thing)
            if found is None:
                raise
            return found

    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        yield
    finally:
        # Another program may have replaced it meanwhile: then its replacement calls ours, which does no harm.
        if inspect.getfile is getfile:
            inspect.getfile = original


def _file_of_methods(thing: Any) -> str | None:
    if not inspect.isclass(thing) or thing.__module__ != "__main__":
        return None
    for member in vars(thing).copy().values():
        function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", member))
        if inspect.isfunction(function) and function.__qualname__.startswith(f"{thing.__qualname__}."):
            return function.__code__.co_filename
    return None
